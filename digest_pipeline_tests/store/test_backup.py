"""A backup and what is made of it: the same history, whoever writes meanwhile; what is damaged is refused."""

from __future__ import annotations

import fcntl
import multiprocessing
import shutil
from datetime import UTC as ZERO
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline import open_history
from digest_pipeline.errors import ConfigurationError, StoreBusy, StoreError, UsageError
from digest_pipeline.store.backup import LIST_FILE, backup, restore
from digest_pipeline.store.check import check
from digest_pipeline.store.content import Content, content
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline.store.settle import being_made
from digest_pipeline.store.upkeep import keep
from digest_pipeline.store.whole import removed
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.conftest import DAYS, UTC
from digest_pipeline_tests.store.filled import fill
from digest_pipeline_tests.store.test_export import write_more

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 1, 20, tzinfo=ZERO)


def of(place: Place) -> dict[str, Content]:
    with open_history(place.data_dir) as reader:
        return content(reader, "history")


def test_a_backup_is_the_history_and_the_next_one_copies_what_is_new(filled: Place, tmp_path: Path) -> None:
    folder = tmp_path / "a backup"
    with open_history(filled.data_dir) as reader:
        reader.execute("BEGIN")
        reader.execute("FROM reads").fetchall()
        first = backup(filled, UTC, folder, now=NOW)
    assert first.new == first.files - 1  # all but the catalog, which is new each time
    before = of(filled)
    assert backup(filled, UTC, folder, now=NOW).new == 0
    with History(filled, UTC) as history:
        fill(history, days_from(date(2026, 3, 1), 1))
    second = backup(filled, UTC, folder, now=NOW)
    assert 0 < second.new < first.new
    after = of(filled)
    assert after != before
    shutil.rmtree(filled.data_dir)
    place = Place(tmp_path / "restored")
    restore(place, UTC, folder)
    assert of(place) == after
    assert [one for one in check(place, deep=True) if one.problems] == []
    # It goes on from there, and its backup too.
    keep(place)
    assert of(place) == after
    backup(place, UTC, folder, now=NOW)
    assert len(list(folder.glob("catalog-*.sqlite"))) == 1


def test_a_backup_is_whole_while_others_write_and_keep(filled: Place, tmp_path: Path) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=write_more, args=(filled.data_dir,))
    writer.start()
    try:
        for number in range(1):
            backup(filled, UTC, tmp_path / "b", now=NOW)
            keep(filled)
            place = Place(tmp_path / f"restored{number}")
            restore(place, UTC, tmp_path / "b")
            assert [one for one in check(place, deep=True) if one.problems] == []
            assert of(place)["digests"].rows == of(place)["reads"].rows >= len(DAYS)
    finally:
        writer.join(120)
    assert writer.exitcode == 0


def a_byte_is_another(folder: Path) -> None:
    file = next(folder.rglob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[10] ^= 1
    file.write_bytes(data)


def a_file_is_gone(folder: Path) -> None:
    next(folder.rglob("*.parquet")).unlink()


def the_catalog_is_cut(folder: Path) -> None:
    [catalog] = folder.glob("catalog-*.sqlite")
    catalog.write_bytes(catalog.read_bytes()[:-5000])


def the_list_is_cut(folder: Path) -> None:
    file = folder / LIST_FILE
    file.write_bytes(file.read_bytes()[:-20])


def it_was_never_finished(folder: Path) -> None:
    (folder / LIST_FILE).write_bytes(b"")


def it_leads_elsewhere(folder: Path) -> None:
    file = folder / LIST_FILE
    file.write_text(
        file.read_text(encoding="utf-8").replace("files/main/", "files/../../", 1), encoding="utf-8"
    )


DAMAGES: list[Callable[[Path], None]] = [
    a_byte_is_another,
    a_file_is_gone,
    the_catalog_is_cut,
    the_list_is_cut,
    it_was_never_finished,
    it_leads_elsewhere,
]


def test_a_damaged_backup_is_refused_and_nothing_is_made_of_it(kept: Place, tmp_path: Path) -> None:
    backup(kept, UTC, tmp_path / "b", now=NOW)
    place = Place(tmp_path / "restored")
    place.data_dir.mkdir()
    for damage in DAMAGES:
        folder = shutil.copytree(tmp_path / "b", tmp_path / damage.__name__)
        damage(folder)
        with pytest.raises(StoreError, match="is damaged") as raised:
            restore(place, UTC, folder)
        assert "\n" not in str(raised.value)
        assert list(place.data_dir.iterdir()) == []


def test_what_rotted_in_a_backup_is_copied_again_by_the_next(kept: Place, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    backup(kept, UTC, folder, now=NOW)
    for damage in (a_byte_is_another, a_file_is_gone):
        damage(folder)
        assert backup(kept, UTC, folder, now=NOW).new == 1
    restore(Place(tmp_path / "restored"), UTC, folder)
    assert of(Place(tmp_path / "restored")) == of(kept)
    # What rotted on both sides is not taken for what was backed up.
    a_byte_is_another(folder / "files/main/commit_log")
    a_byte_is_another(kept.files / "main/commit_log")
    with pytest.raises(StoreError, match=r"is not what was backed up before; digest store check --deep"):
        backup(kept, UTC, folder, now=NOW)


def test_what_is_there_is_left_as_it_is(kept: Place, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    backup(kept, UTC, folder, now=NOW)
    with pytest.raises(UsageError, match="there is a history in"):
        restore(kept, UTC, folder)
    other = Place(tmp_path / "other")
    with History(other, UTC) as history:
        fill(history, DAYS[:1])
    with pytest.raises(UsageError, match="another history"):
        backup(other, UTC, folder, now=NOW)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="something else"):
        backup(kept, UTC, mine, now=NOW)
    with pytest.raises(UsageError, match="no backup"):
        restore(Place(tmp_path / "new"), UTC, mine)
    for inside in (kept.folder / "b", tmp_path):
        with pytest.raises(UsageError, match="part of the history itself, or holds it"):
            backup(kept, UTC, inside, now=NOW)
    with pytest.raises(ConfigurationError, match='holds days of "UTC"'):
        restore(Place(tmp_path / "new"), ZoneInfo("Asia/Shanghai"), folder)


def test_one_folder_takes_one_backup_at_a_time_and_no_work_of_another_is_taken_away(
    filled: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    left = folder / ".store.making.killed"
    backup(filled, UTC, folder, now=NOW)
    left.mkdir()
    with being_made(folder) as other:
        assert not left.exists()
        with pytest.raises(StoreBusy, match=r"another process is making .* run again"):
            backup(filled, UTC, folder, now=NOW)
        assert other.folder.is_dir()
    assert backup(filled, UTC, folder, now=NOW).new == 0
    assert sorted(file.suffix for file in folder.iterdir()) == ["", ".json", ".sqlite"]


def test_a_history_is_put_in_its_place_with_no_writer_in_between(
    filled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "restored")
    backup(filled, UTC, tmp_path / "b", now=NOW)
    looked = []

    def take_away(folder: Path) -> None:
        with place.lock_path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        looked.append(folder)
        removed(folder)

    monkeypatch.setattr("digest_pipeline.store.export.removed", take_away)
    restore(place, UTC, tmp_path / "b")
    assert looked == [place.folder]
    assert of(place) == of(filled)
