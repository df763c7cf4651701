"""What befalls real processes: killed at any moment, four at once beside a reader, and a model that takes its time."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from digest_pipeline import open_history
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, Recorded, Reply
from digest_pipeline_tests.fakes.project import (
    FIRST_DAY,
    assert_no_traceback,
    days_from,
    files_below,
    finished,
    local,
    small_repository,
)
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

DAYS = days_from(FIRST_DAY, 6)
RANGE = ("run", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
START_SECONDS = 60


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits on each of six days."""
    return small_repository(
        tmp_path_factory.mktemp("repositories") / "engine", days=6, commits_per_day=3
    ).path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> tuple[Workshop, float]:
    """The history that a run without faults makes, and how long its process took."""
    shop = Workshop(tmp_path_factory.mktemp("clean"))
    shop.configure(local("ada/engine", engine), local("ada/again", engine))
    began = time.monotonic()
    ran = shop.spawn(*RANGE)
    assert ran.code == 0, ran.said
    return shop, time.monotonic() - began


def kill_when(process: subprocess.Popen[str], happened: Callable[[], Any]) -> None:
    """SIGKILL as soon as `happened` holds, or after the process ended by itself."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and not happened() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=30)


def runs_of(shop: Workshop) -> list[dg.DagsterRunStatus]:
    with open_instance(shop.data, {}) as instance:
        return [run.status for run in instance.get_runs()]


_STAMP = re.compile(r"^> Rendered .*\n", re.MULTILINE)
_HASH = re.compile(r"[0-9a-f]{16,32}")


def unstamped(shop: Workshop) -> dict[str, list[tuple[object, ...]]]:
    """All that the history says, but for when its pages were rendered, and the hashes of those."""
    return {
        table: [
            tuple(
                ""
                if isinstance(cell, str) and _HASH.fullmatch(cell)
                else _STAMP.sub("", cell)
                if isinstance(cell, str)
                else cell
                for cell in row
            )
            for row in rows
        ]
        for table, rows in shop.content().items()
    }


def assert_whole(shop: Workshop, clean: Workshop) -> None:
    """Nothing double, nothing half: the same rows and the same pages as without any fault."""
    assert unstamped(shop) == unstamped(clean)
    pages, expected = (files_below(one.data / "reports") for one in (shop, clean))
    assert {path: _STAMP.sub("", page.decode()) for path, page in pages.items()} == {
        path: _STAMP.sub("", page.decode()) for path, page in expected.items()
    }
    leftovers = [str(file) for file in shop.data.rglob("*") if file.name.endswith((".tmp", ".lock~"))]
    assert leftovers == []


def test_a_run_that_is_killed_at_any_moment_is_made_up_for_by_the_next(
    tmp_path: Path, engine: Path, clean: tuple[Workshop, float]
) -> None:
    whole, seconds = clean
    shop = Workshop(tmp_path)
    shop.configure(local("ada/engine", engine), local("ada/again", engine))
    dice = random.Random(20260221)  # noqa: S311 - moments, no secrets

    def after(delay: float) -> Callable[[], bool]:
        due = time.monotonic() + delay
        return lambda: time.monotonic() > due

    moments: list[Callable[[], Callable[[], Any]]] = [
        lambda: (shop.data / "store/catalog.sqlite").exists,
        lambda: lambda: any((shop.data / "dagster").rglob("*.db")),
        lambda: lambda: any((shop.data / "reports").rglob("*.md")),
        *(lambda: after(dice.uniform(0.5, 1) * seconds) for _ in range(3)),
    ]
    killed = 0
    for moment in moments:
        process = shop.start(*RANGE)
        kill_when(process, moment())
        killed += process.returncode != 0
    assert killed >= 3, "nothing was killed before it was done"

    ran = shop.digest(*RANGE)
    assert_no_traceback(ran)
    assert ran.code == 0, ran.said
    assert len(ran.lines) == 3 * len(DAYS)
    assert_whole(shop, whole)
    statuses = set(runs_of(shop))
    assert dg.DagsterRunStatus.FAILURE in statuses, "the run that was killed with its pages half made"
    assert statuses <= {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def test_a_run_that_is_stopped_by_ctrl_c_says_so_and_is_made_up_for(
    tmp_path: Path, engine: Path, clean: tuple[Workshop, float]
) -> None:
    whole, _ = clean
    shop = Workshop(tmp_path)
    shop.configure(local("ada/engine", engine), local("ada/again", engine))
    process = shop.start(*RANGE)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and not any((shop.data / "reports").rglob("*.md")):
        time.sleep(0.002)
        assert time.monotonic() < deadline
    with suppress(ProcessLookupError):
        process.send_signal(2)
    stopped = finished(process)
    assert "Traceback" not in stopped.err
    assert stopped.code in {0, 130}
    if stopped.code:
        assert stopped.err.endswith(
            "stopped; what was finished is kept, run the same command again to go on\n"
        )
        assert stopped.out == ""
    pages = (shop.data / "reports/daily").rglob("*.md")
    assert not [page for page in pages if "has not been made yet" in page.read_text(encoding="utf-8")]
    ran = shop.digest(*RANGE)
    assert ran.code == 0, ran.said
    assert_whole(shop, whole)
    assert set(runs_of(shop)) <= {
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    }


def test_four_runs_at_once_beside_a_reader_all_succeed(
    tmp_path: Path, engine: Path, clean: tuple[Workshop, float]
) -> None:
    whole, _ = clean
    shop = Workshop(tmp_path)
    shop.configure(local("ada/engine", engine), local("ada/again", engine))
    shop.make(DAYS[:1])
    with open_history(shop.data) as reader:
        held = reader.execute("SELECT repo, sha, message FROM commits ORDER BY ALL")
        assert held.fetchone() is not None
        processes = [shop.start("run", "--day", str(day)) for day in DAYS[1:5]]
        counts = []
        while any(process.poll() is None for process in processes):
            [(count,)] = reader.execute("SELECT count(*) FROM commits").fetchall()
            counts.append(count)
            time.sleep(0.1)
        runs = [finished(process) for process in processes]
        for ran, day in zip(runs, DAYS[1:5], strict=True):
            assert ran.code == 0, ran.said
            assert ran.lines == [
                str(shop.data / f"reports/{name}/2026/{day}.md")
                for name in ("ada/engine", "ada/again", "daily")
            ]
        assert counts == sorted(counts)
        assert reader.execute("SELECT count(*) FROM commits").fetchall() == [(2 * 3 * 5,)]
    # What a day is beside those before it depends on which of them were there: made once more, all are.
    assert shop.digest("run", "--from", str(DAYS[0]), "--to", str(DAYS[4])).code == 0
    expected = {
        table: [row for row in rows if DAYS[5] not in row] for table, rows in unstamped(whole).items()
    }
    assert unstamped(shop) == expected
    assert set(runs_of(shop)) == {dg.DagsterRunStatus.SUCCESS}


def test_runs_that_begin_a_history_together_all_succeed(tmp_path: Path, engine: Path) -> None:
    shop = Workshop(tmp_path)
    shop.configure(local("ada/engine", engine))
    processes = [shop.start("run", "--day", str(day)) for day in DAYS[:3]]
    for ran in [finished(process) for process in processes]:
        assert ran.code == 0, ran.said
    assert shop.rows("SELECT count(*), count(DISTINCT sha) FROM commits") == [(9, 9)]


def test_runs_over_the_same_days_leave_pages_that_say_what_is_stored(tmp_path: Path, engine: Path) -> None:
    shop = Workshop(tmp_path)
    shop.configure(local("ada/engine", engine))
    processes = [shop.start(*RANGE), shop.start("run", "--from", str(DAYS[2]), "--to", str(DAYS[5]))]
    for ran in [finished(process) for process in processes]:
        assert ran.code == 0, ran.said
    assert shop.rows("SELECT count(*), count(DISTINCT sha) FROM commits") == [(18, 18)]
    assert shop.rows("SELECT count(*), count(DISTINCT day) FROM reports") == [(6, 6)]
    for path, markdown in shop.rows(
        "SELECT path, markdown FROM reports UNION ALL SELECT path, markdown FROM digests"
    ):
        assert (shop.data / path).read_text(encoding="utf-8") == markdown


def test_of_a_run_that_is_killed_no_answer_is_paid_for_twice(tmp_path: Path, engine: Path) -> None:
    shop = Workshop(tmp_path)
    hangs, over = threading.Event(), threading.Event()

    def reply(request: Recorded) -> Reply:
        if len(server.analyses) == 5 and not over.is_set():
            hangs.set()
            over.wait(START_SECONDS)
        return openai_server.well_formed(request)

    with OpenAIServer(reply) as server:
        llm = {"base_url": server.url, "model": "fake-1", "concurrency": 1}
        shop.configure(local("ada/engine", engine), llm=llm)
        kill_when(shop.start(*RANGE), hangs.is_set)
        over.set()
        assert (
            shop.rows("SELECT count(*) FROM analyses") < shop.rows("SELECT count(*) FROM answers") == [(4,)]
        )

        assert shop.digest(*RANGE).code == 0
        asked = Counter(
            re.findall(r"^Commit: (\w+)$", "\n".join(one.user for one in server.requests), re.MULTILINE)
        )
    assert sorted(asked.values()) == [1] * 17 + [2], "only the one that was under way is asked about again"
    assert shop.rows("SELECT status, count(*) FROM analyses GROUP BY ALL") == [("ok", 18)]


def test_nineteen_commits_and_a_slow_model_are_asked_eight_at_a_time(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine", clock=datetime(2026, 1, 5, 1, tzinfo=UTC))
    for number in range(19):
        builder.write(f"part{number}.py", f"x = {number}\n")
        builder.commit(
            f"{('feat', 'fix', 'docs')[number % 3]}: part {number} (#{number})",
            committed_at=datetime(2026, 1, 5, 1, number, tzinfo=UTC),
        )
    shop = Workshop(tmp_path / "project")
    with OpenAIServer(lambda request: openai_server.well_formed(request).after(0.2)) as server:
        shop.configure(
            local("ada/engine", builder.path), llm={"base_url": server.url, "model": "slow", "concurrency": 8}
        )
        shop.make(DAYS[:1])
        assert len(server.analyses) == 19
        assert 4 < server.most_at_once <= 8
    assert shop.failed == {}
    assert shop.rows("SELECT status, count(*) FROM analyses GROUP BY ALL") == [("ok", 19)]
    page = shop.page("ada/engine", FIRST_DAY)
    assert "19 commits seen, 19 analysed, 0 failed, 0 deferred" in page
    assert page.count("change_type") == 19
