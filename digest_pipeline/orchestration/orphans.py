"""Runs whose process is gone: a killed `digest run` cannot say that it ended, so the next one says it."""

import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from digest_pipeline.orchestration.resumption import mark_ended

HOST_TAG = "digest/host"
MACHINE_TAG = "digest/machine"
PROCESS_TAG = "digest/process"


def run_tags() -> Mapping[str, str]:
    """Tags by which a later process can tell whether this one still lives."""
    return {
        HOST_TAG: socket.gethostname(),
        MACHINE_TAG: _machine(),
        PROCESS_TAG: f"{os.getpid()}:{_started(os.getpid())}",
    }


def report_orphans(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed the runs of this host whose process is gone; gives their ids.

    What other machines of the instance are at is theirs to tell, though they be called the same.
    """
    running = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED],
        tags={HOST_TAG: socket.gethostname()},
    )
    orphans = []
    for run in instance.get_runs(filters=running):
        number, _, started = run.tags.get(PROCESS_TAG, "").partition(":")
        if run.tags.get(MACHINE_TAG, _machine()) != _machine():
            continue
        if number.isdigit() and _started(int(number)) != started:
            instance.report_run_failed(
                run, "its process was ended before it was done; run the same days again"
            )
            # Dagster took it for one of its daemon's, which starts such a run again.
            instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
            mark_ended(instance, run.run_id, "killed")
            orphans.append(run.run_id)
    return orphans


def _machine() -> str:
    """What tells this machine from another one of the same name, and is the same after it was started anew.

    Many machines are called `localhost`. Empty where nothing tells, as on macOS.
    """
    try:
        known = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    # systemd asks that the id itself be shown to nobody.
    return hashlib.sha256(f"digest:{known}".encode()).hexdigest()[:12] if known else ""


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
