from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg
import psycopg2  # type: ignore[import-untyped]
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.dagster_run import DagsterRunStatsSnapshot
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import DagsterPostgresException

from digest_pipeline.errors import ConfigurationError, StoreError
from digest_pipeline.orchestration.instance_storage import (
    BatchingSqliteEventLogStorage,
    BatchingSqliteStorage,
    InstanceStorage,
    ShardEngines,
    WarmSqliteRunStorage,
    postgres_url,
)
from digest_pipeline_tests.fakes.postgres import PASSWORD, postgres_server
from digest_pipeline_tests.fakes.postgres import postgres_url as new_database
from digest_pipeline_tests.orchestration import range_run
from digest_pipeline_tests.orchestration.range_run import (
    ASSETS,
    PARTITIONS,
    UNREADABLE,
    instance_in,
    run_range,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dagster._core.events import EventSpecificData
    from dagster._core.storage.event_log.base import EventLogStorage

__all__ = ["new_database", "postgres_server"]  # fixtures

RUN_ID = "11111111-2222-4333-8444-555555555555"
OTHER_RUN_ID = "66666666-7777-4888-8999-000000000000"
KEYS = PARTITIONS.get_partition_keys()
FAILS_AFTER_SECONDS = 20

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    # Dagster's, from Python 3.12 on.
    pytest.mark.filterwarnings("ignore:.*utcfromtimestamp:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*default datetime adapter:DeprecationWarning"),
]


# --- the same run on both storages -----------------------------------------------------------------------


@pytest.fixture(params=["every partition is read", "one partition cannot be read"], scope="module")
def unreadable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "one partition cannot be read")


class Home(NamedTuple):
    path: Path
    rows: dict[str, list[Any]]  # as the run left them: reading statuses writes a cache


def home_after_a_run(path: Path, *, batches: int, unreadable: bool, stock: bool = False) -> Home:
    with batches_of(batches), instance_in(path, stock=stock) as instance:
        run_range(instance, run_id=RUN_ID, unreadable=unreadable)
    return Home(path, rows_of(path))


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, unreadable: bool) -> Home:
    return home_after_a_run(tmp_path_factory.mktemp("stock"), batches=500, unreadable=unreadable, stock=True)


@pytest.fixture(params=[500, 5, 0], ids="batches of {}".format, scope="module")
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, unreadable: bool) -> Home:
    return home_after_a_run(tmp_path_factory.mktemp("ours"), batches=request.param, unreadable=unreadable)


def test_every_row_of_every_table_is_the_one_that_stock_writes(stock: Home, ours: Home) -> None:
    assert ours.rows.keys() == stock.rows.keys()
    for table, rows in stock.rows.items():
        assert ours.rows[table] == rows, table
    for table in ("event_logs", "asset_event_tags", "asset_check_executions"):
        assert len(stock.rows[f"index.db {table}"]) > len(KEYS)


def test_what_dagster_answers_is_what_it_answers_on_stock(stock: Home, ours: Home, unreadable: bool) -> None:
    with instance_in(stock.path, stock=True) as instance:
        expected = answers_of(instance)
    with instance_in(ours.path) as instance:
        assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)
        answers = answers_of(instance)
    assert answers == expected
    assert answers["run"] == ("FAILURE" if unreadable else "SUCCESS")
    assert answers["materialized commits"] == set(KEYS)
    read = set(KEYS) - {UNREADABLE} if unreadable else set(KEYS)
    assert answers["materialized scores"] == read
    assert {key for key, status in answers["statuses scores"].items() if status == "FAILED"} == set(
        KEYS
    ) - read


