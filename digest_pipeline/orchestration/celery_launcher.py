"""Runs sent to workers through Celery, and how it is noticed that a worker is gone.

dagster-celery's launcher reads a task's state from what the worker last wrote. A worker that was killed, or whose
machine died, wrote "started" and nothing since: its run would be under way for ever. This one listens for the
heartbeat of the run's own process (`heartbeat.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from celery import Celery
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    WorkerStatus,
)
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.exceptions import OperationalError

from digest_pipeline.orchestration.celery_app import QUEUE, WORKER_TAG, sender, settings
from digest_pipeline.orchestration.heartbeat import Heartbeats
from digest_pipeline.orchestration.run_launcher import BROKER_URL_VARIABLE, LOST_AFTER_SECONDS, shown

_KEPT_SECONDS = 3600.0
_BROKER_GONE = (OperationalError, redis.RedisError, ConnectionError)
_RUNNING = CheckRunHealthResult(WorkerStatus.RUNNING)


class CeleryLauncher(CeleryRunLauncher):
    """dagster-celery's launcher, which knows a dead worker, a broker that is away, and a run that is cancelled."""

    celery: Celery

    def __init__(
        self,
        url: str,
        *,
        lost_after_seconds: float = LOST_AFTER_SECONDS,
        inst_data: ConfigurableClassData | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(QUEUE, config_source=settings(url), inst_data=inst_data)
        self.celery = sender(url)
        self._where = shown(url)
        self._lost_after_seconds = lost_after_seconds
        self._clock = clock
        self._beats = Heartbeats(url)
        self._heard: dict[str, tuple[str, float]] = {}

    @property
    def supports_resume_run(self) -> bool:
        """No: a run is one step in one process, and has no place to go on from; it is started again instead."""
        return False

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send a run. Where the broker is away the run goes back into the queue, and is sent later."""
        run = context.dagster_run
        assert run.job_code_origin is not None  # noqa: S101 - every run that a code location gives has one
        arguments = ExecuteRunArgs(
            job_origin=run.job_code_origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        )
        # By its name: the task itself is the workers' affair.
        task = self.celery.signature(
            TASK_EXECUTE_JOB_NAME, kwargs={"execute_job_args_packed": pack_value(arguments)}, immutable=True
        )
        try:
            self._launch_celery_task_run(run=run, task_signature=task, routing_key=TASK_EXECUTE_JOB_NAME)
        except _BROKER_GONE:
            # What the queue knows as "not now, try again": any other error would fail the run for good.
            raise DagsterUserCodeUnreachableError(
                f"the broker at {self._where} does not answer: start it, or mend {BROKER_URL_VARIABLE}; the run "
                "waits in the queue meanwhile"
            ) from None

    def terminate(self, run_id: str) -> bool:
        """Tell a run to end, which its process sees (`run_fence.py`); False for one of `digest run`."""
        run = self._instance.get_run_by_id(run_id)
        task = run and run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if run is None or not task:
            return False
        if run.status is not DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Failed where the run's process ended before the run did, or has not been heard of for a while.

        Running where that cannot be told now: the broker away, or a run of `digest run`, which has no worker. A
        worker that lets its runs end, and answers nobody meanwhile, has them still.
        """
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if not task:
            return _RUNNING
        try:
            meta = self.celery.backend.get_task_meta(task)
            if meta["status"] in {"FAILURE", "REVOKED"}:
                return CheckRunHealthResult(WorkerStatus.FAILED, "its process ended before the run did")
            beat = self._beats.last(task)
        except _BROKER_GONE:
            self._heard.clear()  # nothing can be heard, which says nothing of who is alive
            return _RUNNING
        now = self._clock()
        before, since = self._heard.get(task, (None, now))
        if beat != before:
            # Nobody asks after runs that are over: they are forgotten here.
            kept = _KEPT_SECONDS + self._lost_after_seconds
            recent = {one: heard for one, heard in self._heard.items() if now - heard[1] < kept}
            self._heard = {**recent, task: (beat, now)}
            return _RUNNING
        if now - since < self._lost_after_seconds:
            return _RUNNING
        del self._heard[task]
        worker = _worker(meta) or run.tags.get(WORKER_TAG)
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"the worker {worker or 'that had it'} is gone, or was started anew"
        )

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """The name of the worker, where one has taken the run."""
        del include_container_logs
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        try:
            meta = self.celery.backend.get_task_meta(task) if task else {}
        except _BROKER_GONE:
            return f"the broker at {self._where} does not answer"
        worker = _worker(meta)
        return (
            f"worker: {worker}" if worker else "no worker has taken it: is one running, and has it a place?"
        )


def _worker(meta: dict[str, Any]) -> str | None:
    result = meta.get("result")
    return result.get("hostname") if isinstance(result, dict) else None
