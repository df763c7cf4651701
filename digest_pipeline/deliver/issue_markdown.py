"""A page as the body of an issue: it mentions nobody, touches no other issue, and comes in pieces that fit.

GitHub looks for mentions and references in what Markdown has become, so that escaping does not help; a character
without width between the mark and the word does. It stands in code too, where it does no harm: what is code is for
GitHub to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

BREAK = "\u200b"
MOST = 60_000
"""GitHub takes 65,536 characters of a body; what may count as two of them counts as two."""

_MARKS = re.compile(r"@(?=[\w\[])|#(?=\d)|(?<=[Gg][Hh])-(?=\d)")
# An anchor that begins with a digit, written with its number; the same text elsewhere is no reference then either.
_ANCHORS = re.compile(r"(?<=\]\(#)\d")
_ENTITIES = re.compile(r"&(?=(?:#0*(?:35|64)|#[xX]0*(?:23|40)|num|commat);)")
_THREADS = r"(?=/[^/\s]+/[^/\s]+/(?:issues|pulls?|discussions)/)"
_REDIRECTS = "redirect.github.com"
_HEADER_LINES = 2


def quiet(markdown: str, *, host: str = "github.com") -> str:
    """`markdown`, in which nothing mentions, refers or closes once it is an issue of `host`.

    Links to threads go by a host of GitHub's own that leaves no trace in the thread; GitHub Enterprise has none,
    and there one letter of the path is written as its number.
    """
    text = _ENTITIES.sub("&amp;", markdown)
    text = _ANCHORS.sub(lambda found: f"%3{found[0]}", text)
    text = re.sub(rf"(?i)(?<![\w.-])(?:www\\?\.)?github\\?\.com{_THREADS}", _REDIRECTS, text)
    if host != "github.com":
        text = re.sub(
            rf"(?i)({re.escape(host)}/[^/\s]+/[^/\s]+/)(issues|pulls?|discussions)(?=/)",
            lambda found: f"{found[1]}%{ord(found[2][0]):02X}{found[2][1:]}",
            text,
        )
    return _MARKS.sub(lambda found: found[0] + BREAK, text)


def host_of(api_url: str) -> str:
    """The web host that belongs to an API: github.com's stands at a host of its own."""
    host = urlsplit(api_url).netloc
    return "github.com" if host == "api.github.com" else host


def size(text: str) -> int:
    """How long a text is, counted in the larger of the ways in which it may be counted."""
    return len(text) + sum(character > "\uffff" for character in text)


def pieces(markdown: str, most: int = MOST) -> list[str]:
    """`markdown` in pieces of at most `most`, cut between lines: before a section where that is not far.

    A table goes on with its header, what is folded is closed and opened again.
    """
    found: list[str] = []
    lines = [part for line in markdown.splitlines(keepends=True) for part in _cut(line, most // 4)]
    start, state = 0, _State()
    while start < len(lines):
        opening = state.opening()
        room = most - size(opening) - size(state.longest_closing())
        end, used = start, 0
        while end < len(lines) and used + size(lines[end]) <= room:
            used += size(lines[end])
            end += 1
        end = _good_cut(lines, start, end)
        for line in lines[start:end]:
            state = state.after(line)
        found.append(opening + "".join(lines[start:end]) + (state.closing() if end < len(lines) else ""))
        start = end
    return found or [""]


def _good_cut(lines: list[str], start: int, end: int) -> int:
    """Where to cut at the latest at `end`: before a section's anchor, if that leaves half of the piece."""
    if end == len(lines):
        return end
    for place in range(end, start + (end - start) // 2, -1):
        if lines[place].startswith("<a id="):
            return place
    return max(end, start + 1)


class _State:
    """What is open after a line: a fold, with its summary, and a table, with its header."""

    def __init__(self, fold: str = "", table: tuple[str, ...] = ()) -> None:
        self._fold = fold
        self._table = table

    def after(self, line: str) -> _State:
        if line.startswith("<details"):
            return _State(line, ())
        if line.startswith("<summary") and self._fold:
            return _State(self._fold + line, ())
        if line.startswith("</details>"):
            return _State()
        if line.startswith("|"):
            table = self._table if len(self._table) == _HEADER_LINES else (*self._table, line)
            return _State(self._fold, table)
        return _State(self._fold, ())

    def opening(self) -> str:
        fold = f"{self._fold}\n" if self._fold else ""
        return fold + ("".join(self._table) if len(self._table) == _HEADER_LINES else "")

    def closing(self) -> str:
        return "\n</details>\n" if self._fold else ""

    def longest_closing(self) -> str:
        return "\n</details>\n"


def _cut(line: str, most: int) -> Iterator[str]:
    """A line in parts that are not too long for any piece; nearly all are one."""
    while size(line) > most:
        yield line[: most // 2] + "\n"
        line = line[most // 2 :]
    yield line
