"""How long `digest run` takes over a whole history, and beside it the least that any such run could take.

`python -m benchmarks.history --repo PATH --branch main --from DAY --to DAY`, or `make bench ARGS="…"`. Without
options it measures the history of the clone that it stands in, or an invented one where no day of that is
over. Exits 1 where a count does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster
import duckdb

from benchmarks import floor, invented
from benchmarks.command import STORAGES, CommandRun, Count, Storage, run_command
from benchmarks.figures import Figure, Measured, say
from benchmarks.repository import Span, Truth, Unmeasurable, ask_git, choose_span, git
from benchmarks.table import COMMAND_NAMES, MEMORY_LIMIT_MB, WANTED_RATIO, print_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Round:
    """Everything measured once, one after the other."""

    git: floor.Cost
    git_apart: floor.Cost
    empty: floor.Cost
    commands: dict[Storage, CommandRun]

    @property
    def floor_wall(self) -> float:
        """Git's patches and Dagster's empty assets."""
        return self.git.wall_seconds + self.empty.wall_seconds

    @property
    def floor_cpu(self) -> float:
        """The same in CPU seconds, which other users of the machine disturb less."""
        return self.git.cpu_seconds + self.empty.cpu_seconds

    def ratio(self, storage: Storage) -> float:
        """Wall time of the command over that of the floor."""
        return self.commands[storage].measured.wall_seconds / self.floor_wall

    def cpu_ratio(self, storage: Storage) -> float:
        """The same in CPU seconds."""
        return self.commands[storage].measured.cpu_seconds / self.floor_cpu


@dataclass(slots=True)
class Results:
    """All rounds over one span, and an instrumented run for each storage."""

    span: Span
    truth: Truth
    machine: str
    rounds: list[Round] = field(default_factory=list)
    instrumented: dict[Storage, CommandRun] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What was measured, in one line."""
        return (
            f"{self.span.path}, {self.span.branch or 'HEAD'}: {self.span.first} to {self.span.last} in "
            f"{self.span.timezone.key}, {self.span.days:,} days, {len(self.truth.commits):,} commits"
        )

    @property
    def counts(self) -> list[tuple[str, Count]]:
        """Every count of every run, with the run's name."""
        runs = [
            (f"{storage} {number}", run)
            for number, one in enumerate(self.rounds, 1)
            for storage, run in one.commands.items()
        ]
        runs += [(f"{storage} by step", run) for storage, run in self.instrumented.items()]
        return [(name, count) for name, run in runs for count in run.counts]

    def as_json(self) -> dict[str, Any]:
        """All figures, unrounded."""
        return {
            "title": self.title,
            "machine": self.machine,
            "commits": len(self.truth.commits),
            "commits_lacking_objects": len(self.truth.marred),
            "rounds": [
                asdict(one)
                | {"floor_wall_seconds": one.floor_wall, "floor_cpu_seconds": one.floor_cpu}
                | {"ratios": {storage: one.ratio(storage) for storage in one.commands}}
                for one in self.rounds
            ],
            "instrumented": {storage: asdict(run) for storage, run in self.instrumented.items()},
            "counts_hold": all(count.holds for _, count in self.counts),
        }


def run_benchmark(span: Span, *, repeat: int, by_step: bool) -> Results:
    """Measure `repeat` rounds, the floor and both storages in turn, then one instrumented run for each storage."""
    say("asking git what is there")
    truth = ask_git(span)
    results = Results(span, truth, _machine())
    say("reading the patches once, so that everybody finds them in memory")
    floor.git_patches(span, truth)
    for number in range(1, repeat + 1):
        results.rounds.append(_round(span, truth, f"round {number} of {repeat}: "))
    for storage in STORAGES if by_step else ():
        say(f"by step: {COMMAND_NAMES[storage]}")
        with scratch_folder() as folder:
            results.instrumented[storage] = run_command(span, truth, storage, folder, instrumented=True)
    return results


def _round(span: Span, truth: Truth, prefix: str) -> Round:
    say(f"{prefix}git's patches")
    stream, apart = floor.git_patches(span, truth), floor.git_patches_apart(span, truth)
    commands: dict[Storage, CommandRun] = {}
    say(f"{prefix}four empty assets")
    with scratch_folder() as folder:
        empty = floor.empty_run(span, folder)
    for storage in STORAGES:
        say(f"{prefix}{COMMAND_NAMES[storage]}")
        with scratch_folder() as folder:
            commands[storage] = run_command(span, truth, storage, folder)
    return Round(stream, apart, empty, commands)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="digest-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f} before it began" if hasattr(os, "getloadavg") else ""
    versions = (
        f"Python {platform.python_version()}",
        f"Dagster {dagster.__version__}",
        f"DuckDB {duckdb.__version__}",
        git(Path(), "--version").decode().strip(),
    )
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}{load}; {', '.join(versions)}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError(f'"{name}" is no time zone, such as Asia/Shanghai') from None


