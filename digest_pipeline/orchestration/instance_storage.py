"""Where Dagster keeps runs, events and ticks: SQLite in the home folder, PostgreSQL where its URL is set.

`dagster.yaml` names `InstanceStorage`. The SQLite side is Dagster's own, but keeps its connections, and writes
a batch of events in one transaction a file: 229 days × 4 empty assets in one run took 16.9 s on the stock event
log, nearly all of it opening files, and 1.0 s on this one; a run of one day opened the file of the runs 69 times.
It rests on private names of Dagster 1.13, hence the pin in pyproject.toml; its tests compare it to stock event by
event.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster import AssetKey, Field, StringSource
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageMetadata,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sql import get_alembic_config
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool

from digest_pipeline.errors import ConfigurationError, StoreError
from digest_pipeline.orchestration.pace import quicken_backfills
from digest_pipeline.orchestration.patience import Patience

POSTGRES_URL_VARIABLE = "DIGEST_INSTANCE_POSTGRES_URL"
HOME_VARIABLE = "DAGSTER_HOME"

_MIRRORED_EVENTS = frozenset({*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS})
_RETURNING_SINCE = (3, 35)
_APART_SECONDS = 0.0015  # after cutting to whole milliseconds, as the pages do, still different ones


# --- which storage ---------------------------------------------------------------------------------------


class InstanceStorage(DagsterStorage, ConfigurableClass):
    """The switch that `storage: custom:` names; never instantiated itself."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """`base_dir` is the folder of the SQLite files; left out, it is `$DAGSTER_HOME/storage`."""
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(  # type: ignore[override] # it answers with the storage that it chose
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """PostgreSQL where `DIGEST_INSTANCE_POSTGRES_URL` is set, else SQLite in `base_dir`.

        `inst_data` travels to other processes on their command lines; the URL, a secret, never enters it:
        every process reads its own environment.
        """
        quicken_backfills()  # every daemon opens its storage before its loops begin
        url = postgres_url(os.environ)
        if url is not None:
            return _postgres_storage(url, inst_data)
        base_dir = config_value.get("base_dir") or str(default_base_dir(os.environ))
        return BatchingSqliteStorage.from_local(base_dir, inst_data=inst_data)


def postgres_url(environ: Mapping[str, str]) -> str | None:
    """The URL with its driver named, None where the variable is unset or empty.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, which Dagster does not install.
    Raises ConfigurationError, without the URL, for anything that is not one of PostgreSQL.
    """
    url = environ.get(POSTGRES_URL_VARIABLE, "").strip()
    if not url:
        return None
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg2"}:
        raise ConfigurationError(
            f"{POSTGRES_URL_VARIABLE} must begin with postgresql://, as in "
            "postgresql://user:password@host:5432/database; unset it to use SQLite"
        )
    url = f"postgresql+psycopg2://{rest}"
    try:
        sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError(
            f"{POSTGRES_URL_VARIABLE} is not of the form postgresql://user:password@host:5432/database; "
            "write @ : / in the password as %40 %3A %2F"
        ) from None
    return url


def default_base_dir(environ: Mapping[str, str]) -> Path:
    """`$DAGSTER_HOME/storage`.

    Without a home, `dagster dev` makes one that it deletes at its end; the history then goes where `digest`
    keeps it in a fresh clone.
    """
    home = environ.get(HOME_VARIABLE)
    return (Path(home).expanduser() if home else Path.cwd() / "data" / "dagster") / "storage"


def _postgres_storage(url: str, inst_data: ConfigurableClassData | None) -> DagsterStorage:
    # Importing it takes 0.8 s, which only those who use it should wait.
    from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage  # noqa: PLC0415
    from dagster_postgres.utils import DagsterPostgresException  # noqa: PLC0415

    named = sa.make_url(url)
    where = f"PostgreSQL at {named.host or 'localhost'}:{named.port or 5432}, database {named.database},"
    try:
        storage = DagsterPostgresStorage(url, inst_data=inst_data)
    except DagsterPostgresException:
        raise StoreError(
            f"{where} did not let us in (the warnings above say why): start it, or mend {POSTGRES_URL_VARIABLE}"
        ) from None
    events = storage.event_log_storage
    if isinstance(events, PostgresEventLogStorage):
        # Stock logs in anew for every event: 30 s for 229 days × 4 assets, 3 s with a connection that stays.
        # The ping makes up for one that the server has closed meanwhile.
        events._engine = sa.create_engine(  # noqa: SLF001
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=2,  # Dagster asks for a second one while it holds the first
            max_overflow=20,
            pool_recycle=3600,
            pool_pre_ping=True,
        )
    patience = Patience(where, POSTGRES_URL_VARIABLE)
    parts: list[Any] = [storage.run_storage, events, storage.schedule_storage]
    for part in parts:
        patience.watch(part._engine)  # noqa: SLF001
    return storage


class BatchingSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the runs and the event log below; schedules stay stock."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._run_storage = WarmSqliteRunStorage(self._run_storage._conn_string)  # noqa: SLF001
        self._event_log_storage = BatchingSqliteEventLogStorage(self._event_log_storage._base_dir)  # noqa: SLF001


# --- engines ---------------------------------------------------------------------------------------------


class _FileIdentity(NamedTuple):
    device: int
    inode: int


class _Shard(NamedTuple):
    engine: sa.Engine
    file: _FileIdentity | None
    used_at: float


class ShardEngines:
    """An engine with one open connection for each SQLite file, kept while it is in use.

    Keeping both saves opening the file and compiling the SQL for every event, and closing the last connection
    of a file, at which SQLite writes its log back and deletes it. The caller holds a lock around every call.
    A second connection to a file is open while it is used; what is in use while its engine is closed, is closed
    when Python collects it.
    """

    def __init__(
        self, *, keep: int = 8, idle_seconds: float = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep = keep
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._shards: OrderedDict[str, _Shard] = OrderedDict()

    def __len__(self) -> int:
        return len(self._shards)

    def get(self, path: str) -> sa.Engine | None:
        """The engine kept for `path`; None where there is none, or where the file has since been replaced."""
        now = self._clock()
        for other, shard in list(self._shards.items()):
            if other != path and now - shard.used_at > self._idle_seconds:
                self.close(other)
        kept = self._shards.get(path)
        if kept is None:
            return None
        if kept.file != _identity(path):
            self.close(path)
            return None
        self._shards[path] = kept._replace(used_at=now)
        self._shards.move_to_end(path)
        return kept.engine

    def open(self, path: str, url: str, *, syncs: bool = False) -> sa.Engine:
        """A new engine for a file that exists; the one unused for longest goes where there are too many.

        With `syncs` every commit reaches the disk, as on stock.
        """
        engine = sa.create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=-1,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if not syncs:
            sa.event.listen(engine, "connect", _relax_synchronous)
        while len(self._shards) >= self._keep:
            self.close(next(iter(self._shards)))
        self._shards[path] = _Shard(engine, _identity(path), self._clock())
        return engine

    def close(self, path: str | None = None) -> None:
        """Close the engine of `path`, or all of them; what is asked for again is opened again."""
        for key in list(self._shards) if path is None else [path]:
            shard = self._shards.pop(key, None)
            if shard is not None:
                shard.engine.dispose()

    def abandon(self) -> None:
        """Forget the engines unclosed: in a forked child their connections belong to the parent."""
        _of_the_parent.extend(shard.engine for shard in self._shards.values())
        self._shards = OrderedDict()


_of_the_parent: list[sa.Engine] = []


def _identity(path: str) -> _FileIdentity | None:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return _FileIdentity(status.st_dev, status.st_ino)


def _relax_synchronous(connection: sqlite3.Connection, _record: object) -> None:
    # In WAL mode NORMAL syncs when the log is written back instead of at every commit. A killed process loses
    # nothing by it; a power cut may lose the last events, never the file, and run monitoring ends that run.
    # Where a file system cannot do WAL the file has a rollback journal, for which only FULL is safe.
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous = NORMAL")


# --- runs ------------------------------------------------------------------------------------------------


class WarmSqliteRunStorage(SqliteRunStorage):
    """Dagster's runs in their SQLite file, over a connection that is kept, and that waits as long as an event's."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._path = sa.make_url(conn_string).database or ""
        self._engines = ShardEngines()
        self._engines_lock = threading.Lock()
        _live.add(self)
        weakref.finalize(self, self._engines.close)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WarmSqliteRunStorage:
        """The storage in `base_dir`."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A transaction; each thread that is in one at the same time has a connection of its own."""
        with self._engines_lock:
            engine = self._engines.get(self._path)
            if engine is None:
                engine = self._engines.open(self._path, self._conn_string, syncs=True)
        with engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file; the storage opens it again where it is used again."""
        super().dispose()
        with self._engines_lock:
            self._engines.close()

    def rest_before_fork(self) -> None:
        """Close what is not in use: SQLite's locks belong to a process, and a child would think it held them."""
        _close_idle(self._engines, self._engines_lock)

    def start_over_after_fork(self) -> None:
        """In a forked child: leave the parent's connections, and its lock, which nobody would release."""
        self._engines.abandon()
        self._engines_lock = threading.Lock()


