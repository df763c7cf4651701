"""Alarms as decisions: what is new, what is over, what goes on, and which message is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.domain.alarm import (
    Alarm,
    Coverage,
    Ending,
    Kind,
    RunFailure,
    Runs,
    Trouble,
    compare,
    coverage_troubles,
    ending_of,
    run_troubles,
    troubles_of,
)

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def open_(kind: Kind, subject: str, **more: Any) -> Alarm:  # noqa: ANN401 - columns
    return Alarm(kind, subject, "why", NOW - 60 * MINUTE, **more)


def over(kind: Kind, subject: str, **more: Any) -> Alarm:  # noqa: ANN401 - columns
    return open_(kind, subject, resolved_at=NOW - 30 * MINUTE, **more)


REPO, ENDPOINT = Trouble("repo", "ada/engine", "why"), Trouble("endpoint", "m (u)", "why")


@pytest.mark.parametrize(
    ("troubles", "alarms", "new", "closed", "going_on"),
    [
        pytest.param([], [], [], [], [], id="nothing is wrong, nothing was"),
        pytest.param([REPO], [], ["ada/engine"], [], [], id="new"),
        pytest.param([REPO], [open_("repo", "ada/engine")], [], [], ["ada/engine"], id="goes on"),
        pytest.param([], [open_("repo", "ada/engine")], [], ["ada/engine"], [], id="over"),
        pytest.param(
            [REPO], [over("repo", "ada/engine")], ["ada/engine"], [], [], id="again, after it was over"
        ),
        pytest.param([], [over("repo", "ada/engine")], [], [], [], id="over already"),
        pytest.param(
            [REPO, ENDPOINT],
            [open_("coverage", "ada/engine"), open_("endpoint", "m (u)")],
            ["ada/engine"],
            ["ada/engine"],
            ["m (u)"],
            id="of each something, and kinds are told apart",
        ),
    ],
)
def test_troubles_against_alarms(
    troubles: list[Trouble], alarms: list[Alarm], new: list[str], closed: list[str], going_on: list[str]
) -> None:
    changes = compare(troubles, alarms)
    assert [trouble.subject for trouble in changes.new] == new
    assert [alarm.subject for alarm in changes.over] == closed
    assert [alarm.subject for alarm, _ in changes.going_on] == going_on


@pytest.mark.parametrize(
    ("alarm", "is_due"),
    [
        pytest.param(open_("repo", "a"), True, id="open, nobody knows"),
        pytest.param(open_("repo", "a", told_at=NOW), False, id="open, told"),
        pytest.param(open_("repo", "a", claimed_at=NOW - MINUTE), False, id="somebody is sending it"),
        pytest.param(open_("repo", "a", claimed_at=NOW - 6 * MINUTE), True, id="who was sending it died"),
        pytest.param(over("repo", "a", told_at=NOW), True, id="over, and told of that it began"),
        pytest.param(over("coverage", "a", told_at=NOW, ending="aged"), False, id="still so, and too old"),
        pytest.param(over("endpoint", "a", told_at=NOW, ending="unused"), True, id="not used any more"),
        pytest.param(over("repo", "a"), False, id="over before anybody knew"),
        pytest.param(over("repo", "a", told_at=NOW, over_told_at=NOW), False, id="over, told of both"),
        pytest.param(over("repo", "a", told_at=NOW, claimed_at=NOW), False, id="over, and being sent"),
    ],
)
def test_when_a_message_is_due(alarm: Alarm, is_due: bool) -> None:
    assert alarm.is_due(NOW) is is_due


def row(kind: str, subject: str, day: int | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    there = {"since": None, "error": None}
    return {"kind": kind, "subject": subject, "day": day and date(2026, 1, day), **there, **more}


def test_the_days_of_a_repo_are_one_trouble() -> None:
    rows = [
        row("endpoint", "m (http://127.0.0.1/v1)", None, since=NOW, error="401 Unauthorized"),
        *(
            row("repo", "bad/dead", day, error=f"bad/dead: gone\n {day}", since=NOW - day * MINUTE)
            for day in (5, 6, 8)
        ),
    ]
    assert troubles_of(rows) == [
        Trouble("endpoint", "m (http://127.0.0.1/v1)", "401 Unauthorized", NOW),
        Trouble("repo", "bad/dead", "2026-01-05…2026-01-06, 2026-01-08: gone 8", NOW - 8 * MINUTE),
    ]


def covered(
    day: int,
    analysed: int,
    commits: int,
    *,
    repo: str = "ada/engine",
    hours: float = 9,
    waiting: int = 0,
    **more: bool,
) -> Coverage:
    """A day of January, whose page is so many hours old."""
    return Coverage(
        repo,
        date(2026, 1, day),
        commits,
        analysed,
        NOW - timedelta(hours=hours),
        **more,
        wait_for_endpoint=waiting,
    )


def coverage(
    days: list[Coverage], *alarms: Alarm, runs: Runs | None = None, now: datetime = NOW
) -> list[Trouble]:
    return coverage_troubles(days, alarms, runs or Runs(), now=now, timezone=SHANGHAI)


def test_the_days_of_a_repo_that_are_short_are_one_trouble() -> None:
    days = [
        covered(6, 0, 3),
        covered(5, 17, 20),
        covered(7, 18, 20),
        covered(8, 0, 0),
        covered(7, 0, 1, repo="b/b"),
    ]
    assert coverage(days) == [
        Trouble("coverage", "ada/engine", "2026-01-05 17/20, 2026-01-06 0/3"),
        Trouble("coverage", "b/b", "2026-01-07 0/1"),
    ]


def endpoint_alarm(over: timedelta | None = None) -> Alarm:
    """A key that died two days ago, and is back since so long."""
    resolved = None if over is None else NOW - over
    return Alarm("endpoint", "m (h)", "401 Unauthorized", NOW - timedelta(days=2), resolved)


@pytest.mark.parametrize(
    ("alarms", "is_told"),
    [
        ([], True),
        ([endpoint_alarm()], False),
        ([endpoint_alarm(timedelta(hours=5))], False),
        ([endpoint_alarm(timedelta(hours=7))], True),
        ([endpoint_alarm(), Alarm("coverage", "ada/engine", "…", NOW - timedelta(days=3))], True),
    ],
    ids=["no outage", "an outage", "just over", "long over", "told before"],
)
def test_what_waits_for_an_endpoint_is_told_with_the_endpoint(alarms: list[Alarm], is_told: bool) -> None:
    """One outage is one message."""
    assert bool(coverage([covered(18, 0, 4, waiting=4)], *alarms)) is is_told


def test_an_outage_is_no_excuse_for_what_it_did_not_do() -> None:
    assert coverage([covered(18, 0, 4, waiting=3)], endpoint_alarm())


def test_a_past_day_counts_while_its_page_is_new() -> None:
    past = Coverage("a/b", date(2024, 5, 5), 20, 0, NOW - timedelta(days=13))
    assert [trouble.detail for trouble in coverage([past])] == ["2024-05-05 0/20"]
    assert coverage([past], now=NOW + timedelta(days=2)) == []


@pytest.mark.parametrize(
    ("day", "runs", "is_told"),
    [
        pytest.param(covered(19, 0, 2, hours=7, is_unfinished=True), Runs(), True, id="no run lasts so long"),
        pytest.param(
            covered(19, 0, 2, hours=5, is_unfinished=True), Runs(), False, id="nobody knows of runs"
        ),
        pytest.param(
            covered(19, 0, 2, hours=2, is_unfinished=True, has_page=False),
            Runs(in_flight=()),
            True,
            id="no run is at it",
        ),
        pytest.param(
            covered(19, 0, 2, hours=0.5, is_unfinished=True, has_page=False),
            Runs(in_flight=()),
            False,
            id="just read",
        ),
        pytest.param(
            covered(19, 0, 2, hours=2, is_unfinished=True, has_page=False),
            Runs(in_flight={("ada/engine", date(2026, 1, 19))}),
            False,
            id="a run is at it",
        ),
        pytest.param(
            covered(19, 0, 2, hours=2, is_unfinished=True),
            Runs(in_flight=()),
            False,
            id="it has a page, and may have changed",
        ),
        pytest.param(covered(19, 2, 2, hours=7, is_unfinished=True), Runs(), False, id="all are analysed"),
    ],
)
def test_a_day_without_a_page_is_short_once_no_run_is_at_it(day: Coverage, runs: Runs, is_told: bool) -> None:
    assert bool(coverage([day], runs=runs)) is is_told


def test_a_try_is_no_end_of_an_alarm() -> None:
    tried = covered(19, 0, 2, hours=0, is_unfinished=True)
    [trouble] = coverage([tried], open_("coverage", "ada/engine"))
    assert trouble == Trouble("coverage", "ada/engine", "why")


@pytest.mark.parametrize(
    ("alarm", "days", "ending"),
    [
        pytest.param(open_("endpoint", "m (u)"), [], None, id="it answers again"),
        pytest.param(open_("endpoint", "old (u)"), [], "unused", id="another endpoint"),
        pytest.param(open_("repo", "ada/engine"), [], None, id="it is read again"),
        pytest.param(open_("repo", "gone/repo"), [], "unused", id="a repo that left"),
        pytest.param(open_("coverage", "gone/repo"), [], "unused", id="and its analyses"),
        pytest.param(open_("coverage", "ada/engine"), [covered(5, 20, 20)], None, id="reached"),
        pytest.param(open_("coverage", "ada/engine"), [covered(19, 0, 20)], "aged", id="still so"),
        pytest.param(open_("coverage", "ada/engine"), [covered(19, 0, 20, repo="b/b")], None, id="another's"),
        pytest.param(
            open_("coverage", "ada/engine"),
            [Coverage("ada/engine", date(2025, 11, 1), 20, 0, NOW - timedelta(days=60))],
            None,
            id="one that was too old already",
        ),
        pytest.param(open_("run", "digests"), [], None, id="a run"),
    ],
)
def test_why_an_alarm_is_closed(alarm: Alarm, days: list[Coverage], ending: Ending | None) -> None:
    named: dict[str, Any] = {"repos": ["ada/engine", "b/b"], "endpoints": ["m (u)"], "timezone": SHANGHAI}
    assert ending_of(alarm, days, **named) == ending
    [closed] = compare([], [alarm], lambda one: ending_of(one, days, **named)).over
    assert closed.ending == ending


def test_many_days_are_named_in_a_line_that_can_be_read() -> None:
    [trouble] = coverage([covered(day, 0, 1) for day in range(1, 15)])
    assert trouble.detail.endswith("2026-01-06 0/1, … (+8)")
    [trouble] = troubles_of([row("repo", "a/b", 1, error="x" * 9000)])
    assert len(trouble.detail) == 500


FAILED = RunFailure("repo_days", NOW - 10 * MINUTE, ("the disk is full",))


@pytest.mark.parametrize(
    ("runs", "alarms", "known", "found"),
    [
        pytest.param(Runs(), [], set(), {}, id="no run failed"),
        pytest.param(Runs((FAILED,)), [], set(), {"repo_days": "the disk is full"}, id="one failed"),
        pytest.param(Runs((FAILED,)), [], {"the disk is full"}, {}, id="told as a repo's"),
        pytest.param(
            Runs((RunFailure("repo_days", NOW, ("a repo", "a bug")),)),
            [],
            {"a repo"},
            {"repo_days": "a repo; a bug"},
            id="not only a repo's",
        ),
        pytest.param(
            Runs((RunFailure("upkeep", NOW, ()),)), [], set(), {"upkeep": ""}, id="one that could not say why"
        ),
        pytest.param(Runs((FAILED,), {"repo_days": NOW - MINUTE}), [], set(), {}, id="a later one succeeded"),
        pytest.param(
            Runs((FAILED,), {"repo_days": NOW - 11 * MINUTE}),
            [],
            set(),
            {"repo_days": "the disk is full"},
            id="what succeeded began before",
        ),
        pytest.param(Runs(), [open_("run", "digests")], set(), {"digests": "why"}, id="goes on unseen"),
        pytest.param(
            Runs((), {"digests": NOW}), [open_("run", "digests")], set(), {}, id="over by a success"
        ),
        pytest.param(
            Runs((FAILED,)), [open_("run", "repo_days")], set(), {"repo_days": "why"}, id="failed again"
        ),
        pytest.param(Runs(), [over("run", "digests"), open_("repo", "a/b")], set(), {}, id="other alarms"),
    ],
)
def test_runs_that_failed(runs: Runs, alarms: list[Alarm], known: set[str], found: dict[str, str]) -> None:
    troubles = run_troubles(runs, alarms, known, NOW)
    assert {trouble.subject: trouble.detail for trouble in troubles} == found
    assert all(trouble.kind == "run" and trouble.since and trouble.since <= NOW for trouble in troubles)


YESTERDAY = NOW - timedelta(days=1)


def still_open(runs: Runs, known: set[str] | None = None) -> bool:
    alarm = Alarm("run", "reanalyse", "why", YESTERDAY - MINUTE)
    return bool(run_troubles(runs, [alarm], known or set(), NOW))


@pytest.mark.parametrize(
    ("covered_at", "failed_at", "is_open"),
    [
        pytest.param(None, None, True, id="nothing was seen"),
        pytest.param(NOW - MINUTE, None, False, id="another job did the same"),
        pytest.param(YESTERDAY - 2 * MINUTE, None, True, id="but before"),
        pytest.param(NOW - MINUTE, NOW - 60 * MINUTE, True, id="it failed again since: it goes on failing"),
        pytest.param(NOW - MINUTE, YESTERDAY, False, id="not for a day"),
    ],
)
def test_a_job_that_has_nothing_to_do_any_more_is_over_its_failure(
    covered_at: datetime | None, failed_at: datetime | None, is_open: bool
) -> None:
    runs = Runs(
        succeeded={} if covered_at is None else {"repo_days": covered_at},
        failed={} if failed_at is None else {"reanalyse": failed_at},
        does_more={"reanalyse": ["repo_days"]},
    )
    assert still_open(runs) is is_open


def test_a_run_that_only_lacked_a_repo_got_through() -> None:
    theirs = RunFailure("reanalyse", NOW, ("bad/dead: gone",), began_at=NOW - MINUTE)
    assert not still_open(Runs((theirs,)), {"bad/dead: gone"})
    assert still_open(Runs((replace(theirs, began_at=YESTERDAY - 2 * MINUTE),)), {"bad/dead: gone"})
    assert still_open(Runs((replace(theirs, reasons=("bad/dead: gone", "a bug")),)), {"bad/dead: gone"})
