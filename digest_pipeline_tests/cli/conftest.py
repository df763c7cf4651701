"""What the tests of all commands share: a clock that stands, projects, and one history that is only read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.project import Project, local, small_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)
"""Yesterday is the day after the last commit of `small_repository`."""


@pytest.fixture(scope="package", autouse=True)
def clock() -> Iterator[None]:
    """The commands' clock stands at NOW while these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digest_pipeline.pipeline.utc_now", lambda: NOW)
        yield


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """A command sets the root logger up for its process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits on each of three days; nobody changes it."""
    return small_repository(tmp_path_factory.mktemp("repositories") / "engine").path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty folder."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Project:
    """A project with two repos whose three days are made; tests only read it."""
    other = small_repository(tmp_path_factory.mktemp("repositories") / "bits[1]", commits_per_day=1)
    other.clock = datetime(2026, 1, 7, 11, tzinfo=UTC)
    other.write("notes.txt", "x\n")
    other.commit("chore: a title with | pipes, [bold] brackets and 中文 (#77)")
    project = Project(tmp_path_factory.mktemp("made"))
    project.configure(local("ada/engine", engine), local("ada/bits", other.path), timezone="Asia/Shanghai")
    ran = project.digest("run", "--from", "2026-01-05", "--to", "2026-01-07")
    assert ran.code == 0, ran.said
    return project
