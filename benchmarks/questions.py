"""How long the questions in `sql/queries/` take over a history of many commits, beside the least that any takes.

`python -m benchmarks.questions --commits 20000`, or `make bench-questions ARGS="…"`. Each is asked over an open
connection, with its own defaults, and where these are some days of the history, about all days as well. The floor is
`SELECT count(*)` over `commit_log`. Exits 1 where the p95 of a question with its defaults exceeds 100 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.stored import make_store
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import bound, questions

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

WANTED_MS = 100
_FLOOR = "SELECT count(*) FROM commit_log"
_ZONE = ZoneInfo("UTC")
_ALL_DAYS = ", all days"


def main() -> int:
    """Make the history, ask, print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="digest-questions-") as folder:
        data_dir = Path(folder)
        make_store(data_dir, _ZONE, options.commits)
        with open_history(Place(data_dir), _ZONE) as connection:
            return _measure(connection, options.commits, options.rounds)


def _measure(connection: duckdb.DuckDBPyConnection, commits: int, rounds: int) -> int:
    asks: dict[str, Callable[[], int]] = {
        "floor: count(*)": lambda: len(connection.execute(_FLOOR).fetchall())
    }
    for label, name, given in _asked(connection):
        asks[label] = _asking(connection, name, given)
    found = {label: ask() for label, ask in asks.items()}
    taken: dict[str, list[float]] = {label: [] for label in asks}
    worked: dict[str, list[float]] = {label: [] for label in asks}
    # Round by round, so that a busy minute of the machine falls on all of them.
    for _ in range(rounds):
        for label, ask in asks.items():
            began, before = time.perf_counter(), time.process_time()
            ask()
            worked[label].append((time.process_time() - before) * 1000)
            taken[label].append((time.perf_counter() - began) * 1000)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("question")
    for column in ("rows", "p50 ms", "p95 ms", "× floor", "CPU ms"):
        table.add_column(column, justify="right")
    floor = statistics.median(next(iter(taken.values())))
    over: list[str] = []
    is_below = False
    for label, times in taken.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        if label.endswith(_ALL_DAYS) and not is_below:
            table.add_section()
            is_below = True
        if p95 > WANTED_MS and not is_below:
            over.append(label)
        table.add_row(
            label,
            f"{found[label]:,}",
            f"{p50:.1f}",
            f"[red]{p95:.1f}[/red]" if p95 > WANTED_MS else f"{p95:.1f}",
            f"{p50 / floor:.1f}",
            f"{statistics.median(worked[label]):.1f}",
        )
    console = Console(width=110, highlight=False)
    load = os.getloadavg()[0]
    console.print(f"{commits:,} commits, {rounds} rounds, {os.cpu_count()} cores, load {load:.1f}")
    console.print(table)
    console.print(f"over {WANTED_MS} ms: {', '.join(over) or 'none'}")
    return 1 if over else 0


def _asked(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, dict[str, str]]]:
    """Each question with its defaults, the search more than once; then those of some days, about all of them."""
    row = connection.execute(
        "SELECT sha, author_name, pull_request FROM commit_log ORDER BY day DESC, position OFFSET 700 LIMIT 1"
    ).fetchone()
    assert row is not None  # noqa: S101 - the history was just made
    needed = {
        "sha": row[0],
        "author": row[1],
        "number": str(row[2]),
        "path": "lib/queue%",
        "since": "30d",
        "words": "cache_pool",
    }
    asked = [
        (name, name, {one.name: needed[one.name] for one in question.parameters if one.default is None})
        for name, question in questions().items()
    ]
    some_days = [
        (f"{label}{_ALL_DAYS}", name, given | {one.name: "oldest"})
        for label, name, given in asked
        for one in questions()[name].parameters
        if one.name in {"since", "first"} and one.default != "oldest"
    ]
    more = {
        "search: rare": "cursor_schema planner_log",
        "search: Chinese": "令牌 路由器",
        "search: nothing": "nowhere",
        "search: a key's name": "performance",
        "search: in nearly all": "lease",
    }
    asked += [(label, "search", {"words": words}) for label, words in more.items()]
    asked.append(("whats_new: since a commit", "whats_new", {"since": row[0]}))
    return asked + some_days


def _asking(connection: duckdb.DuckDBPyConnection, name: str, given: dict[str, str]) -> Callable[[], int]:
    asked = questions()[name]
    return lambda: len(connection.execute(asked.sql, bound(connection, asked, given)).fetchall())


if __name__ == "__main__":
    sys.exit(main())
