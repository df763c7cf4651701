"""What each commit changed: its files with their patches."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Self

from digest_pipeline.domain.commit import UNREAD_STATES
from digest_pipeline.errors import SourceDamaged, SourceError, StoreError
from digest_pipeline.pipeline.filters import needs_files, sift
from digest_pipeline.pipeline.workbench import BATCH_BYTES, StepResult, Workbench
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.commit import CommitChanges
    from digest_pipeline.errors import DigestError
    from digest_pipeline.store.history import History

    Row = Mapping[str, Any]


def diff(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Read and store the files of the commits of `days` that are not here yet, or were not seen whole.

    A commit never changes, so that what was seen whole is not read again, also where the branch lost the commit
    and has it again; files of a commit that the day never had are taken away. Nothing is read of what
    the filter leaves out whatever its files are.
    """
    result = StepResult()
    collected = bench.collected(repo, days)
    for day in days:
        if day not in collected:
            reason = f"{repo} {day}: its commits were not collected; materialize raw_commits first"
            result.failed[day] = StoreError(reason)
    commits = bench.by_day("commits_of_days", repo, [day for day in days if day in collected] or days)
    wanted = {day: _wanted(rows) for day, rows in commits.items() if day in collected}
    with FilesWriter(bench.history, repo) as writer:
        try:
            result.failed |= _read(bench, repo, commits, wanted, writer)
        except SourceError as error:
            result.failed |= {day: error for day in wanted if day not in writer.taken}
    done = [day for day in wanted if day not in result.failed]
    if done:
        read = bench.by_day("commits_of_days", repo, done)
        reasons, result.elsewhere = sift(bench, repo, read)
        for day, rows in read.items():
            left_out = sum(reasons[day, row["sha"]] is not None for row in rows)
            result.done[day] = _counts(rows) | ({"filtered": left_out} if left_out else {})
    bench.progress("diff", repo, len(days), len(days))
    return result


def read_ahead(bench: Workbench, repo: str, days: Sequence[date]) -> None:
    """`diff` of these days is to come, and its source may begin. Raises DigestError, which is no reason to fail."""
    commits = bench.by_day("commits_of_days", repo, days)
    bench.source(repo)[0].read_ahead([sha for rows in commits.values() for sha in _wanted(rows)])


def _wanted(rows: Sequence[Row]) -> list[str]:
    """The commits of a day whose files are not here, or were not seen whole."""
    return [
        row["sha"]
        for row in rows
        if needs_files(row) and (row["files"] is None or row["unread_files"] or not row["complete"])
    ]


def _read(
    bench: Workbench,
    repo: str,
    commits: Mapping[date, Sequence[Row]],
    wanted: Mapping[date, Sequence[str]],
    writer: FilesWriter,
) -> dict[date, DigestError]:
    """Read what is wanted, day by day; the days that could not be, for a commit of theirs is damaged."""
    damaged: dict[date, DigestError] = {}
    strays: dict[date, list[str]] = defaultdict(list)
    for row in bench.rows("stray_sizes_of_days", repo, list(commits)):
        strays[row["day"]].append(row["sha"])
    shas = [sha for day_shas in wanted.values() for sha in day_shas]
    with ExitStack() as reading:
        changes: Iterator[CommitChanges] = iter(())
        if shas:
            changes = reading.enter_context(closing(bench.source(repo)[0].changes(shas)))
        for number, (day, day_shas) in enumerate(wanted.items(), start=1):
            found = [next(changes) for _ in day_shas]
            if fault := next((change.fault for change in found if change.fault), None):
                damaged[day] = SourceDamaged(f"{repo} {day}: {fault}", repo=repo)
            else:
                writer.take(day, found, strays=strays[day])
            bench.progress("diff", repo, number, len(wanted))
    return damaged


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    columns = ("files", "additions", "deletions", "unread_files")
    return {"commits": len(rows)} | {name: sum(row[name] or 0 for row in rows) for name in columns}


class FilesWriter:
    """Files on their way into the store, some days in one transaction.

    One batch is written while the next is read: git and the store each keep a core busy. A failed write is
    raised by the next `take` or at the end, and nothing that was taken counts as written then.
    """

    def __init__(self, history: History, repo: str) -> None:
        self._history = history
        self._repo = repo
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="diff-writer")
        self._writing: Future[None] | None = None
        self.taken: set[date] = set()
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._wait()
        finally:
            self._thread.shutdown(wait=True)

    def take(self, day: date, changes: Sequence[CommitChanges], strays: Sequence[str]) -> None:
        """Take a day's new changes; `strays` are commits that are not the day's, and whose files go."""
        self.taken.add(day)
        self._shas.extend(strays)
        if changes or strays:
            self._days.append(day)
        for change in changes:
            self._shas.append(change.sha)
            key: dict[str, Any] = {"repo": self._repo, "day": day, "sha": change.sha}
            for position, file in enumerate(change.files):
                self._files.append(
                    {
                        **key,
                        "position": position,
                        "path": file.path,
                        "previous_path": file.previous_path,
                        "status": file.status,
                        "additions": file.additions,
                        "deletions": file.deletions,
                        "patch": file.patch,
                        "patch_state": file.patch_state,
                    }
                )
                self._bytes += len(file.patch or "") + len(file.path)
            self._sizes.append(key | _size(change))
        if self._bytes >= BATCH_BYTES:
            self._flush()

    def _begin(self) -> None:
        self._days: list[date] = []
        self._shas: list[str] = []
        self._files: list[Row] = []
        self._sizes: list[Row] = []
        self._bytes = 0

    def _flush(self) -> None:
        self._wait()
        if self._shas:
            key: dict[str, Any] = {"repo": [self._repo], "day": self._days, "sha": self._shas}
            self._writing = self._thread.submit(
                self._history.replace,
                Replacement("commit_files", key, self._files),
                Replacement("commit_sizes", key, self._sizes),
            )
        self._begin()

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


def _size(change: CommitChanges) -> dict[str, Any]:
    return {
        "additions": sum(file.additions or 0 for file in change.files),
        "deletions": sum(file.deletions or 0 for file in change.files),
        "files": len(change.files),
        "unread_files": sum(file.patch_state in UNREAD_STATES for file in change.files),
        "complete": change.complete,
    }
