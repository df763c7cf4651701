"""Which stored days are no longer what the branch says."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from digest_pipeline.domain.day import day_of, span_window
from digest_pipeline.domain.healing import TRY_AGAIN
from digest_pipeline.domain.recheck import changed_days, days_to_compare
from digest_pipeline.domain.state import counted, spans_of
from digest_pipeline.pipeline.workbench import span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest_pipeline.pipeline.workbench import Workbench

_log = logging.getLogger(__name__)


def recheck(bench: Workbench, repo: str, days: Sequence[date]) -> list[date]:
    """The stored days before the newest of `days`, and outside of them, that have to be made again.

    These are days whose commits differ from those of the branch, and unfinished ones: days that were read by a run
    that did not get as far as their page, where that is so long ago that it is over. The source is asked once, and
    not at all where nothing was read before. What came lately to days further back is told. Raises SourceError.
    """
    settings = bench.settings
    asked = days_to_compare(days, recheck_days=settings.recheck_days, first_day=settings.first_day)
    changed = _changed(bench, repo, asked) if asked else []
    if settings.recheck_days:
        _tell_of_what_came_too_late(bench, repo, days)
    return changed


def differing(bench: Workbench, repo: str, days: Sequence[date]) -> list[date]:
    """Those of `days` that are stored with other commits than the branch has by now, oldest first.

    The source is asked once, and not at all where none of them is stored. Raises SourceError.
    """
    collected = bench.collected(repo, days) if days else set()
    stored: dict[date, list[str]] = {day: [] for day in days if day in collected}
    if not stored:
        return []
    for row in bench.rows("shas_of_days", repo, list(stored)):
        stored[row["day"]].append(row["sha"])
    timezone = bench.settings.timezone
    source, head = bench.source(repo)
    found: dict[date, list[str]] = {day: [] for day in stored}
    for commit in source.commits(head, span_window(stored, timezone)):
        day = day_of(commit.committed_at, timezone)
        if day in found:
            found[day].append(commit.sha)
    return changed_days(stored, found)


def _changed(bench: Workbench, repo: str, asked: Sequence[date]) -> list[date]:
    stored = bench.collected(repo, asked)
    if not stored:
        return []
    where = {**span(sorted(stored)), "language": bench.settings.language}
    unfinished = [
        row["day"]
        for row in bench.history.read("pipeline/asked_days", where)
        if row["repo"] == repo
        and row["day"] in stored
        and row["is_unfinished"]
        and (row["has_page"] or row["tried_at"] <= bench.now() - TRY_AGAIN)
    ]
    return sorted({*differing(bench, repo, asked), *unfinished})


def _tell_of_what_came_too_late(bench: Workbench, repo: str, days: Sequence[date]) -> None:
    """Warn of what merges brought, since `recheck_days` ago, to stored days further back: no run compares these."""
    settings = bench.settings
    reach = timedelta(days=settings.recheck_days)
    oldest = max(days) - reach
    where = {"repo": repo, "before": (bench.now() - reach).isoformat()}
    known = bench.history.read("pipeline/head_before", where)
    if not known:
        return
    source, head = bench.source(repo)
    if known[0]["branch"] != head.branch:
        return
    late: dict[date, list[str]] = {}
    own = set(days)
    for sha, committed_at in source.arrived(head, known[0]["head_sha"]):
        day = day_of(committed_at, settings.timezone)
        if settings.first_day <= day < oldest and day not in own:
            late.setdefault(day, []).append(sha)
    if not late:
        return
    stored = sorted(bench.collected(repo, sorted(late)))
    there = {row["sha"] for row in bench.rows("shas_of_days", repo, stored)} if stored else set()
    lost = {day: missing for day in stored if (missing := [sha for sha in late[day] if sha not in there])}
    if lost:
        _log.warning(
            "%s: %s came to %s later than recheck_days = %d looks back: %s; "
            "digest heal, or digest run --repo %s over them, makes them again",
            repo,
            counted(sum(map(len, lost.values())), "commit"),
            counted(len(lost), "day"),
            settings.recheck_days,
            spans_of(list(lost)),
            repo,
        )
