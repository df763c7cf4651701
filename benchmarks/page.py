"""The figures in `docs/performance.md`: a part that was measured anew takes the place of its rows, the others stay."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster
import duckdb

from benchmarks.figures import COLUMNS
from benchmarks.repository import Unmeasurable, git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.figures import Figure

BEGINNING, END = "<!-- figures: written by make bench -->", "<!-- end of the figures -->"

_RUN_COLUMNS = ("part", "when", "commit", "machine", "over")


@dataclass(frozen=True, slots=True)
class Run:
    """When and where a part was measured, and over what."""

    when: str
    commit: str
    machine: str
    over: str = ""

    @classmethod
    def now(cls) -> Run:
        """One that begins here and now."""
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return cls(when, _commit(), machine())


def machine() -> str:
    """What it is measured on, in one line."""
    parts = [f"{os.cpu_count()} cores", f"{platform.system()} {platform.machine()}"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB")
    if hasattr(os, "getloadavg"):
        parts.append(f"load {os.getloadavg()[0]:.1f} before it began")
    parts += [f"Python {platform.python_version()}", f"Dagster {dagster.__version__}"]
    return ", ".join([*parts, f"DuckDB {duckdb.__version__}", git(Path(), "--version").decode().strip()])


def _commit() -> str:
    clone = Path(__file__).parents[1]
    try:
        sha = git(clone, "rev-parse", "--short=10", "HEAD").decode().strip()
        changed = git(
            clone,
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            "digest_pipeline",
            "sql",
            "benchmarks",
        )
    except Unmeasurable:
        return "no clone"
    return f"{sha}, with changes" if changed else sha


def updated(text: str, figures: Sequence[Figure], runs: Mapping[str, Run], order: Sequence[str]) -> str:
    """The page's text with these figures; rows of parts that are not among `runs` stay. ValueError without marks."""
    head, found, rest = text.partition(BEGINNING)
    kept, ended, tail = rest.partition(END)
    if not found or not ended:
        raise ValueError(f'the page has no place for figures: it needs the lines "{BEGINNING}" and "{END}"')
    rows = [row for row in _rows(kept) if len(row) == len(COLUMNS) and row[0] not in runs]
    rows += [figure.cells() for figure in figures]
    told = [row for row in _rows(kept) if len(row) == len(_RUN_COLUMNS) and row[0] not in runs]
    told += [(part, run.when, run.commit, run.machine, run.over) for part, run in runs.items()]

    def place(row: Sequence[str]) -> int:
        return order.index(row[0]) if row[0] in order else len(order)

    tables = (_table(COLUMNS, sorted(rows, key=place)), _table(_RUN_COLUMNS, sorted(told, key=place)))
    return f"{head}{BEGINNING}\n\n" + "\n\n".join(tables) + f"\n\n{END}{tail}"


def _rows(text: str) -> list[tuple[str, ...]]:
    """The rows of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]
    return [row for row in rows if row not in {COLUMNS, _RUN_COLUMNS}]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    right = {"is", "which is", "ratio"}
    lines = [_line(columns), "|" + "|".join("---:" if name in right else "---" for name in columns) + "|"]
    return "\n".join([*lines, *map(_line, rows)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell if r"\|" in cell else cell.replace("|", r"\|") for cell in cells) + " |"
