"""A day beside the days before it: medians of the last seven, busy directories over thirty, people who are new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

from digest_pipeline.domain.page import BusyDirectory, Context, Delta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from digest_pipeline.domain.page import RepoPage

TREND_DAYS = 30
MEDIAN_DAYS = 7
_DAY = timedelta(days=1)
_KNOWN_DAYS = 14
UNSURE_DAYS = 90
"""For so long nobody is new where the source cannot tell who was there before the first stored day."""
_MOST_DIRECTORIES = 5
_LEAST_COMMITS = 2
_WIDE = 0.1
"""A directory with more of all commits than this is looked into, if what lies below it holds most of them."""

_MOST_OF = 0.6
_BROAD, _BROAD_AT_THE_TOP = 0.12, 0.06
_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What a stored day amounts to."""

    day: date
    commits: int
    high: int
    lines: int


class Trends:
    """Directories as a tree, with how many commits went into each on each day of a span."""

    def __init__(self, rows: Iterable[tuple[str, Mapping[date, int]]]) -> None:
        rows = list(rows)
        days = [day for _, commits in rows for day in commits]
        self._first = min(days, default=date.min)
        self._length = (max(days, default=date.min) - self._first).days + 1
        self._commits: dict[str, Mapping[date, int]] = dict(rows)
        self._sums: dict[str, list[int]] = {}
        self._below: dict[str, list[str]] = {}
        for path in self._commits:
            self._below.setdefault(path.rpartition("/")[0], []).append(path)

    def below(self, path: str) -> Sequence[str]:
        """The direct folders of a directory; of the root for ""."""
        return self._below.get(path, ())

    def on(self, path: str, day: date) -> int:
        """A directory's commits on a day."""
        return self._commits.get(path, {}).get(day, 0)

    def totals(self, first: date, last: date) -> Callable[[str], int]:
        """A directory's commits from `first` to `last`; running sums make it two look-ups."""
        start, end = (min(max((day - self._first).days, 0), self._length) for day in (first, last + _DAY))

        def total(path: str) -> int:
            sums = self._sums.get(path)
            if sums is None:
                by_day = [0] * self._length
                for day, number in self._commits.get(path, {}).items():
                    by_day[(day - self._first).days] = number
                sums = self._sums[path] = [0, *accumulate(by_day)]
            return sums[end] - sums[start]

        return total


def context_of(
    page: RepoPage, stored: Sequence[DayCounts], trends: Trends, first_seen: Mapping[str, bool]
) -> Context:
    """The context of a page from what is stored of the days up to it; `first_seen` are authors never seen before.

    It says of each whether the source told so. Where it did not, nobody is new while the stored days before are too
    few to tell; on the first stored day nobody ever is, for it may be the repository's first.
    """
    before = sorted((one for one in stored if one.day < page.day), key=lambda one: one.day)
    last = before[-MEDIAN_DAYS:]
    known = [one for one in before if one.day >= page.day - timedelta(days=TREND_DAYS)]
    told = {commit.author_name for commit in page.commits if commit.folded != "bot"}
    newcomers = (
        name
        for name, is_sure in first_seen.items()
        if name in told
        and not name.lower().endswith("[bot]")
        and len(known) >= (1 if is_sure else _KNOWN_DAYS)
    )
    since = min((one.day for one in known), default=page.day)
    return Context(
        days=len(last),
        commits=_delta(len(page.commits), [one.commits for one in last]),
        high=_delta(len(page.told("high")), [one.high for one in last]),
        lines=_delta(sum(c.additions + c.deletions for c in page.commits), [one.lines for one in last]),
        directories=busy_directories(trends, page.day, since),
        newcomers=tuple(newcomers),
    )


def busy_directories(trends: Trends, day: date, since: date) -> tuple[BusyDirectory, ...]:
    """The directories with the most commits on a day, at most five, each with its trend since `since`.

    How deep they lie is decided by the whole span, so that they bear the same names from one day to the next:
    where much of the work goes into one directory, it is its folders that tell days apart.
    """
    first = max(since, day - timedelta(days=TREND_DAYS - 1))
    total = trends.totals(first, day)
    chosen: list[str] = []
    waiting = [(path, total(path)) for path in trends.below("")]
    wide = _WIDE * sum(here for _, here in waiting)
    while waiting:
        path, here = waiting.pop()
        if not trends.on(path, day):
            continue
        below = [(name, inside) for name in trends.below(path) if (inside := total(name))]
        inside = sum(commits for _, commits in below)
        is_passage = len(below) == 1 and inside == here
        if below and (is_passage or (here > wide and inside >= _MOST_OF * here)):
            waiting += below
        elif trends.on(path, day) >= _LEAST_COMMITS:
            chosen.append(path)
    chosen.sort(key=lambda path: (-trends.on(path, day), -total(path), path))
    span = [first + timedelta(days=offset) for offset in range((day - first).days + 1)]
    return tuple(
        BusyDirectory(path, trends.on(path, day), tuple(trends.on(path, one) for one in span))
        for path in chosen[:_MOST_DIRECTORIES]
    )


def broad_in(trends: Trends, stored: Sequence[DayCounts], day: date) -> Callable[[str], bool]:
    """Whether so much of the last thirty days' work went into a directory that its name holds nothing together.

    For one that lies at the top, less is enough. Where little was done at all, no directory is called broad.
    """
    first = day - timedelta(days=TREND_DAYS - 1)
    commits = sum(one.commits for one in stored if first <= one.day <= day)
    total = trends.totals(first, day)

    def is_broad(path: str) -> bool:
        share = _BROAD if "/" in path else _BROAD_AT_THE_TOP
        return commits >= _ENOUGH and total(path) > share * commits

    return is_broad


def _delta(value: int, before: Sequence[int]) -> Delta | None:
    return Delta(value, float(median(before))) if before else None
