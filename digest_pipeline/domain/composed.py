"""What a model composes out of a day's analyses, and the gate that it has to pass: nothing invented, nothing twice.

A headline is sentences that name commits. It passes where every commit and pull request in it was given, each commit
is named once, and each number and each name of code stands in the facts. Words themselves are the model's own.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import title_of
from digest_pipeline.domain.numerals import numbers
from digest_pipeline.domain.vacuity import vacuity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.analysis import Language, Status
    from digest_pipeline.domain.importance import Tier

LEAST_GIVEN = 2
ENOUGH_HIGH = 3
MOST_GIVEN = 24
"""Commits that one headline is made from; a day with more of its leading tiers gives those of the most points."""

MOST_SENTENCES = 5
LONGEST_SENTENCE = 500
SHORT_SHA = 12

# `#12`, `GH-12`, `!12`, `pull/12`; behind a word a whole list: `PRs 12, 13 and #14`.
_REFERENCE = re.compile(
    r"(?i)(?:\b(?:PRs?|MRs?|pulls?|(?:pull|merge)[ -]requests?|issues?|bugs?)|合并请求|拉取请求|议题)[\s#/!-]*\d{1,9}"
    r"(?:\s*(?:[,/&、，和与及]|\band\b|\bor\b)\s*[#!]?\d{1,9})*"
    r"|(?:[#!]|\bGH-)\d{1,9}"
)
_SHA = re.compile(r"(?<![\w-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}(?![\w-])")
_CODE = re.compile(r"`+([^`]+)`+")
_ADDRESS = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]*://|\b(?:mailto|tel|data|javascript):|\bwww\.|\]\(|(?<![\w.])@\w|<[a-z/!]"
)
# What only code, files, hosts and products are called.
_NAME = re.compile(
    r"[A-Za-z]\w*(?:(?:::|_|(?<=\w)\.(?=[A-Za-z]))\w+)+"  # snake_case, a::b, a.b
    r"|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"  # a-b.c
    r"|[\w.-]+(?:/[\w.-]+){2,}|[\w-]+/[\w-]+\.\w+"  # a/b/c, a/b.py
    r"|\b[a-z]+[A-Z]\w*|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+"  # camelCase, CamelCase
    r"|\b[A-Za-z]+-?\d[\w.]*\w|\b[A-Za-z]\d\b"  # FP8, Qwen2.5, H100, v1
)
# In English a capital inside a sentence makes a name; in Chinese any word of Latin letters that begins with one is.
_PROPER = re.compile(
    r"(?<=[^.!?:\s] )[\"'(]?([A-Z][A-Za-z]{2,})\b|(?<=[\u4e00-\u9fff，、（])\s?([A-Z][A-Za-z]{2,})\b"
)
# What did not change was not asked, and nobody here can know it.
_DENIAL = re.compile(
    r"(?i)\b(?:no|without|not any) (?:breaking|incompatib|security|action|changes? (?:is|are) needed)"
    r"|\bnothing (?:to do|breaks)\b|\b(?:fully|entirely|stays?|remains?) (?:backwards?[ -])?compatible"
    r"|(?:没有|无|未|不)(?:含|涉及|引入|需)?(?:任何)?(?:破坏|不兼容|安全问题|操作|改动)|完全兼容|保持兼容"
)
_COUNTED = re.compile(
    r"(?i)^\s*(?:commits?|changes|pull requests|PRs|fixes|features)\b|^\s*(?:个|项|处|條|条)"
)


@dataclass(frozen=True, slots=True)
class GivenCommit:
    """A commit as the model was given it; `points` are what its analysis says."""

    sha: str
    title: str
    pull_request: int | None
    tier: Tier
    points: tuple[str, ...]

    @property
    def short_sha(self) -> str:
        """Its name in the prompt."""
        return self.sha[:SHORT_SHA]


@dataclass(frozen=True, slots=True)
class Given:
    """What a headline may speak of: the day's leading commits."""

    repo: str
    day: date
    commits: tuple[GivenCommit, ...]

    @property
    def key(self) -> str:
        """A hash over all of it: another headline is asked for only where this is another."""
        told = [[one.sha, one.tier, one.title, one.pull_request, *one.points] for one in self.commits]
        text = json.dumps([self.repo, self.day.isoformat(), told])
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Analysed:
    """A commit of a day with what became of asking about it: what a headline is made from."""

    sha: str
    message: str
    pull_request: int | None
    tier: Tier
    score: int
    status: Status
    analysis: Analysis | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a headline, and the commits that it tells of."""

    text: str
    shas: tuple[str, ...]


def leading_tiers(tiers: Sequence[Tier]) -> set[Tier]:
    """The tiers whose commits make a day's headline: the high one where it has several, else the next ones too."""
    several: set[Tier] = {"high"}
    if tiers.count("high") >= ENOUGH_HIGH:
        return several
    several.add("medium")
    return several if sum(tier in several for tier in tiers) >= LEAST_GIVEN else {*several, "low"}


