"""`digest up`: the Dagster UI and daemon on this project's instance."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, Verbosity, say, set_verbosity
from digest_pipeline.errors import DigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from digest_pipeline.settings import Settings

_LOCK_FILE = "up.lock"
_PR_SET_PDEATHSIG = 1
"""As <sys/prctl.h> of Linux numbers it."""
STOP_SECONDS = 30.0
"""So long runs and servers may take to end by themselves."""


def up(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port to listen on.")] = 3000,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Start the Dagster UI, and the daemon that makes a digest every night. Stop with Ctrl-C."""
    del quiet, verbose
    from digest_pipeline.orchestration.instance import prepare_home
    from digest_pipeline.settings import Settings, find_file

    file = find_file(config).absolute()
    settings = Settings.load(file)
    home = prepare_home(settings.data_dir, os.environ)
    with _alone(home) as held:
        _must_be_free(host, port)
        _must_be_ready(settings)
        raise typer.Exit(_serve(file, home, host, port, held))


def _must_be_ready(settings: Settings) -> None:
    """Bring history and instance up to date; raises what would else be in the log of a daemon."""
    from digest_pipeline.compose import open_pipeline
    from digest_pipeline.orchestration.instance import open_instance
    from digest_pipeline.orchestration.orphans import report_orphans
    from digest_pipeline.orchestration.run_launcher import (
        broker_url,
        must_be_one_history,
        must_be_one_instance,
        must_have_celery,
    )

    if (broker := broker_url(os.environ)) is not None:
        must_have_celery()
        must_be_one_instance(os.environ)
        must_be_one_history(settings)
        from digest_pipeline.orchestration.celery_app import must_answer

        must_answer(broker)
    opened = open_pipeline(settings)
    opened.close()
    with open_instance(settings.data_dir) as instance:
        report_orphans(instance)


def _serve(file: Path, home: Path, host: str, port: int, held: int) -> int:
    from digest_pipeline.orchestration.instance import BATCH_SIZE, BATCH_SIZE_VARIABLE
    from digest_pipeline.orchestration.instance_storage import HOME_VARIABLE
    from digest_pipeline.settings import CONFIG_VARIABLE

    environment = os.environ | {
        CONFIG_VARIABLE: str(file),
        HOME_VARIABLE: str(home),
        BATCH_SIZE_VARIABLE: os.environ.get(BATCH_SIZE_VARIABLE) or BATCH_SIZE,
        # Dagster warns at every start that a command of another package supersedes this one.
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
    }
    level = {Verbosity.QUIET: "error", Verbosity.NORMAL: "warning", Verbosity.VERBOSE: "info"}[
        set_verbosity()
    ]
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "--module-name",
        "digest_pipeline.definitions",
        "--host",
        host,
        "--port",
        str(port),
        "--log-level",
        level,
    ]
    say(f"Dagster UI: http://{host}:{port}  (home: {home}; Ctrl-C stops)")
    # In its own home: a .env in the working folder would otherwise name another one.
    return _run(command, environment, home, held)


@contextmanager
def _alone(home: Path) -> Iterator[int]:
    """Hold the lock of the home, for `dagster dev` to hold it too: its descriptor. Two daemons make every night twice.

    Raises DigestError where another process has it, be it what a `digest up` that was killed left behind.
    """
    lock = home / _LOCK_FILE
    try:
        opened = lock.open("a+", encoding="ascii")
    except OSError as error:
        raise DigestError(
            f"{lock} cannot be written ({error.strerror}); free some space or check its rights"
        ) from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DigestError(
                f"`digest up` runs over {home} already (process {file.read().strip() or 'unknown'}); a second one "
                "would make every night twice: stop that one first, with Ctrl-C or kill"
            ) from None
        _name(file.fileno(), os.getpid())
        yield file.fileno()


def _name(held: int, process: int) -> None:
    os.ftruncate(held, 0)
    with suppress(OSError):  # a full disk
        os.write(held, f"{process}\n".encode())


def _ends_with(parent: int) -> Callable[[], None] | None:
    """What a child does first on Linux: it has the kernel interrupt it when `parent` ends, however that ends."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "prctl"):
        return None

    def ask() -> None:
        # Else it would be lost until the child's own Python handles it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGINT)

    return ask


def _run(command: list[str], environment: dict[str, str], folder: os.PathLike[str], held: int) -> int:
    """Run the servers until they end or somebody ends us; they never outlive this process's own end."""
    # A shell starts what it puts into the background with SIGINT ignored, and children inherit that: nothing
    # could then be stopped any more.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A group of their own, so that Ctrl-C comes once, from us, and all of it can be ended.
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        start_new_session=True,
        pass_fds=(held,),
        preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509 - of two calls into libc, loaded before
    )
    _name(held, process.pid)
    try:
        return 0 if process.wait() == 0 else 1
    except KeyboardInterrupt:
        say("stopping …")
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        return 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _must_be_free(host: str, port: int) -> None:
    try:
        with closing(socket.create_server((host, port))):
            pass
    except OSError as error:
        raise DigestError(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another with --port or --host"
        ) from None
