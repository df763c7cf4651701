"""What the run is compared with: git printing the same patches, and Dagster recording runs of nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import environment, events_in, stock_home, tail
from benchmarks.empty_assets import NAMES
from benchmarks.measure import measure, read_and_forget
from benchmarks.repository import FIRST_PARENT, REPO

if TYPE_CHECKING:
    from benchmarks.repository import Span, Truth


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and CPU seconds of one part of the floor, and how many events Dagster's index then holds."""

    wall_seconds: float
    cpu_seconds: float
    events: int = 0


def git_patches(span: Span, truth: Truth) -> Cost:
    """All patches as one stream; a commit that lacks objects would end it, and goes through a process of its own.

    Only the stream counts: what git does before it gives up on the others is work that nobody needs.
    """
    command = ["git", "-C", str(span.path), "diff-tree", "--stdin", "-p", "-M", *FIRST_PARENT]
    done = read_and_forget(command, stdin=_lines(truth.whole))
    return Cost(done.wall_seconds, done.cpu_seconds)


def git_patches_apart(span: Span, truth: Truth) -> Cost:
    """The commits that lack objects, one process each; git gives up on every one of them."""
    command = ["git", "-C", str(span.path), "diff-tree", "--stdin", "-p", "-M", *FIRST_PARENT]
    runs = [read_and_forget(command, stdin=_lines((sha,)), check=False) for sha in sorted(truth.marred)]
    return Cost(sum(run.wall_seconds for run in runs), sum(run.cpu_seconds for run in runs))


def empty_run(span: Span, folder: Path) -> Cost:
    """Four empty assets over the span in one run on Dagster's stock SQLite storage, its start-up left out.

    Raises RuntimeError where Dagster did not record every one of them.
    """
    home = stock_home(folder / "home")
    output, errors = folder / "stdout", folder / "stderr"
    module = [sys.executable, "-m", "benchmarks.empty_assets"]
    done = measure(
        [*module, str(span.first), str(span.last), span.timezone.key, REPO],
        environ=environment(DAGSTER_HOME=str(home)),
        cwd=Path(__file__).parents[1],
        stdout=output,
        stderr=errors,
    )
    if done.exit_code != 0:
        raise RuntimeError(f"the empty assets failed:\n{tail(errors)}")
    answer = json.loads(output.read_text(encoding="utf-8"))
    wanted = len(NAMES) * span.days
    if answer["materializations"] != wanted:
        raise RuntimeError(f"{answer['materializations']} empty assets were materialized instead of {wanted}")
    return Cost(answer["wall_seconds"], answer["cpu_seconds"], sum(events_in(home).values()))


def _lines(shas: tuple[str, ...]) -> bytes:
    return "".join(f"{sha}\n" for sha in shas).encode()
