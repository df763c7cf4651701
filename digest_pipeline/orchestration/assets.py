"""The assets. Each takes its partitions, calls one step of the pipeline, and returns counts and links.

The four assets by day and repo are one op that can be run in part: a repo that cannot be read then costs its
own partitions alone, while its neighbours in the same run go on to their reports. Stored days that changed on
the branch since they were read join the run, though its range does not hold their partitions.
"""

import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import dagster as dg

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import CHECKS, check_outputs, log_checks
from digest_pipeline.orchestration.days import make_days
from digest_pipeline.orchestration.metadata import table_schema
from digest_pipeline.orchestration.partitions import Partitions, by_repo
from digest_pipeline.orchestration.repo_days import STEPS, make_repo_days
from digest_pipeline.pipeline import Pipeline
from digest_pipeline.pipeline.code_version import code_version
from digest_pipeline.pipeline.site_state import SITE_CODE
from digest_pipeline.settings import Settings

GROUP = "digest"
LLM_POOL = "llm"


def build_assets(
    settings: Settings, partitions: Partitions, *, pooled: bool = True
) -> list[dg.AssetsDefinition]:
    """All assets for these settings. `pooled` bounds how many runs analyse at once, where a daemon counts them."""
    assets = [
        _repo_day(settings, partitions.repo_days, pooled=pooled),
        _daily_digest(partitions.days),
        _site(),
    ]
    return [*assets, _reader_pages(partitions.days)] if settings.reader else assets


def _repo_day(
    settings: Settings, partitions: dg.MultiPartitionsDefinition, *, pooled: bool
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="repo_day",
        specs=_specs(settings, partitions),
        check_specs=check_specs(partitions, STEPS),
        can_subset=True,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=settings.backfill_days),
        pool=LLM_POOL if pooled else None,
        required_resource_keys={"pipeline"},
    )
    def repo_day(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline: Pipeline = context.resources.pipeline
        days_of = by_repo(context.partition_keys)
        if _nobody_is_there(context, pipeline):
            context.log.info("no endpoint is there yet: what waits is left as it is")
            return
        for name in STEPS:
            if dg.AssetKey(name) not in context.selected_asset_keys:
                log_checks(context, pipeline, name, days_of)  # a check may be run alone
        make_repo_days(context, pipeline, days_of)
        yield from check_outputs(context, STEPS)

    return repo_day


def _daily_digest(partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        name="daily_digest",
        description="The digest of a day over all repos; one that could not be read, or is not made yet, is named.",
        group_name=GROUP,
        kinds={"markdown", "duckdb"},
        code_version=code_version("render", "pipeline/report.py", "pipeline/digest.py", "pipeline/pages.py"),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetDep("repo_report", partition_mapping=dg.MultiToSingleDimensionPartitionMapping("day"))],
        check_specs=check_specs(partitions, ["daily_digest"]),
        output_required=False,
        metadata={"dagster/column_schema": table_schema("digests"), "dagster/table_name": "history.digests"},
        required_resource_keys={"pipeline"},
    )
    def daily_digest(context: dg.AssetExecutionContext) -> Iterator[Any]:
        make_days(context, "daily_digest", Pipeline.digest)
        yield from check_outputs(context, ["daily_digest"])

    return daily_digest


def _reader_pages(partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        name="reader_pages",
        description="Each reader's page of a day: what is theirs of it, over their repos, in their language.",
        group_name=GROUP,
        kinds={"markdown", "duckdb"},
        code_version=code_version("render", "domain/reader.py", "pipeline/readers.py", "pipeline/pages.py"),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["daily_digest"],
        output_required=False,
        metadata={
            "dagster/column_schema": table_schema("reader_pages"),
            "dagster/table_name": "history.reader_pages",
        },
        required_resource_keys={"pipeline"},
    )
    def reader_pages(context: dg.AssetExecutionContext) -> Iterator[Any]:
        make_days(context, "reader_pages", Pipeline.reader_pages)
        yield from ()  # what is made is logged day by day

    return reader_pages


def _site() -> dg.AssetsDefinition:
    @dg.asset(
        name="site",
        description="The history as a website with its search, and a feed for each repo; what changed is written.",
        group_name=GROUP,
        kinds={"html", "duckdb"},
        code_version=code_version(*SITE_CODE),
        deps=["daily_digest"],
        required_resource_keys={"pipeline"},
    )
    def site(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        pipeline: Pipeline = context.resources.pipeline
        try:
            built = pipeline.site()
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        for note in built.notes:
            context.log.info(note)
        counts = {"pages": built.pages, "written": built.written, "removed": built.removed}
        return dg.MaterializeResult(metadata={**counts, "site": dg.MetadataValue.path(str(built.index))})

    return site


def _nobody_is_there(context: dg.AssetExecutionContext, pipeline: Pipeline) -> bool:
    """Whether a run that only asks again about commits found out, with one question, that it cannot."""
    selected = context.selected_asset_keys
    if dg.AssetKey("raw_commits") in selected or dg.AssetKey("commit_analyses") not in selected:
        return False
    try:
        return not pipeline.knock()
    except DigestError:
        return False  # the step says what is wrong


def _specs(settings: Settings, partitions: dg.PartitionsDefinition[Any]) -> list[dg.AssetSpec]:
    def spec(
        name: str, description: str, kinds: set[str], version: str, table: str, deps: Sequence[str]
    ) -> dg.AssetSpec:
        return dg.AssetSpec(
            name,
            description=description,
            group_name=GROUP,
            kinds=kinds,
            code_version=version,
            partitions_def=partitions,
            deps=deps,
            skippable=True,
            metadata={
                "dagster/column_schema": table_schema(table),
                "dagster/table_name": f"history.{table}",
            },
        )

    analyst = "openai" if settings.llm is not None else "python"
    return [
        spec(
            "raw_commits",
            "The commits of a repo's day on its branches, by committer date, from local midnight to midnight.",
            {"git", "duckdb"},
            code_version(
                "sources", "pipeline/collect.py", "pipeline/filters.py", "domain/day.py", "domain/commit.py"
            ),
            "commits",
            (),
        ),
        spec(
            "commit_diffs",
            "The files of each commit with their patches, renames followed, merges against the first parent.",
            {"git", "duckdb"},
            code_version("sources", "pipeline/diff.py", "pipeline/filters.py", "domain/commit.py"),
            "commit_files",
            ("raw_commits",),
        ),
        spec(
            "commit_analyses",
            "Each commit's importance with its reasons, and its analysis, or why there is none and when to try again.",
            {analyst, "duckdb"},
            code_version("analysts", "pipeline/analyse.py", "profiles", "domain"),
            "analyses",
            ("commit_diffs",),
        ),
        spec(
            "repo_report",
            "The page of a repo's day as Markdown, rendered from stored rows only.",
            {"markdown", "duckdb"},
            code_version("render", "pipeline/report.py", "pipeline/digest.py", "pipeline/pages.py"),
            "reports",
            ("commit_analyses",),
        ),
    ]


def check_specs(partitions: dg.PartitionsDefinition[Any], assets: Collection[str]) -> list[dg.AssetCheckSpec]:
    """The checks of some assets."""
    with warnings.catch_warnings():
        # partitions_def of a check is a preview; it is what shows one result for each partition.
        warnings.simplefilter("ignore")
        return [
            dg.AssetCheckSpec(
                check.name, asset=check.asset, description=check.description, partitions_def=partitions
            )
            for check in CHECKS
            if check.asset in assets
        ]