def given_of(repo: str, day: date, commits: Sequence[Analysed]) -> Given | None:
    """What a headline of this day is made from; None while a leading commit waits, or where fewer than two tell.

    What there is to say of a single commit, its own analysis says.
    """
    tiers = leading_tiers([commit.tier for commit in commits])
    leading = [commit for commit in commits if commit.tier in tiers]
    told = [commit for commit in leading if commit.status == "ok" and commit.analysis is not None]
    if len(told) < LEAST_GIVEN or any(commit.status == "deferred" for commit in leading):
        return None
    if len(told) > MOST_GIVEN:
        most = set(sorted(range(len(told)), key=lambda place: -told[place].score)[:MOST_GIVEN])
        told = [commit for place, commit in enumerate(told) if place in most]
    return Given(
        repo,
        day,
        tuple(
            GivenCommit(
                commit.sha,
                title_of(commit.message),
                commit.pull_request,
                commit.tier,
                tuple(_points(commit.analysis)),
            )
            for commit in told
            if commit.analysis is not None
        ),
    )


def _points(analysis: Analysis) -> Iterator[str]:
    for name in ("summary", "architecture", "performance", "security", "risks"):
        yield from getattr(analysis, name)


def schema(given: Given) -> dict[str, Any]:
    """The form of a headline as a JSON schema; commits can only be named that were given."""
    names = [commit.short_sha for commit in given.commits]
    sentence = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "one sentence of plain text"},
            "commits": {
                "type": "array",
                "items": {"type": "string", "enum": names},
                "description": "the commits that the sentence tells of",
            },
        },
        "required": ["text", "commits"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"sentences": {"type": "array", "items": sentence}},
        "required": ["sentences"],
        "additionalProperties": False,
    }


def read_sentences(found: Mapping[str, Any], given: Given) -> list[Sentence] | str:
    """The sentences in a filled-in form, commits by their whole names; else what is wrong with it.

    A commit may be named by a longer or shorter sha, or by its pull request: what matters is which one is meant.
    """
    items = found.get("sentences")
    if not isinstance(items, list) or not items:
        return "sentences: is empty; write one to four sentences"
    sentences = []
    for item in items:
        text = item.get("text") if isinstance(item, dict) else None
        names = item.get("commits") if isinstance(item, dict) else None
        names = [names] if isinstance(names, str) else names
        if not isinstance(text, str) or not text.strip() or not isinstance(names, list):
            return "sentences: each holds a text and a list of commits"
        shas = []
        for name in names:
            sha = _meant(str(name), given)
            if sha is None:
                return f"commits: {str(name)[:40]!r} is none of the commits that you were given"
            shas.append(sha)
        sentences.append(Sentence(" ".join(text.split()), tuple(shas)))
    return sentences


def _meant(name: str, given: Given) -> str | None:
    name = name.strip().strip("`").removeprefix("#").lower()
    for commit in given.commits:
        if len(name) >= 7 and commit.sha.startswith(name):  # noqa: PLR2004 - git's own shortest
            return commit.sha
    numbers = [commit.sha for commit in given.commits if str(commit.pull_request) == name]
    return numbers[0] if len(numbers) == 1 else None


