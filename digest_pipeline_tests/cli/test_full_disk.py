"""A disk without space, and one that cannot be written: a line that says so, nothing lost, and a run that goes on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from digest_pipeline_tests.fakes.project import (
    FIRST_DAY,
    Project,
    assert_no_traceback,
    assert_refused,
    days_from,
    local,
)
from digest_pipeline_tests.fakes.small_disk import fill, small_disk

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["small_disk"]  # a fixture

COUNTS = "SELECT (SELECT count(*) FROM commits), (SELECT count(*) FROM commit_files), (SELECT count(*) FROM reports)"


def test_a_full_disk_costs_the_run_and_nothing_that_was_there(small_disk: Path, engine: Path) -> None:
    project = Project(small_disk)
    project.begin()
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    before = project.rows(COUNTS)
    page = project.page("ada/engine", FIRST_DAY)
    codes = []
    for leave in (0, 40_000, 150_000, 300_000):
        ballast = fill(small_disk, leave)
        ran = project.digest("run", "--day", "2026-01-06")
        assert_no_traceback(ran)
        codes.append(ran.code)
        if ran.code:
            assert ran.code == 1
            assert 1 <= len(ran.errors) <= 3
            assert any("free some space" in line for line in ran.errors), ran.err
        ballast.unlink()
        assert project.page("ada/engine", FIRST_DAY) == page
    assert codes[0] == 1, "the disk was not full"
    whole = project.digest("run", "--day", "2026-01-06")
    assert whole.code == 0, whole.said
    assert [2 * number for number in before[0]] == list(project.rows(COUNTS)[0])
    assert project.json("status", "--json")["repos"][0]["made"] == 2


def test_a_disk_that_is_full_from_the_first_is_said(small_disk: Path, engine: Path) -> None:
    project = Project(small_disk)
    project.configure(local("ada/engine", engine))
    ballast = fill(small_disk, 8_000)
    ran = project.digest("run", "--day", "2026-01-05")
    assert_refused(ran, 1, "free some space", most_lines=1)
    ballast.unlink()
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0


def test_a_folder_that_cannot_be_written_is_said(small_disk: Path, engine: Path) -> None:
    project = Project(small_disk)
    project.configure(local("ada/engine", engine))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ran = project.digest("run", "--day", "2026-01-05")
    assert_refused(ran, 1, f"{project.data} cannot be written", "data_dir", most_lines=1)


def test_a_history_on_a_disk_that_cannot_be_written_is_not_called_damaged(
    small_disk: Path, engine: Path
) -> None:
    project = Project(small_disk)
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for command in (["sql", "SELECT 1"], ["status"], ["run", "--day", "2026-01-06"]):
        assert_refused(project.digest(*command), 1, str(project.data), "rights", most_lines=1)


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
from digest_pipeline.cli.app import invoke
sys.exit(invoke(sys.argv[1:]))
"""


def test_files_that_may_not_grow_are_said_without_a_traceback(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine))
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, "run", "--day", f"{FIRST_DAY}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "digest: " in done.stderr
    assert project.digest("run", "--day", f"{days_from(FIRST_DAY, 1)[0]}", "--quiet").code == 0