# --- events ----------------------------------------------------------------------------------------------


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's event log in SQLite files, one for each run and an index over all: the same rows, sooner.

    An event or a batch is one transaction in the run's file and one in the index.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines = ShardEngines()
        self._joined = threading.local()
        self._ready: dict[str, _FileIdentity | None] = {}
        self._known_tables: set[str] = set()
        self._knows_index_columns = False
        self._materialized_at: dict[AssetKey | None, float] = {}
        super().__init__(base_dir, inst_data)
        _live.add(self)
        weakref.finalize(self, self._engines.close)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchingSqliteEventLogStorage:
        """The storage in `base_dir`."""
        return cls(config_value["base_dir"], inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event as stock does."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of any type, in their order, as stock does one by one."""
        if sqlite3.sqlite_version_info < _RETURNING_SINCE:
            for event in events:
                super().store_event(event)
            return
        for run_id, group in itertools.groupby(events, key=lambda event: event.run_id):
            self._store(run_id, [self._apart(event) for event in group])

    def _apart(self, event: EventLogEntry) -> EventLogEntry:
        """A materialization at least a millisecond after the asset's last one.

        Dagster's pages show those of one asset and one millisecond as a single event, and a batch has many.
        """
        if _type_of(event) is not DagsterEventType.ASSET_MATERIALIZATION:
            return event
        key = event.get_dagster_event().asset_key
        with self._db_lock:
            at = max(event.timestamp, self._materialized_at.get(key, 0) + _APART_SECONDS)
            self._materialized_at[key] = at
        return event if at == event.timestamp else event._replace(timestamp=at)

    def _store(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        mirrored = [i for i, event in enumerate(events) if _type_of(event) in _MIRRORED_EVENTS]
        # The index commits first: who sees an event in its run finds the asset's record too.
        with self._transactions(run_id, *([INDEX_SHARD_NAME] if mirrored else [])) as connections:
            connections[0].execute(_INSERT, rows)
            if mirrored:
                ids = connections[1].execute(_INSERT_RETURNING, [rows[i] for i in mirrored]).scalars().all()
                self._index_assets(connections[1], [events[i] for i in mirrored], ids)
                self._index_checks(
                    connections[1],
                    [_Stored(events[i], rows[i], id_) for i, id_ in zip(mirrored, ids, strict=True)],
                )
        # Live logs wait for the run's file to change, but a commit changes the log beside it until that is
        # written back. Failing here would make Dagster store again what is stored.
        with suppress(OSError):
            os.utime(self.path_for_shard(run_id))

    def _index_assets(
        self, connection: sa.Connection, events: Sequence[EventLogEntry], ids: Sequence[int]
    ) -> None:
        of_assets = [
            (event, id_) for event, id_ in zip(events, ids, strict=True) if _type_of(event) in ASSET_EVENTS
        ]
        if of_assets:
            self._store_asset_event_tags(connection, *zip(*of_assets, strict=True))
            self._store_asset_rows(connection, of_assets)

    def _index_checks(self, connection: sa.Connection, stored: Sequence[_Stored]) -> None:
        of_checks = [one for one in stored if _type_of(one.event) in ASSET_CHECK_EVENTS]
        for is_of_a_partition, group in itertools.groupby(
            of_checks, key=lambda one: _evaluates_a_partition(one.event)
        ):
            checks = list(group)
            # By the table's unique index an event has one row at most: as many as there are events, or one is missing.
            if is_of_a_partition:
                told = connection.execute(_EVALUATED, [_evaluated(one) for one in checks])
                if told.rowcount == len(checks):
                    continue
            for event, _, id_ in checks:
                self.store_asset_check_event(event, id_)

    def _store_asset_rows(
        self, connection: sa.Connection, events: Sequence[tuple[EventLogEntry, int]]
    ) -> None:
        # Which columns an event sets depends on its type alone: an asset's last event of each type decides.
        last: dict[str, dict[object, tuple[EventLogEntry, int]]] = {}
        for event, id_ in events:
            key = event.get_dagster_event().asset_key
            if key is not None:
                by_type = last.setdefault(key.to_string(), {})
                by_type.pop(_type_of(event), None)
                by_type[_type_of(event)] = (event, id_)
        has_columns = self._has_asset_key_index_cols_on_connection(connection)
        for asset_key, by_type in last.items():
            values: dict[str, Any] = {}
            for event, id_ in by_type.values():
                values.update(self._get_asset_entry_values(event, id_, has_columns))
            if values:
                connection.execute(
                    sqlite.insert(AssetKeyTable)
                    .values(asset_key=asset_key, **values)
                    .on_conflict_do_update(index_elements=[AssetKeyTable.c.asset_key], set_=values)
                )

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        # Stock writes the same serialized event for each partition, and compiles one statement for all of them.
        planned = event.get_dagster_event().event_specific_data
        if not isinstance(planned, AssetCheckEvaluationPlanned):
            super()._store_asset_check_evaluation_planned(event, event_id)
            return
        subset = planned.partitions_subset
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        rows = [{**row, "partition": key} for key in (subset.get_partition_keys() if subset else [None])]
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), rows)

    # Connections

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        joined = getattr(self._joined, "connections", {}).get(shard)
        if joined is not None:
            yield joined
            return
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    @contextmanager
    def _transactions(self, *shards: str) -> Iterator[list[sa.Connection]]:
        """A transaction in each shard; stock code called within takes part instead of opening its own."""
        with self._db_lock, ExitStack() as stack:
            connections = [stack.enter_context(self._engine(shard).begin()) for shard in shards]
            self._joined.connections = dict(zip(shards, connections, strict=True))
            try:
                yield connections
            finally:
                del self._joined.connections

    def _engine(self, shard: str) -> sa.Engine:
        path, url = self.path_for_shard(shard), self.conn_string_for_shard(shard)
        engine = self._engines.get(path)
        if engine is None:
            identity = _identity(path)
            if identity is None or self._ready.get(path) != identity:
                self._initdb(
                    sa.create_engine(
                        url, poolclass=sa.NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
                    )
                )
                self._ready[path] = _identity(path)
            engine = self._engines.open(path, url)
        return engine

    def _initdb(self, engine: sa.Engine, for_index_shard: bool = False) -> None:
        # Stock has alembic read its fifty revisions twice for every run's file, to learn which one is the newest.
        if not for_index_shard:
            with suppress(sa.exc.DatabaseError), engine.connect() as connection:
                context = MigrationContext.configure(connection)
                if context.get_current_revision() is not None:
                    return
                connection.rollback()
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                # By itself each table and index would be a transaction, twenty of them for a file.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                if context.get_current_revision() is None:
                    SqlEventLogStorageMetadata.create_all(connection)
                    context.stamp(_revisions(), "head")
                connection.commit()
                return
        # Stock bears with another process that makes the same file.
        super()._initdb(engine, for_index_shard)

    def wipe(self) -> None:
        """Delete every run's events; open connections would keep the deleted files alive."""
        with self._db_lock:
            self._engines.close()
        super().wipe()

    def dispose(self) -> None:
        """Close the files; the storage opens them again where it is used again."""
        super().dispose()
        with self._db_lock:
            self._engines.close()

    def rest_before_fork(self) -> None:
        """Close what is not in use, as the runs do."""
        _close_idle(self._engines, self._db_lock)

    def start_over_after_fork(self) -> None:
        """In a forked child: leave the parent's connections, and its lock, which nobody would release."""
        self._engines.abandon()
        self._db_lock = threading.Lock()
        self._joined = threading.local()

    # What stock asks the database about itself for every event

    def has_table(self, table_name: str) -> bool:
        """Whether the index has that table; one that was there once stays."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def _has_asset_key_index_cols_on_connection(self, conn: sa.Connection) -> bool:
        if not self._knows_index_columns:
            self._knows_index_columns = super()._has_asset_key_index_cols_on_connection(conn)
        return self._knows_index_columns


_INSERT = SqlEventLogStorageTable.insert()
_INSERT_RETURNING = _INSERT.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
_CHECKS = AssetCheckExecutionsTable.c
_EVALUATED = (
    AssetCheckExecutionsTable.update()
    .where(
        _CHECKS.asset_key == sa.bindparam("of_asset"),
        _CHECKS.check_name == sa.bindparam("of_check"),
        _CHECKS.run_id == sa.bindparam("of_run"),
        _CHECKS.partition == sa.bindparam("of_partition"),
    )
    .values(
        execution_status=sa.bindparam("status"),
        evaluation_event=sa.bindparam("event"),
        evaluation_event_timestamp=sa.bindparam("at"),
        evaluation_event_storage_id=sa.bindparam("id_"),
        materialization_event_storage_id=sa.bindparam("materialization"),
    )
)
"""What stock's `_update_asset_check_evaluation` executes, for many at once."""


