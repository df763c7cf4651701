"""A history that was made beside its place, put there as a whole: until then nobody sees any of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest_pipeline.errors import UsageError
from digest_pipeline.store.history import History, has_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.whole import not_written, removed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_MAKING = "store.making"


def must_be_free(place: Place) -> None:
    """Raise UsageError where there is a history already, with the way out."""
    if has_history(place) or (place.folder.is_dir() and any(place.files.rglob("*.parquet"))):
        raise UsageError(
            f"there is a history in {place} already, and it is left as it is; move {place.folder} away, "
            "or name another data_dir"
        )


@contextmanager
def being_made(place: Place) -> Iterator[Place]:
    """A place of its own in the same data folder, empty at first and gone in the end."""
    made = Place(place.data_dir / _MAKING)
    removed(made.data_dir)
    try:
        made.folder.mkdir(parents=True)
        yield made
    except OSError as error:
        raise not_written(made.data_dir, error) from None
    finally:
        removed(made.data_dir)


def settle(made: Place, place: Place, timezone: ZoneInfo) -> None:
    """Make the history in `made`, which nobody has open, the one in `place`. Raises UsageError, StoreError, OSError."""
    must_be_free(place)
    removed(place.folder)
    made.folder.rename(place.folder)
    # The connection's first act: what any shell opens it with.
    History(place, timezone).close()
