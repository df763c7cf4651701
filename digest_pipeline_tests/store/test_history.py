"""Replacing partitions: whole or not at all, again without a change, and without touching their neighbours."""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from digest_pipeline import open_history
from digest_pipeline.errors import ConfigurationError, StoreBusy, StoreDamaged, StoreError
from digest_pipeline.store.connection import Readers, attach_again, connect, hold_open
from digest_pipeline.store.files import names, statement
from digest_pipeline.store.history import (
    History,
    Read,
    Replacement,
    check_files,
    has_history,
    read_once,
    rows_of,
)
from digest_pipeline.store.history import open_history as open_place
from digest_pipeline.store.migrations import SUPERSEDED, known
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.fakes.small_disk import fill, small_disk
from digest_pipeline_tests.old_history import superseded
from digest_pipeline_tests.store.bounds import bounds_in_catalog, tables, written_twice, wrong_bounds
from digest_pipeline_tests.store.filled import fill as fill_days
from digest_pipeline_tests.store.rows import EVERYWHERE, REPO, commit, partition, read

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["small_disk"]  # a fixture

ZONE = ZoneInfo("UTC")
DAY = date(2026, 1, 5)
OTHER = "ada/bits"


LONG = "SELECT count(*) FROM range(200000) AS one, range(200000) AS two WHERE one.range + two.range = 7"
"""What would take some minutes."""
CATALOG = "__ducklake_metadata_history"


def everything(history: History) -> list[tuple[Any, ...]]:
    return history._connection.execute(
        "SELECT repo, day, sha, message FROM commits "
        "UNION ALL BY NAME SELECT repo, day, head_sha, error FROM reads ORDER BY ALL"
    ).fetchall()


def _log_of(place: Place) -> Path:
    return Path(f"{place.catalog_path}-wal")


# --- revising --------------------------------------------------------------------------------------------


@EVERYWHERE
def test_a_revision_decides_over_what_the_writer_before_it_left(history: History, place: Place) -> None:
    history.replace(*partition(DAY, 1))
    asked = {"repo": REPO, "first": DAY, "last": DAY}
    seen: list[int] = []

    def again(rows: list[dict[str, Any]]) -> list[Replacement]:
        seen.append(rows[0]["commit_count"])
        counted = {**rows[0], "commit_count": rows[0]["commit_count"] + 1}
        return [Replacement("reads", {"repo": [REPO], "day": [DAY]}, [counted])]

    def many() -> None:
        with History(place, ZONE) as other:
            for _ in range(5):
                other.revise("pipeline/reads", asked, again)

    thread = threading.Thread(target=many)
    thread.start()
    for _ in range(5):
        history.revise("pipeline/reads", asked, again)
    thread.join()
    assert sorted(seen) == list(range(1, 11))
    history.revise("pipeline/reads", asked, lambda _: [])
    assert history.read("pipeline/reads", asked)[0]["commit_count"] == 11


def test_a_revision_that_fails_leaves_everything_as_it_was(history: History) -> None:
    history.replace(*partition(DAY, 1))
    before = everything(history)

    def wrong(rows: list[dict[str, Any]]) -> list[Replacement]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        history.revise("pipeline/reads", {"repo": REPO, "first": DAY, "last": DAY}, wrong)
    with pytest.raises(StoreError):
        history.revise("pipeline/reads", {}, lambda _: [])
    assert everything(history) == before


@EVERYWHERE
def test_who_reads_does_not_wait_for_who_writes(history: History) -> None:
    history.replace(*partition(DAY, 1))
    asked = {"repo": REPO, "first": DAY, "last": DAY}
    seen: list[int] = []

    def read() -> None:
        seen.append(len(history.read("pipeline/commits_of_days", asked)))

    def decide(_: Read) -> list[Replacement]:
        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)  # within the transaction
            assert not thread.is_alive()
        return [*partition(DAY, 2)]

    history.decide(decide)
    assert seen == [1, 1, 1]
    read()
    assert seen[-1] == 2


def test_a_first_read_over_a_lost_connection_is_told_as_an_error_of_the_store(history: History) -> None:
    history._use(history._connection)  # nobody has read yet
    history._connection.close()
    with pytest.raises(StoreError):
        history.read("pipeline/timezones")


