"""What is to be asked for again: analyses whose time has come, days that were not made. Decisions over rows."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from digest_pipeline.domain.state import consecutive, counted, spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.analysis import ErrorClass
    from digest_pipeline.domain.endpoint import EndpointState

MOST_DAYS = 93
"""So many days of repos go into one run that nobody started, at most."""

TRY_AGAIN = timedelta(hours=6)
"""A day whose last try came to nothing is tried again after so long: its run is over by then, whatever befell it.

That is how long a run of the daemon may last at most, by `dagster.yaml`.
"""

WAITS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
"""How long a commit rests after one round in vain, after two, …; the last of them ever after."""

_A_ROUND = 3
"""So many tries a run makes where the settings say nothing else."""


def wait_after(rounds: int) -> timedelta:
    """How long a commit rests after `rounds` of tries in vain, the first of them being 1."""
    return WAITS[min(max(rounds, 1), len(WAITS)) - 1]


@dataclass(frozen=True, slots=True)
class Tried:
    """How often a model at an endpoint was asked about a commit in vain, and when last."""

    endpoint: str
    model: str
    tries: int
    last_at: datetime

    @property
    def rests_until(self) -> datetime:
        """From when on it is asked about the commit again by itself."""
        return self.last_at + wait_after(math.ceil(self.tries / _A_ROUND))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A commit without an analysis; `retry_at` is None where only a person can help.

    `endpoint` and `model` are whom it was to be asked of; `tried` is where it was asked about in vain.
    """

    repo: str
    day: date
    sha: str
    error_class: ErrorClass | None
    retry_at: datetime | None
    attempts: int
    endpoint: str = ""
    model: str = ""
    tried: Sequence[Tried] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `sql/pipeline/waiting.sql`."""
        return cls(**{**row, "tried": tuple(Tried(**one) for one in row["tried"])})


@dataclass(frozen=True, slots=True)
class Request:
    """A run to ask for: days of one repo, or of several that follow each other; `key` names the state that asks."""

    repos: tuple[str, ...]
    first: date
    last: date
    key: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to ask for now, and in words why no more, for the tick."""

    requests: tuple[Request, ...]
    reason: str


def due_at(one: Waiting, endpoints: Mapping[tuple[str, str], EndpointState]) -> datetime | None:
    """When a run that nobody started by hand may ask about a commit again; None where only a person can help.

    What an outage kept from being asked waits for the first of `endpoints`, those that the settings name, that is
    up or due for its probe; all else waits for its own time. Where one is up and was of no use, the waits between
    its tries grow.
    """
    if one.error_class != "outage" or not endpoints:
        return one.retry_at
    rests = {(tried.endpoint, tried.model): tried.rests_until for tried in one.tried}
    return min(
        max(state.since, rests.get(key, state.since)) if state.is_up else state.next_probe_at or state.since
        for key, state in endpoints.items()
    )


def next_tries(
    waiting: Iterable[Waiting], endpoints: Mapping[tuple[str, str], EndpointState]
) -> dict[tuple[str, date], datetime]:
    """When the first commit of each repo's day may be asked about again; no entry where only a person can help."""
    found: dict[tuple[str, date], datetime] = {}
    for one in waiting:
        if (at := due_at(one, endpoints)) is not None:
            key = one.repo, one.day
            found[key] = min(at, found.get(key, at))
    return found


def is_due(one: Waiting, endpoints: Mapping[tuple[str, str], EndpointState], *, now: datetime) -> bool:
    """Whether the time of `due_at` has come."""
    at = due_at(one, endpoints)
    return at is not None and at <= now


def due_analyses(
    waiting: Sequence[Waiting],
    endpoints: Mapping[tuple[str, str], EndpointState],
    *,
    in_flight: Collection[tuple[str, date]],
    now: datetime,
) -> Decision:
    """What to ask about again. After an outage one day goes first, and the backlog once that was answered.

    `endpoints` are those that the settings name; one of them that is up takes the backlog at once.
    """
    down = [state for state in endpoints.values() if not state.is_up]
    is_dark = bool(down) and len(down) == len(endpoints)
    due = [one for one in waiting if is_due(one, endpoints, now=now)]
    free = [one for one in due if (one.repo, one.day) not in in_flight]
    if not due:
        return Decision((), _why_none(waiting, endpoints, down if is_dark else ()))
    if len(free) < len(due) and is_dark:
        return Decision((), "a run is already finding out whether the endpoint is back")
    if not free:
        return Decision((), "a run is already at what is due")
    canary = [one for one in free if one.error_class == "outage"] if is_dark else []
    if canary:
        newest = max(canary, key=lambda one: (one.day, one.repo))
        chosen = [one for one in canary if (one.repo, one.day) == (newest.repo, newest.day)]
        request = _request([newest.repo], newest.day, newest.day, chosen, endpoints, now)
        return Decision((request,), "one day goes first")
    requests = []
    for repo in dict.fromkeys(one.repo for one in free):
        days = sorted({one.day for one in free if one.repo == repo})
        for first, last in _ranges(days):
            chosen = [one for one in free if one.repo == repo and first <= one.day <= last]
            requests.append(_request([repo], first, last, chosen, endpoints, now))
    return Decision(tuple(requests), f"{len(free)} commits are due")


