"""What a day opens with, as facts: how much there was, what leads, what breaks, what was taken back, who is new.

The words are the renderers': `render/headline.py` puts these into a paragraph, a model may be given them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.importance import TIERS

if TYPE_CHECKING:
    from digest_pipeline.domain.cues import Topic
    from digest_pipeline.domain.page import Delta, RepoPage

Measure = Literal["more", "usual", "fewer"]
_MOST_LEADING = 3
_LEAST_DAYS = 3
"""Over fewer days than these a median says nothing of what is usual."""

_MUCH, _LITTLE = 1.4, 0.7


@dataclass(frozen=True, slots=True)
class Revert:
    """A commit that takes something back, and the title of that."""

    sha: str
    name: str


@dataclass(frozen=True, slots=True)
class HeadlineFacts:
    """Counts, and commits by their names; `measure` is None where too few days came before to tell."""

    commits: int
    high: int
    lines: int
    days: int = 0
    usual: Delta | None = None
    measure: Measure | None = None
    leading: tuple[str, ...] = ()
    breaking: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    reverts: tuple[Revert, ...] = ()
    newcomers: tuple[str, ...] = ()

    @property
    def shas(self) -> tuple[str, ...]:
        """The commits that are named, each once, in the order of the text."""
        reverts = (revert.sha for revert in self.reverts)
        return tuple(dict.fromkeys((*self.leading, *self.breaking, *self.security, *reverts)))


def facts_of(page: RepoPage) -> HeadlineFacts:
    """The facts of a page whose parts, themes and context are there."""
    told = [commit for commit in page.commits if commit.folded is None]
    ranked = sorted(told, key=lambda commit: (TIERS.index(commit.tier), -commit.score))
    context = page.context
    usual = context.commits if context is not None else None
    days = context.days if context is not None else 0
    return HeadlineFacts(
        commits=len(page.commits),
        high=len(page.told("high")),
        lines=sum(commit.additions + commit.deletions for commit in page.commits),
        days=days,
        usual=usual,
        measure=_measure(usual) if usual is not None and days >= _LEAST_DAYS else None,
        leading=tuple(commit.sha for commit in ranked[:_MOST_LEADING]),
        breaking=_named(page, "breaking"),
        security=_named(page, "security"),
        reverts=tuple(Revert(theme.shas[0], theme.name) for theme in page.themes if theme.kind == "revert"),
        newcomers=context.newcomers if context is not None else (),
    )


def _measure(usual: Delta) -> Measure:
    if usual.value >= _MUCH * usual.median and usual.value - usual.median > 1:
        return "more"
    return "fewer" if usual.value <= _LITTLE * usual.median and usual.median - usual.value > 1 else "usual"


def _named(page: RepoPage, topic: Topic) -> tuple[str, ...]:
    return tuple(mention.sha for part in page.parts if part.topic == topic for mention in part.mentions)
