"""An empty history to begin with, copied: making one takes a second. In a folder, or shared over PostgreSQL."""

from __future__ import annotations

import shutil
import uuid
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place, Shared
from digest_pipeline.store.postgres import read_address
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.postgres import postgres_server, postgres_url
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.fakes.s3 import s3_server
from digest_pipeline_tests.store.filled import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from digest_pipeline_tests.fakes.postgres import PostgresServer

__all__ = ["postgres_server", "postgres_url", "s3_server"]  # fixtures

UTC = ZoneInfo("UTC")
DAYS = days_from(date(2026, 1, 5), 6)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "data"
    History(Place(folder), UTC).close()
    return folder


@pytest.fixture
def data_dir(_template: Path, tmp_path: Path) -> Path:
    """The data folder of an empty history."""
    return shutil.copytree(_template, tmp_path / "data")


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> Path:
    folder = shutil.copytree(_template, tmp_path_factory.mktemp("filled") / "data")
    with History(Place(folder), UTC) as history:
        fill(history, DAYS)
    return folder


@pytest.fixture
def filled(_filled: Path, tmp_path: Path) -> Place:
    """Where a history of `DAYS` lies; a test may do with it what it wants."""
    return Place(shutil.copytree(_filled, tmp_path / "data"))


@pytest.fixture(scope="session")
def _shared_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("shared-template")
    shared = Shared(read_address(postgres_server.create_database()), str(folder / "everywhere"))
    History(Place(folder / "here", shared), UTC).close()
    return Place(folder / "here", shared)


@pytest.fixture
def shared_place(
    _shared_template: Place, postgres_server: PostgresServer, tmp_path: Path
) -> Callable[[str], Place]:
    """An empty shared history, as each of several machines has it: each gives its name."""
    template = _shared_template.shared
    assert template is not None
    url = postgres_server.create_database(like=template.catalog["dbname"])
    files = tmp_path / f"everywhere-{uuid.uuid4().hex[:6]}"
    shutil.copytree(template.data_url, files)
    shared = Shared(read_address(url), str(files))
    return lambda machine: Place(tmp_path / machine, shared)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """Where an empty history lies: in a data folder; shared, where the test is asked for both."""
    if getattr(request, "param", "embedded") == "embedded":
        return Place(request.getfixturevalue("data_dir"))
    return request.getfixturevalue("shared_place")("here")  # type: ignore[no-any-return]


@pytest.fixture
def history(place: Place) -> Iterator[History]:
    """That history, open."""
    with History(place, UTC) as opened:
        yield opened


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory, _filled: Path) -> Path:
    folder = shutil.copytree(_filled, tmp_path_factory.mktemp("kept") / "data")
    keep(Place(folder))
    return folder


@pytest.fixture
def kept(_kept: Path, tmp_path: Path) -> Place:
    """The same history after an upkeep: every row is in a file."""
    return Place(shutil.copytree(_kept, tmp_path / "data"))
