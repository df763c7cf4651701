"""Dividing a commit that does not fit into one prompt: parts that each do, so that several calls read all of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from digest_pipeline.domain.ledger import Shown
from digest_pipeline.domain.packing import (
    FACTOR,
    MOST_MISSES,
    Entry,
    changed_lines,
    cost_of,
    count_lines,
    estimate_tokens,
    has_long_lines,
    hunks_of,
    ranked,
    shorten,
    versions_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.ledger import How

MOST_PARTS = 7
"""With the call that puts the notes together, eight for one commit."""

_PIECES = 4
"""A hunk that is too large for a part is cut into about so many pieces a part: smaller ones fill gaps better."""
_SMALL_PIECE = 400


@dataclass(frozen=True, slots=True)
class Held:
    """What a part holds of a file: `place` in the manifest's order, as what, how many changed lines.

    `pieces` counts towards those of the whole patch.
    """

    place: int
    how: How
    lines: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Division:
    """The parts of a commit; packed into the budget that they were made for, each shows all that it holds."""

    parts: tuple[tuple[FileChange, ...], ...]
    held: tuple[tuple[Held, ...], ...]
    files: tuple[tuple[Shown, int], ...]
    """Every file in the manifest's order as `listed`, and how many pieces make up its patch; 0: never all."""

    def ledger(self, read: Collection[int] | None = None) -> tuple[Shown, ...]:
        """One entry for every file, in the manifest's order, where the parts `read` were read (None: all)."""
        of_file: dict[int, list[Held]] = {}
        for number, part in enumerate(self.held):
            for held in part if read is None or number in read else ():
                of_file.setdefault(held.place, []).append(held)
        return tuple(
            _shown(listed, pieces, of_file.get(place, []))
            for place, (listed, pieces) in enumerate(self.files)
        )


def divide(
    files: Sequence[FileChange], budget: int, *, most: int = MOST_PARTS, factor: float = FACTOR
) -> Division:
    """`files` in at most `most` parts that each fit into `budget` tokens as `pack` shows them.

    The best rank finds room first. A file goes whole into the first part with room for it, of a lock the
    changes of its versions; else its hunks go where they fit, each into one part, and a hunk too large for any
    part in pieces. A part's `FileChange` has the hunks and counts of that part. What finds no room is in no
    part, and the ledger says so.
    """
    entries = ranked(files)
    bins = _Bins(budget, most, factor)
    baseline: list[tuple[Shown, int]] = []
    for place, entry in enumerate(entries):
        pieces = _place(entry, place, bins) if entry.patch else 0
        baseline.append((Shown(entry.file.path, "listed", 0, changed_lines([entry.file])), pieces))
    return Division(
        parts=tuple(tuple(one.files) for one in bins.opened),
        held=tuple(tuple(one.held) for one in bins.opened),
        files=tuple(baseline),
    )


@dataclass(slots=True)
class _Bin:
    """A part that is being filled: tokens that are left, for all and for its manifest."""

    room: int
    listing: int
    files: list[FileChange] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)

    def left(self, line: int) -> int:
        """The room beside a line of the manifest of so many tokens."""
        return self.room - line if line <= self.listing else -1


