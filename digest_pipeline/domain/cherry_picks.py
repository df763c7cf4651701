"""Which commits of several branches say the same: by their patches, as `git patch-id --stable` tells it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from digest_pipeline.domain.commit import FileChange

_WITHOUT_LINES = ("binary", "mode")


@dataclass(frozen=True, slots=True)
class Pick:
    """A commit among those that say the same; `branch` is None for one of the tracked branch."""

    sha: str
    branch: str | None
    committed_at: datetime


def patch_id(files: Sequence[FileChange], author: str) -> str | None:
    """The same for two commits exactly where `git patch-id --stable` is; None where it cannot be told.

    Where a change stands in its file is nothing to it, nor is white space; the lines around it are. Of a file without
    lines (a binary, a mode) nobody here has seen what changed: there the `author`, with the time at which the change
    was written, has to be the same too, as a cherry-pick keeps both. A commit of which files or lines are missing,
    and one without files, is like no other.
    """
    if not files or any(file.patch_state in {"missing", "incomplete", "expired"} for file in files):
        return None
    parts = sorted(_file_id(file) for file in files)
    if any(file.patch_state in _WITHOUT_LINES for file in files):
        parts.append(hashlib.sha256(author.encode("utf-8", "surrogatepass")).digest())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def duplicates(alike: Collection[Pick]) -> set[str]:
    """Of commits that say the same, those that are left out: what the tracked branch has too, or another one earlier.

    What one branch says twice, as after a revert, it says for a reason: both stay.
    """
    ordered = sorted(alike, key=lambda pick: (pick.branch is not None, pick.committed_at, pick.sha))
    return {
        pick.sha
        for number, pick in enumerate(ordered)
        if pick.branch is not None and any(before.branch != pick.branch for before in ordered[:number])
    }


def alike(picks: Iterable[tuple[str | None, Pick]]) -> Iterator[list[Pick]]:
    """Picks of the same patch id together, where there are several."""
    groups: dict[str, list[Pick]] = defaultdict(list)
    for identity, pick in picks:
        if identity is not None:
            groups[identity].append(pick)
    return (group for group in groups.values() if len(group) > 1)


def _file_id(file: FileChange) -> bytes:
    digest = hashlib.sha256()
    for word in (file.path, file.previous_path or "", file.status, file.patch_state):
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    for line in (file.patch or "").split("\n"):
        if not line.startswith("@@ "):
            digest.update("".join(line.split()).encode("utf-8", "surrogatepass") + b"\n")
    return digest.digest()
