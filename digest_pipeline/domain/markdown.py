"""The one mark of Markdown that analysts and pages share: the code span."""

from __future__ import annotations

import re

_RUNS = re.compile(r"`+")


def code_span(text: str) -> str:
    """`text` as a code span, with a fence that it does not hold; line breaks become spaces."""
    flat = " ".join(text.splitlines())
    longest = max((len(run) for run in _RUNS.findall(flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat.strip() else ""
    return f"{fence}{pad}{flat}{pad}{fence}"
