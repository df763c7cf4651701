"""Weeks and months in Dagster: partitions, runs with metadata and checks, and the sensor that asks for them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from digest_pipeline.compose import open_pipeline
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.failures import runs_since
from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ENGINE = "ada/engine"
DAYS = days_from(FIRST_DAY, 14)
SILENT: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MONDAY = datetime(2026, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two weeks, without rollups."""
    folder = tmp_path_factory.mktemp("two weeks")
    shop = Workshop(folder / "project")
    shop.configure(local(ENGINE, small_repository(folder / "engine").path))
    shop.make(DAYS, digest=False)
    return shop


@pytest.fixture
def shop(begun: Workshop, tmp_path: Path) -> Workshop:
    shutil.copytree(begun.folder, tmp_path / "project")
    return Workshop(tmp_path / "project")


@contextmanager
def running(shop: Workshop) -> Iterator[tuple[dg.Definitions, dg.DagsterInstance]]:
    pipeline = open_pipeline(shop.settings)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield build_defs(shop.settings, pipeline=pipeline), instance
    finally:
        pipeline.close()


def execute(
    defs: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    assert request.job_name is not None
    return defs.resolve_job_def(request.job_name).execute_in_process(
        instance=instance, raise_on_error=False, run_config=dict(SILENT), tags=dict(request.tags)
    )


def tick(shop: Workshop, now: datetime) -> tuple[list[dg.RunRequest], str]:
    sensor = next(one for one in build_sensors(shop.settings, now=lambda: now) if one.name == "stale_rollups")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    found = sensor.evaluate_tick(dg.build_sensor_context(definitions=build_defs(shop.settings)))
    return list(found.run_requests or []), found.skip_message or ""


def spans(requests: list[dg.RunRequest]) -> list[tuple[str | None, str, str]]:
    return [(one.job_name, one.tags[RANGE_START], one.tags[RANGE_END]) for one in requests]


def keys(shop: Workshop, asset: str, now: datetime) -> list[str]:
    partitions = build_defs(shop.settings).resolve_assets_def(asset).partitions_def
    assert partitions is not None
    return list(partitions.get_partition_keys(current_time=now))


def test_a_partition_begins_on_monday_or_the_first_where_the_repos_are_read_and_the_last_is_under_way(
    shop: Workshop,
) -> None:
    shop.configure(local(ENGINE, Path("/nowhere")), timezone="Asia/Shanghai", first_day="2026-01-07")
    before, after = datetime(2026, 1, 18, 15, 59, tzinfo=UTC), datetime(2026, 1, 18, 16, tzinfo=UTC)
    assert keys(shop, "weekly_rollup", before) == ["2026-01-05", "2026-01-12"]
    assert keys(shop, "weekly_rollup", after) == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert keys(shop, "monthly_rollup", after) == ["2026-01-01"]


def test_the_sensor_asks_once_the_week_is_over_and_again_when_a_day_changed(shop: Workshop) -> None:
    assert tick(shop, MONDAY - timedelta(seconds=1)) == ([], "all rollups are up to date")
    requests, _ = tick(shop, MONDAY)
    assert spans(requests) == [("weekly_rollups", "2026-01-05", "2026-01-05")]
    later, _ = tick(shop, MONDAY + timedelta(days=7))
    assert spans(later) == [("weekly_rollups", "2026-01-05", "2026-01-12")]
    shop.now = MONDAY + timedelta(days=7)
    with running(shop) as (defs, instance):
        assert execute(defs, instance, later[0]).success
        made = set(instance.get_materialized_partitions(dg.AssetKey("weekly_rollup")))
    assert made == {"2026-01-05", "2026-01-12"}
    assert tick(shop, shop.now) == ([], "all rollups are up to date")

    # A page that changes later makes its week stale again, and the one after, which looks back at it.
    shop.configure(local(ENGINE, Path(shop.settings.repos[0].url or ""), web_url="https://example.org/x"))
    shop.make(DAYS[:1], digest=False)
    again, _ = tick(shop, shop.now)
    assert spans(again) == [("weekly_rollups", "2026-01-05", "2026-01-12")]
    assert again[0].run_key != later[0].run_key
    hour = timedelta(hours=1)
    assert tick(shop, shop.now + hour)[0][0].run_key != again[0].run_key, "a run that died is asked for again"


def test_the_sensor_waits_for_a_day_that_is_missing_until_the_deadline(shop: Workshop) -> None:
    shop.configure(local(ENGINE, Path("/nowhere")), {"name": "bad/dead", "url": "/nowhere"})
    assert tick(shop, MONDAY)[1] == "waiting: 2026-W02 for 2026-01-05 of bad/dead"
    assert spans(tick(shop, MONDAY + timedelta(hours=8))[0]) == [
        ("weekly_rollups", "2026-01-05", "2026-01-05")
    ]


def test_a_run_has_counts_a_preview_and_its_check(shop: Workshop) -> None:
    request = dg.RunRequest(
        job_name="monthly_rollups", tags={RANGE_START: "2026-01-01", RANGE_END: "2026-01-01"}
    )
    with running(shop) as (defs, instance):
        result = execute(defs, instance, request)
        assert result.success
        [event] = result.asset_materializations_for_node("monthly_rollup")
        [check] = result.get_asset_check_evaluations()
    metadata = {name: value.value for name, value in event.metadata.items()}
    path = shop.data / "reports/monthly/2026/2026-01.md"
    assert (metadata["period"], metadata["commits"], metadata["report"]) == ("2026-01", 6, str(path))
    assert metadata["preview"] == path.read_text(encoding="utf-8")
    assert (check.check_name, check.passed, check.partition) == ("rollup_links_resolve", True, "2026-01-01")


def test_an_empty_week_fails_in_a_line_and_leaves_its_neighbour_made(shop: Workshop) -> None:
    request = dg.RunRequest(
        job_name="weekly_rollups", tags={RANGE_START: "2026-01-12", RANGE_END: "2026-01-19"}
    )
    with running(shop) as (defs, instance):
        assert not execute(defs, instance, request).success
        assert set(instance.get_materialized_partitions(dg.AssetKey("weekly_rollup"))) == {"2026-01-12"}
        [failure] = runs_since(instance, datetime(2020, 1, 1, tzinfo=UTC), [])[0].failures
    assert failure.job == "weekly_rollups"
    assert failure.reasons == (
        "no day of 2026-W04 is made yet; `digest run --from 2026-01-19 --to 2026-01-25` makes them",
    )


def test_a_week_knows_the_digests_that_it_is_made_of_those_that_are_not_there_too(shop: Workshop) -> None:
    shop.configure(local(ENGINE, Path("/nowhere")), first_day="2026-01-07")
    defs = build_defs(shop.settings)
    weeks, days = (defs.resolve_assets_def(name).partitions_def for name in ("weekly_rollup", "daily_digest"))
    assert weeks is not None
    assert days is not None
    mapping = defs.resolve_assets_def("weekly_rollup").get_partition_mapping_for_dep(
        dg.AssetKey("daily_digest")
    )
    assert mapping is not None
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        weeks.empty_subset().with_partition_keys(["2026-01-05"]), weeks, days, current_time=MONDAY
    )
    assert list(found.partitions_subset.get_partition_keys()) == [str(day) for day in DAYS[2:7]]
