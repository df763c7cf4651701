"""How much of a commit fits into a prompt: which patches, which hunks, and what has to be left out.

Sizes are in tokens, estimated from the text alone. What a prompt says around this stands with the prompts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.files import role_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_pipeline.domain.commit import FileChange

FACTOR = 1.25
"""Tokens for each piece of text, where nothing is known of a model's tokenizer."""

Rank = Literal["code", "tests", "docs", "bulk"]
RANKS: tuple[Rank, ...] = ("code", "tests", "docs", "bulk")
"""What is worth reading first. `bulk` was written by a program or elsewhere: locks, vendored, minified."""

# Much like the pieces that tokenizers begin with; a run of capitals or signs counts by its length. Over 250
# commits of ai-dynamo/dynamo the estimate was 0.97 to 1.24 of the truth in o200k_base and in cl100k_base.
# No piece goes on after a line break, so that the estimates of whole lines add up to that of their text.
_SIGN = r"!-/:-@\[-`{-~"
_PIECE = re.compile(
    rf"[ \t{_SIGN}]?[A-Z]{{0,3}}[a-z]{{1,10}}|[ \t{_SIGN}]?[A-Z]{{1,4}}|[0-9]{{1,3}}"
    rf"| ?[{_SIGN}]{{1,8}}\n?|\n|[^\S\n]{{1,32}}|[\x00-\x7f]"
)
_WIDE = re.compile(r"[^\x00-\x7f]")
_BEYOND = re.compile(r"[\U00010000-\U0010ffff]")
_LONGEST_PIECE = 32
_BEYOND_TOKENS = 3  # emoji and rare scripts reach a tokenizer as bytes

_LETTERS = {"added": "A", "removed": "D", "modified": "M", "renamed": "R", "copied": "C", "changed": "T"}
_STATE_MARKS = {
    "text": "",
    "binary": " [binary]",
    "submodule": " [submodule]",
    "mode": " [mode only]",
    "missing": " [unreadable]",
    "incomplete": " [cut by its source]",
}
_SHOWN_MARKS = {
    "whole": "",
    "hunks": " [shown in part]",
    "headers": " [only headers]",
    "nothing": " [not shown]",
}
_LONGEST_MARK = max(_SHOWN_MARKS.values(), key=len)
_MOST_HEADERS = 20
_LONG_LINE = 1000

