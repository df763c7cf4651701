"""New backfills are taken up within a second or two, not at the next half minute.

Dagster's daemon looks at its backfills every 30 s, a constant without a setting. A range that takes 25 s would wait
15 s on average for somebody to look at it. Each look at a backfill under way writes a log file, so that looking often
is no way out: the daemon ticks every second instead, and a tick without news does nothing.

This rests on two private names of Dagster 1.13, hence the pin in pyproject.toml. Where they are gone, backfills wait
as Dagster has it; a test says so.
"""

from __future__ import annotations

import functools
import sys
import time
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import BACKFILL_ID_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.workspace.context import IWorkspaceProcessContext

    Iteration = Callable[..., Iterable[Any]]
    State = frozenset[tuple[str, str]]

TICK_SECONDS = 1
"""So often the daemon looks whether there is news."""

_CONTROLLER = "dagster._daemon.controller"
_LOOP = "dagster._daemon.backfill"
_INTERVAL = "DEFAULT_DAEMON_INTERVAL_SECONDS"
_ITERATION = "execute_backfill_iteration"
_OPEN = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


def quicken_backfills() -> None:
    """In a process of Dagster's daemon, before its loops begin; elsewhere it changes nothing."""
    controller, loop = sys.modules.get(_CONTROLLER), sys.modules.get(_LOOP)
    interval, iteration = getattr(controller, _INTERVAL, None), getattr(loop, _ITERATION, None)
    if not isinstance(interval, int) or iteration is None or interval <= TICK_SECONDS:
        return
    setattr(loop, _ITERATION, paced(iteration, rest_seconds=interval))
    setattr(controller, _INTERVAL, TICK_SECONDS)


def paced(
    iteration: Iteration, *, rest_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Iteration:
    """Dagster's iteration for a tick with news, or once `rest_seconds` went by; one that does nothing for others.

    News is a backfill that is new, is to be cancelled or failed, whose runs began or ended, or whose assets were
    materialized: the counts on its page follow.
    """
    seen: State | None = None
    done_at = 0.0

    @functools.wraps(iteration)
    def tick(context: IWorkspaceProcessContext[Any], *arguments: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401 - Dagster's own
        nonlocal seen, done_at
        state = _state(context)
        if state == seen and clock() - done_at < rest_seconds:
            yield None
            return
        seen, done_at = state, clock()
        yield from iteration(context, *arguments, **named)

    return tick


def _state(context: IWorkspaceProcessContext[Any]) -> State:
    """Every open backfill with its status, how many of its runs are not over, and how far its assets are."""
    instance = context.instance
    found = instance.get_backfills(filters=BulkActionsFilter(statuses=_OPEN))
    return frozenset(
        (one.backfill_id, f"{one.status} {_runs(instance, one)} {_made(instance, one)}") for one in found
    )


def _runs(instance: dg.DagsterInstance, backfill: PartitionBackfill) -> int:
    tags = {BACKFILL_ID_TAG: backfill.backfill_id}
    return instance.get_runs_count(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES), tags=tags))


def _made(instance: dg.DagsterInstance, backfill: PartitionBackfill) -> int:
    """The newest materialization of its assets, whoever made it."""
    records = instance.get_asset_records(list(backfill.asset_selection or ()))
    return max((one.asset_entry.last_materialization_storage_id or 0 for one in records), default=0)
