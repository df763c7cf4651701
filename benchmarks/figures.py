"""A figure beside its floor or peer: what each benchmark gives, `make bench` prints, `docs/performance.md` keeps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("part", "figure", "is", "beside", "which is", "ratio", "wanted", "met")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in `unit`, and what it stands `beside`: a floor or a peer that was measured in the same run.

    `wanted` says in words what is wanted, `held` whether it is so; None where nothing is.
    """

    part: str
    name: str
    value: float
    unit: str = ""
    beside: str = ""
    beside_value: float | None = None
    wanted: str = ""
    held: bool | None = None

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of what it stands beside; None where there is nothing, or zero."""
        return self.value / self.beside_value if self.beside_value else None

    @classmethod
    def at_most(
        cls,
        most: float,
        part: str,
        name: str,
        value: float,
        unit: str = "",
        beside: str = "",
        beside_value: float | None = None,
    ) -> Self:
        """A figure of which at most so much is wanted: of its ratio where it has one, else of itself."""
        plain = cls(part, name, value, unit, beside, beside_value)
        measure = value if plain.ratio is None else plain.ratio
        wanted = f"at most {most:g}" if plain.ratio is not None or not unit else f"at most {most:g} {unit}"
        return cls(part, name, value, unit, beside, beside_value, wanted, measure <= most)

    @classmethod
    def none(cls, part: str, name: str, value: int) -> Self:
        """Something of which there must be none."""
        return cls(part, name, value, wanted="0", held=value == 0)

    def cells(self) -> tuple[str, ...]:
        """Its cells under `COLUMNS`."""
        beside = "" if self.beside_value is None else _number(self.beside_value, self.unit)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        met = "" if self.held is None else "yes" if self.held else "**no**"
        return (
            self.part,
            self.name,
            _number(self.value, self.unit),
            self.beside,
            beside,
            ratio,
            self.wanted,
            met,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one part of the table, and over what they were taken."""

    over: str
    figures: list[Figure]


def _number(value: float, unit: str) -> str:
    """With three digits that tell, and thousands apart."""
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def missed(figures: Iterable[Figure]) -> list[Figure]:
    """Those that are not as they are wanted."""
    return [figure for figure in figures if figure.held is False]


def print_figures(figures: Iterable[Figure], *, title: str = "") -> None:
    """The table, on stdout."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for name in COLUMNS:
        is_number = name in {"is", "which is", "ratio"}
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    last = None
    for figure in figures:
        if last not in {None, figure.part}:
            table.add_section()
        cells = figure.cells()
        shown = "" if figure.part == last else figure.part
        table.add_row(
            shown, *cells[1:-1], {"**no**": "[red]no[/red]", "yes": "[green]yes[/green]"}.get(cells[-1], "")
        )
        last = figure.part
    Console(highlight=False, width=None if sys.stdout.isatty() else 150).print(table)


def say(text: str) -> None:
    """A line on stderr: what is under way."""
    print(text, file=sys.stderr, flush=True)
