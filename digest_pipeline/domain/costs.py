"""What answers cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Usage

_PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens read, written, and read from the endpoint's cache."""

    input: float
    output: float
    cached: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing is ever paid."""
        return not (self.input or self.output or self.cached)

    def of(self, usage: Usage) -> float:
        """What `usage` costs; endpoints count cached tokens among those that were read."""
        cached = min(usage.tokens_cached, usage.tokens_in)
        cached_price = self.input if self.cached is None else self.cached
        paid = (
            (usage.tokens_in - cached) * self.input + cached * cached_price + usage.tokens_out * self.output
        )
        return paid / _PER
