"""Connecting to the history: extensions, ATTACH, and what DuckDB's complaints mean."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from digest_pipeline.errors import StoreBusy, StoreDamaged, StoreError
from digest_pipeline.store import shared
from digest_pipeline.store.complaints import FULL, complaint, lost, shortened
from digest_pipeline.store.files import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from digest_pipeline.store.place import Place

NAME = "history"

_EMBEDDED_EXTENSIONS = ("ducklake", "sqlite_scanner")

_INTERRUPT_SECONDS = 0.05
_INTERRUPTS = 200
"""Ten seconds. DuckDB hears within milliseconds; not while it waits for a server that does not answer."""

_log = logging.getLogger(__name__)

_IO = re.compile(r"(?i)disk i/o error")
_BUSY = re.compile(r"(?i)database is locked|transaction conflict|conflict|busy")
_NO_ACCESS = re.compile(r"(?i)unable to open database|readonly database|permission denied")
_DAMAGED = re.compile(
    r"(?i)not a database|malformed|no magic bytes|corrupt|footer length|failed to load ducklake|"
    r"no such file|cannot open file|too small to be a parquet|thrift|ducklake_metadata|snappy|zstd|invalid parquet"
)
_MAY_BE_DAMAGE = (
    duckdb.IOException,
    duckdb.InvalidInputException,
    duckdb.FatalException,
    duckdb.CatalogException,
)


def connect(
    place: Place, *, read_only: bool, timezone: ZoneInfo | None = None, memory: str = "1GB"
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in which the history is attached and in use. Raises StoreError."""
    connection = prepare(place, timezone=timezone, memory=memory)
    with shut_on_failure(connection):
        attach(connection, place, read_only=read_only)
    return connection


