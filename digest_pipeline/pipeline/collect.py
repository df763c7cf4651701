"""Which commits a day has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.commit import pull_request_number
from digest_pipeline.domain.day import day_of, day_window, span_window
from digest_pipeline.errors import SourceError
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest_pipeline.domain.commit import Commit


def collect(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Read which commits each of `days` has, and store them.

    A repo that cannot be read fails all of its days, and the failure is stored beside what was known before.
    """
    timezone = bench.settings.timezone
    try:
        source, head = bench.source(repo)
        commits = source.commits(head, span_window(days, timezone))
    except SourceError as error:
        _remember_failure(bench, repo, days, error)
        return StepResult(failed=dict.fromkeys(days, error))
    by_day: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
    for commit in commits:
        day = day_of(commit.committed_at, timezone)
        if day in by_day:
            by_day[day].append(_row(repo, day, len(by_day[day]), commit))
    read = {"branch": head.branch, "head_sha": head.sha, "read_at": bench.now().isoformat()}
    for batch in batches(days):
        key: dict[str, Any] = {"repo": [repo], "day": batch}
        reads = [_read_row(bench, repo, day) | read | {"commit_count": len(by_day[day])} for day in batch]
        bench.history.replace(
            Replacement("reads", key, reads),
            Replacement("commit_log", key, [row for day in batch for row in by_day[day]]),
        )
    bench.progress("collect", repo, len(days), len(days))
    return StepResult(
        done={day: {"commits": len(by_day[day]), "branch": head.branch, "head_sha": head.sha} for day in days}
    )


def _row(repo: str, day: date, position: int, commit: Commit) -> dict[str, Any]:
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
    }


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
