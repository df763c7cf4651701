"""`digest doctor`: everything that a run needs is tried, and what fails comes with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import DEAD_URL, Project, assert_no_traceback, local

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
    assert len(ran.lines) == 10, "one line for each thing that was tried"


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
    assert refused.code == 1
    assert "api_key_env" in refused.out
    assert "sk-very-secret-indeed" not in ran.said + refused.said


def test_quiet_keeps_the_results(made: Project) -> None:
    ran = made.digest("doctor", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "✓ git" in ran.out