def fault(sentences: Sequence[Sentence], given: Given, language: Language, *, prompt: str = "") -> str | None:
    """Why these sentences must not stand on a page, in words for the model that wrote them; None where they may."""
    if len(sentences) > MOST_SENTENCES:
        return f"{len(sentences)} sentences are too many; write one to four"
    if (
        empty := vacuity(Analysis(summary=[one.text for one in sentences]), language, prompt=prompt)
    ) is not None:
        return empty
    named = [sha for sentence in sentences for sha in sentence.shas]
    twice = next((sha for sha in named if named.count(sha) > 1), None)
    if twice is not None:
        return f"commit {twice[:SHORT_SHA]} is named twice; each commit is told of once"
    if len({one.text.casefold() for one in sentences}) < len(sentences):
        return "a sentence stands twice; say each thing once"
    facts = _Facts(given)
    return next((found for one in sentences if (found := facts.fault(one)) is not None), None)


class _Facts:
    """What was given of each commit, as it is looked for in the sentences that tell of it."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._commits = {commit.sha: commit for commit in given.commits}

    def fault(self, sentence: Sentence) -> str | None:
        """What is wrong with one sentence, by the facts."""
        return next(self._faults(sentence.text, [self._commits[sha] for sha in sentence.shas]), None)

    def _faults(self, text: str, commits: Sequence[GivenCommit]) -> Iterator[str]:
        if len(text) > LONGEST_SENTENCE:
            yield f"a sentence has {len(text)} characters; at most {LONGEST_SENTENCE}"
        if not commits:
            yield f'"{text[:60]}…" names no commit; each sentence tells of commits'
        if _ADDRESS.search(text):
            yield "no addresses, links, mentions or HTML; plain text alone"
        if (denied := _DENIAL.search(text)) is not None:
            yield f'"{denied[0]}" says what did not happen; say what did'
        yield from _strangers(text, commits)
        told = "\n".join(text for one in commits for text in (self._given.repo, one.title, *one.points))
        rest = _REFERENCE.sub(" ", _SHA.sub(" ", text))
        for found in (_unknown_name(rest, told), self._unknown_number(rest, told, len(commits))):
            if found is not None:
                yield found

    def _unknown_number(self, text: str, told: str, named: int) -> str | None:
        known = {value for _, value in numbers(_REFERENCE.sub(" ", told))}
        known |= {self._given.day.isoformat(), str(self._given.day.year)}
        prose = _NAME.sub(" ", _CODE.sub(" ", text))
        for written, value in numbers(prose):
            behind = prose[prose.find(written) + len(written) :]
            if value not in known and not (value == str(named) and _COUNTED.match(behind)):
                return f"the number {written} stands nowhere in what you were given of its commits"
        return None


def _strangers(text: str, commits: Sequence[GivenCommit]) -> Iterator[str]:
    """Commits and pull requests in a sentence that are none of its own."""
    own = {str(commit.pull_request) for commit in commits}
    for reference in _REFERENCE.findall(text):
        for number in re.findall(r"\d+", reference):
            if number not in own:
                yield f"#{number} is no pull request of the commits that the sentence names"
    for sha in _SHA.findall(text):
        if not any(commit.sha.startswith(sha) for commit in commits):
            yield f"{sha} is none of the commits that the sentence names"


def _unknown_name(text: str, told: str) -> str | None:
    prose = _CODE.sub(" ", text)
    names = [
        *_CODE.findall(text),
        *(match[0] for match in _NAME.finditer(prose)),
        *(match[1] or match[2] for match in _PROPER.finditer(prose)),
    ]
    known = _squeezed(told)
    unknown = (name for name in names if _squeezed(name).strip(".") not in known)
    return next(
        (f"{name[:60]!r} stands nowhere in what you were given of its commits" for name in unknown), None
    )


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text.casefold())
