"""A repo's days as an Atom feed (RFC 4287): an entry for each, which keeps its id when the day changes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, date
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

from digest_pipeline.site import places, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest_pipeline.site.outline import Line, Outline
    from digest_pipeline.site.words import Words

MOST_ENTRIES = 45

_BEGINNING = date(2026, 1, 1)
"""A day from which on nobody else had the site's address; feeds that are already followed hold it in their id."""

_ATOM = "http://www.w3.org/2005/Atom"


def feed(repo: str, outlines: Sequence[Outline], words: Words, *, url: str) -> str:
    """The feed of `repo`; `outlines` are its days, the newest first, `url` is where the site will be."""
    label, language = words.label["feed"], words.language
    shown = outlines[:MOST_ENTRIES]
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    _add(root, "id", _tag(url, _BEGINNING, f"{repo}.{language}"))
    _add(root, "title", label["title"].format(repo=repo))
    _add(root, "subtitle", label["subtitle"].format(repo=repo))
    _add(root, "updated", _moment(max(one.updated_at for one in shown)))
    _link(root, "self", "application/atom+xml", places.absolute(url, places.feed_file(repo, language)))
    _link(root, "alternate", "text/html", places.absolute(url, places.repo_page(repo)))
    _add(_add(root, "author"), "name", repo)
    _add(root, "generator", "digest_pipeline")
    for one in shown:
        _entry(root, one, words, url)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _entry(root: ET.Element, one: Outline, words: Words, url: str) -> None:
    entry = _add(root, "entry")
    page = places.repo_day(one.repo, one.day)
    _add(entry, "id", _tag(url, one.day, f"{one.repo}/{one.day}.{words.language}"))
    counted = {"commits": words.count(one.commits, "commits"), "high": words.count(one.high, "high")}
    _add(entry, "title", words.label["feed"]["entry"].format(day=words.full_date(one.day), **counted))
    _add(entry, "updated", _moment(one.updated_at))
    _link(entry, "alternate", "text/html", places.absolute(url, page))
    content = _add(entry, "content", _content(one, words, url))
    content.set("type", "html")


def _content(one: Outline, words: Words, url: str) -> str:
    """Headline, parts and titles of high importance, as HTML; each line leads to the commit's section."""
    page = places.repo_day(one.repo, one.day)
    label = words.label
    blocks: list[Markup] = []
    if one.headline:
        blocks.append(Markup("<p>{}</p>").format(text.inline(one.headline)))
    if not one.commits:
        blocks.append(Markup("<p>{}</p>").format(label["day"]["quiet"]))
    for topic, lines in one.parts:
        blocks.append(_list(label["part"][topic], lines, page, url))
    if one.titles:
        blocks.append(_list(label["feed"]["high"], one.titles, page, url))
    return "\n".join(blocks)


def _list(name: str, lines: Sequence[Line], page: str, url: str) -> Markup:
    items = Markup("").join(
        Markup('<li><a href="{}">{}</a>{}</li>').format(
            places.absolute(url, page, places.anchor(line.sha)),
            text.heading(line.text) or line.sha[:7],
            Markup(" – {}").format(text.inline(line.said)) if line.said else "",
        )
        for line in lines
    )
    return Markup("<h3>{}</h3><ul>{}</ul>").format(escape(name), items)


def _tag(url: str, day: date, name: str) -> str:
    """An id after RFC 4151: unique for the site's address, a day and a name, and the same for ever."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{name}"
    return f"tag:{parts.hostname},{day}:{quote(path, safe='/@+')}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _add(parent: ET.Element, name: str, content: str = "") -> ET.Element:
    child = ET.SubElement(parent, name)
    if content:
        child.text = text.shown(content)
    return child


def _link(parent: ET.Element, rel: str, kind: str, href: str) -> None:
    ET.SubElement(parent, "link", {"rel": rel, "type": kind, "href": href})
