"""`digest heal`: what is missing is made, what waits is asked about once, what runs are at is left to them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.jobs import REPO_DAYS
from digest_pipeline.orchestration.partitions import range_tags
from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGINE = "ada/engine"
DAYS = days_from(FIRST_DAY, 3)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, engine: Path, server: OpenAIServer) -> Workshop:
    """A project of one repo with two commits on each of three days, and a model; nothing is made yet."""
    project = Workshop(tmp_path / "project", now=datetime(2026, 1, 8, 4, tzinfo=UTC))
    project.configure(local(ENGINE, engine), llm={"base_url": server.url, "model": "fake-1", "attempts": 1})
    project.begin()
    return project


def test_days_that_were_read_and_never_analysed_are_made(shop: Workshop, server: OpenAIServer) -> None:
    with shop.pipeline() as pipeline:
        pipeline.collect(ENGINE, DAYS)
        pipeline.diff(ENGINE, DAYS[:1])
    problems = shop.json("status", "--json")["problems"]
    assert f"{ENGINE}: 3 days without a report: 2026-01-05 to 2026-01-07" in problems
    assert f"{ENGINE}: 6 commits without an analysis, nobody was asked" in problems
    ran = shop.digest("heal")
    assert (ran.code, len(ran.lines)) == (0, 6), ran.said
    assert len(server.analyses) == 6
    state = shop.json("status", "--json")
    assert (state["healthy"], state["problems"]) == (True, [])
    again = shop.digest("heal")
    assert (again.code, again.out, "nothing to heal" in again.err) == (0, "", True)
    assert len(server.analyses) == 6


def test_a_commit_is_asked_about_once_in_one_command(shop: Workshop, server: OpenAIServer) -> None:
    server.default = lambda _: openai_server.completion(None, refusal="I would rather not")
    assert shop.digest("heal").code == 0
    assert len(server.analyses) == 6, "what was made just now, in vain, is left for another time"
    assert shop.digest("heal").code == 0
    assert len(server.analyses) == 12, "a person asks again"
    server.default = openai_server.well_formed
    assert shop.digest("heal", "--from", str(DAYS[1])).code == 0
    assert shop.rows("SELECT day, count(*) FROM analyses WHERE status = 'ok' GROUP BY day ORDER BY day") == [
        (day, 2) for day in DAYS[1:]
    ]


def test_weeks_and_months_that_are_over_get_their_pages_once(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pipeline", "compose", "orchestration.runs"):
        monkeypatch.setattr(f"digest_pipeline.{module}.utc_now", lambda: datetime(2026, 1, 12, 4, tzinfo=UTC))
    ran = shop.digest("heal")
    assert [line for line in ran.lines if "weekly" in line] == [
        str(shop.data / "reports/weekly/2026/2026-W02.md")
    ]
    assert "monthly" not in ran.out
    assert "nothing to heal" in shop.digest("heal").err


def test_days_that_the_branch_has_changed_are_made_again_however_far_back(
    shop: Workshop, engine: Path, server: OpenAIServer, tmp_path: Path
) -> None:
    mine = shutil.copytree(engine, tmp_path / "mine")
    shop.configure(
        local(ENGINE, mine),
        llm={"base_url": server.url, "model": "fake-1", "attempts": 1},
        recheck_days=1,
    )
    assert shop.digest("heal").code == 0
    late = RepositoryBuilder(mine)
    late.clock = datetime(2026, 1, 5, 12, tzinfo=UTC)
    late.write("src/late.py", "late = True\n")
    late.commit("feat: come late (#9)")
    ran = shop.digest("heal", "--to", str(DAYS[1]))
    assert (ran.code, [line.rpartition("/")[2] for line in ran.lines]) == (0, [f"{DAYS[0]}.md"] * 2), ran.said
    assert "come late" in shop.page(ENGINE, DAYS[0])
    assert len(server.analyses) == 7
    assert "nothing to heal" in shop.digest("heal").err
    # Who cannot be asked is told, and costs nothing else.
    mine.rename(mine.with_name("away"))
    ran = shop.digest("heal")
    assert (ran.code, "not compared with its branch" in ran.err) == (0, True), ran.said
    assert "nothing to heal" not in ran.err, "what could not be looked at may be there"


def test_what_a_run_is_at_is_left_to_it(shop: Workshop, server: OpenAIServer) -> None:
    with open_instance(shop.data, {}) as instance:
        job = build_defs(shop.settings).resolve_job_def(REPO_DAYS)
        tags = dict(range_tags(DAYS[0], DAYS[1], [ENGINE]))
        run = instance.create_run_for_job(job, tags=tags)
        started = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, run.job_name)
        instance.report_dagster_event(started, run_id=run.run_id)
    ran = shop.digest("heal")
    assert ran.code == 0, ran.said
    assert "2 days left to runs that are under way" in ran.err
    assert len(server.analyses) == 2
    assert shop.rows("SELECT DISTINCT day FROM analyses") == [(DAYS[2],)]
