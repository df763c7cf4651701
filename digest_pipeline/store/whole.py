"""Files that are there whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest_pipeline.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE = 4 << 20


@contextmanager
def written_whole(file: Path, *, force: bool) -> Iterator[Path]:
    """A name beside `file` to write to, which becomes `file` once the block is through; else nothing is left of it.

    Raises UsageError where `file` exists and not `force`, StoreError where it cannot be written.
    """
    if file.is_dir() or (file.exists() and not force):
        way = "name another" if file.is_dir() else "name another, or replace it with --force"
        raise UsageError(f"{file} exists already and is left as it is; {way}")
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            synced(temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
            temporary.with_name(f"{temporary.name}.wal").unlink(missing_ok=True)
    except OSError as error:
        raise not_written(file, error) from None


def copied(source: Path, target: Path) -> str:
    """Copy a file, whole or not at all; the SHA-256 of what was read. Raises OSError."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with source.open("rb") as reader, temporary.open("wb") as writer:
            while piece := reader.read(_PIECE):
                digest.update(piece)
                writer.write(piece)
            writer.flush()
            os.fsync(writer.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def hash_of(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def synced(file: Path) -> None:
    """Wait until a file is on the disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def not_written(file: Path, error: OSError) -> StoreError:
    """Why a file or folder could not be written, with what to do."""
    return StoreError(
        f"{error.filename or file} cannot be written: {error.strerror or error}; free some space or check its rights, "
        "then run the same command again; nothing is left half"
    )


def removed(folder: Path) -> None:
    """Take a folder away that nobody reads any more, where there is one."""
    shutil.rmtree(folder, ignore_errors=True)
