"""One figure beside its floor or peer, as every benchmark gives them; what `make bench` prints and keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal[
    "history", "growth", "backfill", "writers", "questions", "start-up", "rate", "packing", "outage"
]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, the floor or peer that was measured in the same run, and what is wanted of it.

    `wanted` says what in words, `held` whether it is so: None where nothing is wanted. Where `least` is set, the
    ratio has no sense and stays away.
    """

    part: Part
    name: str
    value: float
    unit: str
    beside: str = ""
    beside_value: float | None = None
    wanted: str = ""
    held: bool | None = None

    @property
    def ratio(self) -> float | None:
        """How many times its floor or peer the figure is."""
        return self.value / self.beside_value if self.beside_value else None
