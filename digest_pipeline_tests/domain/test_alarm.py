"""Alarms as decisions: what is new, what is over, what goes on, and which message is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from digest_pipeline.domain.alarm import (
    Alarm,
    Kind,
    RunFailure,
    Runs,
    Trouble,
    compare,
    run_troubles,
    troubles_of,
)

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


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
        pytest.param(over("repo", "a"), False, id="over before anybody knew"),
        pytest.param(over("repo", "a", told_at=NOW, over_told_at=NOW), False, id="over, told of both"),
        pytest.param(over("repo", "a", told_at=NOW, claimed_at=NOW), False, id="over, and being sent"),
    ],
)
def test_when_a_message_is_due(alarm: Alarm, is_due: bool) -> None:
    assert alarm.is_due(NOW) is is_due


def row(kind: str, subject: str, day: int | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    there = {"since": None, "error": None, "analysed": None, "commits": None}
    return {"kind": kind, "subject": subject, "day": day and date(2026, 1, day), **there, **more}


def test_the_days_of_a_repo_are_one_trouble() -> None:
    rows = [
        row("coverage", "ada/engine", 5, analysed=1, commits=20),
        row("coverage", "ada/engine", 6, analysed=0, commits=3),
        row("endpoint", "m (http://127.0.0.1/v1)", None, since=NOW, error="401 Unauthorized"),
        *(
            row("repo", "bad/dead", day, error=f"bad/dead: gone\n {day}", since=NOW - day * MINUTE)
            for day in (5, 6, 8)
        ),
    ]
    assert troubles_of(rows) == [
        Trouble("coverage", "ada/engine", "2026-01-05 1/20, 2026-01-06 0/3", None),
        Trouble("endpoint", "m (http://127.0.0.1/v1)", "401 Unauthorized", NOW),
        Trouble("repo", "bad/dead", "2026-01-05…2026-01-06, 2026-01-08: gone 8", NOW - 8 * MINUTE),
    ]


def test_many_days_are_named_in_a_line_that_can_be_read() -> None:
    [trouble] = troubles_of([row("coverage", "a/b", day, analysed=0, commits=1) for day in range(1, 15)])
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
