"""What is wrong now against what was raised before: which alarms are new, which are over, which message is due.

An alarm is one outage: it is raised once and is over once, whoever looks and however often.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from digest_pipeline.domain.day import yesterday
from digest_pipeline.domain.healing import TRY_AGAIN
from digest_pipeline.domain.state import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

Kind = Literal["repo", "endpoint", "coverage", "run", "delivery"]
"""A repo's days could not be read; an endpoint is down; less than 90 % of a day is analysed; a run failed; pages do not
reach a channel."""

Ending = Literal["unused", "aged"]
"""Why an alarm was closed, where its trouble did not end: the settings no longer name what it is about; it is still
so, and too old to be told."""

COVERAGE_DAYS = 14
"""So many days back a day counts for `coverage`, yesterday being the first; so long its page counts as new."""

ENOUGH = 0.9
"""This share of a day's commits has to be analysed."""

_GRACE = timedelta(hours=1)
"""So long after it was read a day that no run has in its hands may be without a page."""

QUIET = timedelta(days=1)
"""So long after its newest failure a job is over it, where another job did the same and more since."""

CLAIM = timedelta(minutes=5)
"""Longer than a message takes to be sent: a claim that is older is that of a process that died."""

RECOVERY = timedelta(hours=6)
"""So long after an endpoint came back its backlog may take."""

STALE = timedelta(days=7)
"""So long after an outage is over it is still worth a message."""

