"""`digest doctor`: everything that a run needs is tried, and what fails comes with what to do."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import (
    DEAD_URL,
    Project,
    assert_no_traceback,
    assert_refused,
    local,
)

if TYPE_CHECKING:
    from pathlib import Path


def marks(out: str) -> dict[str, str]:
    """The mark of each thing that was tried, by its name."""
    return {line[2:].split(":")[0]: line[0] for line in out.splitlines()}


def test_all_is_well(made: Project) -> None:
    ran = made.digest("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert marks(ran.out) == dict.fromkeys(
        [
            "settings",
            "git",
            "repository ada/engine",
            "repository ada/bits",
            "analyst",
            "history",
            "Dagster",
            "disk",
            "alarm",
        ],
        "✓",
    )


def test_what_fails_is_marked_and_all_else_is_tried_still(
    project: Project, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    (project.data / "store").mkdir(parents=True)
    (project.data / "store" / "catalog.sqlite").write_text("this is no database", encoding="utf-8")
    project.configure(
        local("ada/engine", engine),
        {"name": "bad/dead", "url": DEAD_URL},
        local("bad/branch", engine, branch="nowhere"),
        {"name": "bad/token", "url": DEAD_URL, "token_env": "NO_SUCH_TOKEN"},
        llm={"base_url": "http://127.0.0.1:9/v1", "model": "fake"},
    )
    ran = project.digest("doctor")
    assert_no_traceback(ran)
    assert ran.code == 1
    assert "bad/dead: bad/dead" not in ran.out
    failed = {name for name, mark in marks(ran.out).items() if mark == "✗"}
    assert failed == {
        "repository bad/dead",
        "repository bad/branch",
        "repository bad/token",
        "analyst",
        "history",
    }
    for words in (
        "cannot be reached",
        "set branch to one of: main",
        "NO_SUCH_TOKEN is not set",
        "base_url",
        "backup",
    ):
        assert words in ran.out
    assert len(ran.lines) == 11, "one line for each thing that was tried"


def test_an_endpoint_is_asked_one_real_question(
    project: Project, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_KEY", "sk-very-secret-indeed")
    with OpenAIServer() as server:
        llm = {"base_url": server.url, "model": "fake", "api_key_env": "LLM_KEY"}
        project.configure(local("ada/engine", engine), llm=llm)
        ran = project.digest("doctor")
        assert ran.code == 0, ran.said
        assert [request.headers["authorization"] for request in server.requests] == [
            "Bearer sk-very-secret-indeed"
        ]
        server.default = lambda _: openai_server.error(401, "wrong key: sk-very-secret-indeed")
        refused = project.digest("doctor")
    assert f"✓ analyst: fake at {server.url.removeprefix('http://')} answers" in ran.lines
    assert refused.code == 1
    assert f"✗ analyst: fake at {server.url.removeprefix('http://')} does not answer: " in refused.out
    assert "api_key_env" in refused.out
    assert "sk-very-secret-indeed" not in ran.said + refused.said


def test_a_key_in_the_address_is_refused_before_anything_is_asked_and_never_shown(
    project: Project, engine: Path
) -> None:
    with OpenAIServer() as server:
        project.configure(
            local("ada/engine", engine), llm={"base_url": f"{server.url}?api_key=sWordfish", "model": "fake"}
        )
        ran = project.digest("doctor")
        assert server.requests == []
    assert_refused(ran, 2, "llm.base_url", "api_key_env", most_lines=1)
    assert "sWordfish" not in ran.said


def test_a_first_day_that_lies_ahead_is_told_as_nothing_to_make(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine), first_day=date(2199, 1, 1))
    ran = project.digest("doctor")
    assert ran.code == 1
    assert "✗ days: first_day = 2199-01-01 is not over yet" in ran.out


def test_quiet_keeps_the_results(made: Project) -> None:
    ran = made.digest("doctor", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "✓ git" in ran.out


def test_addresses_of_alarms_are_looked_at_and_nothing_is_sent(
    project: Project, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener() as listener:
        monkeypatch.setenv(
            "ALARM_URL", f"{listener.apprise_url('tOken-1')} {listener.apprise_url('tOken-2')}"
        )
        monkeypatch.setenv("HEARTBEAT_URL", f"http://127.0.0.1:{listener.port}/tOken-3")
        alarm = {"urls_env": ["ALARM_URL"], "heartbeat_url_env": "HEARTBEAT_URL"}
        project.configure(local("ada/engine", engine), alarm=alarm)
        ran = project.digest("doctor")
        assert ran.code == 0, ran.said
        assert (
            "✓ alarm: ALARM_URL, address 1 (JSON); ALARM_URL, address 2 (JSON); "
            "heartbeat to the address in HEARTBEAT_URL" in ran.lines
        )
        assert listener.taken == []
        tried = project.digest("doctor", "--send-test-alarm")
        assert (tried.code, marks(tried.out)["test alarm"]) == (0, "✓")
        assert listener.titles == ["digest: test"] * 2
        listener.status = 500
        refused = project.digest("doctor", "--send-test-alarm")
        assert (refused.code, marks(refused.out)["test alarm"]) == (1, "✗")
    assert "tOken" not in ran.said + tried.said + refused.said


@pytest.mark.parametrize(
    ("environment", "alarm", "words"),
    [
        ({}, {"urls_env": ["ALARM_URL"]}, "ALARM_URL is not set"),
        (
            {},
            {"urls_env": ["ALARM_URL"], "heartbeat_url_env": "HEARTBEAT_URL"},
            "ALARM_URL is not set; set it, or leave the key out; alarm.heartbeat_url_env: the environment variable",
        ),
        ({"ALARM_URL": "tOken-1"}, {"urls_env": ["ALARM_URL"]}, "is none that apprise knows"),
        ({"HEARTBEAT_URL": "tOken-1"}, {"heartbeat_url_env": "HEARTBEAT_URL"}, 'begins with "https://"'),
    ],
)
def test_addresses_that_are_none_are_problems(
    project: Project,
    engine: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    alarm: dict[str, object],
    words: str,
) -> None:
    for name in ("ALARM_URL", "HEARTBEAT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    project.configure(local("ada/engine", engine), alarm=alarm)
    ran = project.digest("doctor")
    assert (ran.code, marks(ran.out)["alarm"]) == (1, "✗")
    assert words in ran.out
    assert "tOken" not in ran.said


def test_open_alarms_are_problems_to_doctor_and_status(project: Project, engine: Path) -> None:
    project.configure(
        local("ada/engine", engine), {"name": "ada/gone", "url": DEAD_URL}, first_day=date(2026, 1, 7)
    )
    assert project.digest("run", "--quiet").code == 1
    project.configure(local("ada/engine", engine), local("ada/gone", engine), first_day=date(2026, 1, 7))
    ran = project.digest("doctor")
    assert ran.code == 1
    [line] = [line for line in ran.lines if line.startswith("✗")]
    assert line.startswith("✗ open alarm: repo ada/gone: 2026-01-07: ")
    [alarm] = project.json("status", "--json")["alarms"]
    assert set(alarm) == {"kind", "subject", "detail", "raised_at"}
    assert (alarm["kind"], alarm["subject"]) == ("repo", "ada/gone")
    assert any(
        line.startswith("alarm: repo ada/gone: 2026-01-07: ") for line in project.digest("status").lines
    )
    assert project.digest("status", "--check").code == 1
    assert project.digest("run", "--quiet").code == 0
    assert project.json("status", "--json")["alarms"] == []
    assert project.digest("status", "--check").code == 0
    assert project.digest("doctor").code == 0
