"""What the pages around a repo's day need of it: counts, headline, parts, the titles of high importance.

Small enough to be kept for every day that there ever was, so that one day that changed does not ask for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003 - pydantic reads them
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from digest_pipeline.domain.analysis import Language  # noqa: TC001 - pydantic reads it
from digest_pipeline.domain.cues import Topic  # noqa: TC001 - pydantic reads it
from digest_pipeline.domain.importance import TIERS, Tier
from digest_pipeline.site.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from digest_pipeline.domain.page import Mention, RepoPage

Counts = dict[Tier | Literal["folded"], int]

MOST_TITLES = 12
"""Titles of high importance that stand outside a day's own page."""


@dataclass(frozen=True, slots=True)
class Line:
    """A commit's title, which leads to its section, and the line that put it here, where that says something else."""

    sha: str
    text: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """A repo's day in short; `spoken` is the language of its analyses.

    Commits that are folded count in no tier; `shas` are those of all that have a section, shortened.
    """

    repo: str
    day: date
    spoken: Language
    high: int
    medium: int
    low: int
    folded: int
    unanalysed: int
    headline: str | None
    parts: tuple[tuple[Topic, tuple[Line, ...]], ...]
    titles: tuple[Line, ...]
    shas: tuple[str, ...]
    directories: tuple[tuple[str, int], ...]
    updated_at: datetime

    @property
    def commits(self) -> int:
        """All commits of the day."""
        return sum(self.counts.values())

    @property
    def counts(self) -> Counts:
        """Commits by tier, and those that are folded."""
        return {"high": self.high, "medium": self.medium, "low": self.low, "folded": self.folded}


def outline(page: RepoPage, spoken: Language) -> Outline:
    """What stands on other pages of a repo's day, and in its feed."""
    titles = {commit.sha: one_line(commit.title) for commit in page.commits}
    return Outline(
        page.repo,
        page.day,
        spoken,
        **counts_of(page),
        unanalysed=page.count("failed") + page.count("deferred"),
        headline=page.headline.text if page.headline else None,
        parts=tuple(
            (part.topic, tuple(_line(one, titles.get(one.sha, "")) for one in part.mentions))
            for part in page.parts
            if part.mentions
        ),
        titles=tuple(Line(commit.sha, one_line(commit.title)) for commit in page.told("high")[:MOST_TITLES]),
        shas=tuple(commit.sha[:12] for commit in page.commits),
        directories=tuple(
            (one.path, one.commits) for one in (page.context.directories if page.context else ())
        ),
        updated_at=page.updated_at or page.rendered_at or page.window.end,
    )


def _line(mention: Mention, title: str) -> Line:
    said = one_line(mention.line)
    return Line(mention.sha, title or said, "" if said in {title, ""} or not title else said)


def counts_of(page: RepoPage) -> Counts:
    """A page's commits by tier, and those that are folded: together all of them."""
    counts: Counts = {tier: len(page.told(tier)) for tier in TIERS}
    counts["folded"] = len(page.commits) - sum(counts.values())
    return counts


def tally(outlines: Iterable[Outline]) -> Counts:
    """The commits of several, by tier, and those that are folded."""
    found = list(outlines)
    return {
        "high": sum(one.high for one in found),
        "medium": sum(one.medium for one in found),
        "low": sum(one.low for one in found),
        "folded": sum(one.folded for one in found),
    }


@cache
def outline_type() -> TypeAdapter[Outline]:
    """How one is kept as JSON and read back."""
    return TypeAdapter(Outline)
