"""A look whether a history is whole: it finds each kind of damage, and nothing where there is none."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.errors import StoreError
from digest_pipeline.store.check import Finding, check
from digest_pipeline.store.connection import connect
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.old_history import LEVELS, old_history

if TYPE_CHECKING:
    import duckdb


def wrong(place: Place, *, deep: bool = False) -> dict[str, list[str]]:
    """What is found to be wrong, by what was looked at."""
    return {found.name: found.problems for found in check(place, deep=deep) if found.problems}


def a_file(place: Place, table: str) -> Path:
    """One of the files that hold the table's rows now."""
    with connect(place, read_only=True) as connection:
        query = f"SELECT data_file FROM ducklake_list_files('history', '{table}')"
        return Path(connection.execute(query).fetchall()[0][0])


ROWS = {
    "INSERT INTO commit_log FROM commit_log LIMIT 1": ("twice", "commit_log: ada/engine 2026-01-05"),
    "INSERT INTO analyses FROM analyses LIMIT 1": ("twice", "analyses: ada/engine 2026-01-05"),
    "INSERT INTO digests FROM digests WHERE day = '2026-01-07'": (
        "twice",
        "digests: 2026-01-07 en stands 2 times",
    ),
    "DELETE FROM commit_log WHERE position = 2 AND day = '2026-01-06'": (
        "counts",
        "2026-01-06 counts 3 commits",
    ),
    "DELETE FROM commit_files WHERE position = 1 AND day = '2026-01-07'": ("counts", "counts 2 files, +2"),
    "DELETE FROM commit_sizes WHERE day = '2026-01-08'": ("counts", "has no row, and 2 files"),
    "UPDATE analyses SET sha = 'lost' WHERE day = '2026-01-06'": ("orphans", "such as ada/engine lost"),
    "DELETE FROM reads WHERE day = '2026-01-09'": ("orphans", "days that reads does not have"),
    "UPDATE commit_files SET patch = NULL WHERE day = '2026-01-10'": ("values", "text and without a patch"),
    "UPDATE reports SET markdown = 'another'": (
        "values",
        "reports: 6 pages that are not what their revision says",
    ),
    """INSERT INTO rollups VALUES ('week', '2026-W02', 'en', '2026-01-05', '2026-01-11', 'x.md',
        '0123456789abcdef', '', 'another', 1, 1, 0, 0, 1, 0, 0, now())""": ("values", "rollups: 1 pages"),
    """INSERT INTO reader_pages VALUES ('ada', '2026-01-05', 'en', '', 'x.md', '0123456789abcdef', '', '',
        'another', 1, 1, now(), null)""": ("values", "reader_pages: 1 pages"),
    "INSERT INTO schema_migrations VALUES ('0999_later', now())": ("version", "0999_later"),
}
"""What somebody may do to the rows who writes past the steps, and where it is found."""


def test_a_whole_history_has_nothing_wrong_before_and_after_the_upkeep(filled: Place) -> None:
    for _ in range(2):
        found = list(check(filled, deep=True))
        assert [one for one in found if one.problems] == []
        looked_at = "catalog version files rows twice counts orphans values"
        assert [one.name for one in found] == looked_at.split()
        keep(filled)
    files = next(one for one in found if one.name == "files")
    assert isinstance(files, Finding)
    assert not files.seen.startswith("0 files")


def test_each_kind_of_damage_to_rows_is_found(kept: Place) -> None:
    with connect(kept, read_only=False) as connection:
        for statement in ROWS:
            connection.execute(statement)
    found = wrong(kept)
    for name, says in ROWS.values():
        assert any(says in problem for problem in found[name]), (says, found)
    with connect(kept, read_only=False) as connection:
        connection.execute("DROP TABLE reports")
    assert wrong(kept)["catalog"] == ["the table reports is gone"]


def test_each_kind_of_damage_to_files_is_found(kept: Place) -> None:
    gone, cut, blind, other = (
        a_file(kept, table) for table in ("commit_files", "analyses", "commit_log", "commit_sizes")
    )
    content = blind.read_bytes()
    blind.write_bytes(content[:-8] + b"\xff" * 8)
    other.write_bytes(cut.read_bytes())
    cut.write_bytes(cut.read_bytes()[:-9])
    gone.unlink()
    assert [
        problem.split(".parquet ")[1].split(" (")[0][:21] for problem in sorted(wrong(kept)["files"])
    ] == [
        f"has {cut.stat().st_size} bytes instead of"[:21],
        "is gone",
        "cannot be read: Inval"[:21],
        f"has {other.stat().st_size} bytes instead of"[:21],
    ]


def test_rows_that_cannot_be_read_are_found_by_reading_them(kept: Place) -> None:
    file = a_file(kept, "commit_files")
    content = bytearray(file.read_bytes())
    content[100:600] = b"\xff" * 500
    file.write_bytes(content)
    assert "files" not in wrong(kept)
    assert "commit_files: cannot be read" in wrong(kept, deep=True)["rows"][0]


def test_a_folder_may_have_a_name_that_looks_like_a_pattern(kept: Place, tmp_path: Path) -> None:
    place = Place(kept.data_dir.rename(tmp_path / "a [b] *?"))
    assert wrong(place) == {}


def test_a_catalog_that_is_none_is_one_finding(filled: Place) -> None:
    filled.catalog_path.write_text("this is no database\n" * 500, encoding="utf-8")
    [found] = check(filled)
    assert found.name == "catalog"
    assert "damaged" in found.problems[0]


@pytest.mark.parametrize("level", LEVELS)
def test_a_history_of_an_earlier_release_is_no_damage(level: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    old_history(level, place)
    found = list(check(place, deep=True))
    assert [one for one in found if one.problems] == []
    assert [one.name for one in found] == ["catalog", "version", "files", "rows"]
    assert "brings it up to date" in found[1].seen


def test_the_catalog_is_read_by_sqlite_before_duckdb_has_it(
    kept: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    connects = sqlite3.connect

    def connecting(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - as the module has it
        order.append("sqlite")
        return connects(*args, **more)

    def opening(place: Place) -> duckdb.DuckDBPyConnection:
        order.append("duckdb")
        return open_history(place)

    monkeypatch.setattr("digest_pipeline.store.check.sqlite3.connect", connecting)
    monkeypatch.setattr("digest_pipeline.store.check.open_history", opening)
    assert wrong(kept) == {}
    assert order == ["sqlite", "duckdb"]


def test_where_there_is_no_history_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no history"):
        list(check(Place(tmp_path)))
