"""The revisions that a repository asks to be passed over: its `.git-blame-ignore-revs`."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

IGNORED_REVISIONS = ".git-blame-ignore-revs"
"""Where it lies, by the convention of `git blame --ignore-revs-file` and of GitHub."""

_REVISION = re.compile(r"[0-9a-f]{7,64}", re.ASCII)


class Revisions:
    """Which commits are named in such a file; in none of it where `text` is None: there is no file."""

    def __init__(self, text: str | None) -> None:
        """Reads a line as git does, up to a `#`; what is no name of a commit says nothing.

        Names may be cut, to seven digits at least, as people write them who leave it to git to find the rest.
        """
        named: dict[int, set[str]] = defaultdict(set)
        for line in (text or "").split("\n"):
            revision = line.partition("#")[0].strip().lower()
            if _REVISION.fullmatch(revision):
                named[len(revision)].add(revision)
        self._named: Mapping[int, set[str]] = dict(named)

    def __contains__(self, sha: object) -> bool:
        return any(str(sha)[:length] in names for length, names in self._named.items())
