"""Periods that a rollup covers: ISO weeks and calendar months, as values."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from digest_pipeline.domain.day import day_of, days_between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

Kind = Literal["weekly", "monthly"]
KINDS: tuple[Kind, ...] = ("weekly", "monthly")

_YEARS = range(1, 9999)
"""The calendar ends within the last week of the year 9999."""

_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class _Period(ABC):
    kind: ClassVar[Kind]
    year: int

    def __post_init__(self) -> None:
        if self.year not in _YEARS:
            raise ValueError(f"the year {self.year} is none of {_YEARS.start} to {_YEARS.stop - 1}")

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    @abstractmethod
    def first(self) -> date:
        """The first day."""

    @property
    @abstractmethod
    def last(self) -> date:
        """The last day."""

    @property
    @abstractmethod
    def label(self) -> str:
        """How it is written: in a file's name, in a title, on the command line."""

    @classmethod
    @abstractmethod
    def of(cls, day: date) -> Self:
        """The one that holds `day`."""

    def days(self) -> Iterator[date]:
        """Its days, oldest first."""
        return days_between(self.first, self.last)

    def previous(self) -> Self:
        """The one before it."""
        return self.of(self.first - timedelta(days=1))

    @property
    def path(self) -> str:
        """Where its page lies, counted from the data folder; of a week, below the ISO year."""
        return f"reports/{self.kind}/{self.year:04}/{self.label}.md"


@dataclass(frozen=True, slots=True, order=True)
class Week(_Period):
    """An ISO week: Monday to Sunday, of the year that has its Thursday. ValueError where the year has none such."""

    kind = "weekly"
    week: int

    def __post_init__(self) -> None:
        _Period.__post_init__(self)
        weeks = date(self.year, 12, 28).isocalendar().week  # the 28th of December lies in the last one
        if not 1 <= self.week <= weeks:
            raise ValueError(f"the ISO year {self.year} has the weeks 1 to {weeks}, no week {self.week}")

    @classmethod
    def of(cls, day: date) -> Self:
        """The week that holds `day`."""
        year, week, _ = day.isocalendar()
        return cls(year, week)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `2026-W08`, and from nothing else; raises ValueError."""
        if (match := _WEEK.fullmatch(text)) is None:
            raise ValueError("a week is written as YYYY-Www, such as 2026-W08")
        return cls(int(match[1]), int(match[2]))

    @property
    def first(self) -> date:
        """Its Monday."""
        return date.fromisocalendar(self.year, self.week, 1)

    @property
    def last(self) -> date:
        """Its Sunday, which may lie in another year."""
        return date.fromisocalendar(self.year, self.week, 7)

    @property
    def label(self) -> str:
        """`2026-W08`."""
        return f"{self.year:04}-W{self.week:02}"


@dataclass(frozen=True, slots=True, order=True)
class Month(_Period):
    """A month of the calendar. ValueError where there is none such."""

    kind = "monthly"
    month: int

    def __post_init__(self) -> None:
        _Period.__post_init__(self)
        if not 1 <= self.month <= 12:  # noqa: PLR2004 - months of a year
            raise ValueError(f"a year has the months 1 to 12, no month {self.month}")

    @classmethod
    def of(cls, day: date) -> Self:
        """The month that holds `day`."""
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `2026-02`, and from nothing else; raises ValueError."""
        if (match := _MONTH.fullmatch(text)) is None:
            raise ValueError("a month is written as YYYY-MM, such as 2026-02")
        return cls(int(match[1]), int(match[2]))

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """Its 28th to 31st."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    @property
    def label(self) -> str:
        """`2026-02`."""
        return f"{self.year:04}-{self.month:02}"


Period = Week | Month


def period_of(kind: Kind, day: date) -> Period:
    """The week or month that holds `day`."""
    return Week.of(day) if kind == "weekly" else Month.of(day)


def last_full_week(now: datetime, timezone: ZoneInfo) -> Week:
    """The last week all of whose days are over."""
    return Week.of(day_of(now, timezone)).previous()
