"""The daemon's part: readers' pages follow the digest, pages follow to channels, and neither is asked for twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from digest_pipeline.domain.delivery import WAITS
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.project import days_from, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = days_from(date(2026, 1, 5), 3)
NOW = datetime(2026, 1, 8, 3, tzinfo=UTC)
TEAM = {"name": "team", "kind": "apprise", "url_env": "TEAM_URL"}
INFRA = {"name": "infra", "paths": ["src/part5.py"], "channels": ["team"]}


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with Listener() as opened:
        monkeypatch.setenv("TEAM_URL", opened.apprise_url("tOken-1"))
        yield opened


@pytest.fixture
def shop(tmp_path: Path, listener: Listener) -> Workshop:
    """Its days are made, but for the readers' pages."""
    shop = Workshop(tmp_path / "project", now=NOW)
    repo = local("ada/engine", small_repository(tmp_path / "engine").path)
    shop.configure(repo)
    shop.make(DAYS)
    shop.configure(repo, readers=[INFRA], channels=[TEAM])
    return shop


def tick(shop: Workshop, name: str, instance: dg.DagsterInstance) -> Any:  # noqa: ANN401 - result or reason
    [sensor] = [one for one in build_sensors(shop.settings, now=lambda: shop.now) if one.name == name]
    with dg.build_sensor_context(instance=instance) as context:
        return sensor(context)


def test_pages_follow_the_digest_and_go_out_once(shop: Workshop, listener: Listener) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        [request] = tick(shop, "stale_readers", instance).run_requests
        assert (
            request.tags["dagster/asset_partition_range_start"],
            request.tags["dagster/asset_partition_range_end"],
        ) == (
            "2026-01-05",
            "2026-01-07",
        )
        with shop.pipeline() as pipeline:
            defs = build_defs(shop.settings, pipeline=pipeline)
            tags = dict(request.tags)
            assert defs.resolve_job_def("readers").execute_in_process(instance=instance, tags=tags).success
            assert "up to date" in tick(shop, "stale_readers", instance).skip_message

            [asked] = tick(shop, "deliveries", instance).run_requests
            assert tick(shop, "deliveries", instance).run_requests[0].run_key == asked.run_key
            assert defs.resolve_job_def("deliver").execute_in_process(instance=instance).success
            assert listener.titles == ["Daily digest of 2026-01-07 for infra"]
            assert "has what is due" in tick(shop, "deliveries", instance).skip_message


def test_a_channel_that_fails_fails_no_run_and_is_asked_for_under_another_key(
    shop: Workshop, listener: Listener
) -> None:
    listener.status = 503
    with dg.DagsterInstance.ephemeral() as instance, shop.pipeline() as pipeline:
        pipeline.reader_pages(DAYS)
        [first] = tick(shop, "deliveries", instance).run_requests
        job = build_defs(shop.settings, pipeline=pipeline).resolve_job_def("deliver")
        assert job.execute_in_process(instance=instance).success
        assert "has what is due" in tick(shop, "deliveries", instance).skip_message
        shop.now += WAITS[0]
        [second] = tick(shop, "deliveries", instance).run_requests
        assert first.run_key != second.run_key


def test_a_digest_that_waits_for_a_repo_waits_to_be_sent_too(shop: Workshop, tmp_path: Path) -> None:
    shop.configure(
        local("ada/engine", tmp_path / "engine"),
        local("ada/later", tmp_path / "engine"),
        channels=[TEAM],
    )
    with shop.pipeline() as pipeline:
        pipeline.digest(DAYS)
    with dg.DagsterInstance.ephemeral() as instance:
        assert "has what is due" in tick(shop, "deliveries", instance).skip_message
        shop.now = NOW + timedelta(hours=6)
        assert len(tick(shop, "deliveries", instance).run_requests) == 1


def test_what_nobody_asked_for_is_not_there(tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "project")
    shop.configure(local("ada/engine", tmp_path))
    defs = build_defs(shop.settings)
    assert {"readers", "deliver"}.isdisjoint(job.name for job in defs.resolve_all_job_defs())
    assert {"stale_readers", "deliveries"}.isdisjoint(sensor.name for sensor in build_sensors(shop.settings))
