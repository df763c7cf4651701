"""Processes that hold the history open while others write, in the ways in which people do."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.writer import ZONE, versions
from digest_pipeline.store.history import open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from benchmarks.writer import Task

PAUSE_SECONDS = 0.25

_COUNTS = "SELECT (SELECT count(*) FROM commit_files), (SELECT sum(length(markdown)) FROM reports)"
_SNAPSHOT = "SELECT max(snapshot_id) FROM ducklake_snapshot"


@dataclass(frozen=True, slots=True)
class Seen:
    """How often an onlooker looked, and the seconds that this took at most."""

    how: str
    looks: int
    slowest: float


def look(how: str, told: Task, pipe: Connection) -> None:
    """Open the history, say so, and look again and again until something is sent; then say what was seen."""
    looks, slowest = 0, 0.0
    try:
        looking = _WAYS[how](told)
        next(looking)
        pipe.send("ready")
        while not pipe.poll(PAUSE_SECONDS):
            began = time.monotonic()
            next(looking)
            looks, slowest = looks + 1, max(slowest, time.monotonic() - began)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        pipe.send(f"{how}: {type(error).__name__}: {error}")
    else:
        pipe.send(Seen(how, looks, slowest))


def _in_a_transaction(told: Task) -> Iterator[None]:
    """One transaction, open all the time, in which the history must stay as it was."""
    with open_history(told.place, ZONE) as connection:
        connection.execute("BEGIN")
        first = connection.execute(_COUNTS).fetchall()
        while True:
            yield
            found = connection.execute(_COUNTS).fetchall()
            if found != first:
                raise ValueError(f"it saw {first}, then {found}")


def _over_a_connection(told: Task) -> Iterator[None]:
    """One connection, open all the time, in which each partition must be whole whenever it is looked at."""
    chance = random.Random(told.seed)  # noqa: S311 - replayable
    with open_history(told.place, ZONE) as connection:
        while True:
            yield
            versions(connection, told.seed, replace(told, writer=chance.randint(1, told.writer)).repo)


def _in_the_catalog(told: Task) -> Iterator[None]:
    """The catalog's file itself, opened by SQLite, in a transaction that is not ended."""
    uri = f"{told.place.catalog_path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        first = connection.execute(_SNAPSHOT).fetchall()
        while True:
            yield
            if connection.execute(_SNAPSHOT).fetchall() != first:
                raise ValueError("it saw another snapshot")


THE_FILE = "the catalog's file"
"""What is there only where the catalog is SQLite's."""

_WAYS: dict[str, Callable[[Task], Iterator[None]]] = {
    "a transaction": _in_a_transaction,
    "a connection": _over_a_connection,
    THE_FILE: _in_the_catalog,
}

LOOKS = {how: partial(look, how) for how in _WAYS}
"""What people hold open, and the work of the process that does."""