def arguments_for(parser: argparse.ArgumentParser) -> None:
    """What is measured, how often, and where the figures go: the same for every benchmark of a history."""
    environ = os.environ
    parser.epilog = (
        "The environment may name what is measured as well: BENCH_REPO, BENCH_BRANCH, BENCH_TIMEZONE, "
        "BENCH_FROM, BENCH_TO."
    )
    parser.add_argument(
        "--repo",
        type=Path,
        default=environ.get("BENCH_REPO"),
        help="a local repository; default: this clone, or an invented history where no day of it is over",
    )
    parser.add_argument(
        "--branch", default=environ.get("BENCH_BRANCH"), help="default: the one that is checked out"
    )
    parser.add_argument(
        "--timezone", type=_zone, default=environ.get("BENCH_TIMEZONE", "UTC"), help="default: UTC"
    )
    parser.add_argument(
        "--from",
        dest="first",
        type=date.fromisoformat,
        default=environ.get("BENCH_FROM"),
        help="default: the first day of the history",
    )
    parser.add_argument(
        "--to",
        dest="last",
        type=date.fromisoformat,
        default=environ.get("BENCH_TO"),
        help="default: its last day, at most yesterday",
    )
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="how many rounds; default: 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history",
        description="Measure `digest run` over a whole history, beside the least that it could take.",
    )
    arguments_for(parser)
    parser.add_argument("--no-steps", action="store_true", help="leave out the two instrumented runs")
    return parser.parse_args(arguments)


def span_of(chosen: argparse.Namespace, folder: Path, *, least_days: int = 1) -> Span:
    """What was asked for; without a repository this clone, or an invented history where that has fewer days.

    Raises Unmeasurable.
    """
    days = (chosen.branch, chosen.timezone, chosen.first, chosen.last)
    if chosen.repo is not None:
        return choose_span(chosen.repo.expanduser().absolute(), *days)
    clone = Path(__file__).parents[1]
    try:
        span = choose_span(clone, *days)
    except Unmeasurable as error:
        if days != (None, ZoneInfo("UTC"), None, None):
            raise
        complaint = str(error)
    else:
        if span.days >= least_days:
            return span
        complaint = f"{clone} has {span.days} days, and {least_days} are needed"
    say(f"{complaint}; measuring an invented history instead")
    made = invented.make_repository(folder / "invented.git", days=max(least_days, invented.DAYS))
    return choose_span(made, *days)


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    results = run_benchmark(span_of(chosen, folder), repeat=max(chosen.repeat, 1), by_step=False)
    over = f"{results.span}, {len(results.truth.commits):,} commits"
    return Measured(over, list(_figures(results)))


def _figures(results: Results) -> Iterator[Figure]:
    rounds = results.rounds
    floor_wall, floor_cpu = (
        statistics.median(figures)
        for figures in ([one.floor_wall for one in rounds], [one.floor_cpu for one in rounds])
    )
    beside = "git's patches and Dagster's empty assets"
    for storage in STORAGES:
        runs = [one.commands[storage].measured for one in rounds]
        name = COMMAND_NAMES[storage]
        wall, cpu = (
            statistics.median(one.wall_seconds for one in runs),
            statistics.median(one.cpu_seconds for one in runs),
        )
        yield Figure.at_most(WANTED_RATIO[storage], "history", name, wall, "s", beside, floor_wall)
        yield Figure("history", f"{name}: CPU time", cpu, "s", beside, floor_cpu)
        peaks = [one.peak_bytes for one in runs if one.peak_bytes is not None]
        if peaks:
            peak = f"{name}: peak memory"
            yield Figure.at_most(MEMORY_LIMIT_MB, "history", peak, max(peaks) / 1e6, "MB")
    broken = sum(not count.holds for _, count in results.counts)
    yield Figure.none("history", "counts of commits, pages and events that do not hold", broken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code: 0, 1 where a count does not hold, 2 where nothing can be measured."""
    chosen = _arguments(arguments)
    try:
        with scratch_folder() as folder:
            span = span_of(chosen, folder)
            results = run_benchmark(span, repeat=max(chosen.repeat, 1), by_step=not chosen.no_steps)
    except Unmeasurable as error:
        say(f"bench: {error}")
        return 2
    except RuntimeError as error:
        say(f"bench: {error}")
        return 1
    print_results(results)
    if chosen.json:
        chosen.json.write_text(json.dumps(results.as_json(), indent=2) + "\n", encoding="utf-8")
    broken = [f"{run}: {count.what}" for run, count in results.counts if not count.holds]
    if broken:
        say("bench: these counts do not hold: " + "; ".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
