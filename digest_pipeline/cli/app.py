"""The `digest` command: its options, its errors, its exit codes. What a command does stands in its own file."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from digest_pipeline.cli import (
    deliver,
    demo,
    doctor,
    heal,
    init,
    rollup,
    run,
    serve,
    site,
    sql,
    status,
    store,
    up,
    worker,
)
from digest_pipeline.cli.output import Verbosity, error_line, set_verbosity
from digest_pipeline.errors import DigestError

INTERRUPTED = 130

app = typer.Typer(
    name="digest",
    help="Reads fast-moving repositories for you: every day's commits, scored, explained and rendered.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from digest_pipeline import __version__

        print(f"digest_pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    pass


app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("worker")(worker.worker)
app.command("status")(status.status)
app.command("sql")(sql.sql)
app.command("heal")(heal.heal)
app.command("deliver")(deliver.deliver)
app.command("rollup")(rollup.rollup)
app.command("site")(site.site)
app.command("serve")(serve.serve)
app.add_typer(store.app, name="store")


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 something failed, 2 wrong use."""
    # Most of what a command makes stays to its end: looking through it for garbage at the usual pace is in vain.
    gc.set_threshold(100_000, 50, 100)
    # A stream that the caller closed is None to Python: what is written there goes nowhere.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code; a report's words are no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _leave(invoke(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End the process as `sys.exit` does, but for the interpreter's last act: freeing all that it ever loaded.

    After Dagster and DuckDB that takes 0.8 s, in which nobody is served: by then every thread has ended, every
    exit function has run, every stream is flushed, and what is left belongs to the system.
    """
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 - it has no public name
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            sys.exit(code)  # who reads has gone: Python's own way out says what it always says
    os._exit(code)


def invoke(arguments: list[str]) -> int:
    """Run one command; an expected error is a line or a few on stderr, never a traceback."""
    set_verbosity(Verbosity.NORMAL)
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="digest")
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
        return _stopped() if code == INTERRUPTED else code
    except KeyboardInterrupt:  # before the command had begun
        return _stopped()
    except DigestError as error:
        for line in str(error).splitlines():
            error_line(line)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug, told as one
        return _stopped() if _is_interrupt(error) else _unexpected(error)
    return 0


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: a compiled module that is being loaded makes an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _stopped() -> int:
    error_line("stopped; what was finished is kept, run the same command again to go on")
    return INTERRUPTED


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error_line(f"{error}: free some space, then run the same command again")
    elif set_verbosity() is Verbosity.VERBOSE:
        logging.getLogger(__name__).error("unexpected", exc_info=error)
    else:
        first = (str(error).strip().splitlines() or [""])[0]
        error_line(f"unexpected {type(error).__name__}: {first} (a bug; --verbose shows where)")
    return 1
