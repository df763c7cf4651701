"""A day as a message: plain lines for chats, the same as HTML for e-mail. What comes from outside acts in neither."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from digest_pipeline.domain.delivery import Brief
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.plain import inert
from digest_pipeline.render.words import counted, labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.page import RepoPage

_MOST_MENTIONS = 10
_MOST_TITLES = 20
_LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class _Section:
    """A repo's part of a message."""

    title: str
    counts: str
    notes: tuple[str, ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.title}" + (f" · {self.counts}" if self.counts else "")
        yield from self.notes
        for heading, items in self.lists:
            yield heading
            yield from (f"• {item}" for item in items)


def brief_of(
    day: date,
    language: Language,
    pages: Sequence[RepoPage],
    *,
    reader: str = "",
    notes: Sequence[tuple[str, Mapping[str, object]]] = (),
    link: str | None = None,
    is_update: bool = False,
) -> Brief:
    """The message of a day: of each repo its headline, its fixed parts, and the titles of high importance.

    `notes` are names of labels with their values, as on a reader's page.
    """
    label = labels(language)
    words = label["brief"]
    title = words["title_for" if reader else "title"].format(day=day, reader=inert(reader))
    if is_update:
        title = words["updated"].format(title=title)
    told = [
        label["reader"][name].format(**{key: _line(str(value)) for key, value in values.items()})
        for name, values in notes
    ]
    if any(commit.status != "ok" for page in pages for commit in page.commits):
        told.append(words["waiting"])
    sections = [_section(page, label) for page in pages]
    # A headline that is made of facts says nothing that the rest does not, but how the days before were.
    facts = [page.headline is not None and page.headline.model is None for page in pages]
    own = [replace(one, notes=()) if is_fact else one for one, is_fact in zip(sections, facts, strict=True)]
    lines, content = (
        [*told, *(line for section in found for line in section.lines())] for found in (sections, own)
    )
    html = (
        _environment()
        .get_template("mail.html.j2")
        .render(lang=language, title=title, notes=told, sections=sections, link=link)
    )
    return Brief(title, tuple(lines), words["more"], link, html, "\n".join(content))


def _section(page: RepoPage, label: Mapping[str, Any]) -> _Section:
    name = inert(page.repo)
    if not page.commits:
        return _Section(name, label["none_passed"] if page.filtered else label["no_commits"], (), ())
    tiers = {tier: len(page.told(tier)) for tier in TIERS}
    notes = (inert(page.headline.text),) if page.headline is not None else ()
    lists = [
        (label["parts"][part.topic], tuple(_line(mention.line) for mention in part.mentions[:_MOST_MENTIONS]))
        for part in page.parts
        if part.mentions
    ]
    if titles := tuple(_line(commit.title) or commit.sha[:7] for commit in page.told("high")[:_MOST_TITLES]):
        lists.append((label["brief"]["high"], titles))
    commits = counted(label, "commits", len(page.commits))
    return _Section(name, label["totals"].format(commits=commits, **tiers), notes, tuple(lists))


def _line(text: str) -> str:
    line = inert(text)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("digest_pipeline.render", "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    )