class _Bins:
    """The parts so far, and how many more may be opened."""

    def __init__(self, budget: int, most: int, factor: float) -> None:
        self.opened: list[_Bin] = []
        self.factor = factor
        self._budget = max(budget, 0)
        self._most = most

    def each(self) -> Iterator[_Bin]:
        """Every part, then new ones as long as the last new one was used."""
        yield from self.opened
        while len(self.opened) < self._most:
            new = _Bin(self._budget, self._budget // 2)
            yield new
            if not new.files:
                return

    def put(self, one: _Bin, file: FileChange, held: Held, line: int, cost: int) -> None:
        """Put a file into a part, and count the part where it was new."""
        if not one.files:
            self.opened.append(one)
        one.files.append(file)
        one.held.append(held)
        one.room -= line + cost
        one.listing -= line

    def rooms(self, line: int) -> list[int]:
        """What is left in each part beside a line of the manifest, those that may still be opened among them."""
        new = _Bin(self._budget, self._budget // 2)
        rest = [new] * (self._most - len(self.opened))
        return [one.left(line) for one in (*self.opened, *rest)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A hunk, or some lines of one; `follows` where it goes on from the piece of the number before."""

    head: str
    body: str
    cost: int
    lines: int
    follows: bool = False
    is_hunk: bool = False
    number: int = 0


def _place(entry: Entry, place: int, bins: _Bins) -> int:
    """Put a file into parts; how many pieces make up its patch, 0 where no part can hold all of it."""
    if _place_whole(entry, place, bins):
        return 1
    return _place_pieces(entry, place, bins)


def _place_whole(entry: Entry, place: int, bins: _Bins) -> bool:
    factor = bins.factor
    line = entry.line_cost(factor)
    changes = entry.versions()
    body = entry.patch + "\n" if changes is None else versions_text(changes)
    start = estimate_tokens(entry.header(), factor)
    cost = cost_of(body, max(bins.rooms(line), default=-1) - start, factor)
    if cost is None or (changes is None and has_long_lines(body)):
        return False
    lines = changed_lines([entry.file])
    how: How = "versions"
    if changes is None:
        how, lines = "whole", min(count_lines(body), lines)
    for one in bins.each():
        if start + cost <= one.left(line):
            bins.put(one, entry.file, Held(place, how, lines, 1), line, start + cost)
            return True
    return False


def _place_pieces(entry: Entry, place: int, bins: _Bins) -> int:
    factor = bins.factor
    patch = entry.patch
    number = len(hunks_of(patch))
    added, deleted = patch.count("\n+"), patch.count("\n-")
    note = f"[of {number} hunks, not all are in this part]\n"
    # No chunk's line is dearer than that of the whole patch: its numbers are smaller.
    line = Entry(replace(entry.file, additions=added, deletions=deleted), entry.rank).line_cost(factor)
    start = estimate_tokens(entry.header(), factor) + estimate_tokens(note, factor)
    rooms = [room - start for room in bins.rooms(line) if room > start]
    if not rooms:
        return 0
    cut = _Cutter(patch, max(rooms), sum(rooms), factor)
    waiting = list(cut.pieces())
    total = len(waiting) if cut.is_whole else 0
    for one in bins.each():
        room = one.left(line) - start
        taken: list[_Piece] = []
        left: list[_Piece] = []
        for piece in waiting:
            if piece.cost <= room:
                room -= piece.cost
                taken.append(piece)
            else:
                left.append(piece)
        if taken:
            lines = sum(piece.lines for piece in taken)
            how: How = "hunks" if any(piece.is_hunk for piece in taken) else "trimmed"
            text = _joined(taken) + note
            body_added = min(text.count("\n+"), lines)
            chunk = replace(
                entry.file, patch=text.removesuffix("\n"), additions=body_added, deletions=lines - body_added
            )
            cost = one.left(line) - room
            bins.put(one, chunk, Held(place, how, lines, len(taken)), line, cost)
        waiting = left
        if not waiting:
            break
    return total


class _Cutter:
    """The hunks of a patch as pieces that fit somewhere, up to what all parts can still hold.

    `is_whole` is known afterwards: whether the pieces are the whole patch.
    """

    def __init__(self, patch: str, largest: int, room: int, factor: float) -> None:
        self.is_whole = True
        self._patch = patch
        self._largest = largest
        self._room = room
        self._factor = factor

    def pieces(self) -> Iterator[_Piece]:
        number = spent = misses = 0
        for hunk in hunks_of(self._patch):
            for piece in self._pieces_of(hunk):
                if spent + piece.cost > self._room:
                    self.is_whole = False
                    misses += 1
                    break
                misses = 0
                number += 1
                spent += piece.cost
                yield replace(piece, number=number)
            if misses == MOST_MISSES:
                return

    def _pieces_of(self, hunk: str) -> Iterator[_Piece]:
        text, lost = shorten(hunk)
        self.is_whole = self.is_whole and text == hunk
        cost = cost_of(text, self._largest, self._factor)
        if cost is None:
            yield from self._cut(hunk)
        else:
            head, _, body = text.partition("\n")
            yield _Piece(f"{head}\n", body, cost, count_lines(text) - lost, is_hunk=True)

    def _cut(self, hunk: str) -> Iterator[_Piece]:
        """One hunk in pieces; each but the first says from which of its lines it goes on."""
        limit = max(self._largest // _PIECES, min(self._largest, _SMALL_PIECE))
        head, _, body = hunk.partition("\n")
        head = shorten(head)[0]
        start, follows = f"{head}\n", False
        cost = spent = estimate_tokens(start, self._factor)
        kept: list[str] = []
        lines = 0
        for number, raw in enumerate(body.removesuffix("\n").split("\n"), 1):
            text, lost = shorten(f"\n{raw}")
            line = f"{text[1:]}\n"
            more = estimate_tokens(line, self._factor)
            if kept and cost + more > limit:
                yield _Piece(start, "".join(kept), cost, lines, follows=follows)
                kept, lines, follows = [], 0, True
                start = f"{head} [from line {number} of this hunk]\n"
                cost = spent = estimate_tokens(start, self._factor)
            if spent + more > limit:
                # A line that fits nowhere: what comes after it does not follow.
                self.is_whole = follows = False
                continue
            cost += more
            kept.append(line)
            lines += count_lines(text) - lost
        if kept:
            yield _Piece(start, "".join(kept), cost, lines, follows=follows)


def _joined(pieces: Sequence[_Piece]) -> str:
    """The text of pieces; one that goes on right where the one before it ended needs no head."""
    texts: list[str] = []
    before = 0
    for piece in pieces:
        if not (piece.follows and piece.number == before + 1):
            texts.append(piece.head)
        texts.append(piece.body)
        before = piece.number
    return "".join(texts)


def _shown(listed: Shown, pieces: int, held: Sequence[Held]) -> Shown:
    if not held:
        return listed
    how: How = next((one.how for one in held if one.how != "trimmed"), "trimmed")
    if how in {"hunks", "trimmed"} and sum(one.pieces for one in held) == pieces:
        how = "whole"
    lines = min(sum(one.lines for one in held), listed.changed_lines)
    return replace(listed, how=how, shown_lines=lines)
