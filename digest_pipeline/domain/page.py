"""What a page says, before anybody renders it: a repo's day with its headline, parts, themes and context.

One value for every form that a day takes: Markdown, the site, feeds, messages, a reader's own selection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date, datetime

    from digest_pipeline.domain.analysis import Analysis, ErrorClass, Status
    from digest_pipeline.domain.cues import Topic
    from digest_pipeline.domain.day import Window
    from digest_pipeline.domain.importance import Reason, Tier

Folded = Literal["bot", "reformat"]
"""Why a commit is told in one line: a bot made it, or it is named in `.git-blame-ignore-revs`."""

FOLDED: tuple[Folded, ...] = ("bot", "reformat")

# How analysts end a failure's line: the host, and the endpoint's number for the request; a long one may be cut off.
_REQUEST = re.compile(r", request [^()]*\)?$")

ThemeKind = Literal["revert", "series", "area"]
"""What holds a theme together: a revert and what it takes back, one piece of work that goes on, one place."""


@dataclass(frozen=True, slots=True)
class CommitEntry:
    """One commit as a page shows it; `analysis` is None where there is none, `unread` are paths without a patch.

    `paths` are those of its files, `labels` those of its pull request; `folded` is None for a commit that is
    told in full.
    """

    sha: str
    author_name: str
    authored_at: datetime
    message: str
    title: str
    url: str | None
    tier: Tier
    score: int
    reasons: tuple[Reason, ...]
    status: Status
    analysis: Analysis | None
    model: str
    is_offline: bool
    attempts: int
    error: str | None
    unread: tuple[str, ...]
    complete: bool
    shown_lines: int = 0
    changed_lines: int = 0
    left_out: tuple[str, ...] = ()
    left_out_files: int = 0
    error_class: ErrorClass | None = None
    pull_request: int | None = None
    labels: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    additions: int = 0
    deletions: int = 0
    folded: Folded | None = None

    @property
    def share(self) -> int | None:
        """How many percent of the change the model read; None where it read all, or no model was asked."""
        if self.analysis is None or self.is_offline or self.shown_lines >= self.changed_lines:
            return None
        return min(99, round(100 * self.shown_lines / self.changed_lines))


@dataclass(frozen=True, slots=True)
class Headline:
    """The paragraph that a day opens with: plain text, and the commits that it names; `model` is None for facts."""

    text: str
    shas: tuple[str, ...]
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A commit in a part, with the line that put it there: plain text, from its message, patch or analysis."""

    sha: str
    line: str


@dataclass(frozen=True, slots=True)
class Part:
    """One of the fixed parts; one without mentions is not shown."""

    topic: Topic
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A commit of an earlier day that a theme goes on from, or takes back."""

    day: date
    sha: str
    title: str
    pull_request: int | None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Theme:
    """Commits of one day that belong together, in the page's order; `name` is plain text, or a path for an area."""

    kind: ThemeKind
    name: str
    shas: tuple[str, ...]
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """A count of this day beside the median of the days before it."""

    value: int
    median: float


@dataclass(frozen=True, slots=True)
class BusyDirectory:
    """A directory with its commits of this day, and of each of the last days up to it, oldest first."""

    path: str
    commits: int
    trend: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """A day beside the days before it; `days` is how many stored days the medians are taken over, at most seven."""

    days: int = 0
    commits: Delta | None = None
    high: Delta | None = None
    lines: Delta | None = None
    directories: tuple[BusyDirectory, ...] = ()
    newcomers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilteredOut:
    """How many commits of a day a repo's filter left out, by its rule: one of `filtering.RULES`."""

    rule: str
    commits: int


@dataclass(frozen=True, slots=True)
class RepoPage:
    """A repo's day; `commits` in the order of the history, newest first.

    `updated_at` is None for a page that says what it said at first; `came` and `went` count commits since then.
    """

    repo: str
    day: date
    window: Window
    commits: tuple[CommitEntry, ...]
    updated_at: datetime | None = None
    cost: float | None = None
    came: int = 0
    went: int = 0
    headline: Headline | None = None
    parts: tuple[Part, ...] = ()
    themes: tuple[Theme, ...] = ()
    context: Context | None = None
    filtered: tuple[FilteredOut, ...] = ()
    rendered_at: datetime | None = None

    def count(self, status: Status) -> int:
        """How many commits have this status."""
        return sum(commit.status == status for commit in self.commits)

    def tier(self, tier: Tier) -> list[CommitEntry]:
        """The commits of one tier, in the order of the page."""
        return [commit for commit in self.commits if commit.tier == tier]

    def told(self, tier: Tier) -> list[CommitEntry]:
        """The same without those that are folded: the sections of a tier."""
        return [commit for commit in self.tier(tier) if commit.folded is None]

    def folded(self) -> dict[Folded, list[CommitEntry]]:
        """The commits that are told in one line, by the reason, in the order of the page."""
        found: dict[Folded, list[CommitEntry]] = {}
        for reason in FOLDED:
            commits = [commit for commit in self.commits if commit.folded == reason]
            if commits:
                found[reason] = commits
        return found

    def commit(self, sha: str) -> CommitEntry:
        """The commit of this name; KeyError where the day has none."""
        for commit in self.commits:
            if commit.sha == sha:
                return commit
        raise KeyError(sha)


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """A repo's place in the digest of a day.

    `body` is its page without the title, None where there is no page; `error` says why it could not be read.
    `headline` is what its page opens with, as Markdown.
    """

    repo: str
    body: str | None
    error: str | None
    commits: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    unanalysed: int = 0
    headline: str = ""

    @property
    def folded(self) -> int:
        """How many of the commits are folded: they count in no tier."""
        return self.commits - self.high - self.medium - self.low


def without_failures(page: RepoPage) -> RepoPage:
    """A page as its commits, analyses and statuses make it: no words of failures, no tries, no costs."""
    commits = tuple(
        commit if commit.status == "ok" else replace(commit, error=None, attempts=0)
        for commit in page.commits
    )
    return replace(page, commits=commits, cost=None)


def without_request(error: str) -> str:
    """A failure as a page shows it: the number that the endpoint gave to the request helps nobody who reads."""
    return _REQUEST.sub(")", error)
