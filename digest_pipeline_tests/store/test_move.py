"""A history carried to where machines share it, and back: equal in every row, begun again after a kill."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg2  # type: ignore[import-untyped]
import pytest

from digest_pipeline.errors import StoreError, StoreLeft, UsageError
from digest_pipeline.store import left
from digest_pipeline.store.backup import backup, restore
from digest_pipeline.store.export import export
from digest_pipeline.store.history import History, Replacement, check_files, open_history, read_once
from digest_pipeline.store.lock import Patience
from digest_pipeline.store.move import move
from digest_pipeline.store.place import Place
from digest_pipeline.store.postgres import AdvisoryLock
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.deaf import Deaf
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.fakes.team import wait_until
from digest_pipeline_tests.store.bounds import written_twice, wrong_bounds
from digest_pipeline_tests.store.rows import REPO, analysis, partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Machines = Callable[[str], Place]

pytestmark = pytest.mark.postgres

UTC = ZoneInfo("UTC")
DAY = date(2026, 1, 5)


def everything(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables and views, in an order of their own."""
    with open_history(place, UTC) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'history' "
            "AND table_name <> 'schema_migrations' ORDER BY 1"
        ).fetchall()
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for (name,) in names
        }


def assert_bounds_hold(place: Place) -> None:
    with open_history(place, UTC) as connection:
        assert wrong_bounds(connection) == []
        assert written_twice(connection) == []


def applied(place: Place) -> list[tuple[str]]:
    with open_history(place, UTC) as connection:
        return connection.execute("SELECT name FROM schema_migrations ORDER BY 1").fetchall()


