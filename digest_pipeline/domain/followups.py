"""What became of a commit within days: that it was reverted, or fixed, by what a later commit says of itself.

Right rather than many: a later commit counts where it names the earlier one (its hash, its pull request, its title),
or where it is a fix of mostly the same files. What proves it is given with each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.commit import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.domain.page import CommitEntry

FateKind = Literal["reverted", "fixed"]
Proof = Literal["sha", "pull_request", "title", "files"]
"""What shows that a commit is about an earlier one: it names its hash, its number or its title, or shares its files."""

WITHIN_DAYS = 7
"""What comes later is another story."""

_SHORTEST = 7
_LEAST_SHARED = 3
_ALIKE = 0.6
_MOST_NAMED = 3
"""A message that names more pull requests than this lists them, as a release does."""

_NUMBER = r"(?:(?P<where>[\w.-]+/[\w.-]+))?#(?P<number>\d{1,9})\b"
_NUMBERS = re.compile(rf"(?<![\w/&]){_NUMBER}")
_SUFFIX = re.compile(r"(?:\s*\(#\d{1,9}\))+\s*$")
_SHAS = re.compile(r"\b[0-9a-f]{7,40}\b")
_REVERTS_SHA = re.compile(r"(?i)\breverts?\s+(?:commits?\s+)?([0-9a-f]{7,40})\b")
_REVERTS_NUMBER = re.compile(rf"(?i)\brevert(?:s|ed|ing)?:?\s+(?:PR\s+|pull request\s+)?(?<![\w/&]){_NUMBER}")
_REVERTS_TITLE = re.compile(
    r"""(?ix)^ (?:\w+(?:\([^)]*\))?!?:\s*|\[[^\]]*\]\s*)*
    (?: revert:?\s+ ["“](?P<quoted>.+)["”] | revert(?:\([^)]*\))?:\s*(?P<rest>.+) ) $"""
)
_REAPPLIES = re.compile(r"(?i)^(?:\w+(?:\([^)]*\))?!?:\s*)*(?:reapply|reland)\s+[\"“](.+)[\"”]$")
_IS_FIX = re.compile(r"(?i)^\W*(?:hot|bug)?fix(?:es|ed)?\b")
_FIXES_SHA = re.compile(r"(?im)^fixes:\s*([0-9a-f]{7,40})\b")
_FIXES_NUMBER = re.compile(rf"(?i)\bfix(?:es|ed|ing)?\b[^.\n#]{{0,60}}(?<![\w/&]){_NUMBER}")
# A line that names another change for another reason than that it was wrong.
_NO_FIX = re.compile(
    r"(?i)cherry|back-?port|depend|based on|on top of|stack|similar|same as|like in|instead of|supersede|replace"
    r"|rebase|blocked|requires|merge (?:of|after)|part \d|see also|unrelated"
)
_WORDS = re.compile(r"[a-z][a-z0-9_]{2,}|[\u4e00-\u9fff](?=[\u4e00-\u9fff])")
_COMMON = {
    *("the", "and", "for", "with", "from", "into", "when", "not", "fix", "fixes", "feat", "chore", "docs"),
    *("test", "tests", "perf", "build", "refactor", "add", "adds", "use", "using", "update", "remove"),
    *("support", "make", "allow", "set", "bug", "bugfix", "hotfix", "error", "errors", "issue", "issues"),
}


@dataclass(frozen=True, slots=True)
class DayCommit:
    """A commit as a page over several days names it; `has_page` where its day has one that can be linked to.

    `lines` is the size of its change, `gist` the first thing that its analysis says.
    """

    day: date
    sha: str
    title: str
    pull_request: int | None
    url: str | None
    tier: Tier | None = None
    score: int = 0
    has_page: bool = True
    lines: int = 0
    gist: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A commit with what its message says of others, and its files."""

    commit: DayCommit
    repo: str
    message: str
    paths: frozenset[str]

    @classmethod
    def of(cls, commit: DayCommit, entry: CommitEntry, repo: str) -> Trace:
        """From a page's entry."""
        return cls(commit, repo, entry.message, frozenset(entry.paths))


