"""The steps: collect, diff, analyse, report, digest. Plain functions over the edges; what every shell calls.

Each step reads what the one before it stored and replaces its own partitions; doing it again changes
nothing. A step takes the days of one repo and says for each whether it was done: a day that could not be
done costs that day, never the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Cue, Subject
from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import FileChange, pull_request_number, title_of
from digest_pipeline.domain.day import day_of, day_window, span_window
from digest_pipeline.domain.importance import Reason, Score, score
from digest_pipeline.errors import DigestError, SourceError, StoreError
from digest_pipeline.render.markdown import CommitEntry, DigestEntry, MarkdownRenderer, RepoPage, body_of
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from digest_pipeline.analysts import Analyst
    from digest_pipeline.domain.analysis import Outcome
    from digest_pipeline.domain.commit import CommitChanges
    from digest_pipeline.settings import RepoSettings, Settings
    from digest_pipeline.sources import Head, Source
    from digest_pipeline.store.history import History

    Row = Mapping[str, Any]
    Counts = dict[str, Any]

Progress = Callable[[str, str, int, int], None]

BATCH_BYTES = 8 << 20
"""Text in one transaction: 8 MB kept a run over 229 days below 600 MB; more is no faster."""

BATCH_DAYS = 62
"""Days whose commits are held in memory at once, without their patches."""

PREVIEW_CHARACTERS = 6000
"""What a shell may show of a page without opening it."""


@dataclass(slots=True)
class StepResult:
    """What one step did: counts for each day that was done, the error for each that was not."""

    done: dict[date, Counts] = field(default_factory=dict)
    failed: dict[date, DigestError] = field(default_factory=dict)


class Pipeline:
    """The steps over one history. Sources are opened when first needed, refreshed once, closed with `close`.

    `progress` is told (step, repo, how many are done, of how many) as a step goes on: days, or commits while
    a model is asked.
    """

    def __init__(
        self,
        settings: Settings,
        history: History,
        *,
        open_source: Callable[[RepoSettings, Path], Source],
        open_analyst: Callable[[Settings], Analyst],
        now: Callable[[], datetime],
        progress: Progress = lambda *_: None,
    ) -> None:
        self.settings = settings
        self.history = history
        self._open_source = open_source
        self._open_analyst = open_analyst
        self._now = now
        self._progress = progress
        self._sources: dict[str, tuple[Source, Head] | SourceError] = {}
        self._renderer = MarkdownRenderer(
            settings.language, settings.timezone, show_reasons=settings.report.show_reasons
        )

    def close(self) -> None:
        """Give back what the sources hold."""
        for opened in self._sources.values():
            if not isinstance(opened, SourceError):
                opened[0].close()
        self._sources.clear()

    # --- collect --------------------------------------------------------------------------------------------

    def collect(self, repo: str, days: Sequence[date]) -> StepResult:
        """Read which commits each day has. A repo that cannot be read fails all of its days, and is remembered."""
        result = StepResult()
        try:
            source, head = self._source(repo)
            commits = source.commits(head, span_window(days, self.settings.timezone))
        except SourceError as error:
            self._remember_failure(repo, days, error)
            result.failed = dict.fromkeys(days, error)
            return result
        by_day: dict[date, list[Row]] = {day: [] for day in days}
        for commit in commits:
            day = day_of(commit.committed_at, self.settings.timezone)
            if day not in by_day:
                continue
            by_day[day].append(
                {
                    "repo": repo,
                    "day": day,
                    "position": len(by_day[day]),
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
            )
        read_at = self._now()
        for batch in _batches(days, BATCH_DAYS):
            self.history.replace(
                Replacement(
                    "reads",
                    {"repo": [repo], "day": batch},
                    [
                        self._read_row(repo, day)
                        | {
                            "branch": head.branch,
                            "head_sha": head.sha,
                            "commit_count": len(by_day[day]),
                            "read_at": read_at,
                        }
                        for day in batch
                    ],
                ),
                Replacement(
                    "commit_log",
                    {"repo": [repo], "day": batch},
                    [row for day in batch for row in by_day[day]],
                ),
            )
        for day in days:
            result.done[day] = {"commits": len(by_day[day]), "head_sha": head.sha, "branch": head.branch}
        self._progress("collect", repo, len(days), len(days))
        return result

    def _source(self, repo: str) -> tuple[Source, Head]:
        if repo not in self._sources:
            try:
                source = self._open_source(self.settings.repo(repo), self.settings.data_dir)
                self._sources[repo] = (source, source.refresh())
            except SourceError as error:
                self._sources[repo] = error
        opened = self._sources[repo]
        if isinstance(opened, SourceError):
            raise opened
        return opened

    def _read_row(self, repo: str, day: date) -> dict[str, Any]:
        window = day_window(day, self.settings.timezone)
        return {
            "repo": repo,
            "day": day,
            "source": self.settings.repo(repo).source,
            "window_start": window.start.isoformat(),
            "window_end": window.end.isoformat(),
            "timezone": self.settings.timezone.key,
        }

    def _remember_failure(self, repo: str, days: Sequence[date], error: SourceError) -> None:
        # What was read before stays what it was: a failure is written beside it, never over it.
        known = {row["day"]: row for row in self._rows("reads", repo, days)}
        rows = [
            {**self._read_row(repo, day), **known.get(day, {}), "error": str(error), "failed_at": self._now()}
            for day in days
        ]
        self.history.replace(Replacement("reads", {"repo": [repo], "day": list(days)}, rows))

    # --- diff -----------------------------------------------------------------------------------------------

    def diff(self, repo: str, days: Sequence[date]) -> StepResult:
        """Read the files of the commits that are not here yet, or that were not seen whole."""
        result = StepResult()
        commits = self._by_day("commits_of_days", repo, days)
        collected = {row["day"] for row in self._rows("reads", repo, days) if row["head_sha"] is not None}
        for day in days:
            if day not in collected:
                result.failed[day] = StoreError(
                    f"{repo} {day}: its commits were not collected; materialize raw_commits first"
                )
        wanted = {
            day: [
                row["sha"]
                for row in commits[day]
                if row["files"] is None or row["unread_files"] or not row["complete"]
            ]
            for day in days
            if day in collected
        }
        stored: dict[date, list[str]] = defaultdict(list)
        for row in self._rows("sizes_of_days", repo, days):
            stored[row["day"]].append(row["sha"])
        batch = _DiffBatch(self.history, repo)
        try:
            if any(wanted.values()):
                source, _ = self._source(repo)
                changes = source.changes([sha for shas in wanted.values() for sha in shas])
            else:
                changes = iter(())
            for number, (day, shas) in enumerate(wanted.items(), 1):
                current = {row["sha"] for row in commits[day]}
                batch.add(
                    day,
                    [next(changes) for _ in shas],
                    gone=[sha for sha in stored[day] if sha not in current],
                )
                if batch.size >= BATCH_BYTES:
                    batch.flush()
                    self._progress("diff", repo, number, len(wanted))
            batch.flush()
        except SourceError as error:
            batch.flush()
            for day in wanted:
                if day not in batch.written:
                    result.failed[day] = error
        self._progress("diff", repo, len(days), len(days))
        sizes = self._by_day("commits_of_days", repo, days)
        for day in wanted:
            if day not in result.failed:
                rows = sizes[day]
                result.done[day] = {
                    "commits": len(rows),
                    "files": sum(row["files"] or 0 for row in rows),
                    "additions": sum(row["additions"] or 0 for row in rows),
                    "deletions": sum(row["deletions"] or 0 for row in rows),
                    "unread_files": sum(row["unread_files"] or 0 for row in rows),
                }
        return result

    # --- analyse ----------------------------------------------------------------------------------------------

    def analyse(self, repo: str, days: Sequence[date]) -> StepResult:
        """Score every commit, and ask the analyst about each that has no analysis yet.

        An analysis by a model that is `ok` is kept and never asked again. A failure is a stored outcome.
        """
        result = StepResult()
        for chunk in _batches(days, BATCH_DAYS):
            self._analyse_chunk(repo, chunk, result)
            self._progress("analyse", repo, len(result.done) + len(result.failed), len(days))
        return result

    def _analyse_chunk(self, repo: str, days: Sequence[date], result: StepResult) -> None:
        commits = self._by_day("commits_of_days", repo, days)
        collected = {row["day"] for row in self._rows("reads", repo, days) if row["head_sha"] is not None}
        ready = []
        for day in days:
            if day in collected and all(row["files"] is not None for row in commits[day]):
                ready.append(day)
            else:
                result.failed[day] = StoreError(
                    f"{repo} {day}: its diffs were not read; materialize commit_diffs first"
                )
        if ready:
            self._analyse_days(repo, ready, commits)
            for day, rows in self._by_day(
                "analyses_of_days", repo, ready, language=self.settings.language
            ).items():
                result.done[day] = _analysis_counts(rows)

    def _analyse_days(self, repo: str, days: Sequence[date], commits: Mapping[date, Sequence[Row]]) -> None:
        language = self.settings.language
        profile = self.settings.profile(repo)
        profile_name = (
            self.settings.repo(repo).importance.profile or self.settings.importance.profile or "argus"
        )
        analyst = self._open_analyst(self.settings)
        files = {row["sha"]: row["files"] for row in self._rows("file_facts", repo, days)}
        known = {
            (row["day"], row["sha"]): row
            for row in self._rows("analyses_of_days", repo, days, language=language)
        }
        kept: dict[date, list[Row]] = defaultdict(list)
        to_ask: list[tuple[date, Row, Score]] = []
        for day in days:
            for row in commits[day]:
                paths = [file["path"] for file in files.get(row["sha"], ())]
                scored = score(row["message"], paths, row["additions"] + row["deletions"], profile)
                before = known.pop((day, row["sha"]), None)
                # What was paid for is kept; facts cost nothing and follow the code that makes them.
                if before is not None and before["status"] == "ok" and before["analyst"] != "offline":
                    kept[day].append({**before, **_score_columns(scored, profile_name)})
                else:
                    attempts = (
                        before["attempts"] if before is not None and before["analyst"] == analyst.name else 0
                    )
                    to_ask.append((day, {**row, "previous_attempts": attempts}, scored))
        writer = _AnalysisWriter(self.history, repo, language, profile_name, self._now)
        writer.begin(days, kept, gone=[key for key in known if known])
        if to_ask:
            subjects = self._subjects(repo, days, to_ask, files, analyst)
            scores = {(day, row["sha"]): scored for day, row, scored in to_ask}
            asyncio.run(self._ask(repo, analyst, subjects, scores, writer))
        writer.flush()

    async def _ask(
        self,
        repo: str,
        analyst: Analyst,
        subjects: Iterable[tuple[date, Subject]],
        scores: Mapping[tuple[date, str], Score],
        writer: _AnalysisWriter,
    ) -> None:
        """Store each outcome as soon as it comes; those that come while one is being stored go with the next."""
        days: dict[str, date] = {}

        def announced() -> Iterator[Subject]:
            for day, subject in subjects:
                days[subject.sha] = day
                yield subject

        outcomes: AsyncIterator[tuple[Subject, Outcome]] = analyst.analyse(announced())
        storing: asyncio.Task[None] | None = None
        total, done = len(scores), 0
        async for subject, outcome in outcomes:
            day = days.pop(subject.sha)
            writer.add(day, subject, scores[day, subject.sha], outcome)
            done += 1
            if analyst.name == "offline":
                if writer.size >= BATCH_BYTES:
                    writer.flush()
                continue
            self._progress("analyse", repo, done, total)
            if storing is None or storing.done():
                if storing is not None:
                    storing.result()
                storing = asyncio.create_task(asyncio.to_thread(writer.flush))
        if storing is not None:
            await storing

    def _subjects(
        self,
        repo: str,
        days: Sequence[date],
        to_ask: Sequence[tuple[date, Row, Score]],
        facts: Mapping[str, Sequence[Row]],
        analyst: Analyst,
    ) -> Iterator[tuple[date, Subject]]:
        cues: dict[str, list[Cue]] = defaultdict(list)
        if not analyst.reads_patches:
            for row in self._rows("cues", repo, days):
                cues[row["sha"]].append(Cue(row["category"], row["path"], row["line"]))
        for day, row, scored in to_ask:
            sha = row["sha"]
            if analyst.reads_patches:
                files = tuple(
                    FileChange(**file)
                    for file in self.history.read(
                        "pipeline/files_of_commit", {"repo": repo, "day": day, "sha": sha}
                    )
                )
            else:
                files = tuple(FileChange(**file, patch=None) for file in facts.get(sha, ()))
            yield (
                day,
                Subject(
                    repo=repo,
                    sha=sha,
                    message=row["message"],
                    author_name=row["author_name"],
                    committed_at=row["committed_at"],
                    tier=scored.tier,
                    files=files,
                    cues=tuple(cues.get(sha, ())),
                    previous_attempts=row["previous_attempts"],
                ),
            )

    # --- report -----------------------------------------------------------------------------------------------

    def report(self, repo: str, days: Sequence[date]) -> StepResult:
        """Render each day's page from stored rows; a page that says the same as before is left alone."""
        result = StepResult()
        for chunk in _batches(days, BATCH_DAYS):
            self._report_chunk(repo, chunk, result)
            self._progress("report", repo, len(result.done) + len(result.failed), len(days))
        return result

    def _report_chunk(self, repo: str, days: Sequence[date], result: StepResult) -> None:
        language = self.settings.language
        reads = {row["day"]: row for row in self._rows("reads", repo, days)}
        commits = self._by_day("commits_of_days", repo, days)
        analyses = self._by_day("analyses_of_days", repo, days, language=language)
        unread: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("unread_files_of_days", repo, days):
            unread[row["sha"]].append(row["path"])
        before = {row["day"]: row for row in self._rows("reports_of_days", repo, days, language=language)}
        changed: list[Row] = []
        for day in days:
            said = {row["sha"]: row for row in analyses[day]}
            if (
                day not in reads
                or reads[day]["head_sha"] is None
                or any(row["sha"] not in said for row in commits[day])
            ):
                result.failed[day] = StoreError(
                    f"{repo} {day}: its commits were not analysed; materialize commit_analyses first"
                )
                continue
            window = day_window(day, self.settings.timezone)
            page = RepoPage(
                repo,
                day,
                window,
                tuple(self._entry(repo, row, said[row["sha"]], unread) for row in commits[day]),
            )
            markdown = self._renderer.page(page)
            path = report_path(repo, day)
            revision = _revision(markdown)
            write_page(self.settings.data_dir / path, markdown)
            counts = {
                "commits": len(page.commits),
                **{tier: len(page.tier(tier)) for tier in ("high", "medium", "low")},
                "analysed": page.count("ok"),
                "failed": page.count("failed"),
                "deferred": page.count("deferred"),
            }
            if day not in before or before[day]["revision"] != revision:
                changed.append(
                    {
                        "repo": repo,
                        "day": day,
                        "language": language,
                        "path": path,
                        "revision": revision,
                        "markdown": markdown,
                        "rendered_at": self._now(),
                        **counts,
                    }
                )
            result.done[day] = {
                **counts,
                "path": str(self.settings.data_dir / path),
                "preview": preview(markdown),
                "revision": revision,
            }
        for batch in _by_bytes(changed, "markdown"):
            self.history.replace(
                Replacement(
                    "reports",
                    {"repo": [repo], "language": [language], "day": [row["day"] for row in batch]},
                    batch,
                )
            )

    def _entry(self, repo: str, row: Row, said: Row, unread: Mapping[str, Sequence[str]]) -> CommitEntry:
        return CommitEntry(
            sha=row["sha"],
            author_name=row["author_name"],
            authored_at=row["authored_at"],
            message=row["message"],
            title=title_of(row["message"]),
            url=self.settings.repo(repo).commit_url(row["sha"]),
            tier=said["tier"],
            score=said["score"],
            reasons=tuple(Reason(**reason) for reason in said["reasons"]),
            status=said["status"],
            analysis=Analysis.model_validate_json(said["analysis"]) if said["status"] == "ok" else None,
            model=said["model"],
            is_offline=said["analyst"] == "offline",
            attempts=said["attempts"],
            error=said["error"],
            unread=tuple(unread.get(row["sha"], ())),
            complete=row["complete"] is not False,
        )

    # --- digest -----------------------------------------------------------------------------------------------

    def digest(self, days: Sequence[date]) -> StepResult:
        """Render each day's digest over all repos, those that could not be read or are not made yet named."""
        result = StepResult()
        language = self.settings.language
        before = {
            row["day"]: row
            for row in self.history.read(
                "pipeline/digests_of_days", self._range(days) | {"language": language}
            )
        }
        changed: list[Row] = []
        for chunk in _batches(days, 31):
            stored: dict[date, dict[str, Row]] = defaultdict(dict)
            for row in self.history.read(
                "pipeline/digest_inputs", self._range(chunk) | {"language": language}
            ):
                stored[row["day"]][row["repo"]] = row
            states = {
                row["day"]: row["inputs"]
                for row in self.history.read(
                    "pipeline/digest_states", self._range(chunk) | {"language": language}
                )
            }
            for day in chunk:
                entries = self._digest_entries(stored[day])
                markdown = self._renderer.digest(day, entries)
                path = digest_path(day)
                revision, inputs = _revision(markdown), states.get(day, "")
                write_page(self.settings.data_dir / path, markdown)
                missing = [entry.repo for entry in entries if entry.body is None]
                if day not in before or (before[day]["revision"], before[day]["inputs"]) != (
                    revision,
                    inputs,
                ):
                    changed.append(
                        {
                            "day": day,
                            "language": language,
                            "path": path,
                            "revision": revision,
                            "inputs": inputs,
                            "markdown": markdown,
                            "repos": len(entries),
                            "missing_repos": missing,
                            "rendered_at": self._now(),
                        }
                    )
                result.done[day] = {
                    "repos": len(entries),
                    "missing_repos": missing,
                    "commits": sum(entry.commits for entry in entries),
                    "path": str(self.settings.data_dir / path),
                    "preview": preview(markdown),
                    "revision": revision,
                }
                self._progress("digest", "", len(result.done), len(days))
        for batch in _by_bytes(changed, "markdown"):
            self.history.replace(
                Replacement("digests", {"language": [language], "day": [row["day"] for row in batch]}, batch)
            )
        return result

    def _digest_entries(self, stored: Mapping[str, Row]) -> list[DigestEntry]:
        configured = [repo.name for repo in self.settings.repos]
        # A repo that left the settings keeps its place in the digests of its days.
        left = sorted(
            name for name, row in stored.items() if name not in configured and row["revision"] is not None
        )
        entries = []
        for name in [*configured, *left]:
            row = stored.get(name)
            if row is None or row["revision"] is None:
                entries.append(DigestEntry(name, None, row["error"] if row else None))
            else:
                entries.append(
                    DigestEntry(
                        name,
                        body_of(row["markdown"]),
                        row["error"],
                        commits=row["commits"],
                        high=row["high"],
                        medium=row["medium"],
                        low=row["low"],
                        unanalysed=row["failed"] + row["deferred"],
                    )
                )
        return entries

    # --- reading ----------------------------------------------------------------------------------------------

    def _rows(self, query: str, repo: str, days: Sequence[date], **more: object) -> list[dict[str, Any]]:
        """A query's rows for exactly these days; queries take a range, which may hold others."""
        rows = self.history.read(f"pipeline/{query}", {"repo": repo, **self._range(days), **more})
        wanted = set(days)
        return [row for row in rows if row.get("day") is None or row["day"] in wanted]

    def _by_day(
        self, query: str, repo: str, days: Sequence[date], **more: object
    ) -> dict[date, list[dict[str, Any]]]:
        grouped: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
        for row in self._rows(query, repo, days, **more):
            grouped[row["day"]].append(row)
        return grouped

    def _range(self, days: Sequence[date]) -> dict[str, object]:
        return {"first": min(days), "last": max(days)}


