"""Markdown pages: one for a repo and day, one for a day over all repos."""

from __future__ import annotations

import math
import re
from functools import partial
from html import escape as html_escape
from typing import TYPE_CHECKING

import jinja2

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.page import without_request
from digest_pipeline.render import escape
from digest_pipeline.render.bars import sparkline
from digest_pipeline.render.headline import reference, sentences
from digest_pipeline.render.words import counted, labels, listed, median_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Analysis, Language
    from digest_pipeline.domain.page import (
        BusyDirectory,
        CommitEntry,
        DigestEntry,
        Earlier,
        Mention,
        RepoPage,
        Theme,
    )
    from digest_pipeline.domain.reader import Edition

_REPO_HEADING = re.compile(r"^## .*\n\n", re.MULTILINE)
# A headline's line begins with no mark of a quote, which is what stands below it.
_HEADLINE = re.compile(r"^## .*\n\n(?P<lines>(?:(?!> ).+\n)+)\n> ", re.MULTILINE)
_LEAST_TREND = 7
_LONGEST_TITLE = 110
_MOST_EARLIER = 3
_FIRST_SENTENCES = 2


class MarkdownRenderer:
    """Renders pages in one language and timezone; the same rows give the same bytes."""

    def __init__(self, language: Language, timezone: ZoneInfo, *, show_reasons: bool = True) -> None:
        self._label = labels(language)
        self._timezone = timezone
        stamp = re.escape(self._label["coverage"]["rendered"]).replace(r"\{time\}", r"[\d: -]+")
        self._stamp = re.compile(rf"^>\n> {stamp}\n", re.MULTILINE)
        self._environment = environment = jinja2.Environment(
            loader=jinja2.PackageLoader("digest_pipeline.render", "templates"),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 - this is Markdown: every value passes a filter of render.escape
            keep_trailing_newline=True,
        )
        environment.filters |= {
            "inline": escape.inline,
            "heading": escape.heading,
            "cell": escape.cell,
            "message_cell": escape.message_cell,
            "code": escape.code,
            "shorten": escape.shorten,
            "slug": slug,
            "local_time": self._local_time,
            "reasons": self._reasons,
            "state": self._state,
            "reason": without_request,
            "summary": self._folded_line,
        }
        environment.globals |= {
            "label": self._label,
            "show_reasons": show_reasons,
            "points": self._points,
            "insight": self._insight,
            "counted": self._counted,
            "folded_line": self._folded_counts,
        }

    def page(self, page: RepoPage, edition: Edition = "full") -> str:
        """The page of a repo and day; the brief one has headline, header, parts and the high tier alone."""
        is_brief = edition == "brief"
        tiers = [(tier, page.told(tier)) for tier in (TIERS[:1] if is_brief else TIERS)]
        anchors = {
            commit.sha: f"#{slug(page.repo)}-{commit.sha[:12]}"
            for commit in page.commits
            if not is_brief or (commit.tier == TIERS[0] and commit.folded is None)
        }
        commits = {commit.sha: commit for commit in page.commits}
        targets = {sha: target for sha, one in commits.items() if (target := anchors.get(sha) or one.url)}
        linked = partial(self._linked, commits, targets)
        return self._render(
            "page.md.j2",
            page=page,
            is_brief=is_brief,
            tiers=[(tier, told) for tier, told in tiers if told],
            totals=self._totals(page),
            headline=self._headline(page, targets),
            header=self._header(page),
            folded=[] if is_brief else [one for commits in page.folded().values() for one in commits],
            linked=linked,
            mention=partial(self._mention, linked),
            earlier=self._earlier,
            theme_name=self._theme_name,
            context="" if is_brief else self._context(page),
        )

    def reader(
        self,
        day: date,
        reader: str,
        notes: Sequence[tuple[str, Mapping[str, object]]],
        bodies: Sequence[tuple[str, str]],
        rendered_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> str:
        """A reader's page of a day: what has to be told, each by its label, and what is theirs of each repo."""
        label = self._label["reader"]
        told = [
            label[name].format(**{key: escape.inline(str(value)) for key, value in values.items()})
            for name, values in notes
        ]
        times = {"rendered": rendered_at, "updated": updated_at}
        told += [
            self._label["coverage"][name].format(time=self._minute(time))
            for name, time in times.items()
            if time is not None
        ]
        return self._render("reader.md.j2", day=day, reader=reader, notes=told, bodies=bodies)

    def digest(self, day: date, entries: Sequence[DigestEntry]) -> str:
        """The digest of a day over `entries`, in their order."""
        totals = {name: sum(getattr(entry, name) for entry in entries) for name in ("commits", *TIERS)}
        line = self._label["digest"]["totals"].format(
            repos=self._counted("repositories", len(entries)),
            **totals | {"commits": self._counted("commits", totals["commits"])},
        )
        if folded := sum(entry.folded for entry in entries):
            line += f" | {self._label['tiers']['folded_name']} {folded}"
        return self._render("digest.md.j2", day=day, entries=entries, totals=line, folded=folded)

    def unstamped(self, markdown: str) -> str:
        """A page of this language without the line that says when it was rendered."""
        return self._stamp.sub("", markdown, count=1)

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(**values).rstrip("\n") + "\n"

    def _coverage(self, page: RepoPage) -> str:
        label = self._label["coverage"]
        models = dict.fromkeys(
            commit.model for commit in page.commits if commit.analysis is not None and not commit.is_offline
        )
        names = [escape.code(model) for model in models]
        if any(commit.is_offline and commit.analysis is not None for commit in page.commits):
            names.append(label["offline"])
        line = label["line"].format(
            commits=self._counted("commits", len(page.commits)),
            n=len(page.commits),
            analysed=page.count("ok"),
            failed=page.count("failed"),
            deferred=page.count("deferred"),
            start=self._minute(page.window.start),
            end=self._minute(page.window.end),
            timezone=escape.inline(self._timezone.key),
            models=self._label["comma"].join(names) or label["none"],
        )
        unread = sum(len(commit.unread) for commit in page.commits)
        read = [c for c in page.commits if c.analysis is not None and not c.is_offline]
        if changed := sum(commit.changed_lines for commit in read):
            shown = sum(min(commit.shown_lines, commit.changed_lines) for commit in read)
            line += label["share"].format(share=math.floor(100 * shown / changed))
        if page.cost is not None:
            line += label["cost"].format(cost=f"{page.cost:.4f}".rstrip("0").rstrip("."))
        return str(
            line + (label["unread"].format(files=self._counted("unread_files", unread)) if unread else "")
        )

    def _updated(self, page: RepoPage) -> str:
        """When the page changed, and what came and went with that; nothing where it did not."""
        if page.updated_at is None:
            return ""
        label = self._label["coverage"]
        line = str(label["updated"].format(time=self._minute(page.updated_at)))
        if not page.came and not page.went:
            return line
        came, gone = (self._counted("commits", number) for number in (page.came, page.went))
        return line + str(label["moved"].format(came=came, went=page.went, gone=gone))

    def _counted(self, noun: str, number: int) -> str:
        return counted(self._label, noun, number)

    def _totals(self, page: RepoPage) -> str:
        tiers = {tier: len(page.told(tier)) for tier in TIERS}
        line = self._label["totals"].format(commits=self._counted("commits", len(page.commits)), **tiers)
        folded = self._folded_counts(page)
        return f"{line} | {folded}" if folded else str(line)

    def _folded_counts(self, page: RepoPage) -> str:
        return " | ".join(self._counted(reason, len(commits)) for reason, commits in page.folded().items())

    def _folded_line(self, page: RepoPage) -> str:
        """How many commits are folded, why, and whose they are: as HTML, for Markdown does not act in a summary."""
        label, told = self._label, []
        for reason, commits in page.folded().items():
            names = dict.fromkeys(escape.visible(" ".join(one.author_name.split())) for one in commits)
            shown = label["comma"].join(
                [*list(names)[:_MOST_EARLIER], *(["…"] if len(names) > _MOST_EARLIER else [])]
            )
            told.append(
                f"{self._counted(reason, len(commits))}{label['open']}{html_escape(shown)}{label['close']}"
            )
        return " · ".join(told)

    def _headline(self, page: RepoPage, targets: Mapping[str, str]) -> str:
        """The headline, a sentence a line; a pull request that it names leads to its commit."""
        if page.headline is None:
            return ""
        named = {
            reference(commit): targets[sha]
            for sha in reversed(page.headline.shas)
            if sha in targets
            for commit in [page.commit(sha)]
        }
        told = [escape.linked(sentence, named) for sentence in sentences(page.headline.text)]
        # A model may tell of commits without naming their numbers: they are named behind its words.
        told_of = set(escape.standing(named).findall(page.headline.text)) if named else set()
        rest = [f"[{name}]({named[name]})" for name in reversed(named) if name not in told_of]
        if rest:
            told.append(f"→ {self._label['comma'].join(rest)}")
        return "\n".join(line for line in told if line)

    def _header(self, page: RepoPage) -> list[str]:
        label = self._label["coverage"]
        lines = [self._coverage(page)]
        if page.filtered:
            rules = self._label["rules_of_filter"]
            by_rule = [
                label["filtered_rule"].format(
                    n=one.commits, rule=rules.get(one.rule) or escape.inline(one.rule)
                )
                for one in page.filtered
            ]
            total = self._counted("commits", sum(one.commits for one in page.filtered))
            lines.append(label["filtered"].format(commits=total, rules=self._label["comma"].join(by_rule)))
        if page.rendered_at is not None:
            lines.append(label["rendered"].format(time=self._minute(page.rendered_at)))
        return [line for line in (*lines, self._updated(page)) if line]

    def _linked(self, commits: Mapping[str, CommitEntry], targets: Mapping[str, str], sha: str) -> str:
        """A commit in a list: its tier, its title with its number as a link, its labels."""
        commit = commits[sha]
        shown = _with_number(commit)
        link = f"[{shown}]({targets[sha]})" if sha in targets else shown
        mark = self._label["tiers"][f"{commit.tier}_name"].partition(" ")[0]
        return " ".join([mark, link, *(escape.code(label) for label in commit.labels if label.strip())])

    @staticmethod
    def _mention(linked: Callable[[str], str], page: RepoPage, mention: Mention) -> str:
        """A commit in a part, with what put it there where its title is not just that."""
        line = escape.inline(mention.line).strip()
        said, title = (" ".join(text.split()) for text in (mention.line, page.commit(mention.sha).title))
        is_known = said in title or (title != "" and title in said)
        return linked(mention.sha) + (f"<br>{line}" if line and not is_known else "")

    def _theme_name(self, theme: Theme) -> str:
        label = self._label["themes"]
        if theme.kind == "area":
            return f"**{label['area'].format(path=escape.code(theme.name))}**"
        name = escape.inline(escape.shorten(theme.name, _LONGEST_TITLE)).strip()
        return f"**{label[theme.kind]}**{self._label['colon']}{name}"

    def _earlier(self, theme: Theme) -> list[str]:
        """The commits of earlier days that a theme goes on from, the newest three of them."""
        label = self._label["themes"]
        words = label["takes_back" if theme.kind == "revert" else "continued"]
        lines = []
        for one in theme.earlier[:_MOST_EARLIER]:
            shown = _with_number(one)
            link = f"[{shown}]({one.url})" if one.url else shown
            lines.append(f"{words.format(day=one.day)}{self._label['colon']}{link}")
        rest = len(theme.earlier) - len(lines)
        if rest:
            lines.append(label["earlier_more"].format(commits=self._counted("commits", rest)))
        return lines

    def _context(self, page: RepoPage) -> str:
        """The day beside the days before it, as a list; nothing where nothing is known of them."""
        context, label = page.context, self._label["context"]
        if context is None:
            return ""
        lines = []
        deltas = (("commits", context.commits), ("of_high", context.high), ("changed_lines", context.lines))
        medians = [
            label["median"].format(count=self._counted(noun, delta.value), median=median_of(delta.median))
            for noun, delta in deltas
            if delta is not None
        ]
        if medians and context.days:
            name = label["medians"].format(days=self._counted("days", context.days))
            lines.append(f"- **{name}**{self._label['colon']}{self._label['comma'].join(medians)}")
        if context.directories:
            span = max(len(one.trend) for one in context.directories)
            words = label["directories" if span >= _LEAST_TREND else "directories_today"]
            lines.append(
                f"- **{words.format(days=self._counted('days', span))}**{self._label['colon'].rstrip()}"
            )
            lines += [f"  - {self._directory(one)}" for one in context.directories]
        if context.newcomers:
            names = (escape.inline(name).strip() for name in context.newcomers)
            known = listed(self._label, [name for name in names if name])
            lines.append(f"- **{label['newcomers']}**{self._label['colon']}{known}")
        return "\n".join(lines)

    def _directory(self, one: BusyDirectory) -> str:
        label = self._label["context"]
        commits = self._counted("commits", one.commits)
        if len(one.trend) < _LEAST_TREND:
            return f"{escape.code(one.path)}{self._label['colon']}{commits}"
        told = label["directory"].format(commits=commits, total=sum(one.trend), most=max(one.trend))
        return f"`{sparkline(one.trend)}` {escape.code(one.path)}{self._label['colon']}{told}"

    def _points(self, name: str, items: Sequence[str]) -> str:
        listed = "".join(f"- {item}\n" for item in _blocks(items))
        return f"\n**{name}**{self._label['colon']}\n\n{listed}" if listed else ""

    def _insight(self, analysis: Analysis) -> str:
        fields, colon = self._label["fields"], self._label["colon"]
        listed = ""
        for name in ("architecture", "performance", "security"):
            items = _blocks(getattr(analysis, name))
            if items:
                one_or_more = items[0] if len(items) == 1 else "".join(f"\n  - {item}" for item in items)
                listed += f"- **{fields[name]}**{colon}{one_or_more}\n"
        return f"\n**{fields['insight']}**{colon}\n\n{listed}" if listed else ""

    def _reasons(self, commit: CommitEntry) -> str:
        rules = self._label["rules"]
        return " · ".join(
            f"{rules.get(kind, kind)} {escape.inline(reason.evidence)} {reason.points:+d}"
            for reason in commit.reasons
            for kind in [reason.rule.partition(":")[0]]
        )

    def _state(self, entry: DigestEntry) -> str:
        label = self._label["digest"]
        if entry.error is not None:
            return str(label["failed_short"])
        if entry.body is None:
            return str(label["pending_short"])
        return str(
            label["incomplete_short"].format(commits=self._counted("commits", entry.unanalysed))
            if entry.unanalysed
            else label["ok"]
        )

    def _local_time(self, moment: datetime) -> str:
        return moment.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M:%S")

    def _minute(self, moment: datetime) -> str:
        return moment.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M")


def _with_number(commit: CommitEntry | Earlier) -> str:
    """A commit's title, with the number of its pull request where it does not stand in it."""
    shown = escape.inline(escape.shorten(commit.title, _LONGEST_TITLE)).strip() or commit.sha[:7]
    number = f"#{commit.pull_request}"
    if commit.pull_request is None or escape.standing([number]).search(shown):
        return shown
    return f"{shown} ({number})"


def _blocks(items: Sequence[str]) -> list[str]:
    """What shows of each point; one that shows nothing would make a heading of the line above its mark."""
    return [text for item in items if (text := escape.block(item))]


def body_of(page: str) -> str:
    """What stands below the repo's heading on its page: the digest has headings of its own."""
    heading = _REPO_HEADING.search(page)
    return page[heading.end() :] if heading else page


def headline_of(page: str) -> str:
    """The first sentences of what a page opens with, as Markdown; nothing where it has no headline."""
    found = _HEADLINE.search(page)
    return " ".join(found["lines"].splitlines()[:_FIRST_SENTENCES]) if found else ""


def slug(repo: str) -> str:
    """A repo's name as an anchor; `~` stands in no name, so that no two repos share one."""
    return repo.replace("/", "~")
