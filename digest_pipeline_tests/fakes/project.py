"""A folder with a digest.toml, and the command line in it: in this process, or as a process of its own."""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from digest_pipeline import open_history
from digest_pipeline.cli.app import invoke
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.settings import Settings
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

FIRST_DAY = date(2026, 1, 5)
DEAD_URL = "http://127.0.0.1:9/nobody/home.git"
"""Nothing listens on the port `discard`, and a test may ask no farther than this machine."""


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit code, and what it said on both streams."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that say what went wrong."""
        return [line for line in self.err.splitlines() if line.startswith("digest: ")]

    @property
    def said(self) -> str:
        """Both streams, for a look at everything."""
        return self.out + self.err


@cache
def _begun() -> Path:
    """A data folder with everything in it that is made before the first day: a second of work, done once."""
    folder = Path(tempfile.mkdtemp(prefix="digest-begun-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    History(Place(folder), ZoneInfo("UTC")).close()
    with open_instance(folder, {}):
        pass
    return folder


@dataclass
class Project:
    """A working folder; relative paths in its settings count from it."""

    folder: Path
    _reader: duckdb.DuckDBPyConnection | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.folder / "digest.toml"

    @property
    def settings(self) -> Settings:
        """The settings as the product reads them."""
        return Settings.load(self.file, environ={})

    def configure(
        self,
        *repos: Mapping[str, object],
        llm: Mapping[str, object] | None = None,
        alarm: Mapping[str, object] | None = None,
        readers: Sequence[Mapping[str, object]] = (),
        channels: Sequence[Mapping[str, object]] = (),
        store: Mapping[str, object] | None = None,
        **settings: object,
    ) -> None:
        """Write digest.toml: a `[[repos]]` table for each of `repos`, the other tables where given, and more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, object] = {
            "timezone": "UTC",
            "language": "en",
            "first_day": FIRST_DAY,
            "data_dir": "data",
        }
        lines = _table(values | settings)
        for repo in repos:
            lines += ["", "[[repos]]", *_table(repo)]
        if llm is not None:
            lines += ["", "[llm]", *_table(llm)]
        if store is not None:
            lines += ["", "[store]", *_table(store)]
        if alarm is not None:
            lines += ["", "[alarm]", *_table(alarm)]
        for name, tables in (("reader", readers), ("channel", channels)):
            for table in tables:
                lines += ["", f"[[{name}]]", *_table(table)]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def begin(self) -> None:
        """Make the data folder as a first run would leave it, but for the days."""
        if not self.data.exists():
            shutil.copytree(_begun(), self.data)

    def digest(self, *arguments: str) -> Ran:
        """Run a command in this process, standing in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            code = invoke(list(arguments))
        return Ran(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command as a process of its own; both its streams are pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "digest_pipeline", *arguments],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def spawn(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
        """Run a command as a process of its own, to its end."""
        return finished(self.start(*arguments, environment=environment))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the history answers, over one connection that stays open and sees what others write."""
        if self._reader is None:
            is_shared = self.settings.store.catalog_url_env is not None
            self._reader = open_history(config=self.file) if is_shared else open_history(self.data)
        return self._reader.execute(query).fetchall()

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command printed
        """The JSON that a command printed; it must have succeeded."""
        ran = self.digest(*arguments)
        assert ran.code == 0, ran.said
        return json.loads(ran.out)

    def page(self, repo: str, day: date) -> str:
        """The text of a repo's report."""
        return (self.data / f"reports/{repo}/{day:%Y}/{day}.md").read_text(encoding="utf-8")

    def daily(self, day: date) -> str:
        """The text of a day's digest."""
        return (self.data / f"reports/daily/{day:%Y}/{day}.md").read_text(encoding="utf-8")


def finished(process: subprocess.Popen[str], *, timeout: float = 120) -> Ran:
    """What a started command did, once it is over."""
    out, err = process.communicate(timeout=timeout)
    return Ran(process.returncode, out, err)


def local(name: str, path: Path, **more: object) -> dict[str, object]:
    """A `[[repos]]` table for a repository on this machine."""
    return {"name": name, "url": str(path), **more}


def small_repository(path: Path, days: int = 3, commits_per_day: int = 2) -> RepositoryBuilder:
    """A repository with some commits on each of the days from FIRST_DAY on, of different kinds."""
    kinds = ("feat: add a part", "fix: mend a part", "docs: describe a part")
    builder = RepositoryBuilder(path)
    number = 0
    for day in range(days):
        builder.clock = datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(days=day)
        for _ in range(commits_per_day):
            number += 1
            builder.write(f"src/part{number}.py", f"def part{number}():\n    return {number}\n")
            builder.commit(f"{kinds[number % 3]} {number} (#{number})")
    return builder


def days_from(first: date, count: int) -> list[date]:
    """`count` days, `first` among them."""
    return [first + timedelta(days=offset) for offset in range(count)]


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, by its path from there."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def assert_no_traceback(ran: Ran) -> None:
    """What every failure owes a person: no traceback, and no word of a bug."""
    __tracebackhide__ = True
    for forbidden in ("Traceback", 'File "', "unexpected ", "(a bug"):
        assert forbidden not in ran.said, ran.said


def assert_refused(ran: Ran, code: int, *words: str, most_lines: int = 3) -> None:
    """A command that failed as it should: its exit code, nothing on stdout, a few lines that hold `words`."""
    __tracebackhide__ = True
    assert_no_traceback(ran)
    assert (ran.code, ran.out) == (code, ""), ran.said
    lines = ran.err.splitlines()
    assert 1 <= len(lines) <= most_lines, ran.err
    for word in words:
        assert word in ran.err, f"{word!r} is not in: {ran.err}"


def _table(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in values.items()]


def _toml(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return f"{{ {', '.join(_table(value))} }}"
    return json.dumps(value, ensure_ascii=False)
