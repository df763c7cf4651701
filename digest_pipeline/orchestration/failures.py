"""What Dagster knows of runs that failed: their reasons, and whether a job has succeeded since."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, BACKFILL_ID_TAG, WILL_RETRY_TAG

from digest_pipeline.domain.alarm import RunFailure, Runs
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import ROLLUPS
from digest_pipeline.orchestration.in_flight import repo_days_in_flight
from digest_pipeline.orchestration.jobs import DIGESTS, DOES_MORE, REPO_DAYS, ROLLUP_JOBS
from digest_pipeline.pipeline import Pipeline

_MOST_FAILURES = 200
_NEWEST = 20
_BY_HAND = "__ASSET_JOB"
"""Dagster's name for the run of assets that were chosen in the UI, or by a backfill."""


@contextmanager
def alarming(pipeline: Pipeline, instance: dg.DagsterInstance) -> Iterator[None]:
    """Look at alarms once what is inside is over, whatever became of it; not where a person stopped it."""
    began = datetime.now(UTC)

    def look(*more: RunFailure) -> None:
        def see_runs(jobs: Collection[str]) -> Runs:
            seen, _ = runs_since(instance, began, jobs)
            names = [repo.name for repo in pipeline.settings.repos]
            in_flight = repo_days_in_flight(instance, names)
            return replace(seen, failures=(*seen.failures, *more), in_flight=in_flight)

        pipeline.alarm(see_runs)

    try:
        yield
    except Exception as error:
        # It came to no run, or the run's own end was not written: Dagster knows nothing of it.
        reason = str(error) if isinstance(error, DigestError) else f"unexpected {type(error).__name__}"
        look(RunFailure(REPO_DAYS, datetime.now(UTC), tuple(reason.splitlines())))
        raise
    look()


def runs_since(instance: dg.DagsterInstance, since: datetime, jobs: Collection[str]) -> tuple[Runs, datetime]:
    """The runs that failed after `since`, and what became of their jobs, and of `jobs`, last; where to go on.

    A run that a person stopped did not fail, and one that Dagster tries again by itself has not failed yet.
    """
    records = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since.astimezone(UTC)),
        limit=_MOST_FAILURES,
    )
    failures = tuple(failure for record in records if (failure := _failure(instance, record)) is not None)
    wanted = {*jobs, *(failure.job for failure in failures)}
    others = {other for job in wanted for other in DOES_MORE.get(job, ())}
    succeeded = {
        job: began for job in wanted | others if (began := _newest_success(instance, job)) is not None
    }
    failed = {job: at for job in wanted if (at := _newest_failure(instance, job)) is not None}
    looked_until = max((_utc(record.update_timestamp) for record in records), default=since)
    return Runs(failures, succeeded, failed, DOES_MORE), looked_until


def is_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether the event says that somebody stopped the run."""
    data = event.event_specific_data
    if isinstance(data, StepFailureData):
        return data.error_source is ErrorSource.INTERRUPT
    return isinstance(data, JobFailureData) and data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION


def reasons(events: Iterable[dg.DagsterEvent]) -> Iterator[str]:
    """Why a run failed, a line each, in the words of whoever raised the error."""
    for event in events:
        if not (event.is_step_failure or event.is_run_failure):
            continue
        data = event.event_specific_data
        user = getattr(data, "user_failure_data", None)
        if user is not None and user.description:
            yield from user.description.splitlines()
        elif event.is_step_failure and (error := getattr(data, "error", None)) is not None:
            root = error
            while root.cause is not None:
                root = root.cause
            yield " ".join(root.message.split())


def _failure(instance: dg.DagsterInstance, record: RunRecord) -> RunFailure | None:
    run = record.dagster_run
    found = instance.get_records_for_run(
        run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    )
    events = [one.event_log_entry.get_dagster_event() for one in found.records]
    if _is_tried_again(instance, run) or any(map(is_interrupt, events)):
        return None
    # A run whose process is gone has no failed step, and one whose resources failed has no description.
    told = tuple(reasons(events)) or tuple(
        event.message.splitlines()[0] for event in events if event.is_run_failure and event.message
    )
    began = record.start_time
    began_at = None if began is None else datetime.fromtimestamp(began, UTC)
    return RunFailure(_job_of(run), _ended_at(record), told, began_at)


def _is_tried_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster started the run again, or will.

    Its tag alone does not say so: a run of a command has it too, and one whose backfill is over by now.
    """
    if run.tags.get(WILL_RETRY_TAG) != "true":
        return False
    if AUTO_RETRY_RUN_ID_TAG in run.tags:
        return True
    backfill_id = run.tags.get(BACKFILL_ID_TAG)
    if backfill_id is not None:
        backfill = instance.get_backfill(backfill_id)
        if backfill is None or backfill.status in BULK_ACTION_TERMINAL_STATUSES:
            return False
    return run.remote_job_origin is not None


def _newest_success(instance: dg.DagsterInstance, job: str) -> datetime | None:
    """When the newest run of a job, or of its assets, that succeeded began."""
    records = _newest(instance, job, dg.DagsterRunStatus.SUCCESS)
    began = [record.start_time for record in records if record.start_time is not None]
    return datetime.fromtimestamp(max(began), UTC) if began else None


def _newest_failure(instance: dg.DagsterInstance, job: str) -> datetime | None:
    """When the newest run of a job, or of its assets, that failed ended."""
    return max(map(_ended_at, _newest(instance, job, dg.DagsterRunStatus.FAILURE)), default=None)


def _newest(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> Iterator[RunRecord]:
    for name in (job, _BY_HAND):
        records = instance.get_run_records(dg.RunsFilter(job_name=name, statuses=[status]), limit=_NEWEST)
        yield from (record for record in records if _job_of(record.dagster_run) == job)


def _ended_at(record: RunRecord) -> datetime:
    ended = record.end_time
    return _utc(record.update_timestamp) if ended is None else datetime.fromtimestamp(ended, UTC)


def _job_of(run: dg.DagsterRun) -> str:
    """The job of a run; for assets that were chosen by hand, the job that makes them every night."""
    if run.job_name != _BY_HAND:
        return run.job_name
    chosen = {key.to_user_string() for key in run.asset_selection or ()}
    for asset, kind in ROLLUPS.items():
        if chosen == {asset}:
            return ROLLUP_JOBS[kind]
    return DIGESTS if chosen == {"daily_digest"} else REPO_DAYS


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
