"""A small project for the storage's tests: four assets of day × repo with a check each, a range in one run.

Also a code location for a real `dagster dev`, and a program that runs the range in a process of its own.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from digest_pipeline.orchestration.events import log_asset_check_evaluations, log_materializations

# Partitions of multi-dimensional assets and of checks are what is tested.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04")
REPOS = ("ai-dynamo/dynamo", "dagster-io/dagster", "duckdb/duckdb")
ASSETS = ("commits", "scores", "analyses", "report_rows")
UNREADABLE = dg.MultiPartitionKey({"day": "2026-03-03", "repo": "duckdb/duckdb"})
FAIL_TAG = "test/unreadable"

PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "day": dg.DailyPartitionsDefinition(DAYS[0], end_date="2026-03-05"),
        "repo": dg.StaticPartitionsDefinition(list(REPOS)),
    }
)


def materialization(asset: str, key: str) -> dg.AssetMaterialization:
    day, repo = key.split("|")
    tags = {"dagster/partition/day": day, "dagster/partition/repo": repo, "digest/note": "not-indexed"}
    return dg.AssetMaterialization(asset, partition=key, tags=tags, metadata={"rows": len(key)})


def _asset(name: str, upstream: list[str]) -> dg.AssetsDefinition:
    @dg.asset(
        name=name, partitions_def=PARTITIONS, deps=upstream, backfill_policy=dg.BackfillPolicy.single_run()
    )
    def body(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        context.log.info("%s reads %d partitions", name, len(context.partition_keys))
        if name == "scores" and UNREADABLE in context.partition_keys and context.run.tags.get(FAIL_TAG):
            good = [key for key in context.partition_keys if key != UNREADABLE]
            log_materializations(context, [materialization(name, key) for key in good])
            raise dg.Failure(f"1 of {len(context.partition_keys)} partitions failed", allow_retries=False)
        for key in context.partition_keys:
            context.add_asset_metadata({"rows": len(key)}, partition_key=key)
        return dg.MaterializeResult(metadata={"source": "test"})

    return body


def _check(asset: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(name="has_rows", asset=asset, partitions_def=PARTITIONS)
    def body(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        op = context.op_execution_context
        keys = op.partition_keys
        evaluations = [
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(asset),
                check_name="has_rows",
                passed=not key.endswith("duckdb/duckdb"),
                metadata={"rows": len(key)},
                description="no rows" if key.endswith("duckdb/duckdb") else None,
                partition=key,
            )
            for key in keys
        ]
        log_asset_check_evaluations(op, evaluations)
        return dg.AssetCheckResult(passed=all(evaluation.passed for evaluation in evaluations))

    return body


JOB_NAME = "everything"
defs = dg.Definitions(
    assets=[_asset(name, list(ASSETS[number - 1 : number])) for number, name in enumerate(ASSETS)],
    asset_checks=[_check(name) for name in ASSETS],
    jobs=[dg.define_asset_job(JOB_NAME, selection="*")],
    executor=dg.in_process_executor,
)


def run_range(
    instance: dg.DagsterInstance, *, run_id: str | None = None, unreadable: bool = False
) -> dg.ExecuteInProcessResult:
    keys = PARTITIONS.get_partition_keys()
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    return defs.resolve_job_def(JOB_NAME).execute_in_process(
        instance=instance,
        run_id=run_id,
        tags=tags | ({FAIL_TAG: "yes"} if unreadable else {}),
        raise_on_error=False,
    )


@contextmanager
def instance_in(home: Path, *, stock: bool = False) -> Iterator[dg.DagsterInstance]:
    """An instance whose storage is below `home`: Dagster's own SQLite, or the project's."""
    storage = (
        f"sqlite: {{base_dir: {home / 'storage'}}}"
        if stock
        else "custom: {module: digest_pipeline.orchestration.instance_storage, class: InstanceStorage, "
        f"config: {{base_dir: {home / 'storage'}}}}}"
    )
    home.mkdir(parents=True, exist_ok=True)
    file, text = home / "dagster.yaml", f"telemetry: {{enabled: false}}\nstorage:\n  {storage}\n"
    # Another process may be reading it: half a file would be a home with Dagster's defaults.
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


if __name__ == "__main__":
    with instance_in(Path(sys.argv[1])) as own_instance:
        sys.exit(not run_range(own_instance).success)
