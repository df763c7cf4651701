"""Commits of a day that belong together: a revert with what it takes back, work that goes on, one place.

A commit stands in one theme at most, the first of these that fits. How a message names other commits is `relations`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.page import Earlier, Theme
from digest_pipeline.domain.prose import words_of
from digest_pipeline.domain.relations import Known, Relations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from digest_pipeline.domain.page import CommitEntry, RepoPage, ThemeKind
    from digest_pipeline.domain.relations import Index

LOOK_BACK = timedelta(days=30)

_MOST_AREAS = 5
_DEEPEST = 5
_MOSTLY = 0.6
_CROWD = 4
"""From so many commits on, a directory that is home to more than half of them is the project, not a theme."""

_GENERIC = words_of(
    "src lib libs source sources include internal pkg pkgs packages cmd app apps core common shared util "
    "utils helpers components modules main crates projects python java kotlin go rust js ts test tests "
    "testing spec e2e docs doc examples scripts tools build dist static public assets resources"
)


def themes_of(
    page: RepoPage,
    index: Index,
    *,
    url_of: Callable[[str], str | None],
    is_broad: Callable[[str], bool] = lambda _: False,
) -> tuple[Theme, ...]:
    """The themes of a page: reverts, series, areas, each kind by the weight of its commits.

    `index` holds the commits of the days before; those more than 30 days back count for nothing.
    `is_broad` says of a directory that so much of all work lies in it that its name holds nothing together.
    """
    told = [commit for commit in page.commits if commit.folded is None]
    if not told:
        return ()
    today = [Known(page.day, one.sha, one.title, one.pull_request, one.author_name) for one in told]
    relations = Relations(page.repo, today, index, page.day - LOOK_BACK)
    reverts = relations.reverts({one.sha: one.message for one in told})
    taken = {sha for group in reverts for sha in group.shas}
    series = relations.series({one.sha: one.message for one in told if one.sha not in taken})
    taken |= {sha for group in series for sha in group.shas}

    order = {commit.sha: place for place, commit in enumerate(page.commits)}
    weight = {commit.sha: (TIERS.index(commit.tier), -commit.score) for commit in told}

    def made(kind: ThemeKind, found: Iterable[tuple[str, Iterable[str], Iterable[Known]]]) -> list[Theme]:
        themes = [
            Theme(
                kind,
                name,
                tuple(sorted(shas, key=order.__getitem__)),
                tuple(
                    Earlier(one.day, one.sha, one.title, one.pull_request, url_of(one.sha)) for one in before
                ),
            )
            for name, shas, before in found
        ]
        return sorted(
            themes, key=lambda theme: (min(map(weight.__getitem__, theme.shas)), order[theme.shas[0]])
        )

    areas = _areas([commit for commit in told if commit.sha not in taken], len(told), is_broad)
    return (
        *made("revert", ((group.name, group.shas, group.earlier) for group in reverts)),
        *made("series", ((group.name, group.shas, group.earlier) for group in series)),
        *made("area", ((path, [one.sha for one in members], ()) for path, members in areas)),
    )


def _areas(
    commits: Sequence[CommitEntry], of: int, is_broad: Callable[[str], bool]
) -> list[tuple[str, list[CommitEntry]]]:
    """Directories that are home to two pull requests or more: at most five, those with the most first."""
    homes = {commit.sha: {path for path in _homes(commit.paths) if not is_broad(path)} for commit in commits}
    waiting = {commit.sha: commit for commit in commits}
    found: list[tuple[str, list[CommitEntry]]] = []
    while True:
        living: dict[str, list[CommitEntry]] = defaultdict(list)
        for sha, commit in waiting.items():
            for path in homes[sha]:
                living[path].append(commit)
        shared = {
            path: members
            for path, members in living.items()
            if len({one.pull_request or one.sha for one in members}) > 1
            and (of < _CROWD or 2 * len(members) <= of)
        }
        if not shared:
            break
        # Of two directories with the same commits the deeper one says more.
        path = max(shared, key=lambda one: (len(shared[one]), one.count("/"), one))
        found.append((path, shared[path]))
        for commit in shared[path]:
            del waiting[commit.sha]
    found.sort(key=lambda area: -len(area[1]))
    return found[:_MOST_AREAS]


def _homes(paths: Sequence[str]) -> set[str]:
    """The directories in which most files of a commit lie, without those whose name would say nothing."""
    counts: Counter[str] = Counter()
    for path in paths:
        folders = path.split("/")[:-1]
        for depth in range(1, min(len(folders), _DEEPEST) + 1):
            counts["/".join(folders[:depth])] += 1
    homes = {path for path, files in counts.items() if files >= _MOSTLY * len(paths)}
    return {path for path in homes if path.rpartition("/")[2].lower() not in _GENERIC}
