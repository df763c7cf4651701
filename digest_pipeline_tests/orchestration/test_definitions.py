"""What stands in Dagster: assets, partitions, checks, jobs, schedule and sensor, and runs of them in this process."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from digest_pipeline.compose import open_pipeline
from digest_pipeline.errors import ConfigurationError, DigestError, SourceUnavailable
from digest_pipeline.orchestration import location
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.orchestration.jobs import DIGESTS, REANALYSE, REPO_DAYS
from digest_pipeline.orchestration.partitions import (
    RANGE_END,
    RANGE_START,
    by_repo,
    partition_key,
    range_tags,
)
from digest_pipeline.orchestration.sensors import build_sensors
from digest_pipeline.pipeline import code_version as code_version_module
from digest_pipeline.pipeline.code_version import code_version
from digest_pipeline.pipeline.site_state import SITE_CODE
from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import DEAD_URL, FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest_pipeline.settings import Settings

# Partitions of multi-dimensional assets and of checks are what is tested.
pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

REPO_ASSETS = ("raw_commits", "commit_diffs", "commit_analyses", "repo_report")
DAYS = days_from(FIRST_DAY, 3)
ENGINE, DEAD = "ada/engine", "bad/dead"
SILENT: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits on each of three days."""
    return small_repository(tmp_path_factory.mktemp("repositories") / "engine").path


@pytest.fixture
def shop(tmp_path: Path, engine: Path) -> Workshop:
    """A project of two repos, one of which cannot be read; its data folder is begun."""
    project = Workshop(tmp_path / "project")
    project.configure(local(ENGINE, engine), {"name": DEAD, "url": DEAD_URL})
    project.begin()
    return project


@pytest.fixture
def defs(shop: Workshop) -> dg.Definitions:
    return build_defs(shop.settings)


def repo_day(defs: dg.Definitions) -> dg.AssetsDefinition:
    return defs.resolve_assets_def("raw_commits")


# --- what there is ---------------------------------------------------------------------------------------


def test_the_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_there_are_the_assets_of_the_contract(defs: dg.Definitions) -> None:
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert set(specs) == {*REPO_ASSETS, "daily_digest", "weekly_rollup", "monthly_rollup", "site"}
    for name, spec in specs.items():
        assert spec.description, name
        assert spec.group_name == "digest"
        assert "duckdb" in spec.kinds
        assert spec.code_version, name
        assert ("dagster/column_schema" in spec.metadata) == (name != "site"), name
    parents = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()}
    assert parents == {
        "raw_commits": set(),
        "commit_diffs": {"raw_commits"},
        "commit_analyses": {"commit_diffs"},
        "repo_report": {"commit_analyses"},
        "daily_digest": {"repo_report"},
        "weekly_rollup": {"daily_digest"},
        "monthly_rollup": {"daily_digest"},
        "site": {"daily_digest"},
    }
    assert specs["commit_analyses"].kinds == {"python", "duckdb"}


def test_the_kind_of_the_analyst_is_that_of_the_settings(shop: Workshop, engine: Path) -> None:
    shop.configure(local(ENGINE, engine), llm={"base_url": "http://127.0.0.1:9/v1", "model": "m"})
    specs = build_defs(shop.settings).resolve_all_asset_specs()
    assert {spec.key.to_user_string(): spec.kinds for spec in specs}["commit_analyses"] == {
        "openai",
        "duckdb",
    }


def test_partitions_are_a_day_and_a_repo_and_the_digest_has_days_alone(defs: dg.Definitions) -> None:
    keys = repo_day(defs).partitions_def
    assert isinstance(keys, dg.MultiPartitionsDefinition)
    assert {dimension.name for dimension in keys.partitions_defs} == {"day", "repo"}
    known = keys.get_partition_keys(current_time=datetime(2026, 1, 8, 12, tzinfo=UTC))
    assert sorted(map(str, known)) == sorted(f"{day}|{repo}" for day in DAYS for repo in (ENGINE, DEAD))
    days = defs.resolve_assets_def("daily_digest").partitions_def
    assert days is not None
    assert days.get_partition_keys(current_time=datetime(2026, 1, 8, 12, tzinfo=UTC)) == list(map(str, DAYS))


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 1, 7, 15, 59, tzinfo=UTC), "2026-01-06"),
        (datetime(2026, 1, 7, 16, 0, tzinfo=UTC), "2026-01-07"),
    ],
)
def test_a_day_has_a_partition_once_it_is_over_where_the_repos_are_read(
    shop: Workshop, engine: Path, now: datetime, last: str
) -> None:
    shop.configure(local(ENGINE, engine), timezone="Asia/Shanghai")
    days = build_defs(shop.settings).resolve_assets_def("daily_digest").partitions_def
    assert days is not None
    assert days.get_partition_keys(current_time=now)[-1] == last


