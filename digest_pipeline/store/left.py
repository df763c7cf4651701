"""The mark that a history leaves behind where it was carried elsewhere: nobody goes on writing there by mistake.

Of an embedded history it is a file beside the catalog, of a shared one a comment in PostgreSQL on a table of the
catalog: it costs a write next to nothing to look for.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from digest_pipeline.errors import StoreLeft
from digest_pipeline.store.whole import written_whole

if TYPE_CHECKING:
    from digest_pipeline.store.place import Place

MARK_FILE = "carried-to"


def carried_to(place: Place) -> str | None:
    """Where the history of `place` was carried; None where it was not. Raises StoreError, OSError."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import left_for  # noqa: PLC0415 - only where it is needed

        return left_for(place)
    file = place.folder / MARK_FILE
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else None


def name_of(target: Place) -> str:
    """How a mark names where a history was carried."""
    # The path of a data folder says something on its own machine alone.
    return str(target) if target.shared is not None else f"{target} on {socket.gethostname()}"


def mark(place: Place, target: Place) -> None:
    """Mark that the history of `place` was carried to `target`. Raises StoreError."""
    named = name_of(target)
    if place.shared is not None:
        from digest_pipeline.store.postgres import leave_for  # noqa: PLC0415 - as above

        leave_for(place, named)
        return
    with written_whole(place.folder / MARK_FILE, force=True) as temporary:
        temporary.write_text(f"{named}\n", encoding="utf-8")


def unmark(place: Place) -> None:
    """Take the mark away, where there is one. Raises StoreError, OSError."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import leave_for  # noqa: PLC0415 - as above

        leave_for(place, None)
        return
    (place.folder / MARK_FILE).unlink(missing_ok=True)


def notice(place: Place) -> str | None:
    """What to tell who reads a history that was carried elsewhere; None of one that was not. Raises as above."""
    target = carried_to(place)
    return target and f"this history was carried to {target} by digest store move: what came since is there"


def refusal(place: Place, target: str) -> StoreLeft:
    """The error for who would write to `place`, whose history was carried to `target`; it says what to do."""
    settings = (
        "write catalog_url_env and data_url of [store] into the settings, as the other machines have them"
        if place.shared is None
        else "on that machine take catalog_url_env and data_url of [store] out of the settings"
    )
    return StoreLeft(
        f"the history was carried from {place} to {target} by digest store move, and nothing is written where it was; "
        f"{settings}, and start what runs again. If that move was cut short, run it again"
    )
