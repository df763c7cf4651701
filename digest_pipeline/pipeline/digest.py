"""The digest of a day over all repos, from their stored pages."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.page import DigestEntry
from digest_pipeline.pipeline.pages import digest_path, preview, revision, settle, write_page
from digest_pipeline.pipeline.report import renderer
from digest_pipeline.pipeline.workbench import StepResult, Workbench, batches_over, by_bytes, span
from digest_pipeline.render.markdown import MarkdownRenderer, body_of, headline_of
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    Row = Mapping[str, Any]


def digest(bench: Workbench, days: Sequence[date]) -> StepResult:
    """Render each day's digest; repos that could not be read, or are not made yet, are named in it.

    One that is made from the same pages as before, and says the same, is left alone.
    """
    result = StepResult()
    pages = renderer(bench.settings)
    for chunk in batches_over(bench.settings.repos, days):
        _digest_chunk(bench, chunk, pages, result)
        bench.progress("digest", "all repositories", len(result.done), len(days))
    return result


def _digest_chunk(
    bench: Workbench, days: Sequence[date], pages: MarkdownRenderer, result: StepResult
) -> None:
    settings = bench.settings
    where = {**span(days), "language": settings.language}
    states = {row["day"]: row for row in bench.history.read("pipeline/digest_states", where)}
    before = {row["day"]: row["revision"] for row in bench.history.read("pipeline/digests_of_days", where)}
    stored: dict[date, dict[str, Row]] = defaultdict(dict)
    for row in bench.history.read("pipeline/digest_inputs", where):
        stored[row["day"]][row["repo"]] = row
    changed: list[Row] = []
    for day in days:
        entries = _entries([repo.name for repo in settings.repos], stored[day])
        markdown = pages.digest(day, entries)
        path = digest_path(day)
        missing = [entry.repo for entry in entries if entry.body is None]
        counts = {"repos": len(entries), "missing_repos": missing, "revision": revision(markdown)}
        write_page(settings.data_dir / path, markdown)
        state = states.get(day, {"inputs": "", "made_from": None})
        if before.get(day) != counts["revision"] or state["made_from"] != state["inputs"]:
            made = {"path": path, "markdown": markdown, "rendered_at": bench.now().isoformat()}
            key = {"day": day, "language": settings.language, "inputs": state["inputs"]}
            changed.append(key | made | counts)
        result.done[day] = counts | {
            "commits": sum(entry.commits for entry in entries),
            "path": settings.data_dir / path,
            "preview": preview(markdown),
        }
    for batch in by_bytes(changed, "markdown"):
        replaced = {"language": [settings.language], "day": [row["day"] for row in batch]}
        bench.history.replace(Replacement("digests", replaced, batch))
    settle(
        {day: settings.data_dir / digest_path(day) for day in days},
        lambda: {
            row["day"]: row["revision"] for row in bench.history.read("pipeline/digests_of_days", where)
        },
        lambda day: _stored(bench, day),
    )


def _stored(bench: Workbench, day: date) -> str:
    """The text of a digest that stands."""
    where = {"day": day, "language": bench.settings.language}
    text: str = bench.history.read("pipeline/digest_page", where)[0]["markdown"]
    return text


def _entries(configured: Sequence[str], stored: Mapping[str, Row]) -> list[DigestEntry]:
    # A repo that left the settings keeps its place in the digests of its days.
    left = sorted(
        name for name, row in stored.items() if name not in configured and row["revision"] is not None
    )
    return [_entry(name, stored.get(name)) for name in [*configured, *left]]


def _entry(name: str, row: Row | None) -> DigestEntry:
    if row is None or row["revision"] is None:
        return DigestEntry(name, None, row["error"] if row else None)
    return DigestEntry(
        name,
        body_of(row["markdown"]),
        row["error"],
        commits=row["commits"],
        high=row["high"],
        medium=row["medium"],
        low=row["low"],
        unanalysed=row["failed"] + row["deferred"],
        headline=headline_of(row["markdown"]),
    )
