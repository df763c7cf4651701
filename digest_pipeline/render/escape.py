"""Untrusted text in Markdown: escaped where it would act, untouched elsewhere, so that it reads as written.

Everything that a commit or a model wrote passes through here, and only here. Code spans stay; HTML, links,
images, emphasis, entities, table breaks, bare addresses and block markers do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from digest_pipeline.domain.markdown import code_span
from digest_pipeline.domain.visible import lines as lines  # noqa: PLC0414 - rendered with from here
from digest_pipeline.domain.visible import visible as visible  # noqa: PLC0414

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_RUNS = re.compile(r"`+")

_ACTING = re.compile(
    r"""
      (?P<always> [\\`*<\[\]~$] )                           # escapes, code, emphasis, HTML, links, strike, maths
    | (?P<under>  _ )                                       # emphasis, unless inside a word
    | (?P<entity> & (?= (?:\#\d+ | \#[xX][0-9a-fA-F]+ | [A-Za-z][A-Za-z0-9]*) ; ) )
    | (?P<scheme> (?: (?<=http) | (?<=https) | (?<=ftp) | (?<=HTTP) | (?<=HTTPS) ) : (?= // ) )
    | (?P<www>    (?<=www) \. | (?<=WWW) \. )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUICK = re.compile(r"[\\`*<\[\]~$_&:|]|www\.", re.IGNORECASE)
# After a list's own mark two dashes more are a rule.
_BLOCK_START = re.compile(r"#{1,6}(?=\s|$)|>|[-+](?=\s|$)|=+\s*$|-[-\s]+$|:?-+:?\s*\|")
_ORDERED_START = re.compile(r"(\d{1,9})([.)])(?=\s|$)")


def inline(text: str, *, table: bool = False) -> str:
    """`text` on one line, safe inside a paragraph, a heading or a link's text; in a table cell with `table`."""
    text = _flat(text)
    if not _QUICK.search(text):
        return text
    parts = []
    position = 0
    for start, end in _code_spans(text):
        span = text[start:end]
        if table and "|" in span:
            if "\\|" in span:
                continue  # a cell cannot show this inside code; as plain text it can
            span = span.replace("|", "\\|")
        parts += [_plain(text[position:start], table=table), span]
        position = end
    parts.append(_plain(text[position:], table=table))
    return "".join(parts)


def block(text: str) -> str:
    """`inline`, safe also where a line begins: no list, quote, heading or rule comes of it."""
    return _as_block(inline(text).strip())


def linked(text: str, targets: Mapping[str, str]) -> str:
    """`block`, with each word of `targets` that stands outside code as a link to its target."""
    flat = _flat(text).strip()
    if not targets:
        return block(flat)
    pattern = standing(targets)
    parts = []
    position = 0
    for start, end in [*_code_spans(flat), (len(flat), len(flat))]:
        for number, piece in enumerate(pattern.split(flat[position:start])):
            plain = _plain(piece, table=False)
            parts.append(f"[{plain}]({targets[piece]})" if number % 2 else plain)
        parts.append(flat[start:end])
        position = end
    return _as_block("".join(parts))


def standing(words: Collection[str]) -> re.Pattern[str]:
    """What finds each of `words` where it is one of its own: `#610` does not stand in `#6105`."""
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    # Behind an exclamation mark a link would be an image.
    return re.compile(rf"(?<![\w#/!&])({longest_first})(?!\w)")


def heading(text: str) -> str:
    """`inline` for a heading, whose closing # would be swallowed."""
    escaped = inline(text).strip()
    return f"{escaped[:-1]}\\#" if escaped.endswith("#") else escaped


def cell(text: str) -> str:
    """`inline` for a table cell."""
    return inline(text, table=True)


def message_cell(message: str) -> str:
    """A commit message in one cell: its lines joined with `<br>`, empty ones and sign-offs left out."""
    kept = (
        line.rstrip()
        for line in lines(message)
        if visible(line).strip() and not line.startswith(("Signed-off-by", "Co-authored-by"))
    )
    return "<br>".join(cell(line) for line in kept)


def code(text: str) -> str:
    """A known word (a sha, a path) as a code span."""
    return code_span(visible(" ".join(lines(text))))


def shorten(text: str, width: int = 60) -> str:
    """`text`, or its first `width` - 3 characters and `...`."""
    return text if len(text) <= width else text[: width - 3] + "..."


def _flat(text: str) -> str:
    """`text` on one line, without what cannot be seen."""
    return visible(
        " ".join(part.strip() if index else part.rstrip() for index, part in enumerate(lines(text)))
    )


def _as_block(escaped: str) -> str:
    if _BLOCK_START.match(escaped):
        return "\\" + escaped
    return _ORDERED_START.sub(r"\1\\\2", escaped, count=1) if _ORDERED_START.match(escaped) else escaped


def _plain(text: str, *, table: bool) -> str:
    escaped = _ACTING.sub(lambda match: _escape(match, text), text)
    return escaped.replace("|", "\\|") if table else escaped


def _escape(match: re.Match[str], text: str) -> str:
    found = match[0]
    if match.lastgroup == "under":
        before, after = text[max(match.start() - 1, 0) : match.start()], text[match.end() : match.end() + 1]
        if before.isalnum() and after.isalnum():
            return found
    return f"\\{found}"


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each code span: a run of backticks up to the next run of the same length."""
    runs = list(_RUNS.finditer(text))
    index = 0
    while index < len(runs):
        opening = runs[index]
        closing = next(
            (other for other in range(index + 1, len(runs)) if len(runs[other][0]) == len(opening[0])), None
        )
        if closing is None:
            index += 1
            continue
        yield opening.start(), runs[closing].end()
        index = closing + 1
