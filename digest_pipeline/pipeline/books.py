"""What is remembered of endpoints and answers, in the history: the analysts' `Memory`, and today's spending."""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Recalled
from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.costs import Price, Spending, Spent
from digest_pipeline.domain.day import day_of, day_window
from digest_pipeline.domain.endpoint import EndpointState
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from digest_pipeline.analysts import AskedOf
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import History

_LOOK_AGAIN_SECONDS = 5.0


class Books:
    """Answers and endpoints of one history."""

    def __init__(self, history: History, now: Callable[[], datetime]) -> None:
        self._history = history
        self._now = now
        self._looking = threading.Lock()
        self._looked_at = -math.inf
        self._answered: set[str] = set()
        self.states: dict[tuple[str, str], EndpointState] = {}
        for row in history.read("pipeline/endpoints"):
            state = EndpointState(**row)
            self.states[state.endpoint, state.model] = state

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

    def keep_notes(self, input_hash: str, notes: Sequence[str], about: AskedOf) -> None:
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
        self._history.replace(Replacement("answers", {}, [row]))

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
            now = time.monotonic()
            if now - self._looked_at >= _LOOK_AGAIN_SECONDS:
                self._answered = {row["input_hash"] for row in self._history.read("pipeline/answered")}
                self._looked_at = now
        if input_hash not in self._answered:
            return None
        rows = self._history.read("pipeline/answer", {"input_hash": input_hash})
        return rows[0] if rows else None


def spending(settings: Settings, history: History, now: Callable[[], datetime]) -> Spending:
    """What today's budget has left, with what every run spent since local midnight."""
    llm = settings.llm
    if llm is None:
        return Spending()
    prices = {model: Price(price.input, price.output, price.cached) for model, price in llm.prices.items()}
    if llm.budget is None:
        return Spending(prices)

    def look() -> Spent:
        today = day_window(day_of(now(), settings.timezone), settings.timezone)
        spent = history.read("pipeline/spent", {"since": today.start})[0]["cost"]
        return Spent(spent, today.end.astimezone(settings.timezone))

    return Spending(prices, daily=llm.budget.daily, look=look, now=now)
