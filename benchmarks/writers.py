"""Many processes that replace partitions of one history for a minute, readers that hold it open, and kills.

`python -m benchmarks.writers [--seconds 60] [--writers 8] [--kills 50] [--seed N]`, or `make bench ARGS="--only
writers"`. In one run: a writer alone over a plain DuckDB file, which nobody else could open, and over the store; the
writers at once, while one reader holds a transaction open, one a connection, and one the catalog's file; then kills
at random moments. Afterwards each partition is compared, row by row, with what its last write brought. Exits 1
where a write failed or is lost, where a reader saw what it should not, or where a kill left half a write.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks import plain_file
from benchmarks.figures import Figure, say, show
from benchmarks.onlooker import LOOKS, Seen
from benchmarks.writer import DAYS, ZONE, Log, Task, day_of, note, version_of, write
from digest_pipeline.errors import StoreError
from digest_pipeline.store.history import History, check_files, open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    import duckdb

SECONDS = 60.0
ALONE_SECONDS = 15.0
WRITERS = 8
KILLS = 50
KILLED_AT_ONCE = 4
LONGEST_WAIT = 1.0
"""Seconds from a writer's first write until it may be killed, at most."""


_PROCESSES = multiprocessing.get_context("forkserver")
# What loads for a second is there before a process is forked; a fork of this one would inherit DuckDB's threads.
_PROCESSES.set_forkserver_preload(["benchmarks.writer", "benchmarks.onlooker"])


