"""The week of the recorded day of ai-dynamo/dynamo: its page, made again, and the committed ones."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.domain.period import Month, Week
from digest_pipeline_tests.render.reading import anchors, every, headings, parse, rows
from digest_pipeline_tests.test_seed_day import LANGUAGES, SEED, Day

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.pipeline import Pipeline
    from digest_pipeline_tests.conftest import Golden

WEEK = Week.of(SEED.day)
NOW = datetime(2026, 2, 23, 2, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="module", params=LANGUAGES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """The week in each language; of the recorded repository, all its commits lie on its Saturday."""
    language: Language = request.param
    week = Day(tmp_path_factory.mktemp(f"week-{language}"), language)
    week.settings = week.settings.model_copy(update={"first_day": date(2026, 2, 17)})

    def roll(pipeline: Pipeline) -> None:
        assert pipeline.rollup([WEEK, Month(2026, 2)]).failed == {}

    week.run(days=[day for day in WEEK.days() if day.day > 18], now=NOW, read=roll)
    return week


def page(week: Day) -> str:
    return (week.settings.data_dir / WEEK.path).read_bytes().decode()


def test_the_page_of_the_week_is_the_committed_one(made: Day, golden: Golden) -> None:
    golden(f"reports/weekly_2026-W08.{made.settings.language}.md", page(made))


def test_every_link_leads_to_a_commits_section_on_its_days_page(made: Day) -> None:
    links = [
        unquote(str(token.attrGet("href"))).partition("#")
        for token in every(parse(page(made)))
        if token.type == "link_open"
    ]
    assert len(links) > len([sha for sha, tier in SEED.tiers.items() if tier == "high"])
    for file, _, anchor in links:
        target = (
            (made.settings.data_dir / WEEK.path).parent / file if file else made.settings.data_dir / WEEK.path
        )
        assert anchor in anchors(parse(target.read_text(encoding="utf-8")))


def test_the_week_names_its_day_its_counts_and_what_is_missing(made: Day) -> None:
    text = page(made)
    assert (
        "[ai-dynamo/dynamo](#ai-dynamo~dynamo) | 4 of 6 | 19 | 8 | 9 | 2 |".replace(
            " of ", " / " if made.settings.language == "zh" else " of "
        )
        in text
    )
    assert "02-17 – 02-18" in text
    assert [level for level, _ in headings(parse(text))][:3] == [1, 2, 2]
    assert [len(cells) for cells in rows(text)][:7] == [7, *[6] * 6]
