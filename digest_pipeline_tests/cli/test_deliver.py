"""`digest run` makes readers' pages and sends nothing; `digest deliver` brings them where they belong, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.project import Project, assert_refused, local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2026-01-07"
TEAM = {"name": "team", "kind": "apprise", "url_env": "TEAM_URL"}
OTHER = {"name": "other", "kind": "apprise", "url_env": "OTHER_URL"}
INFRA = {"name": "infra", "paths": ["src/part5.py"], "channels": ["team"]}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


@pytest.fixture(autouse=True)
def environment(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    listener.taken.clear()
    listener.status = 200
    monkeypatch.setenv("TEAM_URL", listener.apprise_url("tOken-1"))
    monkeypatch.setenv("OTHER_URL", listener.apprise_url("tOken-2"))


@pytest.fixture
def shop(project: Project, engine: Path) -> Project:
    project.begin()
    project.configure(local("ada/engine", engine), readers=[INFRA], channels=[TEAM, OTHER])
    return project


def test_a_day_is_made_told_and_brought_once(shop: Project, listener: Listener) -> None:
    ran = shop.digest("run", "--day", DAY)
    assert ran.code == 0, ran.said
    assert [line.removeprefix(f"{shop.data}/reports/") for line in ran.lines] == [
        f"ada/engine/2026/{DAY}.md",
        f"daily/2026/{DAY}.md",
        f"readers/infra/2026/{DAY}.md",
    ]
    assert listener.taken == []

    planned = shop.digest("deliver", "--day", DAY, "--dry-run")
    assert planned.lines == [
        f"{DAY} team: would send the page of infra",
        f"{DAY} other: would send the digest",
    ]
    assert (planned.code, listener.taken) == (0, [])

    sent = shop.digest("deliver")  # yesterday
    assert sent.lines == [
        f"{DAY} team: sent the page of infra (TEAM_URL, address 1 (JSON))",
        f"{DAY} other: sent the digest (OTHER_URL, address 1 (JSON))",
    ]
    again = shop.digest("deliver", "--from", DAY, "--to", DAY)
    assert (again.code, again.out) == (0, "")
    assert "nothing to deliver" in again.err
    assert len(listener.taken) == 2

    due = shop.digest("deliver", "--due")
    assert (due.code, due.out, "every channel has what is due" in due.err) == (0, "", True)
    assert_refused(shop.digest("deliver", "--due", "--day", DAY), 2, "--due chooses the days by itself")

    missing = shop.digest("deliver", "--from", "2026-01-05", "--to", DAY)
    assert_refused(missing, 1, "not made yet: 2026-01-05 to 2026-01-06; digest run makes these days")


def test_a_reader_who_came_later_is_told_to_have_no_page_yet(shop: Project, engine: Path) -> None:
    assert shop.digest("run", "--day", DAY).code == 0
    late = {**INFRA, "name": "late"}
    shop.configure(local("ada/engine", engine), readers=[INFRA, late], channels=[TEAM, OTHER])
    ran = shop.digest("deliver", "--day", DAY, "--dry-run")
    assert ran.code == 1
    assert f"the page of late is not made yet: {DAY}; digest run makes these days" in ran.err
    assert len(ran.lines) == 2, "the others are told as ever"


def test_a_channel_that_fails_is_told_and_leaves_the_others(
    shop: Project, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.digest("run", "--day", DAY)
    monkeypatch.delenv("OTHER_URL")
    ran = shop.digest("deliver", "--day", DAY)
    assert ran.code == 1
    assert len(ran.lines) == len(ran.errors) == len(listener.taken) == 1
    reason = 'channel "other": url_env: the environment variable OTHER_URL is not set; set it, or leave the key out'
    assert ran.errors == [f"digest: {DAY} other: the digest was not delivered: {reason}"]
    status = shop.digest("status")
    assert f"channel other: {DAY} was not delivered, tried again at " in status.out
    doctor = shop.digest("doctor")
    assert "✓ channel team: TEAM_URL, address 1 (JSON)" in doctor.out
    assert f"✗ channel other: {reason}" in doctor.out


def test_without_a_channel_there_is_nothing_to_do(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine))
    assert_refused(project.digest("deliver"), 2, "there is no channel to deliver to")
