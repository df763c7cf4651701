"""Many processes at one history: each writes its own partitions, and all of them land."""

from __future__ import annotations

import multiprocessing
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.migrations import known
from digest_pipeline.store.place import Place, Shared
from digest_pipeline.store.postgres import read_address
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.rows import EVERYWHERE, partition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

DAYS = days_from(date(2026, 1, 5), 5)
WRITERS = 4


def write(place: Place, number: int) -> None:
    """What one process does: its repo's five days, one after the other."""
    with History(place, ZoneInfo("UTC")) as history:
        for day in DAYS:
            history.replace(*partition(day, 3, f"ada/engine{number}"))


def join_all(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


@EVERYWHERE
def test_four_writers_at_once_all_land_while_a_reader_looks_on(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(place, number)) for number in range(WRITERS)]
    query = "SELECT repo, day, count(*), count(DISTINCT sha) FROM commits GROUP BY ALL ORDER BY ALL"
    with open_history(place) as reader:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            # Whatever is there, is there whole.
            assert {row[2] for row in reader.execute(query).fetchall()} <= {3}
            processes[0].join(0.1)
            if processes[0].exitcode is not None:
                break
        join_all(processes)
        assert reader.execute(query).fetchall() == [
            (f"ada/engine{number}", day, 3, 3) for number in range(WRITERS) for day in DAYS
        ]
        assert reader.execute("SELECT count(*) FROM reads").fetchall() == [(WRITERS * len(DAYS),)]


@pytest.mark.parametrize("kind", ["embedded", pytest.param("shared", marks=pytest.mark.postgres)])
def test_writers_that_begin_a_history_together_all_land(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # Each as on a machine of its own, where it is shared.
    places = [Place(tmp_path / "data")] * 2
    if kind == "shared":
        shared = Shared(read_address(request.getfixturevalue("postgres_url")), str(tmp_path / "everywhere"))
        places = [Place(tmp_path / f"machine-{number}", shared) for number in range(2)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(place, number)) for number, place in enumerate(places)]
    for process in processes:
        process.start()
    join_all(processes)
    with open_history(places[0]) as reader:
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2 * len(DAYS) * 3,)]
        applied = reader.execute("SELECT count(*) FROM schema_migrations").fetchall()
        assert applied == [(len(known()),)]
