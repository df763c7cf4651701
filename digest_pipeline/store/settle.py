"""A history that is made beside its place, and put there as a whole: until then nobody sees any of it."""

from __future__ import annotations

import fcntl
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest_pipeline.errors import StoreBusy, UsageError
from digest_pipeline.store.files import statement
from digest_pipeline.store.history import has_history, open_history, rows_of
from digest_pipeline.store.place import Place
from digest_pipeline.store.whole import not_written, removed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAKING = ".store.making"
_LOCK = ".making.lock"


def must_be_free(place: Place) -> None:
    """Raise UsageError where there is a history already, with the way out."""
    if not has_history(place):
        return
    if place.shared is not None:
        # Of many machines the first one that looks makes the tables.
        with open_history(place) as connection:
            if not rows_of(connection, statement("pipeline/any_read"), None, place):
                return
        raise UsageError(
            f"there is a history in {place} already, and it is left as it is; name another place"
        )
    raise UsageError(
        f"there is a history in {place} already, and it is left as it is; move {place.folder} away, "
        "or name another data_dir"
    )


@contextmanager
def being_made(folder: Path) -> Iterator[Place]:
    """A place of its own below `folder`, empty at first and gone in the end; what killed processes left goes too.

    One at a time in a folder, of all processes: raises StoreBusy where another one is at it.
    """
    made = Place(folder / f"{_MAKING}.{uuid.uuid4().hex[:8]}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            for left in folder.glob(f"{_MAKING}.*"):
                removed(left)
            try:
                made.folder.mkdir(parents=True)
                yield made
            finally:
                removed(made.data_dir)
    except OSError as error:
        raise not_written(made.data_dir, error) from None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """A lock, for a number of a process says nothing where containers share the folder: in each of them it is 1."""
    lock = folder / _LOCK
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one before may have taken its file away since this one opened it: then it locks nothing.
            is_held = os.path.samestat(os.fstat(descriptor), lock.stat())
        except (BlockingIOError, FileNotFoundError):
            is_held = False
        if not is_held:
            raise StoreBusy(
                f"another process is making a backup or a history in {folder}; run again once it is through"
            )
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
