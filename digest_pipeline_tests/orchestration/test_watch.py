"""The sensor `watch`: runs that failed, what the store says, the heartbeat; and runs that look for themselves."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from digest_pipeline.compose import open_pipeline
from digest_pipeline.errors import DigestError, StoreError
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.failures import alarming, runs_since
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.jobs import REPO_DAYS, UPKEEP
from digest_pipeline.orchestration.orphans import PROCESS_TAG, report_orphans, run_tags
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline.pipeline import upkeep
from digest_pipeline.pipeline.alarm import open_alarms
from digest_pipeline.store.files import names
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.project import DEAD_URL, FIRST_DAY, assert_refused, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ENGINE, DEAD = "ada/engine", "bad/dead"
ALARM = {"urls_env": ["ALARM_URL"], "heartbeat_url_env": "HEARTBEAT_URL"}
SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository(tmp_path_factory.mktemp("repositories") / "engine").path


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with Listener() as opened:
        monkeypatch.setenv("ALARM_URL", opened.apprise_url("tOken-1"))
        monkeypatch.setenv("HEARTBEAT_URL", f"http://127.0.0.1:{opened.port}/beat")
        yield opened


@pytest.fixture
def shop(tmp_path: Path, engine: Path, listener: Listener) -> Workshop:
    project = Workshop(tmp_path / "project")
    project.configure(local(ENGINE, engine), {"name": DEAD, "url": DEAD_URL}, alarm=ALARM)
    project.begin()
    return project


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def tick(shop: Workshop, instance: dg.DagsterInstance, cursor: str | None) -> tuple[str, str | None]:
    """What a tick says, and the cursor that it leaves."""
    sensor = next(one for one in build_sensors(shop.settings) if one.name == "watch")
    found = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert not found.run_requests
    return found.skip_message or "", found.cursor


def beats(listener: Listener) -> int:
    return sum(taken.method == "GET" for taken in listener.taken)


def run(shop: Workshop, instance: dg.DagsterInstance, job: str, **how: Any) -> bool:  # noqa: ANN401 - Dagster's own
    """A run of the daemon: it opens the history itself."""
    defs = build_defs(shop.settings)
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, run_config=dict(SILENT), **how
    )
    return result.success


def break_upkeep(*_: object, **__: object) -> None:
    raise StoreError("the disk that holds it is full")


def test_the_sensor_is_on_and_looks_each_minute(shop: Workshop) -> None:
    sensor = build_defs(shop.settings).resolve_sensor_def("watch")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 60


def test_a_quiet_tick_calls_the_heartbeat_and_writes_nothing(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener
) -> None:
    before = shop.snapshot()
    said, cursor = tick(shop, instance, None)
    assert said == "all is well; heartbeat sent"
    assert (beats(listener), listener.titles) == (1, [])
    assert cursor is not None
    assert shop.snapshot() == before


def test_a_run_that_failed_is_said_once_and_its_next_success_too(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cursor = tick(shop, instance, None)
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "keep", break_upkeep)
        assert not run(shop, instance, UPKEEP)
        said, cursor = tick(shop, instance, cursor)
        assert said == "open alarms: run 1; heartbeat sent"
        assert not run(shop, instance, UPKEEP)
        for _ in range(2):
            said, cursor = tick(shop, instance, cursor)
    assert listener.titles == ["digest: a run of upkeep failed"]
    [message] = [taken.json["message"] for taken in listener.taken if taken.method == "POST"]
    assert "the disk that holds it is full" in message
    assert run(shop, instance, UPKEEP)
    said, cursor = tick(shop, instance, cursor)
    assert said == "all is well; over: run upkeep; heartbeat sent"
    said, cursor = tick(shop, instance, cursor)
    assert said == "all is well; heartbeat sent"
    assert listener.titles == ["digest: a run of upkeep failed", "digest: upkeep runs again"]
    # A daemon that begins anew finds the old failures, and the success behind them.
    assert tick(shop, instance, None)[0] == "all is well; heartbeat sent"


def test_a_run_that_failed_for_a_repo_is_told_as_the_repos(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener
) -> None:
    assert not run(shop, instance, REPO_DAYS, partition_key=f"{FIRST_DAY}|{DEAD}")
    assert listener.titles == ["digest: bad/dead cannot be read"], "the run itself has noticed"
    said, _ = tick(shop, instance, None)
    assert said == "open alarms: repo 1; heartbeat sent"
    assert [alarm["kind"] for alarm in open_alarms(Place(shop.data))] == ["repo"]


def test_what_a_person_stopped_is_no_failure(shop: Workshop, instance: dg.DagsterInstance) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "keep", stop)
        run(shop, instance, UPKEEP)
    assert instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])) == 0
    assert runs_since(instance, LONG_AGO, [])[0].failures == ()


def test_a_run_whose_process_is_gone_says_so(shop: Workshop, instance: dg.DagsterInstance) -> None:
    job = build_defs(shop.settings).resolve_job_def(UPKEEP)
    gone = instance.create_run_for_job(job)
    instance.report_run_failed(gone, "its process was ended")
    [failure] = runs_since(instance, LONG_AGO, [])[0].failures
    assert (failure.job, failure.reasons) == (UPKEEP, ("its process was ended",))


def test_a_command_that_was_killed_is_an_alarm_though_dagster_starts_other_runs_again(
    shop: Workshop, tmp_path: Path
) -> None:
    job = build_defs(shop.settings).resolve_job_def(REPO_DAYS)
    tags = {**run_tags(), PROCESS_TAG: "4194304:1"}
    with open_instance(tmp_path / "home", {}) as shipped:
        assert shipped.run_retries_enabled
        gone = shipped.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
        assert report_orphans(shipped) == [gone.run_id]
        [failure] = runs_since(shipped, LONG_AGO, [])[0].failures
    assert failure.reasons == ("its process was ended before it was done; run the same days again",)


def test_a_run_that_dagster_starts_again_has_not_failed_but_one_of_a_backfill_that_is_over_has(
    shop: Workshop, instance: dg.DagsterInstance
) -> None:
    job = build_defs(shop.settings).resolve_job_def(REPO_DAYS)
    where = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("digest"), "__repository__")

    def failures(**tags: str) -> int:
        tags = {f"dagster/{name}": value for name, value in tags.items()}
        gone = instance.create_run_for_job(
            job,
            tags={"dagster/will_retry": "true", **tags},
            remote_job_origin=RemoteJobOrigin(where, REPO_DAYS),
        )
        instance.report_run_failed(gone, "gone")
        return len(runs_since(instance, LONG_AGO, [])[0].failures)

    assert failures() == 0
    assert failures(backfill="of-which-nothing-is-left") == 1
    assert failures(backfill="of-which-nothing-is-left", auto_retry_run_id="another") == 1


def test_runs_that_are_chosen_by_hand_count_for_the_job_of_the_night(
    shop: Workshop, instance: dg.DagsterInstance
) -> None:
    defs = build_defs(shop.settings)
    job = defs.resolve_implicit_global_asset_job_def()
    for selection in (["raw_commits"], ["daily_digest"]):
        keys = frozenset(map(dg.AssetKey, selection))
        chosen = instance.create_run_for_job(job, asset_selection=keys)
        instance.report_run_failed(chosen, "gone")
    assert {failure.job for failure in runs_since(instance, LONG_AGO, [])[0].failures} == {
        "repo_days",
        "digests",
    }


def test_while_a_message_cannot_be_delivered_there_is_no_heartbeat(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener
) -> None:
    shop.make([FIRST_DAY], DEAD, digest=False)
    listener.status = 500
    said, cursor = tick(shop, instance, None)
    assert said == "open alarms: repo 1; messages to send: 1"
    assert beats(listener) == 0
    listener.status = 200
    said, _ = tick(shop, instance, cursor)
    assert said == "open alarms: repo 1; heartbeat sent"
    assert beats(listener) == 1


def test_a_heartbeat_that_fails_is_a_warning(
    shop: Workshop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT_URL", "http://127.0.0.1:9/tOken-2")
    said, _ = tick(shop, instance, None)
    assert said == "all is well; the heartbeat's address cannot be called: ConnectError"


def test_a_history_that_cannot_be_read_fails_the_tick_without_a_heartbeat(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener
) -> None:
    (shop.data / "store/catalog.sqlite").write_text("this is no database", encoding="utf-8")
    with pytest.raises(dg.Failure, match="damaged"):
        tick(shop, instance, None)
    shutil.rmtree(shop.data)
    assert "no history yet" in tick(shop, instance, None)[0]
    assert beats(listener) == 0


def test_a_history_of_an_older_version_is_said_to_be_so_until_this_sensor_brought_it_up_to_date(
    tmp_path: Path, engine: Path, instance: dg.DagsterInstance, listener: Listener
) -> None:
    assert listener.port
    old = Workshop(tmp_path / "old")
    channel = {"name": "team", "kind": "apprise", "url_env": "ALARM_URL"}
    reader = {"name": "infra", "paths": ["src/**"]}
    old.configure(local(ENGINE, engine), readers=[reader], channels=[channel])
    first = [name for name in names("migrations") if name < "0005"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digest_pipeline.store.migrations.SUPERSEDED", frozenset())
        patch.setattr(
            "digest_pipeline.store.migrations.names",
            lambda folder: first if folder == "migrations" else [],
        )
        History(Place(old.data), old.settings.timezone).close()
    assert_refused(old.digest("status"), 1, "is of an older version; `digest run`", most_lines=1)
    others = [one for one in build_sensors(old.settings) if one.name != "watch"]
    assert len(others) == 7

    def said(sensor: dg.SensorDefinition) -> str:
        with dg.build_sensor_context(instance=instance) as context:
            return sensor.evaluate_tick(context).skip_message or ""

    assert ["is of an older version" in said(sensor) for sensor in others] == [True] * 7
    assert tick(old, instance, None)[0].startswith("all is well")
    assert ["older version" in said(sensor) for sensor in others] == [False] * 7
    assert old.digest("status").code == 0


def test_a_message_that_nobody_takes_is_one_line_of_the_command(
    tmp_path: Path, engine: Path, listener: Listener
) -> None:
    listener.status = 503
    project = Workshop(tmp_path / "broken")
    project.begin()
    project.configure(local(ENGINE, engine), {"name": DEAD, "url": DEAD_URL}, alarm=ALARM)
    ran = project.digest("run", "--day", str(FIRST_DAY), "--quiet")
    assert ran.code == 1
    [line] = [line for line in ran.err.splitlines() if "alarm" in line]
    assert "the alarm repo bad/dead could not be sent" in line
    assert len(ran.err.splitlines()) == 2, "and why the run failed"


def test_what_came_to_no_run_is_an_alarm_too(
    shop: Workshop, instance: dg.DagsterInstance, listener: Listener
) -> None:
    pipeline = open_pipeline(shop.settings)
    with pytest.raises(DigestError), alarming(pipeline, instance):
        raise DigestError("llm.api_key_env: the environment variable KEY is not set")
    with pytest.raises(KeyboardInterrupt), alarming(pipeline, instance):
        raise KeyboardInterrupt
    assert listener.titles == ["digest: a run of repo_days failed"]
    [alarm] = open_alarms(Place(shop.data))
    assert alarm["detail"] == "llm.api_key_env: the environment variable KEY is not set"
    pipeline.close()
