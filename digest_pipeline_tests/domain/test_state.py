"""What a history lacks."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.day import days_between
from digest_pipeline.domain.state import consecutive, repo_states, spans

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 10)


def row(day: int, state: str = "made", repo: str = "a/a", commits: int | None = 3) -> dict[str, object]:
    return {"repo": repo, "day": date(2026, 2, day), "state": state, "commits": commits}


def test_a_day_without_a_row_is_missing() -> None:
    [state] = repo_states([row(1), row(3, "failed"), row(10)], ["a/a"], FIRST, LAST)

    assert state.missing == (date(2026, 2, 2), *days_between(date(2026, 2, 4), date(2026, 2, 9)))


def test_days_are_told_apart_by_their_state() -> None:
    [state] = repo_states([row(1), row(2, "failed"), row(3, "unfinished"), row(4)], ["a/a"], FIRST, LAST)

    assert [made["day"] for made in state.days("made")] == [date(2026, 2, 1), date(2026, 2, 4)]
    assert len(state.days("failed")) == len(state.days("unfinished")) == 1
    assert state.days("else") == []


def test_a_count_takes_what_is_unknown_for_nothing() -> None:
    [state] = repo_states([row(1), row(2, commits=None), row(3)], ["a/a"], FIRST, LAST)

    assert state.count("commits") == 6


def test_every_repo_of_the_settings_has_a_state_in_their_order_and_no_other() -> None:
    states = repo_states([row(1, repo="gone/gone"), row(1, repo="b/b")], ["b/b", "a/a"], FIRST, FIRST)

    assert [state.repo for state in states] == ["b/b", "a/a"]
    assert [len(state.rows) for state in states] == [1, 0]
    assert [state.missing for state in states] == [(), (FIRST,)]


def test_before_the_first_day_nothing_is_missing() -> None:
    [state] = repo_states([], ["a/a"], LAST, FIRST)

    assert state.missing == ()


def test_repos_that_follow_each_other_are_one_group() -> None:
    assert list(consecutive(["a", "b", "d"], ["a", "b", "c", "d", "e"])) == [["a", "b"], ["d"]]
    assert list(consecutive(["e"], ["a", "e"])) == [["e"]]
    assert list(consecutive([], ["a"])) == []


def test_spans_name_first_and_last() -> None:
    days = [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 5)]

    assert spans(days) == [(days[0], days[2]), (days[3], days[3])]
    assert spans([]) == []


@given(st.sets(st.dates(date(2026, 1, 1), date(2026, 3, 1))).map(sorted))
def test_spans_hold_exactly_the_days_that_they_were_made_of(days: list[date]) -> None:
    found = spans(days)

    assert [day for first, last in found for day in days_between(first, last)] == days
    assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in pairwise(found))
