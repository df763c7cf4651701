"""Many processes that replace partitions of one history for a minute, readers that hold it open, and kills.

`python -m benchmarks.writers [--seconds 60] [--writers 8] [--kills 50] [--seed N]`, or `make bench ARGS="--only
writers"`. In one run: a writer alone over a plain DuckDB file, which nobody else could open, and over the store; the
writers at once, while one reader holds a transaction open, one a connection, and one the catalog's file; then kills
at random moments. Afterwards each partition is compared, row by row, with what its last write brought. Exits 1
where a write failed or is lost, where a reader saw what it should not, or where a kill left half a write.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import random
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from benchmarks import plain_file
from benchmarks.figures import Figure, Measured, missed, print_figures, say
from benchmarks.history import scratch_folder
from benchmarks.onlooker import LOOKS, THE_FILE, Seen
from benchmarks.repository import Unmeasurable
from benchmarks.writer import DAYS, ZONE, Log, Task, day_of, note, versions, write
from digest_pipeline.store.check import check
from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.place import Place, Shared
from digest_pipeline.store.postgres import read_address
from digest_pipeline_tests.conftest import find_postgres
from digest_pipeline_tests.fakes.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    import duckdb

PART = "writers"
POSTGRES = "writers-postgres"
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
    """What became of some writers at once: the seconds of each write, what failed, what is lost, who saw what."""

    seconds: float
    writes: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def a_second(self) -> float:
        """Writes that were done, all writers together."""
        return len(self.writes) / self.seconds

    def share(self, percent: int) -> float:
        """The seconds within which so many of a hundred writes were done."""
        return sorted(self.writes)[max(0, math.ceil(len(self.writes) * percent / 100) - 1)]


@dataclass(slots=True)
class Killed:
    """What became of the kills: how many struck while a write was under way, how many such writes were there then."""

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
            minute.cpu += log.cpu_seconds
            minute.lost += _lost(connection, child.told)
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
            killed.broken += _lost(connection, child.told)
    return killed


def _after_kill(connection: duckdb.DuckDBPyConnection, told: Task, killed: Killed) -> list[str]:
    """What is not as it should be; what became of the write that was under way goes into the log."""
    log = Log.of(told)
    problems = [f"{finding.name}: {problem}" for finding in check(told.place) for problem in finding.problems]
    try:
        held = versions(connection, told.seed, told.repo)
    except ValueError as error:
        problems.append(str(error))
    if problems:
        return problems
    if log.under_way is not None:
        number, version = log.under_way
        killed.amid += 1
        killed.landed += held[number] == version
        note(told, "held", number, held[number])
    return list(_not_there(held, told, log))


def _lost(connection: duckdb.DuckDBPyConnection, told: Task) -> list[str]:
    """A line for each partition of a writer that does not hold its last write, whole."""
    try:
        return list(_not_there(versions(connection, told.seed, told.repo), told, Log.of(told)))
    except ValueError as error:
        return [str(error)]


def _not_there(held: Mapping[int, int], told: Task, log: Log) -> Iterator[str]:
    for number, version in held.items():
        if version != log.done[number] and (number, version) != log.under_way:
            yield f"{told.repo} {day_of(number)} holds write {version}, not {log.done[number]}"


@contextmanager
def ending_all() -> Iterator[Callable[[Child], Child]]:
    """Gives a function that takes children; whatever happens, none of them outlives the block."""
    with ExitStack() as stack:

        def take(child: Child) -> Child:
            stack.callback(child.kill)
            return child

        yield take


@dataclass(frozen=True, slots=True)
class Chosen:
    """How much is tried."""

    seconds: float = SECONDS
    writers: int = WRITERS
    kills: int = KILLS
    seed: int = 1

    @property
    def seconds_alone(self) -> float:
        """How long one writer is watched, to have something to stand beside."""
        return min(self.seconds, ALONE_SECONDS)


def figures(chosen: Chosen, folder: Path) -> Iterator[Figure]:
    """Over the embedded store, beside a plain DuckDB file."""
    told = Task(Place(folder / "data"), chosen.seed)
    History(told.place, ZONE).close()
    say(f"seed {chosen.seed}; one writer alone over a plain DuckDB file")
    peer = plain_file.write_alone(told, chosen.seconds_alone, folder / "plain.duckdb")
    alone = _alone(told, chosen, folder)
    yield Figure(PART, "one writer, writes a second", alone.a_second, "", "a plain DuckDB file", peer)
    yield from _figures_of(PART, told, alone, chosen, folder)


def figures_of_postgres(chosen: Chosen, folder: Path) -> Iterator[Figure]:
    """Over a store that is shared: its catalog in a real PostgreSQL, beside the embedded one."""
    binaries = find_postgres()
    if binaries is None:
        raise Unmeasurable(
            "there are no binaries of PostgreSQL's server here; install them (apt install postgresql)"
        )
    embedded = Task(Place(folder / "embedded"), chosen.seed)
    (folder / "embedded-logs").mkdir()
    History(embedded.place, ZONE).close()
    peer = _alone(embedded, chosen, folder / "embedded-logs")
    with running_postgres(binaries) as server:
        shared = Shared(read_address(server.create_database()), str(folder / "files"))
        told = Task(Place(folder / "data", shared), chosen.seed)
        History(told.place, ZONE).close()
        alone = _alone(told, chosen, folder)
        name = "one writer, writes a second"
        yield Figure(POSTGRES, name, alone.a_second, "", "the embedded store", peer.a_second)
        yield from _figures_of(POSTGRES, told, alone, chosen, folder)


def _alone(told: Task, chosen: Chosen, folder: Path) -> Minute:
    say(f"one writer alone for {chosen.seconds_alone:g} s")
    return write_at_once(told, range(1), chosen.seconds_alone, folder)


def _figures_of(part: str, told: Task, alone: Minute, chosen: Chosen, folder: Path) -> Iterator[Figure]:
    hows = [how for how in LOOKS if told.place.shared is None or how != THE_FILE]
    say(f"{chosen.writers} writers for {chosen.seconds:g} s, {len(hows)} readers")
    minute = write_at_once(told, range(1, chosen.writers + 1), chosen.seconds, folder, hows=hows)
    for line in (*alone.failures, *minute.failures, *alone.lost, *minute.lost):
        say(line)
    many = f"{chosen.writers} writers"
    yield Figure(part, f"{many}, writes a second", minute.a_second, "", "one writer", alone.a_second)
    for name, percent in (("p50", 50), ("p95", 95), ("longest", 100)):
        took, peer = minute.share(percent), alone.share(percent)
        yield Figure(part, f"{many}, {name} of a write", took, "s", "one writer", peer)
    cpu, peer = (1000 * statistics.median(one.cpu) for one in (minute, alone))
    yield Figure(part, f"{many}, CPU time of a write, p50", cpu, "ms", "one writer", peer)
    readers = f"{', '.join(one.how for one in minute.seen)} held open by readers"
    yield Figure(part, f"{many}, writes in {chosen.seconds:g} s, {readers}", len(minute.writes))
    yield Figure.none(part, "failures", len(alone.failures) + len(minute.failures))
    yield Figure.none(part, "lost", len(alone.lost) + len(minute.lost))
    say(f"{chosen.kills} kills")
    first = chosen.writers + 1
    killed = kill_at_random(
        told, chosen.kills, range(first, first + min(KILLED_AT_ONCE, chosen.kills)), folder
    )
    for line in killed.broken:
        say(line)
    yield Figure(
        part, f"of {killed.kills} kills, a write was under way in", killed.amid, "", "kills", killed.kills
    )
    yield Figure(
        part, "of these, the write was there afterwards in", killed.landed, "", "under way", killed.amid
    )
    yield Figure.none(part, f"half-written, lost or damaged after {killed.kills} kills", len(killed.broken))


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    return _measured(figures, Chosen(seed=chosen.seed), folder)


def bench_postgres(chosen: argparse.Namespace, folder: Path) -> Measured:
    """The same over PostgreSQL. Raises Unmeasurable where that is not installed."""
    return _measured(figures_of_postgres, Chosen(seed=chosen.seed), folder)


def _measured(
    measuring: Callable[[Chosen, Path], Iterator[Figure]], chosen: Chosen, folder: Path
) -> Measured:
    over = f"{chosen.writers} writers of {DAYS} partitions each, some 90 kB of patches a write, seed {chosen.seed}"
    return Measured(over, list(measuring(chosen, folder)))


def main() -> int:
    """Measure and print; 1 where something failed, is lost or is half."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.writers", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--writers", type=int, default=WRITERS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="over a catalog in PostgreSQL")
    options = vars(parser.parse_args())
    measuring = figures_of_postgres if options.pop("postgres") else figures
    with scratch_folder() as folder:
        measured = _measured(measuring, Chosen(**options), folder)
    print_figures(measured.figures, title=measured.over)
    return 1 if missed(measured.figures) else 0


if __name__ == "__main__":
    sys.exit(main())
