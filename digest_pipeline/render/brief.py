"""A day as a message: plain lines for chats, the same as HTML for e-mail. What comes from outside acts in neither."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from digest_pipeline.domain.delivery import Brief
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.plain import inert

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
    labels = _labels(language)
    words = labels["brief"]
    title = words["title_for" if reader else "title"].format(day=day, reader=inert(reader))
    if is_update:
        title = words["updated"].format(title=title)
    told = [
        labels["reader"][name].format(**{key: _line(str(value)) for key, value in values.items()})
        for name, values in notes
    ]
    if any(commit.status != "ok" for page in pages for commit in page.commits):
        told.append(words["waiting"])
    sections = [_section(page, words) for page in pages]
    lines = [*told, *(line for section in sections for line in section.lines())]
    html = (
        _environment()
        .get_template("mail.html.j2")
        .render(lang=language, title=title, notes=told, sections=sections, link=link)
    )
    return Brief(title, tuple(lines), words["more"], link, html)


def _section(page: RepoPage, words: Mapping[str, Any]) -> _Section:
    name = inert(page.repo)
    if not page.commits:
        return _Section(words["no_commits"].format(repo=name), "", (), ())
    tiers = {tier: len(page.tier(tier)) for tier in TIERS}
    counts = words["counts_one" if len(page.commits) == 1 else "counts"]
    notes = (inert(page.headline.text),) if page.headline is not None else ()
    lists = [
        (words[part.topic], tuple(_line(mention.line) for mention in part.mentions[:_MOST_MENTIONS]))
        for part in page.parts
        if part.mentions
    ]
    if titles := tuple(_line(commit.title) or commit.sha[:7] for commit in page.tier("high")[:_MOST_TITLES]):
        lists.append((words["high"], titles))
    return _Section(name, counts.format(commits=len(page.commits), **tiers), notes, tuple(lists))


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


@cache
def _labels(language: Language) -> Mapping[str, Any]:
    file = resources.files("digest_pipeline") / "render" / "labels" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