def test_a_repo_that_is_added_to_the_settings_appears_without_code(shop: Workshop, engine: Path) -> None:
    text = shop.file.read_text(encoding="utf-8")
    shop.file.write_text(text + f'\n[[repos]]\nname = "ada/new"\nurl = "{engine}"\n', encoding="utf-8")
    keys = repo_day(build_defs(shop.settings)).partitions_def
    assert keys is not None
    assert keys.has_partition_key("2026-01-05|ada/new")


def test_jobs_are_those_that_an_operator_wants_and_each_says_what_it_does(defs: dg.Definitions) -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    rollups = {"weekly_rollups", "monthly_rollups"}
    assert set(jobs) == {"repo_days", "reanalyse", "rerender", "digests", "build_site", "upkeep"} | rollups
    assert all(job.description for job in jobs.values())
    selected = {
        name: {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
        for name, job in jobs.items()
    }
    assert selected == {
        "repo_days": set(REPO_ASSETS),
        "reanalyse": {"commit_analyses", "repo_report"},
        "rerender": {"repo_report"},
        "digests": {"daily_digest"},
        "build_site": {"site"},
        "weekly_rollups": {"weekly_rollup"},
        "monthly_rollups": {"monthly_rollup"},
        "upkeep": set(),
    }


def test_a_backfill_of_many_days_is_a_handful_of_runs(shop: Workshop, engine: Path) -> None:
    assert repo_day(build_defs(shop.settings)).backfill_policy == dg.BackfillPolicy.multi_run(366)
    shop.configure(local(ENGINE, engine), backfill_days=60)
    defs = build_defs(shop.settings)
    assert repo_day(defs).backfill_policy == dg.BackfillPolicy.multi_run(60)
    digest = defs.resolve_assets_def("daily_digest").backfill_policy
    assert digest is not None
    assert digest.max_partitions_per_run is None


def test_each_check_is_described_and_has_its_question_in_sql(defs: dg.Definitions) -> None:
    others = [defs.get_assets_def(name) for name in ("daily_digest", "weekly_rollup", "monthly_rollup")]
    specs = {spec.name: spec for one in [repo_day(defs), *others] for spec in one.check_specs}
    of_repos = {"unique_commits", "counts_agree", "coverage", "links_resolve", "freshness"}
    assert set(specs) == of_repos | {"digest_links_resolve", "digest_is_whole", "rollup_links_resolve"}
    assert all(spec.description for spec in specs.values())
    assert {check.name for check in CHECKS} == set(specs)


# --- keys ------------------------------------------------------------------------------------------------


def test_a_partitions_key_reads_day_first() -> None:
    assert str(partition_key(date(2026, 2, 21), "owner/name")) == "2026-02-21|owner/name"


def test_keys_are_grouped_by_repo_and_sorted_by_day() -> None:
    keys: list[str] = ["2026-01-06|a/b", partition_key(date(2026, 1, 5), "a/b"), "2026-01-05|c/d"]
    assert by_repo(keys) == {"a/b": [date(2026, 1, 5), date(2026, 1, 6)], "c/d": [date(2026, 1, 5)]}


# --- runs ------------------------------------------------------------------------------------------------


@contextmanager
def running(shop: Workshop) -> Iterator[tuple[dg.Definitions, dg.DagsterInstance]]:
    pipeline = open_pipeline(shop.settings)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield build_defs(shop.settings, pipeline=pipeline), instance
    finally:
        pipeline.close()


def execute(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    **how: Any,  # noqa: ANN401 - Dagster's own
) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, run_config=dict(SILENT), **how
    )


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str | None, bool]]:
    found = []
    for record in instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records:
        event = record.event_log_entry.dagster_event
        assert event is not None
        data = event.asset_check_evaluation_data
        found.append((data.check_name, data.partition, data.passed))
    return sorted(found, key=str)


