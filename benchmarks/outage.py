"""The replay of an outage: twenty days of a real repository, a key that dies on the fifth and is back on the fifteenth.

`python -m benchmarks.outage [--repo PATH] [--seeds N]`, or `make bench-outage ARGS="…"`. What runs is the pipeline
over a real store; clock, network and failures are simulated from a seed (`benchmarks.replay`). Invariants are
checked at every step; one that does not hold names its seed, and the exit code is 1. A quarter of the time is spent
waiting for the disk: `TMPDIR=/dev/shm` spares it.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from benchmarks.replay import COMES_BACK, DAYS, DIES, Result, Template, make_template, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLONE = Path(__file__).resolve().parent.parent


def run_seeds(
    template: Template, seeds: Sequence[int], folder: Path, workers: int
) -> tuple[list[Result], list[str]]:
    """What each seed came to, and a line for each that failed. Told on stderr as they come."""
    results: list[Result] = []
    broken: list[str] = []
    console = Console(stderr=True)
    with (
        # A forked child would inherit the locks of DuckDB's threads.
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar,
    ):
        task = bar.add_task("seeds", total=len(seeds))
        running: dict[Future[Result], int] = {
            pool.submit(_replay, template, seed, folder): seed for seed in seeds
        }
        for one in as_completed(running):
            seed = running[one]
            try:
                result = one.result()
            except Exception as error:  # noqa: BLE001 - whatever a seed found; the others go on
                line = f"{type(error).__name__}: {error}"
                broken.append(line if f"seed {seed}," in line else f"seed {seed}: {line}")
                console.print(broken[-1], style="red", soft_wrap=True)
            else:
                results.append(result)
                if not console.is_terminal:
                    console.print(_line(result), soft_wrap=True)
            bar.advance(task)
    return sorted(results, key=lambda one: one.seed), broken


def _replay(template: Template, seed: int, folder: Path) -> Result:
    # Garbage is collected between seeds: looking for it takes a tenth of the time, and a seed makes little.
    gc.collect()
    gc.disable()
    try:
        return replay(template, seed, folder)
    finally:
        gc.enable()


def _line(one: Result) -> str:
    return (
        f"seed {one.seed}: {one.commits} commits, {one.calls} calls, {one.probes} probes, "
        f"{one.healed} of {one.waited} pages healed, {one.cpu_seconds:.1f} s"
    )


def results_table(results: Sequence[Result], seeds: int) -> Table:
    """The figures of all seeds: the fewest and the most of one, and all together."""
    table = Table(box=box.MARKDOWN)
    table.add_column("in one seed, or in all")
    for column in ("fewest", "most", "all"):
        table.add_column(column, justify="right")
    table.add_row("seeds in which every invariant held", "", "", f"{len(results)} of {seeds}")
    for label, values, is_sum in (
        ("commits", [one.commits for one in results], True),
        ("calls", [one.calls for one in results], True),
        ("of them probes", [one.probes for one in results], True),
        ("most probes within half an hour", [one.most_probes for one in results], False),
        ("runs", [one.runs for one in results], True),
        ("commits analysed twice", [one.repeated for one in results], True),
        ("commits lost", [one.lost for one in results], True),
        ("pages that waited", [one.waited for one in results], True),
        ("of them healed", [one.healed for one in results], True),
        ("CPU seconds", [round(one.cpu_seconds) for one in results], True),
    ):
        if values:
            total = sum(values) if is_sum else max(values)
            table.add_row(label, f"{min(values):,}", f"{max(values):,}", f"{total:,}")
    return table


def main() -> int:
    """Replay the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, default=_CLONE, help="a clone; default: this one")
    parser.add_argument("--seeds", type=int, default=100, help="how many; default: 100")
    parser.add_argument("--first-seed", type=int, default=1, help="to replay one alone, with --seeds 1")
    parser.add_argument("--workers", type=int, default=2, help="processes; default: 2")
    arguments = parser.parse_args()
    started = time.monotonic()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    with tempfile.TemporaryDirectory(prefix="digest-outage-") as name:
        template = make_template(arguments.repo, Path(name) / "template")
        results, broken = run_seeds(template, seeds, Path(name), arguments.workers)
    first, last = min(template.commits), max(template.commits)
    console = Console(width=120)
    console.print(
        f"{template.repo}, {first} to {last}: {DAYS} days, the key is dead from day {DIES} to day {COMES_BACK}"
    )
    console.print(results_table(results, len(seeds)))
    console.print(f"{(time.monotonic() - started) / 60:.1f} min with {arguments.workers} processes")
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
