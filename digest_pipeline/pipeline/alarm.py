"""What is wrong, who knows of it, and telling those who do not: once when it begins, and once when it is over.

The state stands in the table `alarms`, also where nobody is to be told, so that `digest status` and `digest
doctor` tell the same as the messages. Whoever notices first, a run or the daemon, writes it under the writers'
lock: the next one finds it written.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from digest_pipeline.alarms.messages import message_of
from digest_pipeline.domain.alarm import (
    STALE,
    Alarm,
    Changes,
    Coverage,
    Ending,
    Runs,
    compare,
    coverage_troubles,
    ending_of,
    run_troubles,
    troubles_of,
)
from digest_pipeline.domain.endpoint import subject_of
from digest_pipeline.errors import AlarmError, ConfigurationError
from digest_pipeline.pipeline.endpoints import named_endpoints
from digest_pipeline.store.history import Read, Replacement, has_history, reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.place import Place

    Row = Mapping[str, Any]

SeeRuns = Callable[[Collection[str]], Runs]
"""Given the jobs that have an open alarm: what was seen of runs."""

_log = logging.getLogger(__name__)

_ALARMS = "pipeline/alarms"
_COLUMNS = tuple(column.name for column in fields(Alarm))


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: how the troubles change the alarms, and the alarms of which a message is due."""

    changes: Changes
    due: tuple[Alarm, ...]
    is_told: bool

    @property
    def asks_for_action(self) -> bool:
        """Whether something is to be written or sent."""
        return bool(self.changes.new or self.changes.over or (self.is_told and self.due))

    def summary(self) -> str:
        """One line: what is wrong, what is over, what nobody could be told."""
        going_on = [trouble.kind for _, trouble in self.changes.going_on]
        counts = Counter([*going_on, *(trouble.kind for trouble in self.changes.new)])
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
        line = f"open alarms: {told}" if told else "all is well"
        for words, endings in (("over", {None, "unused"}), ("too old to be told", {"aged"})):
            ended = [
                f"{alarm.kind} {alarm.subject}" for alarm in self.changes.over if alarm.ending in endings
            ]
            line += f"; {words}: {', '.join(ended)}" if ended else ""
        return line + (f"; messages to send: {len(self.due)}" if self.is_told and self.due else "")


def look(read: Read, settings: Settings, now: datetime, runs: Runs) -> Look:
    """What there is to do; `read` gives the rows of a query. Nothing is written."""
    timezone = settings.timezone
    repos = [repo.name for repo in settings.repos]
    # Nobody waits for an endpoint of earlier settings to come back.
    endpoints = [subject_of(*named) for named in named_endpoints(settings)]
    first = settings.first_day
    channels = [channel.name for channel in settings.channel]
    named = {"repos": repos, "endpoints": endpoints, "channels": channels}
    rows = read("pipeline/troubles", {**named, "first": first, **_since(now)})
    asked = {"first": first, "last": now.astimezone(timezone).date(), "language": settings.language}
    days = [_coverage(row) for row in read("pipeline/asked_days", asked) if row["seen_at"] is not None]
    alarms = [_alarm(row) for row in read(_ALARMS, _since(now))]
    raised = [*alarms, *(Alarm(one.kind, one.subject, one.detail, now) for one in troubles_of(rows))]
    known = {str(row["error"]) for row in rows if row["kind"] == "repo"}
    followed = [one for one in days if one.repo in repos]
    troubles = [
        *troubles_of(rows),
        *coverage_troubles(followed, raised, runs, now=now, timezone=timezone),
        *run_troubles(runs, alarms, known, now),
    ]

    def ending(alarm: Alarm) -> Ending | None:
        return ending_of(alarm, days, timezone=timezone, **named)

    due = tuple(alarm for alarm in alarms if alarm.is_due(now))
    return Look(
        compare(troubles, alarms, ending), due, settings.alarm is not None and bool(settings.alarm.urls_env)
    )


def look_from_outside(place: Place, settings: Settings, now: datetime, see_runs: SeeRuns) -> Look:
    """The same over a connection of its own that only reads. Raises StoreError."""
    with reading(place, settings.timezone) as read:
        return look(read, settings, now, see_runs(_jobs(read)))


def open_alarms(place: Place, timezone: ZoneInfo | None = None) -> list[dict[str, Any]]:
    """The alarms that are open, oldest first: kind, subject, detail, raised_at. Raises StoreError."""
    if not has_history(place):
        return []
    with reading(place, timezone) as read:
        return read("pipeline/open_alarms", {})


