"""Parsing the one stream that `git diff-tree` gives for many commits. Pure: bytes in, records out.

What is read: `diff-tree --stdin -r --raw -z -p -M --root --diff-merges=first-parent --always --format=<marker>%H`.
For each commit that is the marker, the sha and a NUL; where files changed, a newline, the raw records (paths
exact, between NULs), a NUL and the patch. The marker is random, so that no content can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from digest_pipeline.domain.commit import CommitChanges, FileChange, FileStatus, PatchState

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 1 << 20
MAX_PATCH_BYTES = 16 << 20
"""A longer patch of one file is cut at a line and called incomplete: nobody reads it, and memory is finite."""

_STATUS: dict[bytes, FileStatus] = {
    b"A": "added",
    b"D": "removed",
    b"M": "modified",
    b"R": "renamed",
    b"C": "copied",
    b"T": "changed",
}
_SUBMODULE = b"160000"
_NEXT_FILE = b"\ndiff --git "
_FIRST_HUNK = b"\n@@ "


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One record of `--raw`: modes and objects on both sides, the status letter, the path or paths."""

    old_mode: bytes
    new_mode: bytes
    old_object: bytes
    new_object: bytes
    status: bytes
    path: bytes
    previous_path: bytes | None

    @property
    def blobs(self) -> Iterator[bytes]:
        """The objects that a patch of this entry is made from; commits of submodules are not in the repository."""
        for mode, name in ((self.old_mode, self.old_object), (self.new_mode, self.new_object)):
            if mode != _SUBMODULE and name.strip(b"0"):
                yield name


def split_commits(stream: IO[bytes], marker: bytes) -> Iterator[tuple[str, bytes]]:
    """Each commit's sha and what follows it up to the next marker, holding one commit in memory at a time.

    Once: whoever takes it has the only copy, for a commit may be as large as all others of its month.
    """
    pending: list[bytes] = []
    tail = b""
    while block := stream.read(BLOCK_BYTES):
        block = tail + block
        *whole, rest = block.split(marker)
        for piece in whole:
            pending.append(piece)
            if any(pending):
                yield _sha_and_rest(pending)
            pending = []
        # A marker may straddle two blocks: keep that much back.
        keep = min(len(rest), len(marker) - 1)
        pending.append(rest[: len(rest) - keep])
        tail = rest[len(rest) - keep :]
    pending.append(tail)
    if any(pending):
        yield _sha_and_rest(pending)


def parse_raw(chunk: bytes) -> tuple[list[RawEntry], int]:
    """The raw records at the head of a commit's output, and where the patch text behind them begins."""
    entries: list[RawEntry] = []
    position = 1 if chunk.startswith(b"\n") else 0
    while chunk.startswith(b":", position):
        end = chunk.index(b"\0", position)
        old_mode, new_mode, old_object, new_object, status = chunk[position + 1 : end].split(b" ")
        letter = status[:1]
        path_end = chunk.index(b"\0", end + 1)
        path, previous = chunk[end + 1 : path_end], None
        if letter in b"RC":
            previous, end = path, path_end
            path_end = chunk.index(b"\0", end + 1)
            path = chunk[end + 1 : path_end]
        entries.append(RawEntry(old_mode, new_mode, old_object, new_object, letter, path, previous))
        position = path_end + 1
    while chunk.startswith(b"\0", position):
        position += 1
    return entries, position


def parse_commit(sha: str, chunk: bytes) -> CommitChanges:
    """The files of one commit from its raw records and its patch."""
    entries, start = parse_raw(chunk)
    segments = _segments(chunk, start)
    files = []
    for entry in entries:
        segment = next(segments, b"")
        if entry.status == b"T":
            # A change of type is a removal and an addition in one record.
            files.append(_typechange(entry, segment, next(segments, b"")))
        else:
            files.append(_file(entry, segment))
    return CommitChanges(sha, tuple(files))


def missing_file(entry: RawEntry) -> FileChange:
    """The record of a file whose objects are not all in the repository."""
    return _record(entry, None, None, None, "missing")


def _sha_and_rest(pieces: list[bytes]) -> tuple[str, bytes]:
    """What the pieces say together; they are gone then."""
    chunk = b"".join(pieces)
    pieces.clear()
    end = chunk.find(b"\0")
    if end == -1:
        return chunk.strip().decode("ascii"), b""
    return chunk[:end].strip().decode("ascii"), chunk[end + 1 :]


def _segments(chunk: bytes, start: int) -> Iterator[bytes]:
    """The patch of each file, one after the other, of what stands in `chunk` from `start` on."""
    if start == len(chunk):
        return
    while (end := chunk.find(_NEXT_FILE, start)) != -1:
        yield chunk[start:end]
        start = end + 1
    yield chunk[start : len(chunk) - chunk.endswith(b"\n")]


def _file(entry: RawEntry, segment: bytes) -> FileChange:
    hunks = segment.find(_FIRST_HUNK)
    if hunks == -1:
        if _SUBMODULE in (entry.old_mode, entry.new_mode):
            return _record(entry, 0, 0, "", "submodule")
        if b"\nBinary files " in segment or b"\nGIT binary patch" in segment:
            return _record(entry, 0, 0, None, "binary")
        if (
            entry.status in b"MRC"
            and entry.old_mode != entry.new_mode
            and entry.old_object == entry.new_object
        ):
            return _record(entry, 0, 0, None, "mode")
        return _record(entry, 0, 0, "", "text")
    body = segment[hunks:]
    state: PatchState = "submodule" if _SUBMODULE in (entry.old_mode, entry.new_mode) else "text"
    additions, deletions = body.count(b"\n+"), body.count(b"\n-")
    if len(body) > MAX_PATCH_BYTES:
        body, state = body[: body.rindex(b"\n", 0, MAX_PATCH_BYTES)], "incomplete"
    return _record(entry, additions, deletions, _text(body[1:]), state)


def _typechange(entry: RawEntry, removed: bytes, added: bytes) -> FileChange:
    before, after = _file(entry, removed), _file(entry, added)
    patches = [side.patch for side in (before, after) if side.patch]
    states = {before.patch_state, after.patch_state}
    state: PatchState = next(
        (known for known in ("submodule", "binary", "incomplete") if known in states), "text"
    )
    return _record(
        entry,
        (before.additions or 0) + (after.additions or 0),
        (before.deletions or 0) + (after.deletions or 0),
        "\n".join(patches) if patches or state == "text" else None,
        state,
    )


def _record(
    entry: RawEntry, additions: int | None, deletions: int | None, patch: str | None, state: PatchState
) -> FileChange:
    return FileChange(
        path=_text(entry.path),
        previous_path=None if entry.previous_path is None else _text(entry.previous_path),
        status=_STATUS.get(entry.status, "modified"),
        additions=additions,
        deletions=deletions,
        patch=patch,
        patch_state=state,
    )


def _text(raw: bytes) -> str:
    # Decoding leaves no lone surrogate, and `storable` would search 250 MB for one.
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")
