"""What is to be asked for again: analyses whose time has come, days that were never made. Decisions over rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from digest_pipeline.domain.endpoint import may_ask
from digest_pipeline.domain.state import spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.analysis import ErrorClass
    from digest_pipeline.domain.endpoint import EndpointState

MOST_DAYS = 93
"""So many days of repos go into one run: large enough for a backlog of weeks, small enough to be seen moving."""

_UNREAD_AGAIN = timedelta(hours=6)
"""A day that could not be read is asked for again after so long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A commit without an analysis; `retry_at` is None where only a person can help."""

    repo: str
    day: date
    sha: str
    error_class: ErrorClass | None
    retry_at: datetime | None
    attempts: int
    endpoint: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A run to ask for: days of one repo, or of several with the same days; `key` names the state that asks."""

    repos: tuple[str, ...]
    first: date
    last: date
    key: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to ask for now, and in words why no more, for the tick."""

    requests: tuple[Request, ...]
    reason: str


def is_due(one: Waiting, endpoints: Mapping[tuple[str, str], EndpointState], *, now: datetime) -> bool:
    """Whether a commit may be asked about again by a run that nobody started by hand.

    What an outage kept from being asked waits for its endpoint, by the clock of its probes; all else for
    its own time.
    """
    state = endpoints.get((one.endpoint, one.model))
    if one.error_class == "outage" and state is not None:
        return may_ask(state, now=now) != "wait"
    return one.retry_at is not None and one.retry_at <= now


def due_analyses(
    waiting: Sequence[Waiting],
    endpoints: Mapping[tuple[str, str], EndpointState],
    *,
    in_flight: Collection[tuple[str, date]],
    now: datetime,
) -> Decision:
    """What to ask about again. After an outage one day goes first, and the backlog once that was answered."""
    down = [state for state in endpoints.values() if not state.is_up]
    due = [one for one in waiting if is_due(one, endpoints, now=now)]
    free = [one for one in due if (one.repo, one.day) not in in_flight]
    if not due:
        return Decision((), _why_none(waiting, down))
    if len(free) < len(due) and down:
        return Decision((), "a run is already finding out whether the endpoint is back")
    if not free:
        return Decision((), "a run is already at what is due")
    canary = [one for one in free if one.error_class == "outage" and _is_down(one, endpoints)]
    if canary:
        newest = max(canary, key=lambda one: (one.day, one.repo))
        chosen = [one for one in canary if (one.repo, one.day) == (newest.repo, newest.day)]
        return Decision((_request([newest.repo], newest.day, newest.day, chosen, now),), "one day goes first")
    requests = []
    for repo in dict.fromkeys(one.repo for one in free):
        days = sorted({one.day for one in free if one.repo == repo})
        for first, last in _ranges(days):
            chosen = [one for one in free if one.repo == repo and first <= one.day <= last]
            requests.append(_request([repo], first, last, chosen, now))
    return Decision(tuple(requests), f"{len(free)} commits are due")


def missing_days(
    known: Mapping[tuple[str, date], datetime | None],
    repos: Sequence[str],
    days: Sequence[date],
    *,
    in_flight: Collection[tuple[str, date]],
    now: datetime,
) -> Decision:
    """The days that were never made, and those that could not be read some hours ago, in ranges.

    `known` has each repo's day that was asked for, with the time of the failure where its last reading failed.
    """
    groups: dict[tuple[date, date], list[str]] = {}
    waiting = 0
    for repo in repos:
        wanted = [day for day in days if _is_missing(known, repo, day, now)]
        free = [day for day in wanted if (repo, day) not in in_flight]
        waiting += len(wanted) - len(free)
        for first, last in _ranges(free):
            groups.setdefault((first, last), []).append(repo)
    requests = [
        Request(tuple(names), first, last, _key("missing", names, first, last, now))
        for (first, last), names in sorted(groups.items())
    ]
    if requests:
        return Decision(tuple(requests), "")
    return Decision((), f"runs are at {waiting} missing days" if waiting else "no day is missing")


def _is_missing(
    known: Mapping[tuple[str, date], datetime | None], repo: str, day: date, now: datetime
) -> bool:
    if (repo, day) not in known:
        return True
    failed_at = known[repo, day]
    return failed_at is not None and now - failed_at >= _UNREAD_AGAIN


def _is_down(one: Waiting, endpoints: Mapping[tuple[str, str], EndpointState]) -> bool:
    state = endpoints.get((one.endpoint, one.model))
    return state is not None and not state.is_up


def _why_none(waiting: Sequence[Waiting], down: Sequence[EndpointState]) -> str:
    if not waiting:
        return "every commit has its analysis"
    if down:
        state = min(down, key=lambda one: one.next_probe_at or one.since)
        at = f"{state.next_probe_at:%Y-%m-%d %H:%M %Z}" if state.next_probe_at else "the next run"
        return f"{state.endpoint} is down since {state.since:%Y-%m-%d %H:%M %Z}; it is probed next at {at}"
    times = [one.retry_at for one in waiting if one.retry_at is not None]
    if not times:
        return f"{len(waiting)} commits wait for a person: digest heal asks about them again"
    return f"{len(waiting)} commits wait; the first is due at {min(times):%Y-%m-%d %H:%M %Z}"


def _ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    found = []
    for first, last in spans(list(days)):
        start = first
        while (last - start).days >= MOST_DAYS:
            found.append((start, start + timedelta(days=MOST_DAYS - 1)))
            start += timedelta(days=MOST_DAYS)
        found.append((start, last))
    return found


def _request(
    repos: Sequence[str], first: date, last: date, chosen: Sequence[Waiting], now: datetime
) -> Request:
    state = sorted((one.sha, one.attempts, str(one.retry_at)) for one in chosen)
    return Request(tuple(repos), first, last, _key("heal", repos, first, last, now, state))


def _key(kind: str, repos: Sequence[str], first: date, last: date, now: datetime, state: object = "") -> str:
    # A run_key is spent for ever: the hour in it lets a run that died be asked for again.
    text = f"{repos}{state}{now:%Y-%m-%dT%H}"
    return f"{kind}:{first}:{last}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
