"""How long the commands take before and beside their work: help, loading the code location, a small day from nothing.

`python -m benchmarks.startup`, or a part of `make bench`. Each figure stands beside what any such program would
take: a bare Python, typer, DuckDB or Dagster imported and nothing more. All are measured in turn, round by round, as
processes of their own; the day is the one whose number of commits is nearest to nineteen. Wanted: `digest --help`
within 0.3 s, a day from nothing within three. Exits 1 where one takes longer.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.command import environment, tail
from benchmarks.figures import Figure, Measured, missed, print_figures, say
from benchmarks.history import arguments_for, scratch_folder
from benchmarks.invented import BRANCH, make_repository
from benchmarks.measure import measure
from benchmarks.repository import Span, Unmeasurable, choose_span, commits_by_day

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

ROUNDS = 5
HELP_SECONDS = 0.3
DAY_SECONDS = 3.0
_COMMITS = 19
_MOST_PACKAGES = 12

_PYTHON, _TYPER, _DUCKDB, _DAGSTER = (
    "python -c pass",
    "python -c 'import typer'",
    "python -c 'import duckdb'",
    "python -c 'import dagster'",
)
_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +([A-Za-z_]\w*)")


@dataclass(slots=True)
class Command:
    """One command line, what it stands beside, and what it took; `fresh` is run in a new data folder each time."""

    name: str
    arguments: Sequence[str]
    beside: str = ""
    wanted: float | None = None
    fresh: bool = False
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def median(self) -> float:
        """Seconds by the clock."""
        return statistics.median(self.seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, 1 where something is not as it is wanted, 2 where nothing can be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    arguments_for(parser)
    parser.set_defaults(repeat=ROUNDS)
    chosen = parser.parse_args(arguments)
    try:
        with scratch_folder() as folder:
            measured = bench(chosen, folder)
    except Unmeasurable as error:
        say(f"startup: {error}")
        return 2
    print_figures(measured.figures)
    print(measured.over)
    return 1 if missed(measured.figures) else 0


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    span, busy, empty, commits = _days(chosen, folder)
    config = folder / "digest.toml"
    config.write_text(span.settings(folder / "data"), encoding="utf-8")
    commands = {one.name: one for one in _commands(config, busy, empty)}
    rounds = max(ROUNDS, chosen.repeat)
    for number in range(rounds + 1):
        say(f"start-up: round {number} of {rounds}" if number else "start-up: once, to have all in memory")
        for one in commands.values():
            _run(one, folder)
            if number == 0:
                one.seconds.clear()
                one.cpu_seconds.clear()
    figures = [_figure(one, commands) for one in commands.values()]
    for one in commands.values():
        # By the processor, which other users of the machine disturb less; nothing is wanted of it.
        if one.wanted is not None:
            peer = commands[one.beside]
            figures.append(
                Figure(
                    "start-up", f"{one.name}, of the processor", statistics.median(one.cpu_seconds), "s",
                    one.beside, statistics.median(peer.cpu_seconds),
                )
            )  # fmt: skip
    figures += [_largest("digest --help", ["digest_pipeline", "--help"], config)]
    figures += [_largest("the code location", None, config)]
    return Measured(
        f"{busy}, {commits} commits, and {empty}, none, of {span.path.name}; {rounds} rounds", figures
    )


def _commands(config: Path, busy: date, empty: date) -> list[Command]:
    digest = ["-m", "digest_pipeline"]
    at = ["--config", str(config)]

    def run(day: date) -> list[str]:
        return [*digest, "run", "--day", f"{day}", *at]

    return [
        Command(_PYTHON, ["-c", "pass"]),
        Command(_TYPER, ["-c", "import typer"]),
        Command(_DUCKDB, ["-c", "import duckdb"]),
        Command(_DAGSTER, ["-c", "import dagster"]),
        Command("digest --help", [*digest, "--help"], _TYPER, HELP_SECONDS),
        Command(f"digest run, {busy}, from nothing", run(busy), _DAGSTER, DAY_SECONDS, fresh=True),
        Command(f"digest run, {busy}, again", run(busy), _DAGSTER),
        Command(f"digest run, {empty}, without a commit", run(empty), _DAGSTER),
        Command("digest sql 'SELECT 1'", [*digest, "sql", "SELECT 1", *at], _DUCKDB),
        Command("digest status", [*digest, "status", *at], _DUCKDB),
        Command("loading the code location", ["-c", "from digest_pipeline.definitions import defs"], _DAGSTER),
    ]  # fmt: skip


def _run(one: Command, folder: Path) -> None:
    if one.fresh:
        shutil.rmtree(folder / "data", ignore_errors=True)
    errors = folder / "stderr"
    environ = environment(DIGEST_CONFIG=str(folder / "digest.toml"))
    # What was compiled once is kept, as everywhere; some build machines say otherwise.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measured = measure(
        [sys.executable, *one.arguments],
        environ=environ,
        cwd=folder,
        stdout=folder / "stdout",
        stderr=errors,
    )
    if measured.exit_code != 0:
        raise RuntimeError(f"{one.name} exited {measured.exit_code}:\n{tail(errors)}")
    one.seconds.append(measured.wall_seconds)
    one.cpu_seconds.append(measured.cpu_seconds)
    one.peak_mb = max(one.peak_mb, (measured.peak_bytes or 0) / 1e6)


def _figure(one: Command, commands: dict[str, Command]) -> Figure:
    beside = commands[one.beside].median if one.beside else None
    if one.wanted is None:
        return Figure("start-up", one.name, one.median, "s", one.beside, beside)
    return Figure(
        "start-up", one.name, one.median, "s", one.beside, beside,
        wanted=f"at most {one.wanted:g} s", held=one.median <= one.wanted,
    )  # fmt: skip


def _largest(what: str, module: Sequence[str] | None, config: Path) -> Figure:
    """How long its imports take, with the packages that take most of it in the name."""
    command = (
        ["-m", *module] if module is not None else ["-c", "from digest_pipeline.definitions import defs"]
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        check=True,
        capture_output=True,
        text=True,
        env=environment(DIGEST_CONFIG=str(config)),
    )
    spent: Counter[str] = Counter()
    for found in _IMPORTED.finditer(done.stderr):
        spent[found[2]] += int(found[1])
    most = ", ".join(
        f"{name} {100 * part / spent.total():.0f} %" for name, part in spent.most_common(_MOST_PACKAGES)
    )
    return Figure("start-up", f"imports of {what}: {most}", spent.total() / 1e6, "s")


def _days(chosen: argparse.Namespace, folder: Path) -> tuple[Span, date, date, int]:
    """The span, its day with some nineteen commits, one without any, and how many the first has."""
    if chosen.repo is None:
        span = choose_span(make_repository(folder / "repository"), BRANCH, chosen.timezone, None, None)
    else:
        span = choose_span(chosen.repo, chosen.branch, chosen.timezone, chosen.first, chosen.last)
    counted = commits_by_day(span.path, span.branch, span.timezone)
    days = [span.first + timedelta(days=number) for number in range(span.days)]
    busy = min(days, key=lambda day: abs(counted[day] - _COMMITS))
    # Where each day has commits, the settings begin a day before the first.
    empty = next((day for day in days if not counted[day]), span.first - timedelta(days=1))
    begins = min(span.first, empty)
    return Span(span.path, span.branch, span.timezone, begins, span.last), busy, empty, counted[busy]


if __name__ == "__main__":
    sys.exit(main())
