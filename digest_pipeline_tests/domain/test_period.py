"""Weeks and months: which days are theirs, how they are written, what comes before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.period import Kind, Month, Week, last_full_week, period_of

DAYS = st.dates(date(1, 2, 1), date(9998, 12, 1))
AROUND_NEW_YEAR = st.builds(
    lambda year, offset: date(year, 1, 1) + timedelta(days=offset),
    st.integers(1900, 2400),
    st.integers(-9, 9),
)
KINDS = st.sampled_from(["weekly", "monthly"])


@pytest.mark.parametrize(
    ("day", "label", "path"),
    [
        (date(2026, 2, 21), "2026-W08", "reports/weekly/2026/2026-W08.md"),
        (date(2020, 12, 31), "2020-W53", "reports/weekly/2020/2020-W53.md"),
        (date(2021, 1, 3), "2020-W53", "reports/weekly/2020/2020-W53.md"),
        (date(2026, 12, 28), "2026-W53", "reports/weekly/2026/2026-W53.md"),
        (date(2027, 1, 3), "2026-W53", "reports/weekly/2026/2026-W53.md"),
        (date(2027, 1, 4), "2027-W01", "reports/weekly/2027/2027-W01.md"),
        (date(2025, 12, 29), "2026-W01", "reports/weekly/2026/2026-W01.md"),
    ],
)
def test_a_week_belongs_to_the_year_that_has_its_thursday(day: date, label: str, path: str) -> None:
    week = Week.of(day)
    assert (week.label, week.path, day in week) == (label, path, True)


def test_a_month_is_that_of_the_calendar() -> None:
    month = Month.of(date(2024, 2, 29))
    assert (month.label, month.path) == ("2024-02", "reports/monthly/2024/2024-02.md")
    assert (month.first, month.last) == (date(2024, 2, 1), date(2024, 2, 29))


@given(st.one_of(DAYS, AROUND_NEW_YEAR))
def test_a_week_is_seven_days_from_a_monday(day: date) -> None:
    week = Week.of(day)
    days = list(week.days())
    assert len(days) == 7
    assert day in days
    assert days[0].isoweekday() == 1
    assert days[3].year == week.year
    assert all(Week.of(one) == week for one in days)


@given(KINDS, st.one_of(DAYS, AROUND_NEW_YEAR))
def test_periods_follow_each_other_without_a_gap_and_sort_by_time(kind: Kind, day: date) -> None:
    period = period_of(kind, day)
    before = period.previous()
    assert before.last + timedelta(days=1) == period.first
    assert before < period  # type: ignore[operator] # of one kind
    assert before.path < period.path


@given(KINDS, st.one_of(DAYS, AROUND_NEW_YEAR))
def test_what_is_written_is_read_back(kind: Kind, day: date) -> None:
    period = period_of(kind, day)
    assert type(period).parse(period.label) == period


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2025-W53", "the ISO year 2025 has the weeks 1 to 52, no week 53"),
        ("2026-W54", "the ISO year 2026 has the weeks 1 to 53, no week 54"),
        ("2026-W00", "the ISO year 2026 has the weeks 1 to 53, no week 0"),
        ("0000-W01", "the year 0 is none of 1 to 9998"),
        *(
            (text, "a week is written as YYYY-Www, such as 2026-W08")
            for text in (
                "",
                "2026-8",
                "2026-W8",
                "2026W08",
                "2026-w08",
                "2026-W08-1",
                "2026-W0８",
                " 2026-W08",
            )
        ),
    ],
)
def test_what_is_no_week_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Week.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-13", "a year has the months 1 to 12, no month 13"),
        ("2026-00", "a year has the months 1 to 12, no month 0"),
        *(
            (text, "a month is written as YYYY-MM, such as 2026-02")
            for text in ("2026", "2026-2", "202602", "2026-02-01", "2026-02\n")
        ),
    ],
)
def test_what_is_no_month_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Month.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("now", "label"),
    [
        (
            datetime(2026, 2, 22, 15, 59, tzinfo=UTC),
            "2026-W07",
        ),  # Sunday, a minute before midnight in Shanghai
        (datetime(2026, 2, 22, 16, 0, tzinfo=UTC), "2026-W08"),
        (datetime(2027, 1, 3, 16, 0, tzinfo=UTC), "2026-W53"),
    ],
)
def test_the_last_full_week_ends_at_local_midnight(now: datetime, label: str) -> None:
    assert last_full_week(now, ZoneInfo("Asia/Shanghai")).label == label
