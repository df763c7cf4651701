"""The page of a repo's day, from stored rows only."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import title_of
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.importance import TIERS, Reason
from digest_pipeline.errors import StoreError
from digest_pipeline.pipeline.pages import preview, report_path, revision, write_page
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches, by_bytes
from digest_pipeline.render.markdown import CommitEntry, MarkdownRenderer, RepoPage
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from digest_pipeline.settings import RepoSettings, Settings

    Row = Mapping[str, Any]


def renderer(settings: Settings) -> MarkdownRenderer:
    """The renderer of these settings' language and timezone."""
    return MarkdownRenderer(settings.language, settings.timezone, show_reasons=settings.report.show_reasons)


def report(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Render the page of each of `days`; a page that says the same as before is left alone."""
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
    collected = bench.collected(repo, days)
    commits = bench.by_day("commits_of_days", repo, days)
    analyses = bench.by_day("analyses_of_days", repo, days, language=language)
    before = {row["day"]: row for row in bench.rows("reports_of_days", repo, days, language=language)}
    unread: dict[str, list[str]] = defaultdict(list)
    for row in bench.rows("unread_files_of_days", repo, days):
        unread[row["sha"]].append(row["path"])
    changed: list[Row] = []
    for day in days:
        said = {row["sha"]: row for row in analyses[day]}
        if day not in collected or any(row["sha"] not in said for row in commits[day]):
            reason = f"{repo} {day}: its commits were not analysed; materialize commit_analyses first"
            result.failed[day] = StoreError(reason)
            continue
        entries = (_entry(settings.repo(repo), row, said[row["sha"]], unread) for row in commits[day])
        page = RepoPage(repo, day, day_window(day, settings.timezone), tuple(entries))
        markdown = pages.page(page)
        path = report_path(repo, day)
        counts = _counts(page) | {"revision": revision(markdown)}
        write_page(settings.data_dir / path, markdown)
        if day not in before or before[day]["revision"] != counts["revision"]:
            key: dict[str, Any] = {"repo": repo, "day": day, "language": language}
            made = {"path": path, "markdown": markdown, "rendered_at": bench.now().isoformat()}
            changed.append(key | made | counts)
        result.done[day] = counts | {"path": settings.data_dir / path, "preview": preview(markdown)}
    for batch in by_bytes(changed, "markdown"):
        replaced: dict[str, Any] = {
            "repo": [repo],
            "language": [language],
            "day": [row["day"] for row in batch],
        }
        bench.history.replace(Replacement("reports", replaced, batch))


def _counts(page: RepoPage) -> dict[str, Any]:
    return {
        "commits": len(page.commits),
        **{tier: len(page.tier(tier)) for tier in TIERS},
        "analysed": page.count("ok"),
        "failed": page.count("failed"),
        "deferred": page.count("deferred"),
    }


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
        unread=tuple(unread.get(row["sha"], ())),
        complete=row["complete"] is not False,
    )