def test_who_reads_while_the_connection_is_made_anew_hands_back_what_is_closed(
    history: History, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest_pipeline.store.connection._INTERRUPTS", 1)  # it is not given back before that
    readers = Readers(history._connection, place, ZONE)
    one, other = readers.take(), readers.take()
    assert one is not None
    assert other is not None
    readers.give_back(one)
    assert readers.take() is one
    readers.give_back(one)
    readers.close()
    readers.give_back(other)
    assert readers.take() is None
    for connection in (one, other):
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("SELECT 1")


def test_no_transaction_is_the_last_to_close_the_catalog_of_an_open_history(
    history: History, place: Place
) -> None:
    for number in range(1, 4):
        history.replace(*partition(DAY, number))
        history.read("pipeline/timezones")
        assert _log_of(place).exists(), "SQLite takes it away with the last one who closes the file"
    before = everything(history)
    history.close()
    assert not _log_of(place).exists()
    with History(place, ZONE) as again:
        assert everything(again) == before


def test_the_log_of_the_catalog_begins_anew_while_others_have_it_open(history: History, place: Place) -> None:
    rows = [commit(DAY, number, message="x" * 300_000) for number in range(4)]  # a megabyte that waits there
    with History(place, ZONE):
        lengths = []
        for _ in range(16):
            history.replace(Replacement("commit_log", {"repo": [REPO], "day": [DAY]}, rows))
            lengths.append(_log_of(place).stat().st_size)
        assert lengths[1] > 1_000_000
        assert max(lengths) < 8_000_000


def test_a_history_that_does_not_open_leaves_nothing_open(place: Place) -> None:
    with History(place, ZONE) as history:
        history.replace(*partition(DAY, 1))
    with pytest.raises(ConfigurationError, match="holds days of") as raised:
        History(place, ZoneInfo("Asia/Shanghai"))
    assert not _log_of(place).exists(), raised  # whose traceback has the history still


def _writes_and_dies(place: Place) -> None:
    history = History(place, ZONE)
    rows = [commit(DAY, number, message="x" * 300_000) for number in range(4)]
    history.replace(Replacement("commit_log", {"repo": [REPO], "day": [DAY]}, rows))
    os.kill(os.getpid(), signal.SIGKILL)


def _reads(place: Place) -> None:
    with History(place, ZONE) as history:
        assert len(everything(history)) == 4


def test_a_log_that_finds_no_room_in_the_catalog_ends_no_process(small_disk: Path) -> None:
    place = Place(small_disk / "data")
    assert _in_a_process_of_its_own(_writes_and_dies, place) == -signal.SIGKILL
    assert _log_of(place).stat().st_size > 1_000_000
    ballast = fill(small_disk, leave=0)
    assert _in_a_process_of_its_own(_reads, place) == 0
    ballast.unlink()
    assert _in_a_process_of_its_own(_reads, place) == 0


def _in_a_process_of_its_own(act: Callable[[Place], None], place: Place) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=act, args=(place,))
    process.start()
    process.join()
    return process.exitcode


def test_a_catalog_that_is_not_held_open_is_written_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect() as elsewhere:
        assert hold_open(elsewhere, place) is None
    monkeypatch.setattr("digest_pipeline.store.history.hold_open", lambda *_: None)
    with History(place, ZONE) as history:
        history.replace(*partition(DAY, 2))
        assert len(everything(history)) == 3


def test_a_history_that_is_closed_says_so(history: History) -> None:
    history.close()
    with pytest.raises(StoreError, match="closed already"):
        history.read("pipeline/timezones")


# --- replacing -------------------------------------------------------------------------------------------


def test_a_partition_that_is_replaced_by_the_same_is_the_same(history: History) -> None:
    history.replace(*partition(DAY, 3))
    before = everything(history)
    history.replace(*partition(DAY, 3))
    assert everything(history) == before
    assert len(before) == 4


@EVERYWHERE
def test_what_stood_in_a_partition_leaves_and_its_neighbours_stay(history: History) -> None:
    neighbours = [(DAY, OTHER), (DAY + timedelta(days=1), REPO), (DAY - timedelta(days=1), REPO)]
    for day, repo in neighbours:
        history.replace(*partition(day, 2, repo))
    around = everything(history)
    history.replace(*partition(DAY, 5))
    history.replace(*partition(DAY, 1))
    own = [row for row in everything(history) if (row[1], row[0]) == (DAY, REPO)]
    assert len(own) == 2
    assert [row for row in everything(history) if row not in own] == around
    history.replace(
        Replacement("commit_log", {"repo": [REPO], "day": [DAY]}),
        Replacement("reads", {"repo": [REPO], "day": [DAY]}),
    )
    assert everything(history) == around


def test_a_batch_of_partitions_is_one_transaction(history: History) -> None:
    days = days_from(DAY, 40)
    key: dict[str, Any] = {"repo": [REPO], "day": days}
    before = snapshots(history)
    history.replace(
        Replacement("reads", key, [read(day) for day in days]),
        Replacement("commit_log", key, [commit(day, number) for number, day in enumerate(days)]),
    )
    assert snapshots(history) == before + 1
    assert len(everything(history)) == 80


def test_nothing_to_replace_is_no_transaction(history: History) -> None:
    before = snapshots(history)
    history.replace()
    assert snapshots(history) == before


