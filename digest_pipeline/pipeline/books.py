"""What runs have in common, in the history: the analysts' `Memory` of endpoints and answers, and their `Spending`."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from digest_pipeline.analysts import Recalled
from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.costs import Price
from digest_pipeline.domain.day import day_of, day_window
from digest_pipeline.domain.endpoint import EndpointState
from digest_pipeline.pipeline.endpoints import endpoints_in_use
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from digest_pipeline.analysts import AskedOf, Booking
    from digest_pipeline.domain.analysis import Call, Usage
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import History

_ANSWERS_EVERY = timedelta(seconds=5)
_SPENT_EVERY = timedelta(minutes=1)


class Books:
    """Answers of one history, and the endpoints that the settings name; `states` is what is known of those."""

    def __init__(self, settings: Settings, history: History, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._prices = prices_of(settings)
        self._history = history
        self._now = now
        self._looking = threading.Lock()
        self._looked_at: datetime | None = None
        self._answered: set[str] = set()
        # What another endpoint of earlier settings waits for is no matter of this run.
        self.states = endpoints_in_use(settings, history.read("pipeline/endpoints"), now=now())

    def recall(self, input_hash: str) -> Recalled | None:
        """See `Memory`."""
        row = self._answer(input_hash)
        if row is None:
            return None
        return Recalled(
            analysis=Analysis.model_validate_json(row["analysis"]),
            endpoint=row["endpoint"],
            ledger=row["ledger"],
            shown_lines=row["shown_lines"],
            changed_lines=row["changed_lines"],
        )

    def notes(self, input_hash: str) -> list[str] | None:
        """See `Memory`."""
        row = self._answer(input_hash)
        return None if row is None else list(json.loads(row["analysis"])["notes"])

    def keep_notes(self, input_hash: str, notes: Sequence[str], about: AskedOf, booking: Booking) -> None:
        """See `Memory`."""
        row = {
            "input_hash": input_hash,
            **asdict(about),
            "analysis": json.dumps({"notes": list(notes)}, ensure_ascii=False),
            "ledger": None,
            "shown_lines": 0,
            "changed_lines": 0,
            "answered_at": self._now().isoformat(),
        }
        self._history.replace(Replacement("answers", {}, [row]), *self._booked(booking))

    def book(self, booking: Booking) -> None:
        """See `Memory`."""
        self._history.replace(*self._booked(booking))

    def _booked(self, booking: Booking) -> list[Replacement]:
        if not booking.calls:
            return []
        day = day_of(booking.committed_at, self._settings.timezone)
        where = {"repo": booking.repo, "first": day, "last": day, "language": booking.language}
        known = {row["sha"]: row["calls"] for row in self._history.read("pipeline/calls_of_days", where)}
        key = {"repo": booking.repo, "day": day, "sha": booking.sha, "language": booking.language}
        first = known.get(booking.sha, 0) + 1
        rows = [
            key | attempt_columns(number, call, self._prices)
            for number, call in enumerate(booking.calls, first)
        ]
        return [Replacement("attempts", {}, rows)]

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """See `Memory`."""
        return self.states.get((endpoint, model))

    def revise(
        self, endpoint: str, model: str, change: Callable[[EndpointState | None], EndpointState]
    ) -> EndpointState:
        """See `Memory`."""
        names = {"endpoint": endpoint, "model": model}

        def decide(rows: Sequence[Mapping[str, Any]]) -> list[Replacement]:
            known = EndpointState(**rows[0]) if rows else None
            state = self.states[endpoint, model] = change(known)
            if state == known:
                return []
            moments = {
                name: value.isoformat() if value is not None else None
                for name in ("since", "probed_at", "next_probe_at")
                for value in [getattr(state, name)]
            }
            key = {name: [value] for name, value in names.items()}
            return [Replacement("endpoints", key, [asdict(state) | moments])]

        self._history.revise("pipeline/endpoint", names, decide)
        return self.states[endpoint, model]

    def _answer(self, input_hash: str) -> Mapping[str, Any] | None:
        """The newest answer to a question; runs that go on beside this one answer too."""
        with self._looking:
            now = self._now()
            if self._looked_at is None or now - self._looked_at >= _ANSWERS_EVERY:
                self._answered = {row["input_hash"] for row in self._history.read("pipeline/answered")}
                self._looked_at = now
        if input_hash not in self._answered:
            return None
        rows = self._history.read("pipeline/answer", {"input_hash": input_hash})
        return rows[0] if rows else None


class Spent(NamedTuple):
    """What all runs have spent today, and when the day ends."""

    total: float
    until: datetime


class Purse:
    """See `Spending`. `look` finds what all runs have spent: each minute, and once the day is over."""

    def __init__(
        self,
        prices: Mapping[str, Price],
        *,
        daily: float | None,
        look: Callable[[], Spent],
        now: Callable[[], datetime],
    ) -> None:
        self._prices = prices
        self._look = look
        self._now = now
        self._looked_at: datetime | None = None
        self._spent = 0.0
        self._expected = 0.0
        self.daily = daily
        self.until: datetime | None = None

    def affords(self, model: str) -> bool:
        """See `Spending`."""
        price = self._prices.get(model)
        if self.daily is None or (price is not None and price.is_free):
            return True
        now = self._now()
        is_old = self._looked_at is None or now - self._looked_at >= _SPENT_EVERY
        if is_old or (self.until is not None and now >= self.until):
            self._spent, self.until = self._look()
            self._looked_at = now
        return self._spent + self._expected < self.daily

    def expect(self, model: str, usage: Usage, sign: Literal[1, -1]) -> None:
        """See `Spending`."""
        self._expected += sign * (self.cost(model, usage) or 0.0)

    def add(self, model: str, usage: Usage) -> None:
        """See `Spending`."""
        self._spent += self.cost(model, usage) or 0.0

    def cost(self, model: str, usage: Usage) -> float | None:
        """What `usage` costs at `model`; None where its price is not known."""
        price = self._prices.get(model)
        return None if price is None else price.of(usage)


def prices_of(settings: Settings) -> dict[str, Price]:
    """What tokens cost, by model, as far as the settings say."""
    prices = {} if settings.llm is None else settings.llm.prices
    return {model: Price(price.input, price.output, price.cached) for model, price in prices.items()}


def attempt_columns(number: int, call: Call, prices: Mapping[str, Price]) -> dict[str, Any]:
    """A row of `attempts` for a call, without what it was about; `number` counts a commit's calls from 1."""
    price = prices.get(call.model)
    return {
        "attempt": number,
        "started_at": call.started_at.isoformat(),
        "seconds": call.seconds,
        "endpoint": call.endpoint,
        "model": call.model,
        "purpose": call.purpose,
        "outcome": "ok" if call.error_class is None else "failed",
        "error_class": call.error_class,
        "error": call.error,
        "tokens_in": call.usage.tokens_in,
        "tokens_out": call.usage.tokens_out,
        "tokens_cached": call.usage.tokens_cached,
        "cost": None if price is None else price.of(call.usage),
    }


def open_purse(settings: Settings, history: History, now: Callable[[], datetime]) -> Purse:
    """What today's budget has left, with what every run spent since local midnight."""
    llm = settings.llm

    def look() -> Spent:
        today = day_window(day_of(now(), settings.timezone), settings.timezone)
        spent = history.read("pipeline/spent", {"since": today.start})[0]["cost"]
        return Spent(spent, today.end.astimezone(settings.timezone))

    budget = llm.budget if llm is not None else None
    return Purse(prices_of(settings), daily=None if budget is None else budget.daily, look=look, now=now)
