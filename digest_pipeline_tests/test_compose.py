"""From settings to parts: what is opened is closed again, whoever comes to ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline.compose import opening
from digest_pipeline.errors import StoreDamaged, StoreError
from digest_pipeline_tests.fakes.project import Project, local

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.configure(local("ada/engine", tmp_path / "nowhere"))
    return project


def test_a_pipeline_that_nobody_asked_for_is_closed(project: Project) -> None:
    with pytest.raises(ImportError), opening(project.settings) as opened:
        raise ImportError
    with pytest.raises(StoreError, match="closed already"):
        opened.result().history.read("pipeline/timezones")


def test_a_pipeline_that_was_closed_may_be_closed_again(project: Project) -> None:
    with opening(project.settings) as opened:
        pipeline = opened.result()
        assert pipeline.history.read("pipeline/timezones") == []
        pipeline.close()
    pipeline.close()


def test_why_a_pipeline_could_not_be_opened_is_told_to_who_asks(project: Project) -> None:
    catalog = project.data / "store/catalog.sqlite"
    catalog.parent.mkdir(parents=True)
    catalog.write_text("this is no catalog\n" * 50, encoding="utf-8")
    with pytest.raises(StoreDamaged), opening(project.settings) as opened:
        opened.result()
    with pytest.raises(ImportError), opening(project.settings):
        raise ImportError
