"""A history carried from the data folder to where machines share it, or back: compared before it counts as done."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
    leaves: bool = True,
    said: Say = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Content]:
    """Copy the history in `source` to `target`, where there is none; what each table holds there now.

    No writer comes between: `source` is held meanwhile. Its rows stay as they are, and from then on no writer is let in
    there: see `store.left`; but for a source of which nothing stays (`leaves`). The rows arrive in one transaction,
    which ends after both sides were compared. Whatever it was stopped at, it is begun again; what is there already and
    holds the same is not copied again. Raises UsageError where another history is there, StoreError.
    """
    if not has_history(source):
        raise StoreError(f"there is no history in {source} to move; digest run makes one")
    History(source, timezone, even_if_left=True).close()  # an older one is brought up to date first
    marks = _Marks(source, target, leaves=leaves)
    try:
        if not has_history(target) and target.shared is None:
            marks.make(target, source)  # before there is anything to write to
        History(target, timezone, even_if_left=True).close()
        return steadily(lambda: _move(marks, timezone, said), sleep=sleep)
    except BaseException:
        marks.take_back()
        raise


@dataclass(slots=True)
class _Marks:
    """The marks that a move makes, and takes back where it fails, so that the source can be written.

    The target is marked as the source's until all has come: no run fills what a move was killed over. Where the rows
    may have come both stay marked, and the next move tells by what is there.
    """

    source: Place
    target: Place
    leaves: bool
    may_have_come: bool = False
    _made: list[Place] = field(default_factory=list)

    def make(self, place: Place, other: Place) -> None:
        """Mark `place` as carried to `other`; under its lock, for a mark that another move made is not ours."""
        if self.leaves:
            if left.carried_to(place) is None:
                self._made.append(place)
            left.mark(place, other)

    def take_back(self) -> None:
        """Take those away that this move made, while it has the locks; never an error, which would hide the first."""
        if self.may_have_come:
            return
        with suppress(StoreError, OSError):
            # The source first: while it sends its writers to the target, the target keeps them out.
            for place in sorted(self._made, key=lambda one: one != self.source):
                left.unmark(place)
                self._made.remove(place)

    def settle(self) -> None:
        """All has come: the source is marked, and the target is not."""
        self.may_have_come = True
        self.make(self.source, self.target)
        left.unmark(self.target)  # also of a move before that was cut short


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


def _must_not_be_left_for_another(source: Place, target: Place) -> None:
    """Raise UsageError where the source was carried to a third place: it would go on in two."""
    carried = left.carried_to(source)
    if carried not in {None, left.name_of(target)}:
        mark = source.folder / left.MARK_FILE if source.shared is None else "the comment on ducklake_metadata"
        raise UsageError(
            f"the history in {source} was carried to {carried} by digest store move: carry it on from there, or, where "
            f"that one is lost, take {mark} away, and run again"
        )


def _move(marks: _Marks, timezone: ZoneInfo, said: Say) -> dict[str, Content]:
    source, target = marks.source, marks.target
    with _both(source, target, timezone) as connection:

        def reserve(_: Held) -> None:
            _must_not_be_left_for_another(source, target)
            if _is_empty(connection):
                marks.make(target, source)

        def arrive(wanted: dict[str, Content], is_source_held: Held, is_target_held: Held) -> None:
            found = content(connection, _TARGET)
            marks.may_have_come = found == wanted
            if found != wanted:
                if any(table.rows for table in found.values()):
                    marks.may_have_come = True  # by another move, whose marks stand
                    raise _is_taken(source, target)
                marks.make(target, source)  # again, where a try before has taken it back
                connection.execute("BEGIN")
                try:
                    _copy(connection, said)
                    _compare(wanted, content(connection, _TARGET), source, target)
                    # Before the end, so that there is no moment at which both may be written; and before it is seen
                    # that nobody was in between.
                    marks.make(source, target)
                    is_source_held()
                    is_target_held()
                    marks.may_have_come = True
                    with _told_of(_shared(source, target), marks):
                        connection.execute("COMMIT")
                except BaseException:
                    with suppress(duckdb.Error):
                        connection.execute("ROLLBACK")
                    marks.take_back()
                    raise
            marks.settle()

        def leave(is_source_held: Held) -> dict[str, Content]:
            held_by(target, reserve)
            wanted = content(connection, _SOURCE)
            held_by(target, lambda is_target_held: arrive(wanted, is_source_held, is_target_held))
            return wanted

        def held_by(place: Place, act: Callable[[Held], T]) -> T:
            def steady(held: Held) -> T:
                with _told_of(_shared(source, target)):
                    return act(held)

            lock = writers_lock(place, even_if_left=True)
            return under_lock(place, lock, steady, connection=lambda: connection)

        return held_by(source, leave)


def _shared(source: Place, target: Place) -> Place:
    """The one of the two that machines share, or any where neither is."""
    return source if source.shared is not None else target


@contextmanager
def _told_of(shared: Place, marks: _Marks | None = None) -> Iterator[None]:
    """A database or bucket that does not answer is told as that, whichever side is acted on, and so tried again.

    Of the COMMIT within it `marks` are told: one that failed has brought nothing, but where its answer was lost.
    """
    try:
        yield
    except duckdb.Error as error:
        meant = translate(error, shared)
        is_away = isinstance(meant, StoreUnavailable)
        if marks is not None and not isinstance(error, duckdb.InterruptException):
            marks.may_have_come = is_away
        if is_away:
            raise meant from None
        raise


def _is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    tables = [table for table in tables_of(connection, _TARGET) if table != RECORD]
    return not any(
        connection.execute(f"SELECT 1 FROM {_TARGET}.{table} LIMIT 1").fetchone()  # noqa: S608 - our own names
        for table in tables
    )


@contextmanager
def _both(source: Place, target: Place, timezone: ZoneInfo) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which both are attached, each under a name of its own."""
    shared = _shared(source, target)
    other = target if shared is source else source
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
