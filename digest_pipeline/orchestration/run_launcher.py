"""Where runs are worked off: as processes of this machine, or by `digest worker` on any number of machines.

`dagster.yaml` names `RunLauncherSwitch`. One variable, set for webserver, daemon and workers alike, chooses:
the broker's address, which is a secret and therefore never enters the file, a run or a command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dagster import DefaultRunLauncher, Field
from dagster._core.launcher import RunLauncher
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from digest_pipeline.errors import ConfigurationError
from digest_pipeline.orchestration.instance_storage import POSTGRES_URL_VARIABLE, postgres_url

if TYPE_CHECKING:
    from digest_pipeline.settings import Settings

BROKER_URL_VARIABLE = "DIGEST_CELERY_BROKER_URL"
LOST_AFTER_SECONDS = 60
"""A run whose process says nothing for so long is lost; it says something every five seconds (`heartbeat.py`)."""

_FORM = "redis://:password@host:6379/0"


class RunLauncherSwitch(RunLauncher, ConfigurableClass):
    """The switch that `run_launcher:` names; never instantiated itself."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """`lost_after_seconds` is how long a run on a worker may be silent before it is started elsewhere."""
        return {
            "lost_after_seconds": Field(int, is_required=False, default_value=LOST_AFTER_SECONDS),
        }

    @classmethod
    def from_config_value(  # type: ignore[override] # it answers with the launcher that it chose
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RunLauncher:
        """Celery where `DIGEST_CELERY_BROKER_URL` is set, else processes beside the code server.

        Raises ConfigurationError for a broker whose workers could not find what they are sent.
        """
        url = broker_url(os.environ)
        if url is None:
            return DefaultRunLauncher(inst_data=inst_data)
        must_have_celery()
        must_be_one_instance(os.environ)
        # Importing it takes half a second, which only those who use it should wait.
        from digest_pipeline.orchestration.celery_launcher import CeleryLauncher  # noqa: PLC0415

        return CeleryLauncher(url, lost_after_seconds=config_value["lost_after_seconds"], inst_data=inst_data)


def broker_url(environ: Mapping[str, str]) -> str | None:
    """The broker's address, None where the variable is unset or empty.

    It has to be a Redis: what Celery knows of a task is kept there too, and asked for when a worker is silent.
    Raises ConfigurationError, without the address, for anything else.
    """
    url = environ.get(BROKER_URL_VARIABLE, "").strip()
    if not url:
        return None
    if not url.startswith(("redis://", "rediss://")):
        raise ConfigurationError(
            f"{BROKER_URL_VARIABLE} must begin with redis:// or rediss://, as in {_FORM}; unset it to run "
            "everything on this machine"
        )
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port or 1) and re.fullmatch(r"/?\d*/?", parts.path)
    except ValueError:
        is_whole = None
    if not is_whole:
        raise ConfigurationError(
            f"{BROKER_URL_VARIABLE} is not of the form {_FORM}; write @ : / in the password as %40 %3A %2F"
        )
    return url


def must_be_one_instance(environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError where those who send runs and those who work them off have each their own instance."""
    if postgres_url(environ) is None:
        raise ConfigurationError(
            f"workers share Dagster's instance with the daemon: set {POSTGRES_URL_VARIABLE}, for webserver, daemon "
            f"and workers alike, or unset {BROKER_URL_VARIABLE} to run everything on this machine"
        )


def must_be_one_history(settings: Settings) -> None:
    """Raise ConfigurationError where each worker would keep a history of its own."""
    if settings.store.catalog_url_env is None:
        raise ConfigurationError(
            "[store] is not set: each worker would keep a history of its own; set catalog_url_env and data_url, and "
            f"`digest store move` carries the history that there is, or unset {BROKER_URL_VARIABLE}"
        )


def shown(url: str) -> str:
    """Host and port of an address, which is all of it that may be told."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}"


def must_have_celery() -> None:
    """Raise ConfigurationError where the extra is not installed."""
    try:
        import dagster_celery  # noqa: F401, PLC0415
        import redis  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"{BROKER_URL_VARIABLE} is set, but Celery is not installed: install digest_pipeline with its extra "
            "celery (docs/scale.md), or unset it to run everything on this machine"
        ) from None
