"""A history as one plain DuckDB file, for every tool that reads those, and back again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from digest_pipeline.errors import StoreError, UsageError
from digest_pipeline.store import migrations
from digest_pipeline.store.complaints import redacted, shortened
from digest_pipeline.store.connection import (
    NAME,
    attach,
    attach_again,
    cause,
    interruptible,
    prepare,
    translate,
)
from digest_pipeline.store.content import RECORD, order_of, portions, tables_of
from digest_pipeline.store.files import names, quoted, statement
from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.lock import writers_lock
from digest_pipeline.store.move import move
from digest_pipeline.store.settle import being_made, must_be_free
from digest_pipeline.store.whole import removed, written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from digest_pipeline.store.acting import Say
    from digest_pipeline.store.place import Place

_FILE = "file"
_MEMORY = "256MB"
_FORM = "v1.2.0"
"""The oldest form of a DuckDB file that compresses long texts: 736 MB of patches make 149 MB, in an older 1.2 GB."""


def export(
    place: Place, timezone: ZoneInfo, file: Path, *, force: bool = False, said: Say = lambda *_: None
) -> int:
    """Write the history in `place` into a DuckDB file with its tables and views; how many rows.

    All of it is of one moment, whatever is written meanwhile. The same history gives the same rows in the same order.
    Raises UsageError where `file` exists and not `force`, StoreError.
    """
    if file.resolve().is_relative_to(place.folder.resolve()):
        raise UsageError(f"{file} is part of the history itself; name a file elsewhere")
    if force and file.is_file() and not _is_duckdb(file):
        raise UsageError(
            f"{file} is no DuckDB file, and --force replaces no other; remove it, or name another file"
        )
    with written_whole(file, force=force) as temporary:
        open_history(place).close()
        moment = _moment(place, timezone)
        with prepare(place, timezone=timezone, memory=_MEMORY, threads=1) as connection, _told(place, file):
            attach(connection, place, read_only=True)
            connection.execute(f"ATTACH {quoted(temporary)} AS {_FILE} (STORAGE_VERSION '{_FORM}')")
            # Each look into its log writes what there is anew.
            connection.execute("SET checkpoint_threshold = '256MB'")
            rows = sum(_carry_out(connection, moment, said))
            connection.execute(f"USE {_FILE}")
            for name in names("views"):
                connection.execute(statement(f"views/{name}"))
            connection.execute("USE memory")
            connection.execute(f"DETACH {_FILE}")
    return rows


def import_file(place: Place, timezone: ZoneInfo, file: Path, *, said: Say = lambda *_: None) -> int:
    """Make a history in `place`, where there is none, of an exported file; how many rows.

    An export of an earlier release becomes a history of that release first, which is then brought up to date as any
    other. Raises UsageError where there is a history, or the file is no export, StoreError.
    """
    must_be_free(place)
    if not file.is_file():
        raise UsageError(f"{file} is not there; name a file that digest store export wrote")
    with being_made(place.data_dir) as made:
        with prepare(made, timezone=timezone, memory=_MEMORY, threads=1) as connection, _told(made, file):
            applied = _open_export(connection, file)
            with writers_lock(made)() as held:
                attach(connection, made, read_only=False)
                migrations.record_table(connection)
                mine = [name for name in migrations.in_order() if name in applied]
                migrations.carry_out(connection, mine, held, with_views=migrations.views_name() in applied)
                migrations.carry_out_in_catalog(connection, mine, held)
                # A connection keeps the statistics of tables that it met, also those that a migration has set right.
                attach_again(connection, made)
                rows = sum(_carry_rows(connection, said))
            connection.execute("USE memory")
            connection.execute(f"DETACH {NAME}")
        History(made, timezone).close()
        put(made, place, timezone)
    return rows


def _is_duckdb(file: Path) -> bool:
    """Whether it is what an export may take the place of; an empty file is, too."""
    with file.open("rb") as opened:
        start = opened.read(12)
    return not start or start[8:] == b"DUCK"


def put(made: Place, place: Place, timezone: ZoneInfo) -> None:
    """Make the history in `made`, which is up to date and open to nobody, the one in `place`.

    Raises UsageError where there is one by now, StoreError, OSError.
    """
    if place.shared is None:
        # A run may begin one at any moment: what it holds is not taken away under it.
        with writers_lock(place)():
            must_be_free(place)
            removed(place.folder)
            made.folder.rename(place.folder)
        History(place, timezone).close()  # it leaves the file with which any shell opens it
        return
    must_be_free(place)
    move(made, place, timezone, leaves=False)  # nothing of it stays


def _moment(place: Place, timezone: ZoneInfo) -> int:
    """A snapshot of which nothing waits in the catalog: what waits there may be moved under a reader."""
    # Where a history was carried from it can be read, and so exported.
    with History(place, timezone, even_if_left=True) as history:
        return history.settled_snapshot()


def _carry_out(connection: duckdb.DuckDBPyConnection, moment: int, said: Say) -> Iterator[int]:
    tables = tables_of(connection, NAME)
    for number, (table, columns) in enumerate(tables.items()):
        said(table, number, len(tables))
        source = f"{NAME}.{table} AT (VERSION => $moment)"
        connection.execute(f"CREATE TABLE {_FILE}.{table} AS FROM {NAME}.{table} LIMIT 0")
        order = order_of(table, columns)
        for where, span in portions(connection, source, table, columns, {"moment": moment}):
            yield _count(
                connection.execute(
                    f"INSERT INTO {_FILE}.{table} SELECT * FROM {source} {where} ORDER BY {order}",  # noqa: S608 - our own names
                    {"moment": moment, **span},
                )
            )
    said("done", len(tables), len(tables))


def _carry_rows(connection: duckdb.DuckDBPyConnection, said: Say) -> Iterator[int]:
    """Insert the rows of the file, all in one transaction."""
    tables = tables_of(connection, NAME)
    there = tables_of(connection, _FILE)
    connection.execute("BEGIN")
    for number, (table, columns) in enumerate(tables.items()):
        said(table, number, len(tables))
        if table not in there:
            continue
        # The views of another release are made anew, and their record with them.
        where = ""
        if table == RECORD:
            connection.execute(f"DELETE FROM {NAME}.{table}")  # noqa: S608
            where = f"WHERE name NOT LIKE '{migrations.VIEWS}%' OR name = {quoted(migrations.views_name())}"
        same = ", ".join(column for column in columns if column in there[table])
        yield _count(
            connection.execute(
                f"INSERT INTO {NAME}.{table} ({same}) SELECT {same} FROM {_FILE}.{table} {where}"  # noqa: S608
            )
        )
    connection.execute("COMMIT")
    said("done", len(tables), len(tables))


def _open_export(connection: duckdb.DuckDBPyConnection, file: Path) -> set[str]:
    """Which migrations the exported history had. Raises UsageError where the file is none."""
    try:
        connection.execute(f"ATTACH {quoted(file)} AS {_FILE} (READ_ONLY)")
        rows = connection.execute(f"SELECT name FROM {_FILE}.{RECORD}").fetchall()  # noqa: S608 - our own names
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{file} is no file that digest store export wrote ({text[:160]})") from None
    applied = {row[0] for row in rows}
    newer = sorted(
        name for name in applied - set(migrations.in_order()) if not name.startswith(migrations.VIEWS)
    )
    if newer:
        raise StoreError(f"{file} was made by a newer digest_pipeline ({', '.join(newer)}); upgrade this one")
    if "0001_history" not in applied:
        raise UsageError(f"{file} is no file that digest store export wrote (it holds no history)")
    return applied


def _count(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _told(place: Place, file: Path) -> Iterator[None]:
    """What DuckDB complains of is told as one of ours, and of the file where it is the file's."""
    try:
        with interruptible():
            yield
    except duckdb.Error as error:
        text = redacted(str(error), place)
        if str(file) in text or f".{file.name}." in text:
            raise StoreError(
                f"{file} cannot be written or read: {shortened(text)}; free some space or check its rights, then run "
                "the same command again; nothing is left half"
            ) from cause(error, place)
        raise translate(error, place) from cause(error, place)
