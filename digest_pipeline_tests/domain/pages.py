"""Commits and pages as the domain's tests need them: short to write, everything else at rest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from digest_pipeline.domain.commit import pull_request_number, title_of
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.page import CommitEntry, RepoPage
from digest_pipeline.domain.relations import Known

DAY = date(2026, 2, 21)
REPO = "ada/engine"


def commit(sha: str, message: str = "feat: a thing", **more: Any) -> CommitEntry:  # noqa: ANN401 - any field
    """A commit of the high tier whose sha begins with `sha`."""
    values: dict[str, Any] = {
        "sha": sha.ljust(40, "0"),
        "author_name": "Ada",
        "authored_at": datetime(2026, 2, 21, tzinfo=UTC),
        "message": message,
        "title": title_of(message),
        "url": None,
        "tier": "high",
        "score": 10,
        "reasons": (),
        "status": "failed",
        "analysis": None,
        "model": "m",
        "is_offline": False,
        "attempts": 1,
        "error": None,
        "unread": (),
        "complete": True,
        "pull_request": pull_request_number(message),
    }
    return CommitEntry(**(values | more))


def page(*commits: CommitEntry, **more: Any) -> RepoPage:  # noqa: ANN401 - any field
    """A page of these commits, newest first."""
    return RepoPage(REPO, DAY, day_window(DAY, ZoneInfo("UTC")), commits, **more)


def known(day: date, sha: str, title: str, author: str = "Ada") -> Known:
    """A commit as the history knows it."""
    return Known(day, sha.ljust(40, "0"), title, pull_request_number(title), author)
