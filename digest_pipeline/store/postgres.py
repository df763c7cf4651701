"""The catalog of a shared history, seen from PostgreSQL: its address, whether there is one, the writers' lock."""

from __future__ import annotations

import re
import select
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import extensions

from digest_pipeline.store.complaints import complaint
from digest_pipeline.store.files import statement
from digest_pipeline.store.left import refusal
from digest_pipeline.store.lock import Patience, Waiting, whoami

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest_pipeline.errors import StoreError
    from digest_pipeline.store.lock import Held
    from digest_pipeline.store.place import Place

_LOCK = {"key": int.from_bytes(b"digests!")}
"""A number of our own: whoever else uses such locks in this database has others."""
_LEFT = "digest_pipeline: carried to "
_UNREADABLE = (
    "holds an address that cannot be read; in a password write @ as %40, : as %3A, / as %2F, # as %23"
)
_PORTS = re.compile(r"\d*(,\d*)*")
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 10
"""Within which a server answers that has nothing to do but that."""
_DEFAULTS = {
    "connect_timeout": str(_CONNECT_SECONDS),
    # A server that vanished is noticed in a minute, and not in two hours. A client that did is noticed by the server:
    # for the session that holds the lock sql/catalog/lock.sql says how.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def read_address(url: str) -> dict[str, str]:
    """The parts of a postgresql:// address, as libpq calls them. Raises ValueError, without repeating it."""
    scheme, separator, rest = url.partition("://")
    # SQLAlchemy's spelling, in which Dagster's storage wants it, will do as well.
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError('holds no address that begins with "postgresql://"')
    try:
        parts = extensions.parse_dsn(f"postgresql://{rest}")
    except psycopg2.Error:
        raise ValueError(_UNREADABLE) from None
    # A / in a password ends the part where one is looked for: what stands before it would pass for a host and a port.
    if not _PORTS.fullmatch(parts.get("port", "")) or "@" in parts.get("dbname", "") + parts.get("host", ""):
        raise ValueError(_UNREADABLE)
    if not (parts.get("dbname") or parts.get("user")):
        raise ValueError('names no database; it is "postgresql://user:password@host:5432/database"')
    return {**_DEFAULTS, **parts}


def has_catalog(place: Place) -> bool:
    """Whether a history was begun in the database. Raises StoreError."""
    return bool(_row(place, "catalog/exists")[0])


def identity(place: Place) -> tuple[str, bool]:
    """By what the history is told from others, and whether files were written for it. Raises StoreError."""
    found, has_files = _row(place, "catalog/identity")
    return str(found), bool(has_files)


def left_for(place: Place) -> str | None:
    """Where the history was carried from here; None where it was not. Raises StoreError."""
    return _target(_row(place, "catalog/left"))


def leave_for(place: Place, target: str | None) -> None:
    """Mark in the catalog that the history was carried to `target`; None takes the mark away. Raises StoreError."""
    try:
        with closing(psycopg2.connect(**_parts(place))) as connection, connection:
            comment = None if target is None else _LEFT + target
            connection.cursor().execute(statement("catalog/leave"), {"comment": comment})
    except psycopg2.Error as error:
        raise failed(error, place) from None


def _target(row: tuple[Any, ...] | None) -> str | None:
    comment = str(row[0] or "") if row else ""
    return comment.removeprefix(_LEFT) if comment.startswith(_LEFT) else None


class AdvisoryLock:
    """The lock of many machines: PostgreSQL's, in a transaction of its own, which ends with whoever holds it."""

    def __init__(self, place: Place, patience: Patience, *, even_if_left: bool = False) -> None:
        self._place = place
        self._patience = patience
        self._even_if_left = even_if_left

    @contextmanager
    def __call__(self) -> Iterator[Held]:
        """Wait for the writers that came before, and keep out those that come after.

        Raises StoreBusy, and StoreUnavailable where PostgreSQL does not answer.
        """
        connection = self._taken()
        try:
            yield lambda: self._must_be_held(connection)
        finally:
            # Where the connection broke meanwhile the lock went with it; where nobody answers, closing ends it.
            with suppress(psycopg2.Error):
                _said(connection, "ROLLBACK")
            with suppress(psycopg2.Error):
                connection.close()

    def _must_be_held(self, connection: Any) -> None:  # noqa: ANN401 - psycopg2 has no types
        """Ask over the connection that holds the lock: it can end alone, and what is written goes over another one.

        What it asks is whether the history is still here.
        """
        try:
            row = _said(connection, statement("catalog/left")).fetchone()
        except psycopg2.Error as error:
            raise complaint(f"the lock was lost: {_words(error)}", self._place) from None
        target = _target(row)
        if target is not None and not self._even_if_left:
            raise refusal(self._place, target)

    def _taken(self) -> Any:  # noqa: ANN401 - psycopg2 has no types
        waiting = Waiting(self._place, self._patience, self._holder)
        try:
            # Asynchronous: the server blocks, and this thread can tell, give up and hear Ctrl-C.
            connection = psycopg2.connect(**_parts(self._place), async_=1)
        except psycopg2.Error as error:
            raise failed(error, self._place) from None
        try:
            _wait(connection, time.monotonic() + _CONNECT_SECONDS)
            cursor = connection.cursor()
            # Whatever the server's default is: a snapshot of before the wait would not show that the history left.
            cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED;" + statement("catalog/lock"), _LOCK)
            while not _wait(connection, time.monotonic() + waiting.seconds(), is_patient=True):
                pass
        except BaseException as error:
            with suppress(psycopg2.Error):
                if isinstance(error, psycopg2.Error) is False and not connection.closed:
                    connection.cancel()
            with suppress(psycopg2.Error):
                connection.close()
            if isinstance(error, psycopg2.Error):
                raise failed(error, self._place) from None
            raise
        return connection

    def _holder(self) -> str | None:
        try:
            with closing(psycopg2.connect(**_parts(self._place))) as connection:
                cursor = connection.cursor()
                cursor.execute(statement("catalog/holder"), _LOCK)
                row = cursor.fetchone()
        except psycopg2.Error:
            return None
        if row is None:
            return None
        name, address, pid = row
        return f"{name or 'unnamed'}, from {address or 'this machine'}, backend {pid}"


def failed(error: psycopg2.Error, place: Place) -> StoreError:
    """psycopg2's complaint as one of ours, in one line, without a secret."""
    return complaint(_words(error), place, error.pgcode)


def _words(error: psycopg2.Error) -> str:
    return str(error).strip() or type(error).__name__


def _row(place: Place, name: str) -> tuple[Any, ...]:
    try:
        with closing(psycopg2.connect(**_parts(place))) as connection:
            cursor = connection.cursor()
            cursor.execute(statement(name))
            return cursor.fetchone() or ()
    except psycopg2.Error as error:
        raise failed(error, place) from None


def _parts(place: Place) -> Mapping[str, str]:
    assert place.shared is not None  # noqa: S101 - nobody asks for the PostgreSQL of an embedded history
    return {"application_name": whoami(), **place.shared.catalog}


def _said(connection: Any, query: str) -> Any:  # noqa: ANN401 - as above
    cursor = connection.cursor()  # psycopg2 wants it to be there as long as the answer is not
    cursor.execute(query)
    _wait(connection, time.monotonic() + _ANSWER_SECONDS)
    return cursor


def _wait(connection: Any, until: float, *, is_patient: bool = False) -> bool:  # noqa: ANN401 - as above
    """Wait for what was asked; past `until` False where that `is_patient`, else OperationalError."""
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return True
        left = until - time.monotonic()
        if left <= 0:
            if is_patient:
                return False
            raise psycopg2.OperationalError("timeout expired")
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        poll.poll(left * 1000 + 1)
