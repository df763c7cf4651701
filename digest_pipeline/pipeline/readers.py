"""The pages of readers' own: what of a day is theirs, over their repos, in their language; from stored rows only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Cue, Subject
from digest_pipeline.analysts.offline import OfflineAnalyst
from digest_pipeline.domain.commit import FileChange
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.page import without_failures
from digest_pipeline.domain.reader import select
from digest_pipeline.errors import StoreError
from digest_pipeline.pipeline.contents import repo_pages
from digest_pipeline.pipeline.pages import reader_path, revision, write_page
from digest_pipeline.pipeline.report import content_of, renderer
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches_over, by_bytes, span
from digest_pipeline.render.headline import headline
from digest_pipeline.render.markdown import body_of
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.analysis import Analysis, Language
    from digest_pipeline.domain.page import CommitEntry, RepoPage
    from digest_pipeline.domain.reader import Reader

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReaderDay:
    """What there is for a reader on a day: their part of each repo's page, and lines that have to be told.

    A note is the name of a label with its values.
    """

    reader: Reader
    day: date
    pages: tuple[RepoPage, ...]
    notes: tuple[tuple[str, Mapping[str, object]], ...] = ()
    is_unreadable: bool = False

    @property
    def commits(self) -> int:
        """How many commits are theirs."""
        return sum(len(page.commits) for page in self.pages)


@dataclass
class Shelf:
    """The pages of a few days, each read once for all readers."""

    bench: Workbench
    days: Sequence[date]
    _pages: dict[tuple[str, Language], dict[date, RepoPage]] = field(default_factory=dict)
    _said: dict[tuple[str, Language], set[str]] = field(default_factory=dict)
    _repos: dict[date, dict[str, Row]] | None = None

    def repos(self, day: date) -> dict[str, Row]:
        """What is known of each repo's day."""
        if self._repos is None:
            self._repos = defaultdict(dict)
            where = {**span(self.days), "language": self.bench.settings.language}
            for row in self.bench.history.read("pipeline/repos_of_days", where):
                self._repos[row["day"]][row["repo"]] = row
        return self._repos[day]

    def page(self, repo: str, day: date, language: Language) -> RepoPage | None:
        """A repo's page in a language; where a commit has no analysis in it, in the settings' one.

        Facts cost nothing, so that the offline ones are put into any language on the way.
        """
        own = self.bench.settings.language
        if (repo, language) not in self._pages:
            if language == own:
                self._pages[repo, language] = repo_pages(self.bench, repo, self.days)
            else:
                facts = _Facts(self.bench, repo, self.days, language, self._said_in(repo, language))
                self._pages[repo, language] = repo_pages(
                    self.bench, repo, self.days, language=language, or_else=own, facts=facts.told
                )
        return self._pages[repo, language].get(day)

    def foreign(self, page: RepoPage, language: Language) -> int:
        """How many analyses of a page are in another language than this one."""
        if language == self.bench.settings.language:
            return 0
        said = self._said_in(page.repo, language)
        return sum(
            commit.analysis is not None and not commit.is_offline and commit.sha not in said
            for commit in page.commits
        )

    def _said_in(self, repo: str, language: Language) -> set[str]:
        """The commits that have an analysis in a language."""
        if (repo, language) not in self._said:
            rows = self.bench.rows("analyses_of_days", repo, self.days, language=language)
            self._said[repo, language] = {row["sha"] for row in rows if row["status"] == "ok"}
        return self._said[repo, language]


class _Facts:
    """Offline analyses in a language that the steps before were not asked for; nothing of them is stored."""

    def __init__(
        self, bench: Workbench, repo: str, days: Sequence[date], language: Language, said: set[str]
    ) -> None:
        """`said` are the commits that have an analysis in the language."""
        self._analyst = OfflineAnalyst(language)
        self._repo = repo
        self._said = said
        self._files = {row["sha"]: row["files"] for row in bench.rows("file_facts", repo, days)}
        self._cues: dict[str, list[Cue]] = defaultdict(list)
        for row in bench.rows("cues", repo, days):
            self._cues[row["sha"]].append(Cue(row["category"], row["path"], row["line"]))

    def told(self, commit: CommitEntry) -> CommitEntry:
        """A commit with these in place of offline ones that are not in the language."""
        if commit.analysis is None or not commit.is_offline or commit.sha in self._said:
            return commit
        return replace(commit, analysis=self._analysis(commit))

    def _analysis(self, commit: CommitEntry) -> Analysis | None:
        files = (FileChange(**{"patch": None, **file}) for file in self._files.get(commit.sha, ()))
        subject = Subject(
            repo=self._repo,
            sha=commit.sha,
            message=commit.message,
            author_name=commit.author_name,
            committed_at=commit.authored_at,
            tier=commit.tier,
            files=tuple(files),
            cues=tuple(self._cues.get(commit.sha, ())),
        )
        return self._analyst.outcome(subject).analysis