@EVERYWHERE
@pytest.mark.parametrize(
    "broken",
    [
        {"message": None},  # NOT NULL
        {"committed_at": "not a time"},
        {"position": 2**40},
    ],
)
def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(
    history: History, broken: dict[str, Any]
) -> None:
    history.replace(*partition(DAY, 2))
    before, count = everything(history), snapshots(history)
    key: dict[str, Any] = {"repo": [REPO], "day": [DAY]}
    with pytest.raises(StoreError) as raised:
        history.replace(
            Replacement("reads", key, [read(DAY, commit_count=9)]),
            Replacement("commit_log", key, [commit(DAY, 0), commit(DAY, 1, **broken)]),
        )
    assert "\n" not in str(raised.value)
    assert (everything(history), snapshots(history)) == (before, count)
    history.replace(*partition(DAY, 3))
    assert len(everything(history)) == 4


def test_an_interrupted_transaction_leaves_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(history)

    def stops(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(history, "_insert", stops)
        history.replace(*partition(DAY, 2))
    assert everything(history) == before
    history.replace(*partition(DAY, 2))
    assert len(everything(history)) == 3


def test_a_busy_store_is_tried_again_and_then_given_up(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    with History(Place(data_dir), ZONE, sleep=waits.append) as history:
        transact = history._transact

        def busy_twice(*asked: Any) -> None:  # noqa: ANN401 - as it comes
            if len(waits) < 2:
                raise duckdb.TransactionException("TransactionContext Error: database is locked")
            transact(*asked)

        monkeypatch.setattr(history, "_transact", busy_twice)
        history.replace(*partition(DAY, 1))
        assert len(everything(history)) == 2
        assert waits == sorted(waits)

        def always_busy(*_: object) -> None:
            raise duckdb.TransactionException("Transaction conflict")

        monkeypatch.setattr(history, "_transact", always_busy)
        with pytest.raises(StoreBusy, match="held by another process"):
            history.replace(*partition(DAY, 1))
        assert len(waits) < 10


def test_a_failure_stands_beside_what_was_read_before(history: History) -> None:
    key: dict[str, Any] = {"repo": [REPO], "day": [DAY]}
    history.replace(*partition(DAY, 2))
    [known] = history.read("pipeline/reads", {"repo": REPO, "first": DAY, "last": DAY})
    history.replace(
        Replacement("reads", key, [known | {"error": "no route", "failed_at": "2026-01-06T00:00:00+00:00"}])
    )
    [row] = history.read("pipeline/reads", {"repo": REPO, "first": DAY, "last": DAY})
    assert row == known | {"error": "no route", "failed_at": datetime(2026, 1, 6, tzinfo=UTC)}
    assert history._connection.execute("SELECT count(*) FROM commits").fetchall() == [(2,)]


def test_names_of_repos_are_bound_and_never_part_of_the_sql(history: History) -> None:
    nasty = "a'/b\"; DROP TABLE reads; --"
    history.replace(*partition(DAY, 1, nasty), *partition(DAY, 1))
    history.replace(*partition(DAY, 2, nasty))
    assert {row[0] for row in everything(history)} == {nasty, REPO}


# --- opening ---------------------------------------------------------------------------------------------


def test_a_history_that_is_made_twice_is_made_once(tmp_path: Path) -> None:
    data = tmp_path / "with 'quotes' and 中文" / "data"
    with History(Place(data), ZONE) as first, History(Place(data), ZONE) as second:
        first.replace(*partition(DAY, 2))
        assert len(everything(second)) == 3
        applied = second._connection.execute("SELECT name FROM schema_migrations").fetchall()
        assert len(applied) == len(set(applied)) == len(known())


def test_another_timezone_is_refused_with_two_ways_out(place: Place) -> None:
    with History(place, ZONE) as history:
        history.replace(*partition(DAY, 1))
    with pytest.raises(ConfigurationError) as raised:
        History(place, ZoneInfo("Asia/Shanghai"))
    assert 'put timezone = "UTC" back' in str(raised.value)
    assert "or name a new data_dir" in str(raised.value)
    with History(place, ZONE) as history:
        assert len(everything(history)) == 2


def test_a_failed_read_alone_locks_no_timezone(data_dir: Path) -> None:
    with History(Place(data_dir), ZONE) as history:
        failed = {"head_sha": None, "error": "no route", "failed_at": "2026-01-06T00:00:00+00:00"}
        history.replace(Replacement("reads", {"repo": [REPO], "day": [DAY]}, [read(DAY) | failed]))
    with History(Place(data_dir), ZoneInfo("Asia/Shanghai")) as history:
        assert history.timezone.key == "Asia/Shanghai"


def test_a_history_without_days_takes_any_timezone(data_dir: Path) -> None:
    with History(Place(data_dir), ZoneInfo("Asia/Shanghai")) as history:
        assert everything(history) == []


def test_the_history_of_a_newer_version_is_refused(data_dir: Path) -> None:
    with History(Place(data_dir), ZONE) as history:
        history._connection.execute("INSERT INTO schema_migrations VALUES ('9999_from_the_future', now())")
    with pytest.raises(StoreError, match=r"newer digest_pipeline \(9999_from_the_future\); upgrade"):
        History(Place(data_dir), ZONE)


@EVERYWHERE
def test_migrations_that_are_missing_are_made_up_for_and_rows_stay(place: Place) -> None:
    with History(place, ZONE) as history:
        history.replace(*partition(DAY, 2))
        history._connection.execute("DELETE FROM schema_migrations WHERE name LIKE 'views-%'")
        history._connection.execute("DROP VIEW commits")
    with History(place, ZONE) as history:
        assert len(everything(history)) == 3


def test_the_data_folder_may_be_moved(data_dir: Path, tmp_path: Path) -> None:
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 2))
        keep(history.place)  # into Parquet files
        before = everything(history)
    assert list((data_dir / "store/files").rglob("*.parquet"))
    moved = data_dir.rename(tmp_path / "elsewhere")
    with open_history(moved) as connection:
        assert connection.execute("SELECT count(*) FROM commits").fetchall() == [(2,)]
    with History(Place(moved), ZONE) as history:
        assert everything(history) == before
        history.replace(*partition(DAY, 1))
    assert str(moved) in (moved / "history.sql").read_text(encoding="utf-8")
    assert not data_dir.exists()


