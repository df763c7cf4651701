"""What a page tells beyond its commits: parts, themes, context and a headline, from the stored days around it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from digest_pipeline.domain.context import UNSURE_DAYS, DayCounts, Trends, broad_in, context_of
from digest_pipeline.domain.parts import parts_of
from digest_pipeline.domain.relations import Index, Known
from digest_pipeline.domain.themes import themes_of
from digest_pipeline.pipeline.workbench import span
from digest_pipeline.render.headline import headline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.page import RepoPage
    from digest_pipeline.pipeline.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Background:
    """What is stored of a repo's days and of the thirty before them, read once for all of them."""

    counts: Sequence[DayCounts]
    index: Index
    trends: Trends
    first_seen: Mapping[date, Mapping[str, bool]] = field(default_factory=dict)
    """The authors whose first commit stands on a day, and of each whether the source told so."""


def background(bench: Workbench, repo: str, days: Sequence[date]) -> Background:
    """The background of a range of days."""
    where = {"repo": repo, **span(days)}
    first_seen: dict[date, dict[str, bool]] = defaultdict(dict)
    asked = where | {"unsure_days": UNSURE_DAYS}
    for row in bench.history.read("pipeline/newcomers", asked):
        first_seen[row["day"]][row["author_name"]] = row["is_sure"]
    return Background(
        counts=[DayCounts(**row) for row in bench.history.read("pipeline/day_counts", where)],
        index=Index(Known(**row) for row in bench.history.read("pipeline/earlier_commits", where)),
        trends=Trends(
            (row["directory"], dict(zip(row["days"], row["commits"], strict=True)))
            for row in bench.history.read("pipeline/directory_trends", where)
        ),
        first_seen=dict(first_seen),
    )


def told(page: RepoPage, behind: Background, bench: Workbench, language: Language) -> RepoPage:
    """The page with its parts, themes, context and headline; a day without commits has none of them."""
    if not page.commits:
        return page
    followed = bench.settings.followed(page.repo)
    page = replace(
        page,
        parts=parts_of(page.commits),
        themes=themes_of(
            page,
            behind.index,
            url_of=followed.commit_url if followed is not None else lambda _: None,
            is_broad=broad_in(behind.trends, behind.counts, page.day),
        ),
        context=context_of(page, behind.counts, behind.trends, behind.first_seen.get(page.day, {})),
    )
    return replace(page, headline=headline(page, language))
