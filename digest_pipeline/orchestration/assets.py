"""The assets. Each takes its partitions, calls one step of the pipeline, and returns counts and links.

The four assets by day and repo are one op that can be run in part: a repo that cannot be read then costs its
own partitions alone, while its neighbours in the same run go on to their reports. Stored days that changed on
the branch since they were read join the run, though its range does not hold their partitions.
"""

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import dagster as dg
import duckdb

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import CHECKS, evaluate
from digest_pipeline.orchestration.events import (
    add_partition_metadata,
    log_asset_check_evaluations,
    log_materializations,
)
from digest_pipeline.orchestration.in_flight import repo_days_in_flight
from digest_pipeline.orchestration.partitions import Partitions, by_repo, partition_key
from digest_pipeline.pipeline import Pipeline, StepResult
from digest_pipeline.pipeline.code_version import code_version
from digest_pipeline.pipeline.site_state import SITE_CODE
from digest_pipeline.settings import Settings
from digest_pipeline.store.files import names, statement

GROUP = "digest"
MAX_PARTITIONS_PER_RUN = 31
LLM_POOL = "llm"

_STEPS: Mapping[str, Callable[[Pipeline, str, Sequence[date]], StepResult]] = {
    "raw_commits": Pipeline.collect,
    "commit_diffs": Pipeline.diff,
    "commit_analyses": Pipeline.analyse,
    "repo_report": Pipeline.report,
}


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
        check_specs=check_specs(partitions, _STEPS),
        can_subset=True,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_PARTITIONS_PER_RUN),
        pool=LLM_POOL if pooled else None,
        required_resource_keys={"pipeline"},
    )
    def repo_day(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline: Pipeline = context.resources.pipeline
        days_of = by_repo(context.partition_keys)
        changed: dict[str, list[date]] = {}
        if dg.AssetKey("raw_commits") in context.selected_asset_keys:
            changed = {repo: _changed(context, pipeline, repo, days) for repo, days in days_of.items()}
            days_of = {repo: sorted([*days, *changed[repo]]) for repo, days in days_of.items()}
        if _nobody_is_there(context, pipeline):
            context.log.info("no endpoint is there yet: what waits is left as it is")
            return
        failed: dict[str, DigestError] = {}
        for name, step in _STEPS.items():
            if dg.AssetKey(name) not in context.selected_asset_keys:
                # A check may be run alone.
                yield from checked(context, pipeline, name, days_of, whole=True)
                continue
            done: dict[str, list[date]] = {}
            elsewhere: dict[str, list[date]] = {}
            for repo, days in days_of.items():
                if not days:
                    continue
                result = _tried(context, step, pipeline, repo, days)
                done[repo] = list(result.done)
                elsewhere[repo] = _free(context, pipeline, repo, result.elsewhere)
                failed |= {str(partition_key(day, repo)): error for day, error in result.failed.items()}
                link = settings.repo(repo).link_base
                add_partition_metadata(
                    context,
                    name,
                    {
                        str(partition_key(day, repo)): asset_metadata(counts, link)
                        for day, counts in result.done.items()
                    },
                )
            whole = all(len(done.get(repo, ())) == len(days) for repo, days in days_of.items()) and not failed
            if whole:
                yield dg.MaterializeResult(asset_key=name)
                log_materializations(context, _materializations(context, name, changed))
            else:
                # An output would materialize every partition of the run: these are logged one by one instead.
                log_materializations(context, _materializations(context, name, done))
            yield from checked(context, pipeline, name, done, whole=whole)
            days_of = {repo: sorted({*days, *elsewhere[repo]}) for repo, days in done.items()}
            changed = {repo: [*changed.get(repo, ()), *elsewhere[repo]] for repo in done}
        if failed:
            raise _failure(failed)

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
        metadata={"dagster/column_schema": table_schema("digests"), "dagster/table_name": "history.digests"},
        required_resource_keys={"pipeline"},
    )
    def daily_digest(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline: Pipeline = context.resources.pipeline
        days = sorted(date.fromisoformat(key) for key in context.partition_keys)
        try:
            result = pipeline.digest(days)
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        pages = {day.isoformat(): asset_metadata(counts) for day, counts in result.done.items()}
        add_partition_metadata(context, "daily_digest", pages)
        yield dg.MaterializeResult(asset_key="daily_digest")
        yield from checked(context, pipeline, "daily_digest", {None: days}, whole=True)

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
        metadata={
            "dagster/column_schema": table_schema("reader_pages"),
            "dagster/table_name": "history.reader_pages",
        },
        required_resource_keys={"pipeline"},
    )
    def reader_pages(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline: Pipeline = context.resources.pipeline
        days = sorted(date.fromisoformat(key) for key in context.partition_keys)
        try:
            result = pipeline.reader_pages(days)
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        add_partition_metadata(
            context,
            "reader_pages",
            {day.isoformat(): asset_metadata(counts) for day, counts in result.done.items()},
        )
        if result.failed:
            raise _failure({day.isoformat(): error for day, error in result.failed.items()})
        yield dg.MaterializeResult(asset_key="reader_pages")

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


def _changed(
    context: dg.AssetExecutionContext, pipeline: Pipeline, repo: str, days: Sequence[date]
) -> list[date]:
    """The repo's stored days that changed since; none where that cannot be told now: the next run asks again."""
    try:
        found = pipeline.changed_days(repo, days)
    except DigestError as error:
        context.log.warning("days that changed later were not looked for: %s", error)
        return []
    except Exception:
        context.log.exception("unexpected, in %s: days that changed later were not looked for", repo)
        return []
    return _free(context, pipeline, repo, found)


def _free(
    context: dg.AssetExecutionContext, pipeline: Pipeline, repo: str, days: Sequence[date]
) -> list[date]:
    """Those of the changed `days` that this run makes again: what another run is at, it makes as the branch stands."""
    if not days:
        return []
    names = [one.name for one in pipeline.settings.repos]
    others = repo_days_in_flight(context.instance, names, in_line=False)
    found = [day for day in days if (repo, day) not in others]
    if found:
        context.log.info(
            "%s changed since it was read, and is made again: %s", repo, ", ".join(map(str, found))
        )
    return found


def _tried(
    context: dg.AssetExecutionContext,
    step: Callable[[Pipeline, str, Sequence[date]], StepResult],
    pipeline: Pipeline,
    repo: str,
    days: Sequence[date],
) -> StepResult:
    """The step's result; an error that stopped all of it (a full disk, a missing key) fails the repo's days."""
    try:
        return step(pipeline, repo, days)
    except DigestError as error:
        return StepResult(failed=dict.fromkeys(days, error))
    except Exception as error:
        # A bug, or a fault that nobody has met yet: it costs this repo's days, not its neighbours'.
        context.log.exception("unexpected, in %s", repo)
        reason = " ".join(str(error).split())
        kind = type(error).__name__
        unexpected = DigestError(f"{repo}: unexpected {kind}: {reason} (a bug; the run's log shows where)")
        return StepResult(failed=dict.fromkeys(days, unexpected))


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


def checked(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    asset: str,
    done: Mapping[str, Sequence[date]] | Mapping[None, Sequence[date]],
    *,
    whole: bool,
) -> Iterator[Any]:
    """Log what an asset's selected checks say of the partitions that are `done`, with outputs where those are all."""
    for check in CHECKS:
        key = dg.AssetCheckKey(dg.AssetKey(asset), check.name)
        if check.asset != asset or key not in context.selected_asset_check_keys:
            continue
        try:
            found = [
                one for repo, days in done.items() if days for one in evaluate(check, pipeline, repo, days)
            ]
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        log_asset_check_evaluations(context, found)
        if whole:
            yield dg.Output(None, output_name=f"{asset}_{check.name}")


def _materializations(
    context: dg.AssetExecutionContext, asset: str, done: Mapping[str, Sequence[date]]
) -> Iterator[dg.AssetMaterialization]:
    version = context.assets_def.code_versions_by_key[dg.AssetKey(asset)]
    step = context.op_execution_context.get_step_execution_context()
    for repo, days in done.items():
        for day in days:
            key = partition_key(day, repo)
            yield dg.AssetMaterialization(
                asset_key=asset,
                partition=str(key),
                metadata=dict(
                    step.get_asset_metadata(asset_key=dg.AssetKey(asset), partition_key=str(key)) or {}
                ),
                tags={
                    "dagster/partition/day": key.keys_by_dimension["day"],
                    "dagster/partition/repo": repo,
                    "dagster/code_version": version or "",
                },
            )


def _failure(failed: Mapping[str, DigestError]) -> dg.Failure:
    """One failure for all partitions that were not done; each distinct message once."""
    messages = dict.fromkeys(str(error) for error in failed.values())
    return dg.Failure(
        description="\n".join(messages),
        metadata={"partitions": len(failed), "first": next(iter(failed))},
        allow_retries=False,
    )


def asset_metadata(counts: Mapping[str, Any], link: str | None = None) -> dict[str, Any]:
    """What a tired operator reads: counts as numbers, the page as a path and a preview, the repo as a link."""
    metadata: dict[str, Any] = {
        name: ", ".join(value) if isinstance(value, list) else value
        for name, value in counts.items()
        if name not in {"preview", "path"}
    }
    if link is not None:
        metadata["repository"] = dg.MetadataValue.url(link)
    if "path" in counts:
        metadata["report"] = dg.MetadataValue.path(str(counts["path"]))
    if "preview" in counts:
        metadata["preview"] = dg.MetadataValue.md(counts["preview"])
    return metadata


@cache
def _schemas() -> Mapping[str, dg.TableSchema]:
    """The columns of every table, from the migrations themselves."""
    with duckdb.connect(":memory:") as connection:
        for name in names("migrations"):
            for part in duckdb.extract_statements(statement(f"migrations/{name}")):
                if part.type != duckdb.StatementType.CALL:  # options of DuckLake
                    connection.execute(part)
        connection.execute(statement("views/commits"))
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT table_name FROM information_schema.columns"
            ).fetchall()
        ]
        return {
            table: dg.TableSchema(
                [dg.TableColumn(row[0], row[1]) for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            )
            for table in tables
        }


def table_schema(table: str) -> dg.TableSchema:
    """The columns of one table, for an asset's metadata."""
    return _schemas()[table]
