"""Events for many partitions from within one step, written as one batch.

`context.log_event` stores each event by itself; for the partitions of a range run that is most of its time.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata
from dagster._core.execution.context.invocation import DirectOpExecutionContext
from dagster._core.execution.context.system import StepExecutionContext

from digest_pipeline.orchestration.instance_storage import BatchingSqliteEventLogStorage

Event = TypeVar("Event")

MOST_KEPT = 1000
"""Events that the result of a step lists; all of them are in the event log."""


def log_asset_check_evaluations(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, evaluations: Iterable[dg.AssetCheckEvaluation]
) -> None:
    """Log one evaluation for each partition, as `context.log_event` would one by one.

    They travel as a batch on the project's own SQLite storage only: Dagster's PostgreSQL refuses
    evaluations in one.
    """
    op = _op_context(context)
    storage = op.instance.event_log_storage
    if isinstance(op, DirectOpExecutionContext) or not isinstance(storage, BatchingSqliteEventLogStorage):
        for evaluation in evaluations:
            op.log_event(evaluation)  # type: ignore[arg-type] # it takes them, its annotation forgot
        return
    _log(op, list(evaluations), _check_event)


def log_materializations(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    materializations: Iterable[dg.AssetMaterialization],
) -> None:
    """Log materializations, as `context.log_event` would, in a batch for consecutive ones of an asset.

    A batch holds one asset: of a batch, Dagster's PostgreSQL updates only the last event's asset.
    """
    op = _op_context(context)
    for _key, group in itertools.groupby(materializations, key=lambda event: event.asset_key):
        if isinstance(op, DirectOpExecutionContext):
            for materialization in group:
                op.log_event(materialization)
        else:
            _log(op, list(group), DagsterEvent.asset_materialization)


def add_partition_metadata(
    context: dg.AssetExecutionContext, asset: str, metadata: Mapping[str, Mapping[str, Any]]
) -> None:
    """Add metadata to the coming materializations of `asset`, by partition key.

    As `context.add_asset_metadata` does, which lists the whole range anew for each of its partitions.
    """
    step = context.op_execution_context.get_step_execution_context()
    accumulator = step._metadata_accumulator  # noqa: SLF001
    for key, values in metadata.items():
        accumulator = accumulator.with_additional_asset_metadata(
            asset_key=dg.AssetKey(asset), metadata=values, partition_key=key
        )
    step._metadata_accumulator = accumulator  # noqa: SLF001


def _log(
    op: dg.OpExecutionContext,
    events: Sequence[Event],
    store: Callable[[StepExecutionContext, Event, DagsterEventBatchMetadata], DagsterEvent],
) -> None:
    batch = str(uuid.uuid4())
    for number, event in enumerate(events, start=1):
        metadata = DagsterEventBatchMetadata(batch, is_end=number == len(events))
        stored = store(op.get_step_execution_context(), event, metadata)
        # As log_event does, for the step's result in this process; those of a long range are many megabytes.
        if len(op._events) < MOST_KEPT:  # noqa: SLF001
            op._events.append(stored)  # noqa: SLF001


def _check_event(
    step: StepExecutionContext, evaluation: dg.AssetCheckEvaluation, batch: DagsterEventBatchMetadata
) -> DagsterEvent:
    asset = evaluation.asset_key.to_user_string()
    outcome = "passed." if evaluation.passed else "did not pass."
    description = "" if evaluation.description is None else f" Description: '{evaluation.description}'"
    return DagsterEvent.from_step(
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        step,
        evaluation,
        message=f"Asset check '{evaluation.check_name}' on '{asset}' {outcome}{description}",
        batch_metadata=batch,
    )


def _op_context(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> dg.OpExecutionContext:
    return context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
