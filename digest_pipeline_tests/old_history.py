"""Histories as earlier levels of the migrations had them, kept as text in `cases/histories/`.

A case holds the names of the migrations that were applied and the rows of each table with the columns that it had
then. `python -m digest_pipeline_tests.old_history` wrote them: days made by the steps, of which the columns that came
later are left out, and rows of other tables as their steps write them. They are not written anew where the steps
change: they are what is out there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest_pipeline.store.connection import attach, prepare
from digest_pipeline.store.files import names, statement
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    import duckdb

CASES = Path(__file__).parent / "cases/histories"
SUPERSEDED_TEXTS = CASES.parent / "superseded"
REPO = "ada/engine"
DAYS = days_from(FIRST_DAY, 2)
_FIRST = ["0001_history", "0002_options"]
_MIDDLE = [*_FIRST, "0003_never_lost", "0004_endings", "0005_filters", "0005_filters_options"]
LEVELS = {
    "first": _FIRST,
    "middle": _MIDDLE,
    "later": [
        *_MIDDLE,
        "0006_delivery",
        "0007_headlines",
        "0008_rollups",
        "0009_row_groups_options",
        "0010_texts_options",
    ],
}
_AT = "2026-01-07T02:00:00+00:00"
_MORE: dict[str, list[dict[str, Any]]] = {
    "attempts": [
        {
            "repo": REPO,
            "day": "2026-01-05",
            "sha": "a" * 40,
            "language": "en",
            "attempt": 1,
            "started_at": _AT,
        }
        | {
            "seconds": 1.5,
            "endpoint": "llm.example.com",
            "model": "some",
            "purpose": "analysis",
            "outcome": "failed",
        }
        | {
            "error_class": "bad_output",
            "error": "no JSON",
            "tokens_in": 10,
            "tokens_out": 2,
            "tokens_cached": 0,
            "cost": 0.25,
        }
    ],
    "answers": [
        {
            "input_hash": "b" * 64,
            "model": "some",
            "endpoint": "llm.example.com",
            "language": "en",
            "tier": "low",
        }
        | {"prompt_version": "1", "analysis": '{"summary":["it {works}"]}', "ledger": None, "shown_lines": 2}
        | {"changed_lines": 2, "answered_at": _AT}
    ],
    "alarms": [
        {
            "kind": "unreadable",
            "subject": REPO,
            "detail": "nobody answers",
            "raised_at": _AT,
            "resolved_at": _AT,
        }
        | {"claimed_at": None, "told_at": None, "over_told_at": None, "ending": None}
    ],
    "pull_requests": [
        {
            "repo": REPO,
            "number": 1,
            "title": "A part {of} it",
            "labels": ["bug", "a, b"],
            "body": "",
            "read_at": _AT,
        }
    ],
}


def build(connection: duckdb.DuckDBPyConnection, case: dict[str, Any], *, views: bool = False) -> None:
    """Make the tables of a case in the database in use, step by step as they were made, and put its rows into them."""
    connection.execute(statement("migrations/0000_migrations"))
    for name in case["migrations"]:
        # A plain database has no options, and its tables are the same.
        if not name.endswith("options") or views:
            connection.execute(statement(f"migrations/{name}"))
        connection.execute("INSERT INTO schema_migrations VALUES (?, ?)", [name, _AT])
    connection.execute("BEGIN")
    for table, rows in case["tables"].items():
        for row in rows:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    connection.execute("COMMIT")


def superseded(name: str) -> str:
    """What a migration did that is only recorded today."""
    return (SUPERSEDED_TEXTS / f"{name}.sql").read_text(encoding="utf-8")


def read_case(name: str) -> dict[str, Any]:
    """A case as it is kept."""
    found: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def old_history(name: str, place: Place) -> dict[str, Any]:
    """Make the history of a case in `place`, as it lay there then; the case."""
    case = read_case(name)
    place.folder.mkdir(parents=True)
    with prepare(place, threads=1) as connection:
        attach(connection, place, read_only=False)
        build(connection, case, views=True)
    return case


def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder) / "project")
        shop.configure(local(REPO, small_repository(Path(folder) / "engine").path))
        shop.make(DAYS)
        for level, migrations in LEVELS.items():
            place = Place(Path(folder) / level)
            place.folder.mkdir(parents=True)
            tables: dict[str, list[dict[str, Any]]] = {}
            with prepare(place, threads=1) as connection:
                attach(connection, place, read_only=False)
                build(connection, {"migrations": migrations, "tables": {}}, views=True)
                found = connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'history'"
                )
                for (table,) in sorted(found.fetchall()):
                    if table == "schema_migrations":
                        continue
                    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
                    rows = shop.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL")
                    tables[table] = [dict(zip(columns, row, strict=True)) for row in rows] or _MORE.get(
                        table, []
                    )
            case = {"migrations": migrations, "tables": tables}
            text = json.dumps(case, indent=1, ensure_ascii=False, default=str) + "\n"
            (CASES / f"{level}.json").write_text(text, encoding="utf-8")


assert set(LEVELS["middle"]) <= set(names("migrations"))

if __name__ == "__main__":
    _main()
