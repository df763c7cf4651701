"""What is asked for again, and when: decisions over rows, nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.domain.endpoint import EndpointState, came_back, in_use, may_ask, went_down
from digest_pipeline.domain.healing import (
    MOST_DAYS,
    Tried,
    Waiting,
    due_analyses,
    due_at,
    is_due,
    missing_days,
    next_tries,
)

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import ErrorClass

NOW = datetime(2026, 2, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = date(2026, 2, 21)
UP = EndpointState("llm", "m", since=NOW - 9 * HOUR)
DOWN = went_down(UP, error_class="outage", error="401", now=NOW - HOUR, pause=timedelta(minutes=30))
RECENTLY_DOWN = went_down(UP, error_class="outage", error="401", now=NOW, pause=timedelta(minutes=30))


def waiting(
    error_class: ErrorClass = "transient",
    *,
    retry_at: datetime | None = NOW,
    day: date = DAY,
    repo: str = "a/a",
    sha: str = "f00",
) -> Waiting:
    return Waiting(repo, day, sha, error_class, retry_at, 3, "llm", "m")


def decide(*rows: Waiting, state: EndpointState = UP, **more: Any) -> Any:  # noqa: ANN401 - a decision
    options: dict[str, Any] = {"in_flight": (), "now": NOW, **more}
    return due_analyses(rows, {("llm", "m"): state}, **options)


@pytest.mark.parametrize(
    ("row", "state", "due"),
    [
        (waiting(retry_at=NOW), UP, True),
        (waiting(retry_at=NOW + HOUR), UP, False),
        (waiting(retry_at=None), UP, False),
        (waiting("outage", retry_at=NOW + HOUR), UP, True),
        (waiting("outage", retry_at=NOW - HOUR), RECENTLY_DOWN, False),
        (waiting("outage", retry_at=NOW + HOUR), DOWN, True),
        (waiting("budget", retry_at=NOW + HOUR), UP, False),
    ],
    ids=[
        "its time",
        "too early",
        "for a person",
        "back again",
        "just down",
        "probe is due",
        "tomorrow's money",
    ],
)
def test_a_commit_is_due_by_its_own_time_or_by_its_endpoints(
    row: Waiting, state: EndpointState, due: bool
) -> None:
    assert is_due(row, {("llm", "m"): state}, now=NOW) is due


def test_nothing_waits_and_nothing_is_asked() -> None:
    assert decide().requests == ()
    assert "no commit waits" in decide().reason


def test_after_an_outage_one_day_goes_first_and_then_the_backlog_in_large_runs() -> None:
    backlog = [
        waiting("outage", day=DAY - timedelta(days=back), sha=f"{back}{number}", retry_at=NOW + HOUR)
        for back in range(40)
        for number in range(3)
    ]

    [canary] = decide(*backlog, state=DOWN).requests
    [all_of_it] = decide(*backlog, state=came_back(DOWN, now=NOW)).requests

    assert (canary.first, canary.last) == (DAY, DAY)
    assert (all_of_it.first, all_of_it.last) == (DAY - timedelta(days=39), DAY)


def test_while_an_endpoint_is_down_the_tick_says_since_when_and_until_when() -> None:
    decision = decide(waiting("outage"), state=RECENTLY_DOWN)

    assert decision.requests == ()
    assert (
        "llm is down since 2026-02-22 12:00 UTC; it is probed next at 2026-02-22 12:30 UTC" in decision.reason
    )


def test_what_a_run_has_in_its_hands_is_not_asked_for_again() -> None:
    assert decide(waiting(), in_flight={("a/a", DAY)}).requests == ()
    canary = decide(waiting("outage"), state=DOWN, in_flight={("a/a", DAY)})
    assert canary.requests == ()
    assert "already" in canary.reason


def test_the_key_names_the_state_and_the_hour() -> None:
    [first] = decide(waiting()).requests
    [again] = decide(waiting()).requests
    [changed] = decide(waiting(retry_at=NOW - HOUR)).requests
    [later] = decide(waiting(), now=NOW + HOUR).requests

    assert first.key == again.key
    assert len({first.key, changed.key, later.key}) == 3


def test_the_key_tells_the_probes_of_one_hour_apart() -> None:
    earlier = replace(DOWN, next_probe_at=NOW - timedelta(minutes=31))

    [first] = decide(waiting("outage"), state=earlier).requests
    [second] = decide(waiting("outage"), state=replace(DOWN, next_probe_at=NOW)).requests

    assert first.key != second.key


def test_repos_and_gaps_are_requests_of_their_own() -> None:
    rows = [
        waiting(sha="1"),
        waiting(sha="2", day=DAY - timedelta(days=1)),
        waiting(sha="3", day=DAY - timedelta(days=5)),
        waiting(sha="4", repo="b/b"),
    ]

    found = [(one.repos, one.first, one.last) for one in decide(*rows).requests]

    assert found == [
        (("a/a",), DAY - timedelta(days=5), DAY - timedelta(days=5)),
        (("a/a",), DAY - timedelta(days=1), DAY),
        (("b/b",), DAY, DAY),
    ]


def test_a_run_is_never_longer_than_it_may_be() -> None:
    days = [DAY - timedelta(days=back) for back in range(200)][::-1]

    for most in (366, 60):
        requests = missing_days({}, ["a/a"], days, in_flight=(), now=NOW, most_days=most).requests

        assert all((one.last - one.first).days < min(most, MOST_DAYS) for one in requests)
        assert sum((one.last - one.first).days + 1 for one in requests) == 200


def test_missing_days_are_asked_for_in_ranges_and_repos_with_the_same_together() -> None:
    days = [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]
    known = {("a/a", days[0]): None, ("b/b", days[0]): None, ("c/c", days[1]): None}

    requests = missing_days(known, ["a/a", "b/b", "c/c"], days, in_flight=(), now=NOW).requests

    assert [(one.repos, one.first, one.last) for one in requests] == [
        (("c/c",), days[0], days[0]),
        (("a/a", "b/b"), days[1], days[2]),
        (("c/c",), days[2], days[2]),
    ]


@pytest.mark.parametrize(("hours", "asked"), [(1, 0), (6, 1)])
def test_a_day_that_could_not_be_read_is_asked_for_again_some_hours_later(hours: int, asked: int) -> None:
    known = {("a/a", DAY): NOW - hours * HOUR}

    assert len(missing_days(known, ["a/a"], [DAY], in_flight=(), now=NOW).requests) == asked


def test_missing_days_in_flight_are_left_to_their_run() -> None:
    decision = missing_days({}, ["a/a"], [DAY], in_flight={("a/a", DAY)}, now=NOW)

    assert decision.requests == ()
    assert "runs are at 1 missing days" in decision.reason


def test_a_day_that_waits_for_another_try_is_not_called_made() -> None:
    known = {("a/a", DAY): NOW - HOUR, ("b/b", DAY): None}

    decision = missing_days(known, ["a/a", "b/b"], [DAY], in_flight=(), now=NOW)

    assert decision.requests == ()
    assert decision.reason == (
        "1 day could not be made, and waits for another try: from 2026-02-22 17:00 UTC on"
    )
    assert (
        missing_days({("a/a", DAY): None}, ["a/a"], [DAY], in_flight=(), now=NOW).reason
        == "no day is missing"
    )


def test_a_range_holds_no_repo_that_lies_between_two_and_misses_nothing() -> None:
    repos = ["a/a", "b/b", "c/c", "d/d"]

    requests = missing_days({("b/b", DAY): None}, repos, [DAY], in_flight=(), now=NOW).requests

    assert [one.repos for one in requests] == [("a/a",), ("c/c", "d/d")]
    assert len({one.key for one in requests}) == 2
    in_its_hands = missing_days({}, repos, [DAY], in_flight={("b/b", DAY)}, now=NOW).requests
    assert [one.repos for one in in_its_hands] == [("a/a",), ("c/c", "d/d")]


# --- several endpoints -----------------------------------------------------------------------------------

OTHER = EndpointState("other", "n", since=NOW - 9 * HOUR)


def states(*known: EndpointState) -> dict[tuple[str, str], EndpointState]:
    return {(state.endpoint, state.model): state for state in known}


def test_what_an_outage_holds_up_waits_for_the_first_endpoint_of_all() -> None:
    row = waiting("outage", retry_at=NOW + 9 * HOUR)

    assert due_at(row, states(RECENTLY_DOWN, OTHER)) == OTHER.since
    assert due_at(row, states(RECENTLY_DOWN, went_down(OTHER, **DARK, pause=HOUR))) == NOW + HOUR / 2
    assert due_at(row, {}) == NOW + 9 * HOUR, "without a model nothing is known of any"


DARK: Any = {"error_class": "outage", "error": "402", "now": NOW}


def test_where_another_endpoint_answers_the_backlog_goes_at_once() -> None:
    backlog = [waiting("outage", day=DAY - timedelta(days=back), sha=f"{back}") for back in range(40)]
    options: dict[str, Any] = {"in_flight": {("a/a", DAY)}, "now": NOW}

    [all_of_it] = due_analyses(backlog, states(RECENTLY_DOWN, OTHER), **options).requests

    assert (all_of_it.first, all_of_it.last) == (DAY - timedelta(days=39), DAY - timedelta(days=1))


def test_what_the_settings_no_longer_name_holds_nothing_up() -> None:
    named = [("other", "n"), ("third", "x")]

    in_settings = in_use(named, [RECENTLY_DOWN, OTHER], now=NOW)

    assert list(in_settings) == named
    assert in_settings["other", "n"] is OTHER
    assert in_settings["third", "x"].is_up
    assert is_due(waiting("outage", retry_at=NOW + HOUR), in_settings, now=NOW)


@pytest.mark.parametrize(
    ("tries", "wait"),
    [(1, HOUR / 4), (3, HOUR / 4), (4, HOUR), (9, 4 * HOUR), (10, 24 * HOUR), (50, 24 * HOUR)],
)
def test_an_endpoint_that_is_up_and_of_no_use_is_asked_less_and_less(tries: int, wait: timedelta) -> None:
    vain = Tried("other", "n", tries, NOW)
    row = replace(waiting("outage"), tried=(vain,))

    assert due_at(row, states(OTHER)) == NOW + wait
    # The probe of the one that is down is waited for all the same, and one that was not asked yet is due.
    assert due_at(row, states(RECENTLY_DOWN, OTHER)) == NOW + min(wait, HOUR / 2)
    third = EndpointState("third", "n", since=NOW - HOUR)
    assert due_at(row, states(RECENTLY_DOWN, OTHER, third)) == third.since


def test_the_next_try_of_a_day_is_that_of_its_first_commit() -> None:
    rows = [
        waiting("outage", sha="1", retry_at=NOW + 9 * HOUR),
        waiting(sha="2", retry_at=NOW + HOUR),
        waiting("refused", sha="3", retry_at=None, repo="b/b"),
    ]

    assert next_tries(rows, states(RECENTLY_DOWN)) == {("a/a", DAY): NOW + HOUR / 2}


def test_an_endpoint_is_down_since_its_first_failure_and_up_since_its_first_answer() -> None:
    again = went_down(DOWN, error_class="outage", error="402", now=NOW, pause=HOUR)

    assert (again.since, again.error, again.next_probe_at) == (DOWN.since, "402", NOW + HOUR)
    assert came_back(again, now=NOW).since == NOW
    assert came_back(UP, now=NOW) is UP
    assert [may_ask(state, now=NOW) for state in (UP, DOWN, RECENTLY_DOWN)] == ["ask", "probe", "wait"]
