"""What a day holds, seen together: what breaks, safety, speed, and commits that belong to each other.

Deterministic: from messages, analyses and paths. A commit belongs to one theme at most.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from digest_pipeline.domain.commit import pull_request_number, title_of
from digest_pipeline.domain.cues import TOPICS, Topic, lines_about
from digest_pipeline.domain.filler import is_denial, is_nothing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.analysis import Analysis
    from digest_pipeline.domain.importance import Tier

ThemeKind = Literal["revert", "series", "area"]

_AREA = re.compile(r"^[a-zA-Z]+\((?P<area>[^()]{1,60})\)!?:")
_REVERT = re.compile(r'^Revert\s+"(?P<title>.+)"')
_REVERTED_SHA = re.compile(r"\bThis reverts commit (?P<sha>[0-9a-f]{7,64})\b")
_FOLLOWS = re.compile(
    r"(?i)\b(?:follow(?:s|ing)?[ -]?up|continu\w+|part \d+|builds? (?:up)?on|stacked on|depends on|based on|"
    r"fix(?:es)? (?:a )?regression|since|after|introduced (?:in|by))\b[^\n#]{0,40}#(?P<number>\d{1,9})\b"
)
_NUMBER = re.compile(r"\s*\(#\d+\)\s*$")
_GENERIC_AREAS = frozenset({"deps", "deps-dev", "ci", "docs", "test", "tests", "build", "release", "main"})
LEAST_SHARE_OF_MODULE = 0.6


@dataclass(frozen=True, slots=True)
class Shown:
    """A commit as the parts of a page look at it; `lines` are changed lines by folder, two deep at most."""

    sha: str
    message: str
    tier: Tier
    score: int
    analysis: Analysis | None
    lines: Mapping[str, int]

    @property
    def title(self) -> str:
        """The message's first line."""
        return title_of(self.message)

    @property
    def pull_request(self) -> int | None:
        """The number of the pull request, by the title."""
        return pull_request_number(self.message)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A commit of an earlier day that one of this day speaks of."""

    sha: str
    day: date
    message: str


class References(NamedTuple):
    """Of other commits the numbers of pull requests, titles, and beginnings of shas."""

    numbers: set[int]
    titles: set[str]
    shas: set[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A commit that tells of a topic, and the line by which it does."""

    sha: str
    line: str