def test_one_partition_materializes_with_its_checks_and_metadata(shop: Workshop) -> None:
    key = f"{FIRST_DAY}|{ENGINE}"
    with running(shop) as (defs, instance):
        result = execute(defs, instance, REPO_DAYS, partition_key=key)
        assert result.success
        assert all(materialized(instance, name) == {key} for name in REPO_ASSETS)
        assert evaluations(instance, result.run_id) == sorted(
            (check.name, key, True) for check in CHECKS if check.asset in REPO_ASSETS
        )
        digest = execute(defs, instance, DIGESTS, partition_key=str(FIRST_DAY))
        assert digest.success
        of_digest = [(name, passed) for name, _, passed in evaluations(instance, digest.run_id)]
        # The other repo of these settings has no page yet.
        assert of_digest == [("digest_is_whole", False), ("digest_links_resolve", True)]
        metadata: dict[str, dict[str, Any]] = {
            event.asset_key.to_user_string(): {label: value.value for label, value in event.metadata.items()}
            for event in result.asset_materializations_for_node("repo_day")
        }
    assert metadata["raw_commits"]["commits"] == 2
    assert (metadata["commit_diffs"]["files"], metadata["commit_diffs"]["additions"]) == (2, 4)
    tiers = metadata["commit_analyses"]
    assert tiers["high"] + tiers["medium"] + tiers["low"] == tiers["ok"] == 2
    assert metadata["repo_report"]["report"] == str(shop.data / f"reports/{ENGINE}/2026/{FIRST_DAY}.md")
    assert metadata["repo_report"]["preview"] == shop.page(ENGINE, FIRST_DAY)
    [event] = digest.asset_materializations_for_node("daily_digest")
    assert event.metadata["report"].value == str(shop.data / f"reports/daily/2026/{FIRST_DAY}.md")


def test_a_range_is_one_run_and_each_of_its_partitions_is_checked(shop: Workshop) -> None:
    keys = {f"{day}|{ENGINE}" for day in DAYS}
    with running(shop) as (defs, instance):
        result = execute(defs, instance, REPO_DAYS, tags=range_tags(DAYS[0], DAYS[-1], [ENGINE]))
        assert result.success
        assert all(materialized(instance, name) == keys for name in REPO_ASSETS)
        assert evaluations(instance, result.run_id) == sorted(
            (check.name, key, True) for check in CHECKS if check.asset in REPO_ASSETS for key in keys
        )
        digests = execute(defs, instance, DIGESTS, tags={RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])})
        assert digests.success
        assert materialized(instance, "daily_digest") == set(map(str, DAYS))
        assert len(evaluations(instance, digests.run_id)) == 2 * len(DAYS)
    assert all(shop.page(ENGINE, day) and shop.daily(day) for day in DAYS)


def test_a_repo_that_fails_leaves_its_partitions_failed_and_the_others_made(shop: Workshop) -> None:
    good = {f"{day}|{ENGINE}" for day in DAYS}
    bad = {f"{day}|{DEAD}" for day in DAYS}
    with running(shop) as (defs, instance):
        result = execute(defs, instance, REPO_DAYS, tags=range_tags(DAYS[0], DAYS[-1], [ENGINE, DEAD]))
        assert not result.success
        for name in REPO_ASSETS:
            assert materialized(instance, name) == good, name
        assert {key for _, key, _ in evaluations(instance, result.run_id)} == good
        [failure] = [event for event in result.all_events if event.is_step_failure]
        data = failure.step_failure_data
        assert data.user_failure_data is not None
        description = data.user_failure_data.description or ""
        assert description.startswith(f"{DEAD}: ")
        assert len(description.splitlines()) == 1
        assert data.user_failure_data.metadata["partitions"].value == len(bad)
        # What was made carries what a person needs, as it would from a run without failures.
        [record] = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("repo_report"), asset_partitions=[f"{FIRST_DAY}|{ENGINE}"]),
            limit=1,
        ).records
        event = record.asset_materialization
        assert event is not None
        assert {"commits", "report", "preview"} <= set(event.metadata)
        assert event.tags is not None
        assert event.tags["dagster/code_version"]

        digests = execute(defs, instance, DIGESTS, tags={RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])})
        assert digests.success
    assert all("Could not be read" in shop.daily(day) for day in DAYS)


