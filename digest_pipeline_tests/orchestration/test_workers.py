"""`digest worker` and the launcher that hands it runs: a real worker process, a real broker, a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from digest_pipeline.errors import ConfigurationError
from digest_pipeline.orchestration import celery_app
from digest_pipeline.orchestration.celery_app import worker_app
from digest_pipeline.orchestration.celery_launcher import CeleryLauncher
from digest_pipeline.orchestration.heartbeat import Heartbeats
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.orphans import MACHINE_TAG, PROCESS_TAG, report_orphans, run_tags
from digest_pipeline.orchestration.run_launcher import RunLauncherSwitch, broker_url
from digest_pipeline_tests.fakes.postgres import free_port, postgres_server
from digest_pipeline_tests.fakes.project import Project, assert_refused, local, small_repository
from digest_pipeline_tests.fakes.redis import PASSWORD, redis_server
from digest_pipeline_tests.fakes.team import Team, wait_until
from digest_pipeline_tests.orchestration.held_run import GATE_TAG, held_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest_pipeline_tests.fakes.postgres import PostgresServer
    from digest_pipeline_tests.fakes.redis import RedisServer

__all__ = ["postgres_server", "redis_server"]  # fixtures

CANCELED, FAILURE = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE
SUCCESS = dg.DagsterRunStatus.SUCCESS


@dataclass
class Handing:
    """An instance whose runs go to the workers of a team, without a daemon: health is asked here."""

    team: Team
    instance: dg.DagsterInstance

    def launch(self, name: str, launcher: RunLauncher | None = None) -> str:
        """Hand a held run to a worker, and wait until it is under way."""
        gate = self.team.project.folder / f"{name}.gate"
        run = self.instance.create_run_for_job(
            job_def=held_job,
            tags={GATE_TAG: str(gate)},
            job_code_origin=dg.reconstructable(held_job).get_python_origin(),
        )
        (launcher or self.instance.run_launcher).launch_run(LaunchRunContext(run, workspace=None))
        wait_until(gate.with_suffix(".begun").exists, 120, f"{name} was under way")
        return run.run_id

    def let_go(self, name: str) -> None:
        """Let a held run end."""
        (self.team.project.folder / f"{name}.gate").touch()

    def status(self, run: str) -> dg.DagsterRunStatus:
        """What the instance says of a run."""
        found = self.instance.get_run_by_id(run)
        assert found is not None
        return found.status

    def health(self, run: str) -> WorkerStatus:
        """What run monitoring is told of a run."""
        found = self.instance.get_run_by_id(run)
        assert found is not None
        return self.instance.run_launcher.check_run_worker_health(found).status

    def health_a_minute_later(self, run: str) -> WorkerStatus:
        """What is said of a run that was not heard of from now on for a minute, of its launcher's time."""
        found = self.instance.get_run_by_id(run)
        assert found is not None
        times = iter((0.0, 61.0))
        launcher = CeleryLauncher(os.environ["DIGEST_CELERY_BROKER_URL"], clock=lambda: next(times))
        assert launcher.check_run_worker_health(found).status is WorkerStatus.RUNNING, "it was just heard of"
        return launcher.check_run_worker_health(found).status

    def beat(self, run: str) -> str:
        """What was last heard of a run."""
        found = self.instance.get_run_by_id(run)
        assert found is not None
        return Heartbeats(os.environ["DIGEST_CELERY_BROKER_URL"]).last(found.tags[DAGSTER_CELERY_TASK_ID_TAG])