# --- reading ---------------------------------------------------------------------------------------------


@EVERYWHERE
def test_readers_only_read_and_see_what_is_written_later(history: History, place: Place) -> None:
    with open_place(place) as reader:
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(0,)]
        for statement in ("DELETE FROM reads", "CREATE TABLE mine (x INTEGER)", "DROP VIEW commits"):
            with pytest.raises(duckdb.Error):
                reader.execute(statement)
        history.replace(*partition(DAY, 2))
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2,)]
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2,)]
        history.replace(*partition(DAY, 5))
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2,)], (
            "a transaction sees one state"
        )
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(5,)]


def test_a_folder_without_history_is_said_and_stays_empty(tmp_path: Path) -> None:
    for reading in (
        lambda: open_history(tmp_path),
        lambda: read_once(Place(tmp_path), "pipeline/timezones", {}),
    ):
        with pytest.raises(StoreError, match="`digest run` makes one"):
            reading()
    assert list(tmp_path.iterdir()) == []


def test_any_duckdb_shell_opens_the_history_with_its_file(history: History, data_dir: Path) -> None:
    history.replace(*partition(DAY, 3))
    script = (data_dir / "history.sql").read_text(encoding="utf-8")
    with duckdb.connect() as shell:
        shell.execute(script)
        assert shell.execute("SELECT count(*) FROM commits").fetchall() == [(3,)]
        assert shell.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
        with pytest.raises(duckdb.Error):
            shell.execute("DELETE FROM reads")


def test_the_order_of_rows_is_that_of_the_query(history: History) -> None:
    history.replace(*partition(DAY, 7))
    rows = history.read("pipeline/commits_of_days", {"repo": REPO, "first": DAY, "last": DAY})
    assert [row["position"] for row in rows] == list(range(7))


# --- upkeep ----------------------------------------------------------------------------------------------


@EVERYWHERE
def test_upkeep_changes_no_row_and_leaves_open_readers_working(history: History, place: Place) -> None:
    for number, day in enumerate(days_from(DAY, 12)):
        history.replace(*partition(day, number + 1))
    before = everything(history)
    with open_place(place) as reader:
        query = "SELECT count(*), min(message), max(sha) FROM commits"
        seen = reader.execute(query).fetchall()
        for _ in range(2):
            keep(history.place)
            assert everything(history) == before
            assert reader.execute(query).fetchall() == seen
        history.replace(*partition(DAY, 1))
        assert reader.execute(query).fetchall() == seen
    with History(place, ZONE) as again:
        assert everything(again) == before


@pytest.mark.xfail(reason="DuckLake 1.5.5 moves rows away under a transaction that reads an older snapshot")
def test_a_reader_in_a_transaction_sees_the_same_rows_through_the_upkeep(
    history: History, data_dir: Path
) -> None:
    for number, day in enumerate(days_from(DAY, 12)):
        history.replace(*partition(day, number + 1))
    with open_history(data_dir) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM commits").fetchall()
        keep(history.place)
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == seen


# --- damage ----------------------------------------------------------------------------------------------


def catalog_is_text(data: Path) -> None:
    (data / "store/catalog.sqlite").write_text("this is no database\n" * 500, encoding="utf-8")


def catalog_is_cut(data: Path) -> None:
    file = data / "store/catalog.sqlite"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def catalog_is_empty(data: Path) -> None:
    (data / "store/catalog.sqlite").write_bytes(b"")


def catalog_is_overwritten(data: Path) -> None:
    file = data / "store/catalog.sqlite"
    content = bytearray(file.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)


CATALOGS = [catalog_is_text, catalog_is_cut, catalog_is_empty, catalog_is_overwritten]


