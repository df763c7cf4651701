"""`deploy/compose/` and `deploy/kubernetes/`, as far as they can be checked without an engine.

That the commands of the compose file start, and work together, is shown in orchestration/test_team_live.py, which
takes them from there. What neither shows is in docs/scale.md: images were not built, and no cluster was there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.run_coordinator import RunCoordinator

from digest_pipeline.orchestration.instance import packaged_file
from digest_pipeline.settings import Settings
from digest_pipeline_tests.fakes.postgres import free_port
from digest_pipeline_tests.fakes.team import wait_until

TOP = Path(__file__).parents[1]
COMPOSE = TOP / "deploy/compose"
BIN = Path(sys.executable).parent


def load(path: str) -> dict[str, Any]:
    """A YAML file of deploy/, or of the top."""
    return dict(yaml.safe_load((TOP / path).read_text(encoding="utf-8")))


SERVICES: dict[str, dict[str, Any]] = load("deploy/compose/compose.yaml")["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def variables(name: str) -> dict[str, str]:
    """What an example of a file of secrets asks for."""
    lines = (COMPOSE / name).read_text(encoding="utf-8").splitlines()
    return dict(line.lstrip("#").split("=", 1) for line in lines if re.fullmatch(r"#?[A-Z_]+=.*", line))


SECRETS, WORDS = variables("secrets.env.example"), variables("servers.env.example")
VALUES = load("deploy/kubernetes/values.yaml")


def test_the_compose_file_is_one_by_the_schema_of_its_specification() -> None:
    program = str(BIN / "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", str(COMPOSE / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_has_a_fixed_image_a_health_check_and_no_secret_in_the_file() -> None:
    assert set(OURS) == {"code", "webserver", "daemon", "worker"}
    for name, service in SERVICES.items():
        assert re.search(r":\d[\w.]*$", service["image"]), f"{name}: a tag that does not move"
        # A worker's runs answer for it, to run monitoring.
        assert "healthcheck" in service or name == "worker"
        assert service["env_file"] == ["secrets.env" if name in OURS else "servers.env"]
        assert not {**SECRETS, **WORDS}.keys() & service.get("environment", {}).keys()
    assert not SECRETS.keys() & WORDS.keys()
    assert all("…" in value or not value for value in SECRETS.values()), "the example holds no secret"
    assert not any(WORDS.values())
    ignored = (TOP / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/deploy/compose/secrets.env", "/deploy/compose/servers.env"} <= set(ignored)


def test_what_is_mounted_is_there_and_what_is_named_is_declared() -> None:
    declared = load("deploy/compose/compose.yaml")["volumes"]
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, _, target = volume.partition(":")
            if source.startswith("./"):
                assert (COMPOSE / source).is_file(), f"{name}: {volume}"
            elif target:
                assert source in declared, f"{name}: {volume}"
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in SERVICES[needed], (
                f"{name} waits for {needed}, which never says that it is up"
            )
    assert load("deploy/compose/workspace.yaml")["load_from"][0]["grpc_server"]["host"] in SERVICES


def test_every_command_is_one_that_the_image_has() -> None:
    scripts = {
        entry.name
        for package in ("digest-pipeline", "dagster", "dagster-webserver")
        for entry in distribution(package).entry_points
        if entry.group == "console_scripts"
    }
    for name in OURS:
        assert SERVICES[name]["command"][0] in scripts
        check = SERVICES[name].get("healthcheck", {"test": ["CMD", "digest"]})["test"]
        assert check[1] in {*scripts, "python"}


def test_a_team_runs_with_the_settings_of_one_machine_but_for_the_numbers_of_workers() -> None:
    one, team = load("dagster.yaml"), load("deploy/compose/dagster.yaml")
    assert team["concurrency"]["runs"]["max_concurrent_runs"] == places()
    assert (
        team["run_queue"]["max_user_code_failure_retries"] > one["run_queue"]["max_user_code_failure_retries"]
    )
    assert team["concurrency"]["pools"]["default_limit"] == places(), (
        "else workers are idle where [llm] is set"
    )
    # Long enough for a worker that is asked to end and started again; a run that was lost is noticed by it.
    start = team["run_monitoring"]["start_timeout_seconds"]
    assert 2 * grace_seconds() <= start <= team["run_monitoring"]["max_runtime_seconds"] / 10
    team["concurrency"]["runs"] = one["concurrency"]["runs"]
    for section, key in (
        ("run_queue", "max_user_code_failure_retries"),
        ("run_monitoring", "start_timeout_seconds"),
    ):
        team[section][key] = one[section][key]
    team["concurrency"]["pools"]["default_limit"] = one["concurrency"]["pools"]["default_limit"]
    assert team == one


def grace_seconds() -> int:
    """How long a worker of the compose file may take to end."""
    found = re.fullmatch(r"(\d+)m", SERVICES["worker"]["stop_grace_period"])
    assert found is not None
    return 60 * int(found[1])


@pytest.mark.redis
def test_the_broker_has_its_password_to_itself_and_ends_when_it_is_asked_to(
    tmp_path: Path, redis_program: Path
) -> None:
    [shell, flag, script] = SERVICES["broker"]["command"]
    [own] = SERVICES["broker"]["tmpfs"]
    here = script.replace("$$", "$").replace(own, str(tmp_path)).replace("redis-server", str(redis_program))
    here = here.replace("requirepass", f"port {free_port()}\\nrequirepass")
    broker = subprocess.Popen([shell, flag, here], cwd=tmp_path, env={**os.environ, "REDIS_PASSWORD": "word"})
    try:
        wait_until((tmp_path / "appendonlydir").exists, 20, "it was up")
        assert (tmp_path / "conf").stat().st_mode & 0o077 == 0
        assert b"word" not in Path(f"/proc/{broker.pid}/cmdline").read_bytes()
        broker.terminate()
        assert broker.wait(20) == 0
    finally:
        broker.kill()
        broker.wait()


def places() -> int:
    """How many runs the workers of the compose file work off at once."""
    worker = SERVICES["worker"]
    command = worker["command"]
    return int(worker["deploy"]["replicas"]) * int(command[command.index("--runs") + 1])


@pytest.mark.slow
def test_the_code_location_loads_with_the_environment_of_its_service(tmp_path: Path) -> None:
    environment = {name: value.replace("…", "word") or "word" for name, value in SECRETS.items()}
    told = {**SERVICES["code"]["environment"], "DIGEST_CONFIG": str(COMPOSE / "digest.toml")}
    home = tmp_path / "dagster"
    home.mkdir()
    told |= {"DIGEST_DATA_DIR": str(tmp_path), "DAGSTER_HOME": str(home)}
    # No dagster.yaml in this home: definitions are checked, and nobody is asked who is not there.
    done = subprocess.run(
        [str(BIN / "dagster"), "definitions", "validate", "-m", "digest_pipeline.definitions"],
        env={**os.environ, **environment, **told},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_beside_it_name_variables_that_the_example_of_secrets_has() -> None:
    settings = Settings.load(COMPOSE / "digest.toml", environ={})
    assert settings.store.catalog_url_env in SECRETS
    mounted = [volume.partition(":")[2] for volume in SERVICES["worker"]["volumes"]]
    assert settings.store.data_url in mounted
    # A year of one repository is enough for all the places there are.
    assert settings.backfill_days is not None
    assert settings.backfill_days * places() < 366


def test_the_image_is_made_of_what_its_context_holds() -> None:
    ignored = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    built = load_toml()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert packaged_file(team=True) == COMPOSE / "dagster.yaml"
    needed = {*built["packages"], *built["force-include"], load_toml()["project"]["readme"], "LICENSE"}
    assert needed | {"pyproject.toml", "requirements.lock"} <= allowed
    assert all((TOP / name).exists() for name in allowed)
    text = (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:3.13-slim-bookworm"}
    # The expression that takes the versions out of the lock takes all of them.
    expression = re.search(r"sed -n '(s/.*?/p)'", text)
    assert expression is not None
    lock = (TOP / "requirements.lock").read_text(encoding="utf-8")
    taken = subprocess.run(
        ["sed", "-n", expression[1]], input=lock, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(taken) == len(re.findall(r"^[a-zA-Z0-9].*==", lock, re.MULTILINE))
    assert f"dagster=={version('dagster')}" in taken


def test_kubernetes_gets_the_same_limits_and_the_version_that_is_locked() -> None:
    text = (TOP / "deploy/kubernetes/values.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\b1\.\d+\.\d+\b", text)) == {version("dagster")}
    assert VALUES["runLauncher"]["type"] == "K8sRunLauncher"
    [deployment] = VALUES["dagster-user-deployments"]["deployments"]
    assert deployment["codeServerArgs"] == ["-m", "digest_pipeline.definitions"]
    assert deployment["image"]["tag"] == load_toml()["project"]["version"]
    # `dagster-k8s` comes with the extra that the comment builds the image with.
    [extra] = re.findall(r"EXTRAS=(\w+)", text)
    assert any("dagster-k8s" in one for one in load_toml()["project"]["optional-dependencies"][extra])
    mounts = {mount["mountPath"]: mount["name"] for mount in deployment["volumeMounts"]}
    told = {item["name"]: item["value"] for item in deployment["env"]}
    assert told["DIGEST_DATA_DIR"] in mounts
    assert Path(told["DIGEST_CONFIG"]).parent.as_posix() in mounts
    assert sorted(mounts.values()) == sorted(volume["name"] for volume in deployment["volumes"])
    one = load("dagster.yaml")
    retries = VALUES["dagsterDaemon"]["runRetries"]
    assert (retries["maxRetries"], retries["retryOnAssetOrOpFailure"]) == (
        one["run_retries"]["max_retries"],
        one["run_retries"]["retry_on_asset_or_op_failure"],
    )
    assert VALUES["concurrency"]["pools"]["granularity"] == one["concurrency"]["pools"]["granularity"]
    assert (
        VALUES["concurrency"]["pools"]["defaultLimit"] == VALUES["concurrency"]["runs"]["maxConcurrentRuns"]
    )
    # What the chart names no key for is said to Dagster's own queue, by its class.
    queue = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    assert issubclass(getattr(import_module(queue["module"]), queue["class"]), RunCoordinator)
    assert load("deploy/compose/dagster.yaml")["run_queue"].items() <= queue["config"].items()
    # A run's pod may write to the volume, whichever version of the chart starts it.
    started = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    assert started["podSpecConfig"]["securityContext"] == deployment["podSecurityContext"]


def load_toml() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
