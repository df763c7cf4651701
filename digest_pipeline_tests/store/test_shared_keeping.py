"""What keeps a history well does so where machines share one, too."""

from __future__ import annotations

from datetime import UTC as ZERO
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.errors import StoreUnavailable, UsageError
from digest_pipeline.store import left
from digest_pipeline.store.backup import backup, restore
from digest_pipeline.store.check import check
from digest_pipeline.store.content import Content, content
from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.move import move
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.store.conftest import DAYS, UTC
from digest_pipeline_tests.store.filled import fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest_pipeline_tests.fakes.postgres import PostgresServer

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 1, 20, tzinfo=ZERO)


def of(place: Place) -> dict[str, Content]:
    with open_history(place) as reader:
        return content(reader, "history")


def assert_whole(place: Place) -> None:
    assert [found for found in check(place) if found.problems] == []


def test_a_shared_history_is_kept_exported_and_backed_up_and_comes_back_to_either_kind_of_place(
    shared_place: Callable[[str], Place], tmp_path: Path
) -> None:
    place = shared_place("here")
    with History(place, UTC) as history:
        fill(history, DAYS[:2])
    before = of(place)
    kept = keep(place, patches_before=DAYS[1])
    assert kept.after.files > 0
    assert kept.patches == 6
    after = of(place)
    assert {table for table in before if before[table] != after[table]} == {"commit_files"}
    assert_whole(place)
    folder = tmp_path / "b"
    backup(place, UTC, folder, now=NOW)  # which is an export that was imported
    own = Place(tmp_path / "own")
    restore(own, UTC, folder)
    assert of(own) == after
    assert_whole(own)
    with pytest.raises(UsageError, match="there is a history in"):
        restore(place, UTC, folder)


def test_a_restored_history_may_be_a_shared_one(
    shared_place: Callable[[str], Place], kept: Place, tmp_path: Path
) -> None:
    backup(kept, UTC, tmp_path / "b", now=NOW)
    place = shared_place("there")
    restore(place, UTC, tmp_path / "b")
    assert of(place) == of(kept)
    assert_whole(place)
    with open_history(place) as reader:
        query = "SELECT data_file FROM ducklake_list_files('history', 'commit_files')"
        Path(reader.execute(query).fetchall()[0][0]).unlink()
    assert any("is gone" in problem for found in check(place) for problem in found.problems)


def test_upkeep_and_a_move_wait_for_a_database_that_restarts_and_say_so_where_it_stays_away(
    shared_place: Callable[[str], Place], postgres_server: PostgresServer, filled: Place, tmp_path: Path
) -> None:
    place = shared_place("here")
    waits: list[float] = []

    def restart(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            postgres_server.start()

    def stop_at(step: int) -> Callable[[str, int, int], None]:
        def said(_: str, number: int, __: int) -> None:
            if number == step and not waits:
                postgres_server.stop()

        return said

    move(filled, place, UTC, said=stop_at(5), sleep=restart)
    assert (waits[0], of(place)) == (1.0, of(filled))
    waits.clear()
    back = Place(tmp_path / "back")
    move(place, back, UTC, said=stop_at(5), sleep=restart)
    assert (waits[0], of(back)) == (1.0, of(filled))
    left.unmark(place)
    waits.clear()
    keep(place, said=stop_at(3), sleep=restart)
    assert (waits[0], of(place)) == (1.0, of(filled))
    postgres_server.stop()
    try:
        waits = [0.0] * 3
        with pytest.raises(StoreUnavailable, match="does not answer; start it"):
            keep(place, sleep=restart)
        assert 60 <= sum(waits) < 120
    finally:
        postgres_server.start()
