"""The upkeep of a history: few files, no more of the past than readers need, and patches no longer than wanted.

It has a connection of its own, with more memory than writers have, and takes their lock for each of its acts alone,
so that whoever writes waits for one of them and not for all. Each act is a transaction: killed anywhere, the next
upkeep goes on. Doing it twice changes nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from digest_pipeline.store.acting import steadily, under_lock
from digest_pipeline.store.connection import attach, prepare
from digest_pipeline.store.files import statement
from digest_pipeline.store.history import rows_of
from digest_pipeline.store.lock import writers_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from digest_pipeline.store.acting import Say
    from digest_pipeline.store.lock import Held
    from digest_pipeline.store.place import Place

T = TypeVar("T")

_MEMORY = "384MB"
"""Merging, with groups of rows of 16 MB, stayed below 300 MB of a process over 736 MB of patches."""

_MORE_MEMORY = "2GB"
"""For what waits in a catalog that an older version filled: it is in memory at once."""

_WRITING_MUCH = ("upkeep/merge", "upkeep/rewrite")
_DAYS_AT_ONCE = 62

_TIERS = ((1 << 20, 2), (8 << 20, 8), (64 << 20, 8))
"""Files smaller than so many bytes are merged where there are so many of them.

Merged all together, each night would write the whole history anew and keep the old one for a week. In tiers a row is
written some four times in its life, and a table has at most some twenty files beside large ones.
"""

_SMALL_TABLE = 8 << 20
_DELETED_SHARE = 0.25
"""So much of a file may be deleted before it is written anew; of small tables nothing, for that costs nothing."""


@dataclass(frozen=True, slots=True)
class Size:
    """Files that hold rows as they are now, and their bytes."""

    files: int
    bytes: int


@dataclass(slots=True)
class Kept:
    """What an upkeep found and left; `days` are those whose patches it let go, `removed` files that nobody needed."""

    before: Size
    after: Size
    patches: int = 0
    days: list[date] = field(default_factory=list)
    removed: int = 0
    expired: int = 0

    def counts(self) -> dict[str, int]:
        """All of it as numbers, for a machine."""
        return {
            "files_before": self.before.files,
            "files_after": self.after.files,
            "bytes_before": self.before.bytes,
            "bytes_after": self.after.bytes,
            "patches_let_go": self.patches,
            "days_let_go": len(self.days),
            "snapshots_expired": self.expired,
            "files_removed": self.removed,
        }


def keep(
    place: Place,
    *,
    now: datetime | None = None,
    patches_before: date | None = None,
    said: Say = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Kept:
    """Do what is due for the history in `place`, which is there and up to date. Raises StoreError.

    What is old enough to go is so at `now`. The patches of days before `patches_before` are let go; None keeps all.
    """
    upkeep = _Upkeep(place, now or datetime.now(UTC), sleep)
    try:
        return upkeep.run(patches_before, said)
    finally:
        upkeep.close()


class _Upkeep:
    def __init__(self, place: Place, now: datetime, sleep: Callable[[float], None]) -> None:
        self._place = place
        self._now = now
        self._sleep = sleep
        self._lock = writers_lock(place)
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            connection = prepare(self._place, memory=_MEMORY, threads=1)
            try:
                attach(connection, self._place, read_only=False)
            except BaseException:
                connection.close()
                raise
            self._opened = connection
        return self._opened

    def close(self) -> None:
        """Close the connection; the next thing that is asked makes another one."""
        if self._opened is not None:
            with suppress(duckdb.Error):
                self._opened.close()
        self._opened = None

    def run(self, patches_before: date | None, said: Say) -> Kept:
        before = self._size()
        kept = Kept(before, before)
        acts = list(self._acts(kept, patches_before))
        for number, (name, act) in enumerate(acts):
            said(name, number, len(acts))
            act()
        said("done", len(acts), len(acts))
        kept.after = self._size()
        return kept

    def _acts(self, kept: Kept, patches_before: date | None) -> Iterator[tuple[str, Callable[[], None]]]:
        tables = [row["name"] for row in self._rows("upkeep/tables")]
        for table in tables:
            yield f"flush {table}", partial(self._flush, table)
        if patches_before is not None:
            for days in self._days(kept, patches_before):
                yield f"let go {days[0]}", partial(self._let_go, days)
        for table in tables:
            yield f"merge {table}", partial(self._merge, table)

        def forget() -> None:
            now: dict[str, object] = {"now": self._now}
            kept.expired = len(self._act("upkeep/expire", now))
            kept.removed = len(self._act("upkeep/clean_up", now)) + len(self._act("upkeep/orphans", now))

        yield "clean up", forget

    def _flush(self, table: str) -> None:
        self._act("upkeep/flush", {"table": table})

    def _days(self, kept: Kept, before: date) -> Iterator[Sequence[date]]:
        found = self._rows("upkeep/days_with_patches", {"before": before})
        kept.patches = sum(row["patches"] for row in found)
        kept.days = [row["day"] for row in found]
        for start in range(0, len(kept.days), _DAYS_AT_ONCE):
            yield kept.days[start : start + _DAYS_AT_ONCE]

    def _let_go(self, days: Sequence[date]) -> None:
        self._act("upkeep/let_go", {"first": days[0], "last": days[-1]})

    def _merge(self, table: str) -> None:
        files = self._rows("upkeep/files", {"table": table})
        if any(file["has_deleted"] for file in files):
            is_small = sum(file["bytes"] for file in files) < _SMALL_TABLE
            self._act("upkeep/rewrite", {"table": table, "share": 0.0 if is_small else _DELETED_SHARE})
            files = self._rows("upkeep/files", {"table": table})
        for most, least in _TIERS:
            if sum(file["bytes"] < most for file in files) >= least:
                self._act("upkeep/merge", {"table": table, "bytes": most})
                files = self._rows("upkeep/files", {"table": table})

    def _size(self) -> Size:
        rows = self._rows("upkeep/tables")
        return Size(sum(row["files"] for row in rows), sum(row["bytes"] for row in rows))

    def _rows(self, name: str, parameters: dict[str, object] | None = None) -> list[dict[str, Any]]:
        return self._steadily(lambda: rows_of(self._connection, statement(name), parameters, self._place))

    def _act(self, name: str, parameters: dict[str, object] | None = None) -> list[Any]:
        """Run one statement under the writers' lock, again with more memory where that was too little; its rows."""

        def act(_: Held) -> list[Any]:
            try:
                return self._bounded(name, parameters)
            except duckdb.OutOfMemoryException:
                self._connection.execute(f"SET memory_limit = '{_MORE_MEMORY}'")
                try:
                    return self._bounded(name, parameters)
                finally:
                    self._connection.execute(f"SET memory_limit = '{_MEMORY}'")

        return self._steadily(
            lambda: under_lock(
                self._place, self._lock, act, connection=lambda: self._connection, sleep=self._sleep
            )
        )

    def _bounded(self, name: str, parameters: dict[str, object] | None) -> list[Any]:
        self._connection.execute(statement("upkeep/bound"))
        try:
            return self._connection.execute(statement(name), parameters or {}).fetchall()
        finally:
            self._connection.execute(statement("upkeep/unbound"))

    def _steadily(self, act: Callable[[], T]) -> T:
        return steadily(act, sleep=self._sleep, lost=self.close)
