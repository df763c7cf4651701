"""What a run need not do, for the run that it goes on for did it: a crashed one that Dagster starts again.

A run that says so by its tags goes on: Dagster's own retry of a run whose process died, and *Re-execute from
failure*. Every other run does its days anew, whatever was made before: that is how late commits get in.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_RESUME_RETRY_TAG,
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    RETRY_NUMBER_TAG,
)

from digest_pipeline.orchestration.metadata import CODE_VERSION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

Made = dict[str, dict[str, dg.AssetMaterialization]]
"""Materializations by asset and partition."""


def made_before(instance: dg.DagsterInstance, run: dg.DagsterRun, versions: Mapping[str, str | None]) -> Made:
    """What the runs that `run` goes on for made by the same code, `versions` being that of each asset."""
    found: Made = defaultdict(dict)
    one: dg.DagsterRun | None = run
    while one is not None and _goes_on(one):
        parent = one.tags.get(PARENT_RUN_ID_TAG)
        one = instance.get_run_by_id(parent) if parent else None
        if one is None:
            break
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
    return found


def _goes_on(run: dg.DagsterRun) -> bool:
    says = (run.tags.get(RESUME_RETRY_TAG), run.tags.get(ASSET_RESUME_RETRY_TAG))
    return RETRY_NUMBER_TAG in run.tags or "true" in says
