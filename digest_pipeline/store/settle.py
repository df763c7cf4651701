"""A history that is made beside its place, and put there as a whole: until then nobody sees any of it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest_pipeline.errors import UsageError
from digest_pipeline.store.files import statement
from digest_pipeline.store.history import has_history, open_history, rows_of
from digest_pipeline.store.place import Place
from digest_pipeline.store.whole import not_written, removed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAKING = ".store.making"


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
    """A place of its own below `folder`, empty at first and gone in the end; what killed processes left goes too."""
    for left in folder.glob(f"{_MAKING}.*"):
        if not _is_alive(left.suffix[1:]):
            removed(left)
    made = Place(folder / f"{_MAKING}.{os.getpid()}")
    removed(made.data_dir)
    try:
        made.folder.mkdir(parents=True)
        yield made
    except OSError as error:
        raise not_written(made.data_dir, error) from None
    finally:
        removed(made.data_dir)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
