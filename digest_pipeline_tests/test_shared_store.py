"""A team's store end to end: a run on one machine, questions from another, moved there and back; no secret anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes import s3
from digest_pipeline_tests.fakes.postgres import PASSWORD, postgres_server, postgres_url
from digest_pipeline_tests.fakes.project import Project, Ran, local, small_repository
from digest_pipeline_tests.fakes.s3 import s3_server
from digest_pipeline_tests.test_secrets import TABLES, spellings

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline_tests.fakes.postgres import PostgresServer
    from digest_pipeline_tests.fakes.s3 import S3Server

__all__ = ["postgres_server", "postgres_url", "s3_server"]  # fixtures

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

WRONG = "wr0ng-secret-of-nobody"
QUESTION = "SELECT repo, day, count(*) AS commits FROM commits GROUP BY ALL ORDER BY ALL"


def asked(project: Project) -> list[dict[str, object]]:
    ran = project.digest("sql", QUESTION, "--format", "json")
    assert ran.code == 0, ran.said
    return json.loads(ran.out)  # type: ignore[no-any-return]


def asked_with_wrong_keys(project: Project) -> list[Ran]:
    """A bucket's refusal is the history's fault; an address that a query names is the query's."""
    assert project.digest("sql", "SELECT count(*) FROM reads").code == 0, "these wait in the catalog"
    runs: list[Ran] = []
    for question in (("SELECT max(analysis) FROM analyses",), ("--query", "search", "--param", "words=part")):
        runs.append(project.digest("sql", *question))
        assert (runs[-1].code, "refuses the keys; look at" in runs[-1].err) == (1, True), runs[-1].said
    runs.append(project.digest("sql", "FROM read_csv('http://127.0.0.1:9/mine.csv')"))
    assert (runs[-1].code, "the query cannot be answered" in runs[-1].err) == (2, True), runs[-1].said
    return runs


def test_a_run_on_one_machine_is_read_on_another_and_carried_home_without_a_secret_on_the_way(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres_server: PostgresServer,
    postgres_url: str,
    s3_server: S3Server,
) -> None:
    monkeypatch.setenv("STORE_URL", postgres_url)
    monkeypatch.setenv("STORE_KEY", s3.KEY)
    monkeypatch.setenv("STORE_SECRET", s3.SECRET)
    engine = local("ada/engine", small_repository(tmp_path / "engine", days=2).path)
    store = {
        "catalog_url_env": "STORE_URL",
        "data_url": f"s3://{s3_server.create_bucket()}/team",
        "endpoint": s3_server.endpoint,
        "region": "us-east-1",
        "key_env": "STORE_KEY",
        "secret_env": "STORE_SECRET",
    }
    one, other = Project(tmp_path / "one"), Project(tmp_path / "other")
    for project in (one, other):
        project.configure(engine, store=store)
    runs = [one.digest("run", "--from", "2026-01-05", "--to", "2026-01-06", "--verbose")]
    assert runs[0].code == 0, runs[0].said
    assert [row["commits"] for row in asked(other)] == [2, 2]
    runs += [one.digest("doctor"), other.digest("status", "--check")]
    assert [ran.code for ran in runs[:2]] == [0, 0], [ran.said for ran in runs]
    assert f"the history is shared, in postgresql://127.0.0.1:{postgres_server.port}/" in runs[2].out
    assert f"{store['data_url']} can be read and written, no file is missing" in runs[1].said
    assert not (other.data / "store").exists()

    monkeypatch.setenv("STORE_SECRET", WRONG)
    runs.append(one.digest("run", "--day", "2026-01-05", "--verbose"))
    assert "refuses the keys; look at the variables that key_env and secret_env" in runs[-1].err
    runs += asked_with_wrong_keys(other)
    monkeypatch.setenv("STORE_SECRET", s3.SECRET)

    # Home, and from there nowhere else: the settings no longer say where.
    runs.append(other.digest("store", "move", "--to", "embedded"))
    assert (runs[-1].code, runs[-1].out.strip()) == (0, str(other.data)), runs[-1].said
    assert "take catalog_url_env and data_url of [store] out" in runs[-1].err
    other.configure(engine)
    assert asked(other) == asked(one)
    runs.append(other.digest("store", "move", "--to", "shared"))
    assert (runs[-1].code, "write [store] with catalog_url_env" in runs[-1].err) == (2, True)
    runs += [one.digest("run", "--day", "2026-01-05"), one.digest("doctor")]
    assert [ran.code for ran in runs[-2:]] == [1, 1]
    assert all("by digest store move, and nothing is written where it was" in ran.said for ran in runs[-2:])
    runs += [one.digest("sql", QUESTION), one.digest("status")]
    assert all("this history was carried to " in ran.err for ran in runs[-2:])

    # What goes wrong says what to do, and nothing that nobody may see.
    script = (one.data / "history.sql").read_text(encoding="utf-8")
    assert "getenv('STORE_SECRET')" in script
    runs.append(Ran(0, script, ""))
    monkeypatch.setenv("STORE_URL", postgres_url.replace(PASSWORD, WRONG))
    runs += [one.digest("sql", QUESTION), one.digest("doctor")]
    assert all("look at the address in STORE_URL" in ran.said for ran in runs[-2:])
    monkeypatch.delenv("STORE_URL")
    runs.append(one.digest("status"))
    assert (runs[-1].code, "STORE_URL is not set" in runs[-1].err) == (2, True)
    assert all(len(ran.errors) <= 1 for ran in runs)
    monkeypatch.setenv("STORE_URL", postgres_url)
    left = [ran.said for ran in runs]
    for project in (one, other):
        left += [file.read_text("utf-8", "replace") for file in project.folder.rglob("*") if file.is_file()]
        left += [str(project.rows(f"SELECT * FROM {table}")) for table in TABLES]
    for secret in (PASSWORD, s3.SECRET, s3.KEY, WRONG):
        assert not [text for text in left if any(word in text for word in spellings(secret))]
