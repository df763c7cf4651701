"""All figures in one table, each beside its floor or peer: what `make bench` runs.

`make bench ARGS="--only writers,growth --repo PATH --branch main --timezone ZONE --from DAY --to DAY"`. Parts run one
after the other, so that a figure and what it stands beside come from the same minutes. Without `--repo` nothing but
this clone is needed: where no day of its history is over, or too few are, an invented one is measured. `--write
docs/performance.md` puts what was measured in the place of the same parts there. Exits 1 where something is not as
it is wanted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from benchmarks import invented
from benchmarks.figures import Figure, missed, print_figures, say
from benchmarks.folders import scratch_folder
from benchmarks.page import Run, updated
from benchmarks.repository import Span, Unmeasurable, choose_span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLONE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which history is measured, as far as somebody said so."""

    repo: Path | None
    branch: str | None
    timezone: ZoneInfo
    first: date | None
    last: date | None

    @property
    def says_nothing(self) -> bool:
        """Whether nobody said anything."""
        return (self.repo, self.branch, self.first, self.last) == (None, None, None, None)

    @contextmanager
    def span(self, *, least_days: int = 1) -> Iterator[Span]:
        """The history, this clone's where none is named; an invented one where that has fewer days. Unmeasurable."""
        days = (self.branch, self.timezone, self.first, self.last)
        try:
            span = choose_span((self.repo or CLONE).expanduser().absolute(), *days)
            if span.days < least_days and self.says_nothing:
                raise Unmeasurable(f"{span.path} has {span.days} days, and {least_days} are needed")
        except Unmeasurable as error:
            if not self.says_nothing:
                raise
            say(f"{error}; measuring an invented history instead")
        else:
            yield span
            return
        with scratch_folder("invented") as folder:
            made = invented.make_repository(folder / "invented.git", days=max(least_days, invented.DAYS))
            yield choose_span(made, *days)


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one part, and over what they were taken."""

    over: str
    figures: list[Figure]


PARTS = ("history", "backfill", "growth", "writers", "questions", "start-up", "rate", "packing")
"""In the order of the table. Each is a module here with a function `bench(chosen) -> Measured`."""


def run_part(part: str, chosen: Chosen) -> Measured:
    """Measure one part. Raises Unmeasurable where there is nothing to measure, RuntimeError where it failed."""
    measured: Measured = import_module(f"benchmarks.{part.replace('-', '')}").bench(chosen)
    return measured


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0, 1 where something is not as it is wanted, 2 where nothing can be measured."""
    options = _arguments(arguments)
    chosen = Chosen(options.repo, options.branch, options.timezone, options.first, options.last)
    figures: list[Figure] = []
    runs: dict[str, Run] = {}
    failures: list[str] = []
    for number, part in enumerate(options.only, 1):
        say(f"--- {part}, {number} of {len(options.only)}")
        began, run = time.monotonic(), Run.now("")
        try:
            measured = run_part(part, chosen)
        except (RuntimeError, Unmeasurable) as error:
            failures.append(f"{part}: {error}")
            say(f"bench: {failures[-1]}")
            continue
        figures += measured.figures
        runs[part] = run.over_what(f"{measured.over}; {time.monotonic() - began:.0f} s")
        if options.write:
            # After each part: what follows may fail, and takes minutes.
            page = options.write.read_text(encoding="utf-8")
            options.write.write_text(updated(page, figures, runs, PARTS), encoding="utf-8")
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
    environ = os.environ
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description="Measure digest_pipeline: one table, each figure beside its floor or peer.",
        epilog="The environment may name the history as well: BENCH_REPO, BENCH_BRANCH, BENCH_TIMEZONE, BENCH_FROM, "
        "BENCH_TO.",
    )
    parser.add_argument(
        "--only", type=_parts, default=list(PARTS), metavar="PART,…", help=f"some of: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--repo", type=Path, default=environ.get("BENCH_REPO"), help="a local repository; default: this clone"
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
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="keep the figures in this page: docs/performance.md"
    )
    return parser.parse_args(arguments)


def _parts(text: str) -> list[str]:
    asked = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in asked if name not in PARTS]
    if unknown or not asked:
        raise argparse.ArgumentTypeError(f'"{", ".join(unknown) or text}" is none of {", ".join(PARTS)}')
    return [part for part in PARTS if part in asked]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError(f'"{name}" is no time zone, such as Asia/Shanghai') from None


if __name__ == "__main__":
    sys.exit(main())
