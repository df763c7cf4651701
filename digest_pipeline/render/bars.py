"""Small charts of Unicode blocks: what shows wherever text does, in any colour scheme, and is copied with it.

Against a drawing by the forge (Mermaid): that is a picture on GitHub alone, source text in a terminal, a message or
another viewer, and nothing to a screen reader, which hears the numbers of the table that these bars stand in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STACKED = "█▓░"
WIDTH = 24
"""Blocks of the longest bar: with the columns before it, it fits a page of GitHub without scrolling."""

_LEVELS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def block_size(totals: Sequence[int]) -> int:
    """How many one block stands for, so that the longest bar has at most `WIDTH`."""
    return max(1, math.ceil(max(totals, default=0) / WIDTH))


def stacked(counts: Sequence[int], size: int) -> str:
    """Up to three counts as one bar, each `size` a block; what is there at all shows, and none is a dot."""
    bar = "".join(mark * math.ceil(count / size) for mark, count in zip(STACKED, counts, strict=False))
    return bar or _NOTHING


def sparkline(values: Sequence[int]) -> str:
    """A character for each value, the highest full; none is a dot."""
    most = max(values, default=0)
    return "".join(
        _LEVELS[math.ceil(len(_LEVELS) * value / most) - 1] if value else _NOTHING for value in values
    )
