"""`digest rollup`: the page of a week or a month, from the stored days, through Dagster in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.loading import loading
from digest_pipeline.cli.output import Config, Quiet, Verbose, say
from digest_pipeline.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from digest_pipeline.domain.period import Period
    from digest_pipeline.pipeline import Pipeline
    from digest_pipeline.settings import Settings


def rollup(
    week: Annotated[
        str | None, typer.Option("--week", help="An ISO week, YYYY-Www. Default: the last full week.")
    ] = None,
    month: Annotated[str | None, typer.Option("--month", help="A month, YYYY-MM.")] = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the page of a week or a month from its days. Prints its path."""
    del quiet, verbose
    from digest_pipeline.cli.run import progress_bar, report
    from digest_pipeline.compose import open_place, opening
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.pipeline.rollup import nothing_stored
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import has_history

    settings = Settings.load(config)
    now = utc_now()
    period = chosen_period(settings, week=week, month=month, now=now)
    if not has_history(open_place(settings)):
        raise StoreError(nothing_stored(settings, period, now=now))
    with progress_bar() as bar, opening(settings, progress=bar) as opened:
        with loading():
            from digest_pipeline.orchestration.runs import make_rollup

        pipeline = opened.result()
        missing = list(_missing(pipeline, period, now))
        outcome = make_rollup(pipeline, period)
    report(outcome)
    for line in missing:
        say(line)
    if outcome.failures:
        raise typer.Exit(1)


def chosen_period(settings: Settings, *, week: str | None, month: str | None, now: datetime) -> Period:
    """The period that was asked for; raises UsageError where it cannot be made."""
    from digest_pipeline.domain.day import yesterday
    from digest_pipeline.domain.period import Month, Week, last_full_week

    if week is not None and month is not None:
        raise UsageError("--week and --month exclude each other; name one of them")
    latest = yesterday(now, settings.timezone)
    period: Period
    try:
        period = (
            Month.parse(month)
            if month is not None
            else Week.parse(week)
            if week is not None
            else last_full_week(now, settings.timezone)
        )
    except ValueError as error:
        given = f'--month "{month}"' if month is not None else f'--week "{week}"'
        raise UsageError(f"{given}: {error}") from None
    if period.first > latest:
        raise UsageError(
            f"no day of {period.label} is over yet in {settings.timezone.key}; the last day that is, is {latest}"
        )
    if period.last < settings.first_day:
        raise UsageError(
            f"{period.label} lies before first_day = {settings.first_day}; choose a later one, "
            "or set first_day earlier in the settings"
        )
    return period


def _missing(pipeline: Pipeline, period: Period, now: datetime) -> Iterator[str]:
    """A line for each repo that misses days of the period; raises StoreError where there is none at all."""
    from digest_pipeline.domain.due import days_missing, rollup_states
    from digest_pipeline.domain.state import counted, spans
    from digest_pipeline.pipeline.rollup import nothing_stored

    settings = pipeline.settings
    where = {"first": settings.first_day, "last": period.last, "language": settings.language}
    rows = pipeline.history.read("pipeline/rollup_states", where)
    done = next((state.done for state in rollup_states(rows) if state.period == period), None)
    if not done:
        raise StoreError(nothing_stored(settings, period, now=now))
    names = [repo.name for repo in settings.repos]
    missing = days_missing(
        period, done, names, first_day=settings.first_day, now=now, timezone=settings.timezone
    )
    for repo, days in missing.items():
        listed = ", ".join(
            f"{first}" if first == last else f"{first} to {last}" for first, last in spans(days)
        )
        make = f"digest run --from {days[0]} --to {days[-1]} --repo {repo}"
        yield f"{period.label} lacks {counted(len(days), 'day')} of {repo}: {listed}; `{make}` makes them"
