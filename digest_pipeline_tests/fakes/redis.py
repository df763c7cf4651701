"""A real Redis on loopback, in a temporary folder, that can be stopped, killed and started again with what it has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from digest_pipeline_tests.fakes.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "w0rd-of-the-broker"  # noqa: S105 - of a server that lives for one test
START_SECONDS = 20


@dataclass
class RedisServer:
    """It keeps what it is told in an append-only file, as the broker in deploy/ does."""

    program: Path
    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "requirepass": PASSWORD,
            "dir": self.folder,
            "appendonly": "yes",
            "save": "",
            "logfile": self.folder / "log",
        }
        command = [
            str(self.program),
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
                    assert time.monotonic() < deadline, "Redis did not start"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Stop it as an operator would; what it was told is kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_SECONDS)
            self._process = None


@contextmanager
def running_redis(program: Path) -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="digest-redis-"))
    server = RedisServer(program, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_server(redis_program: Path) -> Iterator[RedisServer]:
    """A broker of its own for each test, for it may be stopped; for tests marked `redis`."""
    with running_redis(redis_program) as server:
        yield server
