"""Waiting for other writers: told, bounded, and given up without a trace; in a thread as in the main one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.errors import StoreBusy
from digest_pipeline.store.lock import Patience, writers_lock
from digest_pipeline_tests.store.rows import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Event

    from digest_pipeline.store.place import Place

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
    holds = context.Event()
    holder = context.Process(target=hold, args=(place, holds, context.Event()))
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
