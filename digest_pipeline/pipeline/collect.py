"""Which commits a day has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.commit import pull_request_number
from digest_pipeline.domain.day import day_of, day_window, span_window
from digest_pipeline.domain.recheck import came_and_went
from digest_pipeline.errors import SourceError
from digest_pipeline.pipeline.filters import open_sieve
from digest_pipeline.pipeline.workbench import StepResult, Workbench, as_stored, batches
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.commit import Commit
    from digest_pipeline.sources import Head, Source

    Row = Mapping[str, Any]

_log = logging.getLogger(__name__)


def collect(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Read which commits each of `days` has, and store them.

    What a day had when it was read before, and no branch has any longer, stays as rows that say so. A repo that
    cannot be read fails all of its days, and the failure is stored beside what was known before.
    """
    timezone = bench.settings.timezone
    try:
        source, head = bench.source(repo)
        commits = source.commits(head, span_window(days, timezone))
    except SourceError as error:
        _remember_failure(bench, repo, days, error)
        return StepResult(failed=dict.fromkeys(days, error))
    firsts = _firsts(bench, repo, days, source, head, commits)
    by_day: dict[date, list[Commit]] = {day: [] for day in days}
    for commit in commits:
        day = day_of(commit.committed_at, timezone)
        if day in by_day:
            by_day[day].append(commit)
    del commits
    counts = {day: len(found) for day, found in by_day.items()}
    sieve = open_sieve(bench, repo, source, head, (commit for found in by_day.values() for commit in found))
    now = bench.now()
    read = {"branch": head.branch, "head_sha": head.sha, "read_at": now.isoformat()}
    bench.progress("collect", repo, 0, len(days))
    stored_days = 0
    for batch in batches(days):
        key: dict[str, Any] = {"repo": [repo], "day": batch}
        before = {row["day"]: row for row in bench.rows("reads", repo, batch)}
        stored = bench.by_day("log_of_days", repo, batch)
        # What is stored is let go: the messages of a long range are many.
        seen = {day: by_day.pop(day) for day in batch}
        found: dict[date, list[dict[str, Any]]] = {}
        for day in batch:
            known = {row["sha"]: row for row in stored[day]}
            found[day] = [
                _row(repo, day, position, commit, firsts) | sieve.columns(commit, known.get(commit.sha))
                for position, commit in enumerate(seen[day])
            ]
        reads = [
            _read_row(bench, repo, day)
            | read
            | {"commit_count": counts[day]}
            | _change(before.get(day), stored[day], [commit.sha for commit in seen[day]], now)
            for day in batch
        ]
        log = [row for day in batch for row in (*found[day], *_gone(stored[day], found[day]))]
        bench.history.replace(Replacement("reads", key, reads), Replacement("commit_log", key, log))
        stored_days += len(batch)
        bench.progress("collect", repo, stored_days, len(days))
    return StepResult(
        done={day: {"commits": counts[day], "branch": head.branch, "head_sha": head.sha} for day in days}
    )


def _firsts(
    bench: Workbench, repo: str, days: Sequence[date], source: Source, head: Head, commits: Sequence[Commit]
) -> Collection[str] | None:
    """The commits that are their author's first, None where that cannot be told: for it alone no day fails."""
    look = source.firsts(head)
    names = list({commit.author_name for commit in commits})
    if look is None or not names:
        return None
    # The whole history is gone through for somebody whom no earlier stored day knows.
    known = bench.history.read("pipeline/authors_before", {"repo": repo, "first": days[0], "names": names})
    if len(known) == len(names):
        return ()
    try:
        return look()
    except (SourceError, OSError) as error:
        _log.warning("who is new cannot be told: %s", error)
        return None


def _row(
    repo: str, day: date, position: int, commit: Commit, firsts: Collection[str] | None
) -> dict[str, Any]:
    return {
        "repo": repo,
        "day": day,
        "position": position,
        "sha": commit.sha,
        "parents": commit.parents,
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "authored_at": commit.authored_at.isoformat(),
        "committer_name": commit.committer_name,
        "committer_email": commit.committer_email,
        "committed_at": commit.committed_at.isoformat(),
        "message": commit.message,
        "pull_request": pull_request_number(commit.message),
        "on_branch": True,
        "branch": commit.branch,
        "first_of_author": None if firsts is None else commit.sha in firsts,
    }


def _gone(stored: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """What a day had and the branch has no longer, in the order in which it stood, behind what is there."""
    there = {row["sha"] for row in found}
    gone = [row for row in stored if row["sha"] not in there]
    return [
        as_stored(row) | {"position": position, "on_branch": False}
        for position, row in enumerate(gone, start=len(found))
    ]


def _change(before: Row | None, stored: Sequence[Row], found: Sequence[str], now: datetime) -> dict[str, Any]:
    """When a day that was read before was found changed, and what came and went since then."""
    if before is None:
        return {}
    known = {name: before[name] for name in ("changed_at", "came", "went")}
    on_branch = {row["sha"] for row in stored if row["on_branch"] is not False}
    # What comes to a day that is not over is no change: the first reading is the first after its end.
    was_over = before["head_sha"] is not None and before["read_at"] >= before["window_end"]
    if not was_over or on_branch == set(found):
        return known
    seen = [row["sha"] for row in stored]
    came, went = came_and_went(seen, found, came_before=before["came"] or 0)
    return {"changed_at": now.isoformat(), "came": came, "went": went}


def _read_row(bench: Workbench, repo: str, day: date) -> dict[str, Any]:
    window = day_window(day, bench.settings.timezone)
    return {
        "repo": repo,
        "day": day,
        "source": bench.settings.repo(repo).source,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "timezone": bench.settings.timezone.key,
    }


def _remember_failure(bench: Workbench, repo: str, days: Sequence[date], error: SourceError) -> None:
    # What was read before stays what it was: a failure is written beside it, never over it.
    known = {row["day"]: row for row in bench.rows("reads", repo, days)}
    failure = {"error": str(error), "failed_at": bench.now().isoformat()}
    rows = [_read_row(bench, repo, day) | known.get(day, {}) | failure for day in days]
    bench.history.replace(Replacement("reads", {"repo": [repo], "day": list(days)}, rows))
