"""Untrusted text as HTML: Markdown that reads as meant and does nothing.

A message may hold lists, code and links to the web. What a model wrote holds no links at all: nobody can make
it point somewhere. Whatever the parser makes of either is cleaned once more, by a list of what is allowed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from digest_pipeline.domain.visible import lines, visible

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_MESSAGE = 20_000
"""Characters of a message that a page shows; GitHub takes 65,536, and nobody reads those."""

# What no encoding of a page may hold: lone surrogates, and code points that are no characters.
_UNWRITABLE = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_PLAIN = re.compile(r"[^\\`*_<>\[\]&~!|#\n]*")
_BLOCK_TAGS = {"p", "ul", "ol", "li", "pre", "blockquote", "hr", "table", "thead", "tbody", "tr", "th", "td"}
_INLINE_TAGS = {"code", "em", "strong", "s", "br"}


def shown(text: str) -> str:
    """`text` as it may stand on a page or in a feed, before it is escaped."""
    return _UNWRITABLE.sub("\ufffd", visible(text))


def one_line(text: str, longest: int = 300) -> str:
    """`text` on one line, cut where it is longer than anybody would read there."""
    line = " ".join(" ".join(lines(shown(text))).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


@lru_cache(maxsize=4096)
def inline(text: str) -> Markup:
    """One line of what an analyst wrote: code and emphasis, no links."""
    line = " ".join(" ".join(lines(shown(text))).split())
    if _PLAIN.fullmatch(line):
        return escape(line)
    return _clean(_words().renderInline(line), _INLINE_TAGS)


def heading(text: str) -> Markup:
    """The title of a commit: `inline`, as long as a title may be."""
    return inline(one_line(text))


def block(text: str) -> Markup:
    """A message: paragraphs, lists, code, links to the web; headings are bold lines."""
    cut = text[:LONGEST_MESSAGE] + (" …" if len(text) > LONGEST_MESSAGE else "")
    whole = "\n".join(lines(shown(cut)))
    return _clean(_messages().render(whole), _BLOCK_TAGS | _INLINE_TAGS | {"a"})


def _clean(html: str, tags: set[str]) -> Markup:
    cleaned = nh3.clean(
        html,
        tags=tags,
        attributes={"a": {"href"}, "ol": {"start"}},
        attribute_filter=_kept,
        url_schemes={"http", "https"},
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )
    return Markup(cleaned)  # noqa: S704 - cleaned on the line above


def _kept(element: str, attribute: str, value: str) -> str | None:
    return value if (element, attribute) != ("a", "href") or _leads_out(value) else None


def _leads_out(url: str) -> bool:
    """Whether a link leads to the web; one that leads into the site would be a stranger's, and stays text."""
    return re.match(r"https?://[^/\s]", url) is not None


@lru_cache(maxsize=1)
def _words() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    return parser.disable(["html_inline", "link", "image", "autolink"])


@lru_cache(maxsize=1)
def _messages() -> MarkdownIt:
    # A message's line breaks are meant: people wrap them by hand.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline", "image", "reference"])
    parser.validateLink = _leads_out  # type: ignore[method-assign] # the way that its documentation shows
    for name, html in (("heading_open", "<p><strong>"), ("heading_close", "</strong></p>\n")):
        parser.add_render_rule(name, _constant(html))
    return parser


def _constant(html: str) -> Callable[..., str]:
    return lambda *_: html
