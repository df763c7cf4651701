"""Charts as numbers: where each bar stands. The templates draw them as SVG, in the colours of the style sheet."""

from __future__ import annotations

from bisect import bisect_left
from calendar import Calendar
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from digest_pipeline.domain.importance import TIERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest_pipeline.site.outline import Counts

LEVELS = 4
"""Colours of the calendar, beside the one for a day without commits of high importance."""

_STEP, _BAR, _SPARK_HEIGHT = 4, 3, 20
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 200, 36, 24, 8
_GRID_LINES = 4
_LABEL_ROOM = 44


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` names its colour, `key` what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Bars for a row of counts, the newest last; the last one stands out."""

    width: int
    height: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """Stacked bars with a scale; `ticks` are heights with their numbers, `names` places with what stands there."""

    width: int
    height: int
    left: int
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, int], ...]
    names: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day's field: `level` is 0 where nothing was of high importance, None where the day was not made."""

    day: date
    level: int | None


@dataclass(frozen=True, slots=True)
class Month:
    """A month's weeks, Monday first; None where the month has no such day."""

    first: date
    weeks: tuple[tuple[CalendarDay | None, ...], ...]


def sparkline(values: Sequence[int]) -> Sparkline:
    """Bars for `values`; a zero leaves a gap, and the smallest count is still seen."""
    most = max([*values, 1])
    bars = []
    for index, value in enumerate(values):
        height = max(2.0, round(_SPARK_HEIGHT * value / most, 1)) if value else 0.0
        if height:
            kind = "now" if index == len(values) - 1 else ""
            bars.append(
                Bar(float(_STEP * index), round(_SPARK_HEIGHT - height, 1), float(_BAR), height, kind)
            )
    return Sparkline(max(1, _STEP * len(values) - 1), _SPARK_HEIGHT, tuple(bars))


def shares(counts: Counts, most: int | None = None, width: int = 1000, height: int = 8) -> tuple[Bar, ...]:
    """One bar in three parts, as long as their counts; none where all are 0.

    Of several below each other, where `most` is the count of the longest, each is as long as its own.
    """
    total = most or sum(counts.values())
    bars, x = [], 0.0
    for tier in TIERS:
        if total and counts[tier]:
            part = round(width * counts[tier] / total, 1)
            bars.append(Bar(x, 0.0, part, float(height), tier))
            x = round(x + part, 1)
    return tuple(bars)


def trend(columns: Sequence[tuple[str, Counts]]) -> Trend:
    """A stack for each of `columns`, named in their order; high stands at the bottom, where it can be compared."""
    most = _round_up(max([sum(counts.values()) for _, counts in columns] + [1]))
    room, base = _WIDTH - _LEFT, _HEIGHT - _BOTTOM
    step = room / max(1, len(columns))
    wide = round(min(28.0, step * 0.72), 1)
    bars, names, last_name = [], [], float("-inf")
    for index, (name, counts) in enumerate(columns):
        x = round(_LEFT + step * index + (step - wide) / 2, 1)
        y = float(base)
        for tier in TIERS:
            height = round((base - _TOP) * counts[tier] / most, 1)
            if height:
                y = round(y - height, 1)
                bars.append(Bar(x, y, wide, height, tier, name))
        if x - last_name >= _LABEL_ROOM:
            names.append((round(x + wide / 2, 1), name))
            last_name = x
    ticks = tuple(
        (round(base - (base - _TOP) * part / _GRID_LINES, 1), most * part // _GRID_LINES)
        for part in range(_GRID_LINES + 1)
    )
    return Trend(_WIDTH, _HEIGHT, _LEFT, tuple(bars), ticks, tuple(names))


def months(high: Mapping[date, int]) -> list[Month]:
    """The calendar of the days in `high`, newest month first, coloured by how many of high importance each had.

    The colours divide the days that had any into quarters, so that they tell apart in a busy and in a quiet repo.
    """
    ranked = sorted({count for count in high.values() if count > 0})

    def level(day: date) -> int | None:
        count = high.get(day)
        if count is None:
            return None
        if not count:
            return 0
        return 1 + min(LEVELS - 1, bisect_left(ranked, count) * LEVELS // len(ranked))

    found = []
    for year, month in sorted({(day.year, day.month) for day in high}, reverse=True):
        weeks = Calendar().monthdatescalendar(year, month)
        found.append(
            Month(
                date(year, month, 1),
                tuple(
                    tuple(CalendarDay(day, level(day)) if day.month == month else None for day in week)
                    for week in weeks
                ),
            )
        )
    return found


def _round_up(most: int) -> int:
    """The next number that four lines divide well."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if most <= _GRID_LINES * factor * step:
                return _GRID_LINES * factor * step
        step *= 10