@pytest.mark.parametrize("damage", CATALOGS, ids=lambda damage: damage.__name__)
def test_a_damaged_catalog_is_named_in_one_line_and_left_as_it_is(data_dir: Path, damage: Any) -> None:  # noqa: ANN401 - one of the above
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 3))
    damage(data_dir)
    before = (data_dir / "store/catalog.sqlite").read_bytes()
    for opening in (lambda: History(Place(data_dir), ZONE), lambda: open_history(data_dir)):
        with pytest.raises(StoreDamaged) as raised:
            opening()
        message = str(raised.value)
        assert "\n" not in message
        assert str(data_dir / "store") in message
        assert "restore that folder from a backup, or move it away" in message
    assert (data_dir / "store/catalog.sqlite").read_bytes() == before


def test_a_history_that_cannot_be_opened_closes_what_it_opened(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_is_text(data_dir)
    opened: list[duckdb.DuckDBPyConnection] = []
    prepared = History._prepared

    def seen(history: History) -> duckdb.DuckDBPyConnection:
        opened.append(prepared(history))
        return opened[-1]

    monkeypatch.setattr(History, "_prepared", seen)
    with pytest.raises(StoreDamaged):
        History(Place(data_dir), ZONE)
    [connection] = opened
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.execute("SELECT 1")


def test_who_reads_while_a_history_is_closed_is_told_and_waited_for(history: History) -> None:
    begun = threading.Event()

    def ask() -> None:
        with history._reader() as connection:
            begun.set()
            rows_of(connection, LONG, None, history.place)

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(ask)
        assert begun.wait(60)
        history.close()
        assert history._readers._lent == {}
        with pytest.raises(StoreError, match="closed already"):
            reading.result(60)
    history.close()


@EVERYWHERE
def test_who_reads_while_a_connection_is_made_anew_reads_again(history: History, place: Place) -> None:
    history.replace(*partition(DAY, 3))
    waits: list[float] = []
    history._sleep = waits.append
    begun, tries = threading.Event(), itertools.count()

    def ask() -> list[dict[str, Any]]:
        def act() -> list[dict[str, Any]]:
            with history._reader() as connection:
                if next(tries) == 0:
                    begun.set()
                    rows_of(connection, LONG, None, place)
                return rows_of(connection, "SELECT count(*) AS count FROM commit_log", None, place)

        return history._steadily(act)

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(ask)
        assert begun.wait(60)
        history._is_lost = True
        assert len(history.read("pipeline/reads", {"repo": REPO, "first": DAY, "last": DAY})) == 1
        assert reading.result(60) == [{"count": 3}]
    assert len(waits) == 1


def test_a_connection_that_is_made_anew_while_the_history_is_closed_is_closed_with_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[duckdb.DuckDBPyConnection] = []
    prepared = History._prepared

    def closed_meanwhile(history: History) -> duckdb.DuckDBPyConnection:
        made.append(prepared(history))
        history.close()
        return made[0]

    monkeypatch.setattr(History, "_prepared", closed_meanwhile)
    history._is_lost = True
    with pytest.raises(StoreError, match="closed already"):
        history.read("pipeline/timezones")
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        made[0].execute("SELECT 1")
    with pytest.raises(StoreError, match="closed already"):
        history.replace(*partition(DAY, 1))


def test_ctrl_c_while_a_connection_is_made_anew_is_ctrl_c(history: History) -> None:
    with pytest.raises(KeyboardInterrupt), history._reader():
        history._readers.is_closed = True
        raise KeyboardInterrupt
    history._use(history._connection)


def test_who_waits_for_a_history_that_does_not_answer_is_told_when_it_is_closed(history: History) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(history._sleep, 600)
        history.close()
        with pytest.raises(StoreError, match="closed already"):
            waiting.result(60)


def file_is_gone(file: Path) -> None:
    file.unlink()


def file_is_text(file: Path) -> None:
    file.write_text("this is no Parquet\n" * 50, encoding="utf-8")


def file_is_empty(file: Path) -> None:
    file.write_bytes(b"")


def file_is_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    "damage", [file_is_gone, file_is_text, file_is_empty, file_is_cut], ids=lambda damage: damage.__name__
)
def test_a_damaged_file_of_rows_is_named_in_one_line(data_dir: Path, damage: Any) -> None:  # noqa: ANN401 - one of the above
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 3))
        keep(history.place)
    [file] = (data_dir / "store/files").rglob("commit_log/*.parquet")
    damage(file)
    query = {"repo": REPO, "first": DAY, "last": DAY}
    with History(Place(data_dir), ZONE) as history, pytest.raises(StoreDamaged) as raised:
        history.read("pipeline/commits_of_days", query)
    assert "\n" not in str(raised.value)
    assert str(data_dir / "store") in str(raised.value)
    with pytest.raises(StoreDamaged):
        read_once(Place(data_dir), "pipeline/commits_of_days", query)


