"""What answers cost, and what may still be spent today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from digest_pipeline.domain.analysis import Usage

_PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens read, written, and read from the endpoint's cache."""

    input: float
    output: float
    cached: float | None = None

    def of(self, usage: Usage) -> float:
        """What `usage` costs; endpoints count cached tokens among those that were read."""
        cached = min(usage.tokens_cached, usage.tokens_in)
        cached_price = self.input if self.cached is None else self.cached
        paid = (
            (usage.tokens_in - cached) * self.input + cached * cached_price + usage.tokens_out * self.output
        )
        return paid / _PER


class Spending:
    """What today's budget has left; the day ends at `until`. Without a budget there is always something left."""

    def __init__(
        self,
        prices: Mapping[str, Price] | None = None,
        *,
        daily: float | None = None,
        spent: float = 0.0,
        until: datetime | None = None,
    ) -> None:
        self._prices = dict(prices or {})
        self.daily = daily
        self.spent = spent
        self.until = until

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may be asked today."""
        return self.daily is not None and self.spent >= self.daily

    def cost(self, model: str, usage: Usage) -> float | None:
        """What `usage` costs at `model`; None where its price is not known."""
        price = self._prices.get(model)
        return None if price is None else price.of(usage)

    def add(self, model: str, usage: Usage) -> None:
        """Count what was just spent."""
        self.spent += self.cost(model, usage) or 0.0
