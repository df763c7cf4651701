"""Keys and tokens stay in the environment: after runs in which everything fails, no file and no line holds one."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

import dagster as dg
import pytest

from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline_tests.fakes import github, openai_server
from digest_pipeline_tests.fakes.github import FakeGitHub
from digest_pipeline_tests.fakes.hub import Answer as HubAnswer
from digest_pipeline_tests.fakes.hub import FakeHub
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, Recorded, Reply
from digest_pipeline_tests.fakes.project import DEAD_URL, Project, Ran, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-Zx81-very+secret/indeed=="
TOKEN = "ghp_q7TokenThatNobodyMaySee42"  # noqa: S105 - made up
WEBHOOK = "T0ken-q7thatNobodyMaySee"
TABLES = (
    "alarms",
    "endpoints",
    "reads",
    "commit_log",
    "commit_sizes",
    "commit_files",
    "analyses",
    "reports",
    "digests",
    "reader_pages",
    "deliveries",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("LLM_KEY", KEY)
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    yield
    root.handlers[:], root.level = handlers, level


def spellings(secret: str) -> set[str]:
    """A secret as it stands, and as it travels."""
    basic = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        basic,
        basic[:40],
    }


def places_of(secret: str, project: Project, *runs: Ran) -> list[str]:
    """Everything that a person or program could look at later and that holds the secret."""
    wanted = spellings(secret)
    found = [f"output: {ran.said}" for ran in runs if any(word in ran.said for word in wanted)]
    for file in project.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            found += [str(file) for word in wanted if word.encode() in content]
    # What is compressed hides from a look at bytes.
    for table in TABLES:
        text = "\n".join(map(str, project.rows(f"SELECT * FROM {table}")))
        found += [table for word in wanted if word in text]
    return found


def echo(request: Recorded) -> Reply:
    """An endpoint that tells everybody what it was told, in a different way each time."""
    said = f"your header was {request.headers.get('authorization')} and your key {KEY}"
    number = len(request.user) % 4
    if number == 0:
        return openai_server.error(400, said, param=KEY)
    if number == 1:
        return openai_server.page(503, said)
    if number == 2:
        return openai_server.completion(said)  # not the form that was asked for
    return openai_server.completion(None, refusal=said)


def test_the_search_finds_a_secret_where_there_is_one(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", small_repository(tmp_path / "engine", days=1).path))
    assert places_of(KEY, project) == []
    (project.data / "leak.txt").write_text(f"key={quote(KEY, safe='')}", encoding="utf-8")
    assert places_of(KEY, project) == [str(project.data / "leak.txt")]


def test_a_key_that_the_endpoint_echoes_is_stored_and_shown_nowhere(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine")
    for number in range(8):
        builder.write(f"{number}.py", "x = 1\n" * number)
        builder.commit("feat: a change" + "!" * number)
    project = Project(tmp_path / "project")
    project.begin()
    with OpenAIServer(echo) as server:
        llm = {"base_url": server.url, "model": "fake", "api_key_env": "LLM_KEY", "attempts": 1}
        project.configure(local("ada/engine", builder.path), llm=llm)
        runs = [project.digest("doctor")]
        runs += [project.digest("run", "--day", "2026-01-05", option) for option in ("--verbose", "--strict")]
        server.default = lambda _: openai_server.error(401, f"Incorrect API key provided: {KEY}")
        runs.append(project.digest("run", "--day", "2026-01-05", "--verbose"))
        assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
    assert runs[2].code == 1, "the analyses were meant to fail"
    errors = project.rows("SELECT error FROM analyses WHERE error IS NOT NULL")
    assert errors, "nothing was stored that could hold a key"
    assert places_of(KEY, project, *runs) == []


def test_a_token_that_a_forge_echoes_is_stored_and_shown_nowhere(tmp_path: Path) -> None:
    engine = small_repository(tmp_path / "engine", days=2).path
    project = Project(tmp_path / "project")
    project.begin()
    with FakeGitHub({"ada/engine": engine}, tokens=[TOKEN]) as hub:
        hub.on(r"/commits/[0-9a-f]{40}", github.error(500, f"boom: {TOKEN}"), times=1)
        source = {"source": "github", "api_url": hub.api_url, "token_env": "HUB_TOKEN"}
        project.configure(
            {"name": "ada/engine", **source},
            {"name": "ada/other", **source},
            {"name": "bad/git", "url": DEAD_URL, "token_env": "HUB_TOKEN"},
        )
        runs = [project.digest("run", "--from", "2026-01-05", "--to", "2026-01-06", "--verbose")]
        hub.on(".", github.error(403, f"token {TOKEN} may not do this"))
        runs.append(project.digest("run", "--day", "2026-01-06", "--verbose"))
        runs.append(project.digest("doctor"))
        assert any(TOKEN in request.headers.get("authorization", "") for request in hub.requests)
    assert [ran.code for ran in runs] == [1, 1, 1]
    assert project.rows("SELECT count(*) FROM reads WHERE error IS NOT NULL")[0][0] > 0
    assert places_of(TOKEN, project, *runs) == []


def test_tokens_and_addresses_of_channels_are_stored_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "project")
    project.begin()
    monkeypatch.setattr("digest_pipeline.sources.github_api.FAULT_WAITS_SECONDS", ())
    engine = local("ada/engine", small_repository(tmp_path / "engine", days=1).path)
    with Listener() as listener, FakeHub(token=TOKEN) as hub:
        monkeypatch.setenv("TEAM_URL", listener.apprise_url(WEBHOOK))
        news = {"repo": hub.repo, "token_env": "HUB_TOKEN", "api_url": hub.api_url}
        project.configure(
            engine,
            channels=[
                {"name": "team", "kind": "apprise", "url_env": "TEAM_URL"},
                {"name": "files", "kind": "github_file", **news},
                {"name": "issues", "kind": "github_issue", **news},
            ],
        )
        runs = [project.digest("run", "--day", "2026-01-05")]
        listener.status = 403
        hub.script.extend([HubAnswer(403, {"message": f"no {TOKEN}"}), HubAnswer(500, {"message": TOKEN})])
        runs += [project.digest("deliver", "--day", "2026-01-05", "--verbose"), project.digest("status")]
        listener.status = 200
        runs += [project.digest("deliver", "--day", "2026-01-05", "--verbose"), project.digest("doctor")]
        assert all(TOKEN in asked.headers["authorization"] for asked in hub.asked)
    assert [ran.code for ran in runs] == [0, 1, 0, 0, 0], [ran.said for ran in runs]
    assert len(runs[1].errors) == 3
    assert places_of(TOKEN, project, *runs) + places_of(WEBHOOK, project, *runs) == []


def test_addresses_of_alarms_are_stored_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "project")
    project.begin()
    project.configure(
        {"name": "bad/git", "url": DEAD_URL},
        alarm={"urls_env": ["ALARM_URL"], "heartbeat_url_env": "HEARTBEAT_URL"},
    )
    monkeypatch.setenv("HEARTBEAT_URL", f"http://127.0.0.1:9/{WEBHOOK}")
    runs = []
    with Listener() as listener:
        for status, url in (
            (200, f"json://127.0.0.1:9/{WEBHOOK} mailto://ada:{WEBHOOK}@localhost:9"),
            (500, listener.apprise_url(WEBHOOK)),
            (200, f"nonsense://{WEBHOOK}"),
            (200, listener.apprise_url(WEBHOOK)),
        ):
            listener.status = status
            monkeypatch.setenv("ALARM_URL", url)
            runs += [project.digest("run", "--day", "2026-01-05", "--verbose")]
            runs += [project.digest("doctor", "--send-test-alarm")]
        assert "digest: bad/git cannot be read" in listener.titles
    assert "took no message" in runs[0].err
    watch = next(one for one in build_sensors(project.settings) if one.name == "watch")
    with open_instance(project.data) as instance:
        tick = watch.evaluate_tick(dg.build_sensor_context(instance=instance))
    runs.append(Ran(0, tick.skip_message or "", ""))
    assert "heartbeat's address cannot be called" in runs[-1].out
    assert project.rows("SELECT count(*) FROM alarms") == [(1,)]
    assert places_of(WEBHOOK, project, *runs) == []


def test_secrets_in_the_settings_file_are_refused_without_being_repeated(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for wrong in (
        {"name": "ada/engine", "url": f"https://ada:{TOKEN}@example.org/x.git"},
        {"name": "ada/engine", "url": f"https://{TOKEN}@example.org/x.git"},
        {"name": "ada/engine", "url": "https://example.org/x.git", "token_env": f"{TOKEN}="},
    ):
        project.configure(wrong)
        for command in (["run"], ["run", "--verbose"], ["doctor"], ["status"]):
            ran = project.digest(*command)
            assert ran.code == 2
            assert TOKEN not in ran.said
            assert "token_env" in ran.err
    project.configure(
        local("ada/engine", tmp_path),
        llm={"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": KEY},
    )
    ran = project.digest("run", "--verbose")
    assert ran.code == 2
    assert KEY not in ran.said
    for alarm in (
        {"urls_env": [f"slack://{WEBHOOK}"]},
        {"urls_env": WEBHOOK},
        {"heartbeat_url_env": f"{WEBHOOK}="},
    ):
        project.configure(local("ada/engine", tmp_path), alarm=alarm)
        ran = project.digest("run", "--verbose")
        assert ran.code == 2
        assert WEBHOOK not in ran.said
