"""The steps from an empty history, or one of an earlier version, to one of this version."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from digest_pipeline.store.files import CATALOG, OPTIONS, TABLES, names, statement, turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest_pipeline.store.lock import Held

SUPERSEDED = frozenset({"0011_first_rows_after", "0012_first_rows_of_a_run_after"})
"""What earlier versions ran and this one only records: `0014` does the same without rows.

They stay in the record, for an earlier version that shares the history would run what is not in it: after `0013` to
`0015`, which mend the bounds that they leave and would not be run again. Their texts are among the tests' cases.
"""
VIEWS = "views-"
"""How the name begins under which the views of a version are among what was applied."""


def applied_to(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """What was applied to the history. Raises duckdb.CatalogException where there is none yet."""
    return {row[0] for row in connection.execute("FROM schema_migrations SELECT name").fetchall()}


def in_order() -> list[str]:
    """Every migration that a history records, the oldest first."""
    return sorted([*names("migrations")[1:], *SUPERSEDED])


def known() -> set[str]:
    """What is applied to a history that is up to date."""
    return {*in_order(), views_name()}


def views_name() -> str:
    """Under which name the views of this version are among what was applied."""
    text = "".join(statement(f"views/{name}") for name in names("views"))
    return f"{VIEWS}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def record_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of what was applied where it is not there."""
    connection.execute(statement("migrations/0000_migrations"))


def carry_out(
    connection: duckdb.DuckDBPyConnection, migrations: Sequence[str], held: Held, *, with_views: bool = True
) -> None:
    """Run and record those of `migrations` that make and change tables and options, and make the views.

    A turn is done whole, or it never happened. `held` is asked right before each COMMIT whether it may come. Raises
    duckdb.Error, and what `held` raises.
    """
    # In one transaction, so that a new history's tables have one shape from the start.
    _apply(connection, held, [name for name in migrations if turn(name) == TABLES])
    _apply(connection, held, [name for name in migrations if turn(name) == OPTIONS], with_views=with_views)


def carry_out_in_catalog(
    connection: duckdb.DuckDBPyConnection, migrations: Sequence[str], held: Held
) -> None:
    """Run those of `migrations` that write in DuckLake's own tables, and record them.

    After `carry_out`, and once no row of the time before waits in the catalog. They are recorded once all of them are
    done, and may all be done again. `held` and what is raised as above.
    """
    catalog = [name for name in migrations if turn(name) == CATALOG]
    if catalog:
        with _transaction(connection, held):
            _run(connection, catalog)
        with _transaction(connection, held):
            _record(connection, catalog)


def _apply(
    connection: duckdb.DuckDBPyConnection,
    held: Held,
    migrations: Sequence[str],
    *,
    with_views: bool = False,
) -> None:
    with _transaction(connection, held):
        _run(connection, migrations)
        _record(connection, migrations)
        if with_views:
            for name in names("views"):
                connection.execute(statement(f"views/{name}"))
            # Of the views only the newest text is of interest.
            connection.execute(f"DELETE FROM schema_migrations WHERE name LIKE '{VIEWS}%'")  # noqa: S608 - ours
            _record(connection, [views_name()])


def _run(connection: duckdb.DuckDBPyConnection, migrations: Sequence[str]) -> None:
    for name in migrations:
        if name not in SUPERSEDED:
            connection.execute(statement(f"migrations/{name}"))


def _record(connection: duckdb.DuckDBPyConnection, done: Sequence[str]) -> None:
    for name in done:
        connection.execute("INSERT INTO schema_migrations VALUES ($name, now())", {"name": name})


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection, held: Held) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        held()
        connection.execute("COMMIT")
    except BaseException:
        # A COMMIT that failed has ended the transaction already.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise
