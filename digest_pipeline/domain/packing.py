"""How much of a commit fits into a prompt: which patches, which hunks, and what has to be left out.

Sizes are in tokens, estimated from the text alone. What a prompt says around this stands with the prompts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.files import role_of
from digest_pipeline.domain.ledger import How, Shown
from digest_pipeline.domain.lockfiles import version_changes

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
    rf"| ?[{_SIGN}]{{1,8}}\n?|\n|[^\S\n]{{1,32}}|[\x01-\x7f]"
)
_WIDE = re.compile(r"[^\x01-\x7f]")  # NUL is sent as U+FFFD
_BEYOND = re.compile(r"[\U00010000-\U0010ffff]")
_LONGEST_PIECE = 32
_USUAL_PIECE = 6
_BEYOND_TOKENS = 3  # emoji and rare scripts reach a tokenizer as bytes

_LETTERS = {"added": "A", "removed": "D", "modified": "M", "renamed": "R", "copied": "C", "changed": "T"}
_STATE_MARKS = {
    "text": "",
    "binary": " [binary]",
    "submodule": " [submodule]",
    "mode": " [mode only]",
    "missing": " [unreadable]",
    "incomplete": " [cut by its source]",
    "expired": " [no longer here]",
}
_SHOWN_MARKS: dict[How, str] = {
    "whole": "",
    "hunks": " [shown in part]",
    "trimmed": " [cut short]",
    "headers": " [only headers]",
    "versions": " [only versions]",
    "listed": " [not shown]",
    "unlisted": " [not shown]",
}
_MOST_HEADERS = 20
_LEAST_TRIMMED = 400
MOST_MISSES = 1000
"""So many hunks in a row that fit nowhere end the search: a patch may have millions."""

_LONG_LINE = 1000
_KEPT_OF_A_LONG_LINE = 900

_GENERATED = re.compile(r"@generated\b|\bDO NOT EDIT\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Packed:
    """What a prompt shows of a commit's files; both texts consist of whole lines.

    `manifest` names the files with status and counts, `unlisted` counts those it had no room for.
    `ledger` has one entry for every file, in the manifest's order.
    """

    manifest: str
    patches: str
    shown_lines: int
    changed_lines: int
    unlisted: int = 0
    ledger: tuple[Shown, ...] = ()

    @property
    def text(self) -> str:
        """Manifest and patches, the text that keeps within the budget."""
        return self.manifest + self.patches


def estimate_tokens(text: str, factor: float = FACTOR) -> int:
    """The tokens that `text` makes, give or take a quarter: `factor` a piece, one a character beyond ASCII.

    A factor above `FACTOR` raises both alike; one below it says nothing of characters beyond ASCII. For texts
    of whole lines the estimate of both together is never above the sum of their estimates.
    """
    wide = 0 if text.isascii() and "\0" not in text else len(_WIDE.findall(text))
    wide += (_BEYOND_TOKENS - 1) * len(_BEYOND.findall(text)) if wide else 0
    tokens = factor * len(_PIECE.findall(text)) + max(factor / FACTOR, 1) * wide
    # Rounded first: 1.1 * 10 is a little more than 11, and would count as 12.
    return math.ceil(round(tokens, 6))


def cost_of(text: str, room: int, factor: float) -> int | None:
    """The tokens that `text` makes, None where they are more than `room`."""
    # What is hopelessly long is not read: a patch may have megabytes.
    if len(text) * min(factor, 1) > room * _LONGEST_PIECE:
        return None
    # Most of what is too long is so after a few lines, and whole lines never make more than the text.
    start = text[: text.rfind("\n", 0, room * _USUAL_PIECE) + 1] if len(text) > room * _USUAL_PIECE else ""
    if estimate_tokens(start, factor) > room:
        return None
    tokens = estimate_tokens(text, factor)
    return tokens if tokens <= room else None


def clip(text: str, budget: int, factor: float = FACTOR) -> str:
    """The first lines of `text` that fit into `budget`, and where that is not all, a line that says so."""
    if cost_of(text, budget, factor) is not None:
        return text
    note = "[cut here]"
    room = budget - estimate_tokens(note, factor)
    kept: list[str] = []
    for line in text.split("\n"):
        whole = line + "\n"
        cost = cost_of(whole, room, factor)
        if cost is None:
            break
        room -= cost
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


def ranked(files: Sequence[FileChange]) -> list[Entry]:
    """`files` in the manifest's order: the best rank first, within it as they came."""
    entries = [Entry(file, rank_of(file)) for file in files]
    entries.sort(key=lambda entry: RANKS.index(entry.rank))
    return entries


def pack(files: Sequence[FileChange], budget: int, *, factor: float = FACTOR) -> Packed:
    """What of `files` is shown in `budget` tokens: a manifest of all, then patches, the best first.

    For each rank in turn: whole patches while they fit (of locks the changes of versions), then whole hunks of
    what is too large, then the first lines of a hunk, then the headers of hunks. The manifest takes at most
    half of the budget. No line is shown beyond its first 1,000 characters.
    """
    entries = ranked(files)
    listed, rest_is_told, room = _list(entries, budget, factor)
    for rank in RANKS:
        waiting = [entry for entry in entries if entry.rank == rank and entry.patch]
        for take in (_take_versions, _take_whole, _take_hunks):
            for entry in waiting:
                if entry.shown is None:
                    room -= take(entry, room, factor)
        # Evenly, or the first would take what the others' beginnings need; of very many the first ones.
        cut = [entry for entry in waiting if entry.too_large]
        for number, entry in enumerate(cut):
            share = max(room // (len(cut) - number), min(room, _LEAST_TRIMMED))
            room -= _take_trimmed(entry, share, factor)
        for entry in waiting:
            if entry.shown is None:
                room -= _take_headers(entry, room, factor)
    return Packed(
        manifest=_manifest(entries, listed, rest_is_told=rest_is_told),
        patches="".join(entry.text for entry in entries),
        shown_lines=sum(entry.shown_lines for entry in entries),
        changed_lines=changed_lines(files),
        unlisted=len(entries) - listed,
        ledger=tuple(entry.record(listed=place < listed) for place, entry in enumerate(entries)),
    )


def list_files(
    files: Sequence[FileChange], ledger: Sequence[Shown], budget: int, *, factor: float = FACTOR
) -> Packed:
    """A manifest of `files` alone, in at most half of `budget`, where patches were shown elsewhere.

    `ledger` says how, with one entry for each file in the manifest's order; it comes back with the files that
    the manifest has no room for.
    """
    entries = ranked(files)
    for entry, shown in zip(entries, ledger, strict=True):
        if shown.how not in {"listed", "unlisted"}:
            entry.shown, entry.shown_lines = shown.how, shown.shown_lines
    listed, rest_is_told, _ = _list(entries, budget, factor)
    return Packed(
        manifest=_manifest(entries, listed, rest_is_told=rest_is_told),
        patches="",
        shown_lines=sum(entry.shown_lines for entry in entries),
        changed_lines=changed_lines(files),
        unlisted=len(entries) - listed,
        ledger=tuple(entry.record(listed=place < listed) for place, entry in enumerate(entries)),
    )


@dataclass(slots=True)
class Entry:
    """A file on its way into a prompt, and what was decided for it; None while that is nothing.

    `too_large` is the first hunk that did not fit, with how many of its changed lines are cut.
    """

    file: FileChange
    rank: Rank
    shown: How | None = None
    text: str = ""
    shown_lines: int = 0
    too_large: tuple[str, int] | None = None

    @property
    def patch(self) -> str:
        """The patch, empty where there is none."""
        return self.file.patch or ""

    def line(self, mark: str | None = None) -> str:
        """The file's line in the manifest; `mark` stands for what was decided."""
        file = self.file
        if mark is None:
            mark = _SHOWN_MARKS[self.shown or "listed"] if self.patch else ""
        name = _one_line(file.path)
        if file.previous_path not in {None, file.path}:
            name = f"{_one_line(file.previous_path or '')} -> {name}"
        additions, deletions = ("?" if n is None else n for n in (file.additions, file.deletions))
        counts = f"{_LETTERS[file.status]} +{additions} -{deletions}"
        return f"{counts} {name}{_STATE_MARKS[file.patch_state]}{mark}\n"

    def line_cost(self, factor: float) -> int:
        """The most tokens that the line in the manifest takes, whatever is decided."""
        return estimate_tokens(self.line(_LONGEST_MARK if self.patch else ""), factor)

    def header(self) -> str:
        """The two lines that open the file's patch."""
        file = self.file
        before = "/dev/null" if file.status == "added" else _one_line(file.previous_path or file.path)
        after = "/dev/null" if file.status == "removed" else _one_line(file.path)
        return f"--- {before}\n+++ {after}\n"

    def versions(self) -> list[str] | None:
        """The changes of versions, where the file is a lock and any can be read."""
        is_lock = self.rank == "bulk" and role_of(self.file.path) == "lock"
        return version_changes(self.file.path, self.patch) if is_lock else None

    def show(self, how: How, body: str, lines: int) -> None:
        """Decide: `body` is shown, and `lines` changed lines in it."""
        self.shown, self.text = how, self.header() + body
        self.shown_lines = min(lines, changed_lines([self.file]))

    def record(self, *, listed: bool) -> Shown:
        """The file's entry in the ledger; `listed` where the manifest names it."""
        how: How = self.shown or ("listed" if listed else "unlisted")
        return Shown(self.file.path, how, self.shown_lines, changed_lines([self.file]))


def _list(entries: Sequence[Entry], budget: int, factor: float) -> tuple[int, bool, int]:
    """How many entries the manifest names, whether it counts the others, and what is left of the budget."""
    costs = [entry.line_cost(factor) for entry in entries]
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


def _manifest(entries: Sequence[Entry], listed: int, *, rest_is_told: bool) -> str:
    lines = "".join(entry.line() for entry in entries[:listed])
    return lines + (_rest(entries[listed:]) if rest_is_told else "")


def _rest(unlisted: Sequence[Entry]) -> str:
    lines = changed_lines([entry.file for entry in unlisted])
    return f"[and {len(unlisted)} more files with {lines} changed lines]\n"


def versions_text(changes: Sequence[str]) -> str:
    """What stands in a prompt for a lock file's patch."""
    return "".join(f"{line}\n" for line in (f"[{len(changes)} changes of versions]", *changes))


def _take_versions(entry: Entry, room: int, factor: float) -> int:
    changes = entry.versions()
    if changes is None:
        return 0
    start = entry.header()
    cost = estimate_tokens(start, factor)
    kept = clip(versions_text(changes), room - cost, factor)
    # The first line counts all, the last one may say that there are more.
    shown = min(kept.count("\n") - 1, len(changes))
    if shown < 1:
        return 0
    body = kept if kept.endswith("\n") else f"{kept}\n"
    cost += estimate_tokens(body, factor)
    if cost > room:
        return 0
    entry.show("versions", body, changed_lines([entry.file]) * shown // len(changes))
    return cost


def _take_whole(entry: Entry, room: int, factor: float) -> int:
    body = entry.patch + "\n"
    start = estimate_tokens(entry.header(), factor)
    cost = cost_of(body, room - start, factor)
    if cost is None or has_long_lines(body):
        return 0
    entry.show("whole", body, count_lines(body))
    return start + cost


def _take_hunks(entry: Entry, room: int, factor: float) -> int:
    hunks = hunks_of(entry.patch)
    note = f"[{len(hunks)} hunks, not all shown]\n"
    cost = estimate_tokens(entry.header(), factor) + estimate_tokens(note, factor)
    chosen: list[str] = []
    lines = misses = 0
    for hunk in hunks:
        text, lost = shorten(hunk)
        more = cost_of(text, room - cost, factor)
        if more is None:
            entry.too_large = entry.too_large or (text, lost)
            misses += 1
            if misses == MOST_MISSES:
                break
            continue
        misses = 0
        cost += more
        lines += count_lines(text) - lost
        chosen.append(text)
    if not chosen:
        return 0
    if len(chosen) == len(hunks):
        note = "[long lines are cut]\n"
    entry.show("hunks", "".join([*chosen, note]), lines)
    return cost


def _take_trimmed(entry: Entry, room: int, factor: float) -> int:
    """The first lines of a hunk that is too large, after the hunks that were not."""
    start = "" if entry.shown else entry.header()
    assert entry.too_large is not None  # noqa: S101 - only those are trimmed
    hunk, lost = entry.too_large
    # With room for the note that stood beside it, the hunk is as much too large as it was before.
    number = len(hunks_of(entry.patch))
    note = f"[{number} hunks, not all shown]\n"
    spent = estimate_tokens(start, factor) + estimate_tokens(note, factor)
    kept = clip(hunk, room - spent, factor)
    lines = count_lines(kept) - lost  # at least: which of the cut lines are in it is not asked
    if lines < 1:
        return 0
    text = f"{kept}\n" if entry.shown or number == 1 else f"{note}{kept}\n"
    text = start + text
    cost = estimate_tokens(text, factor)
    if cost > room:
        return 0
    entry.text += text
    entry.shown = "trimmed"
    entry.shown_lines = min(entry.shown_lines + lines, changed_lines([entry.file]))
    return cost


def _take_headers(entry: Entry, room: int, factor: float) -> int:
    hunks = hunks_of(entry.patch)
    heads = [shorten(hunk.partition("\n")[0] + "\n")[0] for hunk in hunks[:_MOST_HEADERS]]
    body = "".join([*heads, f"[{len(hunks)} hunks, only headers shown]\n"])
    start = estimate_tokens(entry.header(), factor)
    cost = cost_of(body, room - start, factor)
    if cost is None:
        return 0
    entry.show("headers", body, 0)
    return start + cost


def hunks_of(patch: str) -> list[str]:
    """The hunks of a patch as whole lines; every line of a hunk's body begins with another sign than `@`."""
    first, *others = patch.split("\n@@ ")
    return [f"{first}\n", *(f"@@ {hunk}\n" for hunk in others)]


def shorten(hunk: str) -> tuple[str, int]:
    """A hunk without the ends of its long lines, each with how much it lacks, and how many of them changed."""
    if not has_long_lines(hunk):
        return hunk, 0
    lines = hunk.split("\n")
    lost = 0
    for number, line in enumerate(lines):
        if len(line) > _LONG_LINE:
            left = len(line) - _KEPT_OF_A_LONG_LINE
            lines[number] = f"{line[:_KEPT_OF_A_LONG_LINE]} [{left} more characters of this line]"
            lost += number > 0 and line[0] in "+-"
    return "\n".join(lines), lost


def has_long_lines(text: str) -> bool:
    """Whether a line has more than 1,000 characters."""
    return len(text) > _LONG_LINE and max(map(len, text.split("\n"))) > _LONG_LINE


def count_lines(hunks: str) -> int:
    """The changed lines in the text of hunks."""
    return hunks.count("\n+") + hunks.count("\n-")


def _changed(file: FileChange) -> int:
    if file.additions is None or file.deletions is None:
        return count_lines(file.patch or "")
    return file.additions + file.deletions


def _looks_generated(patch: str) -> bool:
    head = patch[:4000]
    return bool(_GENERATED.search(head)) or has_long_lines(head)


def _one_line(path: str) -> str:
    """A path without characters that would end its line or hide in it."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)


_LONGEST_MARK = max(_SHOWN_MARKS.values(), key=estimate_tokens)
