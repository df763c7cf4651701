"""A range in portions: nothing is left out, nothing is too much, and a day at fault costs itself alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import DigestError, StoreError
from digest_pipeline.pipeline.portions import MOST_SUSPECTS, PORTION_COMMITS, apart, in_portions
from digest_pipeline.pipeline.tally import Tally
from digest_pipeline.pipeline.workbench import BATCH_DAYS, StepResult

DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(200)]


@given(st.lists(st.integers(0, 3 * PORTION_COMMITS // 2), max_size=len(DAYS)))
def test_portions_hold_every_day_once_in_order_and_few_commits(counts: list[int]) -> None:
    days = DAYS[: len(counts)]
    commits = dict(zip(days, counts, strict=True))

    found = in_portions(days, commits)

    assert [day for portion in found for day in portion] == days
    for portion in found:
        assert 1 <= len(portion) <= BATCH_DAYS
        assert len(portion) == 1 or sum(commits[day] for day in portion) <= PORTION_COMMITS


@pytest.mark.parametrize(
    ("days", "a_day", "lengths"),
    [(100, 10, [50, 50]), (200, 20, [50, 50, 50, 50]), (150, 14, [50, 50, 50]), (101, 10, [51, 50])],
)
def test_portions_are_few_and_alike(days: int, a_day: int, lengths: list[int]) -> None:
    found = in_portions(DAYS[:days], dict.fromkeys(DAYS[:days], a_day))
    assert [len(portion) for portion in found] == lengths


def test_days_behind_the_last_commit_are_no_portion_of_their_own() -> None:
    commits = dict.fromkeys(DAYS[:60], 30)
    assert [len(portion) for portion in in_portions(DAYS[:64], commits)] == [30, 34]


def test_a_day_that_nobody_counted_has_its_place_in_a_portion() -> None:
    assert [len(portion) for portion in in_portions(DAYS, {})] == [62, 62, 62, 14]


@given(st.sets(st.sampled_from(DAYS[:62]), max_size=MOST_SUSPECTS))
def test_days_at_fault_are_told_from_their_neighbours(at_fault: set[date]) -> None:
    def step(days: list[date]) -> StepResult:
        for day in days:
            if day in at_fault:
                raise ValueError(day)
        return StepResult(done={day: {} for day in days})

    result = apart(step, DAYS[:62], lambda error: DigestError(f"{error}"))  # type: ignore[arg-type]

    assert set(result.failed) == at_fault
    assert {f"{error}" for error in result.failed.values()} == {f"{day}" for day in at_fault}
    assert set(result.done) == {*DAYS[:62]} - at_fault


def test_a_fault_of_every_day_is_not_looked_for_in_each() -> None:
    calls = 0

    def step(_: object) -> StepResult:
        nonlocal calls
        calls += 1
        raise ValueError("always")

    result = apart(step, DAYS[:62], lambda error: DigestError(f"{error}"))

    assert list(result.failed) == DAYS[:62]
    assert calls < 4 * MOST_SUSPECTS


def test_what_the_step_itself_says_is_about_all_of_its_days() -> None:
    def step(days: object) -> StepResult:
        calls.append(days)
        raise StoreError("the disk is full")

    calls: list[object] = []
    result = apart(step, DAYS[:3], lambda _: pytest.fail("it is expected"))
    assert (len(calls), {f"{error}" for error in result.failed.values()}) == (1, {"the disk is full"})
    assert list(result.failed) == DAYS[:3]


def test_progress_goes_on_from_portion_to_portion() -> None:
    told: list[tuple[str, str, int, int]] = []
    tally = Tally(lambda *one: told.append(one))
    for _ in range(2):  # a second run of the same process begins anew
        told.clear()
        tally.begin("a/b", 5)
        for step in ("diff", "ask"):
            tally(step, "a/b", 1, 3)
            tally(step, "a/b", 3, 3)
        tally.settle()
        tally("diff", "a/b", 2, 2)
        tally("ask", "a/b", 1, 2)
        tally.settle()

        assert [one for one in told if one[0] == "diff"] == [("diff", "a/b", done, 5) for done in (1, 3, 5)]
        # Of how many commits is known portion by portion.
        assert [one[2:] for one in told if one[0] == "ask"] == [(1, 3), (3, 3), (4, 5)]
