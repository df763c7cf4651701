"""A strict reader of HTML: it takes nothing that a browser would have to repair, and knows where every link leads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_VOID = {"meta", "link", "input", "br", "hr"}
_EMPTY_SVG = {"rect", "line"}
_RAW = re.compile(r"<(?![a-zA-Z/!])|&(?!#\d+;|#x[0-9a-fA-F]+;|[a-zA-Z]+;)")
_CLOSED_BY = {
    "p": {"p", "ul", "ol", "dl", "div", "table", "section", "h1", "h2", "h3", "pre", "blockquote", "hr"}
}
_ALLOWED = {
    *(
        "html",
        "head",
        "title",
        "body",
        "header",
        "main",
        "footer",
        "nav",
        "section",
        "article",
        "div",
        "span",
        "p",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "a",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ),
    *(
        "caption",
        "abbr",
        "details",
        "summary",
        "code",
        "pre",
        "em",
        "strong",
        "s",
        "blockquote",
        "bdi",
        "time",
    ),
    *("ins", "del", "kbd", "form", "noscript", "script", "svg", "desc", "text"),
    *_VOID,
    *_EMPTY_SVG,
}


@dataclass
class Page(HTMLParser):
    """A page that was read; `faults` holds all that is wrong with it."""

    html: str
    faults: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    text: str = ""
    language: str | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        if not self.html.startswith("<!doctype html>\n"):
            self.faults.append("no doctype")
        self.feed(self.html)
        self.close()
        self.faults += [f"<{name}> is not closed" for name in self._open]
        self.faults += [f"id {name} stands twice" for name in {*self.ids} if self.ids.count(name) > 1]
        steps = zip([0, *self.headings], self.headings, strict=False)
        self.faults += [f"h{after} follows h{before}" for before, after in steps if after > before + 1]
        if self.headings.count(1) != 1:
            self.faults.append(f"{self.headings.count(1)} h1")
        self.faults += [f"#{place} leads nowhere" for place in self.inside if place not in self.ids]

    @property
    def inside(self) -> list[str]:
        """The ids that the page's links to itself name."""
        return [unquote(link[1:]) for link in self.links if link.startswith("#")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.faults += self._wrong_with(tag, named)
        if len(named) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if "id" in named:
            self.ids.append(named["id"])
        for name in {"href", "src"} & named.keys():
            (self.links if tag == "a" else self.loaded).append(named[name])
        if tag == "html":
            self.language = named.get("lang")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self._open.append(tag)

    def _wrong_with(self, tag: str, named: Mapping[str, str]) -> Iterator[str]:
        if tag not in _ALLOWED:
            yield f"<{tag}> is not one of ours"
        if self._open and tag in _CLOSED_BY.get(self._open[-1], ()):
            yield f"<{tag}> inside <{self._open[-1]}>"
        if tag in {"a", "form"} and tag in self._open:
            yield f"<{tag}> inside another"
        if tag == "a" and not named.get("href"):
            yield "<a> leads nowhere"
        if tag == "script" and "src" not in named:
            yield "a script in the page"
        for name, value in named.items():
            if name.startswith("on") or name == "style":
                yield f"<{tag} {name}>"
            if name in {"href", "src"} and urlsplit(value).scheme not in {"", "http", "https"}:
                yield f"{name}={value}"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _EMPTY_SVG:
            self.faults.append(f"<{tag}/>")
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes <{self._open[-1] if self._open else 'nothing'}>")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Page:
    """The page, which must have no fault."""
    __tracebackhide__ = True
    page = Page(html)
    assert page.faults == [], page.faults
    stray = _RAW.search(re.sub(r"<[^<>]*>", "", html))
    assert stray is None, html[stray.start() - 40 : stray.end() + 40]
    return page


def dead_links(folder: Path) -> list[str]:
    """Every link of a site that leads to no file of it, or to no id there; what leads to the web is left alone."""
    pages = {file.relative_to(folder).as_posix(): read(file.read_text("utf-8")) for file in _pages(folder)}
    dead = []
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (folder / path).parent / unquote(parts.path) if parts.path else folder / path
            inside = target.resolve().relative_to(folder.resolve()).as_posix()
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in pages[inside].ids):
                dead.append(f"{path}: {link}")
    return dead


def _pages(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.html")) if ".digest-site" not in file.parts]
