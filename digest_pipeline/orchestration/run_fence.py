"""A run on a worker looks after its own state: one that a person cancels ends, one that was given up does so at once.

A process that was not heard of for a while is taken for dead, and its run is started elsewhere. When it is back, or
was never gone, it must not go on as a second one. So it asks the instance, not the broker, and ends at the first sight
of an end that it did not report itself: the run that takes its place takes longer to begin.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, EventLogEntry

POLL_SECONDS = 2.0

_GIVEN_UP = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
_ENDS = {DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}


@contextmanager
def fenced(instance: DagsterInstance, run_id: str, *, poll_seconds: float = POLL_SECONDS) -> Iterator[None]:
    """While it lasts, this process's main thread is interrupted, or ended, by what becomes of the run."""
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the worker, which lets its runs end
    signal.signal(signal.SIGUSR2, _as_interrupt)
    over, reported = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_watch, args=(instance, run_id, over, reported, poll_seconds), name="run-fence", daemon=True
    )
    handle = instance.handle_new_event

    def noticed(event: EventLogEntry, **more: Any) -> Any:  # noqa: ANN401 - Dagster's, whatever it is
        # Before it is stored, so that the other thread never finds an end of ours that it does not know of.
        if (
            event.run_id == run_id
            and event.is_dagster_event
            and event.get_dagster_event().event_type in _ENDS
        ):
            reported.set()
        return handle(event, **more)

    instance.handle_new_event = noticed  # type: ignore[method-assign] # given back below
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(poll_seconds)
        instance.handle_new_event = handle  # type: ignore[method-assign]


def _watch(
    instance: DagsterInstance,
    run_id: str,
    over: threading.Event,
    reported: threading.Event,
    poll_seconds: float,
) -> None:
    seen = None
    while not over.wait(poll_seconds):
        try:
            run = instance.get_run_by_id(run_id)
        except Exception:  # noqa: BLE001, S112 - the database is away, which the run itself finds out
            continue
        status = run.status if run is not None else None
        if status is DagsterRunStatus.CANCELING and seen is not status:
            os.kill(os.getpid(), signal.SIGUSR2)
        if status in _GIVEN_UP and not reported.is_set() and not over.is_set():
            os.kill(os.getpid(), signal.SIGKILL)
        seen = status


def _as_interrupt(_number: int, frame: FrameType | None) -> None:
    """Hand the signal to whom Dagster has told to listen for Ctrl-C at this moment."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
