"""A week's rollup, which is stored as Markdown, as a part of the week's page: its links lead into the site."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from digest_pipeline.site.text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from markdown_it.token import Token

    Lead = Callable[[str, date, str | None], str | None]

_PAGE = re.compile(r"^(?:\.\./)+([^/]+/[^/]+)/\d{4}/(\d{4}-\d\d-\d\d)\.md(?:#.*?(?:-([0-9a-f]{12}))?)?$")
_FOLD = re.compile(r"^<details>\s*<summary>([^<>]*)</summary>\s*$")
_TAGS = {
    *("h4", "p", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "a", "code"),
    *("em", "strong", "br", "details", "summary"),
}


def rollup_sections(markdown: str, lead: Lead) -> list[tuple[str, Markup]]:
    """Each repo's part of a rollup, with its name.

    `lead` gives the address of a repo's day, or of a commit's section on it; None where the site has none, and the
    link is text then. What stands above the first repo the week's page says itself.
    """
    parser = _parser()
    tokens = parser.parse(shown(markdown))
    starts = [
        index for index, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"
    ]
    sections = []
    for start, end in zip(starts[1:], [*starts[2:], len(tokens)], strict=True):
        name = "".join(child.content for child in tokens[start + 1].children or ())
        allowed: set[str] = set()
        body = _led(tokens[start + 3 : end], lead, allowed)
        html = parser.renderer.render(body, parser.options, {})
        sections.append((name, _cleaned(html, allowed)))
    return sections


def _led(tokens: Sequence[Token], lead: Lead, allowed: set[str]) -> Sequence[Token]:
    """The same with links into the site; `allowed` takes their addresses."""
    for token in tokens:
        dropped = 0
        for child in token.children or ():
            if child.type == "link_open":
                target = _target(str(child.attrGet("href") or ""), lead)
                if target is None:
                    child.hidden, dropped = True, dropped + 1
                else:
                    child.attrs = {"href": target}
                    allowed.add(target)
            elif child.type == "link_close" and dropped:
                child.hidden, dropped = True, dropped - 1
    return tokens


def _target(link: str, lead: Lead) -> str | None:
    if re.match(r"https?://[^/\s]", link):
        return link
    found = _PAGE.match(unquote(link))
    if found is None:
        return None
    try:
        day = date.fromisoformat(found[2])
    except ValueError:
        return None
    return lead(found[1], day, found[3])


def _cleaned(html: str, allowed: set[str]) -> Markup:
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=lambda _, __, value: value if value in allowed else None,
        url_schemes={"http", "https"},
        link_rel=None,
    )
    return Markup(cleaned)  # noqa: S704 - cleaned on the line above


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.disable(["html_inline", "image", "reference"])
    for name in ("link_open", "link_close"):
        parser.add_render_rule(name, _unless_hidden)
    parser.add_render_rule("html_block", _our_html)
    for name in ("heading_open", "heading_close"):
        parser.add_render_rule(name, _smaller)
    return parser


def _unless_hidden(
    self: Any,  # noqa: ANN401 - the renderer
    tokens: Sequence[Token],
    index: int,
    options: Mapping[str, Any],
    env: MutableMapping[str, Any],
) -> str:
    return "" if tokens[index].hidden else str(self.renderToken(tokens, index, options, env))


def _smaller(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    return "<h4>" if tokens[index].nesting > 0 else "</h4>\n"


def _our_html(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    """The folds of the template; what a commit wrote was escaped, and begins no HTML."""
    content = tokens[index].content.strip()
    if content == "</details>" or not content or content.startswith('<a id="'):
        return content if content.startswith("</") else ""
    fold = _FOLD.match(content)
    return f"<details><summary>{escape(fold[1])}</summary>\n" if fold else str(escape(content))
