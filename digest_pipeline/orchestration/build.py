"""Settings in, Dagster definitions out."""

import os
import warnings
from collections.abc import Iterator

import dagster as dg

from digest_pipeline.compose import open_pipeline
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.assets import build_assets
from digest_pipeline.orchestration.instance import BATCH_SIZE, BATCH_SIZE_VARIABLE
from digest_pipeline.orchestration.jobs import build_jobs
from digest_pipeline.orchestration.partitions import Partitions
from digest_pipeline.orchestration.rollups import build_rollups
from digest_pipeline.orchestration.schedules import build_schedules
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline.pipeline import Pipeline
from digest_pipeline.settings import Settings

_BY_ITSELF = {"dagster/sensor_name", "dagster/schedule_name"}
"""Tags of runs that nobody started: those wait for the time of what they ask again."""


def build_defs(
    settings: Settings, *, pipeline: Pipeline | None = None, today: bool = False
) -> dg.Definitions:
    """All definitions for these settings.

    A shell that runs in this process hands in the `pipeline` that it opened; runs of a daemon open their own.
    `today` adds the day that is not over yet, which only the demo wants.
    """
    # Run workers load this module too: their events are then written in batches as well.
    os.environ.setdefault(BATCH_SIZE_VARIABLE, BATCH_SIZE)
    with warnings.catch_warnings():
        # What is marked beta or preview here is pinned to one minor version and tested.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        partitions = Partitions(settings, today=today)
        return dg.Definitions(
            # A pool counts runs across processes with a daemon's help: without one, nobody gives back the place
            # of a killed run.
            assets=[
                *build_assets(settings, partitions, pooled=pipeline is None and settings.llm is not None),
                *build_rollups(partitions),
            ],
            jobs=build_jobs(settings),
            schedules=build_schedules(settings),
            sensors=build_sensors(settings),
            resources={"pipeline": _pipeline_resource(settings) if pipeline is None else pipeline},
            executor=dg.in_process_executor,
        )


def _pipeline_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The history, the sources and the analyst that digest.toml names.")
    def open_for_run(context: dg.InitResourceContext) -> Iterator[Pipeline]:
        tags = context.run.tags if context.run is not None else {}
        try:
            opened = open_pipeline(settings, by_hand=not _BY_ITSELF & tags.keys())
        except DigestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        try:
            yield opened
            opened.alarm()
        finally:
            opened.close()

    return open_for_run
