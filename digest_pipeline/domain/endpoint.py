"""The breaker of an endpoint: whether a model may be asked, and when it is found out whether it is back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from digest_pipeline.domain.analysis import ErrorClass


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is known of a model at an endpoint, from one run to the next.

    `since` is when it went up or down; `error` is redacted; `learned` is JSON: the parameters that it takes, its
    context, how many of its tokens one of ours is.
    """

    endpoint: str
    model: str
    since: datetime
    is_up: bool = True
    error_class: ErrorClass | None = None
    error: str | None = None
    probed_at: datetime | None = None
    next_probe_at: datetime | None = None
    learned: str = "{}"


def in_use(
    named: Iterable[tuple[str, str]], known: Iterable[EndpointState], *, now: datetime
) -> dict[tuple[str, str], EndpointState]:
    """The state of each endpoint and model that the settings name, in their order.

    One that was never asked is up since now. What is known of others is no matter any more.
    """
    states = {(state.endpoint, state.model): state for state in known}
    return {pair: states.get(pair) or EndpointState(*pair, since=now) for pair in named}


def subject_of(endpoint: str, model: str) -> str:
    """What alarms call a model at its endpoint."""
    return f"{model} ({endpoint})"


def may_ask(state: EndpointState, *, now: datetime) -> Literal["ask", "probe", "wait"]:
    """Whether to ask, to probe first, or to ask nothing before `next_probe_at`."""
    if state.is_up:
        return "ask"
    return "probe" if state.next_probe_at is None or now >= state.next_probe_at else "wait"


def went_down(
    state: EndpointState, *, error_class: ErrorClass, error: str, now: datetime, pause: timedelta
) -> EndpointState:
    """The state after an error that no commit can escape, or after a probe that failed."""
    return replace(
        state,
        is_up=False,
        since=now if state.is_up else state.since,
        error_class=error_class,
        error=error,
        next_probe_at=now + pause,
    )


def came_back(state: EndpointState, *, now: datetime) -> EndpointState:
    """The state after an answer."""
    if state.is_up:
        return state
    return replace(state, is_up=True, since=now, error_class=None, error=None, next_probe_at=None)
