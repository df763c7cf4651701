"""Sensors: each reads what is stored, lets a pure function decide, and says why it asks or skips."""

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from digest_pipeline.compose import beat, open_pipeline, open_place
from digest_pipeline.domain.alarm import Runs
from digest_pipeline.domain.day import days_between, yesterday
from digest_pipeline.domain.due import (
    DigestState,
    ReadersState,
    RollupState,
    contiguous,
    deadline_after,
    digest_states,
    due_digests,
    due_rollups,
    in_ranges,
    rollup_states,
    stale_reader_days,
)
from digest_pipeline.domain.healing import Decision, Waiting, due_analyses, missing_days
from digest_pipeline.domain.site import site_is_due
from digest_pipeline.errors import DigestError, StoreOutdated
from digest_pipeline.orchestration.failures import runs_since
from digest_pipeline.orchestration.in_flight import is_in_flight, repo_days_in_flight
from digest_pipeline.orchestration.jobs import (
    DELIVER,
    DIGESTS,
    READERS,
    REANALYSE,
    REPO_DAYS,
    ROLLUP_JOBS,
    SITE,
    rollup_jobs,
)
from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START, range_tags
from digest_pipeline.pipeline import utc_now
from digest_pipeline.pipeline.alarm import Look, SeeRuns, look_from_outside
from digest_pipeline.pipeline.deliver import look_from_outside as deliveries_due
from digest_pipeline.pipeline.endpoints import endpoints_in_use
from digest_pipeline.pipeline.site_state import built, site_folder, site_stamp
from digest_pipeline.settings import Settings
from digest_pipeline.store.history import has_history, read_once

MAX_REQUESTS = 10

SITE_PAUSE = timedelta(minutes=10)
"""So long between two builds of the site."""

_log = logging.getLogger(__name__)

_FIRST_LOOK = timedelta(days=1)
"""So far back the first tick of all looks for runs that failed."""


def build_sensors(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> list[dg.SensorDefinition]:
    """The sensors.

    `stale_digests`: every digest whose pages changed since it was made. `failed_analyses`: commits whose time
    to be asked about again has come. `missing_partitions`: days that were never made, or not to their end.
    `watch`: alarms and the heartbeat. `stale_rollups`: weeks and months that are over, or whose days changed.
    `stale_readers`, where there are readers: pages of theirs that are older than the day's digest. `deliveries`, where
    there are channels: pages that these do not have.
    `stale_site`: the site, once a digest or a rollup changed.
    """

    @dg.sensor(
        name="stale_digests",
        job_name=DIGESTS,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the digest of each day whose pages changed: when all repos are done, or "
            f"{settings.digest_deadline_hours:g} hours after the daily run with those that are there."
        ),
    )
    def stale_digests(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        where = {"first": settings.first_day, "last": now().date(), "language": settings.language}
        rows = _stored(settings, "pipeline/digest_states", where)
        if isinstance(rows, dg.SkipReason):
            return rows
        states = digest_states(rows)
        names = [repo.name for repo in settings.repos]
        deadline = deadline_after(settings.daily_at, settings.digest_deadline_hours)
        in_flight = _in_flight(context, names)
        decision = due_digests(states, names, now=now(), deadline=deadline, in_flight=in_flight)
        if not decision.due:
            waiting = ", ".join(f"{day} for {repo}" for day, repo in decision.waiting[:3])
            return dg.SkipReason(
                f"waiting: {waiting}" if waiting else f"all {len(states)} digests are up to date"
            )
        groups = contiguous(decision.due)
        return dg.SensorResult(run_requests=[_request(group, now()) for group in groups[:MAX_REQUESTS]])

    return [
        stale_digests,
        _stale_site(settings, now),
        _failed_analyses(settings, now),
        _missing_partitions(settings, now),
        _watch(settings, now),
        *([_stale_readers(settings, now)] if settings.reader else []),
        *([_deliveries(settings, now)] if settings.channel else []),
        _stale_rollups(settings, now),
    ]


def _stale_readers(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="stale_readers",
        job_name=READERS,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the readers' pages of each day whose digest is another than the one they were made with.",
    )
    def stale_readers(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        where = {"first": settings.first_day, "last": now().date(), "language": settings.language}
        rows = _stored(settings, "pipeline/reader_states", where)
        if isinstance(rows, dg.SkipReason):
            return rows
        due = stale_reader_days(rows, [reader.name for reader in settings.reader])
        if not due:
            return dg.SkipReason("all readers' pages are up to date")
        requests = [_request(group, now(), "readers") for group in contiguous(due)[:MAX_REQUESTS]]
        return dg.SensorResult(run_requests=requests)

    return stale_readers


def _deliveries(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="deliveries",
        job_name=DELIVER,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the delivery of pages that a channel does not have, or has as they were, once it is due.",
    )
    def deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=DELIVER, statuses=list(NOT_FINISHED_STATUSES))
        if context.instance.get_runs(filters=unfinished, limit=1):
            return dg.SkipReason("a delivery is under way")
        try:
            if not has_history(open_place(settings)):
                return dg.SkipReason("there is no history yet; materialize a day first")
            due = deliveries_due(open_place(settings), settings, now())
        except StoreOutdated as error:
            return dg.SkipReason(str(error))
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        if not due:
            return dg.SkipReason("every channel has what is due")
        # What was tried in vain is asked for again under another key: its try has a number.
        state = [
            f"{one.target.channel} {one.made.reader} {one.made.day} {one.made.revision} "
            f"{one.before and (one.before.tried, one.before.attempts)}"
            for one in due
        ]
        key = hashlib.sha256("\n".join(state).encode()).hexdigest()[:12]
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"deliver:{key}:{now():%Y-%m-%dT%H}")])

    return deliveries


