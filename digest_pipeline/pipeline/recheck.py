"""Which stored days are no longer what the branch says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest_pipeline.domain.day import day_of, span_window
from digest_pipeline.domain.healing import TRY_AGAIN
from digest_pipeline.domain.recheck import changed_days, days_to_compare
from digest_pipeline.pipeline.workbench import span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest_pipeline.pipeline.workbench import Workbench


def recheck(bench: Workbench, repo: str, days: Sequence[date]) -> list[date]:
    """The stored days before the newest of `days`, and outside of them, that have to be made again.

    These are days whose commits differ from those of the branch, and unfinished ones: days that were read by a run
    that did not get as far as their page, where that is so long ago that it is over. The source is asked once, and
    not at all where no day is stored. Raises SourceError.
    """
    settings = bench.settings
    asked = days_to_compare(days, recheck_days=settings.recheck_days, first_day=settings.first_day)
    stored: dict[date, list[str]] = {}
    if asked:
        collected = bench.collected(repo, asked)
        stored = {day: [] for day in asked if day in collected}
    if not stored:
        return []
    for row in bench.rows("shas_of_days", repo, list(stored)):
        stored[row["day"]].append(row["sha"])
    source, head = bench.source(repo)
    found: dict[date, list[str]] = {day: [] for day in stored}
    for commit in source.commits(head, span_window(stored, settings.timezone)):
        day = day_of(commit.committed_at, settings.timezone)
        if day in found:
            found[day].append(commit.sha)
    where = {**span(list(stored)), "language": settings.language}
    unfinished = [
        row["day"]
        for row in bench.history.read("pipeline/asked_days", where)
        if row["repo"] == repo
        and row["day"] in stored
        and row["is_unfinished"]
        and (row["has_page"] or row["tried_at"] <= bench.now() - TRY_AGAIN)
    ]
    return sorted({*changed_days(stored, found), *unfinished})
