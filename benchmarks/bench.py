"""All figures in one table, each beside its floor or peer: what `make bench` runs.

`make bench ARGS="--only writers,growth --repo PATH --branch main --timezone ZONE --from DAY --to DAY"`. Parts run one
after the other, so that a figure and what it stands beside come from the same minutes. Without `--repo` nothing but
this clone is needed: where no day of its history is over, or too few are, an invented one is measured. `--write
docs/performance.md` puts what was measured in the place of the same parts there. Exits 1 where something is not as
it is wanted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Measured, missed, print_figures, say
from benchmarks.history import arguments_for, scratch_folder
from benchmarks.page import Run, updated
from benchmarks.repository import Unmeasurable

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = {
    "history": "history:bench",
    "backfill": "backfill:bench",
    "growth": "growth:bench",
    "writers": "writers:bench",
    "writers-postgres": "writers:bench_postgres",
    "questions": "questions:bench",
    "start-up": "startup:bench",
    "rate": "rate:bench",
    "packing": "packing:bench",
}
"""In the order of the table, each with what gives its figures."""


def run_part(part: str, chosen: argparse.Namespace) -> Measured:
    """Measure one part. Raises Unmeasurable where there is nothing to measure, RuntimeError where it failed."""
    module, _, name = PARTS[part].partition(":")
    measuring = getattr(import_module(f"benchmarks.{module}"), name)
    with scratch_folder() as folder:
        measured: Measured = measuring(chosen, folder)
    return measured


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0, 1 where something is not as it is wanted, 2 where nothing can be measured."""
    options = _arguments(arguments)
    figures: list[Figure] = []
    runs: dict[str, Run] = {}
    failures: list[str] = []
    for number, part in enumerate(options.only, 1):
        say(f"--- {part}, {number} of {len(options.only)}")
        began, run = time.monotonic(), Run.now()
        try:
            measured = run_part(part, options)
        except (RuntimeError, Unmeasurable) as error:
            failures.append(f"{part}: {error}")
            say(f"bench: {failures[-1]}")
            continue
        figures += measured.figures
        runs[part] = replace(run, over=f"{measured.over}; {time.monotonic() - began:.0f} s")
        if options.write:
            # After each part: what follows may fail, and takes minutes.
            page = options.write.read_text(encoding="utf-8")
            options.write.write_text(updated(page, figures, runs, list(PARTS)), encoding="utf-8")
    if options.json:
        table = [asdict(figure) | {"ratio": figure.ratio} for figure in figures]
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print_figures(figures)
    for part, run in runs.items():
        print(f"{part}: {run.over}")
    print(*dict.fromkeys(run.machine for run in runs.values()), sep="\n")
    for figure in missed(figures):
        say(f"bench: {figure.part}, {figure.name}: wanted {figure.wanted}")
    for failure in failures:
        say(f"bench: {failure}")
    return 2 if failures and not figures else 1 if failures or missed(figures) else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description="Measure digest_pipeline: one table, each figure beside its floor or peer.",
    )
    parser.add_argument(
        "--only", type=_parts, default=list(PARTS), metavar="PART,…", help=f"some of: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="keep the figures in this page: docs/performance.md"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is random; default: 1")
    arguments_for(parser)
    return parser.parse_args(arguments)


def _parts(text: str) -> list[str]:
    asked = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in asked if name not in PARTS]
    if unknown or not asked:
        raise argparse.ArgumentTypeError(f'"{", ".join(unknown) or text}" is none of {", ".join(PARTS)}')
    return [part for part in PARTS if part in asked]


if __name__ == "__main__":
    sys.exit(main())
