"""Waiting for other writers: told, bounded, and given up without a trace; in a thread as in the main one."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg2  # type: ignore[import-untyped]
import pytest

from digest_pipeline.errors import StoreBusy, StoreUnavailable
from digest_pipeline.store import postgres
from digest_pipeline.store.history import History
from digest_pipeline.store.lock import Patience, writers_lock
from digest_pipeline.store.place import Place
from digest_pipeline.store.postgres import AdvisoryLock
from digest_pipeline_tests.store.rows import EVERYWHERE, partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.synchronize import Event

UTC = ZoneInfo("UTC")
DAY = date(2026, 1, 5)
HASTY = Patience(tell_after=0.05, tell_again=0.1, give_up_after=0.3)


def hold(place: Place, holds: Event | threading.Event, until: Event | threading.Event) -> None:
    with writers_lock(place)():
        holds.set()
        until.wait(60)


@contextmanager
def held(place: Place) -> Iterator[threading.Event]:
    """Somebody else holds the lock, until the block is over or the event set."""
    holds, until = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(place, holds, until))
    holder.start()
    assert holds.wait(60)
    try:
        yield until
    finally:
        until.set()
        holder.join()


@EVERYWHERE
def test_who_waits_is_told_for_whom_and_not_for_ever_and_who_is_killed_holds_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    context = multiprocessing.get_context("spawn")
    holds, until = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(place, holds, until))
    holder.start()
    assert holds.wait(60)
    with (
        pytest.raises(StoreBusy, match="run again: nothing was lost") as raised,
        writers_lock(place, HASTY)(),
    ):
        pytest.fail("two hold the lock")
    who = f"process {holder.pid} on "
    assert who in str(raised.value)
    assert "\n" not in str(raised.value)
    assert caplog.messages
    assert all(who in line and "waiting since" in line for line in caplog.messages)
    assert len(caplog.messages) < 4, "told at growing distance, not at every look"
    holder.kill()
    with writers_lock(place, Patience(give_up_after=30))():
        pass
    holder.join()


@EVERYWHERE
def test_a_lock_that_is_let_go_goes_to_who_waits_in_a_thread_and_not_to_who_gave_up(place: Place) -> None:
    got = threading.Event()

    def write() -> None:
        with writers_lock(place)():
            got.set()

    with held(place) as until:
        with pytest.raises(StoreBusy), writers_lock(place, HASTY)():
            pytest.fail("two hold the lock")
        thread = threading.Thread(target=write)
        thread.start()
        assert not got.wait(0.2)
        until.set()
        assert got.wait(30)
        thread.join()
    with writers_lock(place, Patience(give_up_after=30))():
        pass


@EVERYWHERE
def test_ctrl_c_ends_the_waiting(place: Place, request: pytest.FixtureRequest) -> None:
    # What a shell starts in the background has SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with held(place), ExitStack() as stack:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            stack.enter_context(writers_lock(place)())
        timer.join()
    with writers_lock(place, Patience(give_up_after=30))():
        pass


@EVERYWHERE
def test_threads_of_one_process_wait_for_each_other(place: Place) -> None:
    lock = writers_lock(place)
    inside: list[int] = []
    most: list[int] = []

    def write() -> None:
        for _ in range(10):
            with lock():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (40, 1)


# --- the lock of many machines, when the one that holds it is gone ----------------------------------------


@pytest.fixture
def shared(shared_place: Callable[[str], Place]) -> Place:
    return shared_place("here")


def asked(place: Place, query: str, *words: object) -> list[tuple[object, ...]]:
    assert place.shared is not None
    with closing(psycopg2.connect(**place.shared.catalog)) as connection:
        cursor = connection.cursor()
        cursor.execute(query, words)
        found: list[tuple[object, ...]] = cursor.fetchall()
        return found


def end_the_holder(place: Place) -> None:
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    assert asked(place, query) == [(True,)]


@pytest.mark.postgres
def test_a_machine_that_vanishes_is_noticed_by_the_server_in_a_minute(shared: Place) -> None:
    lock = AdvisoryLock(shared, HASTY)
    connection = lock._taken()
    cursor = connection.cursor()
    cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_%%' ORDER BY name")
    postgres._wait(connection, time.monotonic() + 10)
    assert cursor.fetchall() == [
        ("tcp_keepalives_count", "3"),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_user_timeout", "60000"),
    ]
    connection.close()


@pytest.mark.postgres
def test_letting_go_of_a_lock_ends_where_nobody_answers(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared.shared is not None
    monkeypatch.setattr(postgres, "_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        catalog = dict(shared.shared.catalog)
        server = socket.create_connection((catalog["host"], int(catalog["port"])))
        cut = threading.Event()
        thread = threading.Thread(target=carry, args=(listener, server, cut))
        thread.start()
        catalog["port"] = str(listener.getsockname()[1])
        lock = writers_lock(Place(shared.data_dir, replace(shared.shared, catalog=catalog)))
        with pytest.raises(StoreUnavailable, match="the lock was lost: timeout expired"), lock() as held:
            held()
            cut.set()
            held()
        stack.callback(thread.join)


def carry(listener: socket.socket, server: socket.socket, cut: threading.Event) -> None:
    """Carry bytes to and fro, until the line is cut: then nothing answers, and nothing is closed."""
    client, _ = listener.accept()
    other = {client: server, server: client}
    with client, server:
        while True:
            for one in select.select([client, server], [], [], 5)[0]:
                data = one.recv(1 << 16)
                if not data:
                    return
                if not cut.is_set():
                    other[one].sendall(data)


@pytest.mark.postgres
def test_what_was_written_under_a_lock_that_was_lost_is_not_committed(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    with History(shared, UTC, sleep=waits.append) as history:
        insert = history._insert

        def once(table: str, rows: Any) -> None:  # noqa: ANN401 - as they come
            insert(table, rows)
            monkeypatch.setattr(history, "_insert", insert)
            end_the_holder(shared)
            with History(shared, UTC) as faster:  # who waited for the lock has it now
                faster.replace(*partition(DAY, 3))

        monkeypatch.setattr(history, "_insert", once)
        history.replace(*partition(DAY, 3))
        assert waits == [1.0]
        rows = history._connection.execute("SELECT count(*), count(DISTINCT sha) FROM commits").fetchall()
        assert rows == [(3, 3)]
