"""Waiting for other writers: told, bounded, and given up without a trace; in a thread as in the main one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pytest

from digest_pipeline.errors import StoreBusy
from digest_pipeline.store.lock import Patience, writers_lock
from digest_pipeline_tests.store.rows import EVERYWHERE

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from digest_pipeline.store.place import Place

HASTY = Patience(tell_after=0.05, tell_again=0.1, give_up_after=0.3)


def hold(place: Place, holds: Event, until: Event) -> None:
    with writers_lock(place)():
        holds.set()
        until.wait(60)


class Holder:
    """Another process that holds the lock, until it is told to let go."""

    def __init__(self, place: Place) -> None:
        context = multiprocessing.get_context("spawn")
        self._holds, self._until = context.Event(), context.Event()
        self.process = context.Process(target=hold, args=(place, self._holds, self._until))

    def __enter__(self) -> Self:
        self.process.start()
        assert self._holds.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        if self.process.exitcode is None:
            self._until.set()
        self.process.join(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.join(60)


@EVERYWHERE
def test_who_waits_is_told_for_whom_and_not_for_ever(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with Holder(place) as holder:
        with (
            pytest.raises(StoreBusy, match="run again: nothing was lost") as raised,
            writers_lock(place, HASTY)(),
        ):
            pytest.fail("two hold the lock")
        who = f"process {holder.process.pid} on "
        assert who in str(raised.value)
        assert "\n" not in str(raised.value)
        assert caplog.messages
        assert all(who in line and "waiting since" in line for line in caplog.messages)
        assert len(caplog.messages) < 4, "told at growing distance, not at every look"
    # Whoever gave up holds nothing, nor takes it later.
    with writers_lock(place, HASTY)():
        pass


@EVERYWHERE
def test_a_lock_that_is_let_go_goes_to_who_waits_in_a_thread(place: Place) -> None:
    got = threading.Event()

    def write() -> None:
        with writers_lock(place)():
            got.set()

    with Holder(place) as holder:
        thread = threading.Thread(target=write)
        thread.start()
        assert not got.wait(0.2)
        holder.let_go()
        assert got.wait(30)
        thread.join()


@EVERYWHERE
def test_a_holder_that_is_killed_holds_nothing(place: Place) -> None:
    with Holder(place) as holder:
        holder.kill()
        with writers_lock(place, Patience(give_up_after=30))():
            pass


@EVERYWHERE
def test_ctrl_c_ends_the_waiting(place: Place, request: pytest.FixtureRequest) -> None:
    # What a shell starts in the background has SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with Holder(place), ExitStack() as stack:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            stack.enter_context(writers_lock(place)())
        timer.join()
    with writers_lock(place, HASTY)():
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