def _stale_site(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="stale_site",
        job_name=SITE,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the site once a digest, the settings or its looks changed, at most every "
            f"{SITE_PAUSE.total_seconds() / 60:g} minutes."
        ),
    )
    def stale_site(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        rows = _stored(settings, "pipeline/site_state", {})
        if isinstance(rows, dg.SkipReason):
            return rows
        if not rows[0]["digests"]:
            return dg.SkipReason("there is no digest yet")
        stamp = site_stamp(settings, rows[0]["state"])
        why = site_is_due(stamp, built(site_folder(settings)), now=now(), pause=SITE_PAUSE)
        if why is None and is_in_flight(context.instance, SITE):
            why = "a run is building the site"
        if why is not None:
            return dg.SkipReason(why)
        # As above: the state, and the hour for a run that died.
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"site:{stamp}:{now():%Y-%m-%dT%H}")])

    return stale_site


def _stale_rollups(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="stale_rollups",
        jobs=rollup_jobs,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the page of each week and month that is over, once all its days are done, or "
            f"{settings.digest_deadline_hours:g} hours after the daily run with those that are there; again where "
            "its days changed."
        ),
    )
    def stale_rollups(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        moment = now()
        where = {"first": settings.first_day, "last": moment.date(), "language": settings.language}
        rows = _stored(settings, "pipeline/rollup_states", where)
        if isinstance(rows, dg.SkipReason):
            return rows
        decision = due_rollups(
            rollup_states(rows),
            [repo.name for repo in settings.repos],
            first_day=settings.first_day,
            now=moment,
            timezone=settings.timezone,
            deadline=deadline_after(settings.daily_at, settings.digest_deadline_hours),
        )
        if not decision.due:
            waiting = ", ".join(f"{one.label} for {day} of {repo}" for one, day, repo in decision.waiting[:3])
            return dg.SkipReason(f"waiting: {waiting}" if waiting else "all rollups are up to date")
        groups = in_ranges(decision.due)
        return dg.SensorResult(
            run_requests=[_rollup_request(group, moment) for group in groups[:MAX_REQUESTS]]
        )

    return stale_rollups


def _watch(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="watch",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says once what is wrong, and once that it is over; calls the heartbeat after each good tick.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        # Dagster's clock, whatever `now` says: it is compared with the times of runs.
        since = datetime.fromisoformat(context.cursor) if context.cursor else datetime.now(UTC) - _FIRST_LOOK
        looked_until = [since]

        def see_runs(jobs: Collection[str]) -> Runs:
            seen, until = runs_since(context.instance, since, jobs)
            looked_until.append(until)
            names = [repo.name for repo in settings.repos]
            return replace(seen, in_flight=repo_days_in_flight(context.instance, names))

        try:
            if not has_history(open_place(settings)):
                return dg.SkipReason("there is no history yet; materialize a day first")
            found = _looked(settings, now(), see_runs)
        except DigestError as error:
            # As above. No heartbeat either: whoever waits for it hears of it.
            raise dg.Failure(description=str(error), allow_retries=False) from None
        line = found.summary()
        if not (found.is_told and found.due):
            line += _heartbeat(settings)
        return dg.SensorResult(skip_reason=line, cursor=max(looked_until).isoformat())

    return watch


def _looked(settings: Settings, now: datetime, see_runs: SeeRuns) -> Look:
    """A look that only reads; a second one that writes and sends where there is something to write or send."""
    found: Look | None = None
    with suppress(StoreOutdated):  # a writer brings the history up to date: for all other sensors too
        found = look_from_outside(open_place(settings), settings, now, see_runs)
    if found is None or found.asks_for_action:
        with closing(open_pipeline(settings)) as pipeline:
            found = pipeline.watch(see_runs)
    return found


def _heartbeat(settings: Settings) -> str:
    """Call the heartbeat; what the tick says of it."""
    try:
        return "; heartbeat sent" if beat(settings) else ""
    except DigestError as error:
        _log.warning("%s", error)
        return f"; {error}"


def _failed_analyses(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="failed_analyses",
        job_name=REANALYSE,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks again about commits that have no analysis, each when its time has come; after an outage one "
            "day goes first."
        ),
    )
    def failed_analyses(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        where = {"language": settings.language, "first": settings.first_day, "last": now().date()}
        rows = _stored(settings, "pipeline/waiting", where)
        if isinstance(rows, dg.SkipReason):
            return rows
        known = _stored(settings, "pipeline/endpoints", {})
        if isinstance(known, dg.SkipReason):
            return known
        names = [repo.name for repo in settings.repos]
        decision = due_analyses(
            [Waiting.of(row) for row in rows if row["repo"] in names],
            endpoints_in_use(settings, known, now=now()),
            in_flight=repo_days_in_flight(context.instance, names),
            now=now(),
        )
        return _asked(decision)

    return failed_analyses


def _missing_partitions(settings: Settings, now: Callable[[], datetime]) -> dg.SensorDefinition:
    @dg.sensor(
        name="missing_partitions",
        job_name=REPO_DAYS,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the days that were never made, or not to their end, from first_day on, in ranges."
        ),
    )
    def missing_partitions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        moment = now()
        last = yesterday(moment, settings.timezone)
        at = settings.daily_at
        if moment.astimezone(settings.timezone) < datetime.combine(
            last + timedelta(days=1), at, settings.timezone
        ) + timedelta(hours=1):
            last -= timedelta(days=1)  # the schedule makes yesterday
        names = [repo.name for repo in settings.repos]
        where = {"first": settings.first_day, "last": last, "language": settings.language}
        rows = _stored(settings, "pipeline/asked_days", where)
        if isinstance(rows, dg.SkipReason):
            if has_history(open_place(settings)):
                return rows
            rows = []  # where there is no history yet, every day is missing
        known = {(row["repo"], row["day"]): row["tried_at"] for row in rows}
        decision = missing_days(
            known,
            names,
            list(days_between(settings.first_day, last)),
            in_flight=repo_days_in_flight(context.instance, names),
            now=moment,
            most_days=settings.backfill_days,
        )
        return _asked(decision)

    return missing_partitions


def _in_flight(context: dg.SensorEvaluationContext, repos: list[str]) -> set[tuple[str, date]]:
    """What runs are at; a sensor that is evaluated by hand, without an instance, knows of none."""
    try:
        return repo_days_in_flight(context.instance, repos)
    except dg.DagsterInvariantViolationError:
        return set()


def _stored(
    settings: Settings, query: str, where: Mapping[str, object]
) -> list[dict[str, Any]] | dg.SkipReason:
    """A query's rows, or why there is nothing to ask yet. A tick that cannot read fails, and says why."""
    try:
        if not has_history(open_place(settings)):
            return dg.SkipReason("there is no history yet; materialize a day first")
        return read_once(open_place(settings), query, where)
    except StoreOutdated as error:
        return dg.SkipReason(str(error))
    except DigestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _asked(decision: Decision) -> dg.SensorResult | dg.SkipReason:
    if not decision.requests:
        return dg.SkipReason(decision.reason)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=request.key, tags=dict(range_tags(request.first, request.last, request.repos))
            )
            for request in decision.requests[:MAX_REQUESTS]
        ]
    )


