"""A week or a month of a repo as one value, folded from the pages of its days, one after the other.

Of a page that was added little is kept: commits by name, what their messages say of others, counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.cues import TOPICS
from digest_pipeline.domain.followups import DayCommit, Fate, Trace, fixes, plain_title, reverts
from digest_pipeline.domain.importance import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.cues import Topic
    from digest_pipeline.domain.day import Window
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.domain.page import CommitEntry, Earlier, RepoPage, Theme, ThemeKind
    from digest_pipeline.domain.period import Period

DayState = Literal["made", "unreadable", "missing"]
"""A day has its page, could not be read, or was never made to its end."""

LOOK_BACK_DAYS = 7
"""So many days before a period are looked at: what was decided on Friday is often taken back on Monday."""

_KINDS: tuple[ThemeKind, ...] = ("revert", "series", "area")
_LEAST_OF_AREA = 2


@dataclass(frozen=True, slots=True)
class DayCount:
    """A day of a repo: its commits by tier, how many have no analysis, and why the last try to read it failed.

    Those that are folded count in no tier.
    """

    day: date
    state: DayState
    tiers: Mapping[Tier, int] = field(default_factory=dict)
    unanalysed: int = 0
    error: str | None = None
    folded: int = 0

    @property
    def commits(self) -> int:
        """All of them."""
        return sum(self.tiers.values()) + self.folded


@dataclass(frozen=True, slots=True)
class DayMention:
    """A commit in a part, with the line that put it there."""

    commit: DayCommit
    line: str


@dataclass(frozen=True, slots=True)
class RolledPart:
    """One of the fixed parts over all days, oldest first; one without mentions is not there."""

    topic: Topic
    mentions: tuple[DayMention, ...]


@dataclass(frozen=True, slots=True)
class RolledTheme:
    """What belongs together over all days, oldest first; `earlier` are commits from before the period."""

    kind: ThemeKind
    name: str
    commits: tuple[DayCommit, ...]
    earlier: tuple[DayCommit, ...] = ()

    @property
    def days(self) -> int:
        """On how many days of the period it was worked on."""
        return len({commit.day for commit in self.commits})


@dataclass(frozen=True, slots=True)
class Regret:
    """A commit that was decided to be high, and what took it back or fixed it within a week."""

    commit: DayCommit
    fates: tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who was never seen before `day`, with their commits of the period."""

    name: str
    day: date
    commits: int


@dataclass(frozen=True, slots=True)
class BusyPlace:
    """A directory with its commits of the period and of each of its days."""

    path: str
    commits: int
    trend: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the period's commits; lines are those of changes that a model was asked about."""

    commits: int = 0
    analysed: int = 0
    failed: int = 0
    deferred: int = 0
    filtered: int = 0
    shown_lines: int = 0
    changed_lines: int = 0
    cost: float | None = None
    models: tuple[str, ...] = ()
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """The period before, where all of its days are there."""

    commits: int
    high: int


@dataclass(frozen=True, slots=True)
class RepoRollup:
    """A repo's period; `high` by score, of equals the largest change first."""

    repo: str
    days: tuple[DayCount, ...]
    parts: tuple[RolledPart, ...] = ()
    themes: tuple[RolledTheme, ...] = ()
    high: tuple[DayCommit, ...] = ()
    regrets: tuple[Regret, ...] = ()
    newcomers: tuple[Newcomer, ...] = ()
    directories: tuple[BusyPlace, ...] = ()
    coverage: Coverage = Coverage()
    before: Before | None = None

    def tier(self, tier: Tier) -> int:
        """How many commits are of this tier, and not folded."""
        return sum(day.tiers.get(tier, 0) for day in self.days)

    @property
    def folded(self) -> int:
        """How many are folded."""
        return sum(day.folded for day in self.days)

    @property
    def active_days(self) -> int:
        """On how many days there were commits."""
        return sum(day.commits > 0 for day in self.days)

    def without_page(self, state: DayState) -> list[date]:
        """The days in a state."""
        return [day.day for day in self.days if day.state == state]

    @property
    def unanalysed(self) -> int:
        """Commits whose analysis failed or waits."""
        return self.coverage.failed + self.coverage.deferred


