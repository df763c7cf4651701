"""`digest up`: one of them over a home, and its servers end with it."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.cli.up import _alone
from digest_pipeline_tests.fakes.postgres import free_port
from digest_pipeline_tests.fakes.project import Project, assert_refused, local

if TYPE_CHECKING:
    from pathlib import Path

_SERVES = """
import os, sys
from pathlib import Path
from digest_pipeline.cli.up import _alone, _run

home = Path(sys.argv[1])
server = "import time; print('up', flush=True); time.sleep(600)"
with _alone(home) as held:
    _run([sys.executable, "-c", server], dict(os.environ), home, held)
"""


def test_a_second_daemon_over_one_home_is_refused(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", tmp_path))
    home = tmp_path / "data/dagster"
    home.mkdir(parents=True)
    with (home / "up.lock").open("w+", encoding="ascii") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = project.digest("up", "--port", f"{free_port()}")
    assert_refused(refused, 1, f"runs over {home} already (process 4711)", "stop that one first")


@pytest.mark.skipif(
    sys.platform != "linux", reason="no other kernel tells a process that its parent has ended"
)
def test_its_servers_end_with_it_also_where_it_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVES, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert (tmp_path / "up.lock").read_text(encoding="ascii") != f"{process.pid}\n"
        process.kill()
        # Whoever holds the other end has ended when nothing more can come.
        out, _ = process.communicate(timeout=60)
        assert out == b""
    with _alone(tmp_path) as held:
        assert held > 0
