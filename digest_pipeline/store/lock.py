"""The writers' lock: all that write, of all processes, one after the other; who waits says so, and not for ever.

Waiting is blocking: polling starved some writers for a minute. So that it can be told and ended all the same, and
Ctrl-C is heard, what blocks is another thread, or the server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from digest_pipeline.errors import StoreBusy, StoreError
from digest_pipeline.store.left import carried_to, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from digest_pipeline.store.place import Place

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a writer waits for those before it, in seconds."""

    tell_after: float = 5
    """A write takes a fifth of a second, a migration one or two: what waits longer is worth a line."""
    tell_again: float = 60
    give_up_after: float = 15 * 60
    """Nothing that is done under the lock takes so long: the upkeep of a year of a busy repository takes half a minute.
    Eight writers at once wait for each other for two seconds, over PostgreSQL too."""


Held = Callable[[], None]
"""Says before anything is written, and right before a COMMIT, that it may be: the lock is held, the history is here.

Raises StoreUnavailable where the lock was lost, StoreLeft where the history was carried elsewhere, StoreError where
another one lies in its place.
"""


class WritersLock(Protocol):
    """Held while its block runs."""

    def __call__(self) -> AbstractContextManager[Held]:
        """Wait for the writers that came before, and keep out those that come after.

        Raises StoreBusy where they hold it for longer than is waited.
        """


class Waiting:
    """One wait for the lock: gives the next time to wait for, tells who is waited for, and ends in StoreBusy."""

    def __init__(self, place: Place, patience: Patience, holder: Callable[[], str | None]) -> None:
        self._place = place
        self._patience = patience
        self._holder = holder
        self._began = time.monotonic()
        self._next = patience.tell_after

    def seconds(self) -> float:
        """How long to wait before asking again. Raises StoreBusy."""
        waited = time.monotonic() - self._began
        if waited >= self._patience.give_up_after:
            raise StoreBusy(
                f"another writer ({self._who()}) holds the history in {self._place} and was waited for "
                f"{_shown(waited)}; see whether it works, end it if it hangs, and run again: nothing was lost"
            )
        if waited >= self._next:
            _log.warning(
                "waiting since %s for another writer of the history in %s: %s",
                _shown(waited),
                self._place,
                self._who(),
            )
            self._next = waited + self._patience.tell_again
        return max(0.001, min(self._next, self._patience.give_up_after) - waited)

    def _who(self) -> str:
        return self._holder() or "it cannot be seen who"


class FileLock:
    """The lock of one machine: a file, which says who holds it."""

    def __init__(self, place: Place, patience: Patience, *, even_if_left: bool = False) -> None:
        self._place = place
        self._patience = patience
        self._even_if_left = even_if_left
        self._folder: int | None = None

    @contextmanager
    def __call__(self) -> Iterator[Held]:
        """Wait for the writers that came before, and keep out those that come after. Raises StoreBusy, OSError."""
        descriptor = os.open(self._place.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        try:
            with suppress(OSError):  # a note for others is worth no failure
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{whoami()}\n".encode(), 0)
            yield self._must_be_here
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _must_be_here(self) -> None:
        """The lock itself ends with this process alone."""
        if self._folder is None:
            # Held open, so that no other folder gets its number. Not the catalog's file: closing that would take
            # away the locks that SQLite has on it.
            self._folder = os.open(self._place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._folder)
        if not _is_the_same(self._folder, self._place.folder):
            raise StoreError(
                f"the history in {self._place} was moved away or replaced while this process had it open; nothing "
                "more is written by it: run again"
            )
        target = None if self._even_if_left else carried_to(self._place)
        if target is not None:
            raise refusal(self._place, target)

    def _wait(self, descriptor: int) -> None:
        taking = _Taking(descriptor)
        waiting = Waiting(self._place, self._patience, self._holder)
        try:
            while not taking.is_done.wait(waiting.seconds()):
                pass
        except BaseException:
            taking.give_back()
            raise
        if taking.error is not None:
            os.close(descriptor)
            raise taking.error

    def _holder(self) -> str | None:
        try:
            return self._place.lock_path.read_text(encoding="utf-8", errors="replace").strip() or None
        except OSError:
            return None


class _Taking:
    """A lock that is waited for in a thread of its own; it goes back where nobody waits for it any more."""

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self.is_done = threading.Event()
        self._descriptor = descriptor
        self._is_wanted = True
        self._guard = threading.Lock()
        # A daemon: a process that leaves does not wait for it.
        threading.Thread(target=self._take, name="store-lock", daemon=True).start()

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            self.error = error
        with self._guard:
            if self._is_wanted:
                self.is_done.set()
            else:
                os.close(self._descriptor)

    def give_back(self) -> None:
        with self._guard:
            self._is_wanted = False
            if self.is_done.is_set():
                os.close(self._descriptor)


def _is_the_same(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def writers_lock(
    place: Place, patience: Patience | None = None, *, even_if_left: bool = False
) -> WritersLock:
    """The lock that all writers of the history in `place` take; `even_if_left` is for who carries it back."""
    if place.shared is None:
        return FileLock(place, patience or Patience(), even_if_left=even_if_left)
    from digest_pipeline.store.postgres import AdvisoryLock  # noqa: PLC0415 - only where it is needed

    return AdvisoryLock(place, patience or Patience(), even_if_left=even_if_left)


def whoami() -> str:
    """What others are told of this process: the command, where it can be told, and where it runs."""
    program = Path(sys.argv[0] or "python")
    name = program.parent.name if program.name == "__main__.py" else program.name
    # Whatever else stands on a command line is nobody's business.
    command = [word for word in sys.argv[1:2] if re.fullmatch(r"[a-z]{1,12}", word)]
    return f"{' '.join([name, *command])}, process {os.getpid()} on {socket.gethostname()}"


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004
