"""A real PostgreSQL on loopback, in a temporary folder, gone after the session.

Its binaries refuse to run as root, so that there the cluster belongs to an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2  # type: ignore[import-untyped]
import pytest
from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "pa55-word-of-the-fake"  # noqa: S105 - of a server that lives for one session


@dataclass(frozen=True)
class PostgresServer:
    """Where it listens; `url` names a database of it."""

    port: int
    folder: Path
    control: Callable[..., None] = field(repr=False)

    def stop(self, mode: str = "immediate") -> None:
        """End it, as a crash does: what was not committed is gone."""
        self.control("-m", mode, "stop")

    def start(self) -> None:
        """Start it again, where it listened before."""
        self.control("start")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://digest:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create_database(self, like: str | None = None) -> str:
        """The URL of a new, empty database; or of a copy of another one, to which nobody may be connected."""
        name = f"test_{uuid.uuid4().hex}"
        connection = psycopg2.connect(self.url())
        connection.autocommit = True
        with connection.cursor() as cursor:
            making = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            cursor.execute(making.format(sql.Identifier(name), sql.Identifier(like or "template1")))
        connection.close()
        return self.url(name)


@contextmanager
def running_postgres(binaries: Path) -> Iterator[PostgresServer]:
    # Not below pytest's own folder, which other users cannot enter; and short, for the socket's name.
    folder = Path(tempfile.mkdtemp(prefix="digest-pg-"))
    account = _unprivileged_account() if os.geteuid() == 0 else None
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    port = free_port()
    data, log, secret = folder / "data", folder / "log", folder / "password"
    secret.write_text(PASSWORD, encoding="ascii")

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), *arguments]
        # A file instead of a pipe: the server inherits it and would keep a pipe open.
        with (folder / f"{program}.out").open("a+b") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"},
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                timeout=60,
                check=False,
            )
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode:
            served = log.read_text(errors="replace") if log.exists() else ""
            pytest.fail(f"{program} failed:\n{said}\n{served}", pytrace=False)

    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"

    def control(*words: str) -> None:
        run("pg_ctl", "-D", str(data), "-l", str(log), "-w", "-o", options, *words)

    server = PostgresServer(port, folder, control)
    try:
        initdb = (
            "-D",
            str(data),
            "-U",
            "digest",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(secret),
            "-E",
            "UTF8",
        )
        run("initdb", *initdb, "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server(postgres_bin: Path) -> Iterator[PostgresServer]:
    """A server for the session; for tests marked `postgres`."""
    with running_postgres(postgres_bin) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database of its own for each test."""
    return postgres_server.create_database()
