"""What is remembered of endpoints and answers, in the history: the analysts' `Memory`, and today's spending."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from digest_pipeline.analysts import Recalled
from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.costs import Price, Spending
from digest_pipeline.domain.day import day_of, day_window
from digest_pipeline.domain.endpoint import EndpointState
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from datetime import datetime

    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import History


class Books:
    """Answers and endpoints of one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.states: dict[tuple[str, str], EndpointState] = {}
        for row in history.read("pipeline/endpoints"):
            state = EndpointState(**row)
            self.states[state.endpoint, state.model] = state

    @cached_property
    def answered(self) -> set[str]:
        """The hashes of all questions that were answered before this run, and of those that it had answered."""
        return {row["input_hash"] for row in self._history.read("pipeline/answered")}

    def recall(self, input_hash: str) -> Recalled | None:
        """See `Memory`."""
        if input_hash not in self.answered:
            return None
        rows = self._history.read("pipeline/answer", {"input_hash": input_hash})
        if not rows:
            return None
        row = rows[0]
        return Recalled(
            analysis=Analysis.model_validate_json(row["analysis"]),
            endpoint=row["endpoint"],
            ledger=row["ledger"],
            shown_lines=row["shown_lines"],
            changed_lines=row["changed_lines"],
        )

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """See `Memory`."""
        return self.states.get((endpoint, model))

    def remember(self, state: EndpointState) -> None:
        """See `Memory`."""
        self.states[state.endpoint, state.model] = state
        moments = {
            name: value.isoformat() if value is not None else None
            for name, value in (
                ("since", state.since),
                ("probed_at", state.probed_at),
                ("next_probe_at", state.next_probe_at),
            )
        }
        key = {"endpoint": [state.endpoint], "model": [state.model]}
        self._history.replace(Replacement("endpoints", key, [asdict(state) | moments]))


def spending(settings: Settings, history: History, now: datetime) -> Spending:
    """What today's budget has left, with what every run spent since local midnight."""
    llm = settings.llm
    if llm is None:
        return Spending()
    prices = {model: Price(price.input, price.output, price.cached) for model, price in llm.prices.items()}
    if llm.budget is None:
        return Spending(prices)
    today = day_window(day_of(now, settings.timezone), settings.timezone)
    spent = history.read("pipeline/spent", {"since": today.start})[0]["cost"]
    until = today.end.astimezone(settings.timezone)
    return Spending(prices, daily=llm.budget.daily, spent=spent, until=until)
