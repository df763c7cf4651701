"""A data folder with an empty history in it, copied: making one takes a second."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.filled import fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.fixture
def history(data_dir: Path) -> Iterator[History]:
    """That history, open."""
    with History(Place(data_dir), UTC) as opened:
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
