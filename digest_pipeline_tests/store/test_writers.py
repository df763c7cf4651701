"""Many processes at one history: each writes its own partitions, and all of them land."""

from __future__ import annotations

import multiprocessing
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest_pipeline import open_history
from digest_pipeline.store.files import names
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.rows import partition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

DAYS = days_from(date(2026, 1, 5), 5)
WRITERS = 4


def write(data_dir: Path, number: int) -> None:
    """What one process does: its repo's five days, one after the other."""
    with History(Place(data_dir), ZoneInfo("UTC")) as history:
        for day in DAYS:
            history.replace(*partition(day, 3, f"ada/engine{number}"))


def join_all(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_four_writers_at_once_all_land_while_a_reader_looks_on(data_dir: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(data_dir, number)) for number in range(WRITERS)]
    query = "SELECT repo, day, count(*), count(DISTINCT sha) FROM commits GROUP BY ALL ORDER BY ALL"
    with open_history(data_dir) as reader:
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


def test_writers_that_begin_a_history_together_all_land(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(tmp_path / "data", number)) for number in range(2)]
    for process in processes:
        process.start()
    join_all(processes)
    with open_history(tmp_path / "data") as reader:
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2 * len(DAYS) * 3,)]
        applied = reader.execute("SELECT count(*) FROM schema_migrations").fetchall()
        assert applied == [(len(names("migrations")),)]
