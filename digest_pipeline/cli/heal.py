"""`digest heal`: what the sensors would ask for, now and in this process."""

from __future__ import annotations

from typing import Annotated

import typer

from digest_pipeline.cli.loading import loading
from digest_pipeline.cli.output import Config, Quiet, Verbose, say


def heal(
    first: Annotated[
        str | None, typer.Option("--from", help="The first day, YYYY-MM-DD. Default: first_day.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day. Default: yesterday.")] = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the days that are missing or that the branch has changed, ask again about commits without an analysis.

    Digests are brought up to date, and so are weeks and months that ended in these days. Prints the paths of the
    pages that were made.
    """
    del quiet, verbose
    from digest_pipeline.cli.run import chosen_days, progress_bar, report
    from digest_pipeline.compose import opening
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    days = chosen_days(
        settings, day=None, first=first or settings.first_day.isoformat(), last=last, now=utc_now()
    )
    with progress_bar() as bar, opening(settings, progress=bar) as opened:
        with loading():
            from digest_pipeline.orchestration.runs import heal as heal_days

        outcome = heal_days(opened.result(), days[0], days[-1])
    report(outcome)
    if not outcome.paths and not outcome.failures and not outcome.notes:  # a note says what was not looked at
        say("nothing to heal")
    if outcome.failures:
        raise typer.Exit(1)
