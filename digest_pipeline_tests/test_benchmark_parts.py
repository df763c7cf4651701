"""Each part of `make bench`, with what takes minutes to measure given: that its rows can be made and are met."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks import (
    backfill,
    growth,
    history,
    invented,
    packing,
    plain_file,
    questions,
    rate,
    startup,
    writers,
)
from benchmarks.backfill import Backfill, peaks_of
from benchmarks.bench import PARTS, _arguments, run_part
from benchmarks.command import STORAGES, CommandRun, Count
from benchmarks.figures import missed
from benchmarks.floor import Cost
from benchmarks.growth import PLACES, Growth, Size
from benchmarks.history import Results, Round
from benchmarks.measure import Measured
from benchmarks.onlooker import LOOKS, Seen
from benchmarks.packing import Reading
from benchmarks.questions import Taken
from benchmarks.repository import Span, Truth
from benchmarks.writers import Killed, Minute
from digest_pipeline_tests.fakes.project import FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SPAN = Span(Path("engine"), None, ZoneInfo("UTC"), FIRST_DAY, FIRST_DAY + timedelta(days=59))
TRUTH = Truth(("a" * 40, "b" * 40), frozenset(), 0)
TOOK = Measured(2.0, 1.0, 10**8, 0)
RUNS = {one: CommandRun(one, TOOK, (Count("reports", 60, 60),), 700) for one in STORAGES}


def _give(patch: pytest.MonkeyPatch, module: Any, **given: object) -> None:  # noqa: ANN401 - a module
    """Have functions of a module answer so, whatever they are asked."""
    for name, answer in given.items():
        patch.setattr(module, name, lambda *_, answer=answer, **__: answer)


def _history(patch: pytest.MonkeyPatch) -> None:
    results = Results(SPAN, TRUTH, "2 cores", [Round(Cost(3, 3), Cost(0, 0), Cost(1, 1), RUNS)])
    _give(patch, history, span_of=SPAN, run_benchmark=results)


def _backfill(patch: pytest.MonkeyPatch) -> None:
    made = Backfill("plain", 1.0, 2.2, 3.0, ["success"], [400.0], 5, [Count("digests", 60, 60)])
    _give(
        patch, backfill, span_of=SPAN, backfill_once=made, damaged_copy=(SPAN, [FIRST_DAY]),
        ask_git=TRUTH, run_command=RUNS["batches"],
    )  # fmt: skip


def _growth(patch: pytest.MonkeyPatch) -> None:
    sizes = tuple(
        Size(30 * many, 1, 300 * many, Measured(1 + 3 * many, 1 + 2 * many, 10**8, 0), Cost(many, many),
             *2 * [dict.fromkeys(PLACES, 10**6)])
        for many in (1, 2, 3)
    )  # fmt: skip
    _give(
        patch, growth, span_of=SPAN, choose_span=SPAN, run_growth=Growth(TOOK, sizes, sizes[1:], sizes, sizes)
    )
    _give(patch, invented, make_repository=SPAN.path)


def _writers(patch: pytest.MonkeyPatch) -> None:
    minute = Minute(2.0, [0.1, 0.2], [0.1, 0.1], seen=[Seen(how, 3, 0.1) for how in LOOKS])
    _give(patch, writers, write_at_once=minute, kill_at_random=Killed(2, 1, 1))
    _give(patch, writers, History=SimpleNamespace(close=lambda: None))
    _give(patch, plain_file, write_alone=3.0)


def _writers_postgres(patch: pytest.MonkeyPatch) -> None:
    _writers(patch)
    server = SimpleNamespace(create_database=lambda: "postgresql://ada@127.0.0.1:1/history")
    _give(patch, writers, find_postgres=Path("bin"), running_postgres=nullcontext(server))


def _questions(patch: pytest.MonkeyPatch) -> None:
    asked = [Taken(name, 1, [2.0, 3.0], [1.0, 1.0], 4.0, 90.0) for name in ("floor", "search", "hot_files")]
    _give(patch, questions, measure=asked)


def _startup(patch: pytest.MonkeyPatch) -> None:
    _give(patch, startup, _days=(SPAN, SPAN.first, SPAN.last, 19), measure=Measured(0.2, 0.1, 10**7, 0))
    done = SimpleNamespace(stderr="import time:       300 |        900 |   dagster._core\n")
    patch.setattr(startup, "subprocess", SimpleNamespace(run=lambda *_, **__: done))


def _rate(patch: pytest.MonkeyPatch) -> None:
    _give(patch, rate, measure=(21.0, 404, 3, 0))


def _packing(patch: pytest.MonkeyPatch) -> None:
    readings = [Reading(8192, 3, 0, 0, 1, 0.1, [0.5], [0.9], [0.5], [0.9]), Reading(32768)]
    _give(patch, packing, span_of=SPAN, run_benchmark=(2, readings))


MEASURED: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "history": _history,
    "backfill": _backfill,
    "growth": _growth,
    "writers": _writers,
    "writers-postgres": _writers_postgres,
    "questions": _questions,
    "start-up": _startup,
    "rate": _rate,
    "packing": _packing,
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_the_table_gives_its_rows(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MEASURED[part](monkeypatch)

    measured = run_part(part, _arguments(["--only", part]))

    assert measured.over
    assert {figure.part for figure in measured.figures} == {part}
    assert all(len(figure.cells()) == 8 and figure.name for figure in measured.figures)
    assert any(figure.held for figure in measured.figures), "nothing is wanted of it"
    assert missed(measured.figures) == []


def test_a_run_whose_process_was_never_seen_has_no_peak_that_could_hold() -> None:
    assert peaks_of(["one", "two"], {"one": 3 * 10**8, "two": 10**8}) == [300, 100]
    with pytest.raises(RuntimeError, match="never seen: two, three"):
        peaks_of(["one", "two", "three"], {"one": 3 * 10**8, "two": 0})
