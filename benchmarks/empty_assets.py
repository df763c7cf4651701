"""Half of the floor, as a process of its own: four assets with empty bodies over a range of days, in one run.

On the storage that the dagster.yaml of `$DAGSTER_HOME` names, which the caller makes Dagster's own SQLite.
Prints one JSON object: the seconds of the run alone, without Python's and Dagster's start.
"""

from __future__ import annotations

import json
import os
import sys
import time

import dagster as dg

from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START

NAMES = ("first", "second", "third", "fourth")
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def empty_assets(partitions: dg.MultiPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """A chain of four that does nothing, cut as the project's are: by day and repo."""

    def empty(name: str, after: list[str]) -> dg.AssetsDefinition:
        @dg.asset(
            name=name, partitions_def=partitions, deps=after, backfill_policy=dg.BackfillPolicy.single_run()
        )
        def nothing() -> None:
            pass

        return nothing

    return [empty(name, list(NAMES[max(number - 1, 0) : number])) for number, name in enumerate(NAMES)]


def main(first: str, last: str, timezone: str, repo: str) -> None:
    """Run them over all days from `first` to `last`."""
    partitions = dg.MultiPartitionsDefinition(
        {
            "day": dg.DailyPartitionsDefinition(start_date=first, timezone=timezone),
            "repo": dg.StaticPartitionsDefinition([repo]),
        }
    )
    job = dg.Definitions(
        assets=empty_assets(partitions),
        jobs=[dg.define_asset_job("all", partitions_def=partitions, executor_def=dg.in_process_executor)],
    ).resolve_job_def("all")
    with dg.DagsterInstance.get() as instance:
        before, started = os.times(), time.perf_counter()
        result = job.execute_in_process(
            instance=instance,
            tags={RANGE_START: f"{first}|{repo}", RANGE_END: f"{last}|{repo}"},
            run_config=dict(_SILENT),
        )
        wall, after = time.perf_counter() - started, os.times()
    print(
        json.dumps(
            {
                "wall_seconds": wall,
                "cpu_seconds": sum(after[:4]) - sum(before[:4]),
                "materializations": sum(event.is_step_materialization for event in result.all_events),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
