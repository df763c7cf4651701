"""`digest run`: days of repositories, materialised through Dagster in this process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.loading import loading
from digest_pipeline.cli.output import (
    Config,
    Quiet,
    Verbose,
    Verbosity,
    console,
    error_line,
    result_line,
    say,
    set_verbosity,
)
from digest_pipeline.domain.day import days_between, is_over, yesterday
from digest_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest_pipeline.orchestration.runs import RunOutcome
    from digest_pipeline.pipeline import Progress
    from digest_pipeline.settings import Settings


def run(
    day: Annotated[str | None, typer.Option("--day", help="One day, YYYY-MM-DD. Default: yesterday.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="The first day of a range, YYYY-MM-DD.")] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="The last day of the range. Default: yesterday.")
    ] = None,
    repo: Annotated[
        list[str] | None, typer.Option("--repo", help="Only this repository; may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 also where an analysis failed or waits.")
    ] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the digest of a day, or of each day of a range. Prints the paths of the reports."""
    del quiet, verbose
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    days = chosen_days(settings, day=day, first=first, last=last, now=utc_now())
    repos = chosen_repos(settings, repo or ())
    outcome = make(settings, repos, days)
    report(outcome)
    if outcome.failures or (strict and outcome.unanalysed):
        raise typer.Exit(1)


def chosen_days(
    settings: Settings, *, day: str | None, first: str | None, last: str | None, now: datetime
) -> list[date]:
    """The days that were asked for, oldest first; raises UsageError where one cannot be made."""
    latest = yesterday(now, settings.timezone)
    if day is not None and (first is not None or last is not None):
        raise UsageError("--day and --from/--to exclude each other; name one day or one range")
    if last is not None and first is None:
        raise UsageError("--to needs --from: the first day of the range")
    asked = first if day is None else day
    start = latest if asked is None else _day(asked, "--from" if day is None else "--day")
    end = start if day is not None else latest if last is None else _day(last, "--to")
    if end < start:
        raise UsageError(
            f"--from {start} lies after --to {end}"
            if last is not None
            else f"{start} is not over yet in {settings.timezone.key}; the last day that is, is {latest}"
        )
    if not is_over(end, now=now, timezone=settings.timezone):
        raise UsageError(
            f"{end} is not over yet in {settings.timezone.key}; the last day that is, is {latest}"
        )
    if start < settings.first_day:
        raise UsageError(
            f"{start} lies before first_day = {settings.first_day}; choose a later day, "
            "or set first_day earlier in the settings"
        )
    return list(days_between(start, end))


def chosen_repos(settings: Settings, names: Sequence[str]) -> list[str]:
    """The repos that were asked for, in the settings' order; all where none is named."""
    wanted = {settings.repo(name).name for name in names}
    return [repo.name for repo in settings.repos if not wanted or repo.name in wanted]


def make(
    settings: Settings, repos: Sequence[str], days: Sequence[date], *, today: bool = False
) -> RunOutcome:
    """Make the days, with a progress bar where a person looks on."""
    from digest_pipeline.compose import opening

    with progress_bar() as bar, opening(settings, progress=bar) as opened:
        with loading():
            from digest_pipeline.orchestration.runs import run_days

        return run_days(opened.result(), repos, days, today=today)


def report(outcome: RunOutcome) -> None:
    """Paths to stdout; what was done and what was not to stderr."""
    for path in outcome.paths:
        result_line(path)
    for line in outcome.summary():
        say(line)
    for message in outcome.failures:
        error_line(message)


def progress_bar() -> AbstractContextManager[Progress]:
    """A bar on stderr for each step of each repo; silent where stderr is no terminal."""
    if set_verbosity() is Verbosity.QUIET or not console().is_terminal:
        return nullcontext(lambda *_: None)
    return _Bars()


@dataclass
class _Bars:
    _tasks: dict[tuple[str, str], int] = field(default_factory=dict)

    def __enter__(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console(),
        )
        self._progress.start()
        return self._update

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _update(self, step: str, repo: str, done: int, total: int) -> None:
        from rich.progress import TaskID

        key = (step, repo)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(f"{step:8} {repo}", total=total)
        self._progress.update(TaskID(self._tasks[key]), completed=done, total=total)


def _day(text: str, option: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also reads 20260221 and 2026-W08-6.
    if day is None or text != day.isoformat():
        raise UsageError(f'{option} "{text}" is not a day; write it as YYYY-MM-DD, such as 2026-02-21')
    return day
