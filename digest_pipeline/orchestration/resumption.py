"""What a run need not do, for the run that it goes on for did it: a crashed one that Dagster starts again.

A run that says so by its tags goes on: Dagster's own retry of a run whose process died, *Re-execute from failure*,
and `digest run` over the same range within a day after it was killed or stopped by Ctrl-C. Every other run does its
days anew, whatever was made before: that is how late commits get in.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_RESUME_RETRY_TAG,
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
)

from digest_pipeline.orchestration.metadata import CODE_VERSION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDED_TAG = "digest/ended"
"""Marks a run of the command line that did not end by itself: "killed" or "interrupted"."""

GOES_ON_WITHIN = timedelta(days=1)
"""Later than that, a command that was ended is one that begins anew: its branches have moved."""

Made = dict[str, dict[str, dg.AssetMaterialization]]
"""Materializations by asset and partition."""


def made_before(instance: dg.DagsterInstance, run: dg.DagsterRun, versions: Mapping[str, str | None]) -> Made:
    """What the runs that `run` goes on for made by the same code, `versions` being that of each asset."""
    found: Made = defaultdict(dict)
    one = gone_on_for(instance, run)
    while one is not None:
        records = instance.get_records_for_run(
            one.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
        for record in records:
            event = record.event_log_entry.get_dagster_event().step_materialization_data.materialization
            asset = event.asset_key.to_user_string()
            if event.partition is None or asset not in versions:
                continue
            if (event.tags or {}).get(CODE_VERSION_TAG) == versions[asset]:
                found[asset].setdefault(event.partition, event)
        one = gone_on_for(instance, one)
    return found


def gone_on_for(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun | None:
    """The run that `run` goes on for; None where it does all of its days anew.

    *Re-execute all* of a run keeps the tag of *from asset failure*, and may mean one that succeeded or one that
    failed: it counts where the run before does not have it.
    """
    says = [name for name in (RETRY_NUMBER_TAG, RESUME_RETRY_TAG, ASSET_RESUME_RETRY_TAG) if _says(run, name)]
    parent = run.tags.get(PARENT_RUN_ID_TAG)
    before = instance.get_run_by_id(parent) if parent and says else None
    if before is None or before.status is dg.DagsterRunStatus.SUCCESS:
        return None
    return None if says == [ASSET_RESUME_RETRY_TAG] and _says(before, ASSET_RESUME_RETRY_TAG) else before


def went_on_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether `run` goes on for one that went on itself."""
    before = gone_on_for(instance, run)
    return before is not None and gone_on_for(instance, before) is not None


def mark_ended(instance: dg.DagsterInstance, run_id: str, how: str) -> None:
    """Have the next run of the command line over the same range go on where this one was."""
    instance.add_run_tags(run_id, {ENDED_TAG: how})


def going_on(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags by which a run goes on for the last one of this job and range; none where that one ended by itself."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, tags=dict(tags), created_after=datetime.now(UTC) - GOES_ON_WITHIN),
        limit=1,
    )
    last = next((record.dagster_run for record in records), None)
    if last is None or ENDED_TAG not in last.tags:
        return {}
    root = last.tags.get(ROOT_RUN_ID_TAG, last.run_id)
    return {PARENT_RUN_ID_TAG: last.run_id, ROOT_RUN_ID_TAG: root, RESUME_RETRY_TAG: "true"}


def _says(run: dg.DagsterRun, name: str) -> bool:
    return name in run.tags if name == RETRY_NUMBER_TAG else run.tags.get(name) == "true"
