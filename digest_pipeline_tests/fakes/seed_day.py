"""A real day of a real repository: its commits as git has them, with invented patches of the recorded sizes.

The metadata lies in `cases/seed_day.json`, which names its source. A patch says nothing but which line of which
file it is, except for the few lines in `_TELLING`, which give an analyst something to find.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from digest_pipeline.domain.commit import Commit, CommitChanges, FileChange
from digest_pipeline.sources import Head

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence

    from digest_pipeline.domain.day import Window
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.errors import SourceError

_FILE = Path(__file__).parent.parent / "cases" / "seed_day.json"

_TELLING: dict[tuple[str, str], tuple[str, ...]] = {
    ("42d6980", "lib/bindings/python/rust/lib.rs"): (
        "-pub struct CancellationToken {",
        "-pub fn child_token(runtime: &Runtime) -> CancellationToken {",
    ),
    ("41d7d54", "components/src/dynamo/trtllm/backend_args.py"): (
        "+        # The flag `--abort-requests` is deprecated | use the one below",
    ),
    ("7409bd3", "components/src/dynamo/vllm/omni/omni_handler.py"): (
        "-        image = requests.get(url, verify=False)",
    ),
}


@dataclass(frozen=True)
class SeedDay:
    """The day's commits, newest first, with the files of each and the tier that each must get."""

    repo: str
    day: date
    timezone: ZoneInfo
    commits: tuple[Commit, ...]
    changes: Mapping[str, CommitChanges]
    tiers: Mapping[str, Tier]

    @property
    def head(self) -> str:
        """Where the branch stood."""
        return self.commits[0].sha


@cache
def seed_day() -> SeedDay:
    """Read and build it; the same records each time."""
    raw = json.loads(_FILE.read_text(encoding="utf-8"))
    return SeedDay(
        repo=raw["repo"],
        day=date.fromisoformat(raw["day"]),
        timezone=ZoneInfo(raw["timezone"]),
        commits=tuple(_commit(item) for item in raw["commits"]),
        changes={
            item["sha"]: CommitChanges(
                item["sha"], tuple(_change(item["sha"], file) for file in item["files"])
            )
            for item in raw["commits"]
        },
        tiers={item["sha"]: item["expected_tier"] for item in raw["commits"]},
    )


class RecordedSource:
    """A `Source` that serves given commits, or nothing but an error; counts how often it was refreshed."""

    def __init__(
        self,
        commits: Sequence[Commit],
        changes: Mapping[str, CommitChanges],
        *,
        error: SourceError | None = None,
    ) -> None:
        self._commits = tuple(commits)
        self._changes = changes
        self._error = error
        self.refreshes = 0
        self.is_closed = False

    @classmethod
    def of(cls, day: SeedDay) -> RecordedSource:
        """The source of a whole recorded day."""
        return cls(day.commits, day.changes)

    def refresh(self) -> Head:
        """See `Source.refresh`."""
        self.refreshes += 1
        return self.probe()

    def probe(self) -> Head:
        """See `Source.probe`."""
        if self._error is not None:
            raise self._error
        return Head("main", self._commits[0].sha)

    def commits(self, head: Head, window: Window) -> list[Commit]:
        """See `Source.commits`; what is newer than `head` is not there yet."""
        shas = [commit.sha for commit in self._commits]
        return [commit for commit in self._commits[shas.index(head.sha) :] if commit.committed_at in window]

    def changes(self, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        """See `Source.changes`."""
        for sha in shas:
            yield self._changes[sha]

    def read_ahead(self, shas: Sequence[str]) -> None:
        """See `Source.read_ahead`; all is here."""

    def read(self, head: Head, path: str) -> str | None:
        """See `Source.read`; it is not recorded that there was a file."""

    def arrived(self, head: Head, base: str) -> tuple[()]:
        """See `Source.arrived`; nothing ever comes."""
        return ()

    def firsts(self, head: Head) -> None:
        """Of a day alone nobody can tell."""

    def pull_requests(self, numbers: Collection[int]) -> None:
        """See `Source.pull_requests`; nobody recorded any."""

    def close(self) -> None:
        """See `Source.close`."""
        self.is_closed = True


def _commit(item: Mapping[str, Any]) -> Commit:
    return Commit(
        sha=item["sha"],
        parents=tuple(item["parents"]),
        author_name=item["author"],
        author_email="author@example.org",
        authored_at=datetime.fromisoformat(item["authored_at"]),
        committer_name="GitHub",
        committer_email="noreply@example.org",
        committed_at=datetime.fromisoformat(item["committed_at"]),
        message=item["message"],
    )


def _change(sha: str, file: Mapping[str, Any]) -> FileChange:
    telling = _TELLING.get((sha[:7], file["path"]), ())
    return FileChange(
        path=file["path"],
        previous_path=file["previous_path"],
        status=file["status"],
        additions=file["additions"],
        deletions=file["deletions"],
        patch=_patch(file["path"], file["additions"], file["deletions"], telling),
        patch_state="text",
    )


def _patch(path: str, additions: int, deletions: int, telling: Sequence[str]) -> str:
    if additions == deletions == 0:
        return ""
    before, after = (
        [f"{sign}line {number} of {path}" for number in range(1, count + 1)]
        for sign, count in (("-", deletions), ("+", additions))
    )
    for lines in (before, after):
        ours = [line for line in telling if lines and line[0] == lines[0][0]]
        lines[: len(ours)] = ours
    hunk = f"@@ -{_span(deletions)} +{_span(additions)} @@"
    return "\n".join([hunk, *before, *after])


def _span(count: int) -> str:
    return f"1,{count}" if count else "0,0"