def test_a_day_that_changed_joins_the_run_with_its_events_metadata_and_checks(
    tmp_path: Path, shop: Workshop
) -> None:
    builder = small_repository(tmp_path / "moving")
    shop.configure(local(ENGINE, builder.path), {"name": DEAD, "url": DEAD_URL})
    shop.make(DAYS[:2], ENGINE)
    builder.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    late, own = f"{DAYS[0]}|{ENGINE}", f"{DAYS[2]}|{ENGINE}"
    expected = sorted(
        (check.name, key, True) for check in CHECKS if check.asset in REPO_ASSETS for key in (late, own)
    )
    with running(shop) as (defs, instance):
        result = execute(defs, instance, REPO_DAYS, partition_key=own)
        assert result.success
        assert all(materialized(instance, name) == {late, own} for name in REPO_ASSETS)
        assert evaluations(instance, result.run_id) == expected
        [record] = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("repo_report"), asset_partitions=[late]), limit=1
        ).records
        event = record.asset_materialization
        assert event is not None
        assert event.metadata["commits"].value == 3
        assert event.metadata["preview"].value == shop.page(ENGINE, DAYS[0])
        assert event.tags is not None
        assert event.tags["dagster/partition/day"] == str(DAYS[0])
        again = execute(defs, instance, REPO_DAYS, partition_key=own)
        assert {key for _, key, _ in evaluations(instance, again.run_id)} == {own}

        # A repo that cannot be read costs the days of its neighbour nothing, those that changed neither.
        builder.git("reset", "--quiet", "--hard", "HEAD~1")
    with running(shop) as (defs, instance):
        tags = range_tags(DAYS[2], DAYS[2], [ENGINE, DEAD])
        mixed = execute(defs, instance, REPO_DAYS, tags=tags)
        assert not mixed.success
        assert all(materialized(instance, name) == {late, own} for name in REPO_ASSETS)
        assert evaluations(instance, mixed.run_id) == expected
    assert ": 1 commit came, 1 went" in shop.page(ENGINE, DAYS[0])