_LONGEST_DETAIL = 500
_MOST_PARTS = 6


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now; `since` is None where nobody knows when it began.

    `detail` is in no language: days, counts, and errors as they were stored.
    """

    kind: Kind
    subject: str
    detail: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A trouble that was raised; it is over where `resolved_at` is set."""

    kind: Kind
    subject: str
    detail: str
    raised_at: datetime
    resolved_at: datetime | None = None
    claimed_at: datetime | None = None
    told_at: datetime | None = None
    over_told_at: datetime | None = None
    ending: Ending | None = None

    def is_felt(self, now: datetime) -> bool:
        """Whether it is open, or was until a moment ago, so that not all is made up for yet."""
        return self.resolved_at is None or now - self.resolved_at <= RECOVERY

    def is_due(self, now: datetime) -> bool:
        """Whether a message about it is to be sent: nobody was told yet, and nobody is about to.

        Of an alarm that was over before anybody could be told, nobody has to hear; of one that is still so
        neither.
        """
        if self.ending == "aged":
            return False
        if self.claimed_at is not None and self.claimed_at > now - CLAIM:
            return False
        if self.resolved_at is None:
            return self.told_at is None
        return self.told_at is not None and self.over_told_at is None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a repo's day is analysed, by its page, or by what is stored where that is unfinished.

    `seen_at` is when the page was rendered, or the day was read. `wait_for_endpoint` commits an outage keeps from
    being analysed.
    """

    repo: str
    day: date
    commits: int
    analysed: int
    seen_at: datetime
    is_unfinished: bool = False
    has_page: bool = True
    wait_for_endpoint: int = 0

    def is_short(self, *, is_excused: bool = False) -> bool:
        """Whether it is less than it has to be; where an outage is an excuse, not for what that keeps waiting."""
        waiting = self.wait_for_endpoint if is_excused else 0
        return self.analysed + waiting < ENOUGH * self.commits

    def is_recent(self, now: datetime, timezone: ZoneInfo) -> bool:
        """Whether the day, or what is known of it, is of the last COVERAGE_DAYS days."""
        oldest = yesterday(now, timezone) - timedelta(days=COVERAGE_DAYS - 1)
        return self.day >= oldest or self.seen_at >= now - timedelta(days=COVERAGE_DAYS)

    def is_settled(self, runs: Runs, now: datetime) -> bool:
        """Whether no run is still about to make it; while one is, commits are there before their analyses."""
        if not self.is_unfinished or self.seen_at <= now - TRY_AGAIN:
            return True
        # A day that has a page and changed may be in the hands of a run that does not name it.
        if self.has_page or runs.in_flight is None or (self.repo, self.day) in runs.in_flight:
            return False
        return self.seen_at <= now - _GRACE


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A run of `job` that failed; `reasons` are its errors, a line each."""

    job: str
    ended_at: datetime
    reasons: tuple[str, ...]
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """What was seen of runs: failures that nobody looked at before, and when each job's newest success began.

    `failed` is when each job last failed, `does_more` which other jobs do all that a job does. `in_flight` are the
    repos' days that runs have in their hands, None where nobody looked.
    """

    failures: tuple[RunFailure, ...] = ()
    succeeded: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, datetime] = field(default_factory=dict)
    does_more: Mapping[str, Collection[str]] = field(default_factory=dict)
    in_flight: Collection[tuple[str, date]] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the alarms: troubles to raise, alarms that are over, alarms that go on with their trouble."""

    new: tuple[Trouble, ...]
    over: tuple[Alarm, ...]
    going_on: tuple[tuple[Alarm, Trouble], ...]


def troubles_of(rows: Iterable[Mapping[str, Any]]) -> list[Trouble]:
    """The troubles that `sql/pipeline/troubles.sql` found; many days of one repo are one trouble."""
    found = []
    for (kind, subject), group in groupby(rows, key=lambda row: (row["kind"], row["subject"])):
        days = list(group)
        moments = [row["since"] for row in days if row["since"] is not None]
        found.append(Trouble(kind, subject, _detail(kind, subject, days), min(moments, default=None)))
    return found


def coverage_troubles(
    days: Iterable[Coverage], alarms: Iterable[Alarm], runs: Runs, *, now: datetime, timezone: ZoneInfo
) -> list[Trouble]:
    """The repos of whose recent days too few commits are analysed.

    One is raised for days that are settled. One that is open goes on while a run is at them: a try is no end.
    What waits for an endpoint that is down, or came back a moment ago, is told with that endpoint.
    """
    still_open = {
        alarm.subject: alarm for alarm in alarms if alarm.kind == "coverage" and alarm.resolved_at is None
    }
    is_excused = any(alarm.kind == "endpoint" and alarm.is_felt(now) for alarm in alarms)
    found = []
    short = sorted(
        (
            one
            for one in days
            if one.is_short(is_excused=is_excused and one.repo not in still_open)
            and one.is_recent(now, timezone)
        ),
        key=lambda one: (one.repo, one.day),
    )
    for repo, group in groupby(short, key=lambda one: one.repo):
        settled = [one for one in group if one.is_settled(runs, now)]
        if settled:
            detail = _listed([f"{one.day} {one.analysed}/{one.commits}" for one in settled])
            found.append(Trouble("coverage", repo, detail))
        elif repo in still_open:
            found.append(Trouble("coverage", repo, still_open[repo].detail))
    return found


def run_troubles(runs: Runs, alarms: Iterable[Alarm], known: Collection[str], now: datetime) -> list[Trouble]:
    """The troubles with runs: open alarms whose job had no success since, and new failures likewise.

    A failure all of whose reasons are `known`, as errors of repos that could not be read, is told as theirs: but for
    them, that run got through.
    """
    theirs = [one for one in runs.failures if one.reasons and all(reason in known for reason in one.reasons)]
    got_through = [(job, began) for job, began in runs.succeeded.items()]
    got_through += [(one.job, one.began_at) for one in theirs if one.began_at is not None]
    succeeded: dict[str, datetime] = {}
    for job, began in got_through:
        succeeded[job] = max(began, succeeded.get(job, began))
    runs = replace(runs, succeeded=succeeded)
    found = {
        alarm.subject: Trouble("run", alarm.subject, alarm.detail, alarm.raised_at)
        for alarm in alarms
        if alarm.kind == "run"
        and alarm.resolved_at is None
        and not _has_succeeded(runs, alarm.subject, alarm.raised_at)
        and not _was_covered(runs, alarm.subject, alarm.raised_at, now)
    }
    for failure in sorted(runs.failures, key=lambda failure: failure.ended_at):
        if failure in theirs:
            continue
        if failure.job not in found and not _has_succeeded(runs, failure.job, failure.ended_at):
            detail = _short("; ".join(failure.reasons))
            found[failure.job] = Trouble("run", failure.job, detail, min(failure.ended_at, now))
    return list(found.values())


def ending_of(
    alarm: Alarm,
    days: Iterable[Coverage],
    *,
    repos: Collection[str],
    endpoints: Collection[str],
    timezone: ZoneInfo,
    channels: Collection[str] = (),
) -> Ending | None:
    """Why an alarm is to be closed whose trouble is none any more; None where its trouble is over.

    `repos`, `endpoints` and `channels` are what the settings name, as alarms call them; `days` are all that are known.
    """
    match alarm.kind:
        case "endpoint":
            return None if alarm.subject in endpoints else "unused"
        case "delivery":
            return None if alarm.subject in channels else "unused"
        case "repo" | "coverage" if alarm.subject not in repos:
            return "unused"
        case "coverage":
            its_own = (one for one in days if one.repo == alarm.subject)
            is_so = any(one.is_short() and one.is_recent(alarm.raised_at, timezone) for one in its_own)
            return "aged" if is_so else None
        case _:
            return None


def compare(
    troubles: Iterable[Trouble],
    alarms: Iterable[Alarm],
    ending: Callable[[Alarm], Ending | None] = lambda _: None,
) -> Changes:
    """What is new, over or going on, by kind and subject; alarms that are over already count for nothing.

    Those that are over carry what `ending` says of them.
    """
    still_open = {(alarm.kind, alarm.subject): alarm for alarm in alarms if alarm.resolved_at is None}
    new, going_on = [], []
    for trouble in troubles:
        alarm = still_open.pop((trouble.kind, trouble.subject), None)
        if alarm is None:
            new.append(trouble)
        else:
            going_on.append((alarm, trouble))
    over = tuple(replace(alarm, ending=ending(alarm)) for alarm in still_open.values())
    return Changes(tuple(new), over, tuple(going_on))


def _has_succeeded(runs: Runs, job: str, since: datetime) -> bool:
    # By when it began: one that was under way already when another failed proves nothing about the reason.
    began = runs.succeeded.get(job)
    return began is not None and began > since


def _was_covered(runs: Runs, job: str, since: datetime, now: datetime) -> bool:
    """Whether what a job does was done since by a job that does more, and the job itself has not failed for long.

    A job that only asks for what is left over has nothing to do, and no success, once that job did it.
    """
    failed = max(since, runs.failed.get(job, since))
    was_done = any(_has_succeeded(runs, other, failed) for other in runs.does_more.get(job, ()))
    return was_done and now - failed >= QUIET


def _detail(kind: Kind, subject: str, rows: Sequence[Mapping[str, Any]]) -> str:
    error = " ".join(str(rows[-1]["error"] or "").split()).removeprefix(f"{subject}: ")
    if kind in {"repo", "delivery"}:
        return _short(f"{_listed(_spans([row['day'] for row in rows]))}: {error}")
    return _short(error)


def _spans(days: Sequence[date]) -> list[str]:
    return [str(first) if first == last else f"{first}…{last}" for first, last in spans(days)]


def _listed(parts: Sequence[str]) -> str:
    rest = len(parts) - _MOST_PARTS
    return ", ".join(parts[:_MOST_PARTS]) + (f", … (+{rest})" if rest > 0 else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
