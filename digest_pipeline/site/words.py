"""The site's fixed words in one language: labels, counts, dates."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Language

_SHORT = 3


class Words:
    """Labels by name, and what is made of them. Nothing here comes from a commit or a model."""

    def __init__(self, language: Language, timezone: ZoneInfo) -> None:
        self.language = language
        self.label = labels(language)
        self._timezone = timezone

    def count(self, number: int, name: str) -> str:
        """`3 commits`: a number with its noun, one of the labels below `count`."""
        counted = self.label["count"]
        return str(counted.get(f"{name}_one" if number == 1 else name, counted[name]).format(count=number))

    def full_date(self, day: date) -> str:
        """`21 February 2026`."""
        return self._date("date", day)

    def short_date(self, day: date) -> str:
        """`21 Feb`."""
        return self._date("date_short", day)

    def long_date(self, day: date) -> str:
        """`Saturday, 21 February 2026`."""
        return self._date("date_with_weekday", day)

    def month(self, day: date) -> str:
        """`February 2026`."""
        return self._date("month", day)

    def weekday(self, day: date) -> str:
        """`Saturday`."""
        return str(self.label["weekdays"][day.weekday()])

    def week(self, day: date) -> str:
        """`Week 8, 2026`: the ISO week that holds `day`."""
        year, week, _ = day.isocalendar()
        return str(self.label["week_name"].format(week=week, year=year))

    def minute(self, moment: datetime) -> str:
        """`2026-02-21 13:01` on the clock of the settings' timezone."""
        return moment.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M")

    def clock(self, moment: datetime) -> str:
        """`13:01` there, with the day where `moment` is written on another one."""
        return moment.astimezone(self._timezone).strftime("%H:%M")

    def _date(self, form: str, day: date) -> str:
        month = self.label["months"][day.month - 1]
        return str(
            self.label[form].format(
                day=day.day,
                month=month,
                month_short=month[:_SHORT],
                year=day.year,
                weekday=self.weekday(day),
            )
        )


@cache
def labels(language: Language) -> Mapping[str, Any]:
    """The file of one language."""
    file = resources.files("digest_pipeline") / "site" / "labels" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
