"""Patches are let go when they are old: pages and analyses stay what they are, also where a day is made again."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from digest_pipeline.pipeline import analyse
from digest_pipeline.pipeline.read_again import read_again
from digest_pipeline.store.check import check
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import pytest

    from digest_pipeline.pipeline import Workbench
    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
    from digest_pipeline_tests.fakes.workshop import Workshop

DAYS = days_from(FIRST_DAY, 3)
NAME = "ada/engine"
STATES = "SELECT day, patch_state, count(*), count(patch) FROM commit_files GROUP BY ALL ORDER BY ALL"


def upkeep(shop: Workshop) -> dict[str, int]:
    with shop.pipeline() as pipeline:
        return pipeline.upkeep().counts()


def keep_for(shop: Workshop, days: int | None, engine: Path) -> None:
    """`keep_patches_days` with the clock two days after the last one of `DAYS`."""
    shop.configure(local(NAME, engine))
    if days is not None:
        with shop.file.open("a", encoding="utf-8") as file:
            file.write(f"\n[store]\nkeep_patches_days = {days}\n")
    shop.now = datetime.combine(DAYS[-1] + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)


def test_patches_older_than_the_setting_are_let_go_and_the_rest_stays(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    engine.clock = datetime(2026, 1, 5, 20, tzinfo=UTC)
    engine.write("picture.bin", b"\x00\x01")
    engine.commit("chore: a picture")
    keep_for(workshop, None, engine.path)
    workshop.make(DAYS)
    before = workshop.content()
    assert upkeep(workshop)["patches_let_go"] == 0
    assert workshop.content() == before
    keep_for(workshop, 2, engine.path)
    counts = upkeep(workshop)
    assert (counts["patches_let_go"], counts["days_let_go"]) == (2, 1)
    assert workshop.rows(STATES) == [
        (DAYS[0], "binary", 1, 0),
        (DAYS[0], "expired", 2, 0),
        (DAYS[1], "text", 2, 2),
        (DAYS[2], "text", 2, 2),
    ]
    after = workshop.content()
    assert {table for table in before if before[table] != after[table]} == {"commit_files"}
    assert [row[:9] for row in after["commit_files"]] == [row[:9] for row in before["commit_files"]]
    assert upkeep(workshop)["patches_let_go"] == 0
    assert workshop.content() == after
    assert workshop.rows("SELECT count(*) FROM commit_sizes WHERE unread_files > 0") == [(0,)]
    assert [one for one in check(Place(workshop.data), deep=True) if one.problems] == []


def test_a_day_that_is_made_again_says_the_same_and_has_its_patches_for_it(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    engine.clock = datetime(2026, 1, 5, 20, tzinfo=UTC)
    engine.write("src/api.py", "def offered():\n    return 1\n")
    engine.commit("feat: offer it")
    engine.clock = datetime(2026, 1, 6, 20, tzinfo=UTC)
    # What the offline analyst says of it stands in its patch alone.
    engine.write("src/api.py", "def another():\n    return 1\n# this is deprecated\n")
    engine.commit("refactor: tidy up")
    keep_for(workshop, 1, engine.path)
    workshop.make(DAYS)
    said = workshop.table("analyses", without=("analysed_at",))
    assert any("offered" in str(row) for row in said)
    pages = files_below(workshop.data / "reports")
    assert upkeep(workshop)["days_let_go"] == 2
    gone = workshop.content()["commit_files"]
    workshop.make(DAYS)
    assert workshop.failed == {}
    assert workshop.table("analyses", without=("analysed_at",)) == said
    assert files_below(workshop.data / "reports") == pages
    assert workshop.rows("SELECT DISTINCT patch_state FROM commit_files") == [("text",)]
    upkeep(workshop)
    assert workshop.content()["commit_files"] == gone


def test_where_the_repository_is_gone_what_was_said_stays(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    keep_for(workshop, 1, engine.path)
    workshop.make(DAYS)
    upkeep(workshop)
    before = workshop.content()
    pages = files_below(workshop.data / "reports")
    shutil.move(engine.path, engine.path.with_name("elsewhere"))
    with workshop.pipeline() as pipeline:
        assert pipeline.analyse(NAME, DAYS).failed == {}
        assert pipeline.report(NAME, DAYS).failed == {}
    after = workshop.content()
    assert after["analyses"] == before["analyses"]
    assert files_below(workshop.data / "reports") == pages
    # In another language nothing was said yet: that day waits for its patches, and no page is made without them.
    workshop.configure(local(NAME, engine.path), language="zh")
    with workshop.pipeline() as pipeline:
        assert set(pipeline.analyse(NAME, DAYS).failed) == set(DAYS[:2])
    assert {row[0] for row in workshop.rows("SELECT day FROM analyses WHERE language = 'zh'")} == {DAYS[2]}


def test_a_model_is_shown_the_patch_that_was_let_go_and_paid_answers_need_none(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    with OpenAIServer() as server:
        keep_for(workshop, 1, engine.path)
        workshop.make(DAYS)
        upkeep(workshop)
        workshop.configure(local(NAME, engine.path), llm={"base_url": server.url, "model": "some"})
        workshop.make(DAYS)
        assert workshop.failed == {}
        asked = [request.user for request in server.analyses]
        assert any("def part1():" in text for text in asked)
        count = len(asked)
        keep_for(workshop, 1, engine.path)
        upkeep(workshop)
        gone = workshop.rows(STATES)
        assert any(row[1] == "expired" for row in gone)
        workshop.configure(local(NAME, engine.path), llm={"base_url": server.url, "model": "some"})
        workshop.make(DAYS)
        assert len(server.analyses) == count
        # Nobody needed them: nothing was read again.
        assert workshop.rows(STATES) == gone


def test_upkeep_between_reading_again_and_asking_hides_no_patch_from_a_model(
    workshop: Workshop, engine: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_for(workshop, 1, engine.path)
    workshop.make(DAYS)
    read = analyse._files

    def after_upkeep(bench: Workbench, repo: str, commits: Sequence[Any]) -> dict[str, list[Any]]:
        keep(Place(workshop.data), patches_before=DAYS[-1])
        return read(bench, repo, commits)

    monkeypatch.setattr(analyse, "_files", after_upkeep)
    with OpenAIServer() as server:
        workshop.configure(local(NAME, engine.path), llm={"base_url": server.url, "model": "some"})
        workshop.make(DAYS)
        assert workshop.failed == {}
        asked = [request.user for request in server.analyses]
        assert any("def part1():" in text for text in asked)
        assert not any("no longer here" in text for text in asked)
        # Where it is not to be had then, nothing is asked blind, and the day is not done.
        workshop.configure(
            local(NAME, engine.path), llm={"base_url": server.url, "model": "some"}, language="zh"
        )
        taken = engine.path.with_name("elsewhere")
        count = len(server.analyses)
        with workshop.pipeline() as pipeline:

            def gone(bench: Workbench, repo: str, commits: Sequence[Any]) -> dict[str, list[Any]]:
                if engine.path.exists():
                    shutil.move(engine.path, taken)
                    shutil.rmtree(workshop.data / "mirrors", ignore_errors=True)
                return after_upkeep(bench, repo, commits)

            monkeypatch.setattr(analyse, "_files", gone)
            assert set(pipeline.analyse(NAME, DAYS).failed) == set(DAYS[:2])
        assert not any("no longer here" in request.user for request in server.analyses[count:])
        assert {row[0] for row in workshop.rows("SELECT day FROM analyses WHERE language = 'zh'")} == {
            DAYS[2]
        }


def test_upkeep_between_reading_again_and_searching_takes_no_fact_away(
    workshop: Workshop, engine: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.clock = datetime(2026, 1, 5, 20, tzinfo=UTC)
    engine.write("src/api.py", "def another():\n    return 1\n# this is deprecated\n")
    engine.commit("refactor: tidy up")
    keep_for(workshop, 1, engine.path)
    workshop.make(DAYS)
    said = workshop.table("analyses", without=("analysed_at",))
    assert any("deprecated" in str(row) for row in said)
    upkeep(workshop)
    comes = [1]

    def then_upkeep(bench: Workbench, repo: str, days: Sequence[date], is_needed: Any) -> dict[Any, Any]:  # noqa: ANN401
        failed = read_again(bench, repo, days, is_needed)
        if comes and comes.pop():
            keep(Place(workshop.data), patches_before=DAYS[-1])
        return failed

    monkeypatch.setattr(analyse, "read_again", then_upkeep)
    workshop.make(DAYS)
    assert (workshop.failed, comes) == ({}, [])
    assert workshop.table("analyses", without=("analysed_at",)) == said


def test_an_incomplete_patch_is_let_go_too_and_read_again_for_a_model(
    workshop: Workshop, engine: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest_pipeline.sources.git_diff.MAX_PATCH_BYTES", 30)
    keep_for(workshop, 1, engine.path)
    workshop.make(DAYS)
    cut = [row for row in workshop.rows(STATES) if row[1] == "incomplete"]
    assert cut
    assert upkeep(workshop)["patches_let_go"] > 0
    assert workshop.rows("SELECT DISTINCT patch FROM commit_files WHERE day < '2026-01-07'") == [("",)]
    assert [row for row in workshop.rows(STATES) if row[1] == "incomplete"] == cut
    assert upkeep(workshop)["patches_let_go"] == 0
    with OpenAIServer() as server:
        workshop.configure(local(NAME, engine.path), llm={"base_url": server.url, "model": "some"})
        with workshop.pipeline() as pipeline:
            assert pipeline.analyse(NAME, DAYS).failed == {}
        assert all("\n@@ " in request.user for request in server.analyses)
