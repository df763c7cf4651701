"""The page of a repo's day, from stored rows only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import title_of
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.importance import TIERS, Reason
from digest_pipeline.domain.ledger import read_ledger
from digest_pipeline.errors import StoreError
from digest_pipeline.pipeline.pages import preview, report_path, revision, write_page
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches, by_bytes
from digest_pipeline.render.markdown import CommitEntry, MarkdownRenderer, RepoPage
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.settings import RepoSettings, Settings

    Row = Mapping[str, Any]


def renderer(settings: Settings) -> MarkdownRenderer:
    """The renderer of these settings' language and timezone."""
    return MarkdownRenderer(settings.language, settings.timezone, show_reasons=settings.report.show_reasons)


def report(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Render the page of each of `days`; a page that says the same as before is left alone.

    One that says something else than a page that stood before, or whose day changed, says when and what.
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
    reads = {row["day"]: row for row in bench.rows("reads", repo, days) if row["head_sha"] is not None}
    commits = bench.by_day("commits_of_days", repo, days)
    analyses = bench.by_day("analyses_of_days", repo, days, language=language)
    before = {row["day"]: row for row in bench.rows("reports_of_days", repo, days, language=language)}
    unread: dict[str, list[str]] = defaultdict(list)
    for row in bench.rows("unread_files_of_days", repo, days):
        unread[row["sha"]].append(row["path"])
    costs = {row["day"]: row["cost"] for row in bench.rows("costs_of_days", repo, days, language=language)}
    changed: list[Row] = []
    for day in days:
        said = {row["sha"]: row for row in analyses[day]}
        if day not in reads or any(row["sha"] not in said for row in commits[day]):
            reason = f"{repo} {day}: its commits were not analysed; materialize commit_analyses first"
            result.failed[day] = StoreError(reason)
            continue
        entries = (_entry(settings.repo(repo), row, said[row["sha"]], unread) for row in commits[day])
        page = RepoPage(repo, day, day_window(day, settings.timezone), tuple(entries), cost=costs.get(day))
        stood = before.get(day)
        markdown = pages.page(page)
        state = _state(stood, content=revision(markdown), page=page, now=bench.now())
        shown = _updated(page, reads[day], state["updated_at"])
        if shown.updated_at is not None:
            markdown = pages.page(shown)
        path = report_path(repo, day)
        counts = _counts(page) | {"revision": revision(markdown)}
        write_page(settings.data_dir / path, markdown)
        same = stood is not None and stood["revision"] == counts["revision"]
        if stood is None or not same or stood["content"] != state["content"]:
            key: dict[str, Any] = {"repo": repo, "day": day, "language": language}
            # A page that only gets its hash was rendered when it was: its digest is as new as it is.
            rendered_at = stood["rendered_at"] if stood is not None and same else bench.now()
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


def _state(stood: Row | None, *, content: str, page: RepoPage, now: datetime) -> dict[str, Any]:
    """The page's content as a hash, and when it became another than that of a page that stood before."""
    if stood is None:
        return {"content": content, "updated_at": None}
    # A page of a day that was not over was to become another one.
    was_final = stood["content"] is not None and stood["rendered_at"] >= page.window.end
    return {
        "content": content,
        "updated_at": now if was_final and stood["content"] != content else stood["updated_at"],
    }


def _updated(page: RepoPage, read: Row, updated_at: datetime | None) -> RepoPage:
    """The page with the line that says when it changed, or its day did; without one where neither did."""
    times = [time for time in (updated_at, read["changed_at"]) if time is not None]
    return replace(page, updated_at=max(times, default=None), came=read["came"] or 0, went=read["went"] or 0)


def _counts(page: RepoPage) -> dict[str, Any]:
    return {
        "commits": len(page.commits),
        **{tier: len(page.tier(tier)) for tier in TIERS},
        "analysed": page.count("ok"),
        "failed": page.count("failed"),
        "deferred": page.count("deferred"),
    }


def _left_out(ledger: str | None) -> tuple[str, ...]:
    """The files of which the model did not see all."""
    return tuple(shown.path for shown in read_ledger(ledger or "") if shown.shown_lines < shown.changed_lines)


def _entry(repo: RepoSettings, row: Row, said: Row, unread: Mapping[str, Sequence[str]]) -> CommitEntry:
    return CommitEntry(
        sha=row["sha"],
        author_name=row["author_name"],
        authored_at=row["authored_at"],
        message=row["message"],
        title=title_of(row["message"]),
        url=repo.commit_url(row["sha"]),
        tier=said["tier"],
        score=said["score"],
        reasons=tuple(Reason(**reason) for reason in said["reasons"]),
        status=said["status"],
        analysis=Analysis.model_validate_json(said["analysis"]) if said["status"] == "ok" else None,
        model=said["model"],
        is_offline=said["analyst"] == "offline",
        attempts=said["attempts"],
        error=said["error"],
        shown_lines=said["shown_lines"],
        changed_lines=said["changed_lines"],
        left_out=_left_out(said["ledger"]),
        unread=tuple(unread.get(row["sha"], ())),
        complete=row["complete"] is not False,
    )
