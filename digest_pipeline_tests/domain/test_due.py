"""Which digests are due, and whether the site is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.due import (
    Built,
    DigestDecision,
    DigestState,
    contiguous,
    due_digests,
    site_is_due,
)

DAY = date(2026, 2, 21)
END = datetime(2026, 2, 21, 16, tzinfo=UTC)
DEADLINE = timedelta(hours=6)
REPOS = ("a/a", "b/b", "c/c")


def state(*done: str, inputs: str = "new", made_from: str | None = None, day: date = DAY) -> DigestState:
    return DigestState(day, END + (day - DAY), inputs, made_from, frozenset(done))


def is_due(one: DigestState, now: datetime = END) -> bool:
    return one in due_digests([one], REPOS, now=now, deadline=DEADLINE).due


def test_a_digest_is_due_as_soon_as_all_repos_are_done() -> None:
    assert is_due(state(*REPOS))


def test_until_its_deadline_a_digest_waits_for_the_first_repo_that_is_missing() -> None:
    one = state("a/a", "c/c")

    decision = due_digests([one], REPOS, now=END + DEADLINE - timedelta(seconds=1), deadline=DEADLINE)

    assert decision.due == ()
    assert decision.waiting == ((DAY, "b/b"),)


def test_at_its_deadline_a_digest_is_made_of_what_is_there() -> None:
    assert is_due(state("a/a"), now=END + DEADLINE)


def test_a_day_of_which_nothing_could_be_read_waits_and_is_told_after_the_deadline() -> None:
    one = state()

    waits = due_digests([one], REPOS, now=END, deadline=DEADLINE)
    told = due_digests([one], REPOS, now=END + DEADLINE, deadline=DEADLINE)

    assert waits == DigestDecision((), ((DAY, "a/a"),))
    assert told == DigestDecision((one,), ())


def test_a_digest_that_says_what_is_stored_is_not_due() -> None:
    assert not is_due(state(*REPOS, inputs="same", made_from="same"), now=END + 100 * DEADLINE)


@pytest.mark.parametrize("done", [("a/a",), REPOS])
def test_a_digest_that_was_made_once_is_brought_up_to_date_at_once(done: tuple[str, ...]) -> None:
    assert is_due(state(*done, made_from="old"))


def test_a_repo_that_left_the_settings_is_not_waited_for() -> None:
    assert is_due(state(*REPOS, "gone/gone"))
    decision = due_digests([state("gone/gone")], REPOS, now=END, deadline=DEADLINE)
    assert decision.waiting == ((DAY, "a/a"),)


states = st.lists(
    st.builds(
        lambda offset, done, made: state(*done, made_from=made, day=DAY + timedelta(days=offset)),
        st.integers(0, 20),
        st.sets(st.sampled_from([*REPOS, "gone/gone"])),
        st.sampled_from([None, "old", "new"]),
    ),
    max_size=12,
    unique_by=lambda one: one.day,
)


@given(states, st.integers(-1, 600))
def test_each_day_is_due_or_waits_or_neither_and_in_its_order(days: list[DigestState], later: int) -> None:
    decision = due_digests(days, REPOS, now=END + timedelta(hours=later), deadline=DEADLINE)

    due, waiting = [one.day for one in decision.due], [day for day, _ in decision.waiting]
    order = [one.day for one in days]
    assert not set(due) & set(waiting)
    assert due == [day for day in order if day in due]
    assert all(one.inputs != one.made_from for one in decision.due)


@given(states)
def test_with_time_nothing_waits_for_ever(days: list[DigestState]) -> None:
    decision = due_digests(days, REPOS, now=END + timedelta(days=100), deadline=DEADLINE)

    assert decision.waiting == ()


@given(states)
def test_runs_of_consecutive_days_are_put_together(days: list[DigestState]) -> None:
    ordered = sorted(days, key=lambda one: one.day)

    groups = contiguous(ordered)

    assert [one for group in groups for one in group] == ordered
    assert all(group[-1].day - group[0].day == timedelta(days=len(group) - 1) for group in groups)
    assert all(after[0].day - before[-1].day > timedelta(days=1) for before, after in pairwise(groups))


@pytest.mark.parametrize(
    ("stamp", "minutes", "why"),
    [("a", 0, "up to date"), ("a", 60, "up to date"), ("b", 9, "waiting"), ("b", 10, None), ("b", 60, None)],
)
def test_the_site_is_due_once_it_would_be_another_one_and_not_too_often(
    stamp: str, minutes: int, why: str | None
) -> None:
    at = datetime(2026, 1, 6, 2, tzinfo=UTC)
    pause = timedelta(minutes=10)
    found = site_is_due(stamp, Built("a", at), now=at + timedelta(minutes=minutes), pause=pause)
    assert found is None if why is None else why in (found or "")
    assert site_is_due(stamp, None, now=at, pause=pause) is None
