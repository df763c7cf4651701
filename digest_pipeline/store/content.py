"""The tables of a history in one order, and a hash of what they hold: the same rows give the same of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import duckdb

RECORD = "schema_migrations"
"""The table that says of which release a history is; it comes last, so that one without it is not whole."""

_ORDERS: Mapping[str, str] = {
    "commit_log": "repo, sha",
    "commit_files": "repo, sha, position",
    "commit_sizes": "repo, sha",
    "analyses": "repo, sha, language",
    "reads": "repo",
    "reports": "repo, language",
    "digests": "language",
}
"""How rows of a day stand; those of tables that are not named here by all their columns."""

_ROWS = {"commit_files": 2000, "reports": 400, "digests": 400, "reader_pages": 400}
_SHORT_ROWS = 20_000
"""So many rows are sorted at once: some 20 MB of text."""
_BETWEEN = "WHERE day BETWEEN $first AND $last"


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table has, and a hash over them that does not depend on their order."""

    rows: int
    hash: str


def tables_of(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """The columns of each table of an attached database, by name; the record of migrations last."""
    found: dict[str, list[str]] = {}
    rows = connection.execute(
        "SELECT table_name, column_name "
        "FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, table_oid, table_name) "
        "WHERE database_name = $database ORDER BY table_name = $record, table_name, column_index",
        {"database": database, "record": RECORD},
    ).fetchall()
    for table, column in rows:
        found.setdefault(table, []).append(column)
    return found


def order_of(table: str, columns: list[str]) -> str:
    """What the rows of a table are ordered by, the day first where there is one."""
    order = _ORDERS.get(table, "ALL")
    return f"day, {order}" if "day" in columns and order != "ALL" else order


def portions(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    table: str,
    columns: list[str],
    parameters: Mapping[str, object],
) -> Iterator[tuple[str, dict[str, date]]]:
    """Conditions that give the rows of `source`, which are those of `table`, some days at a time, the first ones first.

    Sorting all patches at once would take the memory or the disk that they take. A table without days is one portion.
    """
    if "day" not in columns:
        yield "", {}
        return
    asked = f"SELECT day, count(*) FROM {source} GROUP BY day ORDER BY day"  # noqa: S608 - our own names
    most = _ROWS.get(table, _SHORT_ROWS)
    days: list[date] = []
    rows = 0
    for day, count in connection.execute(asked, parameters).fetchall():
        if days and rows + count > most:
            yield _BETWEEN, {"first": days[0], "last": days[-1]}
            days, rows = [], 0
        days.append(day)
        rows += count
    if days:
        yield _BETWEEN, {"first": days[0], "last": days[-1]}


def content(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, Content]:
    """What each table of an attached database holds; the record of migrations is not content."""
    found = {}
    for table, columns in tables_of(connection, database).items():
        if table == RECORD:
            continue
        # A struct's text is the same wherever its rows lie; a hash of DuckDB's own may change with its version.
        # Each text with its length before it: no two rows make the same one, whatever stands in them.
        texts = " || ".join(
            f"coalesce(strlen({column}::VARCHAR) || ':' || {column}::VARCHAR, '-')" for column in columns
        )
        row = connection.execute(
            f"SELECT count(*), coalesce(sum(md5_number_lower({texts})::HUGEINT), 0) FROM {database}.{table}"  # noqa: S608
        ).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has one
        found[table] = Content(row[0], f"{row[1]:x}")
    return found
