"""Histories of earlier releases are brought up to date: nothing is lost, and all that is asked today is answered."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from digest_pipeline.errors import StoreError, StoreOutdated
from digest_pipeline.store import history
from digest_pipeline.store.check import check
from digest_pipeline.store.connection import connect
from digest_pipeline.store.content import content
from digest_pipeline.store.export import export, import_file
from digest_pipeline.store.files import CATALOG, names, sql_folder, statement, turn
from digest_pipeline.store.history import History, open_history, read_once
from digest_pipeline.store.migrations import SUPERSEDED, in_order
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import bound, questions
from digest_pipeline_tests.fakes.project import local
from digest_pipeline_tests.fakes.workshop import Workshop
from digest_pipeline_tests.old_history import (
    DAYS,
    LEVELS,
    REPO,
    SUPERSEDED_TEXTS,
    build,
    old_history,
    read_case,
    superseded,
)
from digest_pipeline_tests.store.bounds import written_twice, wrong_bounds

if TYPE_CHECKING:
    from pathlib import Path

UTC = ZoneInfo("UTC")
NEEDED = {
    "busiest_authors": {},
    "search": {"words": "part"},
    "who_changed": {"path": "src"},
    "whats_new": {"since": "oldest"},
}


def stored(connection: duckdb.DuckDBPyConnection, case: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the tables of a case by the columns that it has, as JSON would have them; others have to be null."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table, rows in case["tables"].items():
        cursor = connection.execute(f"FROM {table}")
        columns = [column[0] for column in cursor.description or ()]
        known = set(rows[0]) if rows else set(columns)
        found[table] = []
        for row in cursor.fetchall():
            values = dict(zip(columns, row, strict=True))
            assert [name for name in set(columns) - known if values[name] is not None] == []
            found[table].append({name: values[name] for name in columns if name in known})
    return found


def plain(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as texts in an order of their own; a time is an instant, however it is written."""
    return sorted(
        repr({name: str(value)[:16].replace("T", " ") for name, value in sorted(row.items())}) for row in rows
    )


def assert_is_all_there(place: Place, case: dict[str, Any]) -> None:
    with open_history(place, UTC) as reader:
        assert wrong_bounds(reader) == []
        assert written_twice(reader) == []
        found = stored(reader, case)
        assert {table: plain(rows) for table, rows in found.items()} == {
            table: plain(rows) for table, rows in case["tables"].items()
        }
        views = reader.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = 'history'"
        ).fetchall()
        assert len(views) > 5
        for (view,) in views:
            reader.execute(f"FROM {view}").fetchall()
        assert reader.execute("SELECT count(*) FROM current_commits").fetchall() == [(4,)]
        for name, given in NEEDED.items():
            asked = questions()[name]
            rows = reader.execute(asked.sql, bound(reader, asked, given)).fetchall()
            assert rows, name
    assert [one for one in check(place) if one.problems] == []


APPLIED = {
    "0000_migrations": "dc97f47e6a2cfeb5",
    "0001_history": "172523f8795e7e94",
    "0002_options": "2e1c174e24e2d8ce",
    "0003_never_lost": "63f1277d1fca35c9",
    "0004_endings": "0a342aed1e0d21fa",
    "0005_filters": "a7759aaf817a9090",
    "0005_filters_options": "1a3b2481320ad31e",
    "0006_delivery": "07c50e906cd09c86",
    "0007_headlines": "7d5f88ab5d9b1f95",
    "0008_rollups": "9f30fea02ff90b51",
    "0009_row_groups_options": "73b543884390eae5",
    "0010_texts_options": "8618fab96559e841",
    "0011_first_rows_after": "13063d85269b2b95",
    "0012_first_rows_of_a_run_after": "d8e7cbe42211b173",
    "0013_first_rows_catalog": "bc479d4b734dae55",
    "0014_statistics_of_no_rows_catalog": "6133c95f6cfd27ac",
    "0015_bounds_of_rows_catalog": "5f081abb8447c634",
    "0016_no_empty_places_catalog": "14c96adca2b5c260",
    "0017_first_of_author": "f84bd005a7486ecb",
    "0018_first_deliveries": "c3aa7b66bee8b65d",
}
"""Each migration as histories have had it: what changed one of them would be in new histories alone."""


def test_a_migration_stays_as_histories_have_had_it() -> None:
    folder = sql_folder() / "migrations"
    files = [*folder.glob("*.sql"), *SUPERSEDED_TEXTS.glob("*.sql")]
    found = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files}
    assert found == APPLIED, "a new one gets its line here; one that is here is never changed"
    assert {file.stem for file in SUPERSEDED_TEXTS.glob("*.sql")} == SUPERSEDED
    assert sorted(found) == ["0000_migrations", *in_order()]


