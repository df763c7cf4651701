"""What holds for every test: no network beyond this machine, none of its user's settings, one seed in CI.

Tests marked `postgres`, `redis`, `s3` or `browser` are skipped where the machine lacks the program, and fail instead
where `DIGEST_REQUIRE_OPTIONAL` is set, as in CI. Fakes and builders live in `fakes/`, not here.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).parent / "cases"
REQUIRE_OPTIONAL = "DIGEST_REQUIRE_OPTIONAL"
_REQUIRED = pytest.StashKey[bool]()
_UPDATE = "make test ARGS=--update-golden"

# A deadline would measure the machine. In CI the same examples come every time, so that a failure there is
# the change's own; on a developer's machine new ones are tried.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


# --- the environment ----------------------------------------------------------------------------------------

_FOREIGN_PREFIXES = ("AWS_", "DAGSTER_", "DIGEST_", "GH_", "GIT_", "GITHUB_", "OPENAI_", "PG")
_FOREIGN_NAMES = {
    *("ALL_PROXY", "FTP_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "WS_PROXY", "WSS_PROXY"),
    *("COLUMNS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code now gives into digest_pipeline_tests/cases/ instead of comparing it",
    )


@pytest.hookimpl(tryfirst=True)  # before pytest-socket reads its options
def pytest_configure(config: pytest.Config) -> None:
    if config.option.allow_hosts is None:
        config.option.allow_hosts = "127.0.0.1,::1,localhost"
        config.option.allow_unix_socket = True

    config.stash[_REQUIRED] = bool(os.environ.get(REQUIRE_OPTIONAL))
    # For the whole session, not for each test: modules and session fixtures read the environment too, and
    # every child process inherits it.
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES) or name.upper() in _FOREIGN_NAMES:
            patch.delenv(name)
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    patch.setenv("GIT_TERMINAL_PROMPT", "0")


# --- programs that a machine may lack -----------------------------------------------------------------------


@cache
def find_postgres() -> Path | None:
    """The folder of the newest PostgreSQL server; distributions keep its programs off the PATH."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    found = [
        *Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin/initdb"),
        *Path("/usr/local/opt").glob("postgresql@*/bin/initdb"),
        *Path("/Applications/Postgres.app/Contents/Versions").glob("*/bin/initdb"),
    ]
    newest = max(found, key=lambda program: int("0" + re.sub(r"\D", "", program.parts[-3])), default=None)
    return newest and newest.parent


@cache
def find_s3() -> Path | None:
    """SeaweedFS's program, which comes with the development dependencies, on Linux."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("weed")
    return Path(found) if found else None


@cache
def find_redis() -> Path | None:
    """The server of Redis, or of its successor Valkey."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


@cache
def find_chromium() -> Path | None:
    """A Chromium or Chrome that Playwright can drive: the system's, or the one that Playwright downloaded."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if on_path := shutil.which(name):
            return Path(on_path)
    home = Path.home()
    found = [
        *Path("/Applications").glob("Google Chrome.app/Contents/MacOS/Google Chrome"),
        *(home / ".cache/ms-playwright").glob("chromium-*/chrome-linux*/chrome"),
        *(home / "Library/Caches/ms-playwright").glob("chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
    ]
    return next(iter(found), None)


_OPTIONAL: dict[str, tuple[Callable[[], Path | None], str]] = {
    "postgres": (
        find_postgres,
        "PostgreSQL's server is missing (Debian: apt install postgresql, macOS: brew install postgresql@17)",
    ),
    "s3": (find_s3, "SeaweedFS is missing: make install brings it on Linux"),
    "redis": (
        find_redis,
        "Redis is missing (Debian: apt install redis-server, macOS: brew install redis)",
    ),
    "browser": (
        find_chromium,
        "Chromium is missing (Debian: apt install chromium, macOS: .venv/bin/playwright install chromium)",
    ),
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (find, reason) in _OPTIONAL.items():
        if item.get_closest_marker(marker) and find() is None:
            if item.config.stash[_REQUIRED]:
                pytest.fail(f"{reason}, and {REQUIRE_OPTIONAL} is set", pytrace=False)
            pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_bin() -> Path:
    """The folder of PostgreSQL's server binaries; for tests marked `postgres`."""
    folder = find_postgres()
    assert folder is not None, "mark the test with @pytest.mark.postgres"
    return folder


@pytest.fixture(scope="session")
def s3_program() -> Path:
    """The object store's program; for tests marked `s3`."""
    program = find_s3()
    assert program is not None, "mark the test with @pytest.mark.s3"
    return program


@pytest.fixture(scope="session")
def redis_program() -> Path:
    """The server of Redis; for tests marked `redis`."""
    program = find_redis()
    assert program is not None, "mark the test with @pytest.mark.redis"
    return program


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser, for Playwright's `executable_path`; for tests marked `browser`."""
    program = find_chromium()
    assert program is not None, "mark the test with @pytest.mark.browser"
    return program


# --- golden files -------------------------------------------------------------------------------------------


class Golden:
    """Compares texts with the committed files below `cases/`, or rewrites these under `--update-golden`."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self._folder = folder.resolve()
        self._update = update

    def __call__(self, path: str | Path, text: str) -> None:
        """Fails with a diff unless the file at `path`, relative to `cases/`, holds exactly `text`."""
        __tracebackhide__ = True
        file = (self._folder / path).resolve()
        assert file.is_relative_to(self._folder), f"{path} does not lie below {self._folder}"
        expected = file.read_bytes().decode() if file.exists() else None
        if text == expected:
            return
        if self._update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
            return
        if expected is None:
            pytest.fail(f"cases/{path} is missing; to write it, run: {_UPDATE}", pytrace=False)
        diff = difflib.unified_diff(_lines(expected), _lines(text), f"cases/{path}", "what the code gives")
        pytest.fail(
            f"cases/{path} differs; if the change is meant, run: {_UPDATE}\n\n{''.join(diff)}", pytrace=False
        )


def _lines(text: str) -> list[str]:
    """Lines for a diff, each with an end; one that has none of its own says so, as git does."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n\\ No newline at end of file\n"
    return lines


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    """`golden("render/day.md", text)` compares `text` with `digest_pipeline_tests/cases/render/day.md`."""
    return Golden(CASES, update=bool(pytestconfig.getoption("--update-golden")))
