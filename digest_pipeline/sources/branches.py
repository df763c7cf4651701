"""Commits of several branches as one history."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from digest_pipeline.domain.commit import Commit

MOST_TEXT_BYTES = 1 << 20
"""A longer file is no list that a person keeps."""


def as_one(tracked: Sequence[Commit], others: Iterable[tuple[str, Sequence[Commit]]]) -> list[Commit]:
    """Each commit once: those of `tracked`, and of the `others` (by name) what no branch before had.

    Newest first by committer date, but for the order within a branch, which stays.
    """
    seen = {commit.sha for commit in tracked}
    lists = [tracked]
    for name, commits in others:
        new = [replace(commit, branch=name) for commit in commits if commit.sha not in seen]
        seen.update(commit.sha for commit in new)
        lists.append(new)
    if not any(lists[1:]):
        return list(tracked)
    return list(heapq.merge(*lists, key=lambda commit: commit.committed_at, reverse=True))
