"""Runs whose process is gone: a killed `digest run` cannot say that it ended, so the next one says it."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from digest_pipeline.orchestration.resumption import mark_ended

HOST_TAG = "digest/host"
PROCESS_TAG = "digest/process"


def run_tags() -> Mapping[str, str]:
    """Tags by which a later process can tell whether this one still lives."""
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{os.getpid()}:{_started(os.getpid())}"}


def report_orphans(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed the runs of this host whose process is gone; gives their ids."""
    running = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED],
        tags={HOST_TAG: socket.gethostname()},
    )
    orphans = []
    for run in instance.get_runs(filters=running):
        number, _, started = run.tags.get(PROCESS_TAG, "").partition(":")
        if number.isdigit() and _started(int(number)) != started:
            instance.report_run_failed(
                run, "its process was ended before it was done; run the same days again"
            )
            mark_ended(instance, run.run_id, "killed")
            orphans.append(run.run_id)
    return orphans


def _started(process: int) -> str:
    """When a process started, by a number that no later process with the same id shares; empty where it is gone."""
    try:
        # Field 22 of Linux' stat, counted behind the name, which may hold anything.
        return (
            Path(f"/proc/{process}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
    except (OSError, IndexError):
        pass
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(process, 0)  # macOS has no /proc
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
