"""Whether the site is due: a decision over what it was made from, for the sensor that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Built:
    """What a site was made from, and when."""

    stamp: str
    at: datetime


def site_is_due(stamp: str, built: Built | None, *, now: datetime, pause: timedelta) -> str | None:
    """None where the site is due, else why not: it is due once it would be another one, `pause` after the last one.

    While many days are made, it is built now and then, and once more in the end.
    """
    if built is None:
        return None
    if built.stamp == stamp:
        return "the site is up to date"
    if now < built.at + pause:
        minutes = pause.total_seconds() / 60
        return (
            f"waiting: the site was built at {built.at:%H:%M} UTC, and is at most every {minutes:g} minutes"
        )
    return None
