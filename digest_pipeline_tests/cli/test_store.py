"""`digest store`: what each of its commands prints, and what it refuses."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.project import Project, assert_refused, files_below

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(made: Project, tmp_path: Path) -> Project:
    """Two repos with three days each."""
    shutil.copytree(made.folder, tmp_path / "a copy")
    return Project(tmp_path / "a copy")


def test_a_history_is_checked_kept_small_carried_away_and_brought_back(copy: Project, tmp_path: Path) -> None:
    pages = files_below(copy.data / "reports")
    checked = copy.digest("store", "check", "--deep", "--quiet")
    assert (checked.code, checked.err) == (0, "")
    assert all(line.startswith("✓ ") for line in checked.lines)
    compacted = copy.digest("store", "compact")
    assert compacted.code == 0
    assert compacted.out.startswith("before: ")
    file, folder = tmp_path / "out/history.duckdb", tmp_path / "a backup"
    exported = copy.digest("store", "export", str(file))
    assert (exported.code, exported.lines) == (0, [str(file)])
    assert_refused(copy.digest("store", "export", str(file)), 2, "exists already", "--force")
    assert copy.digest("store", "export", str(file), "--force", "-q").lines == [str(file)]
    assert copy.digest("store", "backup", str(folder)).lines == [str(folder)]
    assert_refused(copy.digest("store", "import", str(file)), 2, "there is a history in", "away")
    assert_refused(copy.digest("store", "restore", str(folder)), 2, "there is a history in", "away")
    for arguments in (("import", str(file)), ("restore", str(folder))):
        shutil.rmtree(copy.data)
        brought = copy.digest("store", *arguments, "--quiet")
        assert (brought.code, brought.err) == (0, "")
        assert {copy.data / "reports" / name for name in pages} == {
            type(file)(line) for line in brought.lines
        }
        assert files_below(copy.data / "reports") == pages
        assert copy.digest("store", "check").code == 0
    assert len(copy.digest("sql", "--query", "tiers_by_day", "--format", "csv").lines) > 1


@pytest.mark.parametrize("command", ["import", "restore"])
def test_of_pages_in_several_languages_those_of_the_settings_come(
    copy: Project, tmp_path: Path, command: str
) -> None:
    file = copy.folder / "digest.toml"
    settings = file.read_text(encoding="utf-8")
    page = copy.data / "reports/ada/engine/2026/2026-01-06.md"
    english = page.read_text(encoding="utf-8")
    file.write_text(settings.replace('language = "en"', 'language = "zh"'), encoding="utf-8")
    assert copy.digest("run", "--day", "2026-01-06", "-q").code == 0
    assert page.read_text(encoding="utf-8") != english
    file.write_text(settings, encoding="utf-8")
    target = {"import": ("export", tmp_path / "x.duckdb"), "restore": ("backup", tmp_path / "backup")}
    carried, where = target[command]
    assert copy.digest("store", carried, str(where), "-q").code == 0
    shutil.rmtree(copy.data)
    assert copy.digest("store", command, str(where), "-q").code == 0
    assert page.read_text(encoding="utf-8") == english


def test_damage_is_told_with_exit_code_1(copy: Project) -> None:
    assert copy.digest("store", "compact", "-q").code == 0
    for file in (copy.data / "store/files").rglob("commit_files/*.parquet"):
        file.unlink()
    ran = copy.digest("store", "check")
    assert ran.code == 1
    assert "✓ catalog: it opens" in ran.out
    assert "✗ files: " in ran.out
    assert "is gone" in ran.out


@pytest.mark.parametrize("command", [["check"], ["compact"], ["export", "x.duckdb"], ["backup", "x"]])
def test_without_a_history_there_is_nothing_to_do(project: Project, command: list[str]) -> None:
    project.configure({"name": "ada/engine", "url": "https://example.com/a.git"})
    assert_refused(project.digest("store", *command), 1, "there is no history in", "makes one")


def test_a_file_that_is_no_export_is_refused(project: Project, tmp_path: Path) -> None:
    project.configure({"name": "ada/engine", "url": "https://example.com/a.git"})
    file = tmp_path / "letter.txt"
    file.write_text("x", encoding="utf-8")
    assert_refused(project.digest("store", "import", str(file)), 2, str(file), "digest store export")
    assert_refused(project.digest("store", "restore", str(tmp_path)), 2, "is no backup")
    assert not (project.data / "store").exists()


def test_who_wants_smaller_files_loses_no_patch_without_saying_so(copy: Project) -> None:
    with copy.file.open("a", encoding="utf-8") as file:
        file.write("\n[store]\nkeep_patches_days = 1\n")
    query = "SELECT count(patch) FROM commit_files WHERE patch_state = 'text'"
    before = copy.rows(query)
    compacted = copy.digest("store", "compact")
    assert (compacted.code, copy.rows(query)) == (0, before)
    assert "--let-go" in compacted.err
    compacted = copy.digest("store", "compact", "--let-go")
    assert compacted.code == 0
    assert copy.rows(query) < before
    assert "let go of the patches of" in compacted.err
