"""A workshop for each test, and its repository of three days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.project import local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder


@pytest.fixture
def engine(tmp_path: Path) -> RepositoryBuilder:
    """Two commits on each of three days."""
    return small_repository(tmp_path / "engine")


@pytest.fixture
def workshop(tmp_path: Path, engine: RepositoryBuilder) -> Workshop:
    """A project that follows `engine`."""
    shop = Workshop(tmp_path / "project")
    shop.configure(local("ada/engine", engine.path))
    return shop
