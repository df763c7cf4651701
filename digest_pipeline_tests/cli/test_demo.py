"""`digest demo`: the main job on whatever clone a person stands in, with no settings, key or network."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest_pipeline_tests.fakes.project import (
    Project,
    assert_no_traceback,
    assert_refused,
    files_below,
    small_repository,
)
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder, git


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_in_a_clone_it_prints_a_report_and_leaves_the_clone_alone(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=2)
    builder.git("remote", "add", "origin", "https://github.com/ada/engine.git")
    before = files_below(builder.path)
    ran = Project(builder.path).digest("demo")
    assert ran.code == 0, ran.said
    page = Path(ran.lines[0])
    assert page.is_relative_to(temporary)
    assert page.name == "2026-01-06.md"
    assert page.parent.parent == page.parents[4] / "reports/ada/engine"
    text = page.read_text(encoding="utf-8").splitlines()
    assert ran.lines[2:] == text[:40]
    assert "https://github.com/ada/engine/commit/" in page.read_text(encoding="utf-8")
    assert "Daily digest (2026-01-06)" in ran.out
    assert files_below(builder.path) == before
    [data] = temporary.iterdir()
    assert {file.name for file in data.glob("reports/ada/engine/2026/*.md")} == {
        "2026-01-05.md",
        "2026-01-06.md",
    }
    assert str(data) in ran.err
    # The history lies ready to be asked.
    other = Project(tmp_path / "other")
    other.configure({"name": "ada/engine", "url": "x"}, data_dir=str(data))
    assert other.json("sql", "SELECT count(*) AS n FROM commits", "-f", "json") == [{"n": 4}]


def test_the_newest_active_days_are_made_today_included(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1, commits_per_day=1)
    # The tests' clock stands at noon of the 8th: two of these are yet to come.
    for moment in ((2, 12, 0), (8, 9, 0), (8, 23, 0), (9, 0, 1)):
        builder.commit(f"fix: {moment}", committed_at=datetime(2026, 1, *moment, tzinfo=UTC))
    ran = Project(tmp_path).digest("demo", "--path", "engine", "--quiet")
    assert ran.code == 0, ran.said
    assert ran.err == ""
    made = sorted(file.stem for file in temporary.rglob("reports/local/engine/2026/*.md"))
    assert made == ["2026-01-02", "2026-01-05", "2026-01-08"]


def test_it_speaks_chinese_and_puts_its_data_where_it_is_told(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1, commits_per_day=1)
    ran = Project(tmp_path).digest(
        "demo", "--path", str(builder.path), "--language", "zh", "--data-dir", "here"
    )
    assert ran.code == 0, ran.said
    assert Path(ran.lines[0]).is_relative_to(tmp_path / "here")
    assert "每日更新报告" in ran.out
    assert list(temporary.iterdir()) == []


def test_a_folder_of_a_clone_does_as_well_and_settings_that_lie_there_are_not_read(
    tmp_path: Path, temporary: Path
) -> None:
    builder = small_repository(tmp_path / "engine", days=1, commits_per_day=1)
    (builder.path / "src/digest.toml").write_text("not TOML [", encoding="utf-8")
    ran = Project(builder.path / "src").digest("demo", "--quiet")
    assert ran.code == 0, ran.said
    assert "/reports/local/engine/" in ran.lines[0]


def test_a_bare_repository_does_as_well(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1, commits_per_day=1)
    git(tmp_path, "clone", "--quiet", "--bare", str(builder.path), "engine.git")
    ran = Project(tmp_path).digest("demo", "--path", "engine.git", "--quiet")
    assert ran.code == 0, ran.said


def test_a_folder_without_history_is_told_so(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    ran = Project(tmp_path / "unpacked").digest("demo")
    assert_refused(ran, 1, "no git history", "git clone", "--path", most_lines=1)
    assert list(temporary.iterdir()) == []


def test_a_path_that_does_not_exist_is_told_so(tmp_path: Path, temporary: Path) -> None:
    assert_refused(
        Project(tmp_path).digest("demo", "--path", "nowhere"), 1, "nowhere", "--path", most_lines=1
    )
    assert list(temporary.iterdir()) == []


def test_a_shallow_clone_is_told_so(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1)
    git(tmp_path, "clone", "--quiet", "--depth=1", builder.path.as_uri(), "shallow")
    ran = Project(tmp_path / "shallow").digest("demo")
    assert_refused(ran, 1, "shallow", "git fetch --unshallow", most_lines=1)
    assert list(temporary.iterdir()) == []


def test_a_repository_without_commits_is_told_so(tmp_path: Path, temporary: Path) -> None:
    RepositoryBuilder(tmp_path / "empty")
    assert_refused(Project(tmp_path / "empty").digest("demo"), 1, "no commits", most_lines=1)
    assert list(temporary.iterdir()) == []


def test_a_history_of_the_future_is_told_so(tmp_path: Path, temporary: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine", clock=datetime(2026, 2, 1, tzinfo=UTC))
    builder.commit("feat: from the future")
    ran = Project(builder.path).digest("demo")
    assert_no_traceback(ran)
    assert ran.code in {1, 2}
    assert "future" in ran.err
    assert list(temporary.iterdir()) == []


def test_an_unknown_language_is_wrong_use(tmp_path: Path, temporary: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1, commits_per_day=1)
    assert_refused(
        Project(builder.path).digest("demo", "--language", "fr"), 2, "fr", "en", "zh", most_lines=1
    )
    assert list(temporary.iterdir()) == []
