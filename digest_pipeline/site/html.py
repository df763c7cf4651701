"""The site's pages: one for a repo and day, a day, a week, a repo, and the start page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.page import without_request
from digest_pipeline.site import charts, places, text
from digest_pipeline.site.outline import Outline, counts_of, tally
from digest_pipeline.site.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from markupsafe import Markup

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.page import CommitEntry, Part, RepoPage

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What the pages are allowed: their own style and script, and the search's program, which is WebAssembly."""

FILES = (places.STYLE, places.SCRIPT, places.ICON)
"""What is copied as it is, beside the pages."""

NEWEST_DAYS = 14
NEWEST_MONTHS = 8
TREND_WEEKS = 53
SPARK_DAYS = 30
_MOST_PATHS = 60


@dataclass(frozen=True, slots=True)
class Around:
    """The pages before and after one, where there are any."""

    before: date | None = None
    after: date | None = None


NOTHING_AROUND = Around()


@dataclass(frozen=True, slots=True)
class DayEntry:
    """A repo's place on a day's page: None where it has no page, with the error where it could not be read."""

    repo: str
    outline: Outline | None
    error: str | None = None


class SiteRenderer:
    """Renders pages in one language and timezone; the same values give the same bytes."""

    def __init__(
        self,
        language: Language,
        timezone: ZoneInfo,
        *,
        repos: Sequence[str],
        show_reasons: bool = True,
    ) -> None:
        self.words = Words(language, timezone)
        self._repos = tuple(repos)
        self._timezone = timezone.key
        self._values: dict[str, Any] = {
            "words": self.words,
            "label": self.words.label,
            "language": language,
            "timezone": timezone.key,
            "repos": self._repos,
            "show_reasons": show_reasons,
            "points": self._points,
            "facts": self._facts,
        }

    def repo_day(
        self,
        page: RepoPage,
        around: Around = NOTHING_AROUND,
        *,
        spoken: Language | None = None,
        known: Callable[[date, str], bool] = lambda *_: False,
    ) -> str:
        """The page of a repo and day.

        `spoken` is the language of its analyses where it is another one; `known` says of an earlier day and a commit
        whether its section is on the site.
        """
        told = [commit for commit in page.commits if commit.folded is None]
        return self._render(
            "repo_day.html.j2",
            places.repo_day(page.repo, page.day),
            page=page,
            around=around,
            spoken=spoken or self.words.language,
            known=known,
            day_place=partial(places.repo_day, page.repo),
            counts=counts_of(page),
            sections=[
                (tier, found)
                for tier in TIERS
                if (found := [commit for commit in told if commit.tier == tier])
            ],
            folded=[commit for commit in page.commits if commit.folded is not None],
            commit_of={commit.sha: commit for commit in page.commits},
            parts=[part for part in page.parts if _known(part, page)],
        )

    def day(self, day: date, entries: Sequence[DayEntry], around: Around = NOTHING_AROUND) -> str:
        """The page of a day over all repos."""
        outlines = [entry.outline for entry in entries if entry.outline is not None]
        return self._render(
            "day.html.j2", places.day_page(day), day=day, entries=entries, outlines=outlines, around=around
        )

    def week(
        self,
        monday: date,
        outlines: Sequence[Outline],
        around: Around = NOTHING_AROUND,
        rollup: Sequence[tuple[str, Markup]] = (),
    ) -> str:
        """The page of an ISO week; `outlines` are those of its days, `rollup` its repos' parts."""
        days = sorted({one.day for one in outlines})
        return self._render(
            "week.html.j2",
            places.week_page(monday),
            monday=monday,
            sunday=monday + timedelta(days=6),
            days=[(day, [one for one in outlines if one.day == day]) for day in days],
            outlines=outlines,
            around=around,
            rollup=rollup,
            here_repos=sorted({one.repo for one in outlines}, key=self._order),
        )

    def repo(self, repo: str, outlines: Sequence[Outline], *, has_feed: bool = False) -> str:
        """A repo's own page; `outlines` are those of its days, the newest first."""
        weeks: dict[date, list[Outline]] = {}
        for one in reversed(outlines):
            weeks.setdefault(places.monday(one.day), []).append(one)
        columns = [(first, tally(found)) for first, found in weeks.items()][-TREND_WEEKS:]
        return self._render(
            "repo.html.j2",
            places.repo_page(repo),
            repo=repo,
            has_feed=has_feed,
            outlines=outlines,
            weeks=columns,
            trend=charts.trend([(self.words.short_date(first), counts) for first, counts in columns]),
            months=_by_month(outlines),
            most=max([one.commits for one in outlines] + [1]),
        )

    def start(self, days: Mapping[date, Sequence[Outline]], *, feeds: Collection[str] = ()) -> str:
        """The start page; `days` are all that there are, the newest first, `feeds` the repos that have one."""
        newest = list(days)[:NEWEST_DAYS]
        months = charts.months({day: tally(found)["high"] for day, found in days.items()})
        cards = []
        for repo in self._repos:
            own = [one for found in days.values() for one in found if one.repo == repo]
            if own:
                cards.append((repo, own[0], self._last_days(own), len(own)))
        return self._render(
            "start.html.j2",
            places.START,
            days=days,
            feeds=[repo for repo in self._repos if repo in feeds],
            newest=newest,
            most=max([sum(tally(days[day]).values()) for day in newest] + [1]),
            months=months[:NEWEST_MONTHS],
            older_months=months[NEWEST_MONTHS:],
            cards=cards,
            totals=tally(one for found in days.values() for one in found),
        )

    def _render(self, template: str, here: str, **values: object) -> str:
        def to(there: str, fragment: str = "") -> str:
            return places.relative(here, there, fragment)

        page = _environment().get_template(template).render(here=here, to=to, **self._values, **values)
        return page.rstrip() + "\n"

    def _order(self, repo: str) -> tuple[int, str]:
        return (self._repos.index(repo) if repo in self._repos else len(self._repos), repo)

    def _last_days(self, outlines: Sequence[Outline]) -> list[int]:
        """How many commits each of the last days had, up to the newest, oldest first."""
        newest = outlines[0].day
        found = {one.day: one.commits for one in outlines}
        return [found.get(newest - timedelta(days=back), 0) for back in reversed(range(SPARK_DAYS))]

    def _points(self, commit: CommitEntry) -> list[tuple[str, list[str]]]:
        """What the analysis says, field by field, without those that say nothing."""
        analysis = commit.analysis
        if analysis is None:
            return []
        fields = ("summary", "scope", "architecture", "performance", "security", "risks", "advice")
        return [
            (self.words.label["commit"][name], points)
            for name in fields
            if (points := [one for one in getattr(analysis, name) if text.one_line(one)])
        ]

    def _facts(self, page: RepoPage) -> list[tuple[str, str]]:
        """What the page was made from, and how: a name and a value each."""
        label, words = self.words.label["fact"], self.words
        window = f"{words.minute(page.window.start)} – {words.minute(page.window.end)}"
        coverage = label["coverage_value"].format(
            commits=len(page.commits),
            analysed=page.count("ok"),
            failed=page.count("failed"),
            deferred=page.count("deferred"),
        )
        facts = [("window", f"{window} ({self._timezone})"), ("coverage", coverage)]
        if page.filtered:
            rules = self.words.label["filter"]
            named = (f"{rules.get(one.rule, one.rule)} {one.commits}" for one in page.filtered)
            facts.append(("filtered", self.words.label["comma"].join(named)))
        read = [one for one in page.commits if one.analysis is not None and not one.is_offline]
        if changed := sum(one.changed_lines for one in read):
            share = math.floor(100 * sum(min(one.shown_lines, one.changed_lines) for one in read) / changed)
            facts.append(("share", label["share_value"].format(share=share)))
        if unread := sum(len(one.unread) for one in page.commits):
            facts.append(("unread", words.count(unread, "files")))
        models = dict.fromkeys(one.model for one in read)
        facts.append(("model", self.words.label["comma"].join(models) or label["no_model"]))
        if page.cost is not None:
            facts.append(("cost", f"{page.cost:.4f}".rstrip("0").rstrip(".")))
        if page.rendered_at is not None:
            facts.append(("rendered", words.minute(page.rendered_at)))
        if page.updated_at is not None:
            moved = label["moved"].format(came=page.came, went=page.went)
            told = f" ({moved})" if page.came or page.went else ""
            facts.append(("updated", words.minute(page.updated_at) + told))
        return [(label[name], value) for name, value in facts]


def asset(name: str) -> bytes:
    """One of the files that are copied as they are."""
    return (resources.files("digest_pipeline") / "site" / name).read_bytes()


@cache
def _environment() -> jinja2.Environment:
    # One for a process: its templates are compiled when they are first used, a third of a second for all.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("digest_pipeline.site", "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": text.inline,
        "block": text.block,
        "line": text.one_line,
        "heading": text.heading,
    }
    environment.globals |= {
        "places": places,
        "policy": POLICY,
        "tiers": TIERS,
        "shares": charts.shares,
        "sparkline": charts.sparkline,
        "reason": lambda error: without_request(error or ""),
        "tally": tally,
        "most_paths": _MOST_PATHS,
    }
    return environment


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Everything that a template prints passes here; markup was cleaned where it was made."""
    return text.shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _known(part: Part, page: RepoPage) -> bool:
    known = {commit.sha for commit in page.commits}
    return any(mention.sha in known for mention in part.mentions)


def _by_month(outlines: Sequence[Outline]) -> list[tuple[date, list[Outline]]]:
    months: dict[date, list[Outline]] = {}
    for one in outlines:
        months.setdefault(one.day.replace(day=1), []).append(one)
    return list(months.items())