_GENERATED = re.compile(r"@generated\b|\bDO NOT EDIT\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Packed:
    """What a prompt shows of a commit's files; both texts consist of whole lines.

    `manifest` names the files with status and counts, `unlisted` counts those it had no room for.
    `left_out` holds the paths whose patch is there but not shown, or not all of it.
    """

    manifest: str
    patches: str
    shown_lines: int
    changed_lines: int
    left_out: tuple[str, ...] = ()
    unlisted: int = 0

    @property
    def text(self) -> str:
        """Manifest and patches, the text that keeps within the budget."""
        return self.manifest + self.patches


def estimate_tokens(text: str, factor: float = FACTOR) -> int:
    """The tokens that `text` makes, give or take a quarter: `factor` a piece, one a character beyond ASCII.

    For texts of whole lines the estimate of both together is never above the sum of their estimates.
    """
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    wide += (_BEYOND_TOKENS - 1) * len(_BEYOND.findall(text)) if wide else 0
    # Rounded first: 1.1 * 10 is a little more than 11, and would count as 12.
    return math.ceil(round(factor * len(_PIECE.findall(text)), 6)) + wide


def clip(text: str, budget: int, factor: float = FACTOR) -> str:
    """The first lines of `text` that fit into `budget`, and where that is not all, a line that says so."""
    if not _exceeds(text, budget, factor):
        return text
    note = "[cut here]"
    room = budget - estimate_tokens(note, factor)
    kept: list[str] = []
    for line in text.split("\n"):
        whole = line + "\n"
        if _exceeds(whole, room, factor):
            break
        room -= estimate_tokens(whole, factor)
        kept.append(whole)
    return "".join([*kept, note]) if room >= 0 else ""


def changed_lines(files: Sequence[FileChange]) -> int:
    """Added and deleted lines of all files, as far as anyone has counted them."""
    return sum(_changed(file) for file in files)


def rank_of(file: FileChange) -> Rank:
    """How soon a file is worth reading, by its path and the look of its patch."""
    role = role_of(file.path)
    if role in {"lock", "generated", "vendored"} or _looks_generated(file.patch or ""):
        return "bulk"
    if role == "test":
        return "tests"
    return "docs" if role == "docs" else "code"


def pack(files: Sequence[FileChange], budget: int, *, factor: float = FACTOR) -> Packed:
    """What of `files` is shown in `budget` tokens: a manifest of all, then patches, the best first.

    For each rank in turn: whole patches while they fit, then whole hunks of what is too large, then the
    headers of hunks. The manifest takes at most half of the budget.
    """
    entries = [_Entry(file, rank_of(file)) for file in files]
    entries.sort(key=lambda entry: RANKS.index(entry.rank))
    listed, rest_is_told, room = _list(entries, budget, factor)
    for rank in RANKS:
        waiting = [entry for entry in entries if entry.rank == rank and entry.patch]
        for take in (_take_whole, _take_hunks, _take_headers):
            for entry in waiting:
                if entry.shown == "nothing":
                    room -= take(entry, room, factor)
    return Packed(
        manifest="".join(entry.line() for entry in entries[:listed])
        + (_rest(entries[listed:]) if rest_is_told else ""),
        patches="".join(entry.text for entry in entries),
        shown_lines=sum(entry.shown_lines for entry in entries),
        changed_lines=changed_lines(files),
        left_out=tuple(entry.file.path for entry in entries if entry.patch and entry.shown != "whole"),
        unlisted=len(entries) - listed,
    )


@dataclass(slots=True)
class _Entry:
    """A file on its way into a prompt, and what was decided for it."""

    file: FileChange
    rank: Rank
    shown: Literal["whole", "hunks", "headers", "nothing"] = "nothing"
    text: str = ""
    shown_lines: int = 0

    @property
    def patch(self) -> str:
        return self.file.patch or ""

    def line(self, mark: str | None = None) -> str:
        file = self.file
        if mark is None:
            mark = _SHOWN_MARKS[self.shown] if self.patch else ""
        name = _one_line(file.path)
        if file.previous_path not in {None, file.path}:
            name = f"{_one_line(file.previous_path or '')} -> {name}"
        additions, deletions = ("?" if n is None else n for n in (file.additions, file.deletions))
        counts = f"{_LETTERS[file.status]} +{additions} -{deletions}"
        return f"{counts} {name}{_STATE_MARKS[file.patch_state]}{mark}\n"

    def header(self) -> str:
        file = self.file
        before = "/dev/null" if file.status == "added" else _one_line(file.previous_path or file.path)
        after = "/dev/null" if file.status == "removed" else _one_line(file.path)
        return f"--- {before}\n+++ {after}\n"

    def show(self, how: Literal["whole", "hunks", "headers"], body: str, lines: int) -> None:
        self.shown, self.text = how, self.header() + body
        self.shown_lines = min(lines, _changed(self.file))


def _list(entries: Sequence[_Entry], budget: int, factor: float) -> tuple[int, bool, int]:
    """How many entries the manifest names, whether it counts the others, and what is left of the budget."""
    costs = [estimate_tokens(entry.line(_LONGEST_MARK if entry.patch else ""), factor) for entry in entries]
    half = budget // 2
    if sum(costs) <= half:
        return len(entries), False, budget - sum(costs)
    # The line about the rest is dearest while nothing is listed: its numbers only get shorter.
    used = estimate_tokens(_rest(entries), factor)
    if used > half:
        return 0, False, budget
    listed = 0
    for cost in costs:
        if used + cost > half:
            break
        listed, used = listed + 1, used + cost
    return listed, True, budget - used


def _rest(unlisted: Sequence[_Entry]) -> str:
    lines = changed_lines([entry.file for entry in unlisted])
    return f"[and {len(unlisted)} more files with {lines} changed lines]\n"


def _take_whole(entry: _Entry, room: int, factor: float) -> int:
    body = entry.patch + "\n"
    if _exceeds(body, room, factor):
        return 0
    cost = estimate_tokens(entry.header(), factor) + estimate_tokens(body, factor)
    if cost > room:
        return 0
    entry.show("whole", body, _count(body))
    return cost


def _take_hunks(entry: _Entry, room: int, factor: float) -> int:
    hunks = _hunks(entry.patch)
    note = f"[{len(hunks)} hunks, not all shown]\n"
    cost = estimate_tokens(entry.header(), factor) + estimate_tokens(note, factor)
    chosen: list[str] = []
    for hunk in hunks:
        if _exceeds(hunk, room - cost, factor):
            continue
        cost += estimate_tokens(hunk, factor)
        chosen.append(hunk)
    if not chosen:
        return 0
    entry.show("hunks", "".join([*chosen, note]), sum(map(_count, chosen)))
    return cost


def _take_headers(entry: _Entry, room: int, factor: float) -> int:
    hunks = _hunks(entry.patch)
    heads = [hunk.partition("\n")[0] + "\n" for hunk in hunks[:_MOST_HEADERS]]
    body = "".join([*heads, f"[{len(hunks)} hunks, only headers shown]\n"])
    cost = estimate_tokens(entry.header(), factor) + estimate_tokens(body, factor)
    if cost > room:
        return 0
    entry.show("headers", body, 0)
    return cost


def _exceeds(text: str, room: int, factor: float) -> bool:
    # What is hopelessly long is not read: a patch may have megabytes.
    return len(text) * min(factor, 1) > room * _LONGEST_PIECE or estimate_tokens(text, factor) > room


def _hunks(patch: str) -> list[str]:
    """The hunks of a patch as whole lines; every line of a hunk's body begins with another sign than `@`."""
    first, *others = patch.split("\n@@ ")
    return [f"{first}\n", *(f"@@ {hunk}\n" for hunk in others)]


def _count(hunk: str) -> int:
    return hunk.count("\n+") + hunk.count("\n-")


def _changed(file: FileChange) -> int:
    if file.additions is None or file.deletions is None:
        return _count(file.patch or "")
    return file.additions + file.deletions


def _looks_generated(patch: str) -> bool:
    head = patch[:4000]
    return bool(_GENERATED.search(head)) or any(len(line) > _LONG_LINE for line in head.split("\n"))


def _one_line(path: str) -> str:
    """A path without characters that would end its line or hide in it."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)
