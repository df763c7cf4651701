"""Readers' pages over a real history: each has what is theirs, in their language, and nothing is written twice."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.store.history import Replacement
from digest_pipeline_tests.fakes.project import DEAD_URL, days_from, files_below, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "ada/engine"
DAYS = days_from(date(2026, 1, 5), 3)
# Of `small_repository`: day n has part 2n-1 and part 2n.
INFRA = {"name": "infra", "paths": ["src/part1.py", "src/part4.py"], "edition": "brief", "language": "en"}
ROUTING = {"name": "路由", "keywords": ["part"], "min_tier": "medium"}
NOBODY = {"name": "nobody", "paths": ["nowhere/**"]}
WAITING = {"name": "waiting", "paths": ["nowhere/**"], "when_empty": "line"}


READERS = [INFRA, ROUTING, NOBODY, WAITING]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository and a project whose days are made: done once, and copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    engine = small_repository(folder / "engine")
    shop = Workshop(folder / "project")
    shop.configure(local(ENGINE, engine.path), language="zh", readers=READERS)
    shop.make(DAYS)
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Workshop:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    shop = Workshop(tmp_path / "project")
    shop.configure(local(ENGINE, tmp_path / "engine"), language="zh", readers=READERS)
    return shop


@pytest.fixture
def engine(shop: Workshop) -> RepositoryBuilder:
    return RepositoryBuilder(shop.folder.parent / "engine")


def theirs(shop: Workshop, name: str) -> dict[str, str]:
    folder = shop.data / "reports" / "readers" / name / "2026"
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))}


def test_each_reader_gets_what_is_theirs_in_their_language(shop: Workshop) -> None:
    infra = theirs(shop, "infra")
    assert [*infra] == ["2026-01-05", "2026-01-06"]
    assert "# Digest for infra (2026-01-05)" in infra["2026-01-05"]
    assert "1 commit" in infra["2026-01-05"]
    assert "| Committed |" not in infra["2026-01-05"]
    routing = theirs(shop, "路由")
    assert [*routing] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert "| 提交时间 |" in routing["2026-01-05"]
    assert "docs:" not in routing["2026-01-05"]
    for text in [*infra.values(), *routing.values()]:
        anchors = re.findall(r'<a id="([^"]+)">', text)
        assert len(anchors) == len(set(anchors))
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)
    # Facts cost nothing: the English page has them in English, and does not excuse itself.
    assert "变更" not in infra["2026-01-05"]
    assert "another language" not in infra["2026-01-05"]


def test_a_reader_for_whom_nothing_was_theirs_gets_nothing_or_one_line(shop: Workshop) -> None:
    assert theirs(shop, "nobody") == {}
    lines = theirs(shop, "waiting")
    assert [*lines] == [day.isoformat() for day in DAYS]
    assert all(len(text.splitlines()) == 3 for text in lines.values())


def test_a_page_says_when_it_was_rendered_and_one_that_says_the_same_keeps_its_time(shop: Workshop) -> None:
    rendered = dict(
        shop.rows(
            "SELECT day::VARCHAR, rendered_at FROM reader_pages WHERE reader = 'infra' AND path IS NOT NULL"
        )
    )
    before = theirs(shop, "infra")
    for day, text in before.items():
        assert f"> Rendered {rendered[day].astimezone(UTC):%Y-%m-%d %H:%M}\n" in text
    shop.now += timedelta(days=1)
    with shop.pipeline() as pipeline:
        pipeline.reader_pages(DAYS)
    assert theirs(shop, "infra") == before


def test_doing_it_again_changes_nothing(shop: Workshop) -> None:
    before, files = shop.table("reader_pages"), files_below(shop.data / "reports")
    snapshot = shop.snapshot()
    with shop.pipeline() as pipeline:
        pipeline.reader_pages(DAYS)
    assert shop.table("reader_pages") == before
    assert files_below(shop.data / "reports") == files
    assert shop.written_since(snapshot) == set()


def test_a_day_that_changes_makes_another_page_that_says_when(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    engine.clock = datetime(2026, 1, 7, 20, tzinfo=UTC)
    engine.write("src/part4.py", "late = True\n")
    engine.commit("fix: late part (#9)")
    shop.make(DAYS[2:])
    assert "1 commit" in theirs(shop, "infra")["2026-01-07"]
    updated = shop.rows(
        "SELECT reader, updated_at IS NOT NULL FROM reader_pages WHERE day = '2026-01-07' ORDER BY 1"
    )
    assert dict(updated) == {"infra": False, "nobody": False, "waiting": False, "路由": True}
    assert "更新" in theirs(shop, "路由")["2026-01-07"]


def test_a_page_of_which_nothing_is_left_says_so(shop: Workshop, engine: RepositoryBuilder) -> None:
    shop.configure(local(ENGINE, engine.path), language="zh", readers=[{**INFRA, "paths": ["nowhere/**"]}])
    with shop.pipeline() as pipeline:
        pipeline.reader_pages(DAYS)
    assert "Nothing of this day was for infra." in theirs(shop, "infra")["2026-01-05"]


def test_a_repo_that_could_not_be_read_is_told_and_never_taken_for_a_quiet_one(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    readers = [INFRA, {**NOBODY, "repos": ["bad/*"]}, {**NOBODY, "name": "calm", "repos": [ENGINE]}]
    dead = {"name": "bad/dead", "url": DEAD_URL}
    shop.configure(local(ENGINE, engine.path), dead, language="zh", readers=readers)
    shop.make(DAYS[:1])
    assert "bad/dead could not be read" in theirs(shop, "infra")["2026-01-05"]
    assert "bad/dead 无法读取" in theirs(shop, "nobody")["2026-01-05"]
    assert theirs(shop, "calm") == {}


def test_analyses_that_are_there_in_another_language_alone_are_told(shop: Workshop) -> None:
    with shop.pipeline() as pipeline:
        rows = pipeline.history.read(
            "pipeline/analyses_of_days", {"repo": ENGINE, "first": DAYS[0], "last": DAYS[0], "language": "zh"}
        )
        paid = [{**row, "analyst": "openai", "model": "m"} for row in rows]
        paid = [{**row, "analysed_at": row["analysed_at"].isoformat()} for row in paid]
        pipeline.history.replace(Replacement("analyses", {"repo": [ENGINE], "day": [DAYS[0]]}, paid))
        pipeline.reader_pages(DAYS[:1])
    assert "1 of 1 analyses are in another language" in theirs(shop, "infra")["2026-01-05"]
