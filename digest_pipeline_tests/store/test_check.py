"""A look whether a history is whole: it finds each kind of damage, and nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.errors import StoreError
from digest_pipeline.store.check import Finding, check
from digest_pipeline.store.connection import connect
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from collections.abc import Callable


def wrong(place: Place, *, deep: bool = False) -> dict[str, list[str]]:
    """What is found to be wrong, by what was looked at."""
    return {found.name: found.problems for found in check(place, deep=deep) if found.problems}


def sql(*statements: str) -> Callable[[Place], None]:
    """Damage by somebody who writes past the steps."""

    def damage(place: Place) -> None:
        with connect(place, read_only=False) as connection:
            for statement in statements:
                connection.execute(statement)

    return damage


def a_file(place: Place, table: str) -> Path:
    """One of the files that hold the table's rows now."""
    with connect(place, read_only=True) as connection:
        query = f"SELECT data_file FROM ducklake_list_files('history', '{table}')"
        return Path(connection.execute(query).fetchall()[0][0])


def file_is_gone(place: Place) -> None:
    a_file(place, "commit_files").unlink()


def file_is_cut(place: Place) -> None:
    file = a_file(place, "analyses")
    file.write_bytes(file.read_bytes()[:-9])


def file_has_another_end(place: Place) -> None:
    file = a_file(place, "commit_files")
    content = file.read_bytes()
    file.write_bytes(content[:-8] + b"\xff" * 8)


def file_is_of_another_table(place: Place) -> None:
    file, other = a_file(place, "commit_files"), a_file(place, "analyses")
    file.write_bytes(other.read_bytes())


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


@pytest.mark.parametrize(
    ("damage", "name", "says"),
    [
        (file_is_gone, "files", "is gone"),
        (file_is_cut, "files", "bytes instead of"),
        (file_has_another_end, "files", "cannot be read"),
        (file_is_of_another_table, "files", "instead of"),
        (sql("INSERT INTO commit_log FROM commit_log LIMIT 1"), "twice", "stands 2 times"),
        (sql("INSERT INTO analyses FROM analyses LIMIT 1"), "twice", "analyses: ada/engine 2026-01-05"),
        (sql("INSERT INTO digests FROM digests LIMIT 1"), "twice", "digests: 2026-01-0"),
        (
            sql("DELETE FROM commit_log WHERE position = 2"),
            "counts",
            "counts 3 commits",
        ),
        (
            sql("DELETE FROM commit_files WHERE position = 1 AND day = '2026-01-06'"),
            "counts",
            "counts 2 files, +2",
        ),
        (sql("DELETE FROM commit_sizes WHERE day = '2026-01-06'"), "counts", "has no row, and 2 files"),
        (
            sql("UPDATE analyses SET sha = 'lost' WHERE day = '2026-01-06'"),
            "orphans",
            "such as ada/engine lost",
        ),
        (sql("DELETE FROM reads WHERE day = '2026-01-06'"), "orphans", "days that reads does not have"),
        (
            sql("UPDATE commit_files SET patch = NULL WHERE position = 0"),
            "values",
            "text and without a patch",
        ),
        (sql("UPDATE reports SET markdown = 'another'"), "values", "are not what their revision says"),
        (sql("INSERT INTO schema_migrations VALUES ('0999_later', now())"), "version", "0999_later"),
        (sql("DROP TABLE reports"), "catalog", "the table reports is gone"),
    ],
)
def test_each_kind_of_damage_is_found(
    kept: Place, damage: Callable[[Place], None], name: str, says: str
) -> None:
    damage(kept)
    found = wrong(kept)
    assert any(says in problem for problem in found[name]), found


def test_rows_that_cannot_be_read_are_found_by_reading_them(kept: Place) -> None:
    file = a_file(kept, "commit_files")
    content = bytearray(file.read_bytes())
    content[100:600] = b"\xff" * 500
    file.write_bytes(content)
    assert "files" not in wrong(kept)
    assert "commit_files: cannot be read" in wrong(kept, deep=True)["rows"][0]


def test_a_catalog_that_is_none_is_one_finding(filled: Place) -> None:
    filled.catalog_path.write_text("this is no database\n" * 500, encoding="utf-8")
    [found] = check(filled)
    assert found.name == "catalog"
    assert "damaged" in found.problems[0]


def test_where_there_is_no_history_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no history"):
        list(check(Place(tmp_path)))