def missing_days(
    known: Mapping[tuple[str, date], datetime | None],
    repos: Sequence[str],
    days: Sequence[date],
    *,
    in_flight: Collection[tuple[str, date]],
    now: datetime,
    most_days: int = MOST_DAYS,
) -> Decision:
    """The days that were never made, and those whose last try came to nothing some hours ago, in ranges.

    `known` has each repo's day that was asked for; with the time of its last try where it could not be read, or
    was read and got no further. `repos` are those of the settings, in their order: a range holds all that lie
    between its first and its last.
    """
    groups: dict[tuple[date, date], list[str]] = {}
    under_way = 0
    later: list[datetime] = []
    for repo in repos:
        free = []
        for day in days:
            tried_at = known.get((repo, day))
            if (repo, day) in known and tried_at is None:
                continue
            if (repo, day) in in_flight:
                under_way += 1
            elif tried_at is not None and now - tried_at < TRY_AGAIN:
                later.append(tried_at + TRY_AGAIN)
            else:
                free.append(day)
        for first, last in _ranges(free, min(most_days, MOST_DAYS)):
            groups.setdefault((first, last), []).append(repo)
    requests = [
        Request(tuple(names), first, last, _key("missing", names, first, last, now))
        for (first, last), together in sorted(groups.items())
        for names in consecutive(together, repos)
    ]
    if requests:
        return Decision(tuple(requests), "")
    reasons = []
    if under_way:
        reasons.append(f"runs are at {under_way} missing days")
    if later:
        first_again = f"{min(later):%Y-%m-%d %H:%M %Z}"
        reasons.append(
            f"{counted(len(later), 'day')} could not be made, and waits for another try: from {first_again} on"
        )
    return Decision((), "; ".join(reasons) or "no day is missing")


def _why_none(
    waiting: Sequence[Waiting],
    endpoints: Mapping[tuple[str, str], EndpointState],
    down: Sequence[EndpointState],
) -> str:
    if not waiting:
        return "no commit waits to be asked about again"
    if down:
        state = min(down, key=lambda one: one.next_probe_at or one.since)
        at = f"{state.next_probe_at:%Y-%m-%d %H:%M %Z}" if state.next_probe_at else "the next run"
        return f"{state.endpoint} is down since {state.since:%Y-%m-%d %H:%M %Z}; it is probed next at {at}"
    times = next_tries(waiting, endpoints).values()
    if not times:
        return f"{len(waiting)} commits wait for a person: digest heal asks about them again"
    return f"{len(waiting)} commits wait; the first is due at {min(times):%Y-%m-%d %H:%M %Z}"


def _ranges(days: Iterable[date], most: int = MOST_DAYS) -> list[tuple[date, date]]:
    found = []
    for first, last in spans(list(days)):
        start = first
        while (last - start).days >= most:
            found.append((start, start + timedelta(days=most - 1)))
            start += timedelta(days=most)
        found.append((start, last))
    return found


def _request(
    repos: Sequence[str],
    first: date,
    last: date,
    chosen: Sequence[Waiting],
    endpoints: Mapping[tuple[str, str], EndpointState],
    now: datetime,
) -> Request:
    # A probe in vain leaves the rows of its day as they are: the next one is told apart by the endpoint's clock.
    state = sorted((one.sha, one.attempts, f"{one.retry_at}", f"{due_at(one, endpoints)}") for one in chosen)
    return Request(tuple(repos), first, last, _key("heal", repos, first, last, now, state))


def _key(kind: str, repos: Sequence[str], first: date, last: date, now: datetime, state: object = "") -> str:
    # A run_key is spent for ever: the hour in it lets a run that died be asked for again.
    text = f"{repos}{state}{now:%Y-%m-%dT%H}"
    return f"{kind}:{first}:{last}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