@pytest.mark.parametrize("error", [SourceUnavailable("the list broke off", repo=ENGINE), KeyError("x")])
def test_a_run_that_cannot_look_for_changed_days_makes_its_own(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> list[date]:
        raise error

    key = f"{FIRST_DAY}|{ENGINE}"
    with running(shop) as (defs, instance):
        monkeypatch.setattr("digest_pipeline.pipeline.Pipeline.changed_days", fail)
        assert execute(defs, instance, REPO_DAYS, partition_key=key).success
        assert all(materialized(instance, name) == {key} for name in REPO_ASSETS)


def test_a_run_that_reads_nothing_looks_for_no_changed_days(tmp_path: Path, shop: Workshop) -> None:
    builder = small_repository(tmp_path / "moving")
    shop.configure(local(ENGINE, builder.path))
    shop.make(DAYS)
    builder.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    key = f"{DAYS[2]}|{ENGINE}"
    with running(shop) as (defs, instance):
        assert execute(defs, instance, "reanalyse", partition_key=key).success
        assert materialized(instance, "repo_report") == {key}


def test_a_repo_that_was_made_and_cannot_be_read_any_more_is_not_fresh(
    tmp_path: Path, shop: Workshop, engine: Path
) -> None:
    copy = shutil.copytree(engine, tmp_path / "copy")
    shop.configure(local(ENGINE, copy))
    shop.make(DAYS[:1])
    shutil.rmtree(copy)
    key = f"{FIRST_DAY}|{ENGINE}"
    with running(shop) as (defs, instance):
        assert not execute(defs, instance, REPO_DAYS, partition_key=key).success
        rendered = execute(defs, instance, "rerender", partition_key=key)
        assert rendered.success
        assert evaluations(instance, rendered.run_id) == [
            ("freshness", key, False),
            ("links_resolve", key, True),
        ]


def test_rerendering_asks_nobody(shop: Workshop, engine: Path) -> None:
    shop.make(DAYS[:1], ENGINE)
    shop.configure(local(ENGINE, Path("/nowhere")), language="en")
    key = f"{FIRST_DAY}|{ENGINE}"
    with running(shop) as (defs, instance):
        assert execute(defs, instance, "rerender", partition_key=key).success
        assert execute(defs, instance, "reanalyse", partition_key=key).success
        assert materialized(instance, "raw_commits") == set()


def test_a_run_of_the_sensor_ends_after_one_question_while_nobody_is_there(
    shop: Workshop, engine: Path
) -> None:
    key = f"{FIRST_DAY}|{ENGINE}"
    by_itself = {"dagster/sensor_name": "failed_analyses"}
    with OpenAIServer() as server:
        server.default = lambda _: openai_server.error(401, "Incorrect API key provided")
        llm = {"base_url": server.url, "model": "fake-1", "concurrency": 1}
        shop.configure(local(ENGINE, engine), llm=llm)
        shop.make(DAYS[:1], ENGINE)
        asked = len(server.requests)
        with dg.DagsterInstance.ephemeral() as instance:
            defs = build_defs(shop.settings)
            assert execute(defs, instance, REANALYSE, partition_key=key, tags=by_itself).success
            assert materialized(instance, "commit_analyses") == set()
            assert len(server.requests) == asked + 1

            # A person who asks gets an answer in any case.
            assert execute(defs, instance, REANALYSE, partition_key=key).success
            assert materialized(instance, "repo_report") == {key}


def test_upkeep_runs_as_a_job_and_tells_what_it_found_and_left(shop: Workshop) -> None:
    with running(shop) as (defs, instance):
        result = execute(defs, instance, "upkeep")
    assert result.success
    [output] = [event.step_output_data for event in result.all_events if event.is_successful_output]
    told = {name: value.value for name, value in output.metadata.items()}
    assert told.keys() >= {"files_before", "files_after", "bytes_before", "bytes_after", "patches_let_go"}
    assert told["patches_let_go"] == 0


def test_a_daemons_run_opens_the_history_itself_and_says_in_a_line_why_it_cannot(shop: Workshop) -> None:
    shutil.rmtree(shop.data)
    shop.data.write_text("in the way", encoding="utf-8")
    defs = build_defs(shop.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(defs, instance, REPO_DAYS, partition_key=f"{FIRST_DAY}|{ENGINE}")
    assert not result.success
    reasons = [
        event.event_specific_data
        for event in result.all_events
        if event.is_failure or event.is_resource_init_failure
    ]
    assert "cannot be written" in str(reasons)


# --- schedule and sensor ---------------------------------------------------------------------------------


def test_the_daily_schedule_asks_for_yesterday_of_all_repos_at_two_oclock(
    shop: Workshop, engine: Path
) -> None:
    shop.configure(local(ENGINE, engine), local("ada/last", engine), timezone="Asia/Shanghai")
    daily = build_defs(shop.settings).resolve_schedule_def("daily")
    assert (daily.cron_schedule, daily.execution_timezone) == ("0 2 * * *", "Asia/Shanghai")
    assert daily.default_status is dg.DefaultScheduleStatus.RUNNING
    assert daily.job_name == REPO_DAYS
    at = datetime(2026, 1, 7, 2, tzinfo=shop.settings.timezone)
    [request] = daily.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests or []
    assert request.run_key == "daily:2026-01-06"
    assert request.tags[RANGE_START] == f"2026-01-06|{ENGINE}"
    assert request.tags[RANGE_END] == "2026-01-06|ada/last"


def test_the_daily_schedule_runs_at_the_hour_of_the_settings(shop: Workshop, engine: Path) -> None:
    shop.configure(local(ENGINE, engine), daily_at="05:30")
    defs = build_defs(shop.settings)
    assert defs.resolve_schedule_def("daily").cron_schedule == "30 5 * * *"


def test_the_daily_schedule_skips_what_lies_before_the_first_day(defs: dg.Definitions) -> None:
    at = datetime(2026, 1, 5, 2, tzinfo=UTC)
    tick = defs.resolve_schedule_def("daily").evaluate_tick(
        dg.build_schedule_context(scheduled_execution_time=at)
    )
    assert not tick.run_requests
    assert "first_day" in (tick.skip_message or "")


def ask_sensor(settings: Settings, now: datetime) -> tuple[list[dg.RunRequest], str]:
    sensor = next(one for one in build_sensors(settings, now=lambda: now) if one.name == "stale_digests")
    tick = sensor.evaluate_tick(dg.build_sensor_context(definitions=build_defs(settings)))
    return list(tick.run_requests or []), tick.skip_message or ""


def asked_days(requests: Sequence[dg.RunRequest]) -> list[str | None]:
    return [request.partition_key or request.tags[RANGE_START] for request in requests]


def test_the_sensor_waits_for_all_repos_and_after_the_deadline_no_longer(
    shop: Workshop, engine: Path
) -> None:
    day, next_day = DAYS[0], datetime(2026, 1, 6, tzinfo=UTC)
    requests, why = ask_sensor(shop.settings, next_day)
    assert (requests, "all 0 digests are up to date" in why) == ([], True)

    shop.make([day], digest=False)  # the other repo is dead
    requests, why = ask_sensor(shop.settings, next_day + timedelta(hours=7, minutes=59))
    assert (requests, why) == ([], f"waiting: {day} for {DEAD}")
    requests, _ = ask_sensor(shop.settings, next_day + timedelta(hours=8))
    assert asked_days(requests) == [str(day)]

    shop.configure(local(ENGINE, engine))  # all repos are done now
    requests, _ = ask_sensor(shop.settings, next_day)
    assert asked_days(requests) == [str(day)]
    first_key = requests[0].run_key

    with shop.pipeline() as pipeline:
        pipeline.digest([day])
    requests, why = ask_sensor(shop.settings, next_day)
    assert (requests, why) == ([], "all 1 digests are up to date")

    # A page that changes later makes its digest stale again, under a key that was not spent yet.
    shop.configure(local(ENGINE, engine, web_url="https://example.org/ada/engine"))
    shop.make([day], digest=False)
    requests, _ = ask_sensor(shop.settings, next_day)
    assert asked_days(requests) == [str(day)]
    assert requests[0].run_key != first_key


def test_the_sensor_asks_for_a_range_in_one_run(shop: Workshop, engine: Path) -> None:
    shop.configure(local(ENGINE, engine))
    shop.make(DAYS, digest=False)
    [request] = ask_sensor(shop.settings, datetime(2026, 1, 9, tzinfo=UTC))[0]
    assert request.partition_key is None
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (str(DAYS[0]), str(DAYS[-1]))


def test_the_sensor_says_where_there_is_no_history(shop: Workshop) -> None:
    shutil.rmtree(shop.data)
    requests, why = ask_sensor(shop.settings, datetime(2026, 1, 9, tzinfo=UTC))
    assert (requests, "no history yet" in why) == ([], True)


def test_a_history_that_the_sensor_cannot_read_fails_its_tick(shop: Workshop) -> None:
    (shop.data / "store/catalog.sqlite").write_text("this is no database", encoding="utf-8")
    with pytest.raises(dg.Failure, match="damaged"):
        ask_sensor(shop.settings, datetime(2026, 1, 9, tzinfo=UTC))


def ask_about_the_site(settings: Settings, now: datetime) -> tuple[list[str | None], str]:
    sensor = next(one for one in build_sensors(settings, now=lambda: now) if one.name == "stale_site")
    with dg.DagsterInstance.ephemeral() as instance:
        tick = sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, definitions=build_defs(settings))
        )
    return [request.run_key for request in tick.run_requests or []], tick.skip_message or ""


