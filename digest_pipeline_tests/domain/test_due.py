"""Which digests and rollups are due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.due import (
    DigestDecision,
    DigestState,
    RollupDecision,
    RollupState,
    contiguous,
    due_digests,
    due_rollups,
    in_ranges,
)
from digest_pipeline.domain.period import Month, Period, Week

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


def test_a_day_of_long_ago_waits_for_the_run_that_is_at_it_and_yesterday_for_its_deadline_alone() -> None:
    one, hands = state("a/a"), {("b/b", DAY), ("x/x", DAY)}

    def decide(days: int) -> DigestDecision:
        now = END + DEADLINE + timedelta(days=days)
        return due_digests([one], REPOS, now=now, deadline=DEADLINE, in_flight=hands)

    assert decide(0) == DigestDecision((one,), ())
    assert decide(1) == DigestDecision((), ((DAY, "b/b"),))
    # What is made of it, and what is in other hands, keeps nobody waiting.
    hands = {("a/a", DAY), ("b/b", DAY + timedelta(days=1))}
    assert decide(1) == DigestDecision((one,), ())


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


# --- rollups ----------------------------------------------------------------------------------------------

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEK = Week(2026, 8)
WEEK_END = datetime(2026, 2, 22, 16, tzinfo=UTC)
FIRST = date(2026, 1, 6)
WHOLE = frozenset((repo, day) for repo in REPOS for day in WEEK.days())


def rolled(
    done: frozenset[tuple[str, date]] = WHOLE,
    *,
    inputs: str = "new",
    made_from: str | None = None,
    made_at: datetime | None = None,
    elsewhere: int = 0,
    period: Period = WEEK,
) -> RollupState:
    return RollupState(period, inputs, made_from, made_at, done, elsewhere)


def decide(*states: RollupState, now: datetime = WEEK_END, first_day: date = FIRST) -> RollupDecision:
    return due_rollups(states, REPOS, first_day=first_day, now=now, timezone=SHANGHAI, deadline=DEADLINE)


def test_a_rollup_is_due_once_its_period_is_over_where_the_repos_are_read() -> None:
    assert decide(rolled(), now=WEEK_END - timedelta(seconds=1)) == RollupDecision((), ())
    assert decide(rolled()).due == (rolled(),)


def test_until_its_deadline_a_rollup_waits_for_the_first_day_that_is_missing() -> None:
    one = rolled(WHOLE - {("b/b", WEEK.last)})
    assert decide(one, now=WEEK_END + DEADLINE - timedelta(seconds=1)) == RollupDecision(
        (), ((WEEK, WEEK.last, "b/b"),)
    )
    assert decide(one, now=WEEK_END + DEADLINE).due == (one,)


def test_days_before_the_first_are_not_waited_for() -> None:
    rest = frozenset((repo, day) for repo, day in WHOLE if day >= date(2026, 2, 19))
    assert decide(rolled(rest), first_day=date(2026, 2, 19)).due
    assert decide(rolled(rest)).waiting


def test_a_rollup_whose_days_changed_is_due_at_once_and_one_that_says_what_is_stored_is_not() -> None:
    later = WEEK_END + timedelta(hours=1)
    some = WHOLE - {("b/b", WEEK.last)}
    assert decide(rolled(some, made_from="old", made_at=later), now=later).due
    assert decide(rolled(made_from="new", made_at=later), now=later) == RollupDecision((), ())


def test_what_was_made_while_its_period_was_under_way_is_made_again() -> None:
    early = rolled(made_from="new", made_at=WEEK_END - timedelta(hours=1))
    assert decide(early).due == (early,)


def test_a_period_without_a_page_has_no_rollup_and_one_in_another_language_is_left_as_it_stands() -> None:
    later = WEEK_END + 10 * DEADLINE
    assert decide(rolled(frozenset()), now=later) == RollupDecision((), ())
    assert decide(rolled(elsewhere=3), now=later) == RollupDecision((), ())
    assert decide(rolled(elsewhere=3, made_from="old", made_at=later), now=later).due


def test_periods_that_follow_each_other_share_a_run_of_at_most_thirteen() -> None:
    weeks: list[Period] = [WEEK]
    while len(weeks) < 15:
        weeks.insert(0, weeks[0].previous())
    months: list[Period] = [Month(2025, 12), Month(2026, 1), Month(2026, 3)]
    groups = in_ranges([rolled(period=period) for period in [*weeks, *months]])
    assert [len(group) for group in groups] == [13, 2, 2, 1]
    assert [one.period for group in groups for one in group] == [*weeks, *months]
