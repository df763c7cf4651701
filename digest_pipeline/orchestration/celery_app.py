"""The Celery application: how a run travels to a worker, and what the worker's process does with it.

Celery carries, Dagster decides. A message is taken off the broker as soon as a worker has a place for it. That a
worker is gone is noticed by the daemon's run monitoring (`celery_launcher.py`), and the run is started again by its
retries, which the UI shows. A message may come twice all the same: a worker that dies between taking it and saying
so leaves it to be given back an hour later, perhaps after Dagster started the run again. A run that has begun, or is
over, is therefore not begun.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from celery import Celery
from celery.backends.redis import RedisBackend
from dagster import DagsterInstance, DagsterRunStatus
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.defaults import task_default_queue
from kombu import Exchange, Queue  # type: ignore[attr-defined] # they are loaded late

from digest_pipeline.errors import StoreError
from digest_pipeline.orchestration.heartbeat import beating
from digest_pipeline.orchestration.run_fence import fenced
from digest_pipeline.orchestration.run_launcher import BROKER_URL_VARIABLE, shown

WORKER_TAG = "digest/worker"
QUEUE: str = task_default_queue
_EXCHANGE = Exchange(QUEUE, type="topic")  # type: ignore[no-untyped-call]
_QUEUE = Queue(QUEUE, _EXCHANGE, routing_key=f"{QUEUE}.#")  # type: ignore[no-untyped-call]
_CONNECT_SECONDS = 3.0
_SILENT_SECONDS = 20.0
_KEPT_DAYS = 7
_NOT_BEGUN = {DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING}


def settings(url: str) -> dict[str, Any]:
    """Celery's settings, the same for who sends and who works."""
    connection = {
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _SILENT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
    return {
        "broker_url": url,
        "result_backend": url,
        "broker_transport_options": {
            **connection,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.2,
        },
        "redis_socket_connect_timeout": _CONNECT_SECONDS,
        "redis_socket_timeout": _SILENT_SECONDS,
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": 10,
        "result_backend_transport_options": {"retry_policy": {"max_retries": 1, "interval_start": 0}},
        "result_expires": _KEPT_DAYS * 86400,
        # A run that waits is to lie with the broker, where any worker with a place finds it.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "task_acks_late": False,
        # A process for each run: it has the settings of now, and gives its memory back.
        "worker_max_tasks_per_child": 1,
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_send_task_events": False,
        # Means tasks that are acknowledged late, of which there are none; left out, Celery warns of it.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "task_default_queue": QUEUE,
        # dagster-celery addresses its messages to dagster.execute_job.
        "task_queues": [_QUEUE],
    }


class StatesOnly(RedisBackend):  # type: ignore[misc] # Celery has no types
    """Celery's knowledge of tasks, for who asks and never waits for a result.

    Celery would listen for the result of each task that is sent, over a connection of its own; once the broker was
    away, that one stays broken until the process is started anew.
    """

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Listen for nothing."""


def sender(url: str) -> Celery:
    """The application of those who send runs and ask after them; one that waits little."""
    app = _app(url)
    app.conf.result_backend = f"{StatesOnly.__module__}:{StatesOnly.__name__}+{url}"
    return app


def worker_app(url: str) -> Celery:
    """The application of a worker, with the one task that it knows."""
    app = _app(url)
    app.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 20, "interval_max": 2}}
    app.task(bind=True, name=TASK_EXECUTE_JOB_NAME, track_started=True)(_execute)
    return app


def must_answer(url: str) -> None:
    """Raise StoreError, without the address's password, where the broker does not answer."""
    client = redis.Redis.from_url(
        url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_CONNECT_SECONDS
    )
    try:
        client.ping()
    except redis.AuthenticationError:
        raise StoreError(
            f"the broker at {shown(url)} did not let us in: mend the password in {BROKER_URL_VARIABLE}"
        ) from None
    except redis.RedisError as error:
        raise StoreError(
            f"the broker at {shown(url)} does not answer ({type(error).__name__}): start it, or mend "
            f"{BROKER_URL_VARIABLE}"
        ) from None
    finally:
        client.close()


def workers(url: str) -> list[str]:
    """The names of the workers that answer within a second."""
    return sorted(sender(url).control.inspect(timeout=1).ping() or {})


def _app(url: str) -> Celery:
    app = Celery("digest", set_as_current=False)
    app.conf.update(settings(url))
    return app


def _execute(task: Any, execute_job_args_packed: Any) -> int:  # noqa: ANN401 - Celery's, and what dagster-celery packed
    """Work off a run, with the home and the settings of this machine; the process's exit code."""
    run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
    with (
        beating(task.app.conf.broker_url, task.request.id),
        DagsterInstance.get() as instance,
        fenced(instance, run_id),
    ):
        run = instance.get_run_by_id(run_id)
        if run is None or run.status not in _NOT_BEGUN:
            return 0
        try:
            instance.add_run_tags(run_id, {WORKER_TAG: task.request.hostname})
            code = _execute_run_command_body(
                run_id=run_id,
                instance=instance,
                write_stream_fn=lambda _: None,
                set_exit_code_on_failure=True,
            )
        except BaseException as error:
            with suppress(Exception):  # of a database that is away, which is what is being raised
                _must_be_over(instance, run_id, f"{type(error).__name__}: {error}")
            raise
        _must_be_over(instance, run_id, "see what the worker says")
        return code


def _must_be_over(instance: DagsterInstance, run_id: str, why: str) -> None:
    """Report a run that its process leaves without having said how it ended.

    Monitoring looks after runs that have started: one that never did would keep its place until the start times out.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
    else:
        instance.report_run_failed(run, f"its process ended before the run did ({why})")
