"""A team's installation, live: PostgreSQL, a broker, webserver, daemon, code location, and two workers."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.openai_server import OpenAIServer, well_formed
from digest_pipeline_tests.fakes.postgres import PASSWORD as POSTGRES_WORD
from digest_pipeline_tests.fakes.postgres import postgres_server
from digest_pipeline_tests.fakes.project import FIRST_DAY, Project, days_from, local, small_repository
from digest_pipeline_tests.fakes.redis import PASSWORD as BROKER_WORD
from digest_pipeline_tests.fakes.redis import redis_server
from digest_pipeline_tests.fakes.team import STEPS, Team, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline_tests.fakes.openai_server import Recorded, Reply
    from digest_pipeline_tests.fakes.postgres import PostgresServer
    from digest_pipeline_tests.fakes.redis import RedisServer

__all__ = ["postgres_server", "redis_server"]  # fixtures

DAYS = days_from(FIRST_DAY, 7)
REPOS = ("ada/engine", "ada/loom")
FASTER = {
    "run_launcher": {"config": {"lost_after_seconds": 10}},
    "run_monitoring": {"poll_interval_seconds": 1, "free_slots_after_run_end_seconds": 1},
}

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]


def test_a_week_is_made_once_though_one_of_two_workers_is_killed(
    tmp_path: Path, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    go_on = threading.Event()

    def answer(request: Recorded) -> Reply:
        # Both workers are in the middle of their runs until one of them has been killed.
        go_on.wait(180)
        return well_formed(request)

    for name in REPOS:
        small_repository(tmp_path / name, days=len(DAYS), commits_per_day=1)
    project = Project(tmp_path)
    with OpenAIServer(answer) as model, closing(Team(project, {}, FASTER)) as team:
        project.configure(
            *(local(name, tmp_path / name) for name in REPOS),
            llm={"base_url": model.url, "model": "fake", "timeout_seconds": 200},
            store={"catalog_url_env": "DIGEST_CATALOG_URL", "data_url": str(tmp_path / "history")},
        )
        team.environment = {
            "DIGEST_INSTANCE_POSTGRES_URL": postgres_server.create_database(),
            "DIGEST_CATALOG_URL": postgres_server.create_database(),
            "DIGEST_CELERY_BROKER_URL": redis_server.url,
        }
        team.start_worker("one")
        team.start_worker("two")
        team.start("code")
        team.start("webserver")
        wait_until(team.is_up, 120, "the web UI was up")
        team.stop_sensors()
        team.launch_backfill(f"{DAYS[0]}|{REPOS[0]}", f"{DAYS[-1]}|{REPOS[-1]}")
        team.start("daemon")
        wait_until(lambda: workers_of(team, "STARTED") == ["one", "two"], 120, "each worker had a run")
        wait_until(lambda: len(model.requests) >= 2, 60, "both were analysing")
        team.kill("one")
        go_on.set()
        wait_until(lambda: statuses(team) == {"SUCCESS": 2, "FAILURE": 1}, 120, "all was made")

        keys = sorted(f"{day}|{repo}" for day in DAYS for repo in REPOS)
        for asset in STEPS:
            assert team.partitions(asset) == {
                "numMaterialized": len(keys),
                "numFailed": 0,
                "numMaterializing": 0,
                "numPartitions": team.partitions(asset)["numPartitions"],
            }
        # The run that was started again leaves what the killed one had done.
        done = Counter(made for run in team.runs() for made in team.materialized(run["id"]))
        assert done == Counter((asset, key) for asset in STEPS for key in keys), "once each"
        rows = team.history("SELECT repo, day, count(*) FROM reports GROUP BY ALL ORDER BY ALL")
        assert rows == [(repo, day, 1) for repo in REPOS for day in DAYS]
        commits = team.history(
            "SELECT count(*), count(DISTINCT (repo, sha)) FROM analyses WHERE status = 'ok'"
        )
        assert commits == [(len(keys), len(keys))]
        assert all(team.is_healthy(service) for service in ("code", "webserver"))
        for machine in ("one", "two", "code", "webserver", "daemon"):
            said = team.log(machine)
            assert not any(word in said for word in (POSTGRES_WORD, BROKER_WORD)), machine
        assert workers_of(team, "FAILURE") == ["one"]
        assert workers_of(team, "SUCCESS") == ["two", "two"]


def statuses(team: Team) -> dict[str, int]:
    return dict(Counter(run["status"] for run in team.runs()))


def workers_of(team: Team, status: str) -> list[str]:
    return sorted(
        run["tags"].get("digest/worker", "nobody").partition("@")[0]
        for run in team.runs()
        if run["status"] == status
    )