def test_the_site_is_asked_for_once_a_digest_changed_and_not_too_often(shop: Workshop, engine: Path) -> None:
    shop.configure(local(ENGINE, engine))
    assert ask_about_the_site(shop.settings, datetime.now(UTC)) == ([], "there is no digest yet")
    shop.make(DAYS[:1])
    [first], _ = ask_about_the_site(shop.settings, datetime.now(UTC))
    with running(shop) as (defs, instance):
        result = execute(defs, instance, "build_site")
        assert result.success
    [made] = result.asset_materializations_for_node("site")
    assert made.metadata["pages"].value == 5
    assert str(made.metadata["site"].value) == str(shop.data / "site/index.html")
    built_at = datetime.now(UTC)
    assert ask_about_the_site(shop.settings, built_at) == ([], "the site is up to date")

    shop.make(DAYS[:2])
    keys, why = ask_about_the_site(shop.settings, built_at + timedelta(minutes=9))
    assert (keys, "waiting" in why) == ([], True)
    [second], _ = ask_about_the_site(shop.settings, built_at + timedelta(minutes=11))
    assert first != second


def test_a_site_that_is_somebody_elses_fails_its_run_in_a_line(shop: Workshop, engine: Path) -> None:
    shop.configure(local(ENGINE, engine))
    (shop.data / "site").mkdir()
    (shop.data / "site/mine.txt").write_text("mine", encoding="utf-8")
    with running(shop) as (defs, instance):
        result = execute(defs, instance, "build_site")
    assert not result.success
    [failure] = result.get_step_failure_events()
    assert "holds no site of ours" in str(failure.step_failure_data.user_failure_data)


