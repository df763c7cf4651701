"""Which digests and rollups are due: decisions over what is stored, for the sensors that ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from digest_pipeline.domain.day import day_window, days_between, yesterday
from digest_pipeline.domain.period import period_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime, time
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.period import Period

_MOST_PERIODS = 13

BACKFILLED_AFTER = timedelta(days=1)
"""A day without a digest so long after its deadline is of a backfill: it waits for the run that is at it."""


@dataclass(frozen=True, slots=True)
class DigestState:
    """A day: what its digest should be made from now, what it was made from, whose pages are there."""

    day: date
    window_end: datetime
    inputs: str
    made_from: str | None
    done: frozenset[str]


_State = TypeVar("_State", "DigestState", "ReadersState")


def digest_states(rows: Iterable[Mapping[str, Any]]) -> list[DigestState]:
    """From the rows of `sql/pipeline/digest_states.sql`."""
    return [
        DigestState(row["day"], row["window_end"], row["inputs"], row["made_from"], frozenset(row["done"]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class DigestDecision:
    """The days whose digest is due, and those that wait for a repo, with its name."""

    due: tuple[DigestState, ...]
    waiting: tuple[tuple[date, str], ...]


def deadline_after(daily_at: time, hours: float) -> timedelta:
    """How long after the end of its last day a page waits for repos that are not done: `hours` after the daily run."""
    return timedelta(hours=daily_at.hour + hours, minutes=daily_at.minute)


def due_digests(
    states: Iterable[DigestState],
    repos: Sequence[str],
    *,
    now: datetime,
    deadline: timedelta,
    in_flight: Collection[tuple[str, date]] = (),
) -> DigestDecision:
    """A digest is due when it is stale and all repos are done, or `deadline` after its day with those that are.

    A day of which nothing could be read is due then too: its digest says so. A digest that was made once is
    brought up to date at once. A day of long ago waits for what runs have `in_flight` of it.
    """
    due, waiting = [], []
    for state in states:
        if state.inputs == state.made_from:
            continue
        missing = [repo for repo in repos if repo not in state.done]
        in_hand = [repo for repo in missing if (repo, state.day) in in_flight]
        is_early = now < state.window_end + deadline
        is_backfilled = bool(in_hand) and now >= state.window_end + deadline + BACKFILLED_AFTER
        if missing and state.made_from is None and (is_early or is_backfilled):
            waiting.append((state.day, (in_hand or missing)[0]))
        else:
            due.append(state)
    return DigestDecision(tuple(due), tuple(waiting))


@dataclass(frozen=True, slots=True)
class ReadersState:
    """A day on which a reader's page is to be made, and what the day's digest was made from."""

    day: date
    inputs: str


def stale_reader_days(rows: Iterable[Mapping[str, Any]], readers: Sequence[str]) -> list[ReadersState]:
    """The days on which a reader's page was never looked at, or is older than the digest.

    From the rows of `sql/pipeline/reader_states.sql`.
    """
    inputs: dict[date, str] = {}
    current: dict[date, set[str]] = {}
    for row in rows:
        inputs[row["day"]] = row["inputs"]
        current.setdefault(row["day"], set())
        if row["made_from"] == row["inputs"]:
            current[row["day"]].add(row["reader"])
    return [ReadersState(day, inputs[day]) for day, done in current.items() if not done.issuperset(readers)]


def contiguous(states: Sequence[_State]) -> list[list[_State]]:
    """Runs of consecutive days, so that one run can take a whole range."""
    groups: list[list[_State]] = []
    for state in states:
        if groups and (state.day - groups[-1][-1].day).days == 1:
            groups[-1].append(state)
        else:
            groups.append([state])
    return groups


@dataclass(frozen=True, slots=True)
class RollupState:
    """A week or month: what its rollup should be made from, what it was made from and when, whose pages are there.

    `elsewhere` counts days of repos that have a page in another language alone.
    """

    period: Period
    inputs: str
    made_from: str | None
    made_at: datetime | None
    done: frozenset[tuple[str, date]]
    elsewhere: int = 0


def rollup_states(rows: Iterable[Mapping[str, Any]]) -> list[RollupState]:
    """From the rows of `sql/pipeline/rollup_states.sql`."""
    return [
        RollupState(
            period_of(row["kind"], row["first"]),
            row["inputs"],
            row["made_from"],
            row["made_at"],
            frozenset((one["repo"], one["day"]) for one in row["done"]),
            row["elsewhere"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class RollupDecision:
    """The periods whose rollup is due, and those that wait for a day of a repo."""

    due: tuple[RollupState, ...]
    waiting: tuple[tuple[Period, date, str], ...]


def due_rollups(
    states: Iterable[RollupState],
    repos: Sequence[str],
    *,
    first_day: date,
    now: datetime,
    timezone: ZoneInfo,
    deadline: timedelta,
) -> RollupDecision:
    """A rollup is due once its period is over and all its days are done, or `deadline` later with those that are.

    One that was made, and whose days changed since, is due at once; so is one that was made while its period was under
    way. A period without a page has none, and one whose pages are in another language is left as it stands.
    """
    due, waiting = [], []
    for state in states:
        end = day_window(state.period.last, timezone).end
        is_new = state.made_from is None or state.made_at is None or state.made_at < end
        if now < end or not state.done or (state.inputs == state.made_from and not is_new):
            continue
        if state.made_from is None and state.elsewhere:
            continue
        missing = days_missing(
            state.period, state.done, repos, first_day=first_day, now=now, timezone=timezone
        )
        if is_new and missing and now < end + deadline:
            repo, days = next(iter(missing.items()))
            waiting.append((state.period, days[0], repo))
        else:
            due.append(state)
    return RollupDecision(tuple(due), tuple(waiting))


def days_to_cover(period: Period, *, first_day: date, now: datetime, timezone: ZoneInfo) -> list[date]:
    """The days of a period that can be there: from `first_day` on, and over."""
    last = min(period.last, yesterday(now, timezone))
    return list(days_between(max(period.first, first_day), last))


def days_missing(
    period: Period,
    done: frozenset[tuple[str, date]],
    repos: Sequence[str],
    *,
    first_day: date,
    now: datetime,
    timezone: ZoneInfo,
) -> dict[str, list[date]]:
    """The days of a period that `repos` have no page of, for each repo that misses any."""
    days = days_to_cover(period, first_day=first_day, now=now, timezone=timezone)
    found = {repo: [day for day in days if (repo, day) not in done] for repo in repos}
    return {repo: missing for repo, missing in found.items() if missing}


def in_ranges(states: Iterable[RollupState]) -> list[list[RollupState]]:
    """Runs of periods that follow each other, thirteen at most: each is taken by one run."""
    groups: list[list[RollupState]] = []
    for state in states:
        if groups and groups[-1][-1].period == state.period.previous() and len(groups[-1]) < _MOST_PERIODS:
            groups[-1].append(state)
        else:
            groups.append([state])
    return groups