def reader_day(shelf: Shelf, reader: Reader, day: date) -> ReaderDay:
    """What there is for a reader on a day. A repo that could not be read is told, never taken for a quiet one."""
    repos = shelf.repos(day)
    pages: list[RepoPage] = []
    notes: list[tuple[str, Mapping[str, object]]] = []
    is_unreadable = False
    for repo in (one.name for one in shelf.bench.settings.repos if reader.follows(one.name)):
        row = repos.get(repo, {"error": None, "has_page": False})
        if row["error"] is not None:
            is_unreadable = is_unreadable or not row["has_page"]
            notes.append(
                ("stale" if row["has_page"] else "unreadable", {"repo": repo, "error": row["error"]})
            )
        elif not row["has_page"]:
            notes.append(("not_made", {"repo": repo}))
        page = shelf.page(repo, day, reader.language) if row["has_page"] else None
        theirs = None if page is None else select(page, reader)
        if theirs is not None:
            # What was said of the whole day is said anew of what is left of it.
            own = theirs.headline or headline(theirs, reader.language)
            pages.append(replace(theirs, headline=own))
    if foreign := sum(shelf.foreign(page, reader.language) for page in pages):
        total = sum(commit.analysis is not None for page in pages for commit in page.commits)
        notes.append(("other_language", {"count": foreign, "total": total}))
    if not pages:
        notes.insert(0, ("nothing", {"reader": reader.name}))
    return ReaderDay(reader, day, tuple(pages), tuple(notes), is_unreadable)


def reader_pages(bench: Workbench, days: Sequence[date]) -> StepResult:
    """Render each reader's page of each of `days`; one that says the same as before is left alone.

    A reader for whom nothing was theirs has none, or one line, as set; one who has a page keeps it, with that line.
    """
    result = StepResult()
    readers = bench.settings.readers()
    for chunk in batches_over(bench.settings.repos, days):
        shelf = Shelf(bench, chunk)
        before = {
            (row["reader"], row["day"]): row
            for row in bench.history.read("pipeline/reader_pages_of_days", span(chunk))
        }
        changed: list[Row] = []
        for day in chunk:
            inputs = next((row["inputs"] for row in shelf.repos(day).values()), None)
            if inputs is None:
                result.failed[day] = StoreError(f"{day}: has no digest yet; materialize daily_digest first")
                continue
            made = [_made(bench, reader_day(shelf, reader, day), before, inputs) for reader in readers]
            changed += [row for row, is_new in made if is_new]
            result.done[day] = {
                "pages": [row["path"] for row, _ in made if row["path"] is not None],
                "without_page": [row["reader"] for row, _ in made if row["path"] is None],
            }
        for batch in by_bytes(changed, "markdown"):
            _store(bench, batch)
    return result


def _made(
    bench: Workbench, found: ReaderDay, before: Mapping[tuple[str, date], Row], inputs: str
) -> tuple[Row, bool]:
    """The row of a reader's day, and whether it is another than the one that stands; its file is written."""
    reader, day = found.reader, found.day
    stood = before.get((reader.name, day))
    had_page = stood is not None and stood["revision"] is not None
    key: dict[str, Any] = {"reader": reader.name, "day": day, "language": reader.language, "inputs": inputs}
    key |= {"repos": len(found.pages), "commits": found.commits}
    if not (found.pages or found.is_unreadable or had_page or reader.when_empty == "line"):
        nothing = {**dict.fromkeys(("path", "revision", "content", "readable", "updated_at")), "markdown": ""}
        row = key | nothing | {"rendered_at": bench.now()}
        return row, stood is None or stood["inputs"] != inputs
    bare = _rendered(bench, found, [without_failures(page) for page in found.pages], None, None)
    shows_reasons = bench.settings.report.show_reasons
    of_pages = (content_of(page, shows_reasons=shows_reasons) for page in found.pages)
    state = {"readable": revision(bare), "content": revision("\n".join([*of_pages, repr(found.notes)]))}
    path = reader_path(reader.name, day)
    if stood is not None and had_page and stood["readable"] == state["readable"]:
        # What failures say and calls cost makes no other page.
        [text] = bench.history.read("pipeline/reader_page", {"reader": reader.name, "day": day})
        write_page(bench.settings.data_dir / path, text["markdown"])
        row = {**stood, **key, **state, "markdown": text["markdown"]}
        return row, any(stood[name] != value for name, value in (key | state).items())
    updated_at = None if stood is None or not had_page else _updated_at(bench, stood, day, state["content"])
    rendered_at = bench.now()
    # One line in the place of a page stays one.
    markdown = _rendered(bench, found, found.pages, rendered_at if found.pages else None, updated_at)
    write_page(bench.settings.data_dir / path, markdown)
    page = {"revision": revision(markdown), "markdown": markdown, "path": path}
    return key | state | page | {"rendered_at": rendered_at, "updated_at": updated_at}, True


def _updated_at(bench: Workbench, stood: Row, day: date, content: str) -> datetime | None:
    """When a page became another one by what it says of its own day, not of the days before.

    That of a day which was not over yet was to become another.
    """
    was_final = stood["rendered_at"] >= day_window(day, bench.settings.timezone).end
    updated_at: datetime | None = stood["updated_at"]
    return bench.now() if was_final and stood["content"] != content else updated_at


def _rendered(
    bench: Workbench,
    found: ReaderDay,
    pages: Iterable[RepoPage],
    rendered_at: datetime | None,
    updated_at: datetime | None,
) -> str:
    reader = found.reader
    render = renderer(bench.settings, reader.language)
    bodies = [(page.repo, body_of(render.page(page, edition=reader.edition))) for page in pages]
    return render.reader(found.day, reader.name, found.notes, bodies, rendered_at, updated_at)


def _store(bench: Workbench, rows: Sequence[Row]) -> None:
    by_reader: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        moments = {name: row[name] and row[name].isoformat() for name in ("rendered_at", "updated_at")}
        text = {"markdown": row["markdown"] or None}
        by_reader[row["reader"]].append({**row, **moments, **text})
    bench.history.replace(
        *(
            Replacement("reader_pages", {"reader": [reader], "day": [row["day"] for row in theirs]}, theirs)
            for reader, theirs in by_reader.items()
        )
    )
