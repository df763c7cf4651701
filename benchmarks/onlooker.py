"""A process that holds the history open while others write, in one of the ways in which people do.

`benchmarks.writers` starts it as `python -m benchmarks.onlooker HOW`, tells it on stdin where the history is, and
closes its stdin when the time is over. What it saw is one line of JSON; what it should not have seen is its error.
"""

from __future__ import annotations

import json
import random
import select
import sqlite3
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from benchmarks.writer import DAYS, Task, day_of, version_of
from digest_pipeline.store.history import open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOWS = ("transaction", "connection", "file")
PAUSE_SECONDS = 0.25

_COUNTS = "SELECT (SELECT count(*) FROM commit_files), (SELECT sum(length(markdown)) FROM reports)"
_WRITERS_SEEN = "SELECT count(*) FROM reports"


def in_a_transaction(told: Task) -> Iterator[None]:
    """One transaction, open all the time, in which the history must stay as it was."""
    with open_history(told.place, told.zone) as connection:
        connection.execute("BEGIN")
        first = connection.execute(_COUNTS).fetchall()
        while True:
            yield
            found = connection.execute(_COUNTS).fetchall()
            if found != first:
                raise ValueError(f"a transaction saw {first}, then {found}")


def over_a_connection(told: Task) -> Iterator[None]:
    """One connection, open all the time, in which each partition must be whole whenever it is looked at."""
    chance = random.Random(told.seed)  # noqa: S311 - replayable
    with open_history(told.place, told.zone) as connection:
        while True:
            yield
            one = Task(**(told.as_dict() | {"writer": chance.randrange(told.writer)}))
            version_of(connection, one.seed, one.repo, day_of(chance.randrange(DAYS)))


def in_the_catalog(told: Task) -> Iterator[None]:
    """The catalog's file itself, opened by SQLite, with a transaction that is never ended."""
    uri = f"{told.place.catalog_path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        first = connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchall()
        while True:
            yield
            if connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchall() != first:
                raise ValueError("a transaction in the catalog's file saw another snapshot")


LOOKS: dict[str, Callable[[Task], Iterator[None]]] = dict(
    zip(HOWS, (in_a_transaction, over_a_connection, in_the_catalog), strict=True)
)


def main(how: str) -> int:
    """Look again and again until stdin is closed; 1 where something was seen that should not be."""
    told = Task(**json.loads(sys.stdin.readline()))
    seen: dict[str, Any] = {"how": how, "looks": 0, "slowest": 0.0, "error": None}
    try:
        looks = LOOKS[how](told)
        next(looks)
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            began = time.monotonic()
            next(looks)
            seen["looks"] += 1
            seen["slowest"] = max(seen["slowest"], time.monotonic() - began)
    except Exception as error:  # noqa: BLE001 - whatever it is, the line says so
        seen["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(seen), flush=True)
    return 0 if seen["error"] is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
