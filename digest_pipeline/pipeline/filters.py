"""What a repo's filter leaves out, and what is told in one line.

Most is known once the commits are listed: who wrote them, their labels. What their files have to say in it, and
whether another branch said the same, is known once those are read.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.cherry_picks import Pick, alike, duplicates, patch_id
from digest_pipeline.domain.commit import UNREAD_STATES, FileChange, pull_request_number
from digest_pipeline.domain.filtering import filter_reason, folded
from digest_pipeline.domain.reformats import IGNORED_REVISIONS, Revisions
from digest_pipeline.errors import SourceError
from digest_pipeline.pipeline.pull_requests import known_labels
from digest_pipeline.pipeline.workbench import as_stored, batches, span
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.commit import Commit
    from digest_pipeline.domain.filtering import Filter, Rule
    from digest_pipeline.domain.globs import Globs
    from digest_pipeline.domain.page import Folded
    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.sources import Head, Source
    from digest_pipeline.store.history import Read

    Row = Mapping[str, Any]
    Key = tuple[date, str]

_BY_FILES = ("paths", "duplicate")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sieve:
    """What decides about commits whose files are not known yet; `labels` is None where nobody knows of any."""

    wanted: Filter
    ignored: Revisions
    labels: Mapping[int, Collection[str]] | None
    has_branches: bool

    def columns(self, commit: Commit, before: Row | None) -> dict[str, Any]:
        """The columns `filtered` and `folded` of a commit.

        What its files said when they were read `before` holds until they are looked at again.
        """
        reason: str | None = filter_reason(commit, None, self._labels_of(commit), self.wanted)
        said = before["filtered"] if before is not None else None
        if reason is None and (
            (said == "paths" and self.wanted.paths) or (said == "duplicate" and self.has_branches)
        ):
            reason = said
        return {"filtered": reason, "folded": self._folded(commit)}

    def _folded(self, commit: Commit) -> Folded | None:
        return folded(commit, self.ignored, self.wanted)

    def _labels_of(self, commit: Commit) -> Collection[str] | None:
        if self.labels is None:
            return None
        number = pull_request_number(commit.message)
        return () if number is None else self.labels.get(number)


def open_sieve(bench: Workbench, repo: str, source: Source, head: Head, commits: Iterable[Commit]) -> Sieve:
    """The sieve for `commits`; what their pull requests say is read and stored for it.

    What cannot be read is a warning and leaves out nobody: labels that are not known, revisions that are not.
    """
    settings = bench.settings.repo(repo).filter
    try:
        text = source.read(head, IGNORED_REVISIONS)
    except SourceError as error:
        _log.warning("%s was not read, reformatting is told in full: %s", IGNORED_REVISIONS, error)
        text = None
    numbers = {number for commit in commits if (number := pull_request_number(commit.message)) is not None}
    labels = known_labels(bench, repo, source, sorted(numbers)) if numbers or settings.labels else None
    return Sieve(settings.rules(), Revisions(text), labels, has_branches=bool(settings.branches))


def needs_files(row: Row) -> bool:
    """Whether the files of a stored commit are needed: what is left out for another reason than these needs none."""
    return row["filtered"] is None or row["filtered"] in _BY_FILES


def sift(
    bench: Workbench, repo: str, commits: Mapping[date, Sequence[Row]]
) -> tuple[dict[Key, Rule | None], list[date]]:
    """Why each commit of these days is left out, now that their files are read; stored where it is news.

    Of a day besides these a commit may turn out to say what a new one says, or no longer. Such days come second:
    they are stored as changed, so that a later run makes them again where this one does not.
    """
    settings = bench.settings.repo(repo).filter
    rows = {(day, row["sha"]): row for day, found in commits.items() for row in found}
    stored = {key: row["filtered"] for key, row in rows.items()}
    reasons = _by_paths(bench, repo, rows, settings.rules().paths)
    changed = {key: reason for key, reason in reasons.items() if reason != stored[key]}
    elsewhere: dict[Key, Rule | None] = {}
    known = dict(stored)
    if settings.branches:
        for key, reason, before in _duplicates(bench, repo, reasons):
            if key in rows:
                reasons[key] = reason
            elif reason != before:
                elsewhere[key] = reason
                known[key] = before
        changed = {key: reason for key, reason in reasons.items() if reason != stored[key]}
    others = sorted({day for day, _ in elsewhere})
    _store(bench, repo, changed | elsewhere, known, others)
    return reasons, others


def _by_paths(bench: Workbench, repo: str, rows: Mapping[Key, Row], wanted: Globs) -> dict[Key, Rule | None]:
    reasons: dict[Key, Rule | None] = {
        key: None if needs_files(row) else row["filtered"] for key, row in rows.items()
    }
    if wanted:
        for days in batches(sorted({day for day, _ in rows})):
            files = {row["sha"]: row["files"] for row in bench.rows("file_facts", repo, days)}
            chosen = set(days)
            for (day, sha), row in rows.items():
                # Where the source cut the list of files, one that is wanted may be among those that nobody saw.
                if day in chosen and needs_files(row) and row["complete"]:
                    paths = [
                        path for file in files.get(sha, ()) for path in (file["path"], file["previous_path"])
                    ]
                    if not wanted.admits_any(filter(None, paths)):
                        reasons[day, sha] = "paths"
    return reasons


def _duplicates(
    bench: Workbench, repo: str, reasons: Mapping[Key, Rule | None]
) -> Iterator[tuple[Key, Rule | None, Rule | None]]:
    """The commits that may say what another branch says, with what they are left out by now, and were before.

    Those alone that change the same paths as one of the days in `reasons`: patches are compared of these.
    """
    days = {day for day, _ in reasons}
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in bench.history.read(
        "pipeline/same_paths", {"repo": repo, "first": min(days), "last": max(days)}
    ):
        reason = reasons.get((row["day"], row["sha"]), row["filtered"])
        if reason in {None, "duplicate"}:
            groups[row["paths"]].append(row)
    rows = {
        (row["day"], row["sha"]): row
        for group in groups.values()
        if len(group) > 1 and any(row["day"] in days for row in group) and any(row["branch"] for row in group)
        for row in group
    }
    names = {sha: (day, sha) for day, sha in rows}
    left_out: set[str] = set()
    picks, untold = _picks(bench, repo, rows)
    for group in alike(picks):
        left_out |= duplicates(group)
    for sha, key in names.items():
        before = rows[key]["filtered"]
        # Of what cannot be compared any more stays what was found when it could be.
        is_duplicate = before == "duplicate" if sha in untold else sha in left_out
        yield key, "duplicate" if is_duplicate else None, before


def _picks(
    bench: Workbench, repo: str, rows: Mapping[Key, Row]
) -> tuple[list[tuple[str | None, Pick]], set[str]]:
    """Each commit with its patch id; and those whose patches were let go and cannot be read again."""
    by_day: dict[date, list[Row]] = defaultdict(list)
    for (day, _), row in rows.items():
        by_day[day].append(row)
    picks: list[tuple[str | None, Pick]] = []
    untold: set[str] = set()
    for day, chosen in by_day.items():
        files: dict[str, list[FileChange]] = defaultdict(list)
        where = {"repo": repo, "day": day, "shas": [row["sha"] for row in chosen]}
        for file in bench.history.read("pipeline/files_of_commits", where):
            files[file.pop("sha")].append(FileChange(**file))
        gone = [sha for sha, found in files.items() if any(file.was_let_go for file in found)]
        try:
            for change in bench.source(repo)[0].changes(gone) if gone else ():
                files[change.sha] = list(change.files)
                if change.fault is not None or any(
                    file.patch_state in UNREAD_STATES for file in change.files
                ):
                    untold.add(change.sha)
        except SourceError as error:
            _log.warning("%s %s: patches that were let go cannot be compared: %s", repo, day, error)
            untold.update(gone)
        for row in chosen:
            author = f"{row['author_name']} <{row['author_email']}> {row['authored_at'].timestamp():.0f}"
            picks.append(
                (patch_id(files[row["sha"]], author), Pick(row["sha"], row["branch"], row["committed_at"]))
            )
    return picks, untold


def _store(
    bench: Workbench,
    repo: str,
    reasons: Mapping[Key, Rule | None],
    before: Mapping[Key, Rule | None],
    marked: Collection[date],
) -> None:
    """Store `reasons` of commits that still say what stood `before`; days that are `marked` count as changed by it.

    The rows are read under the writers' lock: what another run collected meanwhile stays.
    """
    if not reasons:
        return
    where = {"repo": repo, **span([day for day, _ in reasons])}
    now = bench.now().isoformat()

    def decide(read: Read) -> list[Replacement]:
        log = [
            as_stored(row) | {"filtered": reasons[key]}
            for row in read("pipeline/log_of_days", where)
            if (key := (row["day"], row["sha"])) in reasons and row["filtered"] == before[key]
        ]
        if not log:
            return []
        days = sorted({row["day"] for row in log})
        replacements = [
            Replacement("commit_log", {"repo": [repo], "day": days, "sha": [row["sha"] for row in log]}, log)
        ]
        if changed := [day for day in days if day in marked]:
            reads = [
                as_stored(row) | {"changed_at": now}
                for row in read("pipeline/reads", {"repo": repo, **span(changed)})
                if row["day"] in changed
            ]
            replacements.append(Replacement("reads", {"repo": [repo], "day": changed}, reads))
        return replacements

    bench.history.decide(decide)
