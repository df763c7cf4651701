"""The Markdown page of a week or a month over all repos, with links to the pages of its days."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.state import spans
from digest_pipeline.render import escape
from digest_pipeline.render.bars import block_size, sparkline, stacked
from digest_pipeline.render.markdown import MarkdownRenderer, slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.followups import DayCommit, Fate
    from digest_pipeline.domain.rollup import DayCount, DayMention, RepoRollup, RolledTheme, Rollup

_TITLE = 100
_GIST = 200
_TOP = 3
_MOST_LINES = 15
_MOST_DIRECTORIES = 8
_MOST_NEW = 20
_MOST_AREAS = 8
_MOST_OF_THEME = {"revert": 12, "series": 12, "area": 5}


class RollupRenderer(MarkdownRenderer):
    """Renders rollups in one language and timezone; the same value gives the same bytes."""

    def __init__(self, language: Language, timezone: ZoneInfo) -> None:
        super().__init__(language, timezone)
        self._words = self._label["rollup"]

    def rollup(self, rollup: Rollup) -> str:
        """The page of a period."""
        period, words = rollup.period, self._words
        notes = [
            words["window"].format(
                start=self._minute(rollup.window.start),
                end=self._minute(rollup.window.end),
                timezone=escape.inline(self._timezone.key),
                repos=self._count("repos", len(rollup.repos)),
            )
        ]
        if not rollup.is_over:
            notes.append(words[f"so_far_{period.kind}"].format(day=rollup.days[-1]))
        return self._render(
            "rollup.md.j2",
            title=words[period.kind].format(label=period.label, first=period.first, last=period.last),
            notes=notes,
            rollup=rollup,
            words=words,
            tiers=TIERS,
            folded=any(repo.folded for repo in rollup.repos),
            sections=[_Section(self, rollup, repo) for repo in rollup.repos],
        )

    def _count(self, name: str, number: int) -> str:
        one, other = self._words["n"][name]
        return str((one if number == 1 else other).format(n=number))


class _Section:
    """A repo's part of the page: each attribute is Markdown, or a list of it, that the template sets."""

    def __init__(self, renderer: RollupRenderer, rollup: Rollup, repo: RepoRollup) -> None:
        self.repo = repo
        self.slug = slug(repo.repo)
        self._kind = rollup.period.kind
        self._label = renderer._label  # noqa: SLF001 - of one making
        self._words = renderer._words  # noqa: SLF001 - of one making
        self._count = renderer._count  # noqa: SLF001 - of one making

    # --- the head ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Its place in the overview's last column."""
        words, digest = self._words, self._label["digest"]
        found = []
        if self.repo.without_page("unreadable"):
            found.append(digest["failed_short"])
        if missing := len(self.repo.without_page("missing")):
            found.append(f"{digest['pending_short']}{self._open}{self._count('days', missing)}{self._close}")
        if self.repo.unanalysed:
            found.append(words["incomplete"].format(n=self.repo.unanalysed))
        return escape.cell(self._label["comma"].join(found) or digest["ok"])

    @property
    def days_made(self) -> str:
        """How many of its days are there."""
        done = sum(day.state == "made" for day in self.repo.days)
        return str(self._words["of_days"].format(done=done, all=len(self.repo.days)))

    @property
    def headline(self) -> str:
        """The paragraph that it opens with, from facts alone; a line where nothing happened."""
        repo, words = self.repo, self._words["headline"]
        if not repo.coverage.commits:
            made = any(day.state == "made" for day in repo.days)
            return str(self._words[f"quiet_{self._kind}"]) if made else ""
        sentences = [self._size()]
        if repo.before is not None:
            before = self._count("commits", repo.before.commits)
            sentences.append(words[f"before_{self._kind}"].format(commits=before, high=repo.before.high))
        if repo.high:
            titles = words["titles"].join(self.link(commit) for commit in repo.high[:_TOP])
            sentences.append(words["top"].format(titles=titles))
        parts = [self._count(part.topic, len(part.mentions)) for part in repo.parts]
        if parts:
            sentences.append(words["parts"].format(parts=self._label["comma"].join(parts)))
        if repo.regrets:
            titles = self._listed([self.link(one.commit) for one in repo.regrets], words["titles"])
            sentences.append(self._sentence("regrets", len(repo.regrets), titles=titles))
        busy = [
            words["directory"].format(path=escape.code(one.path), commits=self._count("commits", one.commits))
            for one in repo.directories[:_TOP]
        ]
        if busy and repo.coverage.commits > 1:
            sentences.append(words["directories"].format(directories=words["names"].join(busy)))
        if repo.newcomers:
            names = [escape.inline(one.name) for one in repo.newcomers]
            sentences.append(
                self._sentence("newcomers", len(names), names=self._listed(names, words["names"]))
            )
        return ("" if self._label["comma"] == "，" else " ").join(sentences)

    @property
    def notes(self) -> list[str]:
        """Coverage, and what is missing."""
        repo, words = self.repo, self._words
        lines = [self._coverage()] if any(day.state == "made" for day in repo.days) else []
        if missing := repo.without_page("missing"):
            lines.append(words["missing"].format(days=self._spans(missing)))
        failed = [day for day in repo.days if day.error is not None]
        for (state, error), group in groupby(failed, key=lambda day: (day.state, day.error or "")):
            line = words["unreadable" if state == "unreadable" else "stale"]
            lines.append(
                line.format(days=self._spans([day.day for day in group]), error=escape.inline(error))
            )
        return lines

    # --- the parts --------------------------------------------------------------------------------------------

    @property
    def scale(self) -> str:
        """What the bars mean."""
        size = self._block
        return str(self._words["scale"] if size == 1 else self._words["scale_many"].format(n=size))

    @property
    def trend(self) -> list[tuple[str, DayCount, str]]:
        """A row for each day: its name, its counts, its bar or what is the matter; empty where no day is there."""
        if not self.repo.coverage.commits:
            return []
        return [(self._day_cell(day), day, self._bar(day)) for day in self.repo.days]

    @property
    def parts(self) -> list[tuple[str, str, list[str], list[str]]]:
        """Anchor, heading and lines of each of the fixed parts: the heaviest where there are many, and the others."""
        found: list[tuple[str, str, list[str], list[str]]] = []
        for part in self.repo.parts:
            mentions = part.mentions
            heaviest = sorted(mentions, key=lambda one: -one.commit.score)[: _shown(len(mentions))]
            shown = [self._mention(one) for one in mentions if one in heaviest]
            folded = [self._mention(one) for one in mentions if one not in heaviest]
            heading = self._words["parts"][part.topic].format(n=len(mentions))
            found.append((part.topic, heading, shown, folded))
        return found

    @property
    def regrets(self) -> list[tuple[str, list[str]]]:
        """Each commit that was reverted or fixed, and by what."""
        return [
            (
                f"{self.link(one.commit)}{self._aside(one.commit, score=True)}",
                [self._fate(fate) for fate in one.fates],
            )
            for one in self.repo.regrets
        ]

    @property
    def themes(self) -> list[tuple[str, list[str]]]:
        """Each theme with its commits."""
        areas = [theme for theme in self.repo.themes if theme.kind == "area"][:_MOST_AREAS]
        others = [theme for theme in self.repo.themes if theme.kind != "area"]
        return [self._theme(theme) for theme in [*others, *areas]]

    @property
    def high(self) -> tuple[list[str], list[str]]:
        """The high commits by score: those that are shown, and those that are folded."""
        lines = [f"{self.link(one)}{self._aside(one, score=True)}{self._gist(one)}" for one in self.repo.high]
        shown = _shown(len(lines))
        return lines[:shown], lines[shown:]

    @property
    def directories(self) -> list[tuple[str, int, str]]:
        """Directory, commits, and a bar for each day."""
        return [
            (escape.cell(escape.code(one.path)), one.commits, escape.code(sparkline(one.trend)))
            for one in self.repo.directories[:_MOST_DIRECTORIES]
        ]

    @property
    def newcomers(self) -> str:
        """Who is new, since when, with how many commits."""
        people = [
            f"{escape.block(one.name)}{self._open}{one.day:%m-%d}{self._label['comma']}"
            f"{self._count('commits', one.commits)}{self._close}"
            for one in self.repo.newcomers
        ]
        return self._listed(people, self._words["headline"]["names"], _MOST_NEW)

    def link(self, commit: DayCommit) -> str:
        """A commit's title, leading to its section on its day's page, else to its page on the web."""
        title = escape.block(escape.shorten(commit.title, _TITLE)) or commit.sha[:7]
        target = self._target(commit.day, commit.sha) if commit.has_page else commit.url
        return f"[{title}]({target})" if target else title

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _open(self) -> str:
        return str(self._label["open"])

    @property
    def _close(self) -> str:
        return str(self._label["close"])

    @property
    def _block(self) -> int:
        return block_size([day.commits for day in self.repo.days])

    def _target(self, day: date, sha: str | None = None) -> str:
        anchor = self.slug if sha is None else f"{self.slug}-{sha[:12]}"
        return f"../../{self.repo.repo}/{day:%Y}/{day}.md#{anchor}"

    def _size(self) -> str:
        """The first sentence: how many commits, on how many days, how many of them high."""
        repo, words = self.repo, self._words["headline"]
        total, high = repo.coverage.commits, repo.tier("high")
        commits = self._count("commits", total)
        if total == 1:
            tier = next((tier for tier in TIERS if repo.tier(tier)), "folded")
            return str(words["one"].format(commits=commits, tier=self._label["tiers"][f"{tier}_name"]))
        name = "no_high" if not high else "all" if high == total else "some"
        return str(words[name].format(commits=commits, days=self._count("days", repo.active_days), high=high))

    def _sentence(self, name: str, number: int, **values: object) -> str:
        one, other = self._words["headline"][name]
        return str((one if number == 1 else other).format(n=number, **values))

    def _listed(self, items: Sequence[str], by: str, most: int = _TOP) -> str:
        shown = len(items) if len(items) <= most + 1 else most
        more = self._words["headline"]["and_more"].format(n=len(items) - shown) if shown < len(items) else ""
        return by.join(items[:shown]) + more

    def _spans(self, days: Sequence[date]) -> str:
        return str(
            self._label["comma"].join(
                f"{first:%m-%d}" if first == last else f"{first:%m-%d} – {last:%m-%d}"
                for first, last in spans(days)
            )
        )

    def _coverage(self) -> str:
        words, label, found = self._words, self._label["coverage"], self.repo.coverage
        models = [escape.code(model) for model in found.models]
        if found.is_offline:
            models.append(label["offline"])
        line = words["coverage"].format(
            commits=self._count("commits", found.commits),
            analysed=found.analysed,
            failed=found.failed,
            deferred=found.deferred,
            models=self._label["comma"].join(models) or label["none"],
        )
        if found.changed_lines:
            line += label["share"].format(share=math.floor(100 * found.shown_lines / found.changed_lines))
        if found.cost is not None:
            line += label["cost"].format(cost=f"{found.cost:.4f}".rstrip("0").rstrip("."))
        return str(line + (words["filtered"].format(n=found.filtered) if found.filtered else ""))

    def _day_cell(self, day: DayCount) -> str:
        name = f"{self._words['weekdays'][day.day.weekday()]} {day.day:%m-%d}"
        return f"[{name}]({self._target(day.day)})" if day.state == "made" else name

    def _bar(self, day: DayCount) -> str:
        if day.state != "made":
            return str(self._words["not_made" if day.state == "missing" else "not_read"])
        bar = escape.code(stacked([day.tiers.get(tier, 0) for tier in TIERS], self._block))
        return f"{bar} {self._words['incomplete'].format(n=day.unanalysed)}" if day.unanalysed else bar

    def _aside(self, commit: DayCommit, *, score: bool = False) -> str:
        said = [f"{commit.day:%m-%d}", *([self._words["scored"].format(score=commit.score)] if score else [])]
        return f"{self._open}{self._label['comma'].join(said)}{self._close}"

    def _mention(self, mention: DayMention) -> str:
        said = self._said(mention.line, mention.commit)
        return f"{self.link(mention.commit)}{self._aside(mention.commit)}{said}"

    def _gist(self, commit: DayCommit) -> str:
        return self._said(escape.shorten(commit.gist, _GIST), commit)

    def _said(self, line: str, commit: DayCommit) -> str:
        """What a line says of a commit, behind a colon; nothing where the title says it already."""
        said = escape.inline(line).strip()
        is_title = line.strip(" .。").casefold() in commit.title.casefold()
        return "" if is_title or not said else f"{self._label['colon']}{said}"

    def _fate(self, fate: Fate) -> str:
        words = self._words
        shared, _, of = escape.inline(fate.detail).partition("/")
        proof = words["proofs"][fate.proof].format(detail=escape.code(fate.detail), shared=shared, all=of)
        line = words[fate.kind].format(day=f"{fate.by.day:%m-%d}", by=self.link(fate.by))
        if fate.back is not None:
            line += words["back"].format(day=f"{fate.back.day:%m-%d}", by=self.link(fate.back))
        return f"{line}{self._open}{proof}{self._close}"

    def _theme(self, theme: RolledTheme) -> tuple[str, list[str]]:
        name = escape.code(theme.name) if theme.kind == "area" else escape.inline(theme.name)
        said = [self._count("commits", len(theme.commits))]
        if theme.days > 1:
            said.append(self._count("days", theme.days))
        if theme.earlier:
            earlier = self._count("commits", len(theme.earlier))
            said.append(self._words["earlier"].format(commits=earlier))
        aside = f"{self._open}{self._label['comma'].join(said)}{self._close}"
        return f"{self._words['kinds'][theme.kind]} **{name}**{aside}", self._members(theme)

    def _members(self, theme: RolledTheme) -> list[str]:
        most = _MOST_OF_THEME[theme.kind]
        members: Iterable[DayCommit] = (*theme.earlier, *theme.commits)
        if theme.kind == "area":
            members = sorted(members, key=lambda commit: -commit.score)
        lines = [f"{commit.day:%m-%d} {self.link(commit)}" for commit in members]
        shown = len(lines) if len(lines) <= most + 1 else most
        rest = [self._words["more"].format(n=len(lines) - shown)] if shown < len(lines) else []
        return lines[:shown] + rest


def _shown(lines: int) -> int:
    """How many of so many lines stand open; a fold for a few would take more room than they do."""
    return lines if lines <= _MOST_LINES + _TOP else _MOST_LINES
