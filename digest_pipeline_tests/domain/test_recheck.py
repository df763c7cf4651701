"""Which stored days a run compares with the branch, and what it finds there."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.recheck import came_and_went, changed_days, days_to_compare
from digest_pipeline_tests.fakes.project import days_from

DAY = date(2026, 2, 21)
shas = st.sets(st.sampled_from("abcdefgh"))


def test_days_are_counted_back_from_the_newest_of_the_run() -> None:
    days = days_to_compare(days_from(DAY, 2), recheck_days=3, first_day=date(2026, 1, 1))
    assert days == [DAY - timedelta(days=2), DAY - timedelta(days=1)]


def test_no_day_before_the_first_is_compared() -> None:
    assert days_to_compare([DAY], recheck_days=366, first_day=DAY - timedelta(days=1)) == [
        DAY - timedelta(days=1)
    ]


def test_without_days_to_go_back_nothing_is_compared() -> None:
    assert days_to_compare([DAY], recheck_days=0, first_day=date(2026, 1, 1)) == []
    assert days_to_compare(days_from(DAY, 20), recheck_days=14, first_day=date(2026, 1, 1)) == []


def test_a_day_changed_where_commits_came_or_went_and_not_where_they_stand_in_another_order() -> None:
    days = days_from(DAY, 5)
    stored = dict(zip(days, (["a", "b"], ["a"], ["a"], [], []), strict=True))
    found = dict(zip(days, (["b", "a"], ["a", "b"], [], ["a"]), strict=False))
    assert changed_days(stored, found) == days[1:4]


@given(st.lists(shas, min_size=1))
def test_the_first_reading_and_what_came_less_what_went_is_what_is_there(readings: list[set[str]]) -> None:
    seen, came, went = set(readings[0]), 0, 0
    for found in readings:
        came, went = came_and_went(seen, sorted(found), came_before=came)
        seen |= found
        assert len(readings[0]) + came - went == len(found)
        assert came_and_went(seen, sorted(found), came_before=came) == (came, went)
