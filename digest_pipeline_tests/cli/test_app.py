"""The command line as a whole: help, version, exit codes, and errors that nobody expected."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

from digest_pipeline import __version__
from digest_pipeline.cli import status
from digest_pipeline.cli.app import app
from digest_pipeline_tests.fakes.project import Project, assert_refused, local

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "init",
    "doctor",
    "run",
    "demo",
    "up",
    "worker",
    "status",
    "sql",
    "heal",
    "deliver",
    "rollup",
    "site",
    "serve",
    "store",
)


def test_there_are_the_commands_of_the_contract_and_no_others() -> None:
    command = typer.main.get_command(app)
    assert tuple(getattr(command, "commands")) == COMMANDS  # noqa: B009 - click's and typer's groups differ in type


def test_the_version_is_a_result(project: Project) -> None:
    ran = project.digest("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"digest_pipeline {__version__}\n", "")


def test_help_names_every_command(project: Project) -> None:
    ran = project.digest("--help")
    assert ran.code == 0
    assert all(re.search(rf"\b{name}\b", ran.out) for name in COMMANDS)
    assert "--install-completion" in ran.out
    assert "--show-completion" in ran.out


LATE = (
    "duckdb",
    "dagster",
    "sqlalchemy",
    "openai",
    "httpx",
    "jinja2",
    "apprise",
    "nanoarrow",
    "asyncio",
    "http.server",
)
"""What takes a tenth of a second or more to load, with what it brings."""

ROOMS = ("settings", "compose", "pipeline", "store", "orchestration", "sources", "analysts", "render", "site")


def test_help_loads_neither_settings_nor_what_a_run_needs() -> None:
    late = {*LATE, *(f"digest_pipeline.{room}" for room in ROOMS)}
    # Before it shows the options of a command, typer itself looks for pydantic.
    for arguments, more in (
        (["--help"], {"pydantic", "importlib.metadata"}),
        (["sql", "--help"], set[str]()),
    ):
        code = (
            f"import sys; from digest_pipeline.cli.app import invoke; invoke({arguments}); "
            f"print(sorted({late | more} & {{*sys.modules}}), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stderr.strip() == "[]"


def test_without_a_command_the_help_is_shown(project: Project) -> None:
    ran = project.digest()
    assert ran.code in {0, 2}
    assert "status" in ran.said


OF_STORE = ("check", "compact", "export", "import", "backup", "restore", "move")


@pytest.mark.parametrize(
    "command", [*((name,) for name in COMMANDS if name != "store"), *(("store", name) for name in OF_STORE)]
)
def test_every_command_takes_the_options_of_every_command(project: Project, command: tuple[str, ...]) -> None:
    ran = project.digest(*command, "--help")
    assert ran.code == 0
    assert [
        option for option in ("--config", "--quiet", "--verbose", "--help") if option not in ran.out
    ] == []


def test_the_store_has_the_commands_of_the_contract(project: Project) -> None:
    ran = project.digest("store", "--help")
    assert [name for name in OF_STORE if not re.search(rf"(?m)^\W*{name} ", ran.out)] == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["frobnicate"], "frobnicate"),
        (["run", "--nope"], "--nope"),
        (["run", "stray"], "unexpected extra argument"),
        (["run", "--day"], "--day"),
        (["sql", "SELECT 1", "--format", "xml"], "xml"),
        (["sql", ""], "one query"),
        (["run", "--quiet", "--verbose"], "exclude each other"),
        (["up", "--port", "0"], "--port"),
        (["up", "--port", "many"], "--port"),
    ],
)
def test_a_wrong_word_is_wrong_use(project: Project, arguments: list[str], word: str) -> None:
    ran = project.digest(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert word in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["run", "up", "status", "doctor"])
def test_without_settings_a_command_names_init(project: Project, command: str) -> None:
    assert_refused(project.digest(command), 2, "digest.toml", "digest init", most_lines=1)
    assert list(project.folder.iterdir()) == []


def test_digest_config_names_the_settings(
    made: Project, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_CONFIG", str(made.file))
    ran = project.digest("sql", "SELECT count(*) AS n FROM commits", "--format", "csv")
    assert (ran.code, ran.out) == (0, "n\n10\n")


def test_the_option_wins_over_the_variable(
    made: Project, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_CONFIG", "nowhere.toml")
    assert project.digest("sql", "SELECT 1", "--config", str(made.file)).code == 0
    assert_refused(project.digest("status"), 2, "nowhere.toml", most_lines=1)


WRONG_SETTINGS = {
    "not TOML": ("timezone = ", "is not TOML"),
    "an unknown key": ("timezon = 'UTC'", "did you mean"),
    "an unknown zone": ("timezone = 'Mars/Olympus'", "Mars/Olympus"),
    "an unknown language": ("language = 'fr'", "'en'"),
    "a day that is none": ("first_day = 'soon'", "first_day"),
    "no repos": ("timezone = 'UTC'", "repos"),
    "a repo without owner": ("[[repos]]\nname = 'engine'\nurl = '/x'", "owner/name"),
    "a repo that climbs": ("[[repos]]\nname = '../engine'\nurl = '/x'", "owner/name"),
    "an owner called daily": ("[[repos]]\nname = 'daily/engine'\nurl = '/x'", "daily"),
    "a password in the URL": ("[[repos]]\nname = 'a/b'\nurl = 'https://u:hunter2@h/x.git'", "token_env"),
    "a key in the file": ("[llm]\nbase_url = 'http://h/v1'\nmodel = 'm'\napi_key_env = 'sk-hunter2'", "NAME"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_wrong_settings_are_explained_in_a_line_each(project: Project, case: str) -> None:
    text, word = WRONG_SETTINGS[case]
    project.folder.mkdir()
    project.file.write_text(text, encoding="utf-8")
    ran = project.digest("run")
    assert_refused(ran, 2, "digest.toml", word, most_lines=4)
    assert "hunter2" not in ran.said
    assert not project.data.exists()


def test_what_nobody_expected_is_a_line_with_exit_code_1(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("the sky fell\nand more")

    monkeypatch.setattr(status, "_as_json", breaks)
    ran = made.digest("status", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "digest: unexpected ZeroDivisionError: the sky fell (a bug; --verbose shows where)"
    ]
    assert "breaks" in made.digest("status", "--json", "--verbose").err


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no /dev/full")
@pytest.mark.parametrize(
    ("stdout", "code", "word"),
    [(">/dev/full", 1, "No space left on device: free some space"), (">&-", 0, "")],
    ids=["full", "closed"],
)
def test_a_stdout_that_takes_nothing_is_told_or_left_alone(
    made: Project, stdout: str, code: int, word: str
) -> None:
    command = shlex.join(
        [sys.executable, "-m", "digest_pipeline", "sql", "SELECT 1", "--config", str(made.file)]
    )
    ran = subprocess.run(["sh", "-c", f"{command} {stdout}"], capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert word in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_process_leaves_only_when_its_threads_and_exit_functions_are_done(tmp_path: Path) -> None:
    """It leaves without freeing what it loaded; nothing that was still to be done may be lost by that."""
    script = (
        "import atexit, threading, time, sys\n"
        "from digest_pipeline.cli import main\n"
        f"def late():\n time.sleep(0.2)\n open({str(tmp_path / 'thread')!r}, 'w').write('done')\n"
        f"atexit.register(lambda: open({str(tmp_path / 'exit')!r}, 'w').write('done'))\n"
        "threading.Thread(target=late).start()\n"
        "sys.argv = ['digest', '--version']\nmain()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, f"digest_pipeline {__version__}\n")
    assert (tmp_path / "thread").read_text() == (tmp_path / "exit").read_text() == "done"


def test_ctrl_c_is_no_bug(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "_as_json", stops)
    ran = made.digest("status", "--json")
    assert (ran.code, ran.out) == (130, "")
    assert "digest: stopped; what was finished is kept" in ran.err


def test_a_reader_that_leaves_early_is_no_error(made: Project) -> None:
    command = (
        f"'{sys.executable}' -m digest_pipeline sql 'SELECT * FROM range(300000)' --format csv | head -1"
    )
    done = subprocess.run(["sh", "-c", command], cwd=made.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "range\n", "")


def test_verbose_and_quiet_change_stderr_alone(project: Project, engine: Path) -> None:
    project.begin()
    project.configure(local("ada/engine", engine))
    loud, silent = (project.digest("run", "--day", "2026-01-05", option) for option in ("-v", "-q"))
    assert (loud.code, silent.code) == (0, 0)
    assert loud.out == silent.out
    assert "ada/engine 2026-01-05: 2 commits" in loud.err
    assert silent.err == ""
