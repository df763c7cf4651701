"""Globs as people know them from .gitignore: `*` and `?` stay within a name, `**` goes through folders."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PART = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?[^\]/]+\]|[^*?\[]+|\[")


class Globs:
    """What meets one of the patterns, or there are none, and none of those with a leading `!`, is admitted.

    A pattern without a slash fits a name at any depth; one that fits a folder fits what is below it.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)

    @cached_property
    def _rules(self) -> list[tuple[bool, re.Pattern[str]]]:
        return [(not one.startswith("!"), _compiled(one.removeprefix("!"))) for one in self._patterns]

    def admits(self, text: str) -> bool:
        """Whether `text` is admitted."""
        wanted = [pattern for adds, pattern in self._rules if adds]
        is_wanted = not wanted or any(pattern.fullmatch(text) for pattern in wanted)
        return is_wanted and not any(pattern.fullmatch(text) for adds, pattern in self._rules if not adds)

    def admits_any(self, paths: Iterable[str]) -> bool:
        """Whether one of `paths` is admitted."""
        return any(self.admits(path) for path in paths)


def _compiled(glob: str) -> re.Pattern[str]:
    rooted = "/" in glob.rstrip("/")
    expression = "" if rooted else "(?:.*/)?"
    for part in _PART.findall(glob.strip("/")):
        match part:
            case "**/":
                expression += "(?:.*/)?"
            case "/**":
                expression += "/.+"
            case "**":
                expression += ".*"
            case "*":
                expression += "[^/]*"
            case "?":
                expression += "[^/]"
            case _ if part.startswith("[") and len(part) > 1:
                inside = part[1:-1].replace("\\", r"\\")
                expression += f"[{'^' + inside[1:] if inside.startswith('!') else inside}]"
            case _:
                expression += re.escape(part)
    return re.compile(f"{expression}(?:/.*)?", re.DOTALL)
