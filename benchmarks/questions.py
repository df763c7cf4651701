"""How long the questions in `sql/queries/` take over a history of many commits, beside the least that any takes.

`python -m benchmarks.questions --commits 1000000`, or `make bench-questions ARGS="…"`. Each is asked again and again
over an open connection, with other values each time: another commit, author, path, number, words, one repository
instead of all. What it need not be told has its own default. The floor is `SELECT count(*)` over `commit_log`. Beside
it stands what `digest sql --query` takes, a process of its own, and what DuckDB held in memory. Below come the
questions about some days or commits, asked about all; nothing is wanted of them.

Wanted of the p95: 100 ms up to 20,000 commits, a second up to a million. Exits 1 where one takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bulk import make_many
from benchmarks.command import environment
from benchmarks.figures import Figure, Measured, say
from benchmarks.stored import WORDS, make_store
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import answer, bound, questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    Given = dict[str, str]

FEW, MANY = 20_000, 1_000_000
WANTED_MS = {FEW: 100, MANY: 1000}
ROUNDS = {FEW: 40, MANY: 12}
"""Of twelve askings the slowest but one is the p95, more or less: a hiccup of the machine, and not the question. Over a
million commits forty would take ten minutes."""

ALL_DAYS_ROUNDS = 3
"""Fewer: over a million commits one takes some seconds."""

_BULK_FROM = 100_000
"""Of so many commits the rows are made inside of DuckDB."""

_FLOOR = "SELECT count(*) FROM commit_log"
_ZONE = ZoneInfo("UTC")
_ALL_DAYS = ", all days"


@dataclass(slots=True)
class Taken:
    """What one question took, asking by asking: milliseconds by the clock and of the processor."""

    name: str
    rows: int = 0
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    cold_ms: float | None = None

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.wall_ms)

    @property
    def p95(self) -> float:
        """The ninety-fifth of a hundred."""
        return (
            statistics.quantiles(self.wall_ms, n=20, method="inclusive")[-1]
            if len(self.wall_ms) > 1
            else self.p50
        )


def main() -> int:
    """Make the history, ask, print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=FEW, help=f"default: {FEW:,}")
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"askings of each; default: {ROUNDS[FEW]} up to {FEW:,} commits, else {ROUNDS[MANY]}",
    )
    parser.add_argument(
        "--all-days",
        type=int,
        default=ALL_DAYS_ROUNDS,
        help=f"askings about all days; default: {ALL_DAYS_ROUNDS}",
    )
    parser.add_argument(
        "--warm", action="store_true", help="leave out digest sql, a process for each question"
    )
    parser.add_argument("--only", default="", metavar="NAME,…", help="some of the questions")
    parser.add_argument("--data", type=Path, help="a folder in which the history is kept, or is already")
    options = parser.parse_args()
    rounds = options.rounds or ROUNDS[FEW if options.commits <= FEW else MANY]
    with tempfile.TemporaryDirectory(prefix="digest-questions-") as folder:
        only = [name for name in options.only.split(",") if name]
        found = measure(
            options.data or Path(folder),
            options.commits,
            rounds,
            only,
            all_days=options.all_days,
            cold=not options.warm,
        )
    return _print(found, options.commits, rounds)


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`: the slowest questions of both sizes, and how many are over."""
    del chosen
    figures: list[Figure] = []
    for commits, wanted in WANTED_MS.items():
        say(f"questions over {commits:,} commits")
        floor, *asked = measure(folder / f"{commits}", commits, ROUNDS[commits])
        asked.sort(key=lambda one: one.p95, reverse=True)
        over = f"{commits:,} commits"
        for one in asked[:5]:
            for name, value in (("p50", one.p50), ("p95", one.p95)):
                figures.append(
                    Figure(
                        "questions",
                        f"{one.name}, {name}, {over}",
                        value,
                        "ms",
                        "count(*)",
                        floor.p50,
                        wanted=f"at most {wanted} ms",
                        held=value <= wanted,
                    )
                )
        slowest_cold = max(asked, key=lambda one: one.cold_ms or 0)
        figures.append(
            Figure(
                "questions",
                f"digest sql --query {slowest_cold.name}, {over}",
                slowest_cold.cold_ms or 0,
                "ms",
                "asked over an open connection",
                slowest_cold.p50,
            )
        )
        largest = max(asked, key=lambda one: one.peak_mb)
        figures.append(Figure("questions", f"most memory, {largest.name}, {over}", largest.peak_mb, "MB"))
        late = sum(one.p95 > wanted for one in asked)
        figures.append(
            Figure.none("questions", f"of {len(asked)} askings over {wanted} ms at p95, {over}", late)
        )
    return Measured(
        f"{FEW:,} commits of 3 repositories, {ROUNDS[FEW]} askings of each, and {MANY:,} of 50, {ROUNDS[MANY]} of each",
        figures,
    )


def measure(
    data_dir: Path,
    commits: int,
    rounds: int,
    only: Sequence[str] = (),
    *,
    all_days: int = 0,
    cold: bool = True,
) -> list[Taken]:
    """The floor, then each question; round by round, so that a busy minute of the machine falls on all."""
    if not Place(data_dir).catalog_path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        (make_store if commits < _BULK_FROM else make_many)(data_dir, _ZONE, commits)
    with open_history(Place(data_dir), _ZONE) as connection:
        asked = [
            one
            for one in _asked(connection, rounds)
            if (not only or one[1] in only) and (all_days > 0 or not one[0].endswith(_ALL_DAYS))
        ]
        found = {"floor: count(*)": Taken("floor: count(*)")} | {label: Taken(label) for label, *_ in asked}
        for number in range(rounds + 1):
            _ask(connection, found["floor: count(*)"], _FLOOR, {}, counts=number > 0)
            for label, name, values in asked:
                if number > all_days and label.endswith(_ALL_DAYS):
                    continue
                # The first asking warms up, and says what it holds in memory, over a connection of its own.
                if number == 0:
                    _profile(data_dir, found[label], name, values[0])
                else:
                    _ask_by_name(connection, found[label], name, values[number % rounds])
    settings = data_dir / "digest.toml"
    lines = [
        'timezone = "UTC"',
        "first_day = 2020-01-01",
        f"data_dir = {json.dumps(str(data_dir.absolute()))}",
        "[[repos]]",
        'name = "octo/engine"',
        'url = "nowhere"',
    ]
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for label, name, values in asked:
        if cold and not label.endswith(_ALL_DAYS):
            found[label].cold_ms = _cold(settings, name, values[0])
    return list(found.values())


def _ask_by_name(connection: duckdb.DuckDBPyConnection, taken: Taken, name: str, given: Given) -> None:
    question = questions()[name]
    began, before = time.perf_counter(), time.process_time()
    _, rows = answer(connection, question, given)
    taken.cpu_ms.append((time.process_time() - before) * 1000)
    taken.wall_ms.append((time.perf_counter() - began) * 1000)
    taken.rows = max(taken.rows, len(rows))


def _ask(
    connection: duckdb.DuckDBPyConnection, taken: Taken, sql: str, given: Given, *, counts: bool
) -> None:
    began, before = time.perf_counter(), time.process_time()
    taken.rows = len(connection.execute(sql, given).fetchall())
    if counts:
        taken.cpu_ms.append((time.process_time() - before) * 1000)
        taken.wall_ms.append((time.perf_counter() - began) * 1000)


def _profile(data_dir: Path, taken: Taken, name: str, given: Given) -> None:
    question = questions()[name]
    with (
        tempfile.NamedTemporaryFile(suffix=".json") as file,
        open_history(Place(data_dir), _ZONE) as connection,
    ):
        values = bound(connection, question, given)
        connection.execute("PRAGMA enable_profiling = 'json'")
        connection.execute(f"SET profiling_output = '{file.name}'")
        connection.execute(question.sql, values).fetchall()
        connection.execute("PRAGMA disable_profiling")
        taken.peak_mb = json.loads(Path(file.name).read_bytes()).get("system_peak_buffer_memory", 0) / 1e6


def _cold(settings: Path, name: str, given: Given) -> float:
    command = [
        sys.executable,
        "-m",
        "digest_pipeline",
        "sql",
        "--query",
        name,
        "--config",
        str(settings),
        "-f",
        "csv",
    ]
    for key, value in given.items():
        command += ["--param", f"{key}={value}"]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        raise RuntimeError(f"digest sql --query {name} exited {done.returncode}: {done.stderr.strip()}")
    return (time.perf_counter() - began) * 1000


def _asked(connection: duckdb.DuckDBPyConnection, rounds: int) -> list[tuple[str, str, list[Given]]]:
    """Each question with values for each round; the search more than once; then those of some days, about all."""
    chance = random.Random(0)  # noqa: S311 - the same askings every time are the point
    needed = [dict(zip(_NEEDED, one, strict=True)) for one in _values(connection, chance, rounds)]
    repos = [row[0] for row in connection.execute("SELECT DISTINCT repo FROM reads ORDER BY repo").fetchall()]

    def given(name: str, number: int, more: Given) -> Given:
        parameters = questions()[name].parameters
        found = {one.name: needed[number][one.name] for one in parameters if one.default is None}
        # Two of three askings are about all repositories, as nobody says otherwise.
        if number % 3 == 2 and any(one.name == "repo" and one.default == "%" for one in parameters):
            found["repo"] = repos[number % len(repos)]
        return found | more

    labels: list[tuple[str, str, list[Given]]] = [(name, name, [{}] * rounds) for name in questions()]
    labels += [
        ("search: rare", "search", [{"words": " ".join(chance.sample(WORDS, 2))} for _ in range(rounds)]),
        ("search: Chinese", "search", [{"words": "令牌 路由器"}] * rounds),
        ("search: nothing", "search", [{"words": "nowhere"}] * rounds),
        ("search: a key's name", "search", [{"words": "performance"}] * rounds),
        ("search: in nearly all", "search", [{"words": "lease"}] * rounds),
        ("whats_new: since a commit", "whats_new", [{"since": one["sha"]} for one in needed]),
        ("whats_new: high, 90 days", "whats_new", [{"since": "90d", "tier": "high"}] * rounds),
    ]
    asked = [
        (label, name, [given(name, number, one) for number, one in enumerate(more)])
        for label, name, more in labels
    ]
    all_days = [
        (f"{label}{_ALL_DAYS}", name, [one | {parameter.name: "oldest"} for one in values])
        for label, name, values in asked
        for parameter in questions()[name].parameters
        if label == name and parameter.name in {"since", "first"} and parameter.default != "oldest"
    ]
    return asked + all_days


_NEEDED = ("sha", "author", "number", "path", "since", "words")


def _values(
    connection: duckdb.DuckDBPyConnection, chance: random.Random, rounds: int
) -> Iterator[tuple[str, ...]]:
    """Values of `_NEEDED`, from all over the history: commits, people, files and folders."""
    commits = connection.execute(
        "SELECT sha, author_name, pull_request FROM branch_log ORDER BY hash(sha) LIMIT $rounds",
        {"rounds": rounds},
    ).fetchall()
    paths = connection.execute(
        "SELECT path FROM commit_files WHERE position = 0 AND sha IN "
        "(SELECT sha FROM branch_log ORDER BY hash(sha) LIMIT $rounds) ORDER BY hash(sha)",
        {"rounds": rounds},
    ).fetchall()
    for number, ((sha, author, pull_request), (path,)) in enumerate(zip(commits, paths, strict=True)):
        asked = (path, path.rpartition("/")[0], f"{path.split('_')[0]}%")[number % 3]
        yield sha, author, str(pull_request), asked, f"{7 * (number + 1)}d", chance.choice(WORDS)


def _print(found: Sequence[Taken], commits: int, rounds: int) -> int:
    wanted = next((wanted for most, wanted in WANTED_MS.items() if commits <= most), None)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("question")
    for column in ("rows", "p50 ms", "p95 ms", "wanted", "× floor", "CPU ms", "digest sql ms", "peak MB"):
        table.add_column(column, justify="right", no_wrap=True)
    floor, *asked = found
    over: list[str] = []
    is_below = False
    for one in (floor, *asked):
        if one.name.endswith(_ALL_DAYS) and not is_below:
            table.add_section()
            is_below = True
        is_over = wanted is not None and not is_below and one.p95 > wanted
        if is_over:
            over.append(one.name)
        table.add_row(
            one.name,
            f"{one.rows:,}",
            f"{one.p50:.1f}",
            f"[red]{one.p95:.1f}[/red]" if is_over else f"{one.p95:.1f}",
            "" if is_below or wanted is None else f"{wanted}",
            f"{one.p50 / floor.p50:.1f}",
            f"{statistics.median(one.cpu_ms):.1f}",
            "" if one.cold_ms is None else f"{one.cold_ms:.0f}",
            f"{one.peak_mb:.0f}",
        )
    console = Console(width=130, highlight=False)
    load = os.getloadavg()[0]
    console.print(f"{commits:,} commits, {rounds} askings of each, {os.cpu_count()} cores, load {load:.1f}")
    console.print(table)
    if wanted is not None:
        console.print(f"over {wanted} ms: {', '.join(over) or 'none'}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