@dataclass(frozen=True, slots=True)
class Fate:
    """A later commit that took an earlier one back, or fixed it; `back` is what brought it in again.

    `detail` is what `proof` rests on: seven digits of a hash, a number, a title, or shared of all files as `3/4`.
    """

    commit: DayCommit
    by: DayCommit
    kind: FateKind
    proof: Proof
    detail: str
    back: DayCommit | None = None


def plain_title(title: str) -> str:
    """A title without the numbers that forges put behind it, and with single spaces."""
    return " ".join(_SUFFIX.sub("", title).split())


def reverts(traces: Iterable[Trace]) -> list[Fate]:
    """What was taken back within `traces`, which come oldest first; one entry for each that was."""
    fates: dict[str, Fate] = {}
    takes_back: dict[str, str] = {}
    earlier = _Earlier()
    for later in traces:
        if found := _reverted(later, earlier):
            target, proof, detail = found
            restored = takes_back.get(target.commit.sha)
            if restored is not None:
                fates[restored] = replace(fates[restored], back=later.commit)
            fates[target.commit.sha] = Fate(target.commit, later.commit, "reverted", proof, detail)
            takes_back[later.commit.sha] = target.commit.sha
        elif match := _REAPPLIES.match(_SUFFIX.sub("", title_of(later.message))):
            for one in earlier.titled(later, match[1]):
                fate = fates.get(one.commit.sha)
                if fate is not None and fate.back is None:
                    fates[one.commit.sha] = replace(fate, back=later.commit)
        earlier.add(later)
    return list(fates.values())


def fixes(traces: Iterable[Trace]) -> list[Fate]:
    """What was fixed within `traces`, which come oldest first: each pair once, by the strongest proof."""
    found: list[Fate] = []
    earlier = _Earlier()
    for later in traces:
        if not _is_revert(later.message):
            named = list(_fixed_by_name(later, earlier))
            if not named and _IS_FIX.match(title_of(later.message)):
                named = list(_fixed_by_files(later, earlier))
            # What has the same title is the same change for another branch.
            title = plain_title(later.commit.title)
            found += [fate for fate in named if plain_title(fate.commit.title) != title]
        earlier.add(later)
    return found


class _Earlier:
    """What came before a commit, by what a message may call it; each look-up newest first, within `WITHIN_DAYS`."""

    def __init__(self) -> None:
        self._by_sha: dict[str, list[Trace]] = defaultdict(list)
        self._by_number: dict[int, list[Trace]] = defaultdict(list)
        self._by_title: dict[str, list[Trace]] = defaultdict(list)
        self._last: dict[str, Trace] = {}

    def add(self, trace: Trace) -> None:
        """The next one."""
        commit = trace.commit
        self._by_sha[commit.sha[:_SHORTEST]].append(trace)
        self._by_title[plain_title(commit.title)].append(trace)
        if commit.pull_request is not None:
            self._by_number[commit.pull_request].append(trace)
        self._last.update(dict.fromkeys(trace.paths, trace))

    def called(self, later: Trace, sha: str) -> list[Trace]:
        """Those whose hash begins like this."""
        found = self._by_sha.get(sha[:_SHORTEST].lower(), ())
        return _near(later, [one for one in found if one.commit.sha.startswith(sha.lower())])

    def numbered(self, later: Trace, number: int) -> list[Trace]:
        """Those of a pull request."""
        return _near(later, self._by_number.get(number, ()))

    def titled(self, later: Trace, title: str) -> list[Trace]:
        """Those of a title."""
        return _near(later, self._by_title.get(plain_title(title), ()))

    def last_at(self, later: Trace) -> dict[str, Trace]:
        """Who changed each of a commit's files last."""
        return {
            path: one
            for path in later.paths
            if (one := self._last.get(path)) is not None and _near(later, [one])
        }


def _near(later: Trace, earlier: Sequence[Trace]) -> list[Trace]:
    return [one for one in reversed(earlier) if (later.commit.day - one.commit.day).days <= WITHIN_DAYS]