@dataclass(frozen=True, slots=True)
class Rollup:
    """A period over all repos; `days` are those of its days that can be there, all of them where `is_over`."""

    period: Period
    window: Window
    days: tuple[date, ...]
    is_over: bool
    repos: tuple[RepoRollup, ...]


def directory_of(path: str) -> str:
    """The first two folders of a path; empty for a file at the top, which is in none."""
    return "/".join(path.split("/")[:-1][:2])


class RepoFold:
    """A repo's rollup in the making: `add` the pages, oldest first, then take the `result`.

    Pages of days before `days` are looked back at, and counted nowhere.
    """

    def __init__(self, repo: str, days: Sequence[date]) -> None:
        self._repo = repo
        self._days = tuple(days)
        self._commits: dict[str, DayCommit] = {}
        self._traces: list[Trace] = []
        self._counts: dict[date, DayCount] = {}
        self._mentions: dict[Topic, dict[str, DayMention]] = {topic: {} for topic in TOPICS}
        self._groups: dict[ThemeKind, list[_Group]] = {kind: [] for kind in _KINDS}
        self._folded: set[str] = set()
        self._newcomers: dict[str, date] = {}
        self._authors: Counter[str] = Counter()
        self._places: dict[str, Counter[date]] = {}
        self._coverage = Coverage()

    def add(self, page: RepoPage) -> None:
        """The next day."""
        counts = bool(self._days) and page.day >= self._days[0]
        for entry in reversed(page.commits):  # a page has the newest first
            commit = _day_commit(page.day, entry)
            self._traces.append(Trace.of(commit, entry, page.repo))
            self._commits[entry.sha] = commit
            if entry.folded is not None:
                self._folded.add(entry.sha)
            if counts:
                self._authors[entry.author_name] += 1
                for path in {directory_of(path) for path in entry.paths} - {""}:
                    self._places.setdefault(path, Counter())[page.day] += 1
        if counts:
            self._count(page)
            self._merge(page)

    def result(self, unread: Mapping[date, str], before: Before | None = None) -> RepoRollup:
        """What it came to; `unread` has the days that could not be read, with the reason."""
        taken_back = reverts(self._traces)
        return RepoRollup(
            self._repo,
            tuple(self._day(day, unread.get(day)) for day in self._days),
            parts=tuple(
                RolledPart(topic, tuple(found.values())) for topic, found in self._mentions.items() if found
            ),
            themes=tuple(self._themes(taken_back)),
            high=tuple(
                sorted(
                    (commit for commit in self._own() if commit.tier == "high"),
                    key=lambda commit: (-commit.score, -commit.lines),
                )
            ),
            regrets=tuple(self._regrets([*taken_back, *fixes(self._traces)])),
            newcomers=tuple(
                Newcomer(name, day, self._authors[name]) for name, day in self._newcomers.items()
            ),
            directories=tuple(
                BusyPlace(path, days.total(), tuple(days[day] for day in self._days))
                for path, days in sorted(self._places.items(), key=lambda item: (-item[1].total(), item[0]))
            ),
            coverage=self._coverage,
            before=before,
        )

    def _day(self, day: date, error: str | None) -> DayCount:
        if day in self._counts:
            return replace(self._counts[day], error=error)
        return DayCount(day, "missing" if error is None else "unreadable", error=error)

    def _own(self) -> Iterable[DayCommit]:
        """The period's commits that are told in full, oldest first."""
        first = self._days[0]
        return (
            commit for sha, commit in self._commits.items() if commit.day >= first and sha not in self._folded
        )

    def _count(self, page: RepoPage) -> None:
        failed, deferred = page.count("failed"), page.count("deferred")
        tiers = {tier: len(page.told(tier)) for tier in TIERS}
        folded = len(page.commits) - sum(tiers.values())
        self._counts[page.day] = DayCount(page.day, "made", tiers, failed + deferred, folded=folded)
        asked = [one for one in page.commits if one.analysis is not None and not one.is_offline]
        seen = self._coverage
        self._coverage = Coverage(
            seen.commits + len(page.commits),
            seen.analysed + page.count("ok"),
            seen.failed + failed,
            seen.deferred + deferred,
            seen.filtered + sum(rule.commits for rule in page.filtered),
            seen.shown_lines + sum(min(one.shown_lines, one.changed_lines) for one in asked),
            seen.changed_lines + sum(one.changed_lines for one in asked),
            seen.cost if page.cost is None else (seen.cost or 0) + page.cost,
            tuple(dict.fromkeys([*seen.models, *(one.model for one in asked)])),
            seen.is_offline or any(one.is_offline and one.analysis is not None for one in page.commits),
        )

    def _merge(self, page: RepoPage) -> None:
        for part in page.parts:
            found = self._mentions.setdefault(part.topic, {})
            lines: dict[str, str] = {}
            for mention in part.mentions:
                lines.setdefault(mention.sha, mention.line)
            for sha, line in reversed(lines.items()):
                if sha in self._commits:
                    found.setdefault(sha, DayMention(self._commits[sha], line))
        for theme in page.themes:
            self._group(_Group.of(theme, self._commits))
        for name in page.context.newcomers if page.context else ():
            self._newcomers.setdefault(name, page.day)

    def _group(self, new: _Group) -> None:
        """Take a theme in; those of its kind that it goes on with become one with it."""
        groups = self._groups[new.kind]
        joined = [group for group in groups if group.goes_on_in(new)]
        self._groups[new.kind] = [group for group in groups if group not in joined]
        for group in reversed(joined):
            new = group.with_later(new)
        self._groups[new.kind].append(new)

    def _themes(self, taken_back: Iterable[Fate]) -> list[RolledTheme]:
        first = self._days[0]
        for fate in taken_back:
            pair = (fate.commit, fate.by, *([fate.back] if fate.back else []))
            if pair[-1].day >= first:
                self._group(_Group("revert", plain_title(fate.commit.title), {one.sha: one for one in pair}))
        themes = [
            group.theme(first)
            for kind in _KINDS
            for group in self._groups[kind]
            if kind != "area" or len(group.commits) >= _LEAST_OF_AREA
        ]
        return sorted(themes, key=lambda theme: (_KINDS.index(theme.kind), -len(theme.commits)))

    def _regrets(self, fates: Iterable[Fate]) -> list[Regret]:
        """The high commits that something became of in this period, those that were taken back first."""
        first = self._days[0]
        found: dict[str, list[Fate]] = {}
        for fate in fates:
            if fate.commit.tier == "high" and fate.by.day >= first and fate.commit.sha not in self._folded:
                found.setdefault(fate.commit.sha, []).append(fate)
        return [Regret(self._commits[sha], tuple(fates)) for sha, fates in found.items()]