class Child:
    """A writer or an onlooker as a process of its own, which says when it has the history open."""

    def __init__(self, work: Callable[[Task, Connection], None], told: Task) -> None:
        self.told = told
        self.pipe, theirs = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(target=work, args=(told, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ready(self) -> Self:
        """Wait until it has the history open. Raises RuntimeError where it could not open it."""
        answer = self.answer()
        if answer != "ready":
            raise RuntimeError(f"a process could not begin: {answer}")
        return self

    def answer(self) -> Any:  # noqa: ANN401 - a writer says how it failed, an onlooker what it saw
        """The next that it says; that it ended where it said nothing."""
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            return f"it ended with exit code {self.process.exitcode}"

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.join()


@dataclass(slots=True)
class Minute:
    """What became of some writers at once: the seconds that each write took, what failed, what is lost, who saw what."""

    seconds: float
    writes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def a_second(self) -> float:
        """Writes that were done, all writers together."""
        return len(self.writes) / self.seconds

    def share(self, percent: int) -> float:
        """The seconds within which so many of a hundred writes were done."""
        return statistics.quantiles(self.writes, n=100, method="inclusive")[percent - 1]


@dataclass(slots=True)
class Killed:
    """What became of the kills: how many struck while a write was under way, how many of these were there afterwards."""

    kills: int = 0
    amid: int = 0
    landed: int = 0
    broken: list[str] = field(default_factory=list)


def write_at_once(
    told: Task, writers: range, seconds: float, folder: Path, *, hows: Sequence[str] = ()
) -> Minute:
    """These writers at once for so long, with an onlooker for each of `hows`; then each partition is looked at."""
    minute = Minute(seconds)
    with ending_all() as children:
        lookers = [children(Child(LOOKS[how], replace(told, writer=len(writers)))) for how in hows]
        fleet = [children(Child(write, told.as_writer(number, folder))) for number in writers]
        for child in (*lookers, *fleet):
            child.ready()
        for child in fleet:
            child.pipe.send(seconds)
        minute.failures += [
            f"writer {child.told.writer}: {answer}" for child in fleet if (answer := child.answer()) != "done"
        ]
        for looker in lookers:
            looker.pipe.send("enough")
            minute.seen.append(seen := looker.answer())
            if not isinstance(seen, Seen):
                minute.failures.append(f"a reader: {seen}")
    with open_history(told.place, ZONE) as connection:
        for child in fleet:
            log = Log.of(child.told)
            minute.writes += log.seconds
            minute.lost += _not_there(connection, child.told, log)
    return minute


def kill_at_random(told: Task, kills: int, writers: range, folder: Path) -> Killed:
    """These writers at once, of whom one after the other is killed at a random moment and replaced; see `Killed`."""
    chance, killed = random.Random(told.seed), Killed()  # noqa: S311 - replayable
    with ending_all() as children, open_history(told.place, ZONE) as connection:

        def start(number: int) -> Child:
            child = children(Child(write, told.as_writer(number, folder))).ready()
            child.pipe.send(3600)
            return child

        fleet = [start(number) for number in writers]
        for number in range(1, kills + 1):
            time.sleep(chance.uniform(0, LONGEST_WAIT))
            place = chance.randrange(len(fleet))
            victim = fleet[place]
            if victim.process.exitcode is not None:
                killed.broken.append(f"writer {victim.told.writer}: {victim.answer()}")
                break
            victim.kill()
            killed.kills += 1
            killed.broken += [
                f"after kill {number}: {line}" for line in _after_kill(connection, victim.told, killed)
            ]
            if killed.broken:
                break
            fleet[place] = start(victim.told.writer)
            if number % 10 == 0:
                say(f"{number} of {kills} kills")
        for child in fleet:
            child.kill()
            killed.broken += _not_there(connection, child.told, Log.of(child.told))
    return killed


def _after_kill(connection: duckdb.DuckDBPyConnection, told: Task, killed: Killed) -> list[str]:
    """What is not as it should be; what became of the write that was under way goes into the log."""
    log = Log.of(told)
    lines = _not_there(connection, told, log)
    try:
        check_files(told.place)
    except StoreError as error:
        lines.append(str(error))
    if log.under_way is not None and not lines:
        number, version = log.under_way
        held = version_of(connection, told.seed, told.repo, day_of(number))
        killed.amid += 1
        killed.landed += held == version
        note(told, "held", number, held)
    return lines


def _not_there(connection: duckdb.DuckDBPyConnection, told: Task, log: Log) -> list[str]:
    """A line for each partition that does not hold its last write, whole; or the one that was under way."""
    lines = []
    for number in range(DAYS):
        try:
            version = version_of(connection, told.seed, told.repo, day_of(number))
        except ValueError as error:
            lines.append(str(error))
        else:
            if version != log.done[number] and (number, version) != log.under_way:
                lines.append(f"{told.repo} {day_of(number)} holds write {version}, not {log.done[number]}")
    return lines


@contextmanager
def ending_all() -> Iterator[Callable[[Child], Child]]:
    """Gives a function that takes children; whatever happens, none of them outlives the block."""
    with ExitStack() as stack:

        def take(child: Child) -> Child:
            stack.callback(child.kill)
            return child

        yield take


def figures(seconds: float, writers: int, kills: int, seed: int) -> Iterator[Figure]:
    """Everything, one figure after the other, as it is known."""
    with tempfile.TemporaryDirectory(prefix="digest-writers-") as name:
        folder = Path(name)
        told = Task(str(folder / "data"), seed)
        History(told.place, ZONE).close()
        say("one writer alone over a plain DuckDB file")
        peer = plain_file.write_alone(told, min(seconds, ALONE_SECONDS), folder / "plain.duckdb")
        say("one writer alone")
        alone = write_at_once(told, range(1), min(seconds, ALONE_SECONDS), folder)
        say(f"{writers} writers for {seconds:g} s, {len(LOOKS)} readers")
        minute = write_at_once(told, range(1, writers + 1), seconds, folder, hows=list(LOOKS))
        yield Figure("writers", "writes a second, one writer", alone.a_second, "s⁻¹", "plain", peer)
        print(
            alone.a_second,
            peer,
            minute.a_second,
            len(minute.writes),
            minute.failures,
            minute.lost,
            minute.seen,
        )
        print([round(minute.share(p), 3) for p in (50, 95, 99)], max(minute.writes))
        began = time.monotonic()
        print(
            kill_at_random(told, kills, range(writers + 1, writers + 1 + min(KILLED_AT_ONCE, kills)), folder),
            time.monotonic() - began,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--writers", type=int, default=WRITERS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    list(figures(chosen.seconds, chosen.writers, chosen.kills, chosen.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
