"""How many questions a run may have under way, and whether it may ask at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest_pipeline.analysts.failures import Failure


class Limiter:
    """A number of places, closed by an outage for the rest of the run.

    A cautious run begins with a single place, until the endpoint has answered once.
    """

    def __init__(self, places: int, *, cautious: bool = False) -> None:
        self._most = places
        self.places = 1 if cautious else places
        self.outage: Failure | None = None

    def answered(self) -> None:
        """The endpoint takes what we send."""
        self.places = self._most

    def close(self, outage: Failure) -> None:
        """Nothing more is to be asked."""
        self.outage = self.outage or outage
