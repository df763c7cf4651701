"""Reading and writing the history. A partition, or a batch of them, is replaced in one transaction."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb

from digest_pipeline.errors import (
    ConfigurationError,
    StoreDamaged,
    StoreError,
    StoreOutdated,
    StoreUnavailable,
)
from digest_pipeline.store import migrations
from digest_pipeline.store.acting import WAITS, steadily, under_lock, unwritable
from digest_pipeline.store.columns import arrow_table
from digest_pipeline.store.connection import (
    Readers,
    attach,
    attach_again,
    cause,
    connect,
    damaged,
    hold_open,
    interruptible,
    let_go,
    prepare,
    shell_script,
    shut,
    shut_on_failure,
    translate,
)
from digest_pipeline.store.files import statement
from digest_pipeline.store.left import carried_to
from digest_pipeline.store.lock import whoami, writers_lock
from digest_pipeline.store.shared import claim_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from zoneinfo import ZoneInfo

    from digest_pipeline.store.lock import Held, Patience
    from digest_pipeline.store.place import Place

    Row = Mapping[str, Any]

Read = Callable[[str, "Mapping[str, object]"], "list[dict[str, Any]]"]
"""Gives the rows of `sql/<name>.sql` for parameters."""

T = TypeVar("T")

_log = logging.getLogger(__name__)

_OPENING_WAITS = (0.5, 1.0, 2.0)
"""Between tries where nothing was begun yet: who starts a run waits for an answer."""
_WRITER_MEMORY = "256MB"
"""Enough for a batch, and for what is read beside it; what does not fit is spilled. A run over 250 MB of patches stays
below 600 MB with it."""

_WRITER_KEEPS = "8MB"
"""What DuckDB frees at once and is more than this goes back to the system, by itself from 512 MB on. It cost 0.3 s, and
the peak of a run over 229 days was 430 MB before, and 375."""

_MIGRATION_MEMORY = "2GB"

_WRITER_THREADS = 1
"""What steps ask is small, and DuckLake asks its catalog several times for each: handing that to threads costs more
than it gains. Seven typical questions took 121 ms with one thread and 186 ms with two."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """`rows` in the place of all rows of `table` that match `key` (column to the values it may have).

    Rows that meet the SQL condition `keep` stay, and of `rows` those with their sha are left out. With an empty
    `key` nothing is replaced: `rows` are added.
    """

    table: str
    key: Mapping[str, Sequence[Any]]
    rows: Sequence[Row] = field(default=())
    keep: str | None = None


@dataclass(slots=True)
class _Once:
    """One call that writes, through all its tries; `unsure` names the commit of which no answer came.

    It belongs to the call: of another call's commit nothing follows for this one.
    """

    unsure: str | None = None


class History:
    """The history in its place, open for reading and writing: a warm connection that writes, and some that read."""

    def __init__(
        self,
        place: Place,
        timezone: ZoneInfo,
        *,
        sleep: Callable[[float], None] | None = None,
        patience: Patience | None = None,
        even_if_left: bool = False,
    ) -> None:
        """Opens the history, creating or migrating it first where needed; `even_if_left` is for who carries it back.

        Raises ConfigurationError where it was made in another timezone, StoreError where it cannot be used.
        """
        self.place = place
        self.timezone = timezone
        self._is_closing = threading.Event()
        self._changing = threading.Lock()  # who closes, and who has made a connection anew
        self._sleep = sleep or self._rest
        # A connection serves one thread at a time, and what is written has one of its own: no read lands inside
        # a transaction, or waits for it.
        self._in_use = threading.Lock()
        self._columns: dict[str, dict[str, str]] = {}
        self._held_open: duckdb.DuckDBPyConnection | None = None
        self._lock = writers_lock(place, patience, even_if_left=even_if_left)
        self._even_if_left = even_if_left
        self._is_lost = False
        self._steadily(self._open, _OPENING_WAITS, is_open=False)
        try:
            self._held_open = hold_open(self._connection, place)
            if not even_if_left:  # who carries a history here knows of the other one
                _must_not_split(place, self.read)
            self._check_timezone()
            self._write_shell_file()
        except OSError as error:
            self.close()
            raise unwritable(place, error) from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        place = self.place
        try:
            place.folder.mkdir(parents=True, exist_ok=True)
            _must_not_be_hollow(place)
            self._use(self._prepared())
            try:
                # ATTACH makes a catalog where there is none, and trips over one that is half made.
                self._under_lock(self._attach)
                with interruptible():
                    if self._is_behind():
                        self._under_lock(self._migrate)
                        # Another process may have changed tables that this one has met.
                        attach_again(self._connection, place)
            except BaseException:
                self._shut()
                raise
        except OSError as error:
            raise unwritable(place, error) from None
        except duckdb.Error as error:
            raise translate(error, place) from cause(error, place)

    def _attach(self, _: Held) -> None:
        attach(self._connection, self.place, read_only=False)
        if self.place.shared is not None:
            self._claim_files()

    def _prepared(self) -> duckdb.DuckDBPyConnection:
        return prepare(
            self.place,
            timezone=self.timezone,
            memory=_WRITER_MEMORY,
            keeps=_WRITER_KEEPS,
            threads=_WRITER_THREADS,
        )

    def _claim_files(self) -> None:
        from digest_pipeline.store.postgres import identity  # noqa: PLC0415 - only where it is needed

        known, has_files = identity(self.place)
        claim_files(self._connection, self.place, known, has_files=has_files)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the history stays. Other threads that read, or wait to try again, are told so."""
        with self._changing:
            self._is_closing.set()
        holding, self._held_open = self._held_open, None
        try:
            if holding is not None:
                let_go(holding)
        finally:
            self._shut()

    def _shut(self) -> None:
        try:
            self._readers.close()
        finally:
            shut(self._connection)

    def read(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """The rows that `sql/<name>.sql` gives, each by column name."""

        def ask() -> list[dict[str, Any]]:
            with self._reader() as connection:
                return rows_of(connection, statement(name), parameters, self.place)

        return self._steadily(ask)

    def replace(self, *replacements: Replacement) -> None:
        """Carry out all of `replacements` in one transaction; after any failure nothing of them is there.

        Another writer is waited for. Raises StoreError.
        """
        if not replacements:
            return
        self._write(lambda once, held: self._transact(once, held, replacements))

    def revise(
        self,
        name: str,
        parameters: Mapping[str, object],
        decide: Callable[[list[dict[str, Any]]], Sequence[Replacement]],
    ) -> None:
        """Carry out what `decide` makes of the rows that `sql/<name>.sql` gives, with no writer in between.

        Of two processes that want the same, the second one decides over what the first one wrote. `decide` is
        called again where the transaction has to be. Raises StoreError.
        """
        self.decide(lambda read: decide(read(name, parameters)))

    def decide(self, decide: Callable[[Read], Sequence[Replacement]]) -> None:
        """`revise`, where `decide` reads what it needs by itself, in the same transaction. Raises StoreError."""
        self._write(
            lambda once, held: self._transact(
                once,
                held,
                lambda: decide(lambda name, where: _asked(self._connection, statement(name), where)),
            )
        )

    def settled_snapshot(self) -> int:
        """A snapshot of the history of now, of which no row waits in the catalog. Raises StoreError.

        What waits there is moved by upkeep under a reader of an older snapshot; files are not.
        """

        def settle(_: Held) -> int:
            with self._in_use:
                self._connection.execute(statement("flush"))
                row = self._connection.execute(statement("pipeline/snapshot")).fetchone()
            assert row is not None  # noqa: S101 - there is always one
            return int(row[0])

        return self._steadily(lambda: self._under_lock(settle))

    # --- inside -------------------------------------------------------------------------------------------

    def _steadily(self, act: Callable[[], T], waits: Sequence[float] = WAITS, *, is_open: bool = True) -> T:
        """What `act` gives, tried again over a new connection where a database or bucket did not answer."""
        used: list[duckdb.DuckDBPyConnection] = []

        def once() -> T:
            self._must_be_open()
            if self._is_lost:
                self._open_again()
            used[:] = [self._connection] if is_open else []
            return act()

        def lost() -> None:
            # Another thread may have heard of it before, and made the connection anew meanwhile.
            if used and used[0] is self._connection:
                self._is_lost = True

        return steadily(once, waits=waits, sleep=self._sleep, lost=lost)

    def _rest(self, seconds: float) -> None:
        if self._is_closing.wait(seconds):
            raise self._closed()

    def _must_be_open(self) -> None:
        if self._is_closing.is_set():
            raise self._closed()

    def _closed(self) -> StoreError:
        return StoreError(f"the history in {self.place} is closed already")

    def _open_again(self) -> None:
        """What is behind a connection that broke is not known: the next one is made from nothing."""
        with self._in_use:
            if not self._is_lost:
                return  # another thread was here before
            before, readers = self._connection, self._readers
            connection = self._prepared()
            with shut_on_failure(connection):
                attach(connection, self.place, read_only=False)
                with self._changing:
                    self._must_be_open()
                    self._use(connection)
            self._is_lost = False
        try:
            readers.close()
        finally:
            shut(before)

    def _use(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write over this one, and read over others beside it."""
        self._connection = connection
        self._readers = Readers(connection, self.place, self.timezone)

    @contextmanager
    def _reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that nobody reads over just now."""
        while (connection := (readers := self._readers).take()) is None:
            if readers is self._readers:
                raise self._closed()
        try:
            yield connection
        except KeyboardInterrupt as error:
            # Closing interrupts who reads; a person does, too.
            if readers.is_closed and isinstance(error.__cause__, duckdb.InterruptException):
                self._must_be_open()
                raise StoreUnavailable(f"the history in {self.place} is opened anew") from None
            raise
        finally:
            readers.give_back(connection)

    def _under_lock(self, act: Callable[[Held], T]) -> T:
        return under_lock(self.place, self._lock, act, connection=lambda: self._connection, sleep=self._sleep)

    def _write(self, transact: Callable[[_Once, Held], None]) -> None:
        once = _Once()
        self._steadily(lambda: self._under_lock(lambda held: transact(once, held)))

    def _transact(
        self,
        once: _Once,
        held: Held,
        replacements: Sequence[Replacement] | Callable[[], Sequence[Replacement]],
    ) -> None:
        with self._in_use:
            self._must_be_open()
            connection = self._connection
            if self._was_committed(once):
                return
            connection.execute("BEGIN")
            try:
                with interruptible(connection):
                    for replacement in replacements() if callable(replacements) else replacements:
                        kept = self._delete(replacement) if replacement.key else set()
                        rows = [row for row in replacement.rows if row.get("sha") not in kept]
                        if rows:
                            self._insert(replacement.table, rows)
                    self._commit(once, held)
            except BaseException:
                # COMMIT that failed has ended the transaction already.
                _quietly(connection, "ROLLBACK")
                raise

    def _commit(self, once: _Once, held: Held) -> None:
        """Commit, so that it is known again where the answer is lost: what was added must not be added twice."""
        if self.place.shared is None:
            held()
            self._connection.execute("COMMIT")
            return
        token = uuid.uuid4().hex
        self._connection.execute(statement("pipeline/mark"), {"author": whoami(), "token": token})
        held()
        try:
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            if isinstance(translate(error, self.place), StoreUnavailable):
                once.unsure = token
            raise

    def _was_committed(self, once: _Once) -> bool:
        """Whether the transaction whose answer was lost came to its end all the same."""
        if once.unsure is None:
            return False
        found = _asked(self._connection, statement("pipeline/committed"), {"token": once.unsure})
        once.unsure = None
        return bool(found)

    def _delete(self, replacement: Replacement) -> set[str]:
        """Delete what is replaced; the shas of the rows that stay."""
        # Identifiers come from our own code; the values are bound, or come as a table of their own: for every
        # value that it binds, DuckDB looks for pandas first, which takes longer than the deletion.
        types = self._types(replacement.table)
        telling = _telling(replacement.key)
        conditions: list[str] = []
        values: list[object] = []
        with ExitStack() as registered:
            for column, allowed in replacement.key.items():
                if len(allowed) == 1:
                    conditions.append(f"{column} {'=' if column == telling else 'IS NOT DISTINCT FROM'} ?")
                    values += allowed
                    continue
                name = f"wanted_{column}"
                self._connection.register(
                    name, arrow_table({column: types[column]}, [{column: value} for value in allowed])
                )
                registered.callback(self._connection.unregister, name)
                conditions.append(f"{column} IN (FROM {name} SELECT {column}::{types[column]})")
                if allowed and column == telling:
                    conditions.append(f"{column} BETWEEN ? AND ?")
                    values += [min(allowed), max(allowed)]
            where = " AND ".join(conditions)
            kept: set[str] = set()
            if replacement.keep is not None:
                asked = f"SELECT sha FROM {replacement.table} WHERE {where} AND {replacement.keep}"  # noqa: S608
                kept = {row[0] for row in self._connection.execute(asked, values).fetchall()}
                where += f" AND NOT ({replacement.keep})"
            self._connection.execute(f"DELETE FROM {replacement.table} WHERE {where}", values)  # noqa: S608
        return kept

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        incoming = arrow_table(self._types(table), rows)
        self._connection.register("incoming", incoming)
        try:
            self._connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")  # noqa: S608
        finally:
            self._connection.unregister("incoming")

    def _types(self, table: str) -> dict[str, str]:
        if table not in self._columns:
            described = self._connection.execute(f"DESCRIBE {table}").fetchall()
            self._columns[table] = {row[0]: row[1] for row in described}
        return self._columns[table]

    def _is_behind(self) -> bool:
        try:
            return migrations.applied_to(self._connection) != migrations.known()
        except duckdb.CatalogException:
            return True

    def _migrate(self, held: Held) -> None:
        connection = self._connection
        migrations.record_table(connection)
        applied = migrations.applied_to(connection)
        wanted = migrations.in_order()
        newer = {name for name in applied if not name.startswith(migrations.VIEWS)} - {*wanted}
        if newer:
            raise StoreError(
                f"the history in {self.place} was made by a newer digest_pipeline "
                f"({', '.join(sorted(newer))}); upgrade this one"
            )
        pending = [name for name in wanted if name not in applied]
        if not pending and migrations.views_name() in applied:
            return
        migrations.carry_out(connection, pending, held)
        if applied & {*wanted} and pending:
            # Rows that wait in the catalog lie there by the shape that their table had: upkeep would take those of
            # the old shape away under readers that know them. All of them are in memory at once.
            connection.execute(f"SET memory_limit = '{_MIGRATION_MEMORY}'")
            try:
                connection.execute(statement("flush"))
            except duckdb.OutOfMemoryException:
                # Without it nobody could open the history: what the machine has, then. RESET would ask the catalog.
                connection.execute(f"SET memory_limit = '{_all_memory()}'")
                connection.execute(statement("flush"))
            connection.execute(f"SET memory_limit = '{_WRITER_MEMORY}'")
        migrations.carry_out_in_catalog(connection, pending, held)

    def _check_timezone(self) -> None:
        must_be_of(self.timezone, self.read("pipeline/timezones"), self.place)

    def _write_shell_file(self) -> None:
        file = self.place.shell_path
        text = shell_script(self.place, self.timezone.key)
        if not file.exists() or file.read_bytes() != text.encode():
            file.write_bytes(text.encode())


def _all_memory() -> str:
    """How much a DuckDB takes by itself: most of what this machine, or its container, has."""
    with duckdb.connect() as connection:
        row = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert row is not None  # noqa: S101 - it is one row
    return str(row[0])


def must_be_of(timezone: ZoneInfo, made_in: Sequence[Mapping[str, Any]], place: Place) -> None:
    """Raise ConfigurationError where days were made in another zone, of the rows of `pipeline/timezones`."""
    others = [row["timezone"] for row in made_in if row["timezone"] != timezone.key]
    if others:
        raise ConfigurationError(
            f'timezone = "{timezone.key}": the history in {place} holds days of "{others[0]}"; '
            f'put timezone = "{others[0]}" back, or name a new data_dir'
        )


def open_history(place: Place, timezone: ZoneInfo | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the history in `place`; its tables are reached unqualified.

    Raises StoreError where there is no history yet, StoreDamaged where it cannot be read.
    """
    if not has_history(place):
        raise StoreError(f"there is no history in {place} yet; `digest run` makes one")
    return connect(place, read_only=True, timezone=timezone)


def has_history(place: Place) -> bool:
    """Whether a history was begun in `place`. Raises StoreDamaged where one was, and its catalog is gone."""
    if place.shared is not None:
        from digest_pipeline.store.postgres import has_catalog  # noqa: PLC0415 - only where it is needed

        return has_catalog(place)
    _must_not_be_hollow(place)
    return place.catalog_path.exists()


@contextmanager
def reading(place: Place, timezone: ZoneInfo | None = None) -> Iterator[Read]:
    """Reads over one read-only connection; times come in `timezone`, else in the system's.

    Raises StoreError, StoreOutdated among them: a reader cannot bring an older history up to date.
    """
    with open_history(place, timezone) as connection:
        must_be_up_to_date(connection, place)
        yield lambda name, parameters: rows_of(connection, statement(name), parameters, place)


def read_once(place: Place, name: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """The rows that `sql/<name>.sql` gives, over a read-only connection of its own. Raises StoreError."""
    with reading(place) as read:
        return read(name, parameters)


def must_be_up_to_date(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Raise StoreOutdated where the tables or views are those of an older version.

    What a newer version made has all that this one asks for, or says by itself what it lacks.
    """
    try:
        with interruptible(connection):
            applied = migrations.applied_to(connection)
    except duckdb.CatalogException as error:
        failure = translate(error, place)
        if isinstance(failure, StoreDamaged):
            raise failure from cause(error, place)
        applied = set()
    except duckdb.Error as error:
        raise translate(error, place) from cause(error, place)
    lacking = migrations.known() - applied
    is_newer = any(not name.startswith(migrations.VIEWS) for name in applied - migrations.known())
    if lacking and not (is_newer and all(name.startswith(migrations.VIEWS) for name in lacking)):
        raise StoreOutdated(
            f"the history in {place} is of an older version; `digest run` or `digest up` brings it up to date"
        )


def check_files(place: Place) -> None:
    """Raise StoreDamaged where a file that holds rows is not there, or not as long as it was written.

    Of what lies in a bucket the length is not asked, which would take a request for each file.
    """
    with open_history(place) as connection:
        listed = _listed(connection, place)
        for table in rows_of(connection, statement("pipeline/tables"), None, place):
            named = {"table": table["name"]}
            for file in rows_of(connection, statement("pipeline/data_files"), named, place):
                path = Path(file["path"])
                if listed is not None:
                    found = file["bytes"] if file["path"] in listed else None
                else:
                    found = path.stat().st_size if path.is_file() else None
                if found != file["bytes"]:
                    state = "is gone" if found is None else f"has {found} bytes instead of {file['bytes']}"
                    raise damaged(place, f"{path.name} {state}")


def _listed(connection: duckdb.DuckDBPyConnection, place: Place) -> set[str] | None:
    """The files in the bucket; None where there is none."""
    if place.shared is None or place.shared.bucket is None:
        return None
    pattern = {"pattern": f"{place.data_path}/**"}
    return {row["file"] for row in rows_of(connection, statement("pipeline/files_there"), pattern, place)}


def rows_of(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None, place: Place
) -> list[dict[str, Any]]:
    """The rows of one statement, each by column name. Raises StoreError."""
    try:
        with interruptible(connection):
            return _asked(connection, sql, parameters)
    except duckdb.Error as error:
        raise translate(error, place) from cause(error, place)


def _asked(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None
) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, dict(parameters or {}))
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _telling(key: Mapping[str, Sequence[Any]]) -> str:
    """The column by whose statistics a deletion passes over files; tables without days are small.

    One is enough: for each column that is compared in a way that it understands, DuckLake reads the statistics of
    all files of the table. `IS NOT DISTINCT FROM` it does not understand.
    """
    return "sha" if len(key.get("sha", ())) == 1 else "day"


def _must_not_split(place: Place, read: Read) -> None:
    """Raise StoreError where the shared history is empty and this machine has one: it would go on in two halves.

    What is wrong with the one here is told by `digest store move`.
    """
    alone = replace(place, shared=None)
    if place.shared is None or not alone.catalog_path.exists() or read("pipeline/any_read", {}):
        return
    carried = None
    try:
        carried = carried_to(alone)
        if not read_once(alone, "pipeline/any_read", {}):
            return
    except (StoreError, OSError):
        _log.debug("%s cannot be read", alone, exc_info=True)
    if read("pipeline/any_read", {}):  # it has come meanwhile
        return
    begin = f"to begin anew move {alone.folder} away"
    if carried is None:
        raise StoreError(
            f"{alone.folder} holds a history, and {place} holds none yet: to go on with it run digest store move --to "
            f"shared, {begin}"
        )
    raise StoreError(
        f"{alone.folder} holds a history that was carried to {carried} by digest store move, and {place} holds none: "
        "name in [store] where it is now; where it was lost, digest store restore brings back a backup, and digest "
        f"store move --to shared what was carried; {begin}"
    )


def _must_not_be_hollow(place: Place) -> None:
    """Raise StoreDamaged where the catalog, or its content, is gone: a new history would begin in its place.

    `history.sql` is written once a catalog is complete, so that one whose making was interrupted passes.
    """
    catalog = place.catalog_path
    if place.shared is not None:
        return  # the file of its identity tells
    if place.shell_path.exists() and catalog.is_file() and catalog.stat().st_size == 0:
        raise damaged(place, f"{catalog.name} is empty")
    if not catalog.exists() and any(place.files.rglob("*.parquet")):
        raise damaged(place, f"{catalog.name} is gone, and files with its rows are there")


def _quietly(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with suppress(duckdb.Error):
        connection.execute(sql)
