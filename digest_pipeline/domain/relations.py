"""How commits name one another: what a revert takes back, what a series goes on from. By messages alone."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from digest_pipeline.domain.commit import title_of
from digest_pipeline.domain.prose import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

_REVERTED_SHA = re.compile(r"(?i)\bthis (?:partially )?reverts commits?:? ((?:[0-9a-f]{7,64}[, and]*)+)")
_SHA = re.compile(r"[0-9a-f]{7,64}")
_REVERT_TITLE = re.compile(r"(?i)\brevert(?:s|ed|ing)?\b")
_QUOTED = re.compile(r"[\"“](?P<title>.+)[\"”]")
_REVERTED_NUMBER = re.compile(
    r"(?i)\breverts?\b[:\s]+(?:(?:pr|pull request|commit|changes? (?:of|from|in))\s+)?"
    r"(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})?#(?P<number>\d{1,9})\b"
)
_NUMBER = re.compile(r"(?<![\w./&-])(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})?#(?P<number>\d{1,9})\b")
_OWN_NUMBER = re.compile(r"\s*\(#\d{1,9}\)\s*$")
LONGEST_TITLE = 300
"""No more of a title is looked at: a hostile one may be endless."""

_MOST_NAMED = 3
"""Who names more pull requests than this lists them, as a release does; it goes on from none of them."""

_PREFIX = re.compile(r"^(?:[a-zA-Z]+(?:\([^)]*\))?!?:\s*|(?:\[[^\]]*\]\s*)+)")
_COUNTED = re.compile(
    r"(?i)[\s,:–-]*(?:[(\[]\s*(?:part|pt\.?|step|phase)?\s*(?P<a>\d{1,2})\s*(?:/|of)\s*(?P<of>\d{1,2}|n)\b[^)\]]*[)\]]"
    r"|[(\[,]?\s*\b(?:part|pt\.)\s*(?P<b>\d{1,2})\b(?:\s*(?:of|/)\s*(?P<of_b>\d{1,2}|n|many))?[^)\]—–:]{0,24}[)\]]?)"
)
_WORD = re.compile(r"[a-z][a-z0-9]{2,}|[\u4e00-\u9fff]{2}")
_IDLE = words_of(
    "add adds added update updates fix fixes support remove use make test tests docs doc move new the for "
    "and with from into via part only unit improve refactor enable allow change changes clean cleanup "
    "follow followup bump feat chore not all code rename switch port over through"
)
_SHARED = 0.3
"""Of the words of the shorter of two numbered titles, how many the other has to have."""

_LEAST_STEM = 3
_MOST_ALIKE = 3
_LEAST_SHA = 7


class Known(NamedTuple):
    """A commit as others may name it."""

    day: date
    sha: str
    title: str
    pull_request: int | None
    author_name: str


@dataclass(slots=True)
class Group:
    """Commits of one day that hold together, and those of earlier days that they go on from, newest first."""

    name: str
    shas: set[str]
    earlier: list[Known] = field(default_factory=list)


class _Step(NamedTuple):
    """A title's place in a numbered series: its number, of how many, and the words that it shares with others."""

    number: int
    of: str
    words: frozenset[str]


class Index:
    """Commits of many days, found by how others name them."""

    def __init__(self, commits: Iterable[Known]) -> None:
        self.by_sha = {one.sha: one for one in commits}
        self.by_number: dict[int, list[Known]] = defaultdict(list)
        self.by_title: dict[str, list[Known]] = defaultdict(list)
        self.by_start: dict[str, list[Known]] = defaultdict(list)
        self.by_stem: dict[str, list[Known]] = defaultdict(list)
        self.steps: list[tuple[Known, _Step]] = []
        for one in self.by_sha.values():
            if one.pull_request is not None:
                self.by_number[one.pull_request].append(one)
            self.by_title[_bare(one.title)].append(one)
            self.by_start[one.sha[:_LEAST_SHA]].append(one)
            self.by_stem[_stem(one.title).lower()].append(one)
            step = _step(one.title)
            if step is not None:
                self.steps.append((one, step))


