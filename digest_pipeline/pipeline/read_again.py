"""Patches that upkeep has let go, read again from the source for what needs them."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.commit import UNREAD_STATES
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
    gone: dict[date, set[str]] = defaultdict(set)
    for row in bench.rows("expired_of_days", repo, days):
        gone[row["day"]].add(row["sha"])
    if not gone:
        return {}
    wanted = {
        day: [row for row in rows if row["sha"] in gone[day] and is_needed(row)]
        for day, rows in bench.by_day("commits_of_days", repo, sorted(gone)).items()
    }
    failed: dict[Key, SourceError] = {}
    shas = [row["sha"] for rows in wanted.values() for row in rows]
    if not shas:
        return failed
    with FilesWriter(bench.history, repo) as writer:
        try:
            changes = bench.source(repo)[0].changes(shas)
            for day, rows in wanted.items():
                whole = []
                for row, change in zip(rows, [next(changes) for _ in rows], strict=True):
                    if _says_less(change, row):
                        failed[day, row["sha"]] = SourceUnavailable(
                            f"{repo} {row['sha'][:7]}: its patches were let go, and the source has not all of them now",
                            repo=repo,
                        )
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


def _says_less(change: CommitChanges, row: Row) -> bool:
    """Whether a file is unread now that was read once, or all of them are."""
    if change.fault is not None:
        return True
    unread = sum(file.patch_state in UNREAD_STATES for file in change.files)
    return unread > (row["unread_files"] or 0) or (row["complete"] is not False and not change.complete)
