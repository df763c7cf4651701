"""A history in a plain DuckDB file and back: the same rows, of one moment, there whole or not at all."""

from __future__ import annotations

import multiprocessing
import shutil
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest

from digest_pipeline import open_history
from digest_pipeline.errors import DigestError, StoreError, UsageError
from digest_pipeline.store.content import Content, content, tables_of
from digest_pipeline.store.export import export, import_file
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.bounds import written_twice, wrong_bounds
from digest_pipeline_tests.store.conftest import DAYS, UTC
from digest_pipeline_tests.store.filled import fill

if TYPE_CHECKING:
    from pathlib import Path

LATER = days_from(date(2026, 2, 1), 6)


def contents(file: Path) -> dict[str, Content]:
    """What a plain DuckDB finds in a file, which knows no DuckLake."""
    with duckdb.connect(file, read_only=True) as connection:
        [(loaded,)] = connection.execute(
            "SELECT count(*) FROM duckdb_extensions() WHERE loaded AND extension_name = 'ducklake'"
        ).fetchall()
        assert loaded == 0
        return content(connection, file.stem)


def test_export_import_export_gives_the_same_and_any_duckdb_reads_it(filled: Place, tmp_path: Path) -> None:
    with open_history(filled.data_dir) as reader:
        before = content(reader, "history")
        assert before["commit_files"].rows == 6 * len(DAYS)
        first, second, again = (tmp_path / f"{name}.duckdb" for name in ("first", "second", "again"))
        rows = export(filled, UTC, first)
        copy = Place(tmp_path / "copy")
        assert import_file(copy, UTC, first) == rows
        export(copy, UTC, second)
        keep(filled)
        export(filled, UTC, again)
        assert contents(first) == contents(second) == contents(again) == before
    with open_history(copy.data_dir) as reader:
        assert content(reader, "history") == before
        assert wrong_bounds(reader) == []
        assert written_twice(reader) == []
    with duckdb.connect() as connection:
        for name, file in (("first", first), ("second", second)):
            connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        for table in tables_of(connection, "first"):
            # In the same order, too.
            assert (
                connection.execute(f"FROM first.{table}").fetchall()
                == connection.execute(f"FROM second.{table}").fetchall()
            )
        connection.execute("USE first")
        views = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = 'first'"
        ).fetchall()
        assert len(views) > 5
        for (view,) in views:
            assert connection.execute(f"SELECT count(*) FROM {view}").fetchall()
        assert connection.execute("SELECT count(*) FROM current_commits").fetchall() == [(3 * len(DAYS),)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "again.duckdb",
        "copy",
        "data",
        "first.duckdb",
        "second.duckdb",
    ]
    assert sorted(file.name for file in copy.data_dir.iterdir()) == ["history.sql", "store", "store.lock"]


def write_more(data_dir: Path) -> None:
    with History(Place(data_dir), ZoneInfo("UTC")) as history:
        for day in LATER:
            fill(history, [day])


def test_an_export_is_of_one_moment_while_others_write_and_keep(filled: Place, tmp_path: Path) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=write_more, args=(filled.data_dir,))
    writer.start()
    try:
        for number in range(1):
            file = tmp_path / f"of{number}.duckdb"
            export(filled, UTC, file)
            keep(filled)
            with duckdb.connect(file, read_only=True) as connection:
                days = [
                    connection.execute(f"SELECT DISTINCT day FROM {table} ORDER BY day").fetchall()
                    for table in (
                        "reads",
                        "commit_log",
                        "commit_files",
                        "commit_sizes",
                        "analyses",
                        "reports",
                        "digests",
                    )
                ]
                assert all(found == days[0] for found in days)
                assert connection.execute("SELECT count(*) FROM commit_files").fetchall() == [
                    (6 * len(days[0]),)
                ]
    finally:
        writer.join(120)
    assert writer.exitcode == 0
    with open_history(filled.data_dir) as reader:
        assert reader.execute("SELECT count(*) FROM reads").fetchall() == [(len(DAYS) + len(LATER),)]


def test_what_is_there_is_never_replaced_unasked(filled: Place, tmp_path: Path) -> None:
    file = tmp_path / "mine.duckdb"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="--force"):
        export(filled, UTC, file)
    with pytest.raises(UsageError, match=r"is no DuckDB file, and --force replaces no other"):
        export(filled, UTC, file, force=True)
    assert file.read_text(encoding="utf-8") == "mine"
    file.unlink()
    other_database(file)
    export(filled, UTC, file, force=True)
    with pytest.raises(UsageError, match=r"there is a history in .* already"):
        import_file(filled, UTC, file)
    for inside in (filled.catalog_path, filled.files / "export.duckdb"):
        with pytest.raises(UsageError, match="is part of the history itself"):
            export(filled, UTC, inside, force=True)


def test_an_export_that_fails_leaves_what_was_there(filled: Place, tmp_path: Path) -> None:
    file = tmp_path / "e.duckdb"
    other_database(file)
    before = file.read_bytes()
    for part in filled.files.rglob("commit_files/*.parquet"):
        part.unlink()
    with pytest.raises(StoreError, match="damaged"):
        export(filled, UTC, file, force=True)
    assert file.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "e.duckdb"]


def text_file(file: Path) -> None:
    file.write_text("no database", encoding="utf-8")


def other_database(file: Path) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("CREATE TABLE t (x INTEGER)")


def no_file(file: Path) -> None:
    assert not file.exists()


def a_newer_one(file: Path) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("CREATE TABLE schema_migrations (name VARCHAR, applied_at TIMESTAMPTZ)")
        connection.execute(
            "INSERT INTO schema_migrations VALUES ('0001_history', now()), ('0999_later', now())"
        )


@pytest.mark.parametrize(
    "make", [text_file, other_database, no_file, a_newer_one], ids=lambda make: make.__name__
)
def test_a_file_that_is_no_export_is_one_line_and_leaves_nothing(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - one of the above
    file = tmp_path / "some.duckdb"
    make(file)
    place = Place(tmp_path / "data")
    place.data_dir.mkdir()
    with pytest.raises(DigestError) as raised:
        import_file(place, UTC, file)
    assert "\n" not in str(raised.value)
    assert str(file) in str(raised.value)
    assert list(place.data_dir.iterdir()) == []


def test_what_a_killed_import_left_is_taken_away(filled: Place, tmp_path: Path) -> None:
    file = tmp_path / "e.duckdb"
    export(filled, UTC, file)
    place = Place(tmp_path / "new")
    shutil.copytree(filled.data_dir, place.data_dir / ".store.making.999999999")
    import_file(place, UTC, file)
    assert sorted(one.name for one in place.data_dir.iterdir()) == ["history.sql", "store", "store.lock"]
