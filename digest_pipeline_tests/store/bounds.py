"""The bounds of columns, by which DuckLake passes over files and DuckDB may answer min() and max()."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest_pipeline.store.files import statement

if TYPE_CHECKING:
    import duckdb

_CATALOG = "__ducklake_metadata_history"


def bounded_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The columns of a table that have bounds: all but lists."""
    described = connection.execute(
        f"SELECT column_name FROM (DESCRIBE {table}) WHERE NOT contains(column_type, '[]')"
    ).fetchall()
    return [row[0] for row in described]


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables of a history, but for that of its migrations."""
    found = [row[0] for row in connection.execute(statement("pipeline/tables")).fetchall()]
    assert len(found) > 15
    return [table for table in found if table != "schema_migrations"]


def wrong_bounds(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The columns of which min() and max() are others than those of the rows: with both."""
    wrong = []
    for table in tables(connection):
        columns = bounded_columns(connection, table)
        # Each by itself, so that DuckDB may answer each from its statistics; by what changes no row it has to read.
        asked = ", ".join(f"(SELECT (min({one}), max({one})) FROM {table})" for one in columns)
        read = ", ".join(f"(min({one}), max({one}))" for one in columns)
        [answers] = connection.execute(f"SELECT {asked}").fetchall()
        [by_rows] = connection.execute(f"SELECT {read} FROM {table} WHERE random() >= 0").fetchall()
        wrong += [
            (table, *found) for found in zip(columns, answers, by_rows, strict=True) if found[1] != found[2]
        ]
    return wrong


def bounds_in_catalog(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> tuple[str, str]:
    """What the catalog says of a column of a table."""
    [bounds] = connection.execute(
        f"SELECT min_value, max_value FROM {_CATALOG}.ducklake_table_column_stats "
        f"JOIN {_CATALOG}.ducklake_table AS tables USING (table_id) "
        f"JOIN {_CATALOG}.ducklake_column AS columns USING (table_id, column_id) "
        "WHERE tables.end_snapshot IS NULL AND columns.end_snapshot IS NULL AND columns.parent_column IS NULL "
        "AND table_name = $table AND column_name = $column",
        {"table": table, "column": column},
    ).fetchall()
    return bounds


def written_twice(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Tables and columns that have statistics more than once, of which DuckLake keeps any one."""
    return connection.execute(
        f"SELECT table_id, column_id FROM {_CATALOG}.ducklake_table_column_stats GROUP BY ALL HAVING count(*) > 1 "
        f"UNION ALL SELECT table_id, NULL FROM {_CATALOG}.ducklake_table_stats GROUP BY ALL HAVING count(*) > 1"
    ).fetchall()
