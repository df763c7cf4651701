"""Wall time, CPU time and peak memory of a command, taken from outside: the command knows nothing of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

SAMPLE_SECONDS = 0.05
_IMPRECISE_BYTES = (4 << 20) * (os.cpu_count() or 1)
"""So far may the kernel's count of a process's pages be behind: each core keeps some of it to itself."""

CAN_SEE_MEMORY = sys.platform == "linux"

_PRIVATE = re.compile(rb"^Private_(?:Clean|Dirty):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a command.

    `cpu_seconds` are user and system time of its whole tree; `peak_bytes` is the highest sum of private pages
    over the tree at any sample, None where that cannot be seen.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    exit_code: int


def measure(
    command: Sequence[str], *, environ: Mapping[str, str], cwd: Path, stdout: Path, stderr: Path
) -> Measured:
    """Run `command` to its end, its output into files."""
    with stdout.open("wb") as out, stderr.open("wb") as err:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        with TreeWatch(lambda: [process.pid]) as watch:
            try:
                # wait4 and not Popen.wait: it alone tells what the process and its children used.
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise
        wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(wall, usage.ru_utime + usage.ru_stime, watch.peaks.get(process.pid), process.returncode)


def read_and_forget(command: Sequence[str], *, stdin: bytes, check: bool = True) -> Measured:
    """Run `command`, reading all that it prints through a pipe and keeping nothing."""
    before = os.times()
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if check else subprocess.DEVNULL
    )
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    assert process.stdout is not None  # noqa: S101 - as above
    feeder = threading.Thread(target=_feed, args=(process, stdin))
    feeder.start()
    while os.read(process.stdout.fileno(), 1 << 20):
        pass
    feeder.join()
    code = process.wait()
    process.stdout.close()
    wall = time.monotonic() - started
    after = os.times()
    if check and code != 0:
        raise subprocess.CalledProcessError(code, list(command))
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(wall, cpu, None, code)


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended early; its exit code says so


class TreeWatch:
    """Looks at process trees until it is told to stop; `roots` says each time which there are."""

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self.peaks: dict[int, int] = {}
        self._roots = roots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if CAN_SEE_MEMORY:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for root in self._roots():
                peak = self.peaks.get(root, 0)
                tree = list(_tree(root))
                # To count private pages takes a hundred times as long as to ask how many there are of all kinds,
                # and holds up the process: it is done where they may be more than before.
                if sum(map(_resident_bytes, tree)) + _IMPRECISE_BYTES > peak:
                    peak = max(peak, sum(map(_private_bytes, tree)))
                self.peaks[root] = peak


def _tree(root: int) -> Iterator[int]:
    yield root
    try:
        tasks = list(Path(f"/proc/{root}/task").iterdir())
        own_name = _command_line(root)
        for task in tasks:
            for child in (task / "children").read_text(encoding="ascii").split():
                # Between vfork and exec a child still has its parent's memory, which would count twice.
                if _command_line(int(child)) != own_name:
                    yield from _tree(int(child))
    except OSError:
        return  # it has ended meanwhile, or one of its threads has; the next sample sees the rest


def _command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _resident_bytes(process: int) -> int:
    try:
        pages = Path(f"/proc/{process}/statm").read_bytes().split()[1]
    except OSError:
        return 0  # as below
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _private_bytes(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_bytes()
    except OSError:
        return 0  # it has ended meanwhile
    return 1024 * sum(map(int, _PRIVATE.findall(text)))
