"""Acting on a history under the lock of its writers: what went wrong is told as ours, what passes is waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import duckdb

from digest_pipeline.errors import StoreBusy, StoreError, StoreUnavailable
from digest_pipeline.store.connection import cause, interruptible, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_pipeline.store.lock import Held, WritersLock
    from digest_pipeline.store.place import Place

T = TypeVar("T")

Say = Callable[[str, int, int], None]
"""Told what is being done now, how many steps are done, and of how many."""

_log = logging.getLogger(__name__)

_TRIES = 6
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Between tries to reach a database or bucket that does not answer: a restart takes seconds, a failover a minute."""


def steadily(
    act: Callable[[], T],
    *,
    waits: Sequence[float] = WAITS,
    sleep: Callable[[float], None] = time.sleep,
    lost: Callable[[], None] = lambda: None,
) -> T:
    """What `act` gives, tried again where a database or bucket did not answer; `lost` is told before each next try.

    `act` makes its connection anew then: what is behind one that broke is not known. Raises StoreError.
    """
    for wait in (*waits, None):
        try:
            return act()
        except StoreUnavailable as failure:
            lost()
            if wait is None:
                raise
            _log.warning("%s; trying again in %s s", failure, wait)
            sleep(wait)
    raise AssertionError("the last try raises")


def under_lock(
    place: Place,
    lock: WritersLock,
    act: Callable[[Held], T],
    *,
    connection: Callable[[], duckdb.DuckDBPyConnection] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `act` gives while no other writer is at the history; again where one that takes no lock was faster.

    `act` is handed what says right before a COMMIT that it may come. Raises StoreError, one line that says what to do
    whatever went wrong.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            with lock() as held, interruptible(connection() if connection is not None else None):
                held()
                return act(held)
        except duckdb.Error as error:
            failure = translate(error, place)
            if not isinstance(failure, StoreBusy) or attempt == _TRIES:
                raise failure from cause(error, place)
            sleep(0.1 * 2**attempt)
        except OSError as error:
            raise unwritable(place, error) from None
    raise AssertionError("the last try raises")


def unwritable(place: Place, error: OSError) -> StoreError:
    """The error for what this machine does not let us write."""
    where = place.data_dir if place.shared is None else error.filename or place.data_dir
    return StoreError(f"{where} cannot be written: {error.strerror or error}; check data_dir and its rights")
