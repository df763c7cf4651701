"""The mark that a history leaves behind where it was carried elsewhere: nobody goes on writing there by mistake.

Of an embedded history it is a file beside the catalog, of a shared one a comment in PostgreSQL on a table of the
catalog: both go where the history goes, and cost a write next to nothing to look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest_pipeline.errors import StoreLeft
from digest_pipeline.store.whole import written_whole

if TYPE_CHECKING:
    from digest_pipeline.store.place import Place

_FILE = "carried-to"


def carried_to(place: Place) -> str | None:
    """Where the history of `place` was carried; None where it was not. Raises StoreError, OSError."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import left_for  # noqa: PLC0415 - only where it is needed

        return left_for(place)
    file = place.folder / _FILE
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else None


def leave(place: Place, target: Place) -> None:
    """Mark that the history of `place` was carried to `target`. Raises StoreError."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import leave_for  # noqa: PLC0415 - as above

        leave_for(place, str(target))
        return
    with written_whole(place.folder / _FILE, force=True) as temporary:
        temporary.write_text(f"{target}\n", encoding="utf-8")


def come_back(place: Place) -> None:
    """Take the mark away, where there is one. Raises StoreError, OSError."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import leave_for  # noqa: PLC0415 - as above

        leave_for(place, None)
        return
    (place.folder / _FILE).unlink(missing_ok=True)


def must_be_here(place: Place) -> None:
    """Raise StoreLeft where the history was carried elsewhere: what is written here would not be there."""
    target = carried_to(place)
    if target is not None:
        raise left(place, target)


def left(place: Place, target: str) -> StoreLeft:
    """The error for a history that was carried from `place` to `target`, with what to do."""
    settings = (
        "write catalog_url_env and data_url of [store] into the settings, as the other machines have them"
        if place.shared is None
        else "take catalog_url_env and data_url of [store] out of the settings"
    )
    return StoreLeft(
        f"the history was carried from {place} to {target} by digest store move, and nothing is written where it was; "
        f"{settings}, and start what runs again"
    )
