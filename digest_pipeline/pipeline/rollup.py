"""Weeks and months over all repos, folded from the stored days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.day import days_between, span_window
from digest_pipeline.domain.due import days_to_cover, rollup_states
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.rollup import LOOK_BACK_DAYS, Before, RepoFold, Rollup
from digest_pipeline.errors import StoreError
from digest_pipeline.pipeline.contents import repo_pages
from digest_pipeline.pipeline.pages import preview, revision, write_page
from digest_pipeline.pipeline.workbench import batches
from digest_pipeline.render.rollup import RollupRenderer
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.due import RollupState
    from digest_pipeline.domain.period import Period
    from digest_pipeline.domain.rollup import RepoRollup
    from digest_pipeline.errors import DigestError
    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.settings import Settings

_DAYS_AT_ONCE = 7
"""Days whose analyses are held in memory together."""


@dataclass(slots=True)
class RollupResult:
    """Counts for each period that was done, the error for each that was not."""

    done: dict[Period, dict[str, Any]] = field(default_factory=dict)
    failed: dict[Period, DigestError] = field(default_factory=dict)


def rollup(bench: Workbench, periods: Sequence[Period]) -> RollupResult:
    """Render the page of each period, from the pages of its days that are there; one that says the same is left alone.

    A period that is not over is made of the days that are, and says so. One without any day has no page, and fails.
    """
    result = RollupResult()
    renderer = _renderer(bench.settings.language, bench.settings.timezone)
    for period in periods:
        state = rollup_state(bench, period)
        if state is None or not state.done:
            result.failed[period] = StoreError(nothing_stored(bench.settings, period, now=bench.now()))
            continue
        result.done[period] = _make(bench, state, renderer)
        bench.progress("rollup", period.kind, len(result.done) + len(result.failed), len(periods))
    return result


def nothing_stored(settings: Settings, period: Period, *, now: datetime) -> str:
    """What to do where a period has no day with a page."""
    days = days_to_cover(period, first_day=settings.first_day, now=now, timezone=settings.timezone)
    first, last = (days[0], days[-1]) if days else (period.first, period.last)
    return f"no day of {period.label} is made yet; `digest run --from {first} --to {last}` makes them"


def rollup_state(bench: Workbench, period: Period) -> RollupState | None:
    """What a period's rollup should be made from; None where nothing of it was read."""
    where = {"first": bench.settings.first_day, "last": period.last, "language": bench.settings.language}
    states = rollup_states(bench.history.read("pipeline/rollup_states", where))
    return next((state for state in states if state.period == period), None)


def read_rollup(bench: Workbench, state: RollupState, *, language: Language | None = None) -> Rollup:
    """What is to be said of a period, for every form that it takes; in the settings' language where none is given."""
    settings, now = bench.settings, bench.now()
    period = state.period
    days = days_to_cover(period, first_day=settings.first_day, now=now, timezone=settings.timezone)
    window = span_window([period.first, period.last], settings.timezone)
    configured = [repo.name for repo in settings.repos]
    left = sorted({repo for repo, _ in state.done if repo not in configured})
    return Rollup(
        period,
        window,
        tuple(days),
        window.end <= now,
        tuple(
            _fold(bench, state, repo, days, language or settings.language) for repo in [*configured, *left]
        ),
    )


def _fold(
    bench: Workbench, state: RollupState, repo: str, days: Sequence[date], language: Language
) -> RepoRollup:
    first, first_day = state.period.first, bench.settings.first_day
    back = list(
        days_between(max(first - timedelta(days=LOOK_BACK_DAYS), first_day), first - timedelta(days=1))
    )
    fold = RepoFold(repo, days)
    for chunk in batches([*back, *days], _DAYS_AT_ONCE):
        for page in repo_pages(bench, repo, chunk, language=language).values():
            # What is not rendered yet has nothing that a link could lead to.
            if page.rendered_at is not None:
                fold.add(page)
    unread = {row["day"]: row["error"] for row in bench.rows("reads", repo, days) if row["error"] is not None}
    return fold.result(unread, _before(bench, state.period, repo, language))


def _before(bench: Workbench, period: Period, repo: str, language: Language) -> Before | None:
    days = list(period.previous().days())
    rows = bench.rows("reports_of_days", repo, days, language=language)
    if len(rows) < len(days):
        return None
    return Before(sum(row["commits"] for row in rows), sum(row["high"] for row in rows))


def _make(bench: Workbench, state: RollupState, renderer: RollupRenderer) -> dict[str, Any]:
    settings, period = bench.settings, state.period
    made = read_rollup(bench, state)
    markdown = renderer.rollup(made)
    path = period.path
    write_page(settings.data_dir / path, markdown)
    counts: dict[str, Any] = {
        "repos": len(made.repos),
        "commits": sum(repo.coverage.commits for repo in made.repos),
        **{tier: sum(repo.tier(tier) for repo in made.repos) for tier in TIERS},
        "missing": sum(day.state != "made" for repo in made.repos for day in repo.days),
        "incomplete": sum(day.unanalysed > 0 for repo in made.repos for day in repo.days),
        "revision": revision(markdown),
    }
    language = settings.language
    key = {"kind": period.kind, "period": period.label, "language": language}
    where = {"kind": period.kind, "period": period.label, "language": language}
    stood = next(iter(bench.history.read("pipeline/rollup", where)), None)
    is_new = stood is None or stood["inputs"] != state.inputs or stood["revision"] != counts["revision"]
    if stood is None or is_new or stood["rendered_at"] < made.window.end <= bench.now():
        row = {
            **key,
            "first_day": period.first,
            "last_day": period.last,
            "path": path,
            "inputs": state.inputs,
            "markdown": markdown,
            "rendered_at": bench.now().isoformat(),
            **counts,
        }
        replaced = {name: [value] for name, value in key.items()}
        bench.history.replace(Replacement("rollups", replaced, [row]))
    return counts | {"path": settings.data_dir / path, "preview": preview(markdown)}


@cache
def _renderer(language: Language, timezone: ZoneInfo) -> RollupRenderer:
    return RollupRenderer(language, timezone)
