"""The upkeep as the settings want it: see `store.upkeep`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from datetime import date, datetime

    from digest_pipeline.pipeline.tally import Progress
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.place import Place
    from digest_pipeline.store.upkeep import Kept


def upkeep(
    settings: Settings,
    place: Place,
    *,
    now: datetime,
    let_go: bool = True,
    progress: Progress = lambda *_: None,
) -> Kept:
    """Keep the history in `place` small, and its patches as long as the settings say; all of them without `let_go`.

    Raises StoreError.
    """
    return keep(
        place,
        now=now,
        patches_before=patches_before(settings, now=now) if let_go else None,
        said=lambda act, done, total: progress("upkeep", act if done < total else "", done, total),
    )


def patches_before(settings: Settings, *, now: datetime) -> date | None:
    """The first day whose patches are kept; None where all are."""
    days = settings.store.keep_patches_days
    return None if days is None else now.astimezone(settings.timezone).date() - timedelta(days=days)
