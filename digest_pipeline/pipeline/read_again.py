"""Patches that upkeep has let go, read again from the source for what needs them."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.commit import UNREAD_STATES, FileChange
from digest_pipeline.errors import SourceError, SourceUnavailable
from digest_pipeline.pipeline.diff import FilesWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.commit import CommitChanges
    from digest_pipeline.pipeline.workbench import Workbench

    Row = Mapping[str, Any]
    Key = tuple[date, str]

_log = logging.getLogger(__name__)


def read_again(
    bench: Workbench, repo: str, days: Sequence[date], is_needed: Callable[[Row], bool]
) -> dict[Key, SourceError]:
    """Store what is needed of the patches of `days` that were let go; for each commit where it is not to be had, why.

    What the source gives now in fewer lines than were read once is left as it is: nothing that was seen is lost.
    """
    wanted = gone(bench, repo, days, is_needed)
    failed: dict[Key, SourceError] = {}
    shas = [row["sha"] for rows in wanted.values() for row in rows]
    if not shas:
        return failed
    with FilesWriter(bench.history, repo) as writer:
        try:
            with closing(bench.source(repo)[0].changes(shas)) as changes:
                for day, rows in wanted.items():
                    whole = []
                    for row, change in zip(rows, [next(changes) for _ in rows], strict=True):
                        if _says_less(change, row):
                            failed[day, row["sha"]] = _has_less(repo, row)
                        else:
                            whole.append(change)
                    writer.take(day, whole, strays=())
        except SourceError as error:
            _log.warning("%s: patches that were let go cannot be read again: %s", repo, error)
            left = (
                (day, row["sha"]) for day, rows in wanted.items() if day not in writer.taken for row in rows
            )
            failed |= dict.fromkeys(left, error)
    return failed


def gone(
    bench: Workbench, repo: str, days: Sequence[date], is_needed: Callable[[Row], bool]
) -> dict[date, list[Row]]:
    """The commits of `days` that are needed and whose patches were let go, by day."""
    shas: dict[date, set[str]] = defaultdict(set)
    for row in bench.rows("expired_of_days", repo, days):
        shas[row["day"]].add(row["sha"])
    if not shas:
        return {}
    return {
        day: [row for row in rows if row["sha"] in shas[day] and is_needed(row)]
        for day, rows in bench.by_day("commits_of_days", repo, sorted(shas)).items()
    }


def made_whole(
    bench: Workbench, repo: str, commits: Sequence[Row], files: dict[str, list[Row]]
) -> dict[Key, SourceError]:
    """Put into `files` what upkeep let go of between reading it again and now; for each commit where it cannot be, why.

    It is not stored: the next upkeep would let it go again.
    """
    without = [
        row for row in commits if any(FileChange(**file).was_let_go for file in files.get(row["sha"], ()))
    ]
    waiting = {(row["day"], row["sha"]): row for row in without}
    failed: dict[Key, SourceError] = {}
    if not without:
        return failed
    try:
        with closing(bench.source(repo)[0].changes([row["sha"] for row in without])) as changes:
            for row, change in zip(without, changes, strict=True):
                if _says_less(change, row):
                    failed[row["day"], row["sha"]] = _has_less(repo, row)
                else:
                    files[row["sha"]] = [asdict(file) for file in change.files]
                del waiting[row["day"], row["sha"]]
    except SourceError as error:
        _log.warning("%s: patches that were let go cannot be read again: %s", repo, error)
        failed |= dict.fromkeys(waiting, error)
    return failed


def _has_less(repo: str, row: Row) -> SourceUnavailable:
    return SourceUnavailable(
        f"{repo} {row['sha'][:7]}: its patches were let go, and the source has not all of them now", repo=repo
    )


def _says_less(change: CommitChanges, row: Row) -> bool:
    """Whether a file is unread now that was read once, or all of them are."""
    if change.fault is not None:
        return True
    unread = sum(file.patch_state in UNREAD_STATES for file in change.files)
    return unread > (row["unread_files"] or 0) or (row["complete"] is not False and not change.complete)
