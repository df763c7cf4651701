"""The bounds of tables, by which DuckLake passes over files and DuckDB may answer min() and max()."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_CATALOG = "__ducklake_metadata_history"
_NAMED = ("day", "repo", "sha")


def wrong_bounds(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The columns by which days are looked for, of which the bounds are not those of the rows: with both."""
    found = connection.execute(
        f"SELECT table_name, column_name, min_value, max_value FROM {_CATALOG}.ducklake_table_column_stats "
        f"JOIN {_CATALOG}.ducklake_table AS tables USING (table_id) "
        f"JOIN {_CATALOG}.ducklake_column AS columns USING (table_id, column_id) "
        "WHERE tables.end_snapshot IS NULL AND columns.end_snapshot IS NULL AND column_name IN $named",
        {"named": _NAMED},
    ).fetchall()
    wrong = []
    for table, column, least, most in found:
        # What is compared as another text is read from the rows.
        [there] = connection.execute(
            f"SELECT min({column})::VARCHAR, max({column})::VARCHAR FROM {table} WHERE {column}::VARCHAR || 'x' <> ''"
        ).fetchall()
        if there != (least, most):
            wrong.append((table, column, (least, most), there))
    return wrong


def written_twice(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Tables and columns that have statistics more than once, of which DuckLake keeps any one."""
    return connection.execute(
        f"SELECT table_id, column_id FROM {_CATALOG}.ducklake_table_column_stats GROUP BY ALL HAVING count(*) > 1 "
        f"UNION ALL SELECT table_id, NULL FROM {_CATALOG}.ducklake_table_stats GROUP BY ALL HAVING count(*) > 1"
    ).fetchall()
