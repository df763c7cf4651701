"""A history that machines share: PostgreSQL goes away and comes back, writers die, and nothing is half or twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.errors import ConfigurationError, StoreDamaged, StoreError, StoreUnavailable
from digest_pipeline.store.history import History, Replacement, check_files, has_history, open_history
from digest_pipeline.store.move import move
from digest_pipeline.store.place import Bucket, Place, Shared
from digest_pipeline.store.postgres import read_address
from digest_pipeline_tests.fakes import s3
from digest_pipeline_tests.fakes.deaf import Deaf
from digest_pipeline_tests.fakes.postgres import PASSWORD
from digest_pipeline_tests.store.rows import REPO, partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Event
    from pathlib import Path

    from digest_pipeline_tests.fakes.postgres import PostgresServer
    from digest_pipeline_tests.fakes.s3 import S3Server

    Machines = Callable[[str], Place]

pytestmark = pytest.mark.postgres

UTC = ZoneInfo("UTC")
DAY = date(2026, 1, 5)
NEXT = date(2026, 1, 6)
WRONG = "wr0ng-word"
COUNT = "SELECT count(*) FROM commits"


def attempt(number: int) -> Replacement:
    """A row that is added and replaces none."""
    asked = {
        "repo": REPO,
        "day": DAY,
        "sha": f"{number:040x}",
        "language": "en",
        "attempt": 1,
        "seconds": 1.5,
    }
    asked |= {"started_at": f"{DAY}T10:00:00+00:00", "outcome": "ok"}
    asked |= dict.fromkeys(("endpoint", "model", "purpose"), "some")
    return Replacement(
        "attempts", {}, [asked | dict.fromkeys(("tokens_in", "tokens_out", "tokens_cached"), 0)]
    )


def counted(history: History, query: str = COUNT) -> int:
    rows = history._connection.execute(query).fetchall()
    return int(rows[0][0])


def test_what_one_machine_writes_another_reads(shared_place: Machines) -> None:
    with History(shared_place("one"), UTC) as one, open_history(shared_place("two")) as reader:
        for size in (3, 30):  # few rows wait in the catalog, many are a file
            one.replace(*partition(DAY, size))
            assert reader.execute(COUNT).fetchall() == [(size,)]
    check_files(shared_place("two"))
    assert not (shared_place("two").data_dir / "store").exists(), "a reader leaves nothing"


def test_nobody_begins_anew_beside_a_history_of_this_machine(
    data_dir: Path, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(
        data_dir, Shared(read_address(postgres_server.create_database()), str(tmp_path / "everywhere"))
    )
    with History(Place(data_dir), UTC) as history:
        history.replace(*partition(DAY, 3))
    # However often it is tried, and whatever a move that was killed has made there.
    for _ in range(2):
        with pytest.raises(StoreError, match=r"holds a history, and .* holds none yet") as refused:
            History(place, UTC)
        assert "run digest store move --to shared" in str(refused.value)
        assert f"move {data_dir / 'store'} away" in str(refused.value)
        assert PASSWORD not in str(refused.value)
    move(Place(data_dir), place, UTC)
    with History(place, UTC) as history:
        assert counted(history) == 3
    # The same one by another name, or one that was lost.
    other = Shared(read_address(postgres_server.create_database()), str(tmp_path / "other"))
    with pytest.raises(StoreError, match=r"carried to postgresql://.*, and .* holds none: name in \[store\]"):
        History(Place(data_dir, other), UTC)


def test_a_history_of_this_machine_keeps_nobody_out_where_it_is_empty_or_the_shared_one_is_not(
    data_dir: Path, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    shared = Shared(read_address(postgres_server.create_database()), str(tmp_path / "everywhere"))
    empty = tmp_path / "empty"
    History(Place(empty), UTC).close()
    with History(Place(empty, shared), UTC) as history:
        history.replace(*partition(DAY, 3))
    with History(Place(data_dir), UTC) as history:
        history.replace(*partition(NEXT, 3))
    History(Place(data_dir, shared), UTC).close()


def test_a_server_that_restarts_between_and_in_transactions_loses_and_doubles_nothing(
    shared_place: Machines, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    with History(shared_place("one"), UTC, sleep=waits.append) as history:
        history.replace(*partition(DAY, 20))
        postgres_server.stop()
        postgres_server.start()
        assert history.read("pipeline/newest_day") == [{"newest": DAY}]
        insert = history._insert

        def once(table: str, rows: Any) -> None:  # noqa: ANN401 - as they come
            insert(table, rows)
            monkeypatch.setattr(history, "_insert", insert)
            postgres_server.stop()
            postgres_server.start()

        monkeypatch.setattr(history, "_insert", once)
        history.replace(attempt(1), *partition(NEXT, 20))
        assert (counted(history), counted(history, "SELECT count(*) FROM attempts")) == (40, 1)
        assert 1.0 in waits


ATTEMPTS = "SELECT count(*), count(DISTINCT sha) FROM attempts"


def test_a_commit_whose_answer_was_lost_is_not_done_again(
    shared_place: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History(shared_place("one"), UTC, sleep=lambda _: None) as history:
        monkeypatch.setattr(history, "_connection", Deaf(history._connection))
        history.replace(attempt(1))
        assert not isinstance(history._connection, Deaf), "the answer was meant to be lost"
        assert counted(history, "SELECT count(*) FROM attempts") == 1


def test_a_write_that_comes_after_one_whose_answer_stayed_lost_is_done(
    shared_place: Machines, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        if not waits:
            postgres_server.stop()
        waits.append(seconds)

    with History(shared_place("one"), UTC, sleep=sleep) as history:
        monkeypatch.setattr(history, "_connection", Deaf(history._connection))
        try:
            with pytest.raises(StoreUnavailable):
                history.replace(attempt(1))
        finally:
            postgres_server.start()
        history.replace(attempt(2))
        assert history._connection.execute(ATTEMPTS).fetchall() == [(2, 2)]


def test_a_thread_that_writes_while_another_waits_for_an_answer_does_its_own(
    shared_place: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        thread = threading.Thread(target=history.replace, args=(attempt(2),))
        thread.start()
        thread.join()

    with History(shared_place("one"), UTC, sleep=sleep) as history:
        monkeypatch.setattr(history, "_connection", Deaf(history._connection))
        history.replace(attempt(1))
        assert len(waits) == 1
        assert history._connection.execute(ATTEMPTS).fetchall() == [(2, 2)]


def test_a_server_that_stays_away_is_said_after_a_bounded_number_of_tries(
    shared_place: Machines, postgres_server: PostgresServer
) -> None:
    waits: list[float] = []
    with History(shared_place("one"), UTC, sleep=waits.append) as history:
        history.replace(*partition(DAY, 2))
        postgres_server.stop()
        try:
            for act in (
                lambda: history.replace(*partition(NEXT, 2)),
                lambda: history.read("pipeline/newest_day"),
            ):
                waits.clear()
                with pytest.raises(
                    StoreUnavailable, match=r"does not answer; start it.*nothing was lost"
                ) as raised:
                    act()
                assert "\n" not in str(raised.value)
                assert waits == sorted(waits)
                assert 60 <= sum(waits) < 120
            waits.clear()
            with pytest.raises(StoreUnavailable):
                History(shared_place("two"), UTC, sleep=waits.append)
            assert sum(waits) < 10, "who starts a run waits for an answer"
        finally:
            postgres_server.start()
        history.replace(*partition(NEXT, 2))
        assert counted(history) == 4


def write_for_ever(place: Place, began: Event) -> None:
    with History(place, UTC) as history:
        while True:
            for number in range(1, 40):
                history.replace(*partition(DAY, number, "ada/killed"), attempt(number))
                began.set()


def test_writers_that_are_killed_leave_it_whole_and_hold_nothing(shared_place: Machines) -> None:
    context = multiprocessing.get_context("spawn")
    for machine in ("one", "two"):
        began = context.Event()
        process = context.Process(target=write_for_ever, args=(shared_place(machine), began))
        process.start()
        assert began.wait(60)
        process.join(0.15)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with History(shared_place("four"), UTC) as history:
        rows = history._connection.execute(
            "SELECT commit_count, (SELECT count(*) FROM commits WHERE repo = 'ada/killed') FROM reads"
        ).fetchall()
        assert [row[0] for row in rows] == [row[1] for row in rows]
        history.replace(*partition(NEXT, 2))
    check_files(shared_place("four"))


# --- whose the files are ---------------------------------------------------------------------------------


def test_a_folder_that_is_not_the_historys_is_refused_before_anything_is_written(
    shared_place: Machines, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    here = shared_place("one")
    assert here.shared is not None
    with History(here, UTC) as history:
        history.replace(*partition(DAY, 20))
    elsewhere = Place(tmp_path / "two", replace(here.shared, data_url=str(tmp_path / "not-mounted")))
    with pytest.raises(ConfigurationError, match=r'store\.data_url = ".*not-mounted": has no history\.id'):
        History(elsewhere, UTC)
    assert not (tmp_path / "not-mounted").exists()
    with pytest.raises(StoreDamaged, match="see that this machine has that folder"):
        check_files(elsewhere)
    # Another history would take the files of this one for orphans.
    other = replace(here.shared, catalog=read_address(postgres_server.create_database()))
    with pytest.raises(ConfigurationError, match="holds the files of another history"):
        History(Place(tmp_path / "three", other), UTC)


def test_files_that_others_put_there_are_never_claimed_for_upkeep_would_remove_them(
    postgres_url: str, data_dir: Path, tmp_path: Path
) -> None:
    address = read_address(postgres_url)
    theirs = tmp_path / "lake" / "files" / "orders" / "part-0.parquet"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"PAR1")
    for folder, words in (
        (data_dir / "store", "is where a history of this machine alone lies"),
        (data_dir / "store" / "shared", "is where a history of this machine alone lies"),
        (tmp_path / "lake", r"part-0\.parquet lies there and is not of this history"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            History(Place(data_dir, Shared(address, str(folder))), UTC)
        assert not (folder / "history.id").exists()


def test_a_first_start_that_a_full_disk_cut_short_is_taken_up(postgres_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "here", Shared(read_address(postgres_url), str(tmp_path / "everywhere")))
    (tmp_path / "everywhere").mkdir()
    (tmp_path / "everywhere" / "history.id").touch()
    with History(place, UTC) as history:
        history.replace(*partition(DAY, 20))
    check_files(place)
    (tmp_path / "everywhere" / "history.id").write_text("")
    with pytest.raises(ConfigurationError, match=r"has no history\.id"):
        History(place, UTC)


@pytest.mark.s3
def test_what_is_wrong_with_a_bucket_is_one_line_that_says_what_to_do(
    postgres_server: PostgresServer, postgres_url: str, s3_server: S3Server, tmp_path: Path
) -> None:
    bucket = Bucket(s3_server.endpoint, "us-east-1", s3.KEY, s3.SECRET, "S3_KEY", "S3_SECRET")
    good = Shared(read_address(postgres_url), f"s3://{s3_server.create_bucket()}/team", bucket)
    for wrong, kind, words in (
        (
            replace(good, data_url="s3://no-such-bucket/team"),
            StoreError,
            'no bucket "no-such-bucket" at http',
        ),
        (replace(good, bucket=replace(bucket, secret=WRONG)), StoreError, "refuses the keys"),
        (replace(good, bucket=replace(bucket, key="AKIAWRONG")), StoreError, "refuses the keys"),
        (
            replace(good, bucket=replace(bucket, endpoint="http://127.0.0.1:9")),
            StoreUnavailable,
            "does not answer",
        ),
    ):
        with pytest.raises(kind, match=words) as raised:
            History(Place(tmp_path / "data", wrong), UTC, sleep=lambda _: None)
        message = str(raised.value)
        assert "\n" not in message
        assert not any(secret in message for secret in (*wrong.secrets, PASSWORD, WRONG, "AKIAWRONG"))
    place = Place(tmp_path / "data", good)
    with History(place, UTC) as history:
        history.replace(*partition(DAY, 30))
        history.settled_snapshot()
        assert counted(history) == 30
    check_files(place)
    other = replace(good, catalog=read_address(postgres_server.create_database()))
    with pytest.raises(ConfigurationError, match="holds the files of another history"):
        History(Place(tmp_path / "other", other), UTC)
    lake = f"{good.data_url}/lake"
    with History(place, UTC) as history:
        theirs = {"name": f"{lake}/files/orders/part-0.parquet"}
        history._connection.execute("COPY (SELECT 1 AS one) TO $name (FORMAT parquet)", theirs)
    with pytest.raises(ConfigurationError, match=r"part-0\.parquet lies there and is not of this history"):
        History(Place(tmp_path / "other", replace(other, data_url=lake)), UTC)
    assert not any(secret in repr(place) for secret in good.secrets)


def test_an_address_that_leads_nowhere_is_one_line_without_the_password(
    postgres_url: str, tmp_path: Path
) -> None:
    address = read_address(postgres_url)
    for wrong, kind in (
        ({"password": WRONG}, StoreError),
        ({"dbname": "nobody"}, StoreError),
        ({"port": "9"}, StoreUnavailable),
    ):
        shared = Shared({**address, **wrong}, str(tmp_path / "files"), catalog_env="DB_URL")
        for opening in (has_history, lambda place: History(place, UTC, sleep=lambda _: None)):
            with pytest.raises(kind, match="DB_URL") as raised:
                opening(Place(tmp_path / "data", shared))
            assert "\n" not in str(raised.value)
            assert not any(word in str(raised.value) for word in (PASSWORD, WRONG))
