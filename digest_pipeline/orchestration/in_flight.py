"""What runs are at: a day that a run has in its hands is not asked for a second time."""

from datetime import date, timedelta

import dagster as dg

from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START

_AT_WORK = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_IN_LINE = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
_PARTITION = "dagster/partition"


def is_in_flight(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of `job` is under way or to come."""
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=[*_AT_WORK, *_IN_LINE]), limit=1))


def repo_days_in_flight(
    instance: dg.DagsterInstance, repos: list[str], *, in_line: bool = True, besides: str | None = None
) -> set[tuple[str, date]]:
    """The days of `repos`, in the settings' order, that runs have in their hands; `in_line` also those to come.

    Those of the run `besides`, which asks, are none of them.
    """
    found: set[tuple[str, date]] = set()
    statuses = [*_AT_WORK, *(_IN_LINE if in_line else ())]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=statuses)):
        first = run.tags.get(RANGE_START) or run.tags.get(_PARTITION)
        last = run.tags.get(RANGE_END) or run.tags.get(_PARTITION)
        if run.run_id == besides or first is None or last is None or "|" not in first or "|" not in last:
            continue
        (first_day, _, first_repo), (last_day, _, last_repo) = first.partition("|"), last.partition("|")
        if first_repo not in repos or last_repo not in repos:
            continue
        between = repos[repos.index(first_repo) : repos.index(last_repo) + 1]
        day, end = date.fromisoformat(first_day), date.fromisoformat(last_day)
        while day <= end:
            found |= {(repo, day) for repo in between}
            day += timedelta(days=1)
    return found
