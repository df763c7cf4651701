"""Days that changed after they were read: which are compared with the branch, and which of them differ."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from digest_pipeline.domain.day import days_between

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date


def days_to_compare(days: Collection[date], *, recheck_days: int, first_day: date) -> list[date]:
    """The days that a run over `days` compares: `recheck_days` back from the newest, but for its own."""
    newest = max(days)
    oldest = max(newest - timedelta(days=recheck_days), first_day)
    return [day for day in days_between(oldest, newest) if day not in days]


def changed_days(stored: Mapping[date, Collection[str]], found: Mapping[date, Collection[str]]) -> list[date]:
    """The days of `stored` whose commits are not those that were `found` on the branch, oldest first."""
    return sorted(day for day, shas in stored.items() if set(shas) != set(found.get(day, ())))


def came_and_went(seen: Collection[str], found: Sequence[str], *, came_before: int) -> tuple[int, int]:
    """How many commits came to a day since its first reading, and how many that it had are not on the branch.

    `seen` are all that it ever had, `came_before` of them after the first reading. One that came and went
    again counts as both, so that the first reading, plus what came, less what went, is what is there.
    """
    return came_before + len(set(found) - set(seen)), len(set(seen) - set(found))