def alarm(bench: Workbench, see_runs: SeeRuns | None = None) -> Look:
    """Raise what is new, close what is over, send what is due; what is so afterwards. Raises StoreError.

    Without `see_runs` nothing is known of runs, and their alarms stay as they are. A message that cannot be sent
    is an error line, and is due again at the next look.
    """
    read = bench.history.read
    runs = Runs() if see_runs is None else see_runs(_jobs(read))
    found = look(read, bench.settings, bench.now(), runs)
    changes = found.changes
    if changes.new or changes.over or any(old.detail != new.detail for old, new in changes.going_on):
        _write(bench, changes)
        found = look(read, bench.settings, bench.now(), runs)
    if found.is_told and found.due:
        _send(bench)
        found = look(read, bench.settings, bench.now(), runs)
    return Look(Changes(found.changes.new, changes.over, found.changes.going_on), found.due, found.is_told)


def _jobs(read: Read) -> list[str]:
    return [row["subject"] for row in read("pipeline/open_alarms", {}) if row["kind"] == "run"]


def _write(bench: Workbench, changes: Changes) -> None:
    now = bench.now()
    over = {_key(alarm): alarm.ending for alarm in changes.over}
    details = {_key(alarm): trouble.detail for alarm, trouble in changes.going_on}

    def decide(rows: Sequence[Row]) -> list[Replacement]:
        # Somebody may have written the same a moment ago: what is open already is not raised again.
        alarms = [_alarm(row) for row in rows]
        known = {(alarm.kind, alarm.subject) for alarm in alarms if alarm.resolved_at is None}
        decided = []
        for trouble in changes.new:
            if (trouble.kind, trouble.subject) not in known:
                raised_at = trouble.since or now
                decided.append(_replaced(Alarm(trouble.kind, trouble.subject, trouble.detail, raised_at)))
        for alarm in alarms:
            if alarm.resolved_at is None and _key(alarm) in over:
                ended = {"resolved_at": max(now, alarm.raised_at), "ending": over[_key(alarm)]}
                decided.append(_replaced(alarm, **ended))
            elif alarm.resolved_at is None and details.get(_key(alarm), alarm.detail) != alarm.detail:
                decided.append(_replaced(alarm, detail=details[_key(alarm)]))
        return decided

    bench.history.revise(_ALARMS, _since(now), decide)


def _send(bench: Workbench) -> None:
    settings, now = bench.settings, bench.now()
    try:
        messenger = bench.open_messenger(settings)
    except ConfigurationError as error:
        _log.error("nobody is told of alarms: %s", error)
        return
    if messenger is None:
        return
    mine: list[Alarm] = []

    def claim(rows: Sequence[Row]) -> list[Replacement]:
        # A claim that is written before the message goes out, under the writers' lock: of two processes that
        # notice at once the second finds nothing due. Should the history be unwritable, a full disk say, nothing
        # is sent at all, rather than the same message every minute.
        mine[:] = [alarm for alarm in map(_alarm, rows) if alarm.is_due(now)]
        return [_replaced(alarm, claimed_at=now) for alarm in mine]

    bench.history.revise(_ALARMS, _since(now), claim)
    for alarm in mine:
        told: dict[str, object] = {}
        try:
            messenger.send(message_of(alarm, settings.language, settings.timezone))
            told = {"told_at" if alarm.resolved_at is None else "over_told_at": bench.now()}
        except AlarmError as error:
            # The claim is given back: whoever looks next tries again.
            _log.error(
                "the alarm %s %s could not be sent, the next look tries again: %s",
                alarm.kind,
                alarm.subject,
                error,
            )
        _mark(bench, alarm, {"claimed_at": None, **told})


def _mark(bench: Workbench, alarm: Alarm, columns: Mapping[str, object]) -> None:
    # The row as it is now: it may have been closed while the message was under way.
    bench.history.revise(
        _ALARMS,
        _since(bench.now()),
        lambda rows: [
            _replaced(found, **columns) for found in map(_alarm, rows) if _key(found) == _key(alarm)
        ],
    )


def _replaced(alarm: Alarm, **columns: object) -> Replacement:
    key: dict[str, Any] = {"kind": [alarm.kind], "subject": [alarm.subject], "raised_at": [alarm.raised_at]}
    return Replacement("alarms", key, [{**asdict(alarm), **columns}])


def _alarm(row: Row) -> Alarm:
    return Alarm(**{column: row[column] for column in _COLUMNS})


def _coverage(row: Row) -> Coverage:
    return Coverage(**{column.name: row[column.name] for column in fields(Coverage)})


def _key(alarm: Alarm) -> tuple[str, str, datetime]:
    return alarm.kind, alarm.subject, alarm.raised_at


def _since(now: datetime) -> dict[str, object]:
    return {"since": now - STALE}
