"""A history carried from the data folder to where machines share it, or back: compared before it counts as done."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import duckdb

from digest_pipeline.errors import StoreError, StoreUnavailable, UsageError
from digest_pipeline.store import left
from digest_pipeline.store.acting import steadily, under_lock
from digest_pipeline.store.connection import attach, load_statements, prepare, told, translate
from digest_pipeline.store.content import RECORD, content, order_of, portions, tables_of
from digest_pipeline.store.history import History, has_history
from digest_pipeline.store.lock import writers_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from digest_pipeline.store.acting import Say
    from digest_pipeline.store.content import Content
    from digest_pipeline.store.lock import Held
    from digest_pipeline.store.place import Place


T = TypeVar("T")

_SOURCE = "source"
_TARGET = "target"
_MEMORY = "320MB"


def move(
    source: Place,
    target: Place,
    timezone: ZoneInfo,
    *,
    said: Say = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Content]:
    """Copy the history in `source` to `target`, where there is none; what each table holds there now.

    No writer comes between: `source` is held meanwhile. Its rows stay as they are, and from then on no writer is let in
    there: see `store.left`. The rows arrive in one transaction, which ends after both sides were compared. Whatever it
    was stopped at, it is begun again; what is there already and holds the same is not copied again. Raises UsageError
    where another history is there, StoreError.
    """
    if not has_history(source):
        raise StoreError(f"there is no history in {source} to move; digest run makes one")
    History(source, timezone, even_if_left=True).close()  # an older one is brought up to date first
    outcome = _Outcome()
    with _marks_taken_back(source, target, outcome):
        if not has_history(target) and target.shared is None:
            left.mark(target, source)  # before there is anything to write to
        History(target, timezone, even_if_left=True).close()
        return steadily(lambda: _move(source, target, timezone, said, outcome), sleep=sleep)


@dataclass(slots=True)
class _Outcome:
    """Whether the rows may be in the target: the end was asked for, and what became of it is known or not."""

    may_have_come: bool = False


@contextmanager
def _marks_taken_back(source: Place, target: Place, outcome: _Outcome) -> Iterator[None]:
    """Where it fails the marks are as before, so that the source can be written.

    Not where the rows may have come: both stay marked then, and the next move tells by what is there. The target is
    marked as the source's until all has come: no run fills what a move was killed over.
    """
    unmarked = [place for place in (source, target) if left.carried_to(place) is None]
    try:
        yield
    except BaseException:
        for place in unmarked if not outcome.may_have_come else ():
            with suppress(StoreError, OSError):  # what went wrong first is what is told
                left.unmark(place)
        raise


def _is_taken(source: Place, target: Place) -> UsageError:
    """The error for a target that holds a history with other rows: by the marks, whose they are."""
    where = str(target.folder) if target.shared is None else f"the database and data_url of {target}"
    if left.carried_to(target) is not None:
        return UsageError(
            f"what lies in {target} was left there by an earlier move, and is older than what {source} holds; remove "
            f"{where}, and run again"
        )
    if left.carried_to(source) is not None:
        return UsageError(
            f"the history was carried from {source} to {target} before, and was written there since: nothing is left "
            "to carry, and the settings are to name where it is now"
        )
    return UsageError(
        f"there is another history in {target} already, and it is left as it is; move it away, or name another "
        "data_dir, or another database and data_url"
    )


def _move(
    source: Place, target: Place, timezone: ZoneInfo, said: Say, outcome: _Outcome
) -> dict[str, Content]:
    with _both(source, target, timezone) as connection:

        def arrive(wanted: dict[str, Content], is_source_held: Held, is_target_held: Held) -> None:
            found = content(connection, _TARGET)
            outcome.may_have_come = found == wanted
            if found != wanted:
                if any(table.rows for table in found.values()):
                    raise _is_taken(source, target)
                left.mark(target, source)
                connection.execute("BEGIN")
                try:
                    _copy(connection, said)
                    _compare(wanted, content(connection, _TARGET), source, target)
                    is_source_held()
                    is_target_held()
                    # Before the end, so that there is no moment at which both may be written.
                    left.mark(source, target)
                    outcome.may_have_come = True
                    connection.execute("COMMIT")
                except BaseException as error:
                    if isinstance(error, duckdb.Error):
                        # Of COMMIT: an answer that never came may have been yes.
                        outcome.may_have_come &= isinstance(translate(error, target), StoreUnavailable)
                    with suppress(duckdb.Error):
                        connection.execute("ROLLBACK")
                    raise
            left.mark(source, target)
            left.unmark(target)

        def leave(is_source_held: Held) -> dict[str, Content]:
            wanted = content(connection, _SOURCE)
            held_by(target, lambda is_target_held: arrive(wanted, is_source_held, is_target_held))
            return wanted

        def held_by(place: Place, act: Callable[[Held], T]) -> T:
            lock = writers_lock(place, even_if_left=True)
            return under_lock(place, lock, act, connection=lambda: connection)

        return held_by(source, leave)


@contextmanager
def _both(source: Place, target: Place, timezone: ZoneInfo) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which both are attached, each under a name of its own."""
    shared, other = (source, target) if source.shared is not None else (target, source)
    with prepare(shared, timezone=timezone, memory=_MEMORY, threads=1) as connection:
        with told(other):
            for line in load_statements(other):
                connection.execute(line)
        attach(connection, source, read_only=True, name=_SOURCE)
        attach(connection, target, read_only=False, name=_TARGET)
        yield connection


def _copy(connection: duckdb.DuckDBPyConnection, said: Say) -> None:
    tables = {table: columns for table, columns in tables_of(connection, _TARGET).items() if table != RECORD}
    steps = [
        (table, portion)
        for table, columns in tables.items()
        for portion in portions(connection, f"{_SOURCE}.{table}", table, columns, {})
    ]
    for number, (table, (where, span)) in enumerate(steps):
        said(table, number, len(steps))
        columns = ", ".join(tables[table])
        connection.execute(
            f"INSERT INTO {_TARGET}.{table} ({columns}) SELECT {columns} FROM {_SOURCE}.{table} {where} "  # noqa: S608 - our own names
            f"ORDER BY {order_of(table, tables[table])}",
            span,
        )
    said("done", len(steps), len(steps))


def _compare(
    wanted: Mapping[str, Content], found: Mapping[str, Content], source: Place, target: Place
) -> None:
    differing = sorted(table for table in {*wanted, *found} if wanted.get(table) != found.get(table))
    if differing:
        raise StoreError(
            f"what arrived in {target} is not what {source} holds ({', '.join(differing)}); nothing was kept of it, "
            "and the source is as it was: run again, and tell of it where it comes again"
        )
