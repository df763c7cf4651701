"""The writers' lock: all that write, of all processes, one after the other."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from digest_pipeline.store.place import Place


class WritersLock(Protocol):
    """Held while its block runs."""

    def __call__(self) -> AbstractContextManager[None]:
        """Wait for the writers that came before, and keep out those that come after."""


class FileLock:
    """The lock of one machine. Blocking: polling starved some writers for a minute."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Wait for the writers that came before, and keep out those that come after."""
        with self._path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def writers_lock(place: Place) -> WritersLock:
    """The lock that all writers of the history in `place` take."""
    return FileLock(place.lock_path)