@pytest.mark.parametrize("level", LEVELS)
def test_a_history_of_an_earlier_level_is_brought_up_to_date(level: str, tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "project")
    shop.configure(local(REPO, tmp_path / "nowhere"))
    place = Place(shop.data)
    case = old_history(level, place)
    with pytest.raises(StoreOutdated):
        read_once(place, "pipeline/reads", {"repo": REPO, "first": DAYS[0], "last": DAYS[-1]})
    with shop.pipeline() as pipeline:
        pages = {row[0]: row[1] for row in shop.rows("SELECT day, markdown FROM reports")}
        assert_is_all_there(place, case)
        # From its rows alone, without the repository.
        made = pipeline.report(REPO, DAYS)
        assert made.failed == {}
        assert set(made.done) == set(pages) == set(DAYS)
    for day in DAYS:
        assert "part" in shop.page(REPO, day)
        assert f"{day}" in pages[day]


def test_a_migration_that_was_interrupted_is_done_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "data")
    case = old_history("first", place)
    real = statement
    for stop in (
        "migrations/0007_headlines",
        "migrations/0009_row_groups_options",
        f"views/{names('views')[-1]}",
        "flush",
        "migrations/0013_first_rows_catalog",
        "migrations/0014_statistics_of_no_rows_catalog",
        "migrations/0015_bounds_of_rows_catalog",
        "migrations/0016_no_empty_places_catalog",
    ):

        def interrupted(name: str, stop: str = stop) -> str:
            if name == stop:
                raise KeyboardInterrupt
            return real(name)

        for module in ("history", "migrations"):
            monkeypatch.setattr(f"digest_pipeline.store.{module}.statement", interrupted)
        with pytest.raises(KeyboardInterrupt):
            History(place, UTC)
    for module in ("history", "migrations"):
        monkeypatch.setattr(f"digest_pipeline.store.{module}.statement", real)
    History(place, UTC).close()
    assert_is_all_there(place, case)


def test_more_than_a_migration_may_hold_in_memory_is_brought_up_to_date_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "data")
    case = old_history("first", place)
    monkeypatch.setattr("digest_pipeline.store.history._MIGRATION_MEMORY", "8MB")
    with monkeypatch.context() as patched, pytest.raises(StoreError, match="Out of Memory"):
        patched.setattr(history, "_all_memory", lambda: "8MB")
        History(place, UTC)
    History(place, UTC).close()
    assert_is_all_there(place, case)


@pytest.mark.parametrize(
    ("level", "until"), [("first", "0013"), ("middle", "0013"), ("later", "0014"), ("later", "0015")]
)
def test_a_history_in_which_rows_were_taken_away_again_has_right_bounds(
    level: str, until: str, tmp_path: Path
) -> None:
    place = Place(tmp_path / "data")
    case = old_history(level, place)
    pending = [name for name in in_order() if name not in case["migrations"] and name < until]
    with connect(place, read_only=False) as connection:
        # Those of today were after the options then, and before what is done in DuckLake's own tables.
        for name in sorted(pending, key=lambda name: (turn(name) == CATALOG, name in SUPERSEDED, turn(name))):
            connection.execute("BEGIN")
            if name in SUPERSEDED:
                connection.execute(superseded(name))
            else:
                connection.execute(statement(f"migrations/{name}"))
            connection.execute("COMMIT")
            connection.execute("INSERT INTO schema_migrations VALUES (?, now())", [name])
    with open_history(place, UTC) as reader:
        assert wrong_bounds(reader) != []
    History(place, UTC).close()
    assert_is_all_there(place, case)


@pytest.mark.parametrize("level", ["middle"])
def test_an_export_of_an_earlier_level_is_imported_as_it_was_and_brought_up_to_date(
    level: str, tmp_path: Path
) -> None:
    file = tmp_path / "old.duckdb"
    case = read_case(level)
    with duckdb.connect(file) as connection:
        build(connection, case)
        connection.execute("INSERT INTO schema_migrations VALUES ('views-0123456789abcdef', now())")
    place = Place(tmp_path / "data")
    import_file(place, UTC, file)
    assert_is_all_there(place, case)
    again = tmp_path / "new.duckdb"
    export(place, UTC, again)
    with duckdb.connect(again, read_only=True) as new, open_history(place) as reader:
        assert content(new, "new") == content(reader, "history")
        assert new.execute(
            "SELECT count(*) FROM reads WHERE day = $day", {"day": date(2026, 1, 5)}
        ).fetchall() == [(1,)]