def _is_revert(message: str) -> bool:
    title = _SUFFIX.sub("", title_of(message))
    return _REVERTS_TITLE.match(title) is not None or _REVERTS_SHA.search(message) is not None


def _reverted(later: Trace, earlier: _Earlier) -> tuple[Trace, Proof, str] | None:
    for sha in _REVERTS_SHA.findall(later.message):
        for one in earlier.called(later, sha):
            return one, "sha", one.commit.sha[:_SHORTEST]
    title = title_of(later.message)
    match = _REVERTS_TITLE.match(_SUFFIX.sub("", title))
    numbers = dict.fromkeys(_numbers(_REVERTS_NUMBER, later))
    if match:
        # Of a revert of a revert, the last number is that of what it takes back.
        numbers |= dict.fromkeys([*_numbers(_NUMBERS, later, title)][-1:])
    for number in numbers:
        for one in earlier.numbered(later, number):
            return one, "pull_request", f"#{number}"
    if match and not numbers:
        for one in earlier.titled(later, match["quoted"] or match["rest"]):
            return one, "title", one.commit.title
    return None


def _fixed_by_name(later: Trace, earlier: _Earlier) -> Iterator[Fate]:
    told = _telling(later.message)
    shas = dict.fromkeys(_FIXES_SHA.findall(later.message))
    numbers = dict.fromkeys(_numbers(_FIXES_NUMBER, later, told))
    if _IS_FIX.match(title_of(later.message)):
        shas |= dict.fromkeys(_SHAS.findall(told))
        numbers |= dict.fromkeys(_numbers(_NUMBERS, later, told))
    if len(set(_numbers(_NUMBERS, later))) > _MOST_NAMED:
        numbers = {}
    seen = set()
    named: list[tuple[Proof, str, list[Trace]]] = [
        *(("sha", sha[:_SHORTEST], earlier.called(later, sha)) for sha in shas),
        *(("pull_request", f"#{number}", earlier.numbered(later, number)) for number in numbers),
    ]
    for proof, detail, traces in named:
        for one in traces:
            if one.commit.sha not in seen:
                seen.add(one.commit.sha)
                yield Fate(one.commit, later.commit, "fixed", proof, detail)


def _fixed_by_files(later: Trace, earlier: _Earlier) -> Iterator[Fate]:
    """The commit that a fix shares most of its files and a word with, both ways, where nobody changed these in between.

    Of 3,900 commits of ai-dynamo/dynamo twelve pairs are left by this, read one by one; two files alone, or none of
    the words, gave as many that had nothing to do with each other.
    """
    last = earlier.last_at(later)
    for one in sorted(set(last.values()), key=lambda one: one.commit.sha):
        shared = [path for path, trace in last.items() if trace is one]
        alike = len(shared) / len(later.paths | one.paths)
        about = _words(one.commit.title) & _words(later.commit.title)
        if len(shared) >= _LEAST_SHARED and alike >= _ALIKE and about:
            yield Fate(one.commit, later.commit, "fixed", "files", f"{len(shared)}/{len(later.paths)}")


def _words(title: str) -> set[str]:
    """The words of a title that say what it is about; of Chinese, its pairs of characters."""
    lower = title.casefold()
    found = {
        match[0] if match[0].isascii() else lower[match.start() : match.start() + 2]
        for match in _WORDS.finditer(lower)
    }
    return found - _COMMON


def _telling(message: str) -> str:
    """The lines of a message that may tell of what they fix."""
    first, *rest = message.strip().split("\n")
    return "\n".join(line for line in (_SUFFIX.sub("", first), *rest) if not _NO_FIX.search(line))


def _numbers(pattern: re.Pattern[str], trace: Trace, text: str | None = None) -> Iterable[int]:
    """The pull requests of the trace's own repo that a text names in the pattern's way, not its own."""
    for match in pattern.finditer(trace.message if text is None else text):
        is_here = match["where"] is None or match["where"].casefold() == trace.repo.casefold()
        if is_here and int(match["number"]) != trace.commit.pull_request:
            yield int(match["number"])
