"""Weeks and months from stored days: files, rows, what changes them, and what does not."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from digest_pipeline.domain.period import Month, Period, Week
from digest_pipeline_tests.fakes.project import DEAD_URL, FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop
from digest_pipeline_tests.render.reading import anchors, every, parse

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline.pipeline.rollup import RollupResult

ENGINE = "ada/engine"
WEEK, NEXT, MONTH = Week(2026, 2), Week(2026, 3), Month(2026, 1)
DAYS = days_from(FIRST_DAY, 14)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, RepositoryBuilder]:
    """Two weeks of a repository: six small commits, a large one on Friday, and its revert on Monday."""
    folder = tmp_path_factory.mktemp("two weeks")
    engine = small_repository(folder / "engine")
    engine.write("src/gate.py", "".join(f"line = {number}\n" for number in range(600)))
    sha = engine.commit("feat: a gate (#40)", committed_at=datetime(2026, 1, 9, 9, tzinfo=UTC))
    engine.remove("src/gate.py")
    message = f'Revert "feat: a gate (#40)"\n\nThis reverts commit {sha}.'
    engine.commit(message, committed_at=datetime(2026, 1, 12, 9, tzinfo=UTC))
    shop = Workshop(folder / "project")
    shop.configure(local(ENGINE, engine.path))
    shop.make(DAYS, digest=False)
    rolled(shop, WEEK, NEXT, MONTH)
    return shop, engine


@pytest.fixture
def shop(made: tuple[Workshop, RepositoryBuilder], tmp_path: Path) -> Workshop:
    """The same, for a test that goes on with it."""
    shutil.copytree(made[0].folder, tmp_path / "project")
    return Workshop(tmp_path / "project", now=made[0].now)


@pytest.fixture
def engine(made: tuple[Workshop, RepositoryBuilder]) -> RepositoryBuilder:
    """Its repository."""
    return made[1]


def rolled(shop: Workshop, *periods: Period) -> RollupResult:
    with shop.pipeline() as pipeline:
        return pipeline.rollup(periods or [WEEK])


def text(shop: Workshop, period: Period = WEEK) -> str:
    return (shop.data / period.path).read_text(encoding="utf-8")


def check(shop: Workshop, kind: str = "weekly") -> list[dict[str, object]]:
    where = {"kind": kind, "first": date(2025, 1, 1), "last": date(2027, 1, 1), "language": "en"}
    with shop.pipeline() as pipeline:
        return pipeline.history.read("checks/rollup_links_resolve", where)


def test_a_week_is_one_page_whose_links_lead_to_the_days_commits(
    made: tuple[Workshop, RepositoryBuilder],
) -> None:
    shop, _ = made
    page = text(shop)
    assert page.startswith("# Weekly digest 2026-W02 (2026-01-05 – 2026-01-11)\n")
    links = [
        unquote(str(token.attrGet("href"))).partition("#")
        for token in every(parse(page))
        if token.type == "link_open"
    ]
    assert len(links) >= 7
    for file, _, anchor in links:
        target = (shop.data / WEEK.path).parent / file if file else shop.data / WEEK.path
        assert anchor in anchors(parse(target.read_text(encoding="utf-8"))), file
    row = check(shop)[0]
    assert (row["passed"], row["dead_links"], row["doubled_anchors"]) == (True, 0, 0)
    assert row["links"] == len(set(links))


def test_the_week_before_is_named_where_all_of_it_is_there(made: tuple[Workshop, RepositoryBuilder]) -> None:
    assert "The week before had 7 commits, " in text(made[0], NEXT)
    assert "The week before" not in text(made[0])


def test_a_high_commit_that_was_taken_back_the_week_after_is_news_of_that_week(
    made: tuple[Workshop, RepositoryBuilder],
) -> None:
    shop, _ = made
    told = 'reverted 01-12 by [Revert "feat: a gate (#40)"]'
    assert told not in text(shop)
    for period in (NEXT, MONTH):
        assert told in text(shop, period)
        assert re.search(r"\(it names `[0-9a-f]{7}`\)", text(shop, period))
    assert [row["passed"] for row in check(shop)] == [True, True]


def test_made_again_it_is_the_same_to_the_byte_and_nothing_is_written(shop: Workshop) -> None:
    files = {path: (shop.data / path).stat().st_mtime_ns for path in (WEEK.path, MONTH.path)}
    before, snapshot = shop.table("rollups"), shop.snapshot()
    found = rolled(shop, WEEK, MONTH).done
    assert (found[WEEK]["commits"], found[WEEK]["missing"], found[WEEK]["incomplete"]) == (7, 0, 0)
    assert found[WEEK]["path"] == shop.data / "reports/weekly/2026/2026-W02.md"
    assert shop.table("rollups") == before
    assert shop.written_since(snapshot) == set()
    assert {path: (shop.data / path).stat().st_mtime_ns for path in files} == files


def test_a_day_that_changed_makes_it_another_page_and_its_old_links_dead(
    shop: Workshop, engine: RepositoryBuilder, tmp_path: Path
) -> None:
    moving = RepositoryBuilder(shutil.copytree(engine.path, tmp_path / "moving"))
    shop.configure(local(ENGINE, moving.path))
    inputs = shop.rows("SELECT period, inputs FROM rollups ORDER BY period")
    moving.git("reset", "--quiet", "--hard", "HEAD~2")  # the gate and its revert
    shop.make(DAYS[4:8], digest=False)
    assert [row["passed"] for row in check(shop)] == [False, False]
    rolled(shop, WEEK, NEXT, MONTH)
    assert [row["passed"] for row in check(shop)] == [True, True]
    assert "6 commits" in text(shop)
    assert "a gate" not in text(shop) + text(shop, NEXT) + text(shop, MONTH)
    now = shop.rows("SELECT period, inputs FROM rollups ORDER BY period")
    assert [(one[0] == other[0], one[1] == other[1]) for one, other in zip(inputs, now, strict=True)] == [
        (True, False)
    ] * 3


def test_a_week_under_way_says_so_and_another_thing_once_it_is_over(shop: Workshop) -> None:
    later, shop.now = shop.now, datetime(2026, 1, 14, 6, tzinfo=UTC)
    rolled(shop, NEXT)
    assert "these are its days up to 2026-01-13" in text(shop, NEXT)
    assert "2 of 2" in text(shop, NEXT)
    shop.now = later
    rolled(shop, NEXT)
    assert "So far" not in text(shop, NEXT)
    assert "7 of 7" in text(shop, NEXT)


def test_what_is_missing_and_what_could_not_be_read_are_told_apart(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    shop.configure(local(ENGINE, engine.path), {"name": "bad/dead", "url": DEAD_URL})
    shop.make(DAYS[:1], "bad/dead", digest=False)
    found = rolled(shop).done[WEEK]
    page = text(shop)
    assert (found["repos"], found["missing"]) == (2, 7)
    assert "Not made, or not to the end: 01-06 – 01-11" in page
    assert re.search(r"Could not be read: 01-05: bad/dead: ", page)
    assert "No commits" not in page


def test_a_repo_that_left_the_settings_keeps_its_place(shop: Workshop, engine: RepositoryBuilder) -> None:
    shop.configure(local("ada/other", engine.path))
    rolled(shop)
    page = text(shop)
    assert page.index("## ada/other") < page.index("## ada/engine")
    assert "| [ada/engine](#ada~engine) | 7 of 7 | 7 |" in page
    assert check(shop)[0]["passed"]


def test_a_period_without_any_day_fails_and_says_what_to_do(shop: Workshop) -> None:
    shop.now = datetime(2026, 2, 1, tzinfo=UTC)
    found = rolled(shop, WEEK, Week(2026, 4))
    assert list(found.done) == [WEEK]
    [(period, error)] = found.failed.items()
    assert period == Week(2026, 4)
    assert str(error) == (
        "no day of 2026-W04 is made yet; `digest run --from 2026-01-19 --to 2026-01-25` makes them"
    )
    assert not (shop.data / period.path).exists()


def test_days_before_the_first_are_no_part_of_it(shop: Workshop, engine: RepositoryBuilder) -> None:
    shop.configure(local(ENGINE, engine.path), first_day=DAYS[2])
    found = rolled(shop).done[WEEK]
    assert (found["commits"], found["missing"]) == (3, 0)
    assert "5 of 5" in text(shop)


def test_both_languages_stand_beside_each_other_in_the_history(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    shop.configure(local(ENGINE, engine.path), language="zh")
    shop.make(DAYS[:3], digest=False)
    rolled(shop)
    assert "每周更新报告" in text(shop)
    languages = "SELECT language FROM rollups WHERE period = '2026-W02' ORDER BY language"
    assert shop.rows(languages) == [("en",), ("zh",)]
