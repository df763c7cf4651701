"""A run on a worker looks after its own state: one that a person cancels ends, one that was given up does so at once.

A worker that the broker could not reach for a while is taken for dead, and its run is started elsewhere. When it is
back, or was never gone, it must not go on as a second one. So the run's process asks the instance, not the broker.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dagster import DagsterInstance, DagsterRunStatus

POLL_SECONDS = 5.0

_GIVEN_UP = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


@contextmanager
def fenced(instance: DagsterInstance, run_id: str, *, poll_seconds: float = POLL_SECONDS) -> Iterator[None]:
    """While it lasts, this process's main thread is interrupted, or ended, by what becomes of the run."""
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the worker, which lets its runs end
    signal.signal(signal.SIGUSR2, _as_interrupt)
    over = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(instance, run_id, over, poll_seconds), name="run-fence", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(poll_seconds)


def _watch(instance: DagsterInstance, run_id: str, over: threading.Event, poll_seconds: float) -> None:
    seen = None
    while not over.wait(poll_seconds):
        try:
            run = instance.get_run_by_id(run_id)
        except Exception:  # noqa: BLE001, S112 - the database is away, which the run itself finds out
            continue
        status = run.status if run is not None else None
        if status is DagsterRunStatus.CANCELING and seen is not status:
            os.kill(os.getpid(), signal.SIGUSR2)
        if status in _GIVEN_UP and seen is status:
            # Seen twice: a run that fails of itself is in this state for the moment until it is over.
            os.kill(os.getpid(), signal.SIGKILL)
        seen = status


def _as_interrupt(_number: int, frame: FrameType | None) -> None:
    """Hand the signal to whom Dagster has told to listen for Ctrl-C at this moment."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
