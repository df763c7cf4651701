from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.secrets.env_file import get_env_var_dict

from digest_pipeline.errors import ConfigurationError, StoreBusy, StoreDamaged
from digest_pipeline.orchestration import install
from digest_pipeline.orchestration import instance as instance_module
from digest_pipeline.orchestration.instance import open_instance, packaged_file, prepare_home
from digest_pipeline.orchestration.instance_storage import BatchingSqliteEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the given text the dagster.yaml of the version that runs."""
    file = tmp_path / "packaged.yaml"
    monkeypatch.setattr(instance_module, "packaged_file", lambda **_: file)

    def write(text: str) -> None:
        file.write_text(text, encoding="utf-8")

    write("first")
    return write


# --- the home --------------------------------------------------------------------------------------------


def test_the_home_lies_in_the_data_folder_and_holds_the_settings_of_this_version(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "data", {})
    assert home == tmp_path / "data" / "dagster"
    assert (home / "dagster.yaml").read_bytes() == packaged_file().read_bytes()


def test_a_home_whose_runs_go_to_workers_holds_the_numbers_of_a_team_until_they_do_no_more(
    tmp_path: Path,
) -> None:
    one = prepare_home(tmp_path, {}) / "dagster.yaml"
    before = one.read_bytes()
    prepare_home(tmp_path, {"DIGEST_CELERY_BROKER_URL": "redis://:word@host/0"})
    assert one.read_bytes() == packaged_file(team=True).read_bytes() != before
    prepare_home(tmp_path, {})
    assert one.read_bytes() == before


def test_dagster_home_wins_and_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare_home(tmp_path / "data", {"DAGSTER_HOME": "elsewhere"}) == tmp_path / "elsewhere"
    assert not (tmp_path / "data").exists()


def test_settings_as_we_wrote_them_follow_the_version(tmp_path: Path, package: Callable[[str], None]) -> None:
    file = prepare_home(tmp_path, {}) / "dagster.yaml"
    for text in ("second", "third", "first"):
        package(text)
        prepare_home(tmp_path, {})
        assert file.read_text() == text


def test_settings_that_a_person_edited_are_never_touched(
    tmp_path: Path, package: Callable[[str], None]
) -> None:
    file = prepare_home(tmp_path, {}) / "dagster.yaml"
    file.write_text("mine")
    package("second")
    prepare_home(tmp_path, {})
    assert file.read_text() == "mine"


def test_settings_that_were_there_before_us_are_never_touched(
    tmp_path: Path, package: Callable[[str], None]
) -> None:
    file = tmp_path / "dagster" / "dagster.yaml"
    file.parent.mkdir()
    file.write_text("mine")
    prepare_home(tmp_path, {})
    assert file.read_text() == "mine"


def test_an_update_that_was_interrupted_is_made_up_for(
    tmp_path: Path, package: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = prepare_home(tmp_path, {}) / "dagster.yaml"
    package("second")
    replace = instance_module._replace

    def stop_before_the_file(target: Path, content: bytes) -> None:
        if target == file:
            raise KeyboardInterrupt
        replace(target, content)

    with monkeypatch.context() as patch:
        patch.setattr(instance_module, "_replace", stop_before_the_file)
        with pytest.raises(KeyboardInterrupt):
            prepare_home(tmp_path, {})
    assert file.read_text() == "first"
    prepare_home(tmp_path, {})
    assert file.read_text() == "second"


def test_a_home_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="point DAGSTER_HOME at a folder"):
        prepare_home(tmp_path / "file", {})


# --- the instance ----------------------------------------------------------------------------------------


def test_the_settings_of_this_version_are_what_dagster_reads(tmp_path: Path) -> None:
    with open_instance(tmp_path, {}) as instance:
        assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert instance.managed_python_loggers == ["digest_pipeline"]
        concurrency = instance.get_concurrency_config()
        assert concurrency.run_queue_config is not None
        assert concurrency.run_queue_config.max_concurrent_runs == 4
        assert concurrency.pool_config.default_pool_limit == 2
        assert (tmp_path / "dagster" / "storage" / "history" / "runs.db").is_file()


def test_batches_of_events_are_on_while_the_instance_is_open(tmp_path: Path) -> None:
    before = dict(os.environ)
    with open_instance(tmp_path, {}):
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "500"
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "dagster")
    with open_instance(tmp_path, {"DAGSTER_EVENT_BATCH_SIZE": "7"}):
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "7"
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
@pytest.mark.parametrize("damage", ["overwritten", "cut short"])
def test_a_damaged_history_is_named_with_the_way_out(tmp_path: Path, name: str, damage: str) -> None:
    with open_instance(tmp_path, {}):
        pass
    file = tmp_path / "dagster" / "storage" / name
    content = file.read_bytes()
    file.write_bytes(content[:5000] if damage == "cut short" else b"no database at all" * 400)
    with pytest.raises(StoreDamaged) as caught, open_instance(tmp_path, {}) as instance:
        use(instance)
    assert name in str(caught.value)
    assert "move" in str(caught.value)
    assert "\n" not in str(caught.value)


def use(instance: dg.DagsterInstance) -> None:
    instance.get_runs(limit=1)
    instance.get_asset_keys()
    instance.get_latest_materialization_event(dg.AssetKey("commits"))
    instance.all_instigator_state()


def test_a_history_that_another_process_holds_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("digest_pipeline.orchestration.instance_storage.SQLITE_BUSY_TIMEOUT_SECONDS", 0.05)
    caplog.set_level(logging.ERROR)
    with open_instance(tmp_path, {}) as instance:
        index = Path(str(instance.event_log_storage._base_dir)) / "index.db"  # type: ignore[attr-defined]
    with closing(sqlite3.connect(index)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusy, match="try again later"), open_instance(tmp_path, {}) as instance:
            instance.event_log_storage.set_concurrency_slots("llm", 3)


@pytest.mark.parametrize(
    "text",
    ["storage: [", "telemetry: {enabled: perhaps}", "storage: {custom: {module: nowhere, class: Nothing}}"],
)
def test_settings_that_dagster_refuses_are_named_with_their_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"dagster\.yaml is not what Dagster accepts") as caught:  # noqa: SIM117
        with open_instance(tmp_path, {}):
            pass
    assert "\n" not in str(caught.value)


def test_an_error_of_the_work_itself_is_not_taken_for_one_of_the_settings(tmp_path: Path) -> None:
    @dg.op(config_schema={"day": str})
    def wants_a_day() -> None:
        pass

    @dg.job
    def work() -> None:
        wants_a_day()

    with open_instance(tmp_path, {}) as instance, pytest.raises(dg.DagsterInvalidConfigError):
        work.execute_in_process(instance=instance)
    with pytest.raises(dg.DagsterInvalidConfigError), open_instance(tmp_path, {}) as instance:
        work.execute_in_process(instance=instance)


def test_an_emptied_database_is_built_anew(tmp_path: Path) -> None:
    with open_instance(tmp_path, {}):
        pass
    for file in (tmp_path / "dagster").rglob("*.db"):
        file.write_bytes(b"")
    with open_instance(tmp_path, {}) as instance:
        use(instance)


def make_install(folder: Path) -> str:
    command = [sys.executable, "-m", install.__name__]
    root = Path(install.__file__).parents[2]
    environ = {
        name: value for name, value in os.environ.items() if name not in {"DAGSTER_HOME", "DIGEST_CONFIG"}
    }
    done = subprocess.run(
        command, cwd=folder, env={**environ, "PYTHONPATH": str(root)}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def test_make_install_prepares_the_home_that_the_env_file_names(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DAGSTER_HOME='{tmp_path}/a home'\n")
    assert make_install(tmp_path) == ""
    assert (tmp_path / "a home" / "dagster.yaml").is_file()
    assert (tmp_path / "a home" / "storage" / "history" / "runs" / "index.db").is_file()


def test_make_install_names_the_home_of_the_settings_and_follows_them(tmp_path: Path) -> None:
    folder = tmp_path / "it's a clone"
    folder.mkdir()
    (folder / ".env").write_text("OTHER=1")
    assert "DAGSTER_HOME" in make_install(folder)
    assert get_env_var_dict(str(folder)) == {"OTHER": "1", "DAGSTER_HOME": str(folder / "data/dagster")}
    assert make_install(folder) == ""
    (folder / "digest.toml").write_text(
        'first_day = 2026-01-05\ndata_dir = "../elsewhere"\n[[repos]]\nname = "a/b"\nurl = "."\n'
    )
    assert "DAGSTER_HOME" in make_install(folder)
    assert get_env_var_dict(str(folder)) == {
        "OTHER": "1",
        "DAGSTER_HOME": str(tmp_path / "elsewhere/dagster"),
    }
    assert (tmp_path / "elsewhere/dagster/dagster.yaml").is_file()
    (folder / "digest.toml").write_text("first_day = soon")
    assert "Until that is mended" in make_install(folder)
