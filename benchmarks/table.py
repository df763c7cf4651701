"""The figures as tables that a person reads."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.command import STORAGES
from benchmarks.steps import KINDS, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.command import CommandRun, Count, Storage
    from benchmarks.history import Results, Round

MEMORY_LIMIT_MB = 600
WANTED_RATIO: dict[Storage, float] = {"batches": 1.0, "stock": 1.5}
COMMAND_NAMES: dict[Storage, str] = {
    "batches": "digest run, events in batches",
    "stock": "digest run, stock event storage",
}
_STEP_NAMES = {
    "start-up": "start-up",
    "events": "events (each stored by Dagster)",
    "checks": "asset checks",
    "Dagster": "Dagster around it (plan, outputs)",
    "end": "the end (closing, printing)",
}


def print_results(results: Results) -> None:
    """Everything, on stdout."""
    console = Console(highlight=False, width=100)
    console.print(f"[bold]{results.title}[/bold]")
    console.print(results.machine)
    console.print()
    console.print(_times(results.rounds))
    _print_notes(console, results)
    for storage in STORAGES:
        if storage in results.instrumented:
            console.print()
            console.print(_steps(results.instrumented[storage]))
            _print_step_notes(console, results.instrumented[storage])
    console.print()
    console.print(_counts(results.counts))


def _times(rounds: Sequence[Round]) -> Table:
    spread = len(rounds) > 1
    table = Table(box=box.SIMPLE_HEAD, title="Time and memory", title_justify="left")
    table.add_column("")
    for name in ("wall s", "min", "max") if spread else ("wall s",):
        table.add_column(name, justify="right")
    table.add_column("CPU s", justify="right")
    table.add_column("peak MB", justify="right")

    def row(name: str, wall: Callable[[Round], float], cpu: Callable[[Round], float], peak: str = "") -> None:
        walls = [wall(one) for one in rounds]
        figures = [statistics.median(walls), min(walls), max(walls)][: 3 if spread else 1]
        spent = statistics.median(cpu(one) for one in rounds)
        table.add_row(name, *(f"{figure:.1f}" for figure in figures), f"{spent:.1f}", peak)

    row("git diff-tree --stdin -p -M", lambda one: one.git.wall_seconds, lambda one: one.git.cpu_seconds)
    row(
        "four empty assets, stock SQLite",
        lambda one: one.empty.wall_seconds,
        lambda one: one.empty.cpu_seconds,
    )
    row("[bold]floor[/bold] (their sum)", lambda one: one.floor_wall, lambda one: one.floor_cpu)
    table.add_section()
    for storage in STORAGES:
        row(
            COMMAND_NAMES[storage],
            lambda one, storage=storage: one.commands[storage].measured.wall_seconds,  # type: ignore[misc]
            lambda one, storage=storage: one.commands[storage].measured.cpu_seconds,  # type: ignore[misc]
            _peak([one.commands[storage] for one in rounds]),
        )
    table.add_section()
    for storage in STORAGES:
        ratios = [one.ratio(storage) for one in rounds]
        figures = [statistics.median(ratios), min(ratios), max(ratios)][: 3 if spread else 1]
        wanted = WANTED_RATIO[storage]
        verdict = "[green]met[/green]" if figures[0] <= wanted else "[red]over[/red]"
        cpu = statistics.median(one.cpu_ratio(storage) for one in rounds)
        table.add_row(
            f"[bold]wall / floor[/bold], {COMMAND_NAMES[storage].partition(', ')[2]}\n"
            f"  wanted: at most {wanted} · {verdict}",
            *(f"[bold]{figure:.2f}[/bold]" for figure in figures),
            f"{cpu:.2f}",
        )
    return table


def _peak(runs: Sequence[CommandRun]) -> str:
    peaks = [run.measured.peak_bytes for run in runs if run.measured.peak_bytes is not None]
    return f"{max(peaks) / 1e6:.0f}" if peaks else "not measured"


def _print_notes(console: Console, results: Results) -> None:
    apart = results.rounds[0].git_apart
    marred = len(results.truth.marred)
    if marred:
        console.print(
            f"{marred} commits lack objects and would end git's stream: each was fed to a git of its own "
            f"({apart.wall_seconds:.1f} s together, not in the floor)."
        )
    first = results.rounds[0]
    console.print(
        f"Events in Dagster's index: {first.empty.events:,} of the empty assets, "
        f"{first.commands['batches'].events:,} of the command, which has a digest and checks as well."
    )
    console.print(
        f"Peak: highest sum of private pages over the process tree, wanted below {MEMORY_LIMIT_MB} MB."
        if _peak(list(results.rounds[0].commands.values())) != "not measured"
        else "Memory is measured on Linux only."
    )


def _steps(run: CommandRun) -> Table:
    assert run.steps is not None  # noqa: S101 - it was instrumented
    steps = run.steps["steps"]
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"Where the time goes: {COMMAND_NAMES[run.storage]}",
        title_justify="left",
        show_footer=True,
    )
    total = {kind: sum(steps[step][kind] for step in STEPS) for kind in KINDS}
    table.add_column("step", footer="sum")
    table.add_column("seconds", justify="right", footer=f"{sum(total.values()):.1f}")
    for kind in KINDS:
        table.add_column(kind, justify="right", footer=_seconds(total[kind]))
    for step in STEPS:
        kinds = steps[step]
        table.add_row(
            _STEP_NAMES.get(step, step),
            f"{sum(kinds.values()):.1f}",
            *(_seconds(kinds[kind]) for kind in KINDS),
        )
    return table


def _print_step_notes(console: Console, run: CommandRun) -> None:
    assert run.steps is not None  # noqa: S101 - it was instrumented
    console.print(
        f"A pass of its own with a stopwatch around the product's functions; it took {run.measured.wall_seconds:.1f} s."
    )
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in run.steps["start_up"].items())
    console.print(f"Start-up: {parts}.")
    if run.steps["beside"]:
        beside = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in run.steps["beside"].items())
        console.print(f"In other threads meanwhile, not in the sum: {beside}.")


def _counts(counts: Sequence[tuple[str, Count]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Counts that must hold, after every run", title_justify="left")
    table.add_column("")
    table.add_column("found", justify="right")
    table.add_column("wanted", justify="right")
    table.add_column("")
    for what in dict.fromkeys(count.what for _, count in counts):
        same = [(run, count) for run, count in counts if count.what == what]
        found = sorted({count.found for _, count in same})
        broken = [run for run, count in same if not count.holds]
        table.add_row(
            what,
            " / ".join(f"{number:,}" for number in found),
            f"{same[0][1].wanted:,}",
            f"[red]broken: {', '.join(broken)}[/red]" if broken else "[green]holds[/green]",
        )
    return table


def _seconds(figure: float) -> str:
    return f"{figure:.1f}" if figure >= 0.05 else "·"