class Relations:
    """Who names whom, among the commits of one day, in the page's order, and those of the days before it."""

    def __init__(self, repo: str, today: Sequence[Known], index: Index, since: date) -> None:
        self._repo = repo
        self._index = index
        self._since = since
        self._today = {one.sha: place for place, one in enumerate(today)}
        self._own = {one.sha: one for one in today}
        self._day = today[0].day

    def reverts(self, messages: Mapping[str, str]) -> list[Group]:
        """Each revert with what it takes back, where that is known; named after what was taken back."""
        pairs = [(sha, other) for sha, message in messages.items() for other in self._reverted(sha, message)]
        return self._groups(pairs, lambda members: _plain(min(members, key=self._age).title))

    def series(self, messages: Mapping[str, str]) -> list[Group]:
        """Work that goes on: numbered parts, what names an earlier pull request, and titles that say the same."""
        pairs = [
            (sha, other)
            for sha, message in messages.items()
            for other in (*self._named(sha, message), *self._counted(sha), *self._same(sha))
            if other.sha not in self._today or other.sha in messages
        ]
        return self._groups(pairs, lambda members: _stem(min(members, key=self._age).title))

    # --- who is named ---------------------------------------------------------------------------------------

    def _reverted(self, sha: str, message: str) -> Iterator[Known]:
        """What a message takes back: by sha, else by the title that it quotes, else by number."""
        starts = [
            start for match in _REVERTED_SHA.finditer(message) for start in _SHA.findall(match[1].lower())
        ]
        by_sha = [
            one
            for start in starts
            for one in self._within(self._index.by_start.get(start[:_LEAST_SHA], ()))
            if one.sha.startswith(start) and one.sha != sha
        ]
        if by_sha:
            yield from by_sha
            return
        title = title_of(message)[:LONGEST_TITLE]
        is_revert = _REVERT_TITLE.search(title) is not None
        quoted = _QUOTED.search(title) if is_revert else None
        same = self._index.by_title.get(_bare(quoted["title"]), ()) if quoted else ()
        by_title = self._nearest(sha, same)
        if by_title is not None:
            yield by_title
            return
        named = [*_REVERTED_NUMBER.finditer(message)]
        if is_revert and (_REVERT_TITLE.match(title) or _REVERT_TITLE.match(_PREFIX.sub("", title))):
            named += _NUMBER.finditer(title)
        own = self._own[sha].pull_request
        for number in dict.fromkeys(int(match["number"]) for match in named if self._is_ours(match)):
            before = self._nearest(sha, self._index.by_number.get(number, ())) if number != own else None
            if before is not None:
                yield before

    def _named(self, sha: str, message: str) -> Iterator[Known]:
        own = self._own[sha].pull_request
        numbers = {int(match["number"]) for match in _NUMBER.finditer(message) if self._is_ours(match)} - {
            own
        }
        named = [
            one for number in numbers if (one := self._nearest(sha, self._index.by_number.get(number, ())))
        ]
        if len(numbers) <= _MOST_NAMED:
            yield from named

    def _counted(self, sha: str) -> Iterator[Known]:
        one = self._own[sha]
        step = _step(one.title)
        if step is None:
            return
        for other, found in self._index.steps:
            if found.number == step.number or other.sha == sha or not self._is_within(other):
                continue
            is_by_same = one.author_name == other.author_name
            if step.of.isdigit() and found.of.isdigit():
                is_alike = step.of == found.of and is_by_same
            else:
                is_alike = is_by_same and abs(found.number - step.number) == 1
            shared = len(step.words & found.words)
            is_about_it = shared > 0 and shared >= _SHARED * min(len(step.words), len(found.words))
            if (is_about_it and (is_alike or shared > 1)) or (
                is_alike and step.of.isdigit() and found.of.isdigit()
            ):
                yield other

    def _same(self, sha: str) -> Iterator[Known]:
        """Other commits whose titles say the same of another scope, or once more; not what comes again and again."""
        own = self._own[sha]
        stem = _stem(own.title).lower()
        same = self._index.by_stem.get(stem, ())
        if len(same) < 2 or len(_WORD.findall(stem)) < _LEAST_STEM:  # noqa: PLR2004 - there is no other
            return
        same = [one for one in self._within(same) if one.sha != sha]
        is_routine = len(same) > _MOST_ALIKE
        for one in same:
            is_again = one.pull_request is not None and own.pull_request is not None and not is_routine
            if is_again or _bare(one.title) != _bare(own.title):
                yield one

    # --- inside ---------------------------------------------------------------------------------------------

    def _is_ours(self, match: re.Match[str]) -> bool:
        return match["repo"] is None or match["repo"].lower() == self._repo.lower()

    def _is_within(self, one: Known) -> bool:
        """Whether a commit is one of today's, or of the days that are looked back to."""
        return one.sha in self._today or self._since <= one.day < self._day

    def _within(self, commits: Iterable[Known]) -> Iterator[Known]:
        return (one for one in commits if self._is_within(one))

    def _age(self, one: Known) -> tuple[date, int]:
        """Greater for what came later; the page stands newest first."""
        return one.day, -self._today.get(one.sha, 0)

    def _nearest(self, sha: str, candidates: Iterable[Known]) -> Known | None:
        """The last of `candidates` that came before a commit of this day."""
        here = self._age(self._own[sha])
        before = (one for one in self._within(candidates) if one.sha != sha and self._age(one) < here)
        return max(before, key=self._age, default=None)

    def _groups(
        self, pairs: Sequence[tuple[str, Known]], name: Callable[[Sequence[Known]], str]
    ) -> list[Group]:
        """What hangs together by `pairs`."""
        leader: dict[str, str] = {}

        def lead(sha: str) -> str:
            while leader.setdefault(sha, sha) != sha:
                sha = leader[sha]
            return sha

        for sha, other in pairs:
            leader[lead(other.sha)] = lead(sha)
        members: dict[str, list[Known]] = defaultdict(list)
        for sha in leader:
            members[lead(sha)].append(self._own.get(sha) or self._index.by_sha[sha])
        return [
            Group(
                name(found),
                {one.sha for one in found if one.sha in self._today},
                sorted((one for one in found if one.sha not in self._today), key=self._age, reverse=True),
            )
            for found in members.values()
        ]


@lru_cache(maxsize=4096)
def _bare(title: str) -> str:
    """A title as a revert may quote it: without its own number, in small letters."""
    return " ".join(_OWN_NUMBER.sub("", title[:LONGEST_TITLE]).casefold().split())


def _plain(title: str) -> str:
    return _OWN_NUMBER.sub("", title[:LONGEST_TITLE]).strip()


@lru_cache(maxsize=4096)
def _stem(title: str) -> str:
    """What a title says, without kind, scope, its number in a series and that of its pull request."""
    plain = _plain(title)
    stem = _COUNTED.sub("", _PREFIX.sub("", plain)).strip(" .:,-–—")
    return stem or plain


@lru_cache(maxsize=4096)
def _step(title: str) -> _Step | None:
    match = _COUNTED.search(_plain(title))
    if match is None:
        return None
    words = frozenset(word.removesuffix("s") for word in _WORD.findall(_stem(title).lower())) - _IDLE
    return _Step(int(match["a"] or match["b"]), (match["of"] or match["of_b"] or "").lower(), words)
