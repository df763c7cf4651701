"""`deploy/github/daily.yml`: what actionlint says of it, and its `run:` steps as a runner's shell would run them.

GitHub's part is stood in for: what the actions do before and after, `GITHUB_ENV`, `GITHUB_OUTPUT`, `RUNNER_TEMP`, and
a bare repository on this disk as `origin`. The interpreter of setup-python is an environment that sees this one's
packages; pip installs into it a wheel of this clone, since without a network it can build none itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

from digest_pipeline import open_history
from digest_pipeline.cli.app import app
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder, git

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = Path(__file__).parents[1]
WORKFLOW = TOP / "deploy/github/daily.yml"
TEXT = WORKFLOW.read_text(encoding="utf-8")
PARSED: dict[Any, Any] = yaml.safe_load(TEXT)
JOB = PARSED["jobs"]["digest"]
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in JOB["steps"] if "run" in step}
NIGHT = ["Fetch the history", "Make the days", "Upkeep", "Keep the history"]


# --- as it is written ----------------------------------------------------------------------------------------


def test_actionlint_finds_nothing() -> None:
    program = Path(sys.executable).parent / "actionlint"
    found = subprocess.run([program, "-no-color", WORKFLOW], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_what_is_sent_is_sent_after_the_site_by_those_who_asked_for_it_and_kept() -> None:
    job = PARSED["jobs"]["deliver"]
    assert job["needs"] == ["digest", "publish"]
    assert "vars.DELIVER == 'true'" in job["if"]
    steps = [step.get("name") or step["uses"].partition("@")[0] for step in job["steps"]]
    assert steps[-3:] == ["Fetch the history", "Deliver", "Keep the history"]
    assert job["steps"][-1] == STEPS["Keep the history"]
    assert "!cancelled()" in job["steps"][-1]["if"], "also where a channel failed"
    assert not any("continue-on-error" in step for step in job["steps"])


def test_it_may_do_no_more_than_each_job_needs() -> None:
    assert PARSED["permissions"] == {}
    assert JOB["permissions"] == {"contents": "write"}
    assert PARSED["jobs"]["deliver"]["permissions"] == {"contents": "write"}
    assert PARSED["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert PARSED["concurrency"]["cancel-in-progress"] is False
    assert all(job["timeout-minutes"] for job in PARSED["jobs"].values())


def test_no_value_from_outside_becomes_part_of_a_script() -> None:
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]


def test_secrets_are_named_where_they_are_used_and_nowhere_else() -> None:
    with_secrets = [name for name, step in STEPS.items() if "secrets." in str(step.get("env"))]
    assert with_secrets == ["Make the days"]
    assert "secrets." not in str(PARSED.get("env")) + str(JOB.get("env"))


# --- as a shell runs it --------------------------------------------------------------------------------------


@dataclass
class Runner:
    """A machine that GitHub hands out: the repository checked out afresh, and nothing from any night before."""

    folder: Path
    origin: Path
    programs: Path
    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = self.folder / "work tree"
        (self.folder / "temp").mkdir(parents=True)
        git(self.folder, "clone", "--quiet", "--depth=1", self.origin.as_uri(), str(self.work))
        for name in ("env", "output"):
            (self.folder / name).touch()

    def run(self, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One step, with what the steps before it left in GITHUB_ENV."""
        step = STEPS[name]
        kept = dict(line.split("=", 1) for line in self._lines("env"))
        declared = {**PARSED["env"], **step.get("env", {})}
        environment = {key: self._value(str(value)) for key, value in declared.items()}
        paths = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        fixed = {
            "PATH": paths,
            "GITHUB_ENV": str(self.folder / "env"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "CI": "true",
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.work,
            env={**os.environ, **fixed, **environment, **kept, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def night(self, *names: str, **more: str) -> str:
        """All steps from the history to the history, each of which must succeed; what they said."""
        said = ""
        for name in names or NIGHT:
            done = self.run(name, **more)
            said += done.stdout + done.stderr
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return said

    def outputs(self) -> dict[str, str]:
        """What steps wrote into GITHUB_OUTPUT."""
        return dict(line.split("=", 1) for line in self._lines("output"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the history of this machine answers."""
        with open_history(self.work / "data") as connection:
            return connection.execute(query).fetchall()

    def _lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text(encoding="utf-8").splitlines()

    def _value(self, text: str) -> str:
        found = re.fullmatch(r"\$\{\{ (\S+) \}\}", text)
        return text if found is None else self.given.get(found[1], "")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a Python that setup-python might have brought, with what pip would have to download."""
    folder = tmp_path_factory.mktemp("tool cache")
    venv.create(folder, with_pip=False, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "downloaded.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Somebody's repository at GitHub: a digest.toml, and the workflow; what it follows is another one beside it."""
    today = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
    followed = RepositoryBuilder(tmp_path / "followed", clock=today - timedelta(days=3))
    followed.write("src/part.py", "def part():\n    return 1\n")
    followed.commit("feat: add a part (#1)")
    mine = RepositoryBuilder(tmp_path / "mine")
    mine.write(
        "digest.toml",
        f'first_day = {today.date() - timedelta(days=3)}\n[[repos]]\nname = "ada/part"\nurl = "{followed.path}"\n',
    )
    mine.write(".github/workflows/daily.yml", TEXT)
    mine.commit("chore: a digest every night")
    bare = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(mine.path), str(bare))
    return bare


def weekday(*, today: bool) -> str:
    """A value of UPKEEP_ON that is the present day, or is none."""
    return str(datetime.now(UTC).isoweekday()) if today else "0"


@pytest.mark.slow
def test_the_second_night_finds_the_history_of_the_first(
    tmp_path: Path, origin: Path, programs: Path
) -> None:
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        tmp_path / "wheels",
    ]
    subprocess.run([str(word) for word in build], cwd=TOP, check=True, capture_output=True)
    [wheel] = (tmp_path / "wheels").glob("*.whl")
    given = {"vars.DIGEST_SOURCE": str(wheel)}
    first = Runner(tmp_path / "first", origin, programs, given)
    installed = first.run("Install", PIP_NO_INDEX="1", PIP_NO_DEPS="1")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.startswith("digest_pipeline ")
    first.night(UPKEEP_ON=weekday(today=True))
    assert first.outputs()["failed"] == "0"
    if "site" in vars(typer.main.get_command(app))["commands"]:
        first.night("Build the site")
        assert (tmp_path / "first/temp/site/index.html").exists()
        assert first.outputs()["built"] == "true"
    read = first.rows("SELECT day, read_at, commit_count FROM reads ORDER BY day")
    assert len(read) >= 3
    assert sum(row[2] for row in read) == 1

    second = Runner(tmp_path / "second", origin, programs, given)
    said = second.night(UPKEEP_ON=weekday(today=False))
    assert "nothing to heal" in said
    # What stands was not read again: it came with the history, yesterday aside.
    again = second.rows("SELECT day, read_at, commit_count FROM reads ORDER BY day")
    assert again[: len(read) - 1] == read[: len(read) - 1]
    assert len(git(origin, "rev-list", "history").split()) == 1, "the branch never grows by its past"
    kept = git(origin, "ls-tree", "-r", "--name-only", "history").decode().splitlines()
    assert {name.partition("/")[0] for name in kept} == {"store", "reports"}

    # A machine that began before the second one ended does not undo it.
    before = git(origin, "rev-parse", "history")
    late = first.run("Keep the history")
    assert late.returncode != 0
    assert "stale info" in late.stderr
    assert git(origin, "rev-parse", "history") == before


def test_a_repository_that_cannot_be_asked_is_not_taken_for_the_first_night(
    tmp_path: Path, origin: Path, programs: Path
) -> None:
    runner = Runner(tmp_path / "runner", origin, programs)
    origin.rename(tmp_path / "moved.git")
    fetched = runner.run("Fetch the history")
    assert fetched.returncode not in {0, 2}
    assert not (runner.folder / "env").read_text(encoding="utf-8")


def test_a_repository_that_names_no_source_is_told_which_variable_to_set(
    tmp_path: Path, origin: Path, programs: Path
) -> None:
    asked = Runner(tmp_path / "runner", origin, programs).run("Install")
    assert asked.returncode == 1
    assert "::error::Set the variable DIGEST_SOURCE" in asked.stdout


@pytest.mark.slow
def test_a_night_that_fails_keeps_what_it_has_and_says_so_at_the_end(
    tmp_path: Path, origin: Path, programs: Path
) -> None:
    (tmp_path / "followed").rename(tmp_path / "gone")
    runner = Runner(tmp_path / "runner", origin, programs)
    (programs / "digest").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m digest_pipeline "$@"\n', encoding="utf-8"
    )
    (programs / "digest").chmod(0o755)
    runner.night(UPKEEP_ON=weekday(today=False))
    failed = runner.outputs()["failed"]
    assert failed == "1"
    assert git(origin, "rev-parse", "history")
    said = runner.run("Say what failed", FAILED=failed)
    assert said.returncode == 1
    assert "::error::" in said.stdout
