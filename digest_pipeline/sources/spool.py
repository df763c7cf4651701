"""What a process writes, taken from it before anybody asks for it."""

from __future__ import annotations

import errno
import io
import os
import tempfile
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1 << 20
"""What is taken at once."""

_LEFT_FREE = 64 << 20
"""So much of the disk is left to others: who waits in memory or in a pipe loses nothing, who writes a file may."""


class Spool(io.RawIOBase):
    """The bytes of `pipe` in their order; up to `most` of them wait in a file without a name, written round and round.

    Where that has no room, or the disk has none, the process waits as it does behind a pipe.
    """

    def __init__(self, pipe: IO[bytes], most: int) -> None:
        super().__init__()
        self._pipe = pipe
        self._most = max(most, BLOCK_BYTES)
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed with this
        self._written = self._taken = 0
        self._in_hand = memoryview(b"")  # what comes behind all that is in the file, and has no room there
        self._error: Exception | None = None
        self._is_over = self._is_done_with = False
        self._moved = threading.Condition()
        # Nobody may have to wait for a process at the end of this one.
        self._thread = threading.Thread(target=self._fill, name="git-spool", daemon=True)
        self._thread.start()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Wait for the next bytes and put as many there as fit; 0 at the end. Raises what kept it from being read."""
        room = memoryview(buffer).cast("B")
        with self._moved:
            self._moved.wait_for(lambda: self._written > self._taken or self._in_hand or self._is_over)
            if self._written == self._taken:
                if self._error is not None:
                    raise self._error
                size = min(len(room), len(self._in_hand))
                room[:size], self._in_hand = self._in_hand[:size], self._in_hand[size:]
                self._moved.notify_all()
                return size
            start = self._taken % self._most
            size = min(len(room), self._written - self._taken, self._most - start)
        block = os.pread(self._file.fileno(), size, start)
        if not block:
            raise OSError(errno.EIO, "a temporary file lost what was written to it")
        room[: len(block)] = block
        with self._moved:
            self._taken += len(block)
            self._moved.notify_all()
        return len(block)

    def close(self) -> None:
        """Let go of the file; the process must have ended, for its output is read until then."""
        if not self.closed:
            with self._moved:
                self._is_done_with = True
                self._moved.notify_all()
            self._thread.join()
            self._file.close()
        super().close()

    def _fill(self) -> None:
        buffer = memoryview(bytearray(BLOCK_BYTES))
        try:
            while not self._is_done_with and (size := os.readv(self._pipe.fileno(), [buffer])):
                self._take(buffer[:size])
        except Exception as error:  # noqa: BLE001 - whoever reads is told, and must not wait for ever
            self._error = error
        with self._moved:
            self._is_over = True
            self._moved.notify_all()

    def _take(self, block: memoryview) -> None:
        with self._moved:
            self._moved.wait_for(
                lambda: self._is_done_with or self._written + len(block) <= self._taken + self._most
            )
        is_kept = not self._is_done_with and self._keep(block, self._written % self._most)
        with self._moved:
            if is_kept:
                self._written += len(block)
                self._moved.notify_all()
            else:
                self._in_hand = block
                self._moved.notify_all()
                self._moved.wait_for(lambda: self._is_done_with or not self._in_hand)

    def _keep(self, block: memoryview, start: int) -> bool:
        """Whether the file has it now, from `start` on and around its end."""
        before, behind = block[: self._most - start], block[self._most - start :]
        file = self._file.fileno()
        try:
            disk = os.fstatvfs(file)
            if disk.f_bavail * disk.f_frsize < _LEFT_FREE:
                return False
            return os.pwrite(file, before, start) == len(before) and (
                not behind or os.pwrite(file, behind, 0) == len(behind)
            )
        except OSError:
            return False
