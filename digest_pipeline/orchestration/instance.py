"""Dagster's home folder: made, given its dagster.yaml, and opened."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy.exc
import yaml
from alembic.script import ScriptDirectory
from dagster._check import CheckError
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData

from digest_pipeline.errors import ConfigurationError, StoreBusy, StoreDamaged, StoreError
from digest_pipeline.orchestration.instance_storage import HOME_VARIABLE
from digest_pipeline.orchestration.run_launcher import broker_url

BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
BATCH_SIZE = "500"

_FILE = "dagster.yaml"
_TEAM_FILE = "dagster.team.yaml"
_WRITTEN = ".dagster.yaml.written"
_DAMAGED = re.compile(r"malformed|not a database|no such (?:table|column)|disk image|has no column")
_FULL = re.compile(r"disk is full|disk I/O error|No space left")
_BUSY = re.compile(r"is locked|is busy")

_NO_CAPTURE = ConfigurableClassData(
    "dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager", "{}"
)


def packaged_file(*, team: bool = False) -> Path:
    """The dagster.yaml of this version, or the one of a team: beside this module in a wheel, else in the clone."""
    beside = Path(__file__).with_name(_TEAM_FILE if team else _FILE)
    top = Path(__file__).parents[2]
    return beside if beside.is_file() else (top / "deploy/compose" if team else top) / _FILE


def prepare_home(data_dir: Path, environ: Mapping[str, str]) -> Path:
    """The absolute home folder, `$DAGSTER_HOME` or `<data_dir>/dagster`, made and with a dagster.yaml in it.

    It is the one of a team where a broker is set, with whose numbers a run may wait for a worker. The file is
    brought up to date while it is as some version of the project wrote it, and left alone once somebody edited it.
    Raises ConfigurationError where the folder cannot be written.
    """
    named = environ.get(HOME_VARIABLE)
    home = (Path(named).expanduser() if named else data_dir / "dagster").absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _bring_up_to_date(home, packaged_file(team=broker_url(environ) is not None).read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{home} cannot be Dagster's home ({error.strerror}): point {HOME_VARIABLE} at a folder "
            "that can be written"
        ) from error
    return home


def _bring_up_to_date(home: Path, packaged: bytes) -> None:
    file, record = home / _FILE, home / _WRITTEN
    written = record.read_text(encoding="ascii").split() if record.is_file() else []
    current = file.read_bytes() if file.exists() else None
    if current == packaged or (current is not None and _hash(current) not in written):
        return
    # The record goes first and keeps older hashes: whatever a crash leaves is still known to be ours.
    _replace(record, "".join(f"{known}\n" for known in [*written, _hash(packaged)]).encode("ascii"))
    _replace(file, packaged)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(file)


@contextmanager
def open_instance(
    data_dir: Path, environ: Mapping[str, str] | None = None, *, capture_output: bool = True
) -> Iterator[dg.DagsterInstance]:
    """The instance of that home, its event batches switched on.

    With `capture_output` off, runs in this process leave stdout and stderr to whoever runs them: Dagster would
    otherwise put two processes between, and a progress bar would end in a file.

    Dagster reads home and batch size from the process's environment, which holds them meanwhile. Raises
    ConfigurationError for a dagster.yaml that Dagster refuses, StoreDamaged for a history that SQLite cannot
    read, StoreBusy for one that another process holds too long.
    """
    environ = os.environ if environ is None else environ
    home = prepare_home(data_dir, environ)
    batch_size = environ.get(BATCH_SIZE_VARIABLE) or BATCH_SIZE
    with _environment({HOME_VARIABLE: str(home), BATCH_SIZE_VARIABLE: batch_size}):
        try:
            with (home / ".lock").open("w") as lock:
                # On an empty home each process makes the tables, and two at once trip over each other.
                fcntl.flock(lock, fcntl.LOCK_EX)
                reference = InstanceRef.from_dir(str(home))
                if not capture_output:
                    reference = reference._replace(compute_logs_data=_NO_CAPTURE)
                with _revisions_read_once():
                    instance = dg.DagsterInstance.from_ref(reference)
                    instance.get_runs_count()
        except (dg.DagsterInvalidConfigError, CheckError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ConfigurationError(
                f"{home / _FILE} is not what Dagster accepts: mend it, or delete it and it is written anew "
                f"({reason})"
            ) from error
        except sqlalchemy.exc.DatabaseError as error:
            raise _translated(error, home) from error
        with instance:
            try:
                yield instance
            except sqlalchemy.exc.DatabaseError as error:
                raise _translated(error, home) from error


@contextmanager
def _revisions_read_once() -> Iterator[None]:
    """Meanwhile alembic keeps what it read: on an empty home Dagster has it read 89 files seven times, for 0.2 s."""
    read = ScriptDirectory.from_config
    known: dict[str, ScriptDirectory] = {}

    def from_config(config: Any) -> ScriptDirectory:  # noqa: ANN401 - alembic's own
        place = os.path.realpath(config.get_main_option("script_location") or "")
        if place not in known:
            known[place] = read(config)
        return known[place]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign] # given back below
    try:
        yield
    finally:
        ScriptDirectory.from_config = read  # type: ignore[method-assign]


def _translated(error: sqlalchemy.exc.DatabaseError, home: Path) -> StoreError:
    text = str(error.orig)
    if _BUSY.search(text):
        return StoreBusy(f"another process holds Dagster's history in {home} for too long: try again later")
    if _FULL.search(text):
        return StoreError(f"the disk that holds {home} is full ({text}): free some space and run again")
    if not _DAMAGED.search(text):
        return StoreError(f"Dagster's history in {home} cannot be used ({text}): mend that and try again")
    damaged = ", ".join(str(file) for file in _damaged_files(home)) or f"something in {home}"
    return StoreDamaged(
        f"Dagster's history is damaged ({damaged}): stop Dagster, move {home / 'storage'} away and start "
        "again; runs and ticks begin anew, digests and analyses are kept elsewhere and stay"
    )


def _damaged_files(home: Path) -> list[Path]:
    return [file for file in sorted(home.rglob("*.db")) if not _is_sound(file)]


def _is_sound(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(answer == ("ok",))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