def test_there_and_back_is_the_same_and_can_be_written(
    data_dir: Path, shared_place: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each table in many portions, and days with more rows than one has.
    monkeypatch.setattr("digest_pipeline.store.content._SHORT_ROWS", 9)
    source, shared, back = Place(data_dir), shared_place("here"), Place(tmp_path / "back")
    with History(source, UTC) as history:
        for number, day in enumerate(days_from(DAY, 20)):
            history.replace(*partition(day, 1 + 7 * (number % 4)))

        # What DuckLake writes as text, where it lets rows wait in the catalog, and could not read back.
        braces = [{"rule": "a{b}'\"c,", "points": 1, "evidence": "[,]{'x': NULL} 中文 🐛"}] * 2
        rows = [analysis(DAY, sha=f"{number:040x}", reasons=braces[:number]) for number in range(3)]
        history.replace(Replacement("analyses", {"repo": [REPO], "day": [DAY]}, rows))
    before = everything(source)
    assert sum(map(len, before.values())) > 200
    told: list[tuple[int, int]] = []
    moved = move(source, shared, UTC, said=lambda _, done, of: told.append((done, of)))
    assert moved["commit_log"].rows == len(before["commit_log"])
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 20
    move(shared, back, UTC)
    assert everything(shared) == before
    assert everything(back) == before
    assert applied(shared) == applied(back) == applied(source)
    for place in (shared, back):
        check_files(place)
        assert_bounds_hold(place)
    with History(back, UTC) as history:
        history.replace(*partition(DAY, 2))
        assert [
            row["commit_count"]
            for row in history.read("pipeline/reads", {"repo": REPO, "first": DAY, "last": DAY})
        ] == [2]
    assert everything(source) == before, "what was carried from stays as it is"


def test_a_move_that_is_stopped_is_begun_again_and_one_that_is_done_is_not_done_again(
    data_dir: Path, shared_place: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = Place(data_dir), shared_place("here")
    with pytest.raises(StoreError, match=r"there is no history in .* to move"):
        move(Place(tmp_path / "none"), target, UTC)
    with History(source, UTC) as history:
        for day in days_from(DAY, 3):
            history.replace(*partition(day, 30))

    def stops(what: str, _: int, __: int) -> None:
        if what == "done":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(source, target, UTC, said=stops)
    assert read_once(target, "pipeline/any_read", {}) == []
    with monkeypatch.context() as patch:
        patch.setattr("digest_pipeline.store.move._copy", lambda *_: None)
        with pytest.raises(StoreError, match=r"is not what .* holds \(commit_log, .*nothing was kept"):
            move(source, target, UTC)
    move(source, target, UTC)
    before = everything(target)
    assert before == everything(source)
    move(source, target, UTC)
    with History(target, UTC) as history:
        history.replace(*partition(DAY, 4))
    before = everything(target)
    with pytest.raises(
        UsageError, match=r"carried from .* to postgresql://.* before, and was written there since"
    ):
        move(source, target, UTC)
    with pytest.raises(
        UsageError, match=r"was left there by an earlier move, and is older.* remove .*store,"
    ):
        move(target, source, UTC)
    other = Place(tmp_path / "other")
    with History(other, UTC) as history:
        history.replace(*partition(DAY, 9))
    with pytest.raises(
        UsageError, match=r"another history in postgresql://.* already, and it is left as it is"
    ):
        move(other, target, UTC)
    with pytest.raises(StoreLeft, match="carried from"):
        backup(source, UTC, tmp_path / "backup", now=datetime.now(UTC))
    assert everything(target) == before


def test_nobody_writes_to_where_the_history_was(
    data_dir: Path, shared_place: Machines, tmp_path: Path
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as early:
        early.replace(*partition(DAY, 3))
        move(source, shared, UTC)
        with pytest.raises(StoreLeft, match=r"carried from .* to postgresql://.*write catalog_url_env"):
            early.replace(*partition(DAY, 4))
    with pytest.raises(StoreLeft, match=r"carried from .* to postgresql://"):
        History(source, UTC)
    assert everything(source) == everything(shared), "it can be read"

    with History(shared, UTC) as early:
        move(shared, source, UTC)  # nothing was written meanwhile
        with pytest.raises(StoreLeft, match=r"carried from postgresql://.* to .*take catalog_url_env"):
            early.replace(*partition(DAY, 4))
    with pytest.raises(StoreLeft, match="carried from postgresql://"):
        History(shared, UTC)
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 5))
    assert everything(source) != everything(shared)


@pytest.mark.parametrize("stop", ["mark", "unmark"])
def test_a_move_that_stops_between_its_marks_is_finished_by_the_next(
    data_dir: Path, shared_place: Machines, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    real = getattr(left, stop)

    def stopped(place: Place, *more: Place) -> None:
        if stop == "mark":
            real(place, *more)
            if place != source:
                return
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(left, stop, stopped)
        with pytest.raises(KeyboardInterrupt):
            move(source, shared, UTC)
    if stop == "unmark":  # it had arrived
        with pytest.raises(StoreLeft, match=r"If that move was cut short, run it again"):
            History(source, UTC)
    else:
        History(source, UTC).close()
        History(shared, UTC).close()
    left.mark(shared, source)  # of a move before: nothing was written there since it was made
    move(source, shared, UTC)
    History(shared, UTC).close()
    with pytest.raises(StoreLeft):
        History(source, UTC)
    with pytest.raises(StoreLeft):
        keep(source)
    assert everything(shared) == everything(source)
    export(source, UTC, data_dir / "copy.duckdb")  # it can be read


def test_a_move_takes_back_no_mark_that_another_one_made(
    data_dir: Path, shared_place: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    module = importlib.import_module("digest_pipeline.store.move")

    def another_was_faster(*given: Any) -> dict[str, Any]:  # noqa: ANN401 - what it takes
        monkeypatch.undo()
        move(source, shared, UTC)
        with History(shared, UTC) as history:
            history.replace(*partition(DAY, 4))
        return module._move(*given)  # type: ignore[no-any-return]

    monkeypatch.setattr(module, "_move", another_was_faster)
    with pytest.raises(UsageError, match="was written there since"):
        move(source, shared, UTC)
    with pytest.raises(StoreLeft):
        History(source, UTC)
    History(shared, UTC).close()


def test_a_history_that_left_goes_to_no_third_place(
    data_dir: Path, shared_place: Machines, tmp_path: Path
) -> None:
    source, shared, third = Place(data_dir), shared_place("here"), Place(tmp_path / "third")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    move(source, shared, UTC)
    with pytest.raises(
        UsageError, match=r"was carried to postgresql://.*: carry it on from there, .*carried-to"
    ):
        move(source, third, UTC)
    History(third, UTC).close()
    move(shared, Place(tmp_path / "back"), UTC)
    with pytest.raises(UsageError, match=r"was carried to .*back on .*the comment on ducklake_metadata"):
        move(shared, third, UTC)


@pytest.mark.parametrize("last", ["target", "source"])
def test_no_run_fills_what_a_killed_move_left(
    data_dir: Path, shared_place: Machines, tmp_path: Path, last: str
) -> None:
    """Killed right after the mark on one of the two; nothing has come."""
    embedded, shared = Place(data_dir), shared_place("here")
    with History(embedded, UTC) as history:
        history.replace(*partition(DAY, 3))
    for source, target, elsewhere in (
        (embedded, shared, shared_place("there")),
        (shared, Place(tmp_path / "back"), Place(tmp_path / "back")),
    ):
        _killed_at_mark(source, target, last)
        with pytest.raises(StoreLeft, match=r"If that move was cut short, run it again"):
            History(elsewhere, UTC)
        move(source, target, UTC)
        History(elsewhere, UTC).close()
        assert everything(target) == everything(source)


_KILLED = """
import os, pickle, sys
from zoneinfo import ZoneInfo
from digest_pipeline.store import left
from digest_pipeline.store.move import move

source, target, last = pickle.load(sys.stdin.buffer)
real = left.mark

def marked(place, other):
    real(place, other)
    if place == last:
        os._exit(9)

left.mark = marked
move(source, target, ZoneInfo("UTC"))
"""


def _killed_at_mark(source: Place, target: Place, last: str) -> None:
    given = pickle.dumps((source, target, source if last == "source" else target))
    assert subprocess.run([sys.executable, "-c", _KILLED], input=given, check=False).returncode == 9


def deaf(monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:  # noqa: ANN401 - what Deaf takes
    """Let each move hear of its COMMIT as `Deaf` does."""
    real = importlib.import_module("digest_pipeline.store.move")._both

    @contextmanager
    def both(*places: Any) -> Iterator[Deaf]:  # noqa: ANN401 - what it takes
        with real(*places) as connection:
            yield Deaf(connection, **how)

    monkeypatch.setattr("digest_pipeline.store.move._both", both)


@pytest.mark.parametrize("commits", [True, False])
def test_a_move_whose_end_was_not_answered_leaves_nothing_to_write_to_until_it_is_known(
    data_dir: Path, shared_place: Machines, monkeypatch: pytest.MonkeyPatch, commits: bool
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    waits: list[bool] = []

    def assert_closed() -> None:
        for place in (source, shared):
            with pytest.raises(StoreLeft, match="If that move was cut short, run it again"):
                History(place, UTC)

    def sleep(_: float) -> None:
        assert_closed()
        waits.append(True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        deaf(patch, commits=commits)
        with pytest.raises(KeyboardInterrupt):
            move(source, shared, UTC, sleep=sleep)
    assert_closed()
    move(source, shared, UTC, sleep=sleep)
    assert len(waits) == 1
    History(shared, UTC).close()
    assert everything(shared) == everything(source)
    with pytest.raises(StoreLeft):
        History(source, UTC)


def test_a_move_whose_end_failed_for_certain_leaves_the_source_to_be_written(
    data_dir: Path, shared_place: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    with monkeypatch.context() as patch:
        deaf(patch, commits=False, says="could not extend file: No space left on device")
        with pytest.raises(StoreError, match="is full; free some space"):
            move(source, shared, UTC)
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 4))
    History(shared, UTC).close()
    move(source, shared, UTC)
    assert everything(shared) == everything(source)


def test_a_backup_comes_back_to_where_a_move_was_killed(
    data_dir: Path, shared_place: Machines, tmp_path: Path
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    backup(source, UTC, tmp_path / "backup", now=datetime.now(UTC))
    left.mark(shared, source)
    restore(shared, UTC, tmp_path / "backup")
    History(shared, UTC).close()
    assert everything(shared) == everything(source)


def test_a_backup_that_came_back_though_its_end_was_not_answered_is_no_history_that_left(
    data_dir: Path, shared_place: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, shared = Place(data_dir), shared_place("here")
    with History(source, UTC) as history:
        history.replace(*partition(DAY, 3))
    backup(source, UTC, tmp_path / "backup", now=datetime.now(UTC))

    def ends(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        deaf(patch)
        patch.setattr("digest_pipeline.store.export.move", partial(move, sleep=ends))
        with pytest.raises(KeyboardInterrupt):
            restore(shared, UTC, tmp_path / "backup")
    History(shared, UTC).close()
    assert everything(shared) == everything(source)


def is_waited_for(place: Place) -> bool:
    assert place.shared is not None
    with closing(psycopg2.connect(**place.shared.catalog)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database "
            "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_who_waited_for_the_move_is_refused_whatever_the_server_takes_for_isolation(
    data_dir: Path, shared_place: Machines
) -> None:
    shared = shared_place("here").shared
    assert shared is not None
    strict = {**shared.catalog, "options": r"-c default_transaction_isolation=repeatable\ read"}
    place = Place(data_dir.parent / "there", replace(shared, catalog=strict))
    failed: list[Exception] = []

    def write(history: History) -> None:
        try:
            history.replace(*partition(DAY, 1))
        except StoreLeft as error:
            failed.append(error)

    with History(place, UTC) as history:
        thread = threading.Thread(target=write, args=(history,))
        with AdvisoryLock(place, Patience())():
            thread.start()
            wait_until(lambda: is_waited_for(place), 60, "the writer waited")
            left.mark(place, Place(data_dir))
        thread.join(60)
    assert len(failed) == 1
