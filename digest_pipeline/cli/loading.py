"""While Dagster is loaded: Ctrl-C, which Python would lose, and garbage, of which there is hardly any."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def loading() -> Iterator[None]:
    """For the imports of a run, beside which another thread opens the history: what they load stays to the end.

    Ctrl-C comes at the end of the block. What a process loads for the first time is not looked through for garbage,
    neither in the block nor later.
    """
    with _interrupts_held(), _kept():
        yield


@contextmanager
def _kept() -> Iterator[None]:
    # Who calls a command twice has loaded it, and what lies about by now may be garbage.
    if "dagster" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C that comes in the block is raised at its end, but where somebody else handles it or it is ignored.

    For imports beside another thread. Python forgets one that comes while it tidies up after an import, and keeps the
    lock that it held: the other thread waits at its next import for ever.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if came:  # who asks twice does not want to wait
            signal.default_int_handler(number, frame)
        came.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt
