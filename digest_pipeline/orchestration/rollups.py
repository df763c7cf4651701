"""The assets of weeks and months: each takes its partitions, calls one step, returns counts and a preview."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from digest_pipeline.domain.period import Kind, period_of
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.assets import GROUP, check_specs
from digest_pipeline.orchestration.checks import ROLLUPS, check_outputs, log_checks
from digest_pipeline.orchestration.events import add_partition_metadata, log_materializations
from digest_pipeline.orchestration.metadata import asset_metadata, table_schema
from digest_pipeline.orchestration.partitions import Partitions
from digest_pipeline.pipeline import Pipeline
from digest_pipeline.pipeline.code_version import code_version

_SPAN = {"weekly": "week, Monday to Sunday,", "monthly": "month"}


def build_rollups(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """`weekly_rollup` and `monthly_rollup`; the key of a partition is the first day of its period."""
    return [_rollup(name, kind, partitions.periods[kind]) for name, kind in ROLLUPS.items()]


def _rollup(name: str, kind: Kind, partitions: dg.TimeWindowPartitionsDefinition) -> dg.AssetsDefinition:
    # A period's days before first_day have no partition, nor have those to come of one that is under way.
    days = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        name=name,
        description=f"The page of a {_SPAN[kind]} over all repos, from the stored days; what is missing is named.",
        group_name=GROUP,
        kinds={"markdown", "duckdb"},
        code_version=code_version(
            "render", "pipeline/rollup.py", "domain/rollup.py", "domain/followups.py", "pipeline/contents.py"
        ),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetDep("daily_digest", partition_mapping=days)],
        check_specs=check_specs(partitions, [name]),
        metadata={"dagster/column_schema": table_schema("rollups"), "dagster/table_name": "history.rollups"},
        required_resource_keys={"pipeline"},
    )
    def rollup(context: dg.AssetExecutionContext) -> Iterator[Any]:
        pipeline: Pipeline = context.resources.pipeline
        periods = [period_of(kind, date.fromisoformat(key)) for key in context.partition_keys]
        try:
            result = pipeline.rollup(periods)
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        made = {
            period.first.isoformat(): asset_metadata({"period": period.label, **counts})
            for period, counts in result.done.items()
        }
        add_partition_metadata(context, name, made)
        if result.failed:
            # An output would materialize every partition of the run: these are logged one by one instead.
            log_materializations(
                context,
                (dg.AssetMaterialization(name, partition=key, metadata=found) for key, found in made.items()),
            )
            raise dg.Failure(description="\n".join(map(str, result.failed.values())), allow_retries=False)
        yield dg.MaterializeResult(asset_key=name)
        log_checks(context, pipeline, name, {None: [period.first for period in result.done]})
        yield from check_outputs(context, [name])

    return rollup