def test_the_log_is_in_wal_mode_and_syncs_at_checkpoints_only(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        for connect in (storage.index_connection, lambda: storage.run_connection(RUN_ID)):
            with connect() as connection:
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_a_database_without_wal_keeps_syncing_at_every_commit(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        storage.store_event(materialized("commits", KEYS[0]))
        storage.dispose()
        with closing(sqlite3.connect(storage.path_for_shard(RUN_ID))) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        with storage.run_connection(RUN_ID) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def rows_of(home: Path) -> dict[str, list[Any]]:
    """Every row below `home` by file and table, without what differs from one run to the next."""
    tables: dict[str, list[Any]] = {}
    for file in sorted((home / "storage" / "history" / "runs").glob("*.db")):
        with closing(sqlite3.connect(file)) as connection:
            connection.row_factory = sqlite3.Row
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                rows = [
                    {
                        name: steady(row[name])
                        for name in row.keys()  # noqa: SIM118 - a Row iterates over its values
                        if not re.search("timestamp|migration_completed", name)
                    }
                    for row in connection.execute(f'SELECT * FROM "{table}"')
                ]
                if table == "asset_check_executions":
                    # The rows of one planned event come in the order of a set.
                    rows.sort(key=lambda row: str({**row, "id": None}))
                    rows = [{**row, "id": None} for row in rows]
                tables[f"{file.name} {table}"] = rows
    return tables


def asked(home: Path, question: str) -> list[Any]:
    """What the index of a home answers."""
    with closing(sqlite3.connect(home / "storage/history/runs/index.db")) as connection:
        return connection.execute(question).fetchall()


def steady(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str) and value.startswith("{"):
        return steady(json.loads(value))
    if isinstance(value, str):
        return re.sub(r"\d+(\.\d+)?m?s\b|pid: \d+|process \(pid: \d+\)", "…", value)
    if isinstance(value, dict):
        if value.get("__class__") == "ComputeLogsCaptureData":  # holds a random name of a file
            return value["__class__"]
        return {
            key: sorted(map(str, part))
            if key in {"subset", "subset_keys"} and isinstance(part, list)
            else steady(part)
            for key, part in value.items()
            if key not in {"timestamp", "pid", "duration_ms"}
        }
    if isinstance(value, list):
        items = [steady(item) for item in value]
        return sorted(items, key=str) if items and isinstance(value[0], str) else items
    return value


def answers_of(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the daemon, the web UI and our own sensors ask."""
    storage = instance.event_log_storage
    run = instance.get_run_by_id(RUN_ID)
    assert run is not None
    stats = instance.get_run_stats(RUN_ID)
    assert isinstance(stats, DagsterRunStatsSnapshot)
    answers: dict[str, Any] = {
        "run": run.status.value,
        "stats": (stats.steps_succeeded, stats.steps_failed, stats.materializations),
        "log": [entry.dagster_event_type for entry in instance.all_logs(RUN_ID)],
        "status changes": [
            record.event_type
            for type_ in (
                dg.DagsterEventType.RUN_START,
                dg.DagsterEventType.RUN_SUCCESS,
                dg.DagsterEventType.RUN_FAILURE,
            )
            for record in instance.fetch_run_status_changes(type_, limit=10).records
        ],
    }
    for name in ASSETS:
        key = dg.AssetKey(name)
        (record,) = instance.get_asset_records([key])
        entry = record.asset_entry
        answers |= {
            f"record {name}": (record.storage_id, entry.last_run_id, entry.last_materialization_storage_id),
            f"materialized {name}": instance.get_materialized_partitions(key),
            f"statuses {name}": {
                partition: status and status.value
                for partition, status in (
                    instance.get_status_by_partition(key, KEYS, PARTITIONS) or {}
                ).items()
            },
            f"ids {name}": storage.get_latest_storage_id_by_partition(
                key, dg.DagsterEventType.ASSET_MATERIALIZATION
            ),
            f"tags {name}": storage.get_event_tags_for_asset(key),
            f"checks {name}": sorted(
                (str(check.partition), check.status.value, check.event is not None)
                for check in storage.get_asset_check_execution_history(dg.AssetCheckKey(key, "has_rows"), 100)
            ),
            f"materializations {name}": [
                (
                    event.storage_id,
                    event.partition_key,
                    event.asset_materialization and event.asset_materialization.metadata,
                )
                for event in instance.fetch_materializations(key, limit=100).records
            ],
        }
    return answers


# --- what a batch may hold -------------------------------------------------------------------------------


def test_a_batch_of_mixed_events_leaves_what_they_leave_one_by_one(tmp_path: Path) -> None:
    events = [
        planned("commits", KEYS[0]),
        materialized("commits", KEYS[0]),
        materialized("scores", KEYS[0]),
        evaluated("commits", KEYS[0], passed=True),
        materialized("commits", KEYS[1], run_id=OTHER_RUN_ID),
        evaluated("commits", KEYS[0], passed=False),
        observed("reports"),
        planned("commits", KEYS[2], run_id=OTHER_RUN_ID),
        message("said in between"),
        run_event(dg.DagsterEventType.RUN_SUCCESS),
    ]
    stock = SqliteEventLogStorage(str(tmp_path / "stock" / "storage" / "history" / "runs"))
    for event in events:
        stock.store_event(event)
    with ours_in(tmp_path / "ours" / "storage" / "history" / "runs") as ours:
        ours.store_event_batch(events)
        ours.dispose()
    assert rows_of(tmp_path / "ours") == rows_of(tmp_path / "stock")


def test_a_batch_of_evaluations_leaves_what_they_leave_one_by_one_whether_planned_or_not(
    tmp_path: Path,
) -> None:
    batches = [
        [evaluated("commits", key, passed=True) for key in KEYS[:3]],
        # Those have their rows now.
        [evaluated("commits", key, passed=False) for key in KEYS[:2]],
        # One of these has, and one comes twice.
        [evaluated("commits", key, passed=True) for key in (KEYS[2], KEYS[3], KEYS[3], KEYS[0])],
        [evaluated("commits", KEYS[0], passed=False, run_id=OTHER_RUN_ID)],
        [evaluated("commits", KEYS[0], passed=True, of=7), evaluated("commits", KEYS[1], passed=True, of=8)],
    ]
    stock = SqliteEventLogStorage(str(tmp_path / "stock" / "storage" / "history" / "runs"))
    with ours_in(tmp_path / "ours" / "storage" / "history" / "runs") as ours:
        for batch in batches:
            for event in batch:
                stock.store_event(event)
            ours.store_event_batch(batch)
        ours.dispose()
    assert rows_of(tmp_path / "ours") == rows_of(tmp_path / "stock")
    told = (
        "SELECT asset_key, check_name, partition, run_id, evaluation_event_timestamp, materialization_event_storage_id "
        "FROM asset_check_executions ORDER BY id"
    )
    assert asked(tmp_path / "ours", told) == asked(tmp_path / "stock", told)


def test_evaluations_that_were_planned_are_told_by_one_statement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ours_in(tmp_path) as storage:
        storage.store_event_batch([evaluated("commits", key, passed=True) for key in KEYS])
        monkeypatch.setattr(storage, "store_asset_check_event", None)
        storage.store_event_batch([evaluated("commits", key, passed=False) for key in KEYS])
        found = storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("commits"), "has_rows"), 1000
        )
        assert [one.status.value for one in found] == ["FAILED"] * len(KEYS)


def test_a_batch_that_cannot_be_written_whole_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    with ours_in(tmp_path) as storage:
        monkeypatch.setattr(storage, "store_asset_check_event", fail)
        with pytest.raises(OSError, match="disk full"):
            storage.store_event_batch(
                [materialized("commits", KEYS[0]), evaluated("commits", KEYS[0], passed=True)]
            )
        assert list(storage.get_logs_for_run(RUN_ID)) == []
        assert storage.get_materialized_partitions(dg.AssetKey("commits")) == set()
        storage.store_event(materialized("commits", KEYS[0]))
        assert storage.get_materialized_partitions(dg.AssetKey("commits")) == {KEYS[0]}


def test_materializations_of_one_batch_are_told_apart_by_their_milliseconds(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        for _ in range(2):
            storage.store_event_batch([materialized("commits", key) for key in KEYS])
        records = storage.fetch_materializations(dg.AssetKey("commits"), limit=1000).records

    shown = [int(record.timestamp * 1000) for record in records]
    assert len(set(shown)) == len(shown) == 2 * len(KEYS)


def test_an_old_sqlite_is_served_by_the_stock_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with ours_in(tmp_path) as storage:
        monkeypatch.setattr(storage, "_store", None)
        storage.store_event_batch([materialized("commits", key) for key in KEYS])
        assert storage.get_materialized_partitions(dg.AssetKey("commits")) == set(KEYS)


def test_a_range_run_needs_few_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    store = BatchingSqliteEventLogStorage._store

    def counting(self: BatchingSqliteEventLogStorage, run_id: str, events: list[EventLogEntry]) -> None:
        sizes.append(len(events))
        store(self, run_id, events)

    monkeypatch.setattr(BatchingSqliteEventLogStorage, "_store", counting)
    with batches_of(500), instance_in(tmp_path) as instance:
        assert run_range(instance).success
    # Planned events, and materializations and evaluations of each of four assets.
    assert sorted(size for size in sizes if size > 1) == [12, 12, 12, 12, 12, 12, 12, 12, 52]


# --- several at once -------------------------------------------------------------------------------------


def test_two_processes_write_to_one_home_and_both_histories_are_whole(tmp_path: Path) -> None:
    with instance_in(tmp_path) as instance:
        children = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", range_run.__name__, str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "DAGSTER_EVENT_BATCH_SIZE": "500"},
            )
            for _ in range(2)
        ]
        for child in children:
            output, _ = child.communicate(timeout=120)
            assert child.returncode == 0, output.decode(errors="replace")
        runs = instance.get_runs()
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        for run in runs:
            kinds = [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
            assert kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION) == len(KEYS) * len(ASSETS)
            assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) == (len(KEYS) + 1) * len(ASSETS)
    assert_index_is_consistent(tmp_path / "storage" / "history" / "runs", runs=2)


def test_threads_of_one_process_share_the_storage(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for key in KEYS:
            storage.store_event_batch(
                [
                    materialized("commits", key, run_id=f"run-{number}"),
                    evaluated("commits", key, passed=True, run_id=f"run-{number}"),
                ]
            )
            assert storage.get_latest_storage_id_by_partition(
                dg.AssetKey("commits"), dg.DagsterEventType.ASSET_MATERIALIZATION
            )

    with ours_in(tmp_path) as storage:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(write, range(12)))
        assert len(storage._engines) <= 8
        for number in range(12):
            assert len(storage.get_logs_for_run(f"run-{number}")) == 2 * len(KEYS)
        storage.dispose()
    assert_index_is_consistent(tmp_path, runs=12)


def assert_index_is_consistent(folder: Path, *, runs: int) -> None:
    with closing(sqlite3.connect(folder / "index.db")) as index:
        assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        mirrored = "FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key = ?"
        commits = '["commits"]'
        assert index.execute(f"SELECT count(*) {mirrored}", [commits]).fetchone() == (runs * len(KEYS),)
        (last,) = index.execute(f"SELECT max(id) {mirrored}", [commits]).fetchone()
        (noted,) = index.execute(
            "SELECT last_materialization FROM asset_keys WHERE asset_key = ?", [commits]
        ).fetchone()
        assert json.loads(noted)["storage_id"] == last
        strays = """
            SELECT count(*) FROM asset_event_tags AS t LEFT JOIN event_logs AS e ON e.id = t.event_id
            WHERE e.id IS NULL OR e.asset_key <> t.asset_key
               OR (t.key = 'dagster/partition/repo' AND e.partition NOT LIKE '%|' || t.value)
        """
        assert index.execute(strays).fetchone() == (0,)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_writes_through_connections_of_its_own(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        storage.store_event(materialized("commits", KEYS[0]))
        with storage._db_lock:  # as if another thread were writing at that moment
            child = os.fork()
            if child == 0:
                try:
                    storage.store_event(materialized("commits", KEYS[1]))
                    os._exit(0)
                finally:
                    os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        storage.store_event(materialized("commits", KEYS[2]))
        assert storage.get_materialized_partitions(dg.AssetKey("commits")) == set(KEYS[:3])
        with storage.index_connection() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.parametrize("watching", [BatchingSqliteEventLogStorage, SqliteEventLogStorage])
def test_a_live_log_in_another_process_sees_each_event_when_it_is_stored(
    tmp_path: Path, watching: Callable[[str], EventLogStorage]
) -> None:
    seen: list[str] = []
    arrived = threading.Event()

    def note(event: EventLogEntry, _cursor: str) -> None:
        seen.append(event.user_message)
        arrived.set()

    with ours_in(tmp_path) as writer:
        writer.store_event(message("before"))
        reader = watching(str(tmp_path))
        before = reader.get_records_for_run(RUN_ID).cursor
        reader.watch(RUN_ID, before, note)
        try:
            for text in ("first", "second"):
                arrived.clear()
                writer.store_event(message(text))
                assert arrived.wait(FAILS_AFTER_SECONDS), f"{text} was never shown"
            assert seen == ["first", "second"]
        finally:
            reader.end_watch(RUN_ID, note)
            reader.dispose()


# --- engines ---------------------------------------------------------------------------------------------


def test_runs_that_were_not_used_lately_are_closed_and_opened_again(tmp_path: Path) -> None:
    now = 0.0
    engines = ShardEngines(keep=2, idle_seconds=60, clock=lambda: now)
    paths = [tmp_path / f"{number}.db" for number in range(3)]
    for path in paths:
        path.touch()
        engines.open(str(path), f"sqlite:///{path}")
    assert len(engines) == 2
    assert engines.get(str(paths[0])) is None
    now = 59
    kept = engines.get(str(paths[2]))
    assert kept is not None
    now = 61
    assert engines.get(str(paths[2])) is kept
    assert len(engines) == 1
    engines.close()
    assert len(engines) == 0


def test_a_run_whose_file_was_deleted_meanwhile_gets_a_new_one(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        storage.store_event(message("lost"))
        for file in tmp_path.glob(f"{RUN_ID}*"):
            file.unlink()
        storage.store_event(message("kept"))
        storage.dispose()
    with ours_in(tmp_path) as storage:
        assert [entry.user_message for entry in storage.get_logs_for_run(RUN_ID)] == ["kept"]


def test_after_a_wipe_nothing_is_left_and_the_storage_goes_on(tmp_path: Path) -> None:
    with ours_in(tmp_path) as storage:
        storage.store_event(materialized("commits", KEYS[0]))
        storage.wipe()
        assert list(storage.get_logs_for_run(RUN_ID)) == []
        assert list(storage.get_asset_keys()) == []
        storage.store_event(materialized("commits", KEYS[1]))
        assert storage.get_materialized_partitions(dg.AssetKey("commits")) == {KEYS[1]}


# --- runs ------------------------------------------------------------------------------------------------


@contextmanager
def runs_in(folder: Path) -> Iterator[WarmSqliteRunStorage]:
    storage = WarmSqliteRunStorage.from_local(str(folder))
    try:
        yield storage
    finally:
        storage.dispose()


def a_run(run_id: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="repo_days", run_id=run_id)


def test_a_commit_of_a_run_reaches_the_disk_as_on_stock(tmp_path: Path) -> None:
    with runs_in(tmp_path) as storage, storage.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_file_of_the_runs_is_opened_once(tmp_path: Path) -> None:
    with runs_in(tmp_path) as storage:
        storage.add_run(a_run(RUN_ID))
        with storage.connect() as connection:
            kept = connection.connection.dbapi_connection
        storage.add_run(a_run(OTHER_RUN_ID))
        with storage.connect() as connection:
            assert connection.connection.dbapi_connection is kept
            with storage.connect() as second:  # while the first one is in use
                assert second.connection.dbapi_connection is not kept
        assert {run.run_id for run in storage.get_runs()} == {RUN_ID, OTHER_RUN_ID}


def test_runs_whose_file_another_one_took_the_place_of_are_read_from_that(tmp_path: Path) -> None:
    with runs_in(tmp_path / "other") as other:
        other.add_run(a_run(OTHER_RUN_ID))
    with runs_in(tmp_path / "home") as storage:
        storage.add_run(a_run(RUN_ID))
        for file in (tmp_path / "home").glob("runs.db-*"):
            file.unlink()
        (tmp_path / "other" / "runs.db").replace(tmp_path / "home" / "runs.db")
        assert [run.run_id for run in storage.get_runs()] == [OTHER_RUN_ID]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_adds_runs_through_a_connection_of_its_own(tmp_path: Path) -> None:
    with runs_in(tmp_path) as storage:
        storage.get_runs()
        with storage._engines_lock:  # as if another thread were about to use it
            child = os.fork()
            if child == 0:
                try:
                    storage.add_run(a_run(RUN_ID))
                    os._exit(0)
                finally:
                    os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        storage.add_run(a_run(OTHER_RUN_ID))
        assert {run.run_id for run in storage.get_runs()} == {RUN_ID, OTHER_RUN_ID}
        with storage.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_run_that_a_forked_child_adds_stays_when_its_parent_closes_the_file(tmp_path: Path) -> None:
    # SQLite counts who has a file open by process, and a child inherits the count.
    is_open, wait_for_open = os.pipe()[::-1]
    close, wait_for_close = os.pipe()[::-1]
    with runs_in(tmp_path) as storage:
        storage.get_runs()
        child = os.fork()
        if child == 0:
            try:
                with storage.connect() as connection:
                    connection.exec_driver_sql("SELECT count(*) FROM runs").scalar()
                os.write(is_open, b".")
                os.read(wait_for_close, 1)
                storage.add_run(a_run(RUN_ID))
                os._exit(0)
            finally:
                os._exit(1)
        os.read(wait_for_open, 1)
        storage.dispose()
        os.write(close, b".")
        assert os.waitpid(child, 0)[1] == 0
        assert [run.run_id for run in storage.get_runs()] == [RUN_ID]
    for end in (is_open, wait_for_open, close, wait_for_close):
        os.close(end)


# --- the switch ------------------------------------------------------------------------------------------


def test_without_a_url_the_history_is_sqlite_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    storage = InstanceStorage.from_config_value(None, {})
    assert isinstance(storage, BatchingSqliteStorage)
    assert isinstance(storage.event_log_storage, BatchingSqliteEventLogStorage)
    assert (tmp_path / "storage" / "history" / "runs" / "index.db").is_file()
    storage.dispose()


def test_without_a_home_the_history_goes_where_a_fresh_clone_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", "")
    storage = InstanceStorage.from_config_value(None, {})
    assert isinstance(storage, BatchingSqliteStorage)
    storage.dispose()
    assert storage.base_dir == str(tmp_path / "data" / "dagster" / "storage")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_url_of_postgresql_names_the_driver_that_dagster_brings(scheme: str) -> None:
    environ = {"DIGEST_INSTANCE_POSTGRES_URL": f"{scheme}://me:word@db.example:5433/dagster?sslmode=require"}
    assert postgres_url(environ) == "postgresql+psycopg2://me:word@db.example:5433/dagster?sslmode=require"


@pytest.mark.parametrize(
    "url", ["mysql://me:{}@h/d", "me:{}@h/d", "postgresql://me:{}@h:port/d", "postgresql://me:{}"]
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DIGEST_INSTANCE_POSTGRES_URL") as caught:
        postgres_url({"DIGEST_INSTANCE_POSTGRES_URL": url.format(PASSWORD)})
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_postgresql_that_lets_nobody_in_is_named_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise DagsterPostgresException("too many retries for DB connection")

    monkeypatch.setattr("dagster_postgres.DagsterPostgresStorage", refuse)
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", f"postgresql://me:{PASSWORD}@db.example/dagster")
    with pytest.raises(StoreError, match=r"db\.example:5432, database dagster") as caught:
        InstanceStorage.from_config_value(None, {})
    assert PASSWORD not in str(caught.value)


@pytest.mark.postgres
def test_a_range_run_on_postgresql_gives_the_same_answers(
    tmp_path: Path, new_database: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with instance_in(tmp_path / "stock", stock=True) as instance:
        run_range(instance, run_id=RUN_ID, unreadable=True)
        expected = answers_of(instance)
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", new_database)
    with batches_of(500), instance_in(tmp_path / "postgres") as instance:
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        run_range(instance, run_id=RUN_ID, unreadable=True)
        answers = answers_of(instance)
        ref = instance.get_ref()
    with_ids = re.compile("^(record|ids|tags|materializations) ")
    assert {name: answer for name, answer in answers.items() if not with_ids.match(name)} == {
        name: answer for name, answer in expected.items() if not with_ids.match(name)
    }
    assert list((tmp_path / "postgres").rglob("*.db")) == []
    assert PASSWORD not in str(ref.to_dict()) + repr(instance) + repr(instance.event_log_storage)
    assert "Falling back" not in capfd.readouterr().err


@pytest.mark.postgres
def test_events_share_connections_to_postgresql_and_outlive_their_end(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_INSTANCE_POSTGRES_URL", new_database)
    storage = InstanceStorage.from_config_value(None, {}).event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    backends: set[int] = set()
    for key in KEYS[:3]:
        storage.store_event(materialized("commits", key))
        with storage.index_connection() as connection:
            backends.add(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    assert len(backends) <= 2
    with closing(psycopg2.connect(new_database)) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(backends)]
        )
    storage.store_event(materialized("commits", KEYS[3]))
    assert storage.get_materialized_partitions(dg.AssetKey("commits")) == set(KEYS[:4])
    storage._engine.dispose()


# --- builders --------------------------------------------------------------------------------------------


@contextmanager
def batches_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", str(size))
        yield


@contextmanager
def ours_in(folder: Path) -> Iterator[BatchingSqliteEventLogStorage]:
    storage = BatchingSqliteEventLogStorage(str(folder))
    try:
        yield storage
    finally:
        storage.dispose()


def entry(type_: dg.DagsterEventType, data: EventSpecificData | None, run_id: str) -> EventLogEntry:
    event = DagsterEvent(type_.value, "everything", event_specific_data=data, step_key="step")
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level=10,
        user_message="",
        run_id=run_id,
        timestamp=1_772_323_200.0,
        step_key="step",
        job_name="everything",
        dagster_event=event,
    )


def materialized(asset: str, key: str, *, run_id: str = RUN_ID) -> EventLogEntry:
    data = StepMaterializationData(range_run.materialization(asset, key))
    return entry(dg.DagsterEventType.ASSET_MATERIALIZATION, data, run_id)


def planned(asset: str, key: str, *, run_id: str = RUN_ID) -> EventLogEntry:
    data = AssetMaterializationPlannedData(dg.AssetKey(asset), partition=key)
    return entry(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, data, run_id)


def observed(asset: str) -> EventLogEntry:
    data = AssetObservationData(dg.AssetObservation(asset, tags={"dagster/data_version": "7"}))
    return entry(dg.DagsterEventType.ASSET_OBSERVATION, data, RUN_ID)


def evaluated(
    asset: str, key: str, *, passed: bool, run_id: str = RUN_ID, of: int | None = None
) -> EventLogEntry:
    data = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name="has_rows",
        passed=passed,
        metadata={},
        partition=key,
        target_materialization_data=None
        if of is None
        else AssetCheckEvaluationTargetMaterializationData(storage_id=of, run_id=run_id, timestamp=1.0),
    )
    return entry(dg.DagsterEventType.ASSET_CHECK_EVALUATION, data, run_id)


def run_event(type_: dg.DagsterEventType) -> EventLogEntry:
    return entry(type_, None, RUN_ID)


def message(text: str) -> EventLogEntry:
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level=20,
        user_message=text,
        run_id=RUN_ID,
        timestamp=1_772_323_200.0,
        job_name="everything",
    )