def prepare(
    place: Place,
    *,
    timezone: ZoneInfo | None = None,
    memory: str = "1GB",
    keeps: str | None = None,
    threads: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that can attach the history in `place`. Raises StoreError.

    What is freed at once and is more than `keeps` goes back to the system; by itself DuckDB does so from 512 MB on.
    """
    with told(place):
        lines = load_statements(place)
        # What lies in the environment beside this code is as trusted as the code. To hash it all, 70 MB, took 260 ms of
        # the processor for each connection. What is loaded later is checked.
        is_ours = not any(line.startswith("INSTALL") for line in lines)
        connection = duckdb.connect(
            ":memory:",
            config={"threads": threads or min(4, os.cpu_count() or 2), "allow_unsigned_extensions": is_ours},
        )
        with shut_on_failure(connection):
            for line in lines:
                connection.execute(line)
            connection.execute("SET allow_unsigned_extensions = false")
            connection.execute(f"SET memory_limit = '{memory}'")
            if keeps is not None:
                connection.execute(f"SET allocator_bulk_deallocation_flush_threshold = '{keeps}'")
            connection.execute(f"SET temp_directory = {quoted(place.folder / 'tmp')}")
            connection.execute("SET preserve_insertion_order = true")
            # A process without a main file is taken for a notebook: what takes long would draw bars into its output.
            connection.execute("SET enable_progress_bar = false")
            if timezone is not None:
                connection.execute("SET TimeZone = $zone", {"zone": timezone.key})
            if place.shared is not None:
                shared.make_secrets(connection, place.shared)
    return connection


def attach(connection: duckdb.DuckDBPyConnection, place: Place, *, read_only: bool, name: str = NAME) -> None:
    """Attach the history, made where there is none, and use it. Raises StoreError."""
    with told(place):
        connection.execute(attach_statement(place, read_only=read_only, name=name))
        connection.execute(f"USE {name}")
        if not read_only:
            # Upkeep bounds the bytes in a group of rows, which DuckDB does only where it may order them. With one
            # thread, which is what writers have, it keeps the order all the same.
            connection.execute("SET preserve_insertion_order = false")


def attach_again(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Attach it anew: a connection keeps the shapes of the tables that it met. Raises StoreError."""
    with told(place):
        connection.execute("USE memory")
        connection.execute(f"DETACH {NAME}")
    attach(connection, place, read_only=False)


class Readers:
    """Connections beside one in which the history is attached: as many as threads that read at once.

    Made anew with the one that they stand beside.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, place: Place, timezone: ZoneInfo) -> None:
        self._beside = connection
        self._place = place
        self._timezone = timezone
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._lent: dict[int, duckdb.DuckDBPyConnection] = {}
        self._changed = threading.Condition()
        self.is_closed = False

    def take(self) -> duckdb.DuckDBPyConnection | None:
        """One that nobody reads over just now; None where these are closed. Raises StoreError."""
        with self._changed:
            if self.is_closed:
                return None
            is_new = not self._idle
            with told(self._place):
                connection = self._beside.cursor() if is_new else self._idle.pop()
            self._lent[id(connection)] = connection
        if is_new:
            # It may ask a server that does not answer: who closes these can interrupt it.
            try:
                with told(self._place):
                    connection.execute(f"USE {NAME}")
                    connection.execute("SET TimeZone = $zone", {"zone": self._timezone.key})
            except BaseException:
                self._no_more(connection)
                raise
        return connection

    def give_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """It may be taken by the next one."""
        with self._changed:
            if self.is_closed:
                self._no_more(connection)
            else:
                del self._lent[id(connection)]
                self._idle.append(connection)

    def _no_more(self, connection: duckdb.DuckDBPyConnection) -> None:
        with self._changed:
            # Both at once: what is lent may be interrupted, and DuckDB complains of that over one that is closed.
            del self._lent[id(connection)]
            shut(connection)
            self._changed.notify_all()

    def close(self) -> None:
        """Close them all. Who reads over one is interrupted, and waited for: DuckDB closes nothing under a query."""
        with self._changed:
            self.is_closed = True
            while self._idle:
                shut(self._idle.pop())
            for _ in range(_INTERRUPTS):
                for connection in self._lent.values():
                    connection.interrupt()
                # One that begins after an interrupt does not hear of it.
                if self._changed.wait_for(lambda: not self._lent, _INTERRUPT_SECONDS):
                    return
        _log.warning("%s: a question that does not end is left behind", self._place)


def hold_open(connection: duckdb.DuckDBPyConnection, place: Place) -> duckdb.DuckDBPyConnection | None:
    """What keeps the file of an embedded catalog open until it is let go; None of a shared one.

    DuckDB opens the file anew for each transaction. SQLite has whoever closes it last move its write-ahead log into it,
    and lets nobody in meanwhile: who came at that moment, another thread for one, slept for a second, and the SQLite in
    DuckDB knows no shorter sleep. Of 24 runs over one day that took 3 s, two slept.

    A checkpoint opens the file and leaves no mark in the log. A read would leave one, and the log could be moved no
    further than to there.
    """
    if place.shared is not None:
        return None
    holding = connection.cursor()
    try:
        with told(place):
            holding.execute("BEGIN")
            holding.execute(f"CALL checkpoint('__ducklake_metadata_{NAME}')")
    except StoreError as error:
        # It saves time, and no more: what is wrong with the file is told by who needs something of it.
        _log.debug("%s is not held open: %s", place, error)
        let_go(holding)
        return None
    except BaseException:
        let_go(holding)
        raise
    return holding


def let_go(holding: duckdb.DuckDBPyConnection) -> None:
    """End what `hold_open` began."""
    # A statement may say that SQLite has ended the transaction by itself, as it does on a full disk. Closing may not.
    with suppress(duckdb.Error):
        holding.execute("ROLLBACK")
    shut(holding)


def shut(connection: duckdb.DuckDBPyConnection) -> None:
    """Close a connection, whatever DuckDB says to that."""
    with suppress(duckdb.Error):
        connection.close()


@contextmanager
def shut_on_failure(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A connection that is good for nothing where the block fails is closed."""
    try:
        yield
    except BaseException:
        shut(connection)
        raise


@contextmanager
def told(place: Place) -> Iterator[None]:
    """What DuckDB complains of in the block is told as one of ours, without what nobody may see."""
    try:
        with interruptible():
            yield
    except duckdb.Error as error:
        raise translate(error, place) from cause(error, place)


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection | None = None) -> Iterator[None]:
    """Ctrl-C while DuckDB works is Ctrl-C: DuckDB ends the query, and raises an error of its own instead.

    It tells the thread that waits, not those that work: the next statement on `connection` would wait for them.
    """
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if isinstance(error, duckdb.InterruptException) or "Query interrupted" in str(error):
            if connection is not None:
                connection.interrupt()
            raise KeyboardInterrupt from error
        raise