# --- the code location -----------------------------------------------------------------------------------


def test_without_settings_the_location_is_over_the_clones_own_history(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGEST_CONFIG", raising=False)
    monkeypatch.setattr(location, "_CLONE", engine)
    defs = location.load_location()
    dg.Definitions.validate_loadable(defs)
    keys = repo_day(defs).partitions_def
    assert keys is not None
    assert keys.has_partition_key("2026-01-05|local/engine")
    assert keys.has_partition_key(f"{datetime.now(UTC):%Y-%m-%d}|local/engine"), (
        "today's commits can be tried"
    )


def test_with_settings_the_location_is_theirs(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.folder)
    monkeypatch.delenv("DIGEST_CONFIG", raising=False)
    keys = repo_day(location.load_location()).partitions_def
    assert keys is not None
    assert keys.has_partition_key(f"2026-01-05|{DEAD}")


@pytest.mark.parametrize("text", [None, "timezone = 'Mars'"])
def test_settings_that_are_named_or_wrong_are_never_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_CONFIG", "mine.toml")
    if text is not None:
        Path("mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        location.load_location()


def test_without_settings_and_without_history_the_location_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGEST_CONFIG", raising=False)
    monkeypatch.setattr(location, "_CLONE", tmp_path)
    with pytest.raises(DigestError, match="digest init"):
        location.load_location()


# --- code versions ---------------------------------------------------------------------------------------


def test_the_code_version_follows_the_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_version_module, "_PACKAGE", tmp_path)
    (tmp_path / "render/templates").mkdir(parents=True)
    template, module = tmp_path / "render/templates/page.j2", tmp_path / "render/page.py"
    template.write_text("a", encoding="utf-8")
    module.write_text("b", encoding="utf-8")
    (tmp_path / "other.py").write_text("c", encoding="utf-8")
    first = code_version("render")
    (tmp_path / "other.py").write_text("changed", encoding="utf-8")
    (tmp_path / "render/page.pyc").write_bytes(b"compiled")
    assert code_version("render") == first
    template.write_text("changed", encoding="utf-8")
    second = code_version("render")
    module.rename(tmp_path / "render/other.py")
    assert len({first, second, code_version("render"), code_version("render", "other.py")}) == 4


def test_every_place_that_a_code_version_names_is_there() -> None:
    # A place that moved would give the same hash for ever.
    empty = code_version()
    for place in (
        *("sources", "analysts", "render", "profiles", "domain", "domain/day.py", "domain/commit.py"),
        *(f"pipeline/{name}.py" for name in ("collect", "diff", "analyse", "report", "digest")),
        *("pipeline/rollup.py", "pipeline/contents.py", "domain/rollup.py", "domain/followups.py"),
        *SITE_CODE,
    ):
        assert code_version(place) != empty, place
