"""Rendered Markdown as a reader sees it: what acts, what shows, where links lead.

The parser is markdown-it-py with GitHub's tables and strikethrough. Its joining of text is switched off, so that
a character that was escaped stands in a token of its own, as in GitHub's parser, where an escaped `:` or `.`
keeps an address from becoming a link.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("text_join")

_ADDRESS = re.compile(r"(?i)(https?|ftp)://|www\.")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ANCHOR = re.compile(r'<a id="([^"]*)"></a>')


def parse(text: str) -> list[Token]:
    """The block tokens of a text."""
    return PARSER.parse(text)


def every(tokens: Iterable[Token]) -> Iterator[Token]:
    """All tokens, those of inline content too."""
    for token in tokens:
        yield token
        yield from token.children or ()


def rows(text: str) -> list[list[Token]]:
    """The body rows of all tables, each as the inline tokens of its cells."""
    found: list[list[Token]] = []
    for token in parse(text):
        if token.type == "tbody_open":
            in_body = True
        elif token.type == "thead_open":
            in_body = False
        elif token.type == "tr_open" and in_body:
            found.append([])
        elif token.type == "inline" and token.level >= 4 and found and in_body:
            found[-1].append(token)
        elif token.type == "table_close":
            in_body = False
    return found


def acting(tokens: Iterable[Token]) -> list[str]:
    """Inline content that does more than show its characters; code spans and our own `<br>` aside."""
    found = []
    for token in tokens:
        if token.type in ("text", "text_special"):
            if _ADDRESS.search(token.content):
                found.append(f"address: {token.content}")
        elif token.type == "html_inline":
            if token.content != "<br>":
                found.append(f"html: {token.content}")
        elif token.type not in ("code_inline", "softbreak"):
            found.append(token.type)
    return found


def shown(tokens: Sequence[Token]) -> str:
    """What a reader sees of inline content; code spans with their marks."""
    parts = []
    for token in tokens:
        if token.type == "code_inline":
            parts.append(f"{token.markup}{token.content}{token.markup}")
        elif token.type in ("softbreak", "hardbreak", "html_inline"):
            parts.append("\n")
        else:
            parts.append(token.content)
    return "".join(parts)


def characters(text: str) -> str:
    """The characters of a text that leave ink: no white space, nothing that cannot be seen."""
    return "".join(
        character
        for character in text
        if not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf", "Zs", "Zl", "Zp")
    )


def unescaped(text: str) -> str:
    """A source text with its backslash escapes of ASCII punctuation taken out."""
    return _ESCAPE.sub(r"\1", text)


def anchors(tokens: Iterable[Token]) -> list[str]:
    """The explicit targets that a page sets."""
    return [
        name
        for token in every(tokens)
        if token.type in ("html_inline", "html_block")
        for name in _ANCHOR.findall(token.content)
    ] + [
        # `<a id="x"></a>` reaches us as two inline tokens.
        match[1]
        for token in every(tokens)
        if token.type == "html_inline" and (match := re.fullmatch(r'<a id="([^"]*)">', token.content))
    ]


def local_links(tokens: Iterable[Token]) -> list[str]:
    """The targets of links within the page."""
    hrefs = [str(token.attrGet("href")) for token in every(tokens) if token.type == "link_open"]
    return [href[1:] for href in hrefs if href.startswith("#")]


def headings(tokens: Sequence[Token]) -> list[tuple[int, str]]:
    """Level and text of each heading."""
    return [
        (int(token.tag[1:]), shown(following.children or []))
        for token, following in pairwise(tokens)
        if token.type == "heading_open"
    ]