@cache
def _revisions() -> ScriptDirectory:
    return ScriptDirectory.from_config(get_alembic_config(sqlite_event_log.__file__))


class _Stored(NamedTuple):
    """An event, its row in the log, and the id of that row in the index."""

    event: EventLogEntry
    row: Mapping[str, Any]
    id_: int


def _evaluates_a_partition(event: EventLogEntry) -> bool:
    """Whether it is the evaluation of a check of one partition in a run: as a rule there is a row that planned it."""
    said = event.get_dagster_event().event_specific_data
    return isinstance(said, AssetCheckEvaluation) and said.partition is not None and bool(event.run_id)


def _evaluated(stored: _Stored) -> dict[str, Any]:
    said = stored.event.get_dagster_event().event_specific_data
    assert isinstance(said, AssetCheckEvaluation)  # noqa: S101 - it was asked
    status = AssetCheckExecutionRecordStatus
    target = said.target_materialization_data
    return {
        "of_asset": said.asset_key.to_string(),
        "of_check": said.check_name,
        "of_run": stored.event.run_id,
        "of_partition": said.partition,
        "status": (status.SUCCEEDED if said.passed else status.FAILED).value,
        "event": stored.row["event"],
        "at": stored.row["timestamp"],
        "id_": stored.id_,
        "materialization": target.storage_id if target else None,
    }


def _type_of(event: EventLogEntry) -> object:
    return event.dagster_event_type if event.is_dagster_event else None


_live: weakref.WeakSet[BatchingSqliteEventLogStorage | WarmSqliteRunStorage] = weakref.WeakSet()


def _close_idle(engines: ShardEngines, lock: threading.Lock) -> None:
    # What another thread is at while this one forks is as open as it would be on stock.
    if lock.acquire(blocking=False):
        try:
            engines.close()
        finally:
            lock.release()


def _rest_before_fork() -> None:
    for storage in list(_live):
        storage.rest_before_fork()


def _start_over_after_fork() -> None:
    for storage in list(_live):
        storage.start_over_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest_before_fork, after_in_child=_start_over_after_fork)
