"""The headline of a day in words, composed from its facts: plain text, the same for the same facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.headline import facts_of
from digest_pipeline.domain.page import Headline
from digest_pipeline.render.words import counted, labels, listed, median_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.headline import HeadlineFacts
    from digest_pipeline.domain.page import CommitEntry, RepoPage

_KIND = re.compile(r"^[a-zA-Z]+(?:\((?P<scope>[^)]*)\))?!?:\s*")
_NUMBER = re.compile(r"\s*\(#\d{1,9}\)\s*$")
_LONGEST_TITLE = 72
_LONGEST_SEEN = 300
_MOST_NAMED = 4
_SENTENCE_END = re.compile(r"(?<=[。！？])(?=[^\s”」）])|(?<=[.!?])\s+(?=[A-Z0-9“\u4e00-\u9fff])")


def headline(page: RepoPage, language: Language) -> Headline | None:
    """The headline of a page whose parts, themes and context are there; None for a day without commits."""
    if not page.commits:
        return None
    facts = facts_of(page)
    label = labels(language)
    text = label["headline"]["space"].join(_sentences(facts, page, label))
    return Headline(text, facts.shas)


def sentences(text: str) -> list[str]:
    """The sentences of a headline, as far as signs tell: where a line may end."""
    return [part for part in _SENTENCE_END.split(text) if part.strip()]


def reference(commit: CommitEntry) -> str:
    """How a text names a commit: by its pull request, or by the start of its sha."""
    return f"#{commit.pull_request}" if commit.pull_request is not None else commit.sha[:7]


def short_title(commit: CommitEntry) -> str:
    """A title without its kind and number, the scope kept, cut at a word."""
    return _short(commit.title) or commit.sha[:7]


def _short(title: str) -> str:
    title = _NUMBER.sub("", title[:_LONGEST_SEEN])
    kind = _KIND.match(title)
    if kind is not None and title[kind.end() :]:
        title = (f"{kind['scope']}: " if kind["scope"] else "") + title[kind.end() :]
    title = " ".join(title.split())
    if len(title) <= _LONGEST_TITLE:
        return title
    cut = title[: _LONGEST_TITLE - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:-") + "…"


def _sentences(facts: HeadlineFacts, page: RepoPage, label: Mapping[str, Any]) -> Iterator[str]:
    words = label["headline"]
    counts = (("commits", facts.commits), ("of_high", facts.high), ("changed_lines", facts.lines))
    size: str = label["comma"].join(counted(label, noun, number) for noun, number in counts if number)
    if facts.measure is not None and facts.usual is not None:
        size += words[facts.measure].format(
            days=counted(label, "days", facts.days), median=median_of(facts.usual.median)
        )
    yield size + words["end"]
    if facts.leading:
        leading = [page.commit(sha) for sha in facts.leading]
        told = [
            words["titled"].format(title=short_title(commit), reference=reference(commit))
            for commit in leading
        ]
        key = "leading" if leading[0].tier == "high" else "leading_low"
        yield words[key].format(commits=listed(label, told)) + words["end"]
    matters = [
        words[name].format(commits=_numbers(page, shas, label))
        for name, shas in (("breaking", facts.breaking), ("security", facts.security))
        if shas
    ]
    if facts.reverts:
        taken = [
            words["taken_back"].format(title=_short(one.name), reference=reference(page.commit(one.sha)))
            for one in facts.reverts
        ]
        matters.append(words["reverted"].format(commits=_some(taken, label)))
    if matters:
        text: str = words["semicolon"].join(matters)
        yield text[0].upper() + text[1:] + words["end"]
    if facts.newcomers:
        yield words["new"].format(names=_some(facts.newcomers, label)) + words["end"]


def _numbers(page: RepoPage, shas: Sequence[str], label: Mapping[str, Any]) -> str:
    return _some([reference(page.commit(sha)) for sha in shas], label)


def _some(items: Sequence[str], label: Mapping[str, Any]) -> str:
    """All items, or the first three and how many more there are."""
    if len(items) <= _MOST_NAMED:
        return listed(label, items)
    shown = list(items[: _MOST_NAMED - 1])
    return listed(label, [*shown, counted(label, "more", len(items) - len(shown))])
