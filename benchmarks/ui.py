"""`digest up` as a person has it, and what its UI asks: the servers in a folder of their own, GraphQL at their door."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus

from benchmarks.command import environment, tail
from digest_pipeline.orchestration.instance import open_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LOCATION = "digest_pipeline.definitions"
REPO_ASSETS = ("raw_commits", "commit_diffs", "commit_analyses", "repo_report")
FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})

_START_SECONDS = 120
_STOP_SECONDS = 40


class Ui:
    """What a person clicks."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The answer's data; raises RuntimeError for one with errors."""
        answer = self._client.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        body = answer.json()
        if "errors" in body:
            raise RuntimeError(f"the UI answered {body['errors']}")
        return dict(body["data"])

    @property
    def is_up(self) -> bool:
        """Whether the code location is loaded."""
        try:
            answer = self.ask("{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}")
        except httpx.HTTPError:
            return False
        return [one["loadStatus"] for one in answer["workspaceOrError"]["locationEntries"]] == ["LOADED"]

    def launch_backfill(self, first: str, last: str, assets: Sequence[str] = REPO_ASSETS) -> str:
        """The mutation of the dialog *Materialize* over a range; the backfill's id."""
        span = {"ranges": [{"start": first, "end": last}]}
        launched = self.ask(
            """mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
                __typename
                ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}""",
            params={
                "partitionsByAssets": [{"assetKey": {"path": [name]}, "partitions": span} for name in assets]
            },
        )["launchPartitionBackfill"]
        if launched["__typename"] != "LaunchBackfillSuccess":
            raise RuntimeError(f"the backfill was not launched: {launched}")
        return str(launched["backfillId"])

    def relaunch_failed(self, backfill: str) -> str:
        """*Re-execute from failure* on a backfill's page; the new one's id."""
        launched = self.ask(
            """mutation ($params: ReexecutionParams!) {reexecutePartitionBackfill(reexecutionParams: $params) {
                __typename
                ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}""",
            params={"parentRunId": backfill, "strategy": "FROM_FAILURE"},
        )["reexecutePartitionBackfill"]
        if launched["__typename"] != "LaunchBackfillSuccess":
            raise RuntimeError(f"the backfill was not launched again: {launched}")
        return str(launched["backfillId"])

    def terminate(self, run: str) -> None:
        """*Terminate* on a run's page."""
        self.ask("mutation ($id: String!) {terminateRun(runId: $id) {__typename}}", id=run)

    def backfill(self, backfill: str) -> dict[str, Any]:
        """Its status and its partitions by asset."""
        answer = self.ask(
            """query ($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {
                status error {message} assetBackfillData {assetBackfillStatuses {
                ... on AssetPartitionsStatusCounts {assetKey {path} numPartitionsMaterialized numPartitionsFailed
                numPartitionsInProgress numPartitionsTargeted}}}}}}""",
            id=backfill,
        )
        return dict(answer["partitionBackfillOrError"])

    def runs_of(self, backfill: str) -> list[dict[str, Any]]:
        """The runs of a backfill, the newest first, with their tags as a mapping."""
        return self.runs(tags=[{"key": "dagster/backfill", "value": backfill}])

    def runs(self, **wanted: object) -> list[dict[str, Any]]:
        """Runs by a filter, the newest first."""
        answer = self.ask(
            """query ($filter: RunsFilter) {runsOrError(filter: $filter, limit: 200) {... on Runs {results {
                id jobName status creationTime startTime endTime tags {key value}}}}}""",
            filter=wanted,
        )
        return [
            one | {"tags": {tag["key"]: tag["value"] for tag in one["tags"]}}
            for one in answer["runsOrError"]["results"]
        ]

    def partitions(self, asset: str) -> dict[str, int]:
        """How many partitions of an asset are materialized, failed, and under way."""
        answer = self.ask(
            """query ($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {... on AssetNode {
                partitionStats {numMaterialized numFailed numPartitions numMaterializing}}}}""",
            key={"path": [asset]},
        )
        return dict(answer["assetNodeOrError"]["partitionStats"])


@contextmanager
def digest_up(config: Path, data_dir: Path) -> Iterator[tuple[Ui, str]]:
    """The servers over these settings until the end, and the address of their UI.

    `missing_partitions` is switched off before, for it would ask for every day by itself; all other sensors are on.
    """
    with open_instance(data_dir, environment()) as instance:
        instance.add_instigator_state(_switched_off("missing_partitions"))
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    log = config.with_name("up.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "digest_pipeline", "up", "--config", str(config), "--port", str(port)],
            cwd=config.parent,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            ui = Ui(client)
            wait_until(lambda: process.poll() is not None or ui.is_up, _START_SECONDS, "the UI was up")
            if process.poll() is not None:
                raise RuntimeError(f"digest up ended:\n{tail(log)}")
            yield ui, url
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()


def wait_until(done: Callable[[], bool], seconds: float, what: str, pause: float = 0.25) -> None:
    """Look until it is so. Raises RuntimeError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{seconds:g} s went by before {what}")
        time.sleep(pause)


def _switched_off(sensor: str) -> InstigatorState:
    # By its selector alone, which is made of these names, Dagster finds it again.
    location = GrpcServerCodeLocationOrigin(host="localhost", socket=os.devnull, location_name=LOCATION)
    origin = RemoteInstigatorOrigin(
        repository_origin=RemoteRepositoryOrigin(location, "__repository__"), instigator_name=sensor
    )
    return InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED)
