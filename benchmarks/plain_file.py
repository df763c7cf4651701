"""The peer of the store: the same writes into a plain DuckDB file, which nobody else can open meanwhile."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb

from benchmarks.writer import DAYS, ZONE, Task, day_of, replacements
from digest_pipeline.store.columns import arrow_table
from digest_pipeline.store.history import open_history

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline.store.history import Replacement

_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}
"""As a writer of the store has it."""


def write_alone(told: Task, seconds: float, file: Path) -> float:
    """Writes a second of one writer that replaces the same partitions in a DuckDB file; making them is not counted."""
    writes, spent = 0, 0.0
    with closing(duckdb.connect(str(file), config=_CONFIG)) as connection:
        connection.execute("SET enable_progress_bar = false")
        types = _make_tables(connection, told)
        while spent < seconds:
            brought = replacements(told.seed, told.repo, day_of(writes % DAYS), writes)
            began = time.monotonic()
            _replace(connection, brought, types)
            spent += time.monotonic() - began
            writes += 1
    return writes / spent


def _make_tables(connection: duckdb.DuckDBPyConnection, told: Task) -> dict[str, dict[str, str]]:
    tables = [one.table for one in replacements(told.seed, told.repo, day_of(0), 0)]
    with open_history(told.place, ZONE) as history:
        types = {
            table: {row[0]: row[1] for row in history.execute(f"DESCRIBE {table}").fetchall()}
            for table in tables
        }
    for table, columns in types.items():
        connection.execute(
            f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        )
    return types


def _replace(
    connection: duckdb.DuckDBPyConnection, brought: list[Replacement], types: dict[str, dict[str, str]]
) -> None:
    connection.execute("BEGIN")
    for one in brought:
        where = " AND ".join(f"{column} = ?" for column in one.key)
        connection.execute(f"DELETE FROM {one.table} WHERE {where}", [value for (value,) in one.key.values()])  # noqa: S608 - our own
        connection.register("incoming", arrow_table(types[one.table], one.rows))
        connection.execute(f"INSERT INTO {one.table} BY NAME SELECT * FROM incoming")  # noqa: S608 - as above
        connection.unregister("incoming")
    connection.execute("COMMIT")