def preview(markdown: str) -> str:
    """The head of a page, ending with a whole line; the page itself where it is short."""
    if len(markdown) <= PREVIEW_CHARACTERS:
        return markdown
    return markdown[: markdown.rfind("\n", 0, PREVIEW_CHARACTERS)] + "\n\n…\n"


def report_path(repo: str, day: date) -> str:
    """Where a repo's page lies, counted from the data folder."""
    return f"reports/{repo}/{day:%Y}/{day}.md"


def digest_path(day: date) -> str:
    """Where the digest of a day lies, counted from the data folder."""
    return f"reports/daily/{day:%Y}/{day}.md"


def write_page(path: Path, text: str) -> bool:
    """Write `text` to `path` as a whole or not at all; True where the file said something else before."""
    data = text.encode("utf-8", "replace")
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, 0o644)  # noqa: PTH101 - mkstemp gives 0600, and pages are for others to read
            os.replace(name, path)  # noqa: PTH105 - by name
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}; free some space or check its rights"
        ) from None
    return True


class _DiffBatch:
    """Files of several days on their way into one transaction."""

    def __init__(self, history: History, repo: str) -> None:
        self._history = history
        self._repo = repo
        self._days: list[date] = []
        self._shas: list[str] = []
        self._files: list[Row] = []
        self._sizes: list[Row] = []
        self.size = 0
        self.written: set[date] = set()

    def add(self, day: date, changes: Sequence[CommitChanges], gone: Sequence[str]) -> None:
        """Take a day's new changes; `gone` are commits that left the day, whose files leave with them."""
        self._days.append(day)
        self._shas.extend(gone)
        for change in changes:
            self._shas.append(change.sha)
            key = {"repo": self._repo, "day": day, "sha": change.sha}
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
                self.size += len(file.patch or "") + len(file.path)
            self._sizes.append(
                {
                    **key,
                    "additions": sum(file.additions or 0 for file in change.files),
                    "deletions": sum(file.deletions or 0 for file in change.files),
                    "files": len(change.files),
                    "unread_files": sum(
                        file.patch_state in ("missing", "incomplete") for file in change.files
                    ),
                    "complete": change.complete,
                }
            )

    def flush(self) -> None:
        """Write what was taken, and forget it."""
        if self._shas:
            key = {"repo": [self._repo], "day": self._days, "sha": self._shas}
            self._history.replace(
                Replacement("commit_files", key, self._files),
                Replacement("commit_sizes", key, self._sizes),
            )
        self.written.update(self._days)
        self._days, self._shas, self._files, self._sizes, self.size = [], [], [], [], 0


