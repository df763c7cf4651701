"""Rows for the store's tables, as short as a test wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from datetime import date

REPO = "ada/engine"
EVERYWHERE = pytest.mark.parametrize(
    "place", ["embedded", pytest.param("shared", marks=pytest.mark.postgres)], indirect=True
)
"""For a test that has to pass over a history in a folder, and over one that is shared."""


def commit(day: date, number: int, repo: str = REPO, **more: object) -> dict[str, Any]:
    """A row of `commit_log`."""
    return {
        "repo": repo,
        "day": day,
        "position": number,
        "sha": f"{number:040x}",
        "parents": [f"{number + 1:040x}"],
        "author_name": "Ada",
        "author_email": "ada@example.org",
        "authored_at": f"{day}T10:00:00+00:00",
        "committer_name": "Grace",
        "committer_email": "grace@example.org",
        "committed_at": f"{day}T10:00:00+00:00",
        "message": f"feat: number {number}",
        "pull_request": None,
        **more,
    }


def read(day: date, repo: str = REPO, **more: object) -> dict[str, Any]:
    """A row of `reads`."""
    return {
        "repo": repo,
        "day": day,
        "source": "git",
        "branch": "main",
        "head_sha": "a" * 40,
        "window_start": f"{day}T00:00:00+00:00",
        "window_end": f"{day}T23:59:59+00:00",
        "timezone": "UTC",
        "commit_count": 0,
        "read_at": f"{day}T12:00:00+00:00",
        **more,
    }


def analysis(day: date, **more: object) -> dict[str, Any]:
    """A row of `analyses`."""
    return {
        "repo": REPO,
        "day": day,
        "sha": "b" * 40,
        "language": "en",
        "analyst": "offline",
        "model": "none",
        "profile": "argus",
        "tier": "low",
        "score": 1,
        "reasons": [],
        "status": "ok",
        "attempts": 1,
        "prompt_version": "1",
        "input_hash": "",
        "tokens_in": 0,
        "tokens_out": 0,
        "tokens_cached": 0,
        "shown_lines": 0,
        "changed_lines": 0,
        "analysed_at": f"{day}T12:00:00+00:00",
        **more,
    }


def partition(day: date, count: int, repo: str = REPO) -> list[Replacement]:
    """A repo's day with `count` commits, in the place of whatever it held."""
    key: dict[str, Any] = {"repo": [repo], "day": [day]}
    return [
        Replacement("reads", key, [read(day, repo, commit_count=count)]),
        Replacement("commit_log", key, [commit(day, number, repo) for number in range(count)]),
    ]
