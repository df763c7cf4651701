"""The benchmarks, in small: that they measure what they say, and that what is wrong is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.figures import Figure, missed
from benchmarks.floor import Cost
from benchmarks.growth import PLACES, Growth, Size, figures, run_size
from benchmarks.measure import Measured
from benchmarks.onlooker import LOOKS
from benchmarks.page import BEGINNING, END, Run, updated
from benchmarks.repository import Span, ask_git
from benchmarks.writer import DAYS, ZONE, Task, content, day_of, replacements, versions
from benchmarks.writers import kill_at_random, write_at_once
from digest_pipeline.store import check as check_module
from digest_pipeline.store.content import tables_of
from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.project import FIRST_DAY, small_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def told(tmp_path: Path) -> Task:
    """An empty history to write into."""
    task = Task(Place(tmp_path / "data"), seed=7)
    History(task.place, ZONE).close()
    return task


def test_writers_and_readers_at_once_fail_nowhere_and_lose_nothing(told: Task, tmp_path: Path) -> None:
    minute = write_at_once(told, range(1, 3), 1.0, tmp_path, hows=list(LOOKS))

    assert (minute.failures, minute.lost) == ([], [])
    assert {seen.how for seen in minute.seen} == set(LOOKS)
    assert minute.share(50) <= minute.share(95) <= minute.share(100) == max(minute.writes)


def test_a_killed_writer_leaves_a_whole_write_or_none(told: Task, tmp_path: Path) -> None:
    killed = kill_at_random(told, 2, range(1, 3), tmp_path)

    assert killed.broken == []
    assert killed.kills == 2
    assert killed.landed <= killed.amid <= 2


def test_a_write_that_is_half_there_or_mixed_is_noticed(told: Task) -> None:
    day = day_of(0)
    with History(told.place, ZONE) as history:
        history.replace(*replacements(7, told.repo, day, 1))
        with open_history(told.place, ZONE) as reader:
            assert versions(reader, 7, told.repo) == {0: 1, **dict.fromkeys(range(1, DAYS), 0)}
        history.replace(*replacements(7, told.repo, day, 2)[:-1])
        with (
            open_history(told.place, ZONE) as reader,
            pytest.raises(ValueError, match="not what write 1 brought"),
        ):
            versions(reader, 7, told.repo)
    assert content(7, told.repo, day, 1) == content(7, told.repo, day, 1)


def test_a_history_that_is_written_while_it_is_looked_at_is_whole(
    told: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History(told.place, ZONE) as history:
        history.replace(*replacements(7, told.repo, day_of(0), 1))

        def tables_then_a_write(*where: Any) -> dict[str, list[str]]:  # noqa: ANN401 - as it was called
            history.replace(*replacements(7, told.repo, day_of(0), 2))
            return tables_of(*where)

        monkeypatch.setattr(check_module, "tables_of", tables_then_a_write)

        assert [problem for finding in check_module.check(told.place) for problem in finding.problems] == []


def test_a_lost_write_is_noticed(told: Task, tmp_path: Path) -> None:
    minute = write_at_once(told, range(1, 2), 0.5, tmp_path)
    assert minute.lost == []
    log = tmp_path / "writer-1.log"
    log.write_text(f"{log.read_text()}begin 0 99\ndone 0 99 0.1 0.1\n")

    assert any("not 99" in line for line in write_at_once(told, range(1, 2), 0.0, tmp_path).lost)


def test_a_size_is_one_run_over_several_names_and_its_disk(tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "engine", days=2, commits_per_day=2).path
    span = Span(repository, None, ZoneInfo("UTC"), FIRST_DAY, FIRST_DAY + timedelta(days=1))

    size = run_size(span, ask_git(span), repos=2, site=False)

    assert (size.days, size.repos, size.commits) == (2, 2, 8)
    assert size.measured.wall_seconds > 0
    assert all(size.disk[place] > 0 for place in PLACES if place != "site")
    assert size.after["store"] <= size.disk["store"]


def test_what_grows_is_missed() -> None:
    disk = dict.fromkeys(PLACES, 10**6)
    sizes = tuple(
        Size(
            30 * times,
            1,
            300 * times,
            Measured(1 + 3 * times, 1 + 2 * times, 10**8, 0),
            Cost(times, times),
            disk,
            disk,
        )
        for times in (1, 2, 3)
    )
    names = tuple(replace(size, days=30, repos=size.days // 30) for size in sizes)
    flat = Growth(Measured(1, 1, 10**8, 0), sizes, (sizes[0], sizes[0]), names, sizes)
    heavy = replace(sizes[1], measured=replace(sizes[1].measured, peak_bytes=13 * 10**7))
    slow = replace(sizes[2].measured, cpu_seconds=8.0)

    def missing(growth: Growth) -> list[str]:
        return [one.name for one in missed(figures(growth))]

    assert missing(flat) == []
    assert missing(replace(flat, alike=(sizes[0], heavy, sizes[2]))) == [
        "days that are alike, 60 days: peak memory"
    ]
    assert missing(replace(flat, alike=(*sizes[:2], replace(sizes[2], measured=slow)))) == [
        "days that are alike, from 60 to 90 days: CPU time of a further commit"
    ]
    assert missing(replace(flat, by_days=(*sizes[:2], replace(sizes[2], measured=slow)))) == [
        "from 60 to 90 days: CPU time of a further commit",
        "from 60 to 90 days: CPU time of a further commit, in git's",
    ]

    def peaks(before: int, apart: int, size: int) -> list[str]:
        fewer, alone, more = (
            replace(one, measured=replace(one.measured, peak_bytes=peak * 10**6))
            for one, peak in ((sizes[1], before), (sizes[0], apart), (sizes[2], size))
        )
        return missing(replace(flat, by_days=(sizes[0], fewer, more), apart=(sizes[0], alone)))

    for before, apart in ((100, 110), (110, 100)):
        assert peaks(before, apart, 125) == []
        assert peaks(before, apart, 135) == ["90 days: peak memory"]
    late = replace(sizes[2].measured, wall_seconds=13.0)
    assert missing(replace(flat, by_days=(*sizes[:2], replace(sizes[2], measured=late)))) == [
        "from 60 to 90 days: a further commit"
    ]
    assert missing(replace(flat, start=sizes[0].measured)) == []


def test_the_page_takes_new_figures_for_a_part_and_keeps_the_others() -> None:
    first = Figure.at_most(1.3, "rate", "a | b", 26.0, "s", "ideal", 20.0)
    page = f"# Head\n{BEGINNING}\n{END}\nfoot\n"
    parts = ("writers", "rate")
    run = Run("2026-01-05", "abc", "2 cores", "400 analyses")
    once = updated(page, [first], {"rate": run}, parts)
    twice = updated(once, [Figure.none("writers", "lost", 1)], {"writers": run}, parts)

    assert r"| rate | a \| b | 26 s | ideal | 20 s | 1.30 | at most 1.3 | yes |" in once
    assert twice.index("| writers | lost | 1 |") < twice.index("| rate | a")
    assert "| **no** |" in twice
    assert updated(twice, [first], {"rate": run}, parts) == twice
    assert twice.startswith("# Head\n")
    assert twice.endswith("\nfoot\n")
    with pytest.raises(ValueError, match="no place for figures"):
        updated("# Head\n", [], {}, parts)
