"""The upkeep: few files, in a bounded memory, and nothing that a reader needs is gone."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from digest_pipeline import open_history
from digest_pipeline.errors import StoreError
from digest_pipeline.store.check import check
from digest_pipeline.store.content import content
from digest_pipeline.store.history import History, Replacement
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.project import days_from
from digest_pipeline_tests.store.conftest import DAYS, UTC
from digest_pipeline_tests.store.filled import file_of

if TYPE_CHECKING:
    from pathlib import Path


def test_files_grow_few_and_again_changes_nothing(filled: Place) -> None:
    with open_history(filled.data_dir) as reader:
        before = content(reader, "history")
        first = keep(filled)
        assert first.before.files > first.after.files <= len(before) + 1
        assert content(reader, "history") == before
        second = keep(filled)
        assert second.before == second.after == first.after
        assert content(reader, "history") == before
        # What was merged stays for a week, and what a reader began to read.
        assert second.removed == second.expired == 0


def test_what_nobody_needs_goes_when_it_is_old_enough_and_no_sooner(filled: Place) -> None:
    keep(filled)
    with open_history(filled.data_dir) as reader:
        before = content(reader, "history")
    needed = {str(path) for path in filled.files.rglob("*.parquet")}
    stray = filled.files / "main/commit_log/left-by-a-killed-writer.parquet"
    stray.write_bytes(b"PAR1")
    today = datetime.now(UTC)
    for hours in (0, 23):
        kept = keep(filled, now=today + timedelta(hours=hours))
        assert (kept.removed, kept.expired, stray.exists()) == (0, 0, True)
    kept = keep(filled, now=today + timedelta(hours=25))
    assert (kept.removed, kept.expired, stray.exists()) == (1, 0, False)
    kept = keep(filled, now=today + timedelta(days=6))
    assert (kept.removed, kept.expired) == (0, 0)
    assert {str(path) for path in filled.files.rglob("*.parquet")} == needed

    kept = keep(filled, now=today + timedelta(days=8))
    assert kept.expired > 0
    assert kept.removed == len(needed) - len(list(filled.files.rglob("*.parquet"))) > 0
    with open_history(filled.data_dir) as reader:
        assert content(reader, "history") == before
    assert [one for one in check(filled, deep=True) if one.problems] == []
    kept = keep(filled, now=today + timedelta(days=8))
    assert (kept.removed, kept.expired) == (0, 0)


def test_a_night_writes_what_is_new_and_not_the_whole_history(data_dir: Path) -> None:
    place = Place(data_dir)
    chance = random.Random(0)  # noqa: S311 - the same every time
    text = [chance.randbytes(300_000).hex() for _ in range(4)]  # what zstd cannot make small
    sizes = []
    with History(place, UTC) as history:
        for day in days_from(date(2026, 1, 5), 5):
            rows = [file_of(day, f"{number:040x}", 0, patch=patch) for number, patch in enumerate(text)]
            history.replace(Replacement("commit_files", {}, rows))
            keep(place)
            sizes.append(sum(file.stat().st_size for file in place.files.rglob("*.parquet")))
    assert sizes[-1] < 1.2 * 5 * sizes[0]
    with open_history(data_dir) as reader:
        assert reader.execute("SELECT count(*), count(patch) FROM commit_files").fetchall() == [(20, 20)]


def test_patches_of_some_days_alone_are_let_go(filled: Place) -> None:
    kept = keep(filled, patches_before=DAYS[2])
    assert (kept.patches, kept.days) == (2 * 6, DAYS[:2])
    with open_history(filled.data_dir) as reader:
        states = reader.execute(
            "SELECT day, patch_state, count(patch) FROM commit_files GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert states == [
        (day, "expired" if day in DAYS[:2] else "text", 0 if day in DAYS[:2] else 6) for day in DAYS
    ]
    assert keep(filled, patches_before=DAYS[2]).patches == 0


def test_a_data_folder_that_cannot_be_written_is_said_in_a_line(filled: Place) -> None:
    # Root may write anywhere, and opens no folder as a file all the same.
    filled.lock_path.unlink()
    filled.lock_path.mkdir()
    with pytest.raises(StoreError, match="cannot be written: Is a directory; check data_dir") as raised:
        keep(filled)
    assert "\n" not in str(raised.value)


_KEEP = """
import sys
from pathlib import Path
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
keep(Place(Path(sys.argv[1])))
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_bounded_however_large_the_patches(data_dir: Path) -> None:
    text = random.Random(0).randbytes(3_000_000).hex()  # noqa: S311 - as above
    with History(Place(data_dir), UTC) as history:
        for number, day in enumerate(days_from(date(2026, 1, 5), 40)):
            rows = [file_of(day, f"{number:040x}", 0, patch=f"@@ {number}\n+{text}")]
            history.replace(Replacement("commit_files", {}, rows))
    ran = subprocess.run([sys.executable, "-c", _KEEP, data_dir], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 400_000  # KB, of 240 MB of patches
    with open_history(data_dir) as reader:
        assert reader.execute("SELECT count(*), min(len(patch)) > 6000000 FROM commit_files").fetchall() == [
            (40, True)
        ]
