"""Which commits of a repository are left out, by which rule, and which are told in one line. Decisions alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from digest_pipeline.domain.bots import is_bot
from digest_pipeline.domain.globs import Globs

if TYPE_CHECKING:
    from collections.abc import Collection, Container

    from digest_pipeline.domain.page import Folded

Rule = Literal["paths", "authors", "labels", "merges", "bots", "duplicate"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""In the order in which they are counted on a page."""

Bots = Literal["fold", "show", "drop"]


class Authored(Protocol):
    """What the rules look at of a commit itself."""

    @property
    def sha(self) -> str:
        """Its name."""

    @property
    def parents(self) -> Collection[str]:
        """Several make it a merge."""

    @property
    def author_name(self) -> str:
        """Who wrote it."""

    @property
    def author_email(self) -> str:
        """By which address."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a repository is wanted; the default is all of it."""

    paths: Globs = field(default_factory=lambda: Globs(()))
    authors: Globs = field(default_factory=lambda: Globs((), of="words"))
    labels: Globs = field(default_factory=lambda: Globs((), of="words"))
    bots: Bots = "fold"
    merges: bool = True


def filter_reason(
    commit: Authored, paths: Collection[str] | None, labels: Collection[str] | None, wanted: Filter
) -> Rule | None:
    """The first rule by which a commit is left out; None for one that is not.

    `paths` and `labels` are None where nobody knows them, or not all of them: what is not known leaves nobody out.
    """
    if not wanted.merges and len(commit.parents) > 1:
        return "merges"
    if wanted.authors and not wanted.authors.admits_together((commit.author_name, commit.author_email)):
        return "authors"
    if wanted.bots == "drop" and is_bot(commit.author_name, commit.author_email):
        return "bots"
    if labels is not None and wanted.labels and not wanted.labels.admits_together(labels):
        return "labels"
    if paths is not None and wanted.paths and not wanted.paths.admits_any(paths):
        return "paths"
    return None


def folded(commit: Authored, ignored: Container[str], wanted: Filter) -> Folded | None:
    """Why a commit is told in one line: a bot made it, or it is one of the `ignored`, which only reformat."""
    if wanted.bots == "fold" and is_bot(commit.author_name, commit.author_email):
        return "bot"
    return "reformat" if commit.sha in ignored else None
