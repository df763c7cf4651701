"""Whether a history is whole: its catalog, its files, and what its tables say of one another. It mends nothing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import duckdb

from digest_pipeline.errors import StoreError, StoreOutdated
from digest_pipeline.store import migrations
from digest_pipeline.store.complaints import redacted, shortened
from digest_pipeline.store.connection import NAME, translate
from digest_pipeline.store.content import tables_of
from digest_pipeline.store.files import statement
from digest_pipeline.store.history import must_be_up_to_date, open_history, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest_pipeline.store.place import Place

_FILES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what is wrong with it."""

    name: str
    seen: str
    problems: list[str] = field(default_factory=list)


def check(place: Place, *, deep: bool = False) -> Iterator[Finding]:
    """Look at one thing after the other; `deep` reads every row. Raises StoreError where there is no history."""
    # Before DuckDB has it open: two copies of SQLite on one file in one process drop each other's locks.
    torn = _torn(place)
    try:
        opened = open_history(place)
    except StoreError as error:
        if (
            not place.catalog_path.exists()
            and place.shared is None
            and not any(place.files.rglob("*.parquet"))
        ):
            raise
        yield Finding("catalog", "it cannot be opened", [str(error)])
        return
    with opened as connection:
        checks: list[tuple[str, Callable[[], tuple[str, list[str]]]]] = [
            ("catalog", lambda: _catalog(connection, torn)),
            ("version", lambda: _version(connection, place)),
            ("files", lambda: _files(connection, place)),
            *([("rows", lambda: _rows(connection, place))] if deep else []),
        ]
        if _is_up_to_date(connection, place):
            # Of an older one the tables that these ask are not all there yet.
            checks += [(name, _asking(connection, place, name)) for name in _SEEN]
        told: dict[str, str] = {}
        for name, look in checks:
            try:
                seen, problems = look()
            except (duckdb.Error, StoreError) as error:
                failure = str(translate(error, place) if isinstance(error, duckdb.Error) else error)
                first = told.setdefault(failure, name)
                problem = failure if first == name else f"for the reason told under {first}"
                yield Finding(name, "it cannot be looked at", [problem])
            else:
                yield Finding(name, seen, problems)


_SEEN = {
    "twice": "what may stand once in 13 tables",
    "counts": "commits and files of each day as often as they are counted",
    "orphans": "every row belongs to a commit, and every commit to a day",
    "values": "states and revisions as the steps write them",
}


def _asking(
    connection: duckdb.DuckDBPyConnection, place: Place, name: str
) -> Callable[[], tuple[str, list[str]]]:
    return lambda: (
        _SEEN[name],
        [row["problem"] for row in rows_of(connection, statement(f"integrity/{name}"), None, place)],
    )


def _is_up_to_date(connection: duckdb.DuckDBPyConnection, place: Place) -> bool:
    try:
        must_be_up_to_date(connection, place)
    except StoreOutdated:
        return False
    except StoreError:
        pass  # what is damaged says so where it is looked at
    return True


def _catalog(connection: duckdb.DuckDBPyConnection, torn: list[str]) -> tuple[str, list[str]]:
    tables = tables_of(connection, NAME)
    lacking = sorted(
        {"schema_migrations", "reads", "commit_log", "commit_files", "analyses", "reports"} - set(tables)
    )
    problems = [f"the table {table} is gone" for table in lacking]
    return f"it opens, {len(tables)} tables", problems + torn


def _torn(place: Place) -> list[str]:
    """What SQLite finds wrong with the file of the catalog, where there is one."""
    if place.shared is not None or not place.catalog_path.is_file():
        return []
    try:
        uri = f"{place.catalog_path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as opened:
            return [row[0] for row in opened.execute("PRAGMA quick_check") if row[0] != "ok"]
    except sqlite3.Error as error:
        return [str(error)]