def test_a_catalog_that_is_gone_beside_its_rows_is_damage_and_no_new_history(data_dir: Path) -> None:
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 30))
        keep(history.place)
    for file in (data_dir / "store").glob("catalog.sqlite*"):
        file.unlink()
    for opening in (
        lambda: History(Place(data_dir), ZONE),
        lambda: open_history(data_dir),
        lambda: has_history(Place(data_dir)),
    ):
        with pytest.raises(StoreDamaged, match="is gone"):
            opening()
    assert not (data_dir / "store/catalog.sqlite").exists()


@pytest.mark.parametrize(
    "damage", [file_is_gone, file_is_empty, file_is_cut], ids=lambda damage: damage.__name__
)
def test_a_look_at_the_files_finds_damage_that_no_query_met(data_dir: Path, damage: Any) -> None:  # noqa: ANN401 - as above
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 30))
        keep(history.place)
    check_files(Place(data_dir))
    [file] = (data_dir / "store/files").rglob("commit_log/*.parquet")
    damage(file)
    with pytest.raises(StoreDamaged, match=file.name):
        check_files(Place(data_dir))


def test_a_query_that_is_interrupted_is_an_interrupt(data_dir: Path, request: pytest.FixtureRequest) -> None:
    with History(Place(data_dir), ZONE) as history:
        timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
        # What a shell starts in the background has SIGINT ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            rows_of(
                history._connection,
                "SELECT count(*) FROM range(10000000000) WHERE random() < 0",
                None,
                Place(data_dir),
            )
        timer.join()
        history.replace(*partition(DAY, 2))
        assert len(everything(history)) == 3


def test_moving_the_store_away_begins_a_new_history(data_dir: Path, tmp_path: Path) -> None:
    with History(Place(data_dir), ZONE) as history:
        history.replace(*partition(DAY, 3))
    shutil.move(data_dir / "store", tmp_path / "away")
    with History(Place(data_dir), ZoneInfo("Asia/Shanghai")) as history:
        assert everything(history) == []


@pytest.mark.parametrize("is_deleted", [False, True])
def test_who_has_a_store_open_that_is_gone_writes_nothing_to_the_next_one(
    data_dir: Path, tmp_path: Path, *, is_deleted: bool
) -> None:
    place = Place(data_dir)
    backup = shutil.copytree(data_dir / "store", tmp_path / "backup")
    with History(place, ZONE) as early:
        early.replace(*partition(DAY, 3))
        if is_deleted:
            shutil.rmtree(data_dir / "store")
        else:
            shutil.move(data_dir / "store", tmp_path / "back/store")
        gone = "was moved away or replaced while this process had it open"
        with pytest.raises(StoreError, match=gone):
            early.replace(*partition(DAY, 4))
        shutil.copytree(backup, data_dir / "store")
        with History(place, ZONE) as restored:
            restored.replace(*partition(DAY, 5))
            before = everything(restored)
            with pytest.raises(StoreError, match=gone):
                early.replace(*partition(DAY, 4))
            assert everything(restored) == before
    if not is_deleted:
        with History(Place(tmp_path / "back"), ZONE) as history:
            assert len(everything(history)) == 4, "the old one is as it was"


def test_an_upkeep_stops_where_the_store_was_exchanged_under_it(kept: Place, tmp_path: Path) -> None:
    def exchange(_: str, number: int, __: int) -> None:
        if number == 3:
            shutil.move(kept.folder, tmp_path / "away")
            shutil.copytree(tmp_path / "away", kept.folder)

    with pytest.raises(StoreError, match="was moved away or replaced"):
        keep(kept, said=exchange)


@EVERYWHERE
def test_the_least_and_the_most_of_a_table_are_those_of_its_rows(history: History, place: Place) -> None:
    # DuckDB may answer them from statistics alone.
    asked = "SELECT min(day), max(day), min(position), min(authored_at) FROM commit_log"
    assert history._connection.execute(asked).fetchall() == [(None, None, None, None)]
    for day in (DAY, DAY + timedelta(days=3), DAY - timedelta(days=3)):
        history.replace(*partition(day, 3))
        by_rows = asked + " WHERE sha || '' <> ''"
        assert (
            history._connection.execute(asked).fetchall() == history._connection.execute(by_rows).fetchall()
        )
    keep(place)
    with History(place, ZONE) as again:
        assert again._connection.execute(asked).fetchall() == again._connection.execute(by_rows).fetchall()


@EVERYWHERE
def test_an_empty_table_has_statistics_and_nothing_else(history: History, place: Place) -> None:
    # Without them DuckLake asks its catalog once for each column of each query.
    connection = history._connection
    empty = connection.execute(
        f"SELECT table_name, record_count FROM {CATALOG}.ducklake_table JOIN {CATALOG}.ducklake_table_stats "
        "USING (table_id) WHERE table_name <> 'schema_migrations' ORDER BY 1"
    ).fetchall()
    assert empty == [(table, 0) for table in tables(connection)]
    for table in tables(connection):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]
    assert wrong_bounds(connection) == []
    assert list(place.folder.rglob("*.parquet")) == []
    limits = connection.execute(
        f"SELECT table_name, value FROM {CATALOG}.ducklake_metadata JOIN {CATALOG}.ducklake_table "
        "ON table_id = scope_id WHERE key = 'data_inlining_row_limit' ORDER BY 1"
    ).fetchall()
    never_wait = [
        "analyses",
        "commit_files",
        "digests",
        "pull_requests",
        "reader_pages",
        "reports",
        "rollups",
    ]
    assert limits == [(table, "0") for table in never_wait]


