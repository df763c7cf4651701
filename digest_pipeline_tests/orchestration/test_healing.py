"""The sensors that ask again, over a real history: what they ask for, what they leave to runs, what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from digest_pipeline.compose import open_pipeline
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.failures import runs_since
from digest_pipeline.orchestration.jobs import REANALYSE, REPO_DAYS
from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START, by_repo, range_tags
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline.store.history import Replacement
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.workshop import REPO_STEPS, Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ENGINE, BITS, LAST = "ada/engine", "ada/bits", "ada/last"
DAYS = days_from(FIRST_DAY, 3)
MORNING = datetime(2026, 1, 8, 4, tzinfo=UTC)
LLM = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
SIX_HOURS = timedelta(hours=6)


@pytest.fixture
def engine(tmp_path: Path) -> RepositoryBuilder:
    return small_repository(tmp_path / "engine")


@pytest.fixture
def shop(tmp_path: Path, engine: RepositoryBuilder) -> Workshop:
    """A project of one repo, on the morning after its last day; its data folder is begun."""
    project = Workshop(tmp_path / "project", now=MORNING)
    project.configure(local(ENGINE, engine.path))
    project.begin()
    return project


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def tick(
    shop: Workshop, instance: dg.DagsterInstance, name: str, now: datetime
) -> tuple[list[tuple[str, str]], str]:
    """The ranges that a sensor asks for, and what it says."""
    sensor = next(one for one in build_sensors(shop.settings, now=lambda: now) if one.name == name)
    found = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    requests = found.run_requests or []
    assert len({request.run_key for request in requests}) == len(requests)
    ranges = [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]
    return ranges, found.skip_message or ""


def missing(shop: Workshop, instance: dg.DagsterInstance, now: datetime) -> tuple[list[tuple[str, str]], str]:
    return tick(shop, instance, "missing_partitions", now)


def starts(instance: dg.DagsterInstance, shop: Workshop, days: Sequence[date], *repos: str) -> dg.DagsterRun:
    """A run that has days in its hands."""
    job = build_defs(shop.settings).resolve_job_def(REPO_DAYS)
    run = instance.create_run_for_job(job, tags=dict(range_tags(days[0], days[-1], repos)))
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, run.job_name), run_id=run.run_id
    )
    return run


# --- days that were read, and got no further -------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3], ids=["read", "with files", "analysed"])
def test_a_day_that_got_no_page_is_asked_for_once_its_run_is_over(
    shop: Workshop, instance: dg.DagsterInstance, steps: int
) -> None:
    shop.make(DAYS[:1])
    with shop.pipeline() as pipeline:
        for step in REPO_STEPS[:steps]:
            getattr(pipeline, step)(ENGINE, DAYS[1:])
    asked, why = missing(shop, instance, shop.now + timedelta(hours=1))
    assert (asked, "2 days could not be made" in why) == ([], True)
    asked, _ = missing(shop, instance, shop.now + SIX_HOURS)
    assert asked == [(f"{DAYS[1]}|{ENGINE}", f"{DAYS[2]}|{ENGINE}")]
    starts(instance, shop, DAYS[1:], ENGINE)
    asked, why = missing(shop, instance, shop.now + SIX_HOURS)
    assert (asked, why) == ([], "runs are at 2 missing days")


def test_a_page_whose_day_changed_and_was_not_analysed_is_asked_for(
    shop: Workshop, instance: dg.DagsterInstance, engine: RepositoryBuilder
) -> None:
    shop.make(DAYS)
    assert missing(shop, instance, shop.now + SIX_HOURS) == ([], "no day is missing")
    engine.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    with shop.pipeline() as pipeline:
        pipeline.collect(ENGINE, DAYS[:1])
    asked, _ = missing(shop, instance, shop.now + SIX_HOURS)
    assert asked == [(f"{DAYS[0]}|{ENGINE}", f"{DAYS[0]}|{ENGINE}")]
    shop.make(DAYS[:1])
    assert missing(shop, instance, shop.now + SIX_HOURS) == ([], "no day is missing")


def test_another_language_is_no_reason_to_make_all_days_anew(
    shop: Workshop, instance: dg.DagsterInstance, engine: RepositoryBuilder
) -> None:
    shop.make(DAYS)
    shop.configure(local(ENGINE, engine.path), language="zh")
    assert missing(shop, instance, shop.now + SIX_HOURS) == ([], "no day is missing")


# --- ranges ----------------------------------------------------------------------------------------------


def test_a_range_takes_in_no_repo_that_lies_between(
    shop: Workshop, instance: dg.DagsterInstance, engine: RepositoryBuilder
) -> None:
    shop.configure(*(local(name, engine.path) for name in (ENGINE, BITS, LAST)))
    shop.make(DAYS, BITS, digest=False)
    asked, _ = missing(shop, instance, shop.now)
    assert asked == [(f"{DAYS[0]}|{name}", f"{DAYS[2]}|{name}") for name in (ENGINE, LAST)]

    partitions = build_defs(shop.settings).resolve_assets_def("raw_commits").partitions_def
    assert partitions is not None
    taken = {
        key
        for first, last in asked
        for key in partitions.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
    }
    assert set(by_repo(map(str, taken))) == {ENGINE, LAST}


def test_a_day_in_the_hands_of_another_run_is_not_made_again_because_it_changed(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    shop.make(DAYS[:2])
    engine.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    pipeline = open_pipeline(shop.settings)
    key = f"{DAYS[2]}|{ENGINE}"
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(shop.settings, pipeline=pipeline).resolve_job_def(REPO_DAYS)

        def made() -> set[str]:
            assert job.execute_in_process(instance=instance, partition_key=key).success
            return set(instance.get_materialized_partitions(dg.AssetKey("repo_report")))

        other = starts(instance, shop, DAYS[:1], ENGINE)
        assert made() == {key}
        instance.report_run_failed(other)
        assert made() == {key, f"{DAYS[0]}|{ENGINE}"}
    pipeline.close()


# --- endpoints -------------------------------------------------------------------------------------------


def deferred(shop: Workshop, **more: Any) -> None:  # noqa: ANN401 - columns
    """The commits of the first day, as an outage leaves them, and its endpoint."""
    with shop.pipeline() as pipeline:
        where = {"repo": ENGINE, "first": DAYS[0], "last": DAYS[0]}
        rows = pipeline.history.read("pipeline/analyses_of_days", {**where, "language": "en"})
        waits = {
            "status": "deferred",
            "error_class": "outage",
            "endpoint": "127.0.0.1:9",
            "model": "m",
            "retry_at": shop.now + timedelta(minutes=30),
        }
        kept = [
            {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
            | waits
            for row in rows
        ]
        down = {
            "endpoint": "127.0.0.1:9",
            "model": "m",
            "is_up": False,
            "since": shop.now,
            "error_class": "outage",
            "next_probe_at": shop.now + timedelta(minutes=30),
            "learned": "{}",
            **more,
        }
        pipeline.history.replace(
            Replacement("analyses", {"repo": [ENGINE], "day": DAYS[:1]}, kept),
            Replacement("endpoints", {"model": ["m"]}, [down]),
        )


def test_what_an_outage_left_is_asked_of_whom_the_settings_name_now(
    shop: Workshop, instance: dg.DagsterInstance, engine: RepositoryBuilder
) -> None:
    shop.make(DAYS)
    deferred(shop)

    def asked() -> tuple[list[tuple[str, str]], str]:
        return tick(shop, instance, "failed_analyses", shop.now + timedelta(minutes=1))

    shop.configure(local(ENGINE, engine.path), llm=LLM)
    ranges, why = asked()
    assert (ranges, "127.0.0.1:9 is down" in why) == ([], True)
    with shop.file.open("a", encoding="utf-8") as file:
        file.write('\n[[llm.fallback]]\nbase_url = "http://127.0.0.1:8/v1"\nmodel = "other"\n')
    day = f"{DAYS[0]}|{ENGINE}"
    assert asked() == ([(day, day)], "")
    shop.configure(local(ENGINE, engine.path), llm=LLM | {"model": "another"})
    assert asked() == ([(day, day)], "")


# --- failures of jobs ------------------------------------------------------------------------------------


def test_what_another_job_does_as_well_is_seen_of_runs(shop: Workshop, instance: dg.DagsterInstance) -> None:
    defs = build_defs(shop.settings)
    failed = instance.create_run_for_job(defs.resolve_job_def(REANALYSE))
    instance.report_run_failed(failed, "its process was ended")
    job = defs.resolve_job_def(REPO_DAYS)
    assert job.execute_in_process(instance=instance, partition_key=f"{DAYS[0]}|{ENGINE}").success
    seen, _ = runs_since(instance, datetime(2020, 1, 1, tzinfo=UTC), [])
    assert REANALYSE not in seen.succeeded
    assert seen.does_more[REANALYSE] == (REPO_DAYS,)
    assert seen.succeeded[REPO_DAYS] >= seen.failed[REANALYSE]
