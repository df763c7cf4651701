"""While Dagster is loaded, Ctrl-C waits and nothing is looked through for garbage."""

from __future__ import annotations

import gc
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.cli.loading import loading

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _python_handles_it() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_comes_at_the_end_of_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_block_that_fails_says_why_and_leaves_interrupts_as_they_were() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_asks_twice_does_not_wait() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        done.append("once")
        signal.raise_signal(signal.SIGINT)
        done.append("twice")
    assert done == ["once"]


def test_a_block_that_fails_after_an_interrupt_was_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        raise ImportError


def test_one_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with loading():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_loaded_is_no_garbage_and_what_comes_later_may_be(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "dagster", raising=False)
    gc.unfreeze()
    try:
        with suppress(ImportError), loading():
            assert not gc.isenabled()
            loaded: list[object] = [[]]
            if fails:
                raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        later: list[object] = [[]]
        looked_through = gc.get_objects()
        assert any(one is later for one in looked_through)
        assert not any(one is loaded for one in looked_through)
    finally:
        gc.unfreeze()


def test_a_process_that_loaded_it_before_forgets_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster", sys.modules[__name__])
    gc.unfreeze()
    with loading():
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0
