"""The site, from stored rows: each page that can have become another one is rendered, the others stay as they are."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from digest_pipeline.domain.analysis import Language
from digest_pipeline.pipeline.contents import repo_pages
from digest_pipeline.pipeline.readers import Shelf
from digest_pipeline.pipeline.site_folder import SiteFolder
from digest_pipeline.pipeline.site_state import feed_languages, hashed, settings_hash, site_folder
from digest_pipeline.pipeline.workbench import batches
from digest_pipeline.site import feed, places, search
from digest_pipeline.site.html import FILES, Around, DayEntry, SiteRenderer, asset
from digest_pipeline.site.outline import Outline, outline, outline_type
from digest_pipeline.site.rollup import rollup_sections
from digest_pipeline.site.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from digest_pipeline.domain.page import RepoPage
    from digest_pipeline.pipeline.workbench import Workbench

    Row = Mapping[str, Any]

_T = TypeVar("_T")

LOOK_BACK = 31
"""So many days before it a page tells of: its medians and trends; it is rendered anew where one of them changed."""

_NO_JEKYLL = ".nojekyll"
"""GitHub Pages leaves the files of a branch as they are where this one lies beside them."""

_NO_URL = '[site] url is not set, so no feeds were written; set it to the address that the site will have: url = "https://…"'


@dataclass
class SiteResult:
    """What a build did: where the start page lies, how many pages there are, what was written and removed."""

    index: Path
    pages: int = 0
    written: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)


def site(bench: Workbench, folder: Path | None = None, language: Language | None = None) -> SiteResult:
    """Build the site in `folder`, its words in `language`; what says the same as before is not written again.

    Raises UsageError where the folder holds something else, StoreError, DigestError.
    """
    folder = folder or site_folder(bench.settings)
    with SiteFolder.open(folder) as opened:
        return _Build(bench, opened, language or bench.settings.language).run()


class _Build:
    """One build of one folder."""

    def __init__(self, bench: Workbench, folder: SiteFolder, language: Language) -> None:
        # In this order: what changes in between is older in the stamp than on the pages, and is built once more.
        state = bench.history.read("pipeline/site_state")[0]["state"]
        self._rows = bench.history.read("pipeline/site_days")
        self._hash = settings_hash(bench.settings, language)
        self._stamp = hashed(self._hash, state)
        self._rollups = {
            row["first_day"]: row
            for row in bench.history.read("pipeline/weekly_rollups", {"language": language})
        }
        self._bench = bench
        self._folder = folder
        self._language = language
        self._url = bench.settings.site.url
        # Repos that left the settings keep their days.
        followed = [repo.name for repo in bench.settings.repos]
        self._repos = [*followed, *sorted({row["repo"] for row in self._rows} - {*followed})]
        self._renderer = SiteRenderer(
            language,
            bench.settings.timezone,
            repos=self._repos,
            show_reasons=bench.settings.report.show_reasons,
        )
        self._outlines: dict[str, dict[date, Outline]] = {repo: {} for repo in self._repos}
        self._told: dict[tuple[str, date], str] = {}
        self._paths: set[str] = set()
        self._documents: set[str] = set()
        self._with_feed: set[str] = set()
        self._search_is_stale = False

    def run(self) -> SiteResult:
        self._folder.plan(self._planned())
        for repo in self._repos:
            self._repo_days(repo)
        notes = self._feeds()
        self._around()
        self._assets()
        self._search_is_stale |= self._folder.keep_only(self._paths, self._documents, places.SEARCH)
        self._search()
        days = {f"{repo}/{day}" for repo, outlines in self._outlines.items() for day in outlines}
        self._folder.days = {key: kept for key, kept in self._folder.days.items() if key in days}
        self._folder.pages = {path: key for path, key in self._folder.pages.items() if path in self._paths}
        self._folder.done(self._stamp)
        return SiteResult(
            self._folder.path / places.START,
            sum(path.endswith(".html") for path in self._paths),
            self._folder.written,
            self._folder.removed,
            notes,
        )

    def _planned(self) -> set[str]:
        """Every path that this build may write."""
        paths = {places.START, _NO_JEKYLL, *FILES}
        for row in self._rows:
            repo, day = row["repo"], row["day"]
            paths.add(places.day_page(day))
            if row["is_read"]:
                paths |= {places.repo_day(repo, day), places.repo_page(repo), places.week_page(day)}
                if self._url is not None:
                    paths |= {places.feed_file(repo, one) for one in self._feed_languages([row])}
        return paths

    # --- the pages of repos' days -----------------------------------------------------------------------------

    def _repo_days(self, repo: str) -> None:
        rows = {row["day"]: row for row in self._rows if row["repo"] == repo and row["is_read"]}
        keys = self._keys(repo, rows)
        found = self._outlines[repo]
        total = len(rows)
        for done, (earlier, (day, page), later) in enumerate(
            _windows(self._found(repo, rows, keys)), start=1
        ):
            before, after = (other and other[0] for other in (earlier, later))
            around = [f"{other or ''}" for other in (before, after)]
            path = places.repo_day(repo, day)
            kept = self._folder.days.get(f"{repo}/{day}", {})
            self._paths.add(path)
            self._documents.add(path)
            if page is None and kept["around"] == around and self._folder.stands(path):
                found[day] = outline_type().validate_python(kept["outline"])
                self._told[repo, day] = json.dumps(kept["outline"])
            else:
                read, spoken = page or self._load(repo, [day])[day]
                found[day] = outline(read, spoken)
                html = self._renderer.repo_day(
                    read, Around(before, after), spoken=spoken, known=partial(_knows, found)
                )
                self._folder.write(path, html)
                document = search.document(read, self._renderer.words)
                self._search_is_stale |= self._folder.write_document(path, document)
                kept = outline_type().dump_python(found[day], mode="json")
                self._folder.days[f"{repo}/{day}"] = {"key": keys[day], "around": around, "outline": kept}
                self._told[repo, day] = json.dumps(kept)
            self._bench.progress("site", repo, done, total)
        self._bench.progress("site", repo, total, total)

    def _keys(self, repo: str, rows: Mapping[date, Row]) -> dict[date, str]:
        """For each day a hash that is another one where its page can be: of its own rows and those before it."""
        keys = {}
        settings = self._bench.settings.followed(repo)
        link = (settings and settings.link_base) or ""
        days = sorted(rows)
        for index, day in enumerate(days):
            near = [
                rows[other]["facts"]
                for other in days[max(0, index - LOOK_BACK) : index + 1]
                if (day - other).days <= LOOK_BACK
            ]
            keys[day] = hashed(self._hash, link, *near)
        return keys

    def _found(
        self, repo: str, rows: Mapping[date, Row], keys: Mapping[date, str]
    ) -> Iterator[tuple[date, tuple[RepoPage, Language] | None]]:
        """The days that have a page, oldest first; what may say something else now comes with its content."""
        for chunk in batches(sorted(rows)):
            changed = [
                day for day in chunk if self._folder.days.get(f"{repo}/{day}", {}).get("key") != keys[day]
            ]
            loaded = self._load(repo, changed)
            for day in chunk:
                if day in loaded:
                    yield day, loaded.pop(day)
                elif day not in changed:
                    yield day, None

    def _load(self, repo: str, days: Sequence[date]) -> dict[date, tuple[RepoPage, Language]]:
        """The contents of days, in the site's language or in whichever there is, with that language."""
        found: dict[date, tuple[RepoPage, Language]] = {}
        for language in dict.fromkeys((self._language, self._bench.settings.language, *get_args(Language))):
            missing = [day for day in days if day not in found]
            if not missing:
                break
            pages = repo_pages(self._bench, repo, missing, language=language)
            found |= {day: (page, language) for day, page in pages.items()}
        return found

    # --- the pages around them --------------------------------------------------------------------------------

    def _around(self) -> None:
        by_day: dict[date, list[Outline]] = defaultdict(list)
        for repo in self._repos:
            for day, one in self._outlines[repo].items():
                by_day[day].append(one)
        errors = {(row["repo"], row["day"]): row["error"] for row in self._rows}
        days = sorted({*by_day, *(day for (_, day), error in errors.items() if error)})
        for before, day, after in _windows(days):
            entries = [
                DayEntry(repo, self._outlines[repo].get(day), errors.get((repo, day)))
                for repo in self._repos
                if day in self._outlines[repo] or (repo, day) in errors
            ]
            inputs = [f"{before} {after}", *(f"{entry.repo} {entry.error}" for entry in entries)]
            self._page(
                places.day_page(day),
                [*inputs, *self._words_of(by_day[day])],
                partial(self._renderer.day, day, entries, Around(before, after)),
            )
        weeks: dict[date, list[Outline]] = defaultdict(list)
        for day in sorted(by_day):
            weeks[places.monday(day)] += by_day[day]
        for before, monday, after in _windows(sorted(weeks)):
            self._week(monday, weeks[monday], Around(before, after))
        for repo, outlines in self._outlines.items():
            if outlines:
                newest_first = [outlines[day] for day in sorted(outlines, reverse=True)]
                has_feed = repo in self._with_feed
                self._page(
                    places.repo_page(repo),
                    [f"{has_feed}", *self._words_of(newest_first)],
                    partial(self._renderer.repo, repo, newest_first, has_feed=has_feed),
                )
        newest_days = {day: by_day[day] for day in sorted(by_day, reverse=True)}
        self._page(
            places.START,
            [
                *sorted(self._with_feed),
                *(text for found in newest_days.values() for text in self._words_of(found)),
            ],
            partial(self._renderer.start, newest_days, feeds=self._with_feed),
        )

    def _week(self, monday: date, outlines: Sequence[Outline], around: Around) -> None:
        rollup = self._rollups.get(monday)
        # What a rollup names lies in its week, or before.
        last = monday + timedelta(days=6)
        there = [
            f"{repo} {day}" for repo, days in self._outlines.items() for day in sorted(days) if day <= last
        ]
        inputs = [rollup["revision"], *there] if rollup else []

        def render() -> str:
            sections = []
            if rollup is not None:
                where = {"kind": "weekly", "period": rollup["period"], "language": self._language}
                text = self._bench.history.read("pipeline/rollup_text", where)[0]["markdown"]
                sections = rollup_sections(text, partial(self._lead, places.week_page(monday)))
            return self._renderer.week(monday, outlines, around, sections)

        inputs = [f"{around}", *inputs, *self._words_of(outlines)]
        self._page(places.week_page(monday), inputs, render)

    def _lead(self, here: str, repo: str, day: date, sha: str | None) -> str | None:
        """Where a link to a repo's day, or to a commit on it, leads on the site."""
        found = self._outlines.get(repo, {})
        if day not in found:
            return None
        known = sha is not None and _knows(found, day, sha)
        return places.relative(here, places.repo_day(repo, day), places.anchor(sha or "") if known else "")

    def _words_of(self, outlines: Iterable[Outline]) -> list[str]:
        return [self._told[one.repo, one.day] for one in outlines]

    def _feeds(self) -> list[str]:
        if self._url is None:
            return [_NO_URL]
        for repo in self._repos:
            rows = {row["day"]: row for row in self._rows if row["repo"] == repo and row["is_read"]}
            newest = sorted(rows, reverse=True)[: feed.MOST_ENTRIES]
            shelf = Shelf(self._bench, newest)
            own = self._outlines[repo]
            for language in self._feed_languages(rows.values()) if newest else ():
                if language == self._language == self._bench.settings.language:
                    outlines = [own[day] for day in sorted(own, reverse=True) if own[day].spoken == language]
                else:
                    pages = {day: shelf.page(repo, day, language) for day in newest}
                    outlines = [outline(page, language) for page in pages.values() if page is not None]
                    # A page that nobody renders in this language is as new as the day's own.
                    outlines = [
                        replace(one, updated_at=max(one.updated_at, own[one.day].updated_at))
                        for one in outlines
                    ]
                if any(one.commits for one in outlines):
                    words = Words(language, self._bench.settings.timezone)
                    text = feed.feed(repo, outlines, words, url=self._url)
                    self._write(places.feed_file(repo, language), text)
                    if language == self._language:
                        self._with_feed.add(repo)
        return []

    def _feed_languages(self, rows: Iterable[Row]) -> list[Language]:
        """The languages that somebody reads, and those that were."""
        stored = {language for row in rows for language in row["languages"]}
        return sorted({*feed_languages(self._bench.settings), *stored})

    def _assets(self) -> None:
        for name in FILES:
            self._write(name, asset(name).decode())
        self._write(_NO_JEKYLL, "")

    def _search(self) -> None:
        """Make the index where one of its documents is another one, or it is not there."""
        entry = f"{places.SEARCH}/pagefind-entry.json"
        if not self._search_is_stale and self._folder.stands(entry):
            return
        with self._folder.scratch() as scratch:
            if self._documents:
                search.make_index(self._folder.documents, scratch)
            for file in [file for file in scratch.rglob("*") if file.is_file()]:
                if not search.is_needed(file.relative_to(scratch).as_posix()):
                    file.unlink()
            self._folder.take_over(scratch, places.SEARCH)

    def _page(self, path: str, inputs: Iterable[str], render: Callable[[], str]) -> None:
        """Render a page where what it is made from is another one, or it is not there."""
        key = hashed(self._hash, *inputs)
        self._paths.add(path)
        if self._folder.pages.get(path) != key or not self._folder.stands(path):
            self._folder.write(path, render())
            self._folder.pages[path] = key

    def _write(self, path: str, content: str) -> None:
        self._paths.add(path)
        self._folder.write(path, content)


def _windows(items: Iterable[_T]) -> Iterator[tuple[_T | None, _T, _T | None]]:
    """Each of `items` with the ones before and after it."""
    before: _T | None = None
    current: _T | None = None
    for after in items:
        if current is not None:
            yield before, current, after
        before, current = current, after
    if current is not None:
        yield before, current, None


def _knows(outlines: Mapping[date, Outline], day: date, sha: str) -> bool:
    return day in outlines and sha[:12] in outlines[day].shas
