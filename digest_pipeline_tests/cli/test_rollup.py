"""`digest rollup`: which period it makes, what it says of days that are missing, what it refuses."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.cli.conftest import NOW
from digest_pipeline_tests.fakes.project import Project, assert_refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(made: Project, tmp_path: Path) -> Project:
    """Two repos with three days each, Monday to Wednesday; it is Thursday."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return Project(tmp_path / "copy")


def test_it_prints_the_path_of_the_page_and_names_the_days_that_are_missing(
    copy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("pipeline", "compose"):  # whichever of them was loaded while the clock stood elsewhere
        monkeypatch.setattr(f"digest_pipeline.{place}.utc_now", lambda: datetime(2026, 1, 12, 12, tzinfo=UTC))
    ran = copy.digest("rollup")
    page = copy.data / "reports/weekly/2026/2026-W02.md"
    assert (ran.code, ran.lines) == (0, [str(page)])
    assert [line for line in ran.err.splitlines() if "lacks" in line] == [
        f"2026-W02 lacks 4 days of ada/{name}: 2026-01-08 to 2026-01-11; "
        f"`digest run --from 2026-01-08 --to 2026-01-11 --repo ada/{name}` makes them"
        for name in ("engine", "bits")
    ]
    text = page.read_text(encoding="utf-8")
    assert "Not made, or not to the end: 01-08 – 01-11" in text
    again = copy.digest("rollup", "--week", "2026-W02", "--quiet")
    assert (again.code, again.out, again.err) == (0, ran.out, "")
    assert page.read_text(encoding="utf-8") == text


def test_a_month_that_is_under_way_is_made_of_its_days_so_far(
    copy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest_pipeline.compose.utc_now", lambda: NOW)
    ran = copy.digest("rollup", "--month", "2026-01")
    page = copy.data / "reports/monthly/2026/2026-01.md"
    assert (ran.code, ran.lines, ran.err) == (0, [str(page)], "")
    assert "these are its days up to 2026-01-07" in page.read_text(encoding="utf-8")
    assert copy.rows("SELECT kind, period, commits, missing FROM rollups") == [("monthly", "2026-01", 10, 0)]


WRONG_USE = {
    "a word": (["--week", "soon"], ['--week "soon": a week is written as YYYY-Www']),
    "a day": (["--week", "2026-01-05"], ["a week is written as"]),
    "a week that no year has": (
        ["--week", "2025-W53"],
        ["the ISO year 2025 has the weeks 1 to 52, no week 53"],
    ),
    "a month that no year has": (
        ["--month", "2026-13"],
        ['--month "2026-13": a year has the months 1 to 12'],
    ),
    "a week as a month": (["--month", "2026-W02"], ["a month is written as YYYY-MM"]),
    "both": (["--week", "2026-W02", "--month", "2026-01"], ["exclude each other"]),
    "a week to come": (["--week", "2026-W03"], ["2026-W03", "over yet", "2026-01-07"]),
    "a month to come": (["--month", "2026-02"], ["2026-02", "over yet"]),
    "a week before the first day": (["--week", "2026-W01"], ["first_day = 2026-01-05"]),
    "by default, before the first day": ([], ["2026-W01", "first_day = 2026-01-05"]),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_said_in_a_line_and_nothing_is_made(made: Project, case: str) -> None:
    arguments, words = WRONG_USE[case]
    assert_refused(made.digest("rollup", *arguments), 2, *words, most_lines=1)
    assert not (made.data / "reports/weekly").exists()


@pytest.mark.parametrize("begun", [False, True])
def test_a_period_without_any_day_says_what_to_do(project: Project, engine: Path, begun: bool) -> None:
    if begun:
        project.begin()
    project.configure({"name": "ada/engine", "url": str(engine)})
    ran = project.digest("rollup", "--week", "2026-W02")
    assert_refused(ran, 1, "`digest run --from 2026-01-05 --to 2026-01-07` makes them", most_lines=1)
    assert begun or not project.data.exists()
