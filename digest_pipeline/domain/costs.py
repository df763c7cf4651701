"""What answers cost, and what may still be spent today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from digest_pipeline.domain.analysis import Usage

_PER = 1_000_000
_LOOK_EVERY = timedelta(minutes=1)


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


class Spent(NamedTuple):
    """What all runs have spent today, and when the day ends."""

    total: float
    until: datetime


class Spending:
    """What today's budget has left. Without a budget there is always something left.

    `look` finds what all runs have spent; it is called each minute and once the day is over, so that runs
    beside this one count too.
    """

    def __init__(
        self,
        prices: Mapping[str, Price] | None = None,
        *,
        daily: float | None = None,
        look: Callable[[], Spent] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._prices = dict(prices or {})
        self._look = look
        self._now = now
        self._looked_at: datetime | None = None
        self.daily = daily
        self.spent = 0.0
        self.until: datetime | None = None

    def affords(self, model: str) -> bool:
        """Whether a question may still be asked today; one that costs nothing always may."""
        if self.daily is None:
            return True
        price = self._prices.get(model)
        if price is not None and not any((price.input, price.output, price.cached)):
            return True
        self._look_again()
        return self.spent < self.daily

    def _look_again(self) -> None:
        if self._look is None or self._now is None:
            return
        now = self._now()
        if (
            self._looked_at is None
            or now - self._looked_at >= _LOOK_EVERY
            or (self.until is not None and now >= self.until)
        ):
            self.spent, self.until = self._look()
            self._looked_at = now

    def cost(self, model: str, usage: Usage) -> float | None:
        """What `usage` costs at `model`; None where its price is not known."""
        price = self._prices.get(model)
        return None if price is None else price.of(usage)

    def add(self, model: str, usage: Usage) -> None:
        """Count what was just spent."""
        self.spent += self.cost(model, usage) or 0.0