def _request(
    group: Sequence[DigestState | ReadersState], now: datetime, what: str = "digest"
) -> dg.RunRequest:
    first, last = group[0].day.isoformat(), group[-1].day.isoformat()
    run_key = _run_key(what, first, last, group, now)
    if first == last:
        return dg.RunRequest(run_key=run_key, partition_key=first)
    return dg.RunRequest(run_key=run_key, tags={RANGE_START: first, RANGE_END: last})


def _rollup_request(group: list[RollupState], now: datetime) -> dg.RunRequest:
    kind = group[0].period.kind
    first, last = group[0].period.first.isoformat(), group[-1].period.first.isoformat()
    return dg.RunRequest(
        run_key=_run_key(kind, first, last, group, now),
        job_name=ROLLUP_JOBS[kind],
        tags={RANGE_START: first, RANGE_END: last},
    )


def _run_key(
    kind: str, first: str, last: str, group: Sequence[DigestState | RollupState | ReadersState], now: datetime
) -> str:
    # A run_key is spent for ever: it names the state that is asked for, so that the next state asks again, and the
    # hour, so that a run that died is asked for again.
    revision = hashlib.sha256("".join(state.inputs for state in group).encode()).hexdigest()[:12]
    return f"{kind}:{first}:{last}:{revision}:{now:%Y-%m-%dT%H}"