@pytest.fixture
def handing(
    tmp_path: Path,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Handing]:
    small_repository(tmp_path / "engine", days=1)
    project = Project(tmp_path)
    store = {"catalog_url_env": "DIGEST_CATALOG_URL", "data_url": str(tmp_path / "history")}
    project.configure(local("ada/engine", tmp_path / "engine"), store=store)
    environment = {
        "DIGEST_INSTANCE_POSTGRES_URL": postgres_server.create_database(),
        "DIGEST_CATALOG_URL": postgres_server.create_database(),
        "DIGEST_CELERY_BROKER_URL": redis_server.url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with closing(Team(project, environment)) as team:
        home = team.of_machine("here")["DAGSTER_HOME"]
        with open_instance(tmp_path, {"DAGSTER_HOME": home}) as instance:
            yield Handing(team, instance)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
def test_what_a_worker_has_in_hand_outlives_the_broker_and_a_request_to_end(
    handing: Handing, redis_server: RedisServer
) -> None:
    team = handing.team
    team.start_worker("one", runs=2)
    first, second = handing.launch("first"), handing.launch("second")
    assert handing.health(first) is WorkerStatus.RUNNING
    assert "1 worker: one@" in team.project.digest("doctor").out

    redis_server.stop()
    assert handing.health(first) is WorkerStatus.RUNNING, "nobody could be asked"
    with pytest.raises(DagsterUserCodeUnreachableError, match="does not answer: start it"):
        handing.launch("third")
    fresh = CeleryLauncher(redis_server.url)
    fresh.register_instance(handing.instance)
    with pytest.raises(DagsterUserCodeUnreachableError, match="does not answer: start it"):
        handing.launch("third", fresh)
    redis_server.start()
    wait_until(lambda: handing.health(first) is WorkerStatus.RUNNING, 60, "the worker was back")

    handing.instance.run_launcher.terminate(second)
    wait_until(lambda: handing.status(second) is CANCELED, 60, "the second was cancelled")

    # A terminal's Ctrl-C reaches all processes; the run under way is none of its business.
    os.killpg(team.machines["one"].pid, signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in team.log("one"), 60, "it was heard")
    # The worker answers nobody from now on. The run is heard of all the same, as often as before.
    heard: set[str] = set()

    def is_heard_again() -> bool:
        heard.add(handing.beat(first))
        return len(heard) > 2

    wait_until(is_heard_again, 60, "it lives")
    assert handing.health(first) is WorkerStatus.RUNNING
    handing.let_go("first")
    assert team.machines["one"].wait(90) == 0
    assert handing.status(first) is SUCCESS
    assert PASSWORD not in team.log("one")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
def test_a_run_whose_worker_is_gone_is_known_to_be_lost(handing: Handing) -> None:
    handing.team.start_worker("one")
    run = handing.launch("run")
    handing.team.kill("one")
    assert handing.health_a_minute_later(run) is WorkerStatus.FAILED
    assert "no worker does: start one with `digest worker`" in handing.team.project.digest("doctor").out
    # One whose worker was told twice to end says so itself: the daemon starts it again.
    handing.team.start_worker("two")
    run = handing.launch("other")
    two = handing.team.machines["two"]
    os.killpg(two.pid, signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in handing.team.log("two"), 60, "the first was heard")
    os.killpg(two.pid, signal.SIGINT)
    assert two.wait(90) == 1
    assert handing.status(run) is dg.DagsterRunStatus.FAILURE


_GIVEN_UP = """
import os, sys, threading, time
from types import SimpleNamespace
from dagster import DagsterRunStatus
from digest_pipeline.orchestration.run_fence import fenced

class Instance:
    def get_run_by_id(self, run_id):
        return SimpleNamespace(status=DagsterRunStatus[sys.argv[1]])

    def handle_new_event(self, event):
        pass

with fenced(Instance(), "one", poll_seconds=0.05):
    try:
        time.sleep(20)
    except KeyboardInterrupt:
        sys.exit(7)
"""


@pytest.mark.parametrize(
    ("status", "ended"),
    [("FAILURE", -signal.SIGKILL), ("CANCELING", 7)],
)
def test_a_run_that_is_somebody_elses_now_ends_itself(status: str, ended: int) -> None:
    done = subprocess.run([sys.executable, "-c", _GIVEN_UP, status], check=False, timeout=60)
    assert done.returncode == ended


_FAILS = """
import time
import dagster as dg
from digest_pipeline.orchestration.run_fence import fenced

@dg.op
def fails():
    raise ValueError

@dg.job
def failing():
    fails()

class Instance(type(instance := dg.DagsterInstance.ephemeral())):
    asked = 0

    def get_run_by_id(self, run_id):
        found = super().get_run_by_id(run_id)
        Instance.asked += found is not None and found.status is dg.DagsterRunStatus.FAILURE
        return found

instance.__class__ = Instance
run = "8d1f6c5e-0f0c-4b52-9a3c-3a4a6c8b7d10"
with fenced(instance, run, poll_seconds=0.05):
    assert not failing.execute_in_process(instance=instance, raise_on_error=False, run_id=run).success
    before = Instance.asked
    deadline = time.monotonic() + 20
    while Instance.asked < before + 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert Instance.asked >= before + 3
"""


def test_a_run_that_fails_of_itself_ends_as_it_would() -> None:
    assert subprocess.run([sys.executable, "-c", _FAILS], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://me:{}@host", "must begin with redis://"),
        ("redis://:{}@", "is not of the form"),
        ("redis://:{}@host:x", "is not of the form"),
        ("redis://:{}@host/zero", "is not of the form"),
    ],
)
def test_a_broker_of_another_kind_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        broker_url({"DIGEST_CELERY_BROKER_URL": url.format(PASSWORD)})
    assert PASSWORD not in str(caught.value)


