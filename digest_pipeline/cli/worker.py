"""`digest worker`: works off runs that the daemon hands out through the broker, on this machine or another."""

from __future__ import annotations

import logging
import os
import re
import socket
import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, Verbosity, say, set_verbosity
from digest_pipeline.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from digest_pipeline.settings import Settings


def worker(
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=64, help="How many runs to work off at the same time.")
    ] = 2,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="What the UI calls this worker; else digest-PID. Two of one name count as one."
        ),
    ] = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Work off runs of the team's daemon. Ctrl-C lets those under way end, a second one leaves them to others."""
    del quiet, verbose
    from digest_pipeline.orchestration.run_launcher import broker_url, must_have_celery, shown
    from digest_pipeline.settings import CONFIG_VARIABLE, Settings, find_file

    if name is not None and not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(f'--name "{name}": letters, digits, dots, hyphens and underscores only')
    file = find_file(config).absolute()
    settings = Settings.load(file)
    url = broker_url(os.environ)
    _must_be_shared(settings, url)
    assert url is not None  # noqa: S101 - that was just seen to
    must_have_celery()

    # What is loaded here, every run's process has at its start; the definitions it loads itself, with the settings
    # of then.
    from celery.platforms import SecurityWarning
    from celery.signals import worker_shutting_down

    import digest_pipeline.orchestration.build  # noqa: F401
    from digest_pipeline.compose import open_pipeline
    from digest_pipeline.orchestration.celery_app import must_answer, worker_app
    from digest_pipeline.orchestration.instance import (
        BATCH_SIZE,
        BATCH_SIZE_VARIABLE,
        open_instance,
        prepare_home,
    )
    from digest_pipeline.orchestration.instance_storage import HOME_VARIABLE

    # What is wrong is said here in one line, not in the log of the first run.
    must_answer(url)
    open_pipeline(settings).close()
    with open_instance(settings.data_dir):
        pass
    home = prepare_home(settings.data_dir, os.environ)
    os.environ[CONFIG_VARIABLE] = str(file)
    os.environ[HOME_VARIABLE] = str(home)
    os.environ.setdefault(BATCH_SIZE_VARIABLE, BATCH_SIZE)
    node = f"{name or f'digest-{os.getpid()}'}@{socket.gethostname()}"
    say(f"worker {node}: {runs} at a time, broker {shown(url)}, data {settings.data_dir}; Ctrl-C stops")
    level = {Verbosity.QUIET: "ERROR", Verbosity.NORMAL: "WARNING", Verbosity.VERBOSE: "INFO"}[
        set_verbosity()
    ]
    logging.getLogger("celery").setLevel(level)
    warnings.filterwarnings("ignore", category=SecurityWarning)  # of root, which it is in most containers
    started = worker_app(url).Worker(
        hostname=node, pool="prefork", concurrency=runs, loglevel=level, quiet=True, without_gossip=True
    )
    asked: list[str] = []
    worker_shutting_down.connect(lambda how="", **_: asked.append(how), weak=False)
    started.start()
    # Asked once, it let its runs end; asked twice, it left them to others.
    raise typer.Exit(0 if set(asked) == {"Warm"} else 1)


def _must_be_shared(settings: Settings, url: str | None) -> None:
    """Raise ConfigurationError for what a worker of its own machine cannot do without."""
    from digest_pipeline.orchestration.run_launcher import (
        BROKER_URL_VARIABLE,
        must_be_one_history,
        must_be_one_instance,
    )

    if url is None:
        raise ConfigurationError(
            f"a worker is handed its runs by a broker: set {BROKER_URL_VARIABLE} to its address, "
            "redis://:password@host:6379/0, for webserver, daemon and workers alike"
        )
    must_be_one_instance(os.environ)
    must_be_one_history(settings)