@EVERYWHERE
def test_the_first_rows_of_a_table_give_it_its_bounds(history: History, place: Place) -> None:
    fill_days(history, [DAY, DAY - timedelta(days=3)])
    assert wrong_bounds(history._connection) == []
    assert written_twice(history._connection) == []
    for table in ("analyses", "commit_files", "commit_log", "commit_sizes", "digests", "reads", "reports"):
        bounds = bounds_in_catalog(history._connection, table, "day")
        assert bounds == (f"{DAY - timedelta(days=3)}", f"{DAY}"), table


@EVERYWHERE
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_what_was_done_to_the_statistics_and_not_recorded_is_done_again_without_harm(
    history: History, place: Place, filled: bool
) -> None:
    connection = history._connection
    if filled:
        fill_days(history, [DAY])

    def statistics() -> list[list[tuple[Any, ...]]]:
        return [
            connection.execute(f"FROM {CATALOG}.{table} ORDER BY ALL").fetchall()
            for table in ("ducklake_table_stats", "ducklake_table_column_stats")
        ]

    def again() -> None:
        last = [name for name in names("migrations") if name.endswith("_catalog")]
        assert len(last) > 1
        for name in last:
            connection.execute(statement(f"migrations/{name}"))
        attach_again(connection, place)

    before = statistics()
    again()
    assert statistics() == before
    # Of two statements the first alone.
    never = f"SELECT table_id FROM {CATALOG}.ducklake_table_stats WHERE record_count = 0 AND next_row_id = 0"
    [(gone,)] = connection.execute(
        f"DELETE FROM {CATALOG}.ducklake_table_column_stats WHERE table_id IN ({never})"
    ).fetchall()
    assert (gone > 0) == (statistics() != before)
    assert filled or gone > 100
    again()
    assert [len(rows) for rows in statistics()] == [len(rows) for rows in before]
    fill_days(history, [DAY, DAY + timedelta(days=1)])
    assert written_twice(connection) == []
    assert wrong_bounds(connection) == []


@EVERYWHERE
def test_who_has_the_history_open_while_empty_places_go_reads_and_writes_as_before(
    history: History, place: Place
) -> None:
    connection = history._connection
    rows_of_places = f"FROM {CATALOG}.ducklake_inlined_data_tables ORDER BY ALL"
    without = connection.execute(rows_of_places).fetchall()
    # As an earlier version left them; the places themselves are there.
    connection.execute(
        f"INSERT INTO {CATALOG}.ducklake_inlined_data_tables "
        "SELECT scope_id, format('ducklake_inlined_data_{}_{}', scope_id, version), version "
        f"FROM {CATALOG}.ducklake_metadata, "
        f"(SELECT max(schema_version) AS version FROM {CATALOG}.ducklake_inlined_data_tables) "
        "WHERE key = 'data_inlining_row_limit'"
    )
    assert len(connection.execute(rows_of_places).fetchall()) == len(without) + 7
    counts = "SELECT (SELECT count(*) FROM commit_files), (SELECT count(*) FROM reports)"
    with History(place, ZONE) as earlier, open_place(place, ZONE) as reader:
        assert reader.execute(counts).fetchall() == [(0, 0)]
        assert earlier._connection.execute(counts).fetchall() == [(0, 0)]
        connection.execute(statement("migrations/0016_no_empty_places_catalog"))
        assert connection.execute(rows_of_places).fetchall() == without
        fill_days(earlier, [DAY])
        [seen] = reader.execute(counts).fetchall()
        assert min(seen) > 0
        with History(place, ZONE) as later:
            assert later._connection.execute(counts).fetchall() == [seen]
            fill_days(later, [DAY, DAY + timedelta(days=1)])
            [more] = later._connection.execute(counts).fetchall()
        assert reader.execute(counts).fetchall() == earlier._connection.execute(counts).fetchall() == [more]
        assert min(more) > min(seen)
    assert connection.execute(rows_of_places).fetchall() == without


@EVERYWHERE
def test_bounds_that_an_earlier_version_left_are_mended_when_the_history_is_opened(
    history: History, place: Place
) -> None:
    fill_days(history, [DAY])
    connection = history._connection
    connection.execute("DELETE FROM schema_migrations WHERE name LIKE '%_catalog'")
    for name in sorted(SUPERSEDED):
        connection.execute("BEGIN")
        connection.execute(superseded(name))
        connection.execute("COMMIT")
    with open_place(place, ZONE) as reader:
        assert wrong_bounds(reader) != []
    History(place, ZONE).close()
    with open_place(place, ZONE) as reader:
        assert wrong_bounds(reader) == []
        assert written_twice(reader) == []


