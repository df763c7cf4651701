"""A day beside the days before it: medians of the last seven, busy directories over thirty, people who are new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from digest_pipeline.domain.page import BusyDirectory, Context, Delta

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.page import RepoPage

TREND_DAYS = 30
MEDIAN_DAYS = 7
DEEPEST = 4
"""How many folders deep directories are counted."""

_KNOWN_DAYS = 14
_MOST_DIRECTORIES = 5
_LEAST_COMMITS = 2
_TOO_BROAD = 0.3
"""A directory with more of the commits than this is looked into, if what lies below it holds most of them."""

_MOST_OF = 0.6
_BROAD = 0.2
_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What a stored day amounts to."""

    day: date
    commits: int
    high: int
    lines: int


Trends = dict[str, dict[str, dict["date", int]]]
"""By the path of a directory ("" for the root): its direct folders, with their commits on each day that has any."""


def context_of(
    page: RepoPage, stored: Sequence[DayCounts], trends: Trends, first_seen: Sequence[str]
) -> Context:
    """The context of a page from what is stored of the days up to it; `first_seen` are authors never seen before.

    Nobody is new where the stored days before are too few to tell.
    """
    before = sorted((one for one in stored if one.day < page.day), key=lambda one: one.day)
    last = before[-MEDIAN_DAYS:]
    known = [one for one in before if one.day >= page.day - timedelta(days=TREND_DAYS)]
    told = {commit.author_name for commit in page.commits if commit.folded != "bot"}
    newcomers = (name for name in first_seen if name in told and not name.lower().endswith("[bot]"))
    since = min((one.day for one in known), default=page.day)
    return Context(
        days=len(last),
        commits=_delta(len(page.commits), [one.commits for one in last]),
        high=_delta(len(page.told("high")), [one.high for one in last]),
        lines=_delta(sum(c.additions + c.deletions for c in page.commits), [one.lines for one in last]),
        directories=busy_directories(trends, page.day, since),
        newcomers=tuple(newcomers) if len(known) >= _KNOWN_DAYS else (),
    )


def trends_of(rows: Sequence[tuple[str, Mapping[date, int]]]) -> Trends:
    """Directories with their commits by day, as a tree."""
    tree: Trends = {}
    for path, commits in rows:
        tree.setdefault(path.rpartition("/")[0], {})[path] = dict(commits)
    return tree


def busy_directories(trends: Trends, day: date, since: date) -> tuple[BusyDirectory, ...]:
    """The directories with the most commits on a day, at most five, each with its trend since `since`.

    How deep they lie is decided by the whole span, so that they bear the same names from one day to the next:
    where most commits go into one directory, it is its folders that tell days apart.
    """
    first = max(since, day - timedelta(days=TREND_DAYS - 1))
    span = [first + timedelta(days=offset) for offset in range((day - first).days + 1)]

    def total(commits: Mapping[date, int]) -> int:
        return sum(commits.get(one, 0) for one in span)

    chosen: list[tuple[str, Mapping[date, int]]] = []
    waiting = list(trends.get("", {}).items())
    most = sum(total(commits) for _, commits in waiting) or 1
    while waiting:
        path, commits = waiting.pop()
        here = total(commits)
        below = [(name, found) for name, found in trends.get(path, {}).items() if total(found)]
        largest = max((total(found) for _, found in below), default=0)
        is_passage = largest >= _MOST_OF * here and len(below) == 1
        is_broad = here > _TOO_BROAD * most and sum(total(found) for _, found in below) >= _MOST_OF * here
        if here and below and (is_passage or is_broad):
            waiting += below
        else:
            chosen.append((path, commits))
    busy = [
        (path, commits) for path, commits in chosen if commits.get(day, 0) >= _LEAST_COMMITS
    ]
    busy.sort(key=lambda item: (-item[1][day], -total(item[1]), item[0]))
    return tuple(
        BusyDirectory(path, commits[day], tuple(commits.get(one, 0) for one in span))
        for path, commits in busy[:_MOST_DIRECTORIES]
    )


def is_broad(trends: Trends, stored: Sequence[DayCounts], day: date, path: str) -> bool:
    """Whether a fifth of all commits of the last thirty days went into a directory: no theme is so wide."""
    first = day - timedelta(days=TREND_DAYS - 1)
    total = sum(one.commits for one in stored if first <= one.day <= day)
    inside = trends.get(path.rpartition("/")[0], {}).get(path, {})
    return total >= _ENOUGH and _BROAD * total < sum(n for one, n in inside.items() if first <= one <= day)


def _delta(value: int, before: Sequence[int]) -> Delta | None:
    return Delta(value, float(median(before))) if before else None
