"""What a shared history stands on goes away for a while: nothing is lost, the error says what to do, and a run heals.

PostgreSQL in the middle of a run, and the folder of the rows; the broker is in test_workers.py, a data folder that is
full or cannot be written in cli/test_full_disk.py.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.orchestration.patience import Patience
from digest_pipeline.store.history import History
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, well_formed
from digest_pipeline_tests.fakes.postgres import running_postgres
from digest_pipeline_tests.fakes.project import (
    FIRST_DAY,
    Project,
    assert_no_traceback,
    days_from,
    local,
    small_repository,
)
from digest_pipeline_tests.fakes.small_disk import fill, small_disk
from digest_pipeline_tests.fakes.team import history_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest_pipeline_tests.fakes.openai_server import Recorded, Reply
    from digest_pipeline_tests.fakes.postgres import PostgresServer

__all__ = ["small_disk"]  # a fixture

DAYS = days_from(FIRST_DAY, 2)
RUN = ("run", "--from", f"{DAYS[0]}", "--to", f"{DAYS[-1]}")
WHOLE = (
    "SELECT (SELECT count(*) FROM commits), (SELECT count(*) FROM analyses WHERE status = 'ok'), "
    "(SELECT count(DISTINCT (repo, sha)) FROM analyses), (SELECT count(*) FROM reports)"
)


@pytest.fixture(scope="module")
def server(postgres_bin: Path) -> Iterator[PostgresServer]:
    """One of these tests' own, for it is stopped."""
    with running_postgres(postgres_bin) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Instance and history in PostgreSQL; the first question to the model finds nobody there any more."""
    small_repository(tmp_path / "engine", days=len(DAYS))
    for name in ("DIGEST_INSTANCE_POSTGRES_URL", "DIGEST_CATALOG_URL"):
        monkeypatch.setenv(name, server.create_database())
    return Project(tmp_path)


def follow(project: Project, model: OpenAIServer) -> None:
    project.configure(
        local("ada/engine", project.folder / "engine"),
        llm={"base_url": model.url, "model": "fake", "concurrency": 1},
        store={"catalog_url_env": "DIGEST_CATALOG_URL", "data_url": str(project.folder / "history")},
    )


@pytest.mark.postgres
def test_a_database_that_restarts_in_the_middle_of_a_run_costs_it_nothing(
    project: Project, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restart(request: Recorded) -> Reply:
        server.stop()
        server.start()
        return well_formed(request)

    with OpenAIServer() as model:
        follow(project, model)
        model.then(restart)
        ran = project.digest(*RUN)
    assert ran.code == 0, ran.said
    assert_no_traceback(ran)
    assert history_of(project, WHOLE) == [(4, 4, 4, 2)]
    # Another machine has its own folder: what others made is not amiss there.
    monkeypatch.setenv("DIGEST_DATA_DIR", str(project.folder / "elsewhere"))
    assert "page is gone" not in project.digest("status").said


@pytest.mark.postgres
def test_a_database_that_stays_away_ends_the_run_and_the_next_one_heals(
    project: Project, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Patience, "seconds", 0.2)
    monkeypatch.setattr(History._steadily, "__defaults__", ((0.05,),))

    def stop(request: Recorded) -> Reply:
        server.stop()
        return well_formed(request)

    with OpenAIServer() as model:
        follow(project, model)
        model.then(stop)
        ran = project.digest(*RUN)
        assert ran.code == 1
        assert_no_traceback(ran)
        assert [line for line in ran.errors if "start it, or mend DIGEST_INSTANCE_POSTGRES_URL" in line], (
            ran.err
        )
        server.start()
        assert history_of(project, "SELECT count(*) FROM commits") == [(4,)]
        again = project.digest(*RUN)
    assert again.code == 0, again.said
    assert history_of(project, WHOLE) == [(4, 4, 4, 2)]


@pytest.mark.postgres
def test_a_shared_folder_that_takes_nothing_costs_the_run_and_the_next_one_heals(
    project: Project, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History._steadily, "__defaults__", ((0.05,),))
    monkeypatch.delenv("DIGEST_INSTANCE_POSTGRES_URL")
    project.begin()
    project.configure(
        local("ada/engine", project.folder / "engine"),
        store={"catalog_url_env": "DIGEST_CATALOG_URL", "data_url": str(small_disk / "history")},
    )
    one, two = (("run", "--day", f"{day}") for day in DAYS)
    assert project.digest(*one).code == 0
    before = history_of(project, WHOLE)
    for harm, said in (("full", "free some space"), ("read-only", "cannot be written")):
        with harmed(small_disk, harm):
            ran = project.digest(*two)
        assert ran.code == 1
        assert_no_traceback(ran)
        assert any(said in line and str(small_disk) in line for line in ran.errors), ran.err
        kept = history_of(project, WHOLE)
        assert all(now >= then for now, then in zip(kept[0], before[0], strict=True)), (
            "what was there is there"
        )
    assert project.digest(*two).code == 0
    assert history_of(project, WHOLE) == [(4, 4, 4, 2)]


@contextmanager
def harmed(disk: Path, harm: str) -> Iterator[None]:
    if harm == "full":
        ballast = fill(disk, 0)
        try:
            yield
        finally:
            ballast.unlink()
        return
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
