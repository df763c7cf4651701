"""A real S3-compatible object store on loopback: SeaweedFS, which checks signatures, buckets and keys."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from digest_pipeline_tests.fakes.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY = "AKIAFAKEOFTHETESTS"
SECRET = "s3cr3t/of+the-fake=="  # noqa: S105 - of a server that lives for one session


@dataclass(frozen=True)
class S3Server:
    """Where it listens: with S3's protocol, and with its own, for what happens behind the scenes."""

    endpoint: str
    filer: str

    def create_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        httpx.post(f"{self.filer}/buckets/{name}/", timeout=60).raise_for_status()
        return name


@contextmanager
def running_s3(program: Path) -> Iterator[S3Server]:
    folder = Path(tempfile.mkdtemp(prefix="digest-s3-"))
    who = {"name": "digest", "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
    who["actions"] = ["Admin", "Read", "Write", "List", "Tagging"]
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}), encoding="utf-8")
    ports = {
        name: free_port()
        for part in ("master", "volume", "filer", "s3")
        for name in (f"{part}.port", f"{part}.port.grpc")
    }
    command = [
        *(str(program), "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}"),
        *(f"-{name}={port}" for name, port in ports.items()),
        *(
            f"-s3.config={folder}/s3.json",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ),
        *("-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=200", "-metricsPort=0"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        _await(process, ports, folder / "log")
        yield S3Server(*(f"http://127.0.0.1:{ports[name]}" for name in ("s3.port", "filer.port")))
    finally:
        process.kill()  # asked to end, it takes its time
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        for port in ports.values():  # its sockets lie where it was not told to put them
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - as above
                left.unlink(missing_ok=True)


def _await(process: subprocess.Popen[bytes], ports: Mapping[str, int], log: Path) -> None:
    """Wait until all its parts serve: the last one is where objects are put."""
    needed = [f"{ports['s3.port']}/status", f"{ports['filer.port']}/", f"{ports['master.port']}/dir/assign"]
    until = time.monotonic() + 60
    while needed and time.monotonic() < until and process.poll() is None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{needed[0]}", timeout=10)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.is_success and "error" not in answer.text:
            needed.pop(0)
        else:
            time.sleep(0.05)
    if needed:
        said = log.read_text(errors="replace")[-2000:]
        pytest.fail(f"the object store did not start:\n{said}", pytrace=False)


@pytest.fixture(scope="session")
def s3_server(s3_program: Path) -> Iterator[S3Server]:
    """A server for the session; for tests marked `s3`."""
    with running_s3(s3_program) as server:
        yield server
