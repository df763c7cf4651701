"""What of a day is a reader's: which commits, and what is said of them. One history, many digests."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.globs import Globs
from digest_pipeline.domain.importance import TIERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from digest_pipeline.domain.analysis import Analysis, Language
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.domain.page import CommitEntry, Part, RepoPage, Theme

Edition = Literal["brief", "full"]
"""The headline, the fixed parts and what is of high importance, without the table of commits; or all."""

WhenEmpty = Literal["nothing", "line"]
"""What a reader gets of a day on which nothing was theirs."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a page is for. What is left empty asks for nothing, and so takes all."""

    name: str
    language: Language
    repos: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    min_tier: Tier = "low"
    edition: Edition = "full"
    when_empty: WhenEmpty = "nothing"

    def follows(self, repo: str) -> bool:
        """Whether a repo is among those that they follow."""
        return Globs(self.repos).admits(repo)


def select(page: RepoPage, reader: Reader) -> RepoPage | None:
    """The page with what is theirs, None where nothing is.

    A commit is theirs where its repo is, its tier is `min_tier` or higher, and, where paths or keywords are given,
    one of its files or one of the words is. What is said of all commits together, the headline and what is counted,
    goes where one of them is not theirs.
    """
    if not reader.follows(page.repo):
        return None
    theirs = tuple(commit for commit in page.commits if is_theirs(commit, reader))
    if not theirs:
        return None
    shas = {commit.sha for commit in theirs}
    is_whole = len(theirs) == len(page.commits)
    return replace(
        page,
        commits=theirs,
        # It counts as well as it names.
        headline=page.headline if is_whole else None,
        parts=tuple(_parts(page.parts, shas)),
        themes=tuple(_themes(page.themes, shas)),
        context=page.context if is_whole else None,
        filtered=page.filtered if is_whole else (),
        # These tell of the repo's whole day, and when its page changed; the reader's page has times of its own.
        cost=page.cost if is_whole else None,
        came=0,
        went=0,
        updated_at=None,
        rendered_at=None,
    )


def is_theirs(commit: CommitEntry, reader: Reader) -> bool:
    """Whether a commit of a repo that they follow is theirs.

    One whose files the source did not give in full is theirs by its paths, whatever these are: it may be.
    """
    if TIERS.index(commit.tier) > TIERS.index(reader.min_tier):
        return False
    if not reader.paths and not reader.keywords:
        return True
    if reader.paths and (not commit.complete or Globs(reader.paths).admits_any(commit.paths)):
        return True
    return any(mentions(text, word) for word in reader.keywords for text in _texts(commit))


def mentions(text: str, word: str) -> bool:
    """Whether `word`, or several with blanks between them, stands in `text`, in whatever case.

    As a word of its own: next to it stands no letter or digit, unless one of the two is Chinese, Japanese or Korean,
    which knows no blanks.
    """
    wanted = r"\s+".join(map(re.escape, word.casefold().split()))
    if not wanted:
        return False
    text = text.casefold()
    return any(
        not _joined(text[found.start() - 1 : found.start()], found[0][:1])
        and not _joined(found[0][-1:], text[found.end() : found.end() + 1])
        for found in re.finditer(wanted, text)
    )


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours are of one word."""
    return left.isalnum() and right.isalnum() and not (_is_wide(left) or _is_wide(right))


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


def _texts(commit: CommitEntry) -> Iterator[str]:
    yield commit.title
    yield commit.message
    if commit.analysis is not None:
        yield from _said(commit.analysis)


def _said(analysis: Analysis) -> Iterator[str]:
    for value in analysis.model_dump().values():
        yield from [value] if isinstance(value, str) else (one for one in value or () if isinstance(one, str))


def _parts(parts: Sequence[Part], shas: Collection[str]) -> Iterator[Part]:
    for part in parts:
        kept = tuple(mention for mention in part.mentions if mention.sha in shas)
        if kept:
            yield replace(part, mentions=kept)


def _themes(themes: Sequence[Theme], shas: Collection[str]) -> Iterator[Theme]:
    for theme in themes:
        kept = tuple(sha for sha in theme.shas if sha in shas)
        # What held several together holds nothing where one is left.
        if kept and len(kept) + len(theme.earlier) > 1:
            yield replace(theme, shas=kept)
