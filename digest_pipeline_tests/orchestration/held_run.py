"""A run that is under way until somebody lets it go: what a worker is given in test_workers.py."""

import time
from pathlib import Path

import dagster as dg

GATE_TAG = "gate"


@dg.op
def held(context: dg.OpExecutionContext) -> None:
    """Say that it has begun, and wait for the gate, at most some minutes."""
    gate = Path(context.run.tags[GATE_TAG])
    gate.with_suffix(".begun").touch()
    deadline = time.monotonic() + 240
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    context.log.info("let go")


@dg.job(executor_def=dg.in_process_executor)
def held_job() -> None:
    """One op."""
    held()
