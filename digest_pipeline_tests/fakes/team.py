"""A team's installation on this machine: what deploy/compose/ starts, as processes, each with a folder of its own.

PostgreSQL and the broker are real, and so are webserver, daemon, code location and workers: the commands are the
compose file's. What a person clicks is asked of the webserver as GraphQL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from digest_pipeline.compose import open_place
from digest_pipeline.settings import Settings
from digest_pipeline.store.history import open_history
from digest_pipeline_tests.fakes.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from digest_pipeline_tests.fakes.project import Project

TOP = Path(__file__).parents[2]
COMPOSE = TOP / "deploy/compose"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))[
    "services"
]
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
STEPS = ("raw_commits", "commit_diffs", "commit_analyses", "repo_report")


def wait_until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again; fails with `what` where it has not come true by then."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{seconds} s went by before {what}"
        time.sleep(0.1)


def history_of(
    project: Project, query: str, environment: Mapping[str, str] = os.environ
) -> list[tuple[Any, ...]]:
    """What a project's shared history answers."""
    with closing(open_history(open_place(Settings.load(project.file), environment))) as connection:
        return connection.execute(query).fetchall()


@dataclass
class Team:
    """Machines that share an instance, a broker and a history. `faster` replaces intervals of dagster.yaml."""

    project: Project
    environment: Mapping[str, str]
    faster: Mapping[str, Any] = field(default_factory=dict)
    machines: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    code_port: int = field(default_factory=free_port)

    def folder(self, machine: str) -> Path:
        """A machine's own data folder, with its Dagster home in it."""
        return self.project.folder / machine

    def log(self, machine: str) -> str:
        """What a machine's process said so far."""
        return (self.project.folder / f"{machine}.log").read_text(encoding="utf-8", errors="replace")

    def of_machine(self, machine: str) -> dict[str, str]:
        """The environment of a machine: the compose file's, with folders of this test."""
        home = self.folder(machine) / "dagster"
        if not home.exists():
            home.mkdir(parents=True)
            shipped = yaml.safe_load((COMPOSE / "dagster.yaml").read_text(encoding="utf-8"))
            (home / "dagster.yaml").write_text(
                yaml.safe_dump(_merged(shipped, self.faster)), encoding="utf-8"
            )
        here = {
            "DIGEST_CONFIG": str(self.project.file),
            "DIGEST_DATA_DIR": str(self.folder(machine)),
            "DAGSTER_HOME": str(home),
        }
        assert here.keys() == SERVICES["code"]["environment"].keys()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **self.environment, **here, "PATH": path, "PYTHONWARNINGS": "ignore"}

    def start(self, machine: str, service: str | None = None, *more: str) -> None:
        """Start a service of the compose file as a machine, its own folder being the working one."""
        environment = self.of_machine(machine)
        command = [self._here(word) for word in SERVICES[service or machine]["command"]]
        with (self.project.folder / f"{machine}.log").open("ab") as log:
            self.machines[machine] = subprocess.Popen(
                [*command, *more],
                cwd=self.folder(machine),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_worker(self, name: str, *, runs: int = 1) -> None:
        """Start a worker."""
        self.start(name, "worker", "--name", name, "--runs", str(runs), "--verbose")

    def is_healthy(self, service: str) -> bool:
        """What the health check of a service says."""
        check = [self._here(word) for word in SERVICES[service]["healthcheck"]["test"][1:]]
        done = subprocess.run(
            check, env=self.of_machine(service), capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    def _here(self, word: str) -> str:
        """A word of a command, with ports and files of this test."""
        workspace = self.project.folder / "workspace.yaml"
        if word == "/etc/digest/workspace.yaml" and not workspace.exists():
            shipped = (COMPOSE / "workspace.yaml").read_text(encoding="utf-8")
            told = shipped.replace("host: code", "host: 127.0.0.1").replace("4000", str(self.code_port))
            workspace.write_text(told, encoding="utf-8")
        here = {
            "/etc/digest/workspace.yaml": str(workspace),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the containers listen on
            "4000": str(self.code_port),
            "3000": str(self.port),
        }
        return here.get(word, word.replace(":3000/", f":{self.port}/"))

    def kill(self, machine: str) -> None:
        """What a power cut does to a machine: all its processes, at once."""
        process = self.machines.pop(machine)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def end(self, machine: str, signal_: signal.Signals = signal.SIGTERM, *, seconds: float = 60) -> int:
        """Ask a machine's main process to end; its exit code."""
        process = self.machines.pop(machine)
        process.send_signal(signal_)
        try:
            return process.wait(seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End everything that still runs."""
        for machine in list(self.machines):
            with suppress(ProcessLookupError):
                self.kill(machine)

    def history(self, query: str) -> list[tuple[Any, ...]]:
        """What the shared history answers."""
        return history_of(self.project, query, self.environment)

    # --- what a person clicks --------------------------------------------------------------------------------

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """What the webserver answers."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=30
        )
        answer.raise_for_status()
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return dict(body["data"])

    def is_up(self) -> bool:
        """Whether the web UI answers, and has loaded the code location."""
        for machine, process in self.machines.items():
            assert process.poll() is None, f"{machine} ended: {self.log(machine)[-4000:]}"
        try:
            found = self.ask(
                "{workspaceOrError {... on Workspace {locationEntries {locationOrLoadError {__typename}}}}}"
            )
        except httpx.HTTPError:
            return False
        entries = found["workspaceOrError"]["locationEntries"]
        loaded = [entry["locationOrLoadError"]["__typename"] for entry in entries]
        return loaded == ["RepositoryLocation"]

    def launch_backfill(self, first: str, last: str, assets: Sequence[str] = STEPS) -> str:
        """Ask for a range of partitions; the backfill's id."""
        span = {"ranges": [{"start": first, "end": last}]}
        launched = self.ask(
            """mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
                __typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}""",
            params={
                "partitionsByAssets": [{"assetKey": {"path": [name]}, "partitions": span} for name in assets]
            },
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def stop_sensors(self) -> None:
        """Turn off what asks for days by itself: a test asks for its own."""
        where = {"repositoryLocationName": "digest_pipeline", "repositoryName": "__repository__"}
        found = self.ask(
            """query ($where: RepositorySelector!) {sensorsOrError(repositorySelector: $where) {
                ... on Sensors {results {id sensorState {status}}}}}""",
            where=where,
        )
        for sensor in found["sensorsOrError"]["results"]:
            if sensor["sensorState"]["status"] == "RUNNING":
                stopped = self.ask(
                    "mutation ($id: String!) {stopSensor(id: $id) {__typename}}", id=sensor["id"]
                )["stopSensor"]
                assert stopped["__typename"] == "StopSensorMutationResult", stopped

    def runs(self) -> list[dict[str, Any]]:
        """All runs, each with its id, status and tags, oldest first."""
        found = self.ask("{runsOrError {... on Runs {results {id status tags {key value}}}}}")
        return [
            {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in reversed(found["runsOrError"]["results"])
        ]

    def materialized(self, run: str) -> list[tuple[str, str]]:
        """The assets and partitions that a run materialised, as often as it did."""
        found = self.ask(
            """query ($id: ID!) {runOrError(runId: $id) {... on Run {eventConnection(limit: 1000) {events {
                __typename ... on MaterializationEvent {assetKey {path} partition}}}}}}""",
            id=run,
        )
        return [
            (event["assetKey"]["path"][-1], event["partition"])
            for event in found["runOrError"]["eventConnection"]["events"]
            if event["__typename"] == "MaterializationEvent"
        ]

    def partitions(self, asset: str) -> dict[str, int]:
        """How many of an asset's partitions are in which state."""
        found = self.ask(
            """query ($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {... on AssetNode {
                partitionStats {numMaterialized numFailed numPartitions numMaterializing}}}}""",
            key={"path": [asset]},
        )
        return dict(found["assetNodeOrError"]["partitionStats"])


def _merged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        key: _merged(settings.get(key) or {}, value) if isinstance(value, dict) else value
        for key, value in over.items()
    }
    return {**settings, **nested}
