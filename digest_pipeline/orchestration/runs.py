"""Runs in this process: what `digest run` and `digest demo` do, on the same instance as the UI."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData

from digest_pipeline.compose import open_pipeline
from digest_pipeline.domain.state import counted
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.jobs import DIGESTS, REPO_DAYS
from digest_pipeline.orchestration.orphans import report_orphans, run_tags
from digest_pipeline.orchestration.partitions import (
    RANGE_END,
    RANGE_START,
    consecutive,
    partition_key,
    range_tags,
)
from digest_pipeline.pipeline import Pipeline, Progress, digest_path, report_path
from digest_pipeline.settings import Settings

_SILENT: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class RunOutcome:
    """What became of a run: the pages that stand, a row for each repo's day, a line for each failure."""

    paths: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def unanalysed(self) -> int:
        """Commits whose analysis failed or waits."""
        return sum(row["failed"] + row["deferred"] for row in self.rows)

    def summary(self) -> Iterator[str]:
        """A line for each repo, and one for analyses that are not there."""
        for repo in dict.fromkeys(row["repo"] for row in self.rows):
            rows = [row for row in self.rows if row["repo"] == repo]
            total: Counter[str] = Counter()
            for row in rows:
                total.update({name: row[name] for name in ("commits", "high", "medium", "low", "analysed")})
            span = (
                f"{rows[0]['day']}"
                if len(rows) == 1
                else f"{rows[0]['day']} to {rows[-1]['day']}, {counted(len(rows), 'day')}"
            )
            yield (
                f"{repo} {span}: {counted(total['commits'], 'commit')} "
                f"({total['high']} high, {total['medium']} medium, "
                f"{total['low']} low), {total['analysed']} analysed"
            )
        failed, deferred = (sum(row[name] for row in self.rows) for name in ("failed", "deferred"))
        if failed or deferred:
            yield f"without an analysis: {failed} failed, {deferred} deferred; the same run again tries them again"


def run_days(
    settings: Settings,
    repos: Sequence[str],
    days: Sequence[date],
    *,
    progress: Progress = lambda *_: None,
    today: bool = False,
) -> RunOutcome:
    """Materialise every asset of `repos` for `days` (consecutive, oldest first), then the digests.

    The history is opened first: what is wrong with it is raised here, as StoreError or ConfigurationError.
    What a repo could not do is in the outcome, and costs the others nothing.
    """
    pipeline = open_pipeline(settings, progress=progress)
    with (
        closing(pipeline),
        open_instance(settings.data_dir, capture_output=False) as instance,
    ):
        pipeline.check()
        report_orphans(instance)
        defs = build_defs(settings, pipeline=pipeline, today=today)
        outcome = RunOutcome()
        made: set[str] = set()
        job = defs.resolve_job_def(REPO_DAYS)
        for group in consecutive(repos, [repo.name for repo in settings.repos]):
            tags = range_tags(days[0], days[-1], group)
            made |= _execute(job, instance, tags, outcome, "repo_report")
        first, last = days[0].isoformat(), days[-1].isoformat()
        digests = _execute(
            defs.resolve_job_def(DIGESTS),
            instance,
            {RANGE_START: first, RANGE_END: last},
            outcome,
            "daily_digest",
        )
        _collect(outcome, pipeline, repos, days, made, digests)
    return outcome


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    tags: Mapping[str, str],
    outcome: RunOutcome,
    last_asset: str,
) -> set[str]:
    """Run a job over a range; the partitions of `last_asset` that were materialized."""
    result = job.execute_in_process(
        instance=instance, tags={**tags, **run_tags()}, raise_on_error=False, run_config=dict(_SILENT)
    )
    if any(map(_is_interrupt, result.all_events)):
        # Dagster makes an event of the interrupt and returns; whoever asked to stop means all that was to come.
        raise KeyboardInterrupt
    if not result.success:
        outcome.failures += [line for line in _reasons(result) if line not in outcome.failures]
    # From the event log, not from the result: of a step that failed, the result keeps no materializations.
    made = instance.get_records_for_run(
        result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    return {
        str(event.partition)
        for record in made
        if (event := record.event_log_entry.get_dagster_event()).asset_key == dg.AssetKey(last_asset)
    }


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    data = event.event_specific_data
    if isinstance(data, StepFailureData):
        return data.error_source is ErrorSource.INTERRUPT
    return isinstance(data, JobFailureData) and data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION


def _reasons(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
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


def _collect(
    outcome: RunOutcome,
    pipeline: Pipeline,
    repos: Sequence[str],
    days: Sequence[date],
    made: set[str],
    digests: set[str],
) -> None:
    settings = pipeline.settings
    for repo in repos:
        rows = pipeline.history.read(
            "pipeline/reports_of_days",
            {"repo": repo, "first": days[0], "last": days[-1], "language": settings.language},
        )
        outcome.rows += [row for row in rows if str(partition_key(row["day"], repo)) in made]
    for day in days:
        pages = [report_path(repo, day) for repo in repos if str(partition_key(day, repo)) in made]
        if day.isoformat() in digests:
            pages.append(digest_path(day))
        outcome.paths += [str((settings.data_dir / page).absolute()) for page in pages]


__all__ = ["RunOutcome", "run_days"]