def _version(connection: duckdb.DuckDBPyConnection, place: Place) -> tuple[str, list[str]]:
    try:
        must_be_up_to_date(connection, place)
    except StoreOutdated as error:
        # The next writer brings it up to date: no damage.
        return f"{error}; check it again then, for what its rows say of one another", []
    known = set(migrations.in_order())
    rows = rows_of(connection, statement("integrity/migrations"), None, place)
    applied = [row["name"] for row in rows]
    newer = sorted(set(applied) - known)
    twice = len(applied) - len(set(applied))
    problems = [f"made by a newer digest_pipeline ({', '.join(newer)}); upgrade this one"] if newer else []
    problems += [f"{twice} migrations are recorded twice"] if twice else []
    return f"{len(rows)} migrations, all known", problems


def _files(connection: duckdb.DuckDBPyConnection, place: Place) -> tuple[str, list[str]]:
    """Each file is there, as long as it was written, and has the rows that the catalog counts."""
    # Of one moment: what is merged away meanwhile stays where it is for a week.
    listed = {
        f"{place.data_path}/{row['path']}": row
        for row in rows_of(connection, statement("integrity/files"), None, place)
    }
    problems: list[str] = []
    readable: list[str] = []
    for path, row in listed.items():
        name, found = PurePosixPath(path).name, _size(path)
        if found == _GONE:
            problems.append(f"{row['table']}: {name} is gone")
        elif found not in {_UNKNOWN, row["bytes"]}:
            problems.append(f"{row['table']}: {name} has {found} bytes instead of {row['bytes']}")
        else:
            readable.append(path)
    for start in range(0, len(readable), _FILES_AT_ONCE):
        for path, rows in _footers(connection, place, readable[start : start + _FILES_AT_ONCE]):
            row, name = listed[path], PurePosixPath(path).name
            if isinstance(rows, str):
                problems.append(f"{row['table']}: {name} cannot be read: {rows}")
            elif rows != row["rows"]:
                problems.append(f"{row['table']}: {name} has {rows} rows instead of {row['rows']}")
    size = sum(row["bytes"] for row in listed.values())
    return f"{len(listed)} files, {size / 1e6:.1f} MB", problems


_GONE, _UNKNOWN = -1, -2
_PATTERN = re.compile(r"[*?[]")
"""What DuckDB takes for a pattern in a path, which a folder's name may hold."""


def _size(path: str) -> int:
    """How long a file is; what lies in a bucket is seen by its end alone."""
    if "://" in path:
        return _UNKNOWN
    file = Path(path)
    return file.stat().st_size if file.is_file() else _GONE


def _footers(
    connection: duckdb.DuckDBPyConnection, place: Place, paths: list[str]
) -> Iterator[tuple[str, int | str]]:
    """Each file with its rows, or why it cannot be read."""
    asked = statement("integrity/footers")
    try:
        rows = rows_of(
            connection, asked, {"paths": [_PATTERN.sub(r"[\g<0>]", path) for path in paths]}, place
        )
    except StoreError as error:
        if len(paths) > 1:  # one of them: each by itself
            for path in paths:
                yield from _footers(connection, place, [path])
            return
        yield paths[0], str(error.__cause__ or error).split("\n", maxsplit=1)[0]
        return
    yield from ((row["path"], row["rows"]) for row in rows)


def _rows(connection: duckdb.DuckDBPyConnection, place: Place) -> tuple[str, list[str]]:
    """Read every value of every row."""
    problems: list[str] = []
    count = 0
    for table, columns in tables_of(connection, NAME).items():
        read = ", ".join(f"bit_xor(hash({column}))" for column in columns)
        try:
            row: Any = connection.execute(f"SELECT count(*), {read} FROM {NAME}.{table}").fetchone()  # noqa: S608
        except duckdb.Error as error:
            problems.append(f"{table}: cannot be read: {shortened(redacted(str(error), place))}")
        else:
            count += row[0]
    return f"{count} rows read", problems
