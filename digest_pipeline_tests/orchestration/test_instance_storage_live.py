"""The storage under a real webserver, daemon, code server and run worker, seen through the UI's GraphQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from digest_pipeline.orchestration import instance as instance_module
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline_tests.orchestration import range_run
from digest_pipeline_tests.orchestration.range_run import (
    ASSETS,
    FAIL_TAG,
    JOB_NAME,
    PARTITIONS,
    REPOS,
    UNREADABLE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = PARTITIONS.get_partition_keys()
START_SECONDS = 60
RUN_SECONDS = 90  # the daemon looks for new backfills every 30 s
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")]


class WebUi:
    """What a person clicks, as GraphQL."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def is_up(self) -> bool:
        try:
            locations = self.ask("{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}")
        except httpx.HTTPError:
            return False
        return [entry["loadStatus"] for entry in locations["workspaceOrError"]["locationEntries"]] == [
            "LOADED"
        ]

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = self._client.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return dict(body["data"])

    def launch_run(self) -> str:
        tags = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}
        launched = self.ask(
            """mutation ($params: ExecutionParams!) {launchRun(executionParams: $params) {
                __typename ... on LaunchRunSuccess {run {id}} ... on PythonError {message}}}""",
            params={
                "selector": {
                    "jobName": JOB_NAME,
                    "repositoryName": "__repository__",
                    "repositoryLocationName": range_run.__name__,
                },
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["id"])

    def launch_backfill(self, tags: dict[str, str]) -> str:
        span = {"ranges": [{"start": KEYS[0], "end": KEYS[-1]}]}
        launched = self.ask(
            """mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
                __typename
                ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}""",
            params={
                "partitionsByAssets": [{"assetKey": {"path": [name]}, "partitions": span} for name in ASSETS],
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
            },
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs_of(self, backfill_id: str) -> list[dict[str, Any]]:
        found = self.ask(
            """query ($tags: [ExecutionTag!]) {runsOrError(filter: {tags: $tags}) {
                ... on Runs {results {id status}}}}""",
            tags=[{"key": "dagster/backfill", "value": backfill_id}],
        )
        return list(found["runsOrError"]["results"])

    def status(self, run_id: str) -> str:
        found = self.ask("query ($id: ID!) {runOrError(runId: $id) {... on Run {status}}}", id=run_id)
        return str(found["runOrError"]["status"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        found = self.ask(
            """query ($id: ID!) {runOrError(runId: $id) {... on Run {eventConnection(limit: 1000) {events {
                __typename
                ... on MaterializationEvent {assetKey {path} partition}
                ... on AssetCheckEvaluationEvent {evaluation {checkName success partition}}
            }}}}}""",
            id=run_id,
        )
        return list(found["runOrError"]["eventConnection"]["events"])

    def asset(self, name: str) -> dict[str, Any]:
        found = self.ask(
            """query ($key: AssetKeyInput!, $keys: [String!]) {assetNodeOrError(assetKey: $key) {
                ... on AssetNode {
                partitionStats {numMaterialized numFailed numPartitions numMaterializing}
                latestMaterializationByPartition(partitions: $keys) {partition runId}
                assetMaterializations(limit: 1) {runId}
            }}}""",
            key={"path": [name]},
            keys=KEYS,
        )
        return dict(found["assetNodeOrError"])

    def check_statuses(self, name: str) -> list[str]:
        found = self.ask(
            """query ($key: AssetKeyInput!) {
                assetCheckExecutions(assetKey: $key, checkName: "has_rows", limit: 100) {status}}""",
            key={"path": [name]},
        )
        return [execution["status"] for execution in found["assetCheckExecutions"]]


@contextmanager
def dagster_dev(folder: Path) -> Iterator[WebUi]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open_instance(folder, {}):
        pass  # webserver and daemon starting together on an empty home would both create its tables
    command = ["dev", "-m", range_run.__name__, "-h", "127.0.0.1", "-p", str(port)]
    output = folder / "dagster-dev.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "DAGSTER_HOME": str(folder / "dagster"),
                "DAGSTER_EVENT_BATCH_SIZE": "500",
                "PYTHONPATH": str(Path(instance_module.__file__).parents[2]),
            },
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            ui = WebUi(client)
            wait_until(lambda: process.poll() is not None or ui.is_up(), START_SECONDS, "the web UI was up")
            assert process.poll() is None, "dagster dev ended"
            yield ui
    except BaseException:
        print(output.read_text(encoding="utf-8", errors="replace")[-20_000:])  # noqa: T201 - of the failure
        raise
    finally:
        stop(process)
    said = output.read_text(encoding="utf-8", errors="replace")
    for trouble in ("Traceback", "Falling back", "database is locked", "Exception while"):
        assert trouble not in said, said[-20_000:]


def stop(process: subprocess.Popen[bytes]) -> None:
    # As Ctrl-C in a terminal does: the whole group. The code servers outlive a parent that is killed.
    for signal_, seconds in ((signal.SIGINT, 20), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, signal_)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait(1)


def wait_until(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{seconds} s went by before {what}"
        time.sleep(0.2)


def test_a_range_run_is_what_the_web_ui_shows_of_it(tmp_path: Path) -> None:
    with dagster_dev(tmp_path) as ui:
        run = ui.launch_run()
        wait_until(lambda: ui.status(run) in FINISHED, RUN_SECONDS, "the run ended")
        assert ui.status(run) == "SUCCESS"
        events = ui.events(run)
        for name in ASSETS:
            assert sorted(partitions_of(events, name)) == sorted(KEYS)
            asset = ui.asset(name)
            assert asset["partitionStats"] == stats(materialized=12)
            assert {latest["runId"] for latest in asset["latestMaterializationByPartition"]} == {run}
            assert asset["assetMaterializations"] == [{"runId": run}]
            # One for each partition, and the check's own over all of them.
            assert sorted(ui.check_statuses(name)) == ["FAILED"] * 5 + ["SUCCEEDED"] * 8
        checks = [
            event["evaluation"] for event in events if event["__typename"] == "AssetCheckEvaluationEvent"
        ]
        assert len(checks) == (len(KEYS) + 1) * len(ASSETS)

        backfill = ui.launch_backfill({FAIL_TAG: "yes"})
        wait_until(lambda: statuses_of(ui, backfill) is not None, RUN_SECONDS, "the backfill's runs ended")
        # Dagster makes a range of each repository's days.
        assert statuses_of(ui, backfill) == ["FAILURE", "SUCCESS", "SUCCESS"]
        events = [event for run in ui.runs_of(backfill) for event in ui.events(run["id"])]
        assert sorted(partitions_of(events, "commits")) == sorted(KEYS)
        assert sorted(partitions_of(events, "scores")) == sorted({*KEYS} - {UNREADABLE})
        assert ui.asset("commits")["partitionStats"] == stats(materialized=12)
        assert ui.asset("scores")["partitionStats"] == stats(materialized=11, failed=1)


def statuses_of(ui: WebUi, backfill: str) -> list[str] | None:
    statuses = sorted(run["status"] for run in ui.runs_of(backfill))
    return statuses if len(statuses) == len(REPOS) and FINISHED.issuperset(statuses) else None


def partitions_of(events: list[dict[str, Any]], asset: str) -> list[str]:
    return [
        event["partition"]
        for event in events
        if event["__typename"] == "MaterializationEvent" and event["assetKey"] == {"path": [asset]}
    ]


def stats(*, materialized: int, failed: int = 0) -> dict[str, int]:
    return {
        "numMaterialized": materialized,
        "numFailed": failed,
        "numPartitions": len(KEYS),
        "numMaterializing": 0,
    }