@EVERYWHERE
def test_bounds_of_rows_that_were_taken_away_are_forgotten_and_rows_come_as_before(
    history: History, place: Place
) -> None:
    connection = history._connection
    fill_days(history, [DAY])
    ids = {
        f"{table}.{column}": {"table": table_id, "column": column_id}
        for table, column, table_id, column_id in connection.execute(
            f"SELECT table_name, column_name, table_id, column_id FROM {CATALOG}.ducklake_column AS columns "
            f"JOIN {CATALOG}.ducklake_table AS tables USING (table_id) WHERE columns.end_snapshot IS NULL"
        ).fetchall()
    }
    keys = [
        "attempts.repo",
        "answers.input_hash",
        "alarms.kind",
        "commit_log.repo",
        "reads.repo",
        "commit_sizes.repo",
    ]
    # What 0011 and an import left; a text that is empty in some row is no key.
    for name in (*keys, "analyses.input_hash"):
        connection.execute(
            f"UPDATE {CATALOG}.ducklake_table_column_stats SET min_value = '' "
            "WHERE table_id = $table AND column_id = $column",
            ids[name],
        )
    connection.execute(statement("migrations/0015_bounds_of_rows_catalog"))
    attach_again(connection, place)
    left = connection.execute(
        f"SELECT table_name, count(*) FROM {CATALOG}.ducklake_table_column_stats "
        f"JOIN {CATALOG}.ducklake_table USING (table_id) GROUP BY ALL HAVING count(*) = 1 ORDER BY 1"
    ).fetchall()
    assert left == sorted((name.partition(".")[0], 1) for name in keys)
    assert wrong_bounds(connection) == []
    # Two that write at once, which DuckLake looks at by the statistics of all tables.
    with open_place(place, ZONE) as reader:
        before = reader.execute("SELECT count(*) FROM commit_log").fetchall()
    one, other = (connect(place, read_only=False, timezone=ZONE) for _ in range(2))
    with one, other:
        one.execute("BEGIN")
        one.execute("SELECT count(*) FROM commit_log").fetchall()
        other.execute("INSERT INTO commit_sizes FROM commit_sizes LIMIT 1")
        one.execute("INSERT INTO commit_log FROM commit_log LIMIT 1")
        if place.shared is None:
            # SQLite lets nobody write over what he has not read.
            with pytest.raises(duckdb.TransactionException, match="locked"):
                one.execute("COMMIT")
            one.execute("INSERT INTO commit_log FROM commit_log LIMIT 1")
        else:
            one.execute("COMMIT")
    history.replace(*partition(DAY + timedelta(days=1), 2))
    with open_place(place, ZONE) as reader:
        [(count,)] = reader.execute("SELECT count(*) FROM commit_log").fetchall()
        assert count == before[0][0] + 3
        assert wrong_bounds(reader) == []


def test_what_is_loaded_later_has_to_be_signed(history: History, tmp_path: Path) -> None:
    package = importlib.util.find_spec("duckdb_extension_httpfs")
    assert package is not None
    assert package.submodule_search_locations is not None
    [signed] = Path(package.submodule_search_locations[0]).rglob("*.duckdb_extension")
    forged = tmp_path / signed.name
    forged.write_bytes(signed.read_bytes()[:-1] + b"!")
    with pytest.raises(duckdb.IOException, match="signature is either missing or invalid"):
        history._connection.execute(f"LOAD '{forged}'")


def test_a_making_that_was_interrupted_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "data/store").mkdir(parents=True)
    (tmp_path / "data/store/catalog.sqlite").write_bytes(b"")
    with History(Place(tmp_path / "data"), ZONE) as history:
        history.replace(*partition(DAY, 1))
        assert len(everything(history)) == 2


def snapshots(history: History) -> int:
    [(count,)] = history._connection.execute("SELECT count(*) FROM ducklake_snapshots('history')").fetchall()
    return int(count)


@EVERYWHERE
def test_the_catalog_never_counts_fewer_rows_than_there_are(history: History, place: Place) -> None:
    def counted() -> tuple[int, int]:
        [known] = rows_of(history._connection, statement("pipeline/rows_of_log"), None, place)
        [there] = rows_of(history._connection, "SELECT count(*) AS rows FROM commit_log", None, place)
        return known["record_count"], there["rows"]

    days = days_from(DAY, 3)
    for many in (3, 900, 40, 1):  # few wait in the catalog, many are a file
        for day in days:
            rows = [commit(day, number) for number in range(many)]
            history.replace(Replacement("commit_log", {"day": [day]}, rows))
        known, there = counted()
        assert known >= there == many * len(days)
        keep(place)
        known, there = counted()
        assert known >= there == many * len(days)
