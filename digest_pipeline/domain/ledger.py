"""The record of what a model was shown of a commit: each file, how, and how many of its changed lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from digest_pipeline.domain.commit import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

How = Literal["whole", "hunks", "trimmed", "headers", "versions", "listed", "unlisted"]
"""`hunks`: some of them, or with long lines cut. `trimmed`: a hunk only to some line. `versions`: a lock file's
changes of versions. `listed`: named without its patch; `unlisted`: only counted among the files not named."""

_HOWS: tuple[How, ...] = get_args(How)
MOST_ENTRIES = 2000
_LONGEST_PATH = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of one file; `files` is more than 1 only where an entry stands for the rest of a ledger."""

    path: str
    how: How
    shown_lines: int
    changed_lines: int
    files: int = 1


def ledger_json(ledger: Sequence[Shown]) -> str:
    """A ledger as compact JSON: at most 2,000 entries, then one without a path that counts the others.

    An entry is an object of `path`, `how`, `shown` and `changed`, the last one with `files` too. Of a path the
    first 1,000 characters are kept.
    """
    entries = list(ledger)
    rest = entries[MOST_ENTRIES:]
    if rest:
        shown, changed = sum(one.shown_lines for one in rest), sum(one.changed_lines for one in rest)
        entries[MOST_ENTRIES:] = [Shown("", "unlisted", shown, changed, sum(one.files for one in rest))]
    return json.dumps(
        [
            {
                "path": storable(one.path[:_LONGEST_PATH]),
                "how": one.how,
                "shown": one.shown_lines,
                "changed": one.changed_lines,
                **({"files": one.files} if one.files != 1 else {}),
            }
            for one in entries
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def read_ledger(text: str) -> tuple[Shown, ...]:
    """The ledger that `ledger_json` wrote; of none, nothing. Raises ValueError where the text is not one."""
    entries = json.loads(text or "[]")
    try:
        return tuple(
            Shown(
                path=str(entry["path"]),
                how=_HOWS[_HOWS.index(entry["how"])],
                shown_lines=int(entry["shown"]),
                changed_lines=int(entry["changed"]),
                files=int(entry.get("files", 1)),
            )
            for entry in entries
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a ledger: {error!r}") from None
