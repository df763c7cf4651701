"""Markdown pages: one for a repo and day, one for a day over all repos."""

from __future__ import annotations

import math
import re
import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from digest_pipeline.domain.importance import TIERS
from digest_pipeline.render import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Analysis, Language
    from digest_pipeline.domain.page import CommitEntry, DigestEntry, RepoPage
    from digest_pipeline.domain.reader import Edition

# How analysts end a failure's line: the host, and the endpoint's number for the request; a long one may be cut off.
_REQUEST = re.compile(r", request [^()]*\)?$")
_REPO_HEADING = re.compile(r"^## .*\n\n", re.MULTILINE)


class MarkdownRenderer:
    """Renders pages in one language and timezone; the same rows give the same bytes."""

    def __init__(self, language: Language, timezone: ZoneInfo, *, show_reasons: bool = True) -> None:
        self._label = _labels(language)
        self._timezone = timezone
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
        }
        environment.globals |= {
            "label": self._label,
            "show_reasons": show_reasons,
            "points": self._points,
            "insight": self._insight,
        }

    def page(self, page: RepoPage, *, edition: Edition = "full") -> str:
        """The page of a repo and day; `brief` is without the table of commits, and has the high tier alone."""
        tiers = [(tier, page.tier(tier)) for tier in TIERS if edition == "full" or tier == "high"]
        return self._render(
            "page.md.j2",
            page=page,
            tiers=[(tier, commits) for tier, commits in tiers if commits],
            tier_counts={tier: len(page.tier(tier)) for tier in TIERS},
            edition=edition,
            coverage=self._coverage(page),
            updated=self._updated(page),
        )

    def reader(
        self,
        day: date,
        reader: str,
        notes: Sequence[tuple[str, Mapping[str, object]]],
        bodies: Sequence[tuple[str, str]],
        updated_at: datetime | None = None,
    ) -> str:
        """A reader's page of a day: what has to be told, each by its label, and what is theirs of each repo."""
        label = self._label["reader"]
        told = [
            label[name].format(**{key: escape.inline(str(value)) for key, value in values.items()})
            for name, values in notes
        ]
        if updated_at is not None:
            told.append(self._label["coverage"]["updated"].format(time=self._minute(updated_at)))
        return self._render("reader.md.j2", day=day, reader=reader, notes=told, bodies=bodies)

    def digest(self, day: date, entries: Sequence[DigestEntry]) -> str:
        """The digest of a day over `entries`, in their order."""
        totals = {name: sum(getattr(entry, name) for entry in entries) for name in ("commits", *TIERS)}
        return self._render("digest.md.j2", day=day, entries=entries, totals=totals)

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
            commits=len(page.commits),
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
        return str(line + (label["unread"].format(count=unread) if unread else ""))

    def _updated(self, page: RepoPage) -> str:
        """When the page changed, and what came and went with that; nothing where it did not."""
        if page.updated_at is None:
            return ""
        label = self._label["coverage"]
        line = str(label["updated"].format(time=self._minute(page.updated_at)))
        if not page.came and not page.went:
            return line
        moved = label["moved_one" if page.came == 1 else "moved"]
        return line + str(moved.format(came=page.came, went=page.went))

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
            label["incomplete_short"].format(count=entry.unanalysed) if entry.unanalysed else label["ok"]
        )

    def _local_time(self, moment: datetime) -> str:
        return moment.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M:%S")

    def _minute(self, moment: datetime) -> str:
        return moment.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M")


def _blocks(items: Sequence[str]) -> list[str]:
    """What shows of each point; one that shows nothing would make a heading of the line above its mark."""
    return [text for item in items if (text := escape.block(item))]


def without_request(error: str) -> str:
    """A failure as a page shows it: the number that the endpoint gave to the request helps nobody who reads."""
    return _REQUEST.sub(")", error)


def body_of(page: str) -> str:
    """What stands below the repo's heading on its page: the digest has headings of its own."""
    heading = _REPO_HEADING.search(page)
    return page[heading.end() :] if heading else page


def slug(repo: str) -> str:
    """A repo's name as an anchor; `~` stands in no name, so that no two repos share one."""
    return repo.replace("/", "~")


@cache
def _labels(language: Language) -> Mapping[str, Any]:
    file = resources.files("digest_pipeline") / "render" / "labels" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