def test_without_a_broker_runs_are_processes_of_this_machine() -> None:
    assert broker_url({}) is None
    assert broker_url({"DIGEST_CELERY_BROKER_URL": " "}) is None
    assert isinstance(
        RunLauncherSwitch.from_config_value(None, {"lost_after_seconds": 1}), dg.DefaultRunLauncher
    )


class _LostError(Exception):
    """What a process meets before its run began."""


@pytest.mark.redis
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING])
def test_a_run_whose_process_could_not_begin_keeps_no_place(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, status: dg.DagsterRunStatus
) -> None:
    def body(**_: object) -> int:
        if status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceling(run)
        raise _LostError

    monkeypatch.setattr(celery_app, "_execute_run_command_body", body)
    monkeypatch.setattr(os, "setpgid", lambda *_: None)
    with open_instance(tmp_path, {}) as instance:
        origin = dg.reconstructable(held_job).get_python_origin()
        run = instance.create_run_for_job(
            job_def=held_job, status=dg.DagsterRunStatus.STARTING, job_code_origin=origin
        )
        message = pack_value(ExecuteRunArgs(origin, run.run_id, instance.get_ref()))
        task = worker_app(redis_server.url).tasks[TASK_EXECUTE_JOB_NAME]
        with pytest.raises(_LostError):
            task.apply((message,), throw=True)
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is (CANCELED if status is dg.DagsterRunStatus.CANCELING else FAILURE)
        # What comes twice is worked off once.
        assert task.apply((message,), throw=True).get() == 0


def test_runs_are_sent_to_no_worker_that_could_not_find_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", tmp_path))
    monkeypatch.setenv("DIGEST_CELERY_BROKER_URL", f"redis://:{PASSWORD}@127.0.0.1:9/0")
    up = ("up", "--port", f"{free_port()}")
    assert_refused(project.digest(*up), 2, "DIGEST_INSTANCE_POSTGRES_URL")
    with pytest.raises(ConfigurationError, match="DIGEST_INSTANCE_POSTGRES_URL"):
        RunLauncherSwitch.from_config_value(None, {"lost_after_seconds": 1})
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", "postgresql://127.0.0.1:9/dagster")
    assert_refused(project.digest(*up), 2, "[store]", "digest store move")


def test_a_worker_says_what_it_misses_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", tmp_path))
    assert_refused(project.digest("worker", "--name", "a b@c"), 2, '--name "a b@c"')
    assert_refused(project.digest("worker"), 2, "DIGEST_CELERY_BROKER_URL")
    monkeypatch.setenv("DIGEST_CELERY_BROKER_URL", f"redis://:{PASSWORD}@127.0.0.1:9/0")
    assert_refused(project.digest("worker"), 2, "DIGEST_INSTANCE_POSTGRES_URL")
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", "postgresql://127.0.0.1:9/dagster")
    assert_refused(project.digest("worker"), 2, "[store]", "digest store move")
    store = {"catalog_url_env": "DIGEST_CATALOG_URL", "data_url": str(tmp_path / "history")}
    project.configure(local("ada/engine", tmp_path), store=store)
    refused = project.digest("worker")
    assert_refused(refused, 1, "127.0.0.1:9 does not answer", "DIGEST_CELERY_BROKER_URL")
    assert PASSWORD not in refused.said
    assert_refused(project.digest("up", "--port", f"{free_port()}"), 1, "127.0.0.1:9 does not answer")


def test_what_another_machine_of_the_same_name_is_at_is_left_to_it(tmp_path: Path) -> None:
    def left_behind(machine: str) -> str:
        tags = {**run_tags(), PROCESS_TAG: "4194304:1", MACHINE_TAG: machine}
        started = dg.DagsterRunStatus.STARTED
        return instance.create_run_for_job(job_def=held_job, status=started, tags=tags).run_id

    with open_instance(tmp_path, {}) as instance:
        left_behind("another")
        mine = left_behind(run_tags()[MACHINE_TAG])
        assert report_orphans(instance) == [mine]
