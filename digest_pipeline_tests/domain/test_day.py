"""Days as windows of instants, where the clock changes too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest_pipeline.domain.day import (
    Window,
    day_of,
    day_window,
    days_between,
    is_over,
    span_window,
    yesterday,
)

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

# Each with a way of its own to change the clock: at midnight, over it, by half an hour, by a whole day.
ZONES = [
    *("UTC", "Asia/Shanghai", "Asia/Kathmandu", "Europe/Berlin", "America/New_York", "America/Los_Angeles"),
    *(
        "America/Sao_Paulo",
        "America/Havana",
        "Atlantic/Azores",
        "Asia/Beirut",
        "Africa/Cairo",
        "America/Nuuk",
    ),
    *("Australia/Lord_Howe", "Asia/Pyongyang", "America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein"),
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
EPOCH = datetime(1980, 1, 1, tzinfo=UTC)
instants = st.integers(0, 57 * 365 * 24 * 3600).map(lambda seconds: EPOCH + seconds * SECOND)


def hours(window: Window) -> float:
    return (window.end - window.start) / timedelta(hours=1)


def around_changes(zone: ZoneInfo, first: date, last: date) -> list[datetime]:
    """The instants around each change of the clock, a minute apart."""
    found = []
    for day in days_between(first, last):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        if noon.astimezone(zone).utcoffset() != (noon + DAY).astimezone(zone).utcoffset():
            found += [noon + timedelta(minutes=minute) for minute in range(24 * 60)]
    return found


# --- properties ----------------------------------------------------------------------------------------------


@given(instants, zones)
@example(datetime(2006, 10, 29, 2, 59, 59, tzinfo=UTC), ZoneInfo("America/St_Johns"))
@example(datetime(2011, 12, 30, 10, 0, tzinfo=UTC), ZoneInfo("Pacific/Apia"))
def test_each_instant_lies_in_the_window_of_its_day_and_of_no_other(moment: datetime, zone: ZoneInfo) -> None:
    day = day_of(moment, zone)

    for offset in range(-2, 3):
        assert (moment in day_window(day + offset * DAY, zone)) == (offset == 0)


@given(instants, zones, zones)
def test_the_zone_in_which_a_moment_is_written_does_not_matter(
    moment: datetime, zone: ZoneInfo, other: ZoneInfo
) -> None:
    for written in (zone, other):
        assert day_of(moment.astimezone(written), zone) == day_of(moment, zone)
        assert moment.astimezone(written) in day_window(day_of(moment, zone), zone)


@given(st.dates(date(1980, 1, 1), date(2037, 1, 1)), zones)
def test_windows_follow_one_another_without_gap_or_overlap(day: date, zone: ZoneInfo) -> None:
    window, after = day_window(day, zone), day_window(day + DAY, zone)

    assert window.start <= window.end == after.start
    assert window.end - SECOND not in after
    assert window.start not in after


@given(st.lists(st.dates(date(1980, 1, 1), date(2037, 1, 1)), min_size=1, max_size=5), zones)
def test_a_span_covers_its_days_in_whatever_order_they_come(days: list[date], zone: ZoneInfo) -> None:
    span = span_window(days, zone)

    assert span == Window(day_window(min(days), zone).start, day_window(max(days), zone).end)


@given(instants, zones)
def test_yesterday_is_over_and_today_is_not(now: datetime, zone: ZoneInfo) -> None:
    assert is_over(yesterday(now, zone), now=now, timezone=zone)
    assert not is_over(day_of(now, zone), now=now, timezone=zone)


@pytest.mark.parametrize("name", ZONES)
def test_no_minute_around_a_change_of_the_clock_is_lost(name: str) -> None:
    zone = ZoneInfo(name)

    for moment in around_changes(zone, date(2005, 1, 1), date(2012, 1, 10)):
        assert moment in day_window(day_of(moment, zone), zone)


# --- examples ------------------------------------------------------------------------------------------------


def test_a_day_in_shanghai_begins_at_four_in_the_afternoon_before_in_utc() -> None:
    window = day_window(date(2026, 2, 21), ZoneInfo("Asia/Shanghai"))

    assert window == Window(datetime(2026, 2, 20, 16, tzinfo=UTC), datetime(2026, 2, 21, 16, tzinfo=UTC))


def test_a_window_takes_its_start_and_leaves_its_end() -> None:
    window = day_window(date(2026, 2, 21), ZoneInfo("Asia/Shanghai"))

    assert window.start in window
    assert window.start - SECOND not in window
    assert window.end - SECOND in window
    assert window.end not in window


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Shanghai", date(2026, 3, 29), 24),
        ("UTC", date(2026, 3, 29), 24),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # a day that Samoa left out
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(zone: str, day: date, length: float) -> None:
    assert hours(day_window(day, ZoneInfo(zone))) == length


def test_where_midnight_does_not_exist_the_day_begins_with_the_jump() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    jump = datetime(2018, 11, 4, 3, tzinfo=UTC)  # from 24:00 to 01:00

    window = day_window(date(2018, 11, 4), zone)

    assert window.start == jump
    assert hours(window) == 23
    assert day_of(jump - SECOND, zone) == date(2018, 11, 3)
    assert day_of(jump, zone) == date(2018, 11, 4)


def test_where_midnight_comes_twice_the_day_begins_with_the_first() -> None:
    zone = ZoneInfo("America/Havana")
    first = datetime(2026, 11, 1, 4, tzinfo=UTC)  # at 01:00 it is 00:00 again

    assert day_window(date(2026, 11, 1), zone).start == first
    assert hours(day_window(date(2026, 11, 1), zone)) == 25


def test_an_hour_that_the_clock_shows_again_after_midnight_belongs_to_the_new_day() -> None:
    zone = ZoneInfo("America/St_Johns")
    again = datetime(2006, 10, 29, 3, 0, tzinfo=UTC)  # the 28th, 23:30, for the second time

    assert again.astimezone(zone).date() == date(2006, 10, 28)
    assert day_of(again, zone) == date(2006, 10, 29)


def test_days_between_holds_both_ends_and_is_empty_backwards() -> None:
    first, last = date(2026, 2, 27), date(2026, 3, 1)

    assert list(days_between(first, last)) == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
    assert list(days_between(first, first)) == [first]
    assert list(days_between(last, first)) == []


def test_a_day_is_over_with_its_last_instant_and_not_before() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    end = datetime(2026, 2, 21, 16, tzinfo=UTC)

    assert not is_over(date(2026, 2, 21), now=end - SECOND, timezone=zone)
    assert is_over(date(2026, 2, 21), now=end, timezone=zone)
    assert yesterday(end - SECOND, zone) == date(2026, 2, 20)
    assert yesterday(end, zone) == date(2026, 2, 21)