@dataclass(frozen=True, slots=True)
class Theme:
    """Commits that belong together, the newest first; `earlier` is what they go on from, on a day before."""

    kind: ThemeKind
    name: str
    shas: tuple[str, ...]
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Highlights:
    """The parts of a page above its commits."""

    findings: Mapping[Topic, tuple[Finding, ...]]
    themes: tuple[Theme, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell beyond the commits themselves."""
        return not self.themes and not any(self.findings.values())


def highlights(commits: Sequence[Shown], earlier: Sequence[Earlier] = ()) -> Highlights:
    """What `commits`, in the order of the page, hold together.

    `earlier` are commits of days before; those of them that a commit reverts or follows are named with it.
    """
    findings = {topic: tuple(_findings(commits, topic)) for topic in TOPICS}
    return Highlights(findings, tuple(_themes(commits, earlier)))


def _findings(commits: Iterable[Shown], topic: Topic) -> Iterator[Finding]:
    """One for each commit that tells of the topic, the most important first."""
    for commit in sorted(commits, key=lambda one: -one.score):
        line = next(_told(commit, topic), None)
        if line is not None:
            yield Finding(commit.sha, line)


def _told(commit: Shown, topic: Topic) -> Iterator[str]:
    """The lines that tell of the topic, the likeliest to explain it first."""
    analysis = commit.analysis
    if analysis is not None:
        points = [*analysis.summary, *analysis.risks] if topic == "breaking" else getattr(analysis, topic)
        for point in points:
            if is_nothing(point) or is_denial(point):
                continue
            # A field of its own is about its topic by being there; of other fields only what says so counts.
            if topic != "breaking":
                yield point
            else:
                yield from lines_about(point, topic)
    body = commit.message.partition("\n")[2]
    yield from lines_about(body, topic)
    yield from (_NUMBER.sub("", line) for line in lines_about(commit.title, topic))


def _themes(commits: Sequence[Shown], earlier: Sequence[Earlier]) -> Iterator[Theme]:
    position = {commit.sha: number for number, commit in enumerate(commits)}
    taken: set[str] = set()
    for theme in (*_linked(commits, earlier), *_areas(commits)):
        shas = tuple(sha for sha in theme.shas if sha not in taken)
        if len(shas) + len(theme.earlier) >= 2 and shas:  # noqa: PLR2004 - one alone is no theme
            taken.update(shas)
            yield Theme(theme.kind, theme.name, tuple(sorted(shas, key=position.__getitem__)), theme.earlier)


def _linked(commits: Sequence[Shown], earlier: Sequence[Earlier]) -> Iterator[Theme]:
    """Reverts with what they revert, and commits with what they say they follow."""
    by_number: dict[int, Shown | Earlier] = {}
    by_title: dict[str, Shown | Earlier] = {}
    everything: list[Shown | Earlier] = [*earlier, *commits]
    for one in everything:
        title = title_of(one.message)
        number = pull_request_number(one.message)
        if number is not None:
            by_number[number] = one
        by_title[_NUMBER.sub("", title)] = one
        by_title[title] = one
    groups = _Groups()
    reverts: set[str] = set()
    for commit in commits:
        for is_revert, other in _references(commit, everything, by_number, by_title):
            if other.sha != commit.sha:
                groups.join(commit.sha, other.sha)
                reverts.update([commit.sha] if is_revert else [])
    today = {commit.sha: commit for commit in commits}
    before = {one.sha: one for one in earlier}
    for members in groups.all():
        shas = [sha for sha in members if sha in today]
        if not shas:
            continue
        old = tuple(sorted((before[sha] for sha in members if sha in before), key=lambda one: one.day))
        first = old[0].message if old else today[shas[-1]].message
        kind: ThemeKind = "revert" if reverts.intersection(shas) else "series"
        yield Theme(kind, _bare(first), tuple(shas), old)


def _references(
    commit: Shown,
    everything: Sequence[Shown | Earlier],
    by_number: Mapping[int, Shown | Earlier],
    by_title: Mapping[str, Shown | Earlier],
) -> Iterator[tuple[bool, Shown | Earlier]]:
    """What a commit says it reverts (True) or follows (False), as far as it is known."""
    if (match := _REVERT.match(commit.title)) is not None:
        title = match["title"]
        other = by_title.get(title) or by_title.get(_NUMBER.sub("", title))
        if other is not None:
            yield True, other
    for match in _REVERTED_SHA.finditer(commit.message):
        yield from ((True, one) for one in everything if one.sha.startswith(match["sha"]))
    for match in _FOLLOWS.finditer(commit.message):
        other = by_number.get(int(match["number"]))
        if other is not None:
            yield False, other


def references_of(message: str) -> References:
    """The other commits that a message says it follows or reverts."""
    revert = _REVERT.match(title_of(message))
    title = {revert["title"]} if revert is not None else set()
    numbers = {int(match["number"]) for match in _FOLLOWS.finditer(message)}
    numbers |= {number for one in title if (number := pull_request_number(one)) is not None}
    return References(numbers, title, {match["sha"] for match in _REVERTED_SHA.finditer(message)})


def _areas(commits: Sequence[Shown]) -> Iterator[Theme]:
    """Commits of one area: the scope that their titles name, else the folder where most of their lines are."""
    areas: dict[str, list[str]] = defaultdict(list)
    for commit in commits:
        area = area_of(commit)
        if area is not None:
            areas[area].append(commit.sha)
    score = {commit.sha: commit.score for commit in commits}
    for area, shas in sorted(areas.items(), key=lambda item: (-sum(score[sha] for sha in item[1]), item[0])):
        if len(shas) > 1:
            yield Theme("area", area, tuple(shas))


def area_of(commit: Shown) -> str | None:
    """The scope that its title names, else the folder that holds most of its changed lines; None where neither is."""
    match = _AREA.match(commit.title)
    if match is not None:
        area = match["area"].strip().lower()
        if area and area not in _GENERIC_AREAS:
            return area
    total = sum(commit.lines.values())
    if not total:
        return None
    module, lines = max(commit.lines.items(), key=lambda item: (item[1], item[0]))
    is_module = bool(module) and lines >= LEAST_SHARE_OF_MODULE * total
    return module if is_module else None


def _bare(message: str) -> str:
    return _NUMBER.sub("", title_of(message))


class _Groups:
    """Sets that are joined by pairs."""

    def __init__(self) -> None:
        self._group: dict[str, list[str]] = {}

    def join(self, one: str, other: str) -> None:
        """These two belong together, and with them whatever belongs to either."""
        first, second = self._group.setdefault(one, [one]), self._group.setdefault(other, [other])
        if first is not second:
            first.extend(second)
            for member in second:
                self._group[member] = first

    def all(self) -> list[list[str]]:
        """Each set once, in the order in which they began."""
        return list({id(group): group for group in self._group.values()}.values())
