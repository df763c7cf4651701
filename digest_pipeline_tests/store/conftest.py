"""A data folder with an empty history in it, copied: making one takes a second."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UTC = ZoneInfo("UTC")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "data"
    History(Place(folder), UTC).close()
    return folder


@pytest.fixture
def data_dir(_template: Path, tmp_path: Path) -> Path:
    """The data folder of an empty history."""
    return shutil.copytree(_template, tmp_path / "data")


@pytest.fixture
def history(data_dir: Path) -> Iterator[History]:
    """That history, open."""
    with History(Place(data_dir), UTC) as opened:
        yield opened
