"""Globs that people write in settings: which texts a list of them lets through. Pure, and never slow on a hostile text.

A list holds patterns; one with a leading `!` leaves out. Their order means nothing: a text passes where it meets one
of the patterns without `!`, or there are none of these, and none of those with one.

In every pattern `*` stands for any characters, `?` for one, `[a-z]` for one of these, `[!a-z]` for one of the others,
`{a,b}` for `a` and for `b`; a backslash takes its meaning from the character behind it. What is matched is the whole
text, and capitals count. In paths and branches none of them stands for a `/`, and `**` between slashes stands for any
number of folders, none too; at the end for all that is below. For paths these come on top, as in `.gitignore`:

- a pattern without a slash before its end meets at any depth: `*.md`; one with a leading slash at the root alone;
- what ends in a plain name means the file, or the folder with all that is below it: `docs`, `lib/llm`;
- what ends in a slash means what is below a folder: `tests/`.

Words (authors, labels) have no folders: there `*` stands for slashes as well, capitals do not count, `[bot]` is what
it says, and a pattern always meets its own letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["paths", "branches", "words"]

MOST_ALTERNATIVES = 1000
"""So many patterns may the braces of one stand for."""

_FOLDERS = r"(?:[^/]++/)*"
_NOTHING = re.compile(r"(?!)")


class Globs:
    """What a list of patterns lets through; an empty list everything. Raises ValueError for what is no pattern."""

    def __init__(self, patterns: Iterable[str], *, of: Kind = "paths") -> None:
        listed = tuple(patterns)
        self._fold = of == "words"
        self._wanted = [pattern for pattern in listed if not pattern.startswith("!")]
        self._unwanted = [pattern[1:] for pattern in listed if pattern.startswith("!")]
        self._in = _compiled(self._wanted, of)
        self._out = _compiled(self._unwanted, of)

    def __bool__(self) -> bool:
        return bool(self._wanted or self._unwanted)

    def admits(self, text: str) -> bool:
        """Whether `text` passes."""
        return self.admits_together((text,))

    def admits_any(self, paths: Iterable[str]) -> bool:
        """Whether one of `paths` passes; none of them where there are none."""
        return any(map(self.admits, paths))

    def admits_together(self, texts: Iterable[str]) -> bool:
        """Whether what goes by all of `texts` passes: one of them is wanted, or none has to be, and none unwanted."""
        texts = [text.casefold() if self._fold else text for text in texts]
        is_wanted = not self._wanted or any(map(self._in.fullmatch, texts))
        return is_wanted and not any(map(self._out.fullmatch, texts))


def _compiled(patterns: Iterable[str], kind: Kind) -> re.Pattern[str]:
    """One expression that meets what any of the patterns meets."""
    parts = [part for pattern in patterns for part in _expressions(pattern, kind)]
    return re.compile("|".join(parts), re.DOTALL) if parts else _NOTHING


def _expressions(pattern: str, kind: Kind) -> Iterator[str]:
    if not pattern.strip("/"):
        raise ValueError(
            f'"{pattern}" says nothing; write a pattern such as "src/**", or "!docs/**" to leave out'
        )
    if kind == "words":
        folded = pattern.casefold()
        yield re.escape(folded)
        for one in _without_braces(folded.replace("[bot]", r"\[bot]")):
            yield _segment(one, any_one=".")
        return
    for one in _without_braces(pattern):
        yield _path(one, at_any_depth=kind == "paths")


def _path(pattern: str, *, at_any_depth: bool) -> str:
    """The expression of a pattern without braces.

    Between two `**` the first place that fits is as good as any, so that it is never left again: a path of
    thousands of slashes takes no longer than it is.
    """
    segments = [part for part in pattern.strip("/").split("/") if part]
    if at_any_depth and "/" not in pattern.rstrip("/"):
        segments.insert(0, "**")
    tail = ""
    if pattern.endswith("/"):
        segments.append("**")
    elif at_any_depth and _is_plain(segments[-1]):
        tail = "(?:/.+)?"
    blocks: list[list[str]] = [[]]
    for segment in segments:
        if segment != "**":
            blocks[-1].append(_segment(segment, any_one="[^/]"))
        elif blocks[-1] or len(blocks) == 1:
            blocks.append([])
    first, *middle, last = blocks if len(blocks) > 1 else ([], blocks[0])
    if len(blocks) == 1:
        return "/".join(last) + tail
    text = "".join(f"{segment}/" for segment in first)
    for block in middle:
        text += f"(?>{_FOLDERS}?{''.join(f'{segment}/' for segment in block)})"
    return text + (_FOLDERS + "/".join(last) + tail if last else ".+")


def _segment(glob: str, *, any_one: str) -> str:
    """The expression of a pattern without slashes; as above, between two stars the first place that fits is taken."""
    pieces = [""]
    for part in _parts(glob):
        if part == "*":
            pieces.append("")
        elif part == "?":
            pieces[-1] += any_one
        elif part.startswith("["):
            pieces[-1] += part if any_one == "." else f"(?!/){part}"
        else:
            pieces[-1] += re.escape(part[-1])
    head, *rest = pieces
    middle = "".join(f"(?>{any_one}*?{piece})" for piece in rest[:-1] if piece)
    return head + middle + (f"{any_one}*{rest[-1]}" if rest else "")


def _parts(glob: str) -> Iterator[str]:
    """`*`, `?`, a class as an expression has it, or a character, one that was escaped with its backslash."""
    position = 0
    while position < len(glob):
        character = glob[position]
        if character == "\\":
            if position + 1 == len(glob):
                raise ValueError(f'"{glob}" ends in a backslash; write two of them for one that is meant')
            yield glob[position : position + 2]
            position += 2
        elif character == "[":
            end = glob.find("]", position + (3 if glob[position + 1 : position + 2] in {"!", "^"} else 2))
            if end == -1:
                raise ValueError(rf'"{glob}" has a [ without its ]; write \[ for one that is meant')
            yield _class(glob, glob[position + 1 : end])
            position = end + 1
        else:
            yield character
            position += 1


def _class(glob: str, inside: str) -> str:
    negated = inside[0] in "!^"
    members = re.sub(r"([\\\[\]&~|^])", r"\\\1", inside[1:] if negated else inside)
    text = f"[{'^' if negated else ''}{members}]"
    try:
        re.compile(text)
    except re.error:
        raise ValueError(f'"{glob}": [{inside}] is no range of characters') from None
    return text


def _without_braces(pattern: str) -> list[str]:
    """The patterns that one with braces stands for."""
    found = [""]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "{":
            end, choices = _choices(pattern, position)
            longer = [whole for choice in choices for whole in _without_braces(choice)]
            found = [before + one for before in found for one in longer]
            if len(found) > MOST_ALTERNATIVES:
                raise ValueError(
                    f'"{pattern}" stands for more than {MOST_ALTERNATIVES} patterns; write fewer braces'
                )
            position = end
            continue
        taken = 2 if character == "\\" else 1
        found = [before + pattern[position : position + taken] for before in found]
        position += taken
    return found


def _choices(pattern: str, start: int) -> tuple[int, list[str]]:
    """Where the brace that opens at `start` has ended, and what stands between its commas."""
    depth = 0
    choices = [""]
    position = start
    while position < len(pattern):
        character = pattern[position]
        taken = 2 if character == "\\" else 1
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return position + 1, choices
        if character == "," and depth == 1:
            choices.append("")
        elif position > start:
            choices[-1] += pattern[position : position + taken]
        position += taken
    raise ValueError(rf'"{pattern}" has a {{ without its }}; write \{{ for one that is meant')


def _is_plain(segment: str) -> bool:
    """Whether a segment is a name, without a character that stands for others."""
    return segment != "**" and re.search(r"(?<!\\)[*?\[]", segment) is None
