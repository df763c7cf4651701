"""`digest demo`: the main job on a repository at hand, with no settings, key or network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, error_line, result_line, say

FIRST_LINES = 40
DAYS = 3


def demo(
    path: Annotated[
        Path, typer.Option("--path", help="A clone; default: the one in which you stand.")
    ] = Path(),
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where to put the history; default: a temporary folder.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the newest active days of a repository's own history, offline. Prints a report's path and first lines.

    It needs no settings: --config is taken, as by every command, and changes nothing.
    """
    del config, quiet, verbose
    from digest_pipeline.cli.run import make
    from digest_pipeline.compose import settings_for_clone
    from digest_pipeline.domain.day import day_of
    from digest_pipeline.domain.state import counted
    from digest_pipeline.errors import UsageError
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.sources.git import clone_of

    if language not in {"en", "zh"}:
        raise UsageError(f'--language "{language}" is not known; allowed: en, zh')
    chosen: Literal["en", "zh"] = "zh" if language == "zh" else "en"
    clone = clone_of(path)
    settings = settings_for_clone(path, data_dir=(data_dir or Path()).expanduser(), language=chosen)
    latest = day_of(utc_now(), settings.timezone)
    active = sorted(
        {day for moment in clone.commit_times if (day := day_of(moment, settings.timezone)) <= latest}
    )
    if not active:
        raise UsageError(f"every commit of {clone.folder} is dated in the future; check the clock")
    if data_dir is None:
        folder = Path(tempfile.mkdtemp(prefix="digest-demo-"))
        settings = settings.model_copy(update={"data_dir": folder})
    name = settings.repos[0].name
    say(
        f"reading {name} at {clone.folder}: {counted(len(active), 'active day')}, of which the newest are made"
    )
    newest: list[str] = []
    failed = False
    for day in active[-DAYS:]:
        outcome = make(settings, [name], [day], today=True)
        for line in outcome.summary():
            say(line)
        for message in outcome.failures:
            error_line(message)
        failed = failed or bool(outcome.failures)
        newest = outcome.paths or newest
    if failed or not newest:
        raise typer.Exit(1)
    result_line(newest[0])
    lines = Path(newest[0]).read_text(encoding="utf-8").splitlines()
    result_line("")
    for line in lines[:FIRST_LINES]:
        result_line(line)
    if len(lines) > FIRST_LINES:
        say(f"… {len(lines) - FIRST_LINES} more lines in the file")
    say(f"all of it lies in {settings.data_dir}: reports/, and history.sql to ask it in SQL")
