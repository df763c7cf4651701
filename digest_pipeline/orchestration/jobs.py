"""Jobs: one for each thing that an operator wants."""

from collections.abc import Collection, Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from digest_pipeline.domain.period import Kind
from digest_pipeline.pipeline import Pipeline
from digest_pipeline.settings import Settings

REPO_DAYS = "repo_days"
REANALYSE = "reanalyse"
DIGESTS = "digests"
UPKEEP = "upkeep"
ROLLUP_JOBS: Mapping[Kind, str] = {"weekly": "weekly_rollups", "monthly": "monthly_rollups"}
RERENDER = "rerender"
READERS = "readers"
DELIVER = "deliver"
SITE = "build_site"

DOES_MORE: Mapping[str, Collection[str]] = {REANALYSE: (REPO_DAYS,), RERENDER: (REANALYSE, REPO_DAYS)}
"""Which jobs do all that a job does, and more: what only asks for the rest has nothing to do after them."""


@dg.op(
    description="Merge the history's small files, let go of patches that are kept no longer, forget what is past.",
    required_resource_keys={"pipeline"},
)
def keep_history_small(context: dg.OpExecutionContext) -> None:
    """Run the upkeep; what it found and left is the metadata of its output."""
    pipeline: Pipeline = context.resources.pipeline
    context.add_output_metadata(pipeline.upkeep().counts())


@dg.job(name=UPKEEP, description="Daily upkeep of the history; readers and writers go on meanwhile.")
def upkeep_job() -> None:
    """Upkeep alone."""
    keep_history_small()


@dg.op(
    description="Bring what is due to the channels; what one of them does not take is tried again later.",
    required_resource_keys={"pipeline"},
)
def bring_to_channels(context: dg.OpExecutionContext) -> None:
    """Deliver. A channel that fails is kept in the history, and told as an alarm: it fails no run."""
    pipeline: Pipeline = context.resources.pipeline
    for one in pipeline.deliver():
        level = context.log.info if one.error is None else context.log.error
        level(one.line())


@dg.job(name=DELIVER, description="Bring pages to the channels that do not have them, or have older ones.")
def deliver_job() -> None:
    """Delivery alone."""
    bring_to_channels()


def _job(name: str, description: str, *selection: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*selection),
        description=description,
        executor_def=dg.in_process_executor,
    )


rollup_jobs = [
    _job(ROLLUP_JOBS["weekly"], "Render the pages of weeks from their stored days.", "weekly_rollup"),
    _job(ROLLUP_JOBS["monthly"], "Render the pages of months from their stored days.", "monthly_rollup"),
]
"""The sensor that asks for both names them by these objects."""


def build_jobs(settings: Settings) -> list[dg.JobDefinition | UnresolvedAssetJobDefinition]:
    """The asset jobs, in-process: a process for each of four short steps costs more than the steps."""
    jobs: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
        _job(
            REPO_DAYS,
            "Read, score, analyse and report repos' days: the main job.",
            "raw_commits",
            "commit_diffs",
            "commit_analyses",
            "repo_report",
        ),
        _job(
            REANALYSE,
            "Try again what has no analysis yet, and render the pages anew.",
            "commit_analyses",
            "repo_report",
        ),
        _job(RERENDER, "Render the pages anew from what is stored.", "repo_report"),
        _job(DIGESTS, "Render the digests of days over all repos.", "daily_digest"),
        *rollup_jobs,
        _job(SITE, "Write the history as a website: what changed, and the search.", "site"),
        upkeep_job,
    ]
    if settings.reader:
        jobs.append(_job(READERS, "Render the readers' pages of days from what is stored.", "reader_pages"))
    return [*jobs, *([deliver_job] if settings.channel else [])]
