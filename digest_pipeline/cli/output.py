"""What a command says, and where: results to stdout, all else to stderr. The options that every command has."""

from __future__ import annotations

import logging
import re
import sys
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from digest_pipeline.domain.visible import visible
from digest_pipeline.errors import UsageError


class Verbosity(Enum):
    """How much goes to stderr: errors only, what a person wants to know, everything."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_OVERWRITING = re.compile(r"\r(?!\n)")
_verbosity = Verbosity.NORMAL


class _Shown(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def set_verbosity(verbosity: Verbosity | None = None) -> Verbosity:
    """Set how much is said, where given; gives what counts."""
    global _verbosity  # noqa: PLW0603 - one process, one stderr
    if verbosity is not None:
        _verbosity = verbosity
        level = {
            Verbosity.QUIET: logging.ERROR,
            Verbosity.NORMAL: logging.WARNING,
            Verbosity.VERBOSE: logging.INFO,
        }
        logging.basicConfig(
            level=level[verbosity],
            stream=sys.stderr,
            force=True,
        )
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Shown("%(levelname)s %(name)s: %(message)s"))
            # Dagster lowers the level of our loggers so that a run's log has all; stderr has what was asked for.
            handler.setLevel(level[verbosity])
        for name in ("httpx", "httpcore", "openai", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
    return _verbosity


@cache
def console() -> Console:
    """The console on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, *, style: str | None = None) -> None:
    """A line for a person, on stderr; not with --quiet."""
    if _verbosity is not Verbosity.QUIET:
        console().print(shown(text), style=style, markup=False)


def error_line(text: str) -> None:
    """An error on one line of stderr, whatever the verbosity."""
    console().print(shown(f"digest: {text}"), style="red", markup=False)


def result_line(text: str | Path) -> None:
    """A result on stdout: as it is where other programs read it, as a terminal may have it where a person does."""
    print(shown(str(text)) if sys.stdout.isatty() else text, flush=True)


def shown(text: str) -> str:
    """`text` without what would steer a terminal: commits, servers and models can say anything."""
    return _OVERWRITING.sub("", visible(text))


def _quiet(value: bool) -> bool:
    return _chosen(value, Verbosity.QUIET, unless=Verbosity.VERBOSE)


def _verbose(value: bool) -> bool:
    return _chosen(value, Verbosity.VERBOSE, unless=Verbosity.QUIET)


def _chosen(value: bool, verbosity: Verbosity, *, unless: Verbosity) -> bool:
    if value and set_verbosity() is unless:
        raise UsageError("--quiet and --verbose exclude each other")
    if value:
        set_verbosity(verbosity)
    return value


def _option(*names: str, **settings: Any) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(*names, rich_help_panel="Everywhere", **settings)


Config = Annotated[
    Path | None,
    _option(
        "--config", "-c", help="The settings file; else $DIGEST_CONFIG, else digest.toml in this folder."
    ),
]
Quiet = Annotated[bool, _option("--quiet", "-q", callback=_quiet, help="Say nothing but errors.")]
Verbose = Annotated[
    bool, _option("--verbose", "-v", callback=_verbose, help="Say everything, tracebacks included.")
]