def load_statements(place: Place) -> list[str]:
    """LOAD for each extension: by path from its Python package, else installed by name from DuckDB's site."""
    statements = []
    for name in _extensions(place):
        path = _packaged_extension(name)
        statements += [f"LOAD {quoted(path)}"] if path else [f"INSTALL {name}", f"LOAD {name}"]
    return statements


def attach_statement(place: Place, *, read_only: bool, for_a_script: bool = False, name: str = NAME) -> str:
    """The ATTACH of the history in `place`; paths are those of today, wherever the folder was made."""
    if place.shared is not None:
        return shared.attach_statement(place, name, read_only=read_only, for_a_script=for_a_script)
    options = [
        f"DATA_PATH {quoted(place.files)}",
        "OVERRIDE_DATA_PATH true",
        "META_JOURNAL_MODE 'WAL'",
        "META_BUSY_TIMEOUT 30000",
    ]
    if read_only:
        options.append("READ_ONLY")
    catalog = str(place.catalog_path).replace("'", "''")
    return f"ATTACH 'ducklake:sqlite:{catalog}' AS {name} ({', '.join(options)})"


def shell_script(place: Place, timezone: str) -> str:
    """What `history.sql` says: with it any DuckDB shell of the same version opens the history. It holds no secret."""
    by_name = " ".join(f"INSTALL {name}; LOAD {name};" for name in _extensions(place)).replace("_scanner", "")
    lines = [
        "-- Opens the history read-only: duckdb -init history.sql",
        f"-- Needs DuckDB {duckdb.__version__}. Where a LOAD finds no file, use instead:",
        f"--   {by_name}",
        *(f"{line};" for line in load_statements(place)),
        f"SET TimeZone = '{timezone}';",
        *([] if place.shared is None else shared.script_lines(place.shared)),
        f"{attach_statement(place, read_only=True, for_a_script=True)};",
        f"USE {NAME};",
    ]
    return "\n".join(lines) + "\n"


def translate(error: duckdb.Error, place: Place) -> StoreError:
    """DuckDB's complaint as one of ours, in one line."""
    if place.shared is not None:
        return complaint(str(error), place)
    text = " ".join(str(error).split())
    short = shortened(text)
    if FULL.search(text) or _IO.search(text):
        what = "is full" if FULL.search(text) else "gives an error, as it does when it is full"
        return StoreError(
            f"the disk that holds {place} {what}; free some space and run again, nothing was lost ({short})"
        )
    if _BUSY.search(text):
        return StoreBusy(
            f"the history in {place} is held by another process; run again in a moment ({short})"
        )
    if _NO_ACCESS.search(text):
        return StoreError(
            f"the history in {place.folder} cannot be opened; check the rights of that folder and its files, "
            f"which must be writable even for reading ({short})"
        )
    if (
        # SQLite's complaints about the catalog arrive without a class of their own.
        type(error) is duckdb.Error or isinstance(error, _MAY_BE_DAMAGE)
    ) and _DAMAGED.search(text):
        return damaged(place, short)
    return StoreError(f"the history in {place} cannot be used: {short}")


def cause(error: BaseException, place: Place) -> BaseException | None:
    """What an error is raised from: DuckDB's own words stay out where they may hold an address."""
    return error if place.shared is None else None


def damaged(place: Place, reason: str) -> StoreError:
    """The error for a store that is not what it should be, with the ways on."""
    if place.shared is not None:
        return lost(place, reason)
    return StoreDamaged(
        f"the history in {place.folder} is damaged or not one of ours; restore that folder from a backup, "
        f"or move it away and run again to collect anew ({reason})"
    )


def _extensions(place: Place) -> tuple[str, ...]:
    return _EMBEDDED_EXTENSIONS if place.shared is None else shared.extensions(place.shared)


def _packaged_extension(name: str) -> Path | None:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(location) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    return None
