"""What is wrong now against what was raised before: which alarms are new, which are over, which message is due.

An alarm is one outage: it is raised once and is over once, whoever looks and however often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from digest_pipeline.domain.state import spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

Kind = Literal["repo", "endpoint", "coverage", "run"]
"""A repo's days could not be read; an endpoint is down; less than 90 % of a day is analysed; a run failed."""

COVERAGE_DAYS = 14
"""So many days back a day counts for `coverage`, yesterday being the first."""

CLAIM = timedelta(minutes=5)
"""Longer than a message takes to be sent: a claim that is older is that of a process that died."""

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

    def is_due(self, now: datetime) -> bool:
        """Whether a message about it is to be sent: nobody was told yet, and nobody is about to.

        Of an alarm that was over before anybody could be told, nobody has to hear.
        """
        if self.claimed_at is not None and self.claimed_at > now - CLAIM:
            return False
        if self.resolved_at is None:
            return self.told_at is None
        return self.told_at is not None and self.over_told_at is None


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A run of `job` that failed; `reasons` are its errors, a line each."""

    job: str
    ended_at: datetime
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Runs:
    """What was seen of runs: failures that nobody looked at before, and when each job's newest success began."""

    failures: tuple[RunFailure, ...] = ()
    succeeded: Mapping[str, datetime] = field(default_factory=dict)


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


def run_troubles(runs: Runs, alarms: Iterable[Alarm], known: Collection[str], now: datetime) -> list[Trouble]:
    """The troubles with runs: open alarms whose job had no success since, and new failures likewise.

    A failure all of whose reasons are `known`, as errors of repos that could not be read, is told as theirs.
    """
    found = {
        alarm.subject: Trouble("run", alarm.subject, alarm.detail, alarm.raised_at)
        for alarm in alarms
        if alarm.kind == "run"
        and alarm.resolved_at is None
        and not _has_succeeded(runs, alarm.subject, alarm.raised_at)
    }
    for failure in sorted(runs.failures, key=lambda failure: failure.ended_at):
        if failure.reasons and all(reason in known for reason in failure.reasons):
            continue
        if failure.job not in found and not _has_succeeded(runs, failure.job, failure.ended_at):
            detail = _short("; ".join(failure.reasons))
            found[failure.job] = Trouble("run", failure.job, detail, min(failure.ended_at, now))
    return list(found.values())


def compare(troubles: Iterable[Trouble], alarms: Iterable[Alarm]) -> Changes:
    """What is new, over or going on, by kind and subject; alarms that are over already count for nothing."""
    still_open = {(alarm.kind, alarm.subject): alarm for alarm in alarms if alarm.resolved_at is None}
    new, going_on = [], []
    for trouble in troubles:
        alarm = still_open.pop((trouble.kind, trouble.subject), None)
        if alarm is None:
            new.append(trouble)
        else:
            going_on.append((alarm, trouble))
    return Changes(tuple(new), tuple(still_open.values()), tuple(going_on))


def _has_succeeded(runs: Runs, job: str, since: datetime) -> bool:
    # By when it began: one that was under way already when another failed proves nothing about the reason.
    began = runs.succeeded.get(job)
    return began is not None and began > since


def _detail(kind: Kind, subject: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if kind == "coverage":
        return _listed([f"{row['day']} {row['analysed']}/{row['commits']}" for row in rows])
    error = " ".join(str(rows[-1]["error"] or "").split()).removeprefix(f"{subject}: ")
    if kind == "repo":
        return _short(f"{_listed(_spans([row['day'] for row in rows]))}: {error}")
    return _short(error)


def _spans(days: Sequence[date]) -> list[str]:
    return [str(first) if first == last else f"{first}…{last}" for first, last in spans(days)]


def _listed(parts: Sequence[str]) -> str:
    rest = len(parts) - _MOST_PARTS
    return ", ".join(parts[:_MOST_PARTS]) + (f", … (+{rest})" if rest > 0 else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