@dataclass(slots=True)
class _Group:
    kind: ThemeKind
    name: str
    commits: dict[str, DayCommit]

    @classmethod
    def of(cls, theme: Theme, known: Mapping[str, DayCommit]) -> _Group:
        earlier = [known.get(one.sha) or _earlier(one) for one in theme.earlier]
        own = [known[sha] for sha in reversed(theme.shas) if sha in known]
        return cls(theme.kind, theme.name, {one.sha: one for one in (*earlier, *own)})

    def goes_on_in(self, later: _Group) -> bool:
        """Whether a later theme of the kind has a commit of this one, or is called the same where the name says it."""
        is_called_so = self.kind != "revert" and self.name == later.name
        return is_called_so or not self.commits.keys().isdisjoint(later.commits)

    def with_later(self, later: _Group) -> _Group:
        return replace(self, commits={**self.commits, **later.commits})

    def theme(self, first: date) -> RolledTheme:
        ordered = sorted(self.commits.values(), key=lambda commit: commit.day)
        own = tuple(commit for commit in ordered if commit.day >= first)
        return RolledTheme(self.kind, self.name, own, tuple(one for one in ordered if one.day < first))


def _day_commit(day: date, entry: CommitEntry) -> DayCommit:
    summary = entry.analysis.summary if entry.analysis is not None and entry.tier == "high" else ()
    return DayCommit(
        day,
        entry.sha,
        entry.title,
        entry.pull_request,
        entry.url,
        entry.tier,
        entry.score,
        lines=entry.additions + entry.deletions,
        gist=summary[0] if summary else "",
    )


def _earlier(one: Earlier) -> DayCommit:
    return DayCommit(one.day, one.sha, one.title, one.pull_request, one.url, has_page=False)
