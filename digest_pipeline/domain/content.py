"""What of a commit decides its explanation, wherever it was picked to: no sha, no author, no dates, no place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from digest_pipeline.domain.commit import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_pipeline.domain.commit import FileChange

_PICKED = re.compile(r"\(cherry picked from commit [0-9a-f]{7,64}\)$")
_TRAILER = re.compile(
    r"(?:signed-off-by|co-authored-by|co-developed-by|reviewed-by|reviewed-on|acked-by|tested-by|approved-by|"
    r"reported-by|suggested-by|helped-by|change-id|cc|pr-url|cherry-picked-from|made-with|assisted-by): ",
    re.IGNORECASE,
)
"""What people and their tools add to say who took part, not what changed; `Fixes:` says what changed."""

_PULL_REQUEST = re.compile(r"\(#\d{1,9}\)$")
_LONGEST_NUMBER = 12
_MOST_NUMBERS = 8
_LINE_NUMBERS = re.compile(r"^@@ -\d{1,10}(?:,\d{1,10})? \+\d{1,10}(?:,\d{1,10})? @@", re.MULTILINE)


def content_of(message: str, files: Sequence[FileChange]) -> list[object]:
    """A commit's message and files as lists of texts, equal for a commit and its cherry-picks.

    Left out are notes of cherry-picks, trailers that name people, pull request numbers at the end of the title
    and the line numbers of hunks: all of them differ between branches and repositories.
    """
    return [
        _plain_message(message),
        *sorted(
            [
                file.path,
                file.previous_path or "",
                file.status,
                file.patch_state,
                "" if file.patch is None else _LINE_NUMBERS.sub("@@", file.patch),
            ]
            for file in files
        ),
    ]


def _plain_message(message: str) -> str:
    title = title_of(message)
    # A pick of a pick has several; a hostile title may have thousands.
    for _ in range(_MOST_NUMBERS):
        end = _PULL_REQUEST.search(title, max(len(title) - _LONGEST_NUMBER, 0))
        if end is None:
            break
        title = title[: end.start()].rstrip()
    body = (line.rstrip() for line in message.strip().split("\n")[1:])
    kept = [line for line in body if not _TRAILER.match(line) and not _PICKED.match(line)]
    return "\n".join([title, *kept]).rstrip()
