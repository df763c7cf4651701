"""What a process writes is all there, in its order, however little the spool holds and however it is read."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import closing, contextmanager
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest_pipeline.sources.spool import BLOCK_BYTES, Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

CONTENT = bytes(number * number % 251 for number in range(3 * BLOCK_BYTES + 17))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(BLOCK_BYTES // 50, 2 * BLOCK_BYTES), min_size=1, max_size=6))
def test_all_of_it_comes_in_its_order(content: Path, sizes: list[int]) -> None:
    with spooled(content, most=BLOCK_BYTES) as spool:
        assert b"".join(read(spool, sizes)) == CONTENT


def test_who_writes_is_done_before_anybody_reads(content: Path) -> None:
    with spooled(content, most=len(CONTENT)) as spool:
        spool._thread.join(60)
        assert not spool._thread.is_alive()
        assert spool.read(5) == CONTENT[:5]
        assert b"".join(read(spool, [BLOCK_BYTES])) == CONTENT[5:]


def test_no_more_is_held_than_may_be(content: Path) -> None:
    with spooled(content, most=BLOCK_BYTES) as spool:
        with spool._moved:  # who reads fast enough finds nothing waiting
            assert spool._moved.wait_for(lambda: spool._written > 0, 60)
            held = {spool._written}
        for _ in read(spool, [BLOCK_BYTES // 7]):
            held.add(spool._written - spool._taken)
            assert os.fstat(spool._file.fileno()).st_size <= BLOCK_BYTES
    assert 0 < max(held) <= BLOCK_BYTES


@pytest.mark.parametrize("fails", [{0}, {1}, {0, 1, 2}, {*range(10_000)}])
def test_a_full_disk_costs_time_and_nothing_else(
    content: Path, fails: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    pwrite = os.pwrite

    def filling_up(file: int, block: memoryview, start: int) -> int:
        nonlocal writes
        writes += 1
        if writes - 1 not in fails:
            return pwrite(file, block, start)
        if writes % 2:
            raise OSError(28, "No space left on device")
        return pwrite(file, block[:10], start)  # the last bytes that there was room for

    monkeypatch.setattr(os, "pwrite", filling_up)
    with spooled(content, most=BLOCK_BYTES) as spool:
        assert b"".join(read(spool, [65_536])) == CONTENT
    assert writes > len(fails & {0, 1, 2})


def test_the_last_room_on_a_disk_is_left_to_others(content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest_pipeline.sources.spool._LEFT_FREE", 1 << 62)
    with spooled(content, most=BLOCK_BYTES) as spool:
        assert b"".join(read(spool, [65_536])) == CONTENT
        assert os.fstat(spool._file.fileno()).st_size == 0


def test_what_came_before_a_failure_is_given_before_it_is_told(
    content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readv = os.readv
    calls = 0

    def failing(file: int, buffers: Sequence[memoryview]) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(5, "Input/output error")
        return readv(file, [buffers[0][:100]])

    monkeypatch.setattr(os, "readv", failing)
    with spooled(content, most=BLOCK_BYTES) as spool:
        assert spool.read(200) == CONTENT[:100]
        with pytest.raises(OSError, match="Input/output"):
            spool.read(200)


def test_who_stops_reading_leaves_no_thread(content: Path) -> None:
    with spooled(content, most=BLOCK_BYTES) as spool:
        assert spool.read(1) == CONTENT[:1]
    assert [one for one in threading.enumerate() if one.name == "git-spool"] == []


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with CONTENT."""
    file = tmp_path_factory.mktemp("spooled") / "content"
    file.write_bytes(CONTENT)
    return file


@contextmanager
def spooled(content: Path, *, most: int) -> Iterator[Spool]:
    """A spool of what a process writes, which is killed at the end as git is."""
    process = subprocess.Popen(["cat", content], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout, closing(Spool(process.stdout, most)) as spool:
        try:
            yield spool
        finally:
            process.kill()
            process.wait()


def read(spool: Spool, sizes: Iterable[int]) -> Iterator[bytes]:
    """What is left, in pieces of at most these sizes."""
    for size in cycle(sizes):
        block = spool.read(size)
        if not block:
            return
        yield block
