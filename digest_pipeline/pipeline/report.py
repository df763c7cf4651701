"""The page of a repo's day, from stored rows only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.page import without_failures
from digest_pipeline.errors import StoreError
from digest_pipeline.pipeline.contents import day_rows, repo_pages
from digest_pipeline.pipeline.pages import preview, report_path, revision, settle, write_page
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches, by_bytes
from digest_pipeline.render.markdown import MarkdownRenderer
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.page import RepoPage
    from digest_pipeline.settings import Settings

    Row = Mapping[str, Any]


_CONTENT = "day-1-"
"""What a hash of a day's content begins with, so that one over something else is told from it."""


def renderer(settings: Settings, language: Language | None = None) -> MarkdownRenderer:
    """The renderer of a language, the settings' where none is given, and of their timezone."""
    return _renderer(
        language or settings.language, settings.timezone, show_reasons=settings.report.show_reasons
    )


@cache
def _renderer(language: Language, timezone: ZoneInfo, *, show_reasons: bool) -> MarkdownRenderer:
    # One for a process: its templates are compiled when they are first used, a tenth of a second each.
    return MarkdownRenderer(language, timezone, show_reasons=show_reasons)


def report(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Render the page of each of `days`; a page that says the same as before is left alone.

    One whose commits, analyses or statuses are others than on a page that stood before, or whose day changed, says
    when and what; one that is another because of the days before it does not. One on which only the words of
    failures, tries and costs would be others stays as it is.
    """
    result = StepResult()
    pages = renderer(bench.settings)
    for chunk in batches(days):
        _report_chunk(bench, repo, chunk, pages, result)
        bench.progress("report", repo, len(result.done) + len(result.failed), len(days))
    return result


def _report_chunk(
    bench: Workbench, repo: str, days: Sequence[date], pages: MarkdownRenderer, result: StepResult
) -> None:
    settings = bench.settings
    language = settings.language
    stored = day_rows(bench, repo, days, language)
    contents = repo_pages(bench, repo, days, rows=stored)
    changed: list[Row] = []
    for day in days:
        if day not in contents:
            reason = f"{repo} {day}: its commits were not analysed; materialize commit_analyses first"
            result.failed[day] = StoreError(reason)
            continue
        page = contents.pop(day)
        stood = stored.pages.get(day)
        content = content_of(page, shows_reasons=settings.report.show_reasons)
        updated_at = _updated_at(stood, content=content, page=page, now=bench.now())
        shown = _updated(page, stored.reads[day], updated_at)
        # A page that says the same was rendered when it was.
        rendered_at = (_rendered_at(stood, stored.reads[day]) if stood is not None else None) or bench.now()
        markdown = pages.page(replace(shown, rendered_at=rendered_at))
        bare = without_failures(replace(shown, rendered_at=None))
        plain = pages.unstamped(markdown) if replace(shown, rendered_at=None) == bare else pages.page(bare)
        state = {"content": content, "updated_at": updated_at, "readable": _readable(bare, plain)}
        same = stood is not None and stood["revision"] == revision(markdown)
        if stood is not None and not same:
            if stood["readable"] == state["readable"]:
                # Words of failures, tries and costs alone would be others.
                same, markdown = True, _stored(bench, repo, day)
            else:
                rendered_at = bench.now()
                markdown = pages.page(replace(shown, rendered_at=rendered_at))
        path = report_path(repo, day)
        counts = _counts(page) | {"revision": revision(markdown)}
        write_page(settings.data_dir / path, markdown)
        if stood is None or not same or any(stood[name] != value for name, value in state.items()):
            key: dict[str, Any] = {"repo": repo, "day": day, "language": language}
            made = {"path": path, "markdown": markdown, "rendered_at": rendered_at.isoformat()}
            changed.append(key | made | counts | state)
        result.done[day] = counts | {"path": settings.data_dir / path, "preview": preview(markdown)}
    for batch in by_bytes(changed, "markdown"):
        replaced: dict[str, Any] = {
            "repo": [repo],
            "language": [language],
            "day": [row["day"] for row in batch],
        }
        bench.history.replace(Replacement("reports", replaced, batch))
    settle(
        {day: settings.data_dir / report_path(repo, day) for day in days if day in result.done},
        lambda: {
            row["day"]: row["revision"]
            for row in bench.rows("reports_of_days", repo, days, language=language)
        },
        lambda day: _stored(bench, repo, day),
    )


def _updated_at(stood: Row | None, *, content: str, page: RepoPage, now: datetime) -> datetime | None:
    """When the page's content became another than that of a page that stood before."""
    if stood is None:
        return None
    # A page of a day that was not over was to become another one; rows of earlier versions hold another hash.
    was_final = stood["rendered_at"] >= page.window.end
    is_known = stood["content"] is not None and stood["content"].startswith(_CONTENT)
    updated_at: datetime | None = stood["updated_at"]
    return now if was_final and is_known and stood["content"] != content else updated_at


def _rendered_at(stood: Row, read: Row) -> datetime | None:
    """When a page was rendered that is the same again; None where its day was found changed since.

    One that only gets its hash was rendered when it was: its digest is as new as it is.
    """
    rendered_at: datetime = stood["rendered_at"]
    return None if read["changed_at"] is not None and read["changed_at"] > rendered_at else rendered_at


def content_of(page: RepoPage, *, shows_reasons: bool) -> str:
    """A hash of what a page says of its own commits, their analyses and statuses: nothing that other days decide.

    Not of what failures say, of tries and costs: with those a day is the same.
    """
    told = [
        (
            *(commit.sha, commit.message, commit.author_name, commit.authored_at.astimezone(UTC).isoformat()),
            *(commit.url, commit.tier, commit.status, commit.model, commit.is_offline),
            (commit.score, commit.reasons) if shows_reasons else None,
            commit.analysis and commit.analysis.model_dump_json(),
            *(commit.complete, commit.unread, commit.share, commit.left_out, commit.left_out_files),
        )
        for commit in page.commits
    ]
    return _CONTENT + revision(repr(told))


def _readable(page: RepoPage, plain: str) -> str:
    """A hash of what a reader would call another page: its text, the kinds of failures, when it was updated.

    Not of when it was rendered, and not of the words of a failure: they are others with each try, and with who met
    it first.
    """
    kinds = [f"{commit.error_class}" for commit in page.commits]
    updated = page.updated_at and page.updated_at.astimezone(UTC)
    return revision("\n".join([plain, *kinds, f"{updated} {page.came} {page.went}"]))


def _stored(bench: Workbench, repo: str, day: date) -> str:
    """The text of a page that stands."""
    where = {"repo": repo, "day": day, "language": bench.settings.language}
    text: str = bench.history.read("pipeline/page", where)[0]["markdown"]
    return text


def _updated(page: RepoPage, read: Row, updated_at: datetime | None) -> RepoPage:
    """The page with the line that says when it changed, or its day did; without one where neither did."""
    times = [time for time in (updated_at, read["changed_at"]) if time is not None]
    return replace(page, updated_at=max(times, default=None), came=read["came"] or 0, went=read["went"] or 0)


def _counts(page: RepoPage) -> dict[str, Any]:
    return {
        "commits": len(page.commits),
        **{tier: len(page.told(tier)) for tier in TIERS},
        "analysed": page.count("ok"),
        "failed": page.count("failed"),
        "deferred": page.count("deferred"),
    }