class _AnalysisWriter:
    """Analyses on their way into the store; safe to add to while another thread flushes."""

    def __init__(
        self, history: History, repo: str, language: str, profile: str, now: Callable[[], datetime]
    ) -> None:
        self._history = history
        self._repo = repo
        self._language = language
        self._profile = profile
        self._now = now
        self._rows: list[Row] = []
        self.size = 0

    def begin(
        self, days: Sequence[date], kept: Mapping[date, Sequence[Row]], gone: Sequence[tuple[date, str]]
    ) -> None:
        """Scores of kept analyses are brought up to date, analyses of commits that left the day are dropped."""
        rows = [row for day in days for row in kept.get(day, ())]
        shas = [row["sha"] for row in rows] + [sha for _, sha in gone]
        if shas:
            key = {"repo": [self._repo], "language": [self._language], "day": list(days), "sha": shas}
            self._history.replace(Replacement("analyses", key, rows))

    def add(self, day: date, subject: Subject, scored: Score, outcome: Outcome) -> None:
        """Take one outcome; it is stored with the next flush."""
        analysis = outcome.analysis.model_dump_json(exclude_defaults=True) if outcome.analysis else None
        self._rows.append(
            {
                "repo": self._repo,
                "day": day,
                "sha": subject.sha,
                "language": self._language,
                "analyst": outcome.analyst,
                "model": outcome.model,
                **_score_columns(scored, self._profile),
                "status": outcome.status,
                "error_class": outcome.error_class,
                "error": outcome.error,
                "attempts": outcome.attempts,
                "retry_at": outcome.retry_at.isoformat() if outcome.retry_at else None,
                "analysis": analysis,
                "prompt_version": outcome.prompt_version,
                "input_hash": outcome.input_hash,
                "tokens_in": outcome.usage.tokens_in,
                "tokens_out": outcome.usage.tokens_out,
                "tokens_cached": outcome.usage.tokens_cached,
                "shown_lines": outcome.shown_lines,
                "changed_lines": outcome.changed_lines,
                "analysed_at": self._now().isoformat(),
            }
        )
        self.size += len(analysis or "") + 500

    def flush(self) -> None:
        """Write what was taken so far; again where more came in the meantime."""
        while self._rows:
            rows, self._rows, self.size = self._rows, [], 0
            key = {
                "repo": [self._repo],
                "language": [self._language],
                "day": sorted({row["day"] for row in rows}),
                "sha": [row["sha"] for row in rows],
            }
            self._history.replace(Replacement("analyses", key, rows))


def _score_columns(scored: Score, profile: str) -> Row:
    reasons = [
        {"rule": reason.rule, "points": reason.points, "evidence": reason.evidence}
        for reason in scored.reasons
    ]
    return {"profile": profile, "tier": scored.tier, "score": scored.points, "reasons": reasons}


def _analysis_counts(rows: Sequence[Row]) -> Counts:
    counts: Counts = {tier: sum(row["tier"] == tier for row in rows) for tier in ("high", "medium", "low")}
    counts |= {
        status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "deferred")
    }
    counts |= {name: sum(row[name] for row in rows) for name in ("tokens_in", "tokens_out", "tokens_cached")}
    counts["models"] = sorted({row["model"] for row in rows})
    return counts


def _revision(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _batches(days: Sequence[date], most: int) -> Iterator[list[date]]:
    for start in range(0, len(days), most):
        yield list(days[start : start + most])


def _by_bytes(rows: Sequence[Row], column: str) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[column])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def utc_now() -> datetime:
    """The clock that shells hand in."""
    return datetime.now(UTC)
