"""Ranges of days: materialized while the run goes on, a day at fault alone, and gone on with where a run was ended."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from digest_pipeline.compose import open_pipeline
from digest_pipeline.errors import StoreError
from digest_pipeline.orchestration import pace
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.jobs import DIGESTS, REPO_DAYS
from digest_pipeline.orchestration.pace import paced, quicken_backfills
from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START, range_tags
from digest_pipeline.pipeline import Pipeline, StepResult, analyse, collect, diff, digest, portions, report
from digest_pipeline.sources.git import GitSource
from digest_pipeline.store.history import History
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder, git
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ASSETS = ("raw_commits", "commit_diffs", "commit_analyses", "repo_report")
DAYS = days_from(FIRST_DAY, 3)
REPO = "ada/engine"
KEYS = [f"{day}|{REPO}" for day in DAYS]
RANGE = range_tags(DAYS[0], DAYS[-1], [REPO])
SILENT: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits on each of three days."""
    return small_repository(tmp_path_factory.mktemp("repositories") / "engine", days=len(DAYS)).path


@pytest.fixture
def shop(tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A project of one repo whose days are portions of their own."""
    monkeypatch.setattr(portions, "BATCH_DAYS", 1)
    project = Workshop(tmp_path / "project")
    project.configure(local(REPO, engine))
    project.begin()
    return project


@contextmanager
def instance_of() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def execute(
    shop: Workshop, instance: dg.DagsterInstance, tags: Mapping[str, str] = RANGE, job: str = REPO_DAYS
) -> dg.ExecuteInProcessResult:
    """A run with a pipeline of its own, as a run worker has it."""
    pipeline = open_pipeline(shop.settings)
    try:
        defs = build_defs(shop.settings, pipeline=pipeline)
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False, run_config=dict(SILENT), tags=dict(tags)
        )
    finally:
        pipeline.close()


def materialized(instance: dg.DagsterInstance, *runs: str) -> Counter[tuple[str, str]]:
    """How often each partition of each asset was, in these runs."""
    found: Counter[tuple[str, str]] = Counter()
    for run in runs:
        for record in instance.get_records_for_run(
            run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records:
            event = record.event_log_entry.get_dagster_event()
            assert event.asset_key is not None
            found[event.asset_key.to_user_string(), str(event.partition)] += 1
    return found


def statuses(shop: Workshop, instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    """What the UI shows of each partition."""
    keys = build_defs(shop.settings).resolve_assets_def(asset).partitions_def
    known = instance.get_status_by_partition(dg.AssetKey(asset), KEYS, keys)  # type: ignore[arg-type]
    return {key: status.value if status else "" for key, status in (known or {}).items()}


def steps_of_now() -> dict[str, Callable[..., Any]]:
    """The steps of a run, as they are now."""
    return {
        "raw_commits": Pipeline.collect,
        "commit_diffs": Pipeline.diff,
        "commit_analyses": Pipeline.analyse,
        "repo_report": Pipeline.report,
    }


def log_of(instance: dg.DagsterInstance, run: str) -> list[str]:
    return [record.event_log_entry.user_message for record in instance.get_records_for_run(run).records]


# --- while it goes on --------------------------------------------------------------------------------------


def test_days_are_materialized_while_the_run_goes_on(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, int]] = []
    original = Pipeline.report

    def look(self: Pipeline, repo: str, days: Sequence[date]) -> Any:  # noqa: ANN401 - as it is
        seen.append({name: len(instance.get_materialized_partitions(dg.AssetKey(name))) for name in ASSETS})
        return original(self, repo, days)

    monkeypatch.setattr(
        "digest_pipeline.orchestration.repo_days.STEPS", {**steps_of_now(), "repo_report": look}
    )
    with instance_of() as instance:
        result = execute(shop, instance)
        assert result.success
        log = log_of(instance, result.run_id)
        assert materialized(instance, result.run_id) == Counter(
            {(name, key): 1 for name in ASSETS for key in KEYS}
        )
    # The history is listed once; after that a day goes through all steps before the next one.
    assert [one["raw_commits"] for one in seen] == [3, 3, 3]
    assert [one["commit_analyses"] for one in seen] == [1, 2, 3]
    assert [one["repo_report"] for one in seen] == [0, 1, 2]
    assert f"raw_commits: 3 of 3 days, 6 commits ({REPO})" in log
    assert [line for line in log if line.startswith("repo_report: ")] == [
        f"repo_report: {number} of 3 days, {2 * number} commits ({REPO})" for number in (1, 2, 3)
    ]


def test_pages_are_the_same_in_whatever_portions_they_were_made(
    shop: Workshop, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_of() as instance:
        assert execute(shop, instance).success
    monkeypatch.undo()
    other = Workshop(tmp_path / "other")
    other.configure(local(REPO, engine))
    other.begin()
    with instance_of() as instance:
        assert execute(other, instance).success
    for day in DAYS:
        one, two = (
            [line for line in project.page(REPO, day).splitlines() if not line.startswith("> Rendered ")]
            for project in (shop, other)
        )
        assert one == two


# --- a day at fault ----------------------------------------------------------------------------------------


def test_a_day_whose_objects_are_gone_fails_alone_everywhere(
    shop: Workshop, engine: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(engine, tmp_path / "damaged")
    shop.configure(local(REPO, copy))
    # Of the second day's first commit, with which its second one is compared.
    tree = git(copy, "rev-parse", "HEAD~3^{tree}").decode().strip()
    (copy / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with instance_of() as instance:
        result = execute(shop, instance)
        assert not result.success
        assert set(statuses(shop, instance, "raw_commits").values()) == {"MATERIALIZED"}
        for asset in ASSETS[1:]:
            shown = list(statuses(shop, instance, asset).values())
            assert shown == ["MATERIALIZED", "FAILED", "MATERIALIZED"], asset
        [failure] = [event for event in result.all_events if event.is_step_failure]
        told = failure.step_failure_data.user_failure_data
        assert told is not None
        [line] = (told.description or "").splitlines()
        assert line.startswith(f"{REPO} {DAYS[1]}: commit ")
        assert "`git fsck` there shows where" in line
        days = {"tags": {RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])}, "job": DIGESTS}
        assert execute(shop, instance, **days).success  # type: ignore[arg-type]
    assert ["2 commits" in shop.daily(day) for day in DAYS] == [True, False, True]
    status = json.loads(shop.digest("status", "--json").out)
    [repo] = status["repos"]
    assert [one["state"] for one in repo["days"] if date.fromisoformat(one["day"]) in DAYS] == [
        *("made", "unfinished", "made")
    ]


def _raise_for(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *words: str) -> None:  # noqa: ANN401 - a module
    """Put a bug into a function: it comes where an argument says one of `words`."""
    original = getattr(module, name)

    def buggy(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is
        if any(word in f"{arguments}" for word in words):
            raise RuntimeError("of the kind that nobody foresaw")
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, buggy)


BUGS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    # The second day's commits are numbers 3 and 4.
    "raw_commits": lambda patch: _raise_for(patch, collect, "_row", "datetime.date(2026, 1, 6), 0"),
    "commit_diffs": lambda patch: _raise_for(patch, diff, "_size", "part3.py"),
    "commit_analyses": lambda patch: _raise_for(patch, analyse, "score", "part3.py"),
    "repo_report": lambda patch: _raise_for(patch, report, "content_of", "datetime.date(2026, 1, 6), window"),
}


@pytest.mark.parametrize("asset", BUGS)
def test_a_bug_in_one_day_costs_that_day_alone_in_any_step(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, asset: str
) -> None:
    monkeypatch.setattr(portions, "BATCH_DAYS", 62)
    BUGS[asset](monkeypatch)
    with instance_of() as instance:
        result = execute(shop, instance)
        assert not result.success
        for number, name in enumerate(ASSETS):
            is_behind = number >= ASSETS.index(asset)
            assert statuses(shop, instance, name) == {
                key: "FAILED" if is_behind and key == KEYS[1] else "MATERIALIZED" for key in KEYS
            }
        assert "unexpected, in" in "\n".join(log_of(instance, result.run_id))
    assert shop.page(REPO, DAYS[2])


def test_a_digest_that_cannot_be_rendered_costs_its_day_alone(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make(DAYS, digest=False)
    _raise_for(monkeypatch, digest, "digest_path", "2026, 1, 6")
    with instance_of() as instance:
        tags = {RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])}
        assert not execute(shop, instance, tags, DIGESTS).success
        made = instance.get_materialized_partitions(dg.AssetKey("daily_digest"))
    assert made == {str(day) for day in DAYS} - {"2026-01-06"}


# --- going on ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """No step catches it."""


def _killed_in_the_middle(
    shop: Workshop,
    instance: dg.DagsterInstance,
    patch: pytest.MonkeyPatch,
    tags: Mapping[str, str] = RANGE,
    day: date = DAYS[1],
) -> str:
    """A run that ends while it analyses a day, the second; its id."""
    original = Pipeline.analyse

    def kill(self: Pipeline, repo: str, days: Sequence[date]) -> Any:  # noqa: ANN401 - as it is
        if day in days:
            raise Killed
        return original(self, repo, days)

    steps = {**steps_of_now(), "commit_analyses": kill}
    with patch.context() as once:
        once.setattr("digest_pipeline.orchestration.repo_days.STEPS", steps)
        ended = execute(shop, instance, tags)
    assert not ended.success
    return ended.run_id


def _goes_on_for(run: str, retry: int = 1) -> dict[str, str]:
    """The tags of Dagster's own retry."""
    return {**RANGE, "dagster/parent_run_id": run, "dagster/retry_number": str(retry)}


def _counted(patch: pytest.MonkeyPatch) -> Counter[str]:
    """How many days each step is asked for."""
    asked: Counter[str] = Counter()

    def counting(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self: Pipeline, repo: str, days: Sequence[date]) -> Any:  # noqa: ANN401 - as it is
            asked[name] += len(days)
            return step(self, repo, days)

        return counted

    patch.setattr(
        "digest_pipeline.orchestration.repo_days.STEPS",
        {name: counting(name, step) for name, step in steps_of_now().items()},
    )
    return asked


def test_a_run_that_dagster_starts_again_does_what_is_left_and_no_more(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_of() as instance:
        killed = _killed_in_the_middle(shop, instance, monkeypatch)
        asked = _counted(monkeypatch)
        says = {"dagster/parent_run_id": killed, "dagster/is_resume_retry": "true"}
        again = execute(shop, instance, {**RANGE, **says})
        assert again.success
        assert asked == {"commit_diffs": 1, "commit_analyses": 2, "repo_report": 2}
        assert materialized(instance, killed, again.run_id) == Counter(
            {(name, key): 1 for name in ASSETS for key in KEYS}
        )
        for name in ASSETS:
            assert set(statuses(shop, instance, name).values()) == {"MATERIALIZED"}
        assert f"goes on where the run before was ended: 1 of 3 days are done ({REPO})" in log_of(
            instance, again.run_id
        )
        # A run that somebody asks for is none that goes on: late commits have to get in.
        asked.clear()
        anew = execute(shop, instance, {**RANGE, "dagster/parent_run_id": killed})
        assert anew.success
        assert asked == dict.fromkeys(ASSETS, 3)


def test_what_was_made_before_is_not_shown_as_failed_where_going_on_fails(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_of() as instance:
        killed = _killed_in_the_middle(shop, instance, monkeypatch)
        _raise_for(monkeypatch, report, "content_of", "datetime.date(2026, 1, 7), window")
        says = {"dagster/parent_run_id": killed, "dagster/retry_number": "1"}
        assert not execute(shop, instance, {**RANGE, **says}).success
        assert statuses(shop, instance, "repo_report") == {
            key: "FAILED" if key == KEYS[2] else "MATERIALIZED" for key in KEYS
        }


def test_what_was_made_before_is_not_shown_as_failed_where_going_on_is_ended_or_killed(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_of() as instance:
        first = _killed_in_the_middle(shop, instance, monkeypatch)
        second = _killed_in_the_middle(shop, instance, monkeypatch, _goes_on_for(first))
        made = ["MATERIALIZED", "FAILED", "FAILED"]
        assert list(statuses(shop, instance, "repo_report").values()) == made

        # SIGKILL leaves nothing to say at the end.
        monkeypatch.setattr("digest_pipeline.orchestration.repo_days._Run._repo", _nothing)
        last = execute(shop, instance, _goes_on_for(second, retry=2))
        told = materialized(instance, last.run_id)
        assert told["repo_report", KEYS[0]] == told["raw_commits", KEYS[2]] == 1


def _nothing(*_: object) -> None:
    """A run that was killed before it did anything."""


def test_one_read_that_fails_costs_its_days_and_not_the_other_repos(
    shop: Workshop, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "bea/engine"
    shop.configure(local(REPO, engine), local(other, engine))
    original = Pipeline.portions

    def unreadable(self: Pipeline, repo: str, days: Sequence[date]) -> list[list[date]]:
        if repo == REPO:
            raise StoreError("the disk that holds it is full")
        return original(self, repo, days)

    with monkeypatch.context() as once, instance_of() as instance:
        once.setattr(Pipeline, "portions", unreadable)
        result = execute(shop, instance, range_tags(DAYS[0], DAYS[-1], [REPO, other]))
        [failed] = [event for event in result.all_events if event.is_step_failure]
        said = failed.step_failure_data.user_failure_data
        assert said is not None
        assert said.description == "the disk that holds it is full"
        told = materialized(instance, result.run_id)
        assert [told["repo_report", f"{day}|{name}"] for name in (REPO, other) for day in DAYS] == [
            *(0, 0, 0),
            *(1, 1, 1),
        ]


def test_the_next_portion_is_read_while_one_is_explained(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest_pipeline.pipeline.portions.PORTION_COMMITS", 1)  # a day each
    told: list[tuple[str, list[str]]] = []
    for method in (GitSource.changes, GitSource.read_ahead):
        monkeypatch.setattr(GitSource, method.__name__, _told(method, told))
    with instance_of() as instance:
        assert execute(shop, instance).success
        assert statuses(shop, instance, "repo_report") == dict.fromkeys(KEYS, "MATERIALIZED")
        assert [name for name, _ in told] == ["changes", "read_ahead", "changes", "read_ahead", "changes"]
        assert [shas for _, shas in told[1::2]] == [shas for _, shas in told[2::2]]

        told.clear()
        assert execute(shop, instance).success
        assert told == [("read_ahead", [])] * 2  # all is here


def test_what_cannot_be_read_ahead_is_read_in_its_place(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_order(*_: object) -> None:
        raise ValueError("not now")

    monkeypatch.setattr("digest_pipeline.pipeline.portions.PORTION_COMMITS", 1)
    monkeypatch.setattr(GitSource, "read_ahead", out_of_order)
    with instance_of() as instance:
        assert execute(shop, instance).success
        assert statuses(shop, instance, "repo_report") == dict.fromkeys(KEYS, "MATERIALIZED")


T = TypeVar("T")


def _told(
    method: Callable[[GitSource, Sequence[str]], T], calls: list[tuple[str, list[str]]]
) -> Callable[[GitSource, Sequence[str]], T]:
    def telling(source: GitSource, shas: Sequence[str]) -> T:
        calls.append((method.__name__, list(shas)))
        return method(source, shas)

    return telling


def test_a_check_that_cannot_be_asked_is_a_warning(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    original = History.read

    def read(self: History, name: str, *rest: Any) -> Any:  # noqa: ANN401 - as it is
        if name == "checks/unique_commits":
            raise StoreError("somebody else holds it")
        return original(self, name, *rest)

    monkeypatch.setattr(History, "read", read)
    with instance_of() as instance:
        result = execute(shop, instance)
        assert result.success
        found = [one for one in result.get_asset_check_evaluations() if one.check_name == "unique_commits"]
    assert {one.partition for one in found} == {*KEYS}
    assert {(one.passed, one.severity) for one in found} == {(False, dg.AssetCheckSeverity.WARN)}
    assert {one.metadata["reason"].value for one in found} == {"not asked: somebody else holds it"}


def test_a_day_that_changed_after_it_was_made_is_made_again_by_the_run_that_goes_on(
    shop: Workshop, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(engine, tmp_path / "rewritten")
    shop.configure(local(REPO, copy))
    with instance_of() as instance:
        killed = _killed_in_the_middle(shop, instance, monkeypatch)
        # A commit with a date of the first day, which is done, comes in.
        late = RepositoryBuilder(copy, clock=datetime(2026, 1, 5, 12, tzinfo=UTC))
        late.write("late.py", "LATE = True\n")
        late.commit("feat: come late")
        again = execute(shop, instance, _goes_on_for(killed))
        assert again.success
        told = materialized(instance, again.run_id)
    assert [told[name, KEYS[0]] for name in ASSETS] == [1, 1, 1, 1]
    assert "come late" in shop.page(REPO, DAYS[0])


def test_re_executing_all_of_a_run_reads_again_though_its_tags_say_from_failure(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_of() as instance:
        says = {**RANGE, "dagster/is_asset_resume_retry": "true"}
        first = _killed_in_the_middle(shop, instance, monkeypatch)
        # From failure, and killed once more: whoever asks for all of that one then means all.
        second = _killed_in_the_middle(
            shop, instance, monkeypatch, {**says, "dagster/parent_run_id": first}, DAYS[2]
        )
        asked = _counted(monkeypatch)
        assert execute(shop, instance, {**says, "dagster/parent_run_id": second}).success
        assert asked == dict.fromkeys(ASSETS, 3)

        # Of one that succeeded nothing is left to go on with.
        third = execute(shop, instance, {**says, "dagster/parent_run_id": first})
        assert third.success
        asked.clear()
        assert execute(shop, instance, {**_goes_on_for(third.run_id)}).success
        assert asked == dict.fromkeys(ASSETS, 3)


def test_what_is_not_stored_any_more_is_made_again(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    with instance_of() as instance:
        killed = _killed_in_the_middle(shop, instance, monkeypatch)
        shutil.rmtree(shop.data)
        shop.begin()
        asked = _counted(monkeypatch)
        says = {"dagster/parent_run_id": killed, "dagster/retry_number": "1"}
        assert execute(shop, instance, {**RANGE, **says}).success
        assert asked == dict.fromkeys(ASSETS, 3)


def test_digest_run_goes_on_where_it_was_stopped_and_then_begins_anew(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("run", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    with monkeypatch.context() as once:
        once.setattr("digest_pipeline.pipeline.Pipeline.report", _stopped_at(DAYS[1]))
        once.setattr("digest_pipeline.orchestration.repo_days.STEPS", steps_of_now())
        assert shop.digest(*command).code == 130
    assert not shop.rows("FROM digests")
    asked = _counted(monkeypatch)
    again = shop.digest(*command)
    assert (again.code, len(again.lines)) == (0, 2 * len(DAYS)), again.said
    assert asked == {"commit_diffs": 1, "commit_analyses": 1, "repo_report": 2}
    assert "went on where the last run over these days was ended" in again.err
    assert "3 days: 6 commits" in again.err

    asked.clear()
    anew = shop.digest(*command)
    assert (anew.code, anew.lines) == (0, again.lines)
    assert asked == dict.fromkeys(ASSETS, 3)
    assert "went on" not in anew.err


def _stopped_at(last: date) -> Callable[..., Any]:
    original = Pipeline.report

    def report_or_stop(self: Pipeline, repo: str, days: Sequence[date]) -> Any:  # noqa: ANN401 - as it is
        if last in days:
            raise KeyboardInterrupt
        return original(self, repo, days)

    return report_or_stop


def test_days_that_a_cherry_pick_touches_go_through_the_steps_in_portions_too(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[date]]] = []

    def noting(name: str) -> Callable[..., StepResult]:
        def step(_: Pipeline, __: str, days: Sequence[date]) -> StepResult:
            asked.append((name, list(days)))
            elsewhere = list(DAYS[:2]) if name == "commit_analyses" and DAYS[2] in days else []
            return StepResult(done={day: {} for day in days}, elsewhere=elsewhere)

        return step

    monkeypatch.setattr(
        "digest_pipeline.orchestration.repo_days.STEPS", {name: noting(name) for name in ASSETS}
    )
    with instance_of() as instance:
        assert execute(shop, instance, range_tags(DAYS[2], DAYS[2], [REPO])).success
    assert [days for name, days in asked if name == "repo_report"] == [[DAYS[2]], [DAYS[0]], [DAYS[1]]]


# --- the daemon's pace ---------------------------------------------------------------------------------------


class Instance:
    """What a tick asks of the instance."""

    def __init__(self) -> None:
        self.open: dict[str, BulkActionStatus] = {}
        self.running = 0
        self.made: int | None = None

    def get_backfills(self, **_: object) -> list[Any]:
        return [
            SimpleNamespace(backfill_id=one, status=what, asset_selection=[dg.AssetKey("repo_report")])
            for one, what in self.open.items()
        ]

    def get_asset_records(self, _: object) -> list[Any]:
        entry = SimpleNamespace(last_materialization_storage_id=self.made)
        return [SimpleNamespace(asset_entry=entry)]

    def get_runs_count(self, _: object) -> int:
        return self.running


def test_a_tick_with_news_is_dagsters_own_and_one_without_does_nothing() -> None:
    ticks = 0

    def iteration(*_: object) -> Iterator[None]:
        nonlocal ticks
        ticks += 1
        yield None

    instance, now = Instance(), 0.0
    tick = paced(iteration, rest_seconds=30, clock=lambda: now)

    def news() -> bool:
        before = ticks
        assert list(tick(SimpleNamespace(instance=instance), "logger")) == [None]
        return ticks > before

    assert [news(), news()] == [True, False]
    instance.open["one"] = BulkActionStatus.REQUESTED
    assert [news(), news()] == [True, False]
    instance.running = 1
    assert [news(), news()] == [True, False]
    instance.made = 7
    assert [news(), news()] == [True, False]
    now += 29
    assert not news()
    now += 1
    assert [news(), news()] == [True, False]
    instance.running = 0
    assert [news(), news()] == [True, False]
    instance.open["one"] = BulkActionStatus.CANCELING
    assert [news(), news()] == [True, False]
    instance.open.clear()
    assert [news(), news()] == [True, False]


def test_dagsters_daemon_has_the_names_that_the_pace_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._daemon import backfill, controller  # noqa: PLC0415 - what is imported changes what is tested

    # Whoever opened a storage in this process after the modules were there did this before.
    original = getattr(
        backfill.execute_backfill_iteration, "__wrapped__", backfill.execute_backfill_iteration
    )
    monkeypatch.setattr(controller, pace._INTERVAL, 30)
    monkeypatch.setattr(backfill, pace._ITERATION, original)
    quicken_backfills()
    assert controller.DEFAULT_DAEMON_INTERVAL_SECONDS == pace.TICK_SECONDS
    assert getattr(backfill.execute_backfill_iteration, "__wrapped__", None) is original
    quicken_backfills()  # once is enough
    assert getattr(backfill.execute_backfill_iteration, "__wrapped__", None) is original
