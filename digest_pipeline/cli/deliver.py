"""`digest deliver`: pages to channels, by hand. What the daemon does by itself, at once and for chosen days."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, error_line, result_line, say
from digest_pipeline.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from digest_pipeline.pipeline import Pipeline


def deliver(
    day: Annotated[str | None, typer.Option("--day", help="One day, YYYY-MM-DD. Default: yesterday.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="The first day of a range, YYYY-MM-DD.")] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="The last day of the range. Default: yesterday.")
    ] = None,
    is_due: Annotated[
        bool,
        typer.Option(
            "--due", help="What the daemon would bring now: recent days, what changed, what failed before."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go where; nothing is sent.")
    ] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Bring the pages of a day, or of each day of a range, to the channels that do not have them; or what is due.

    Prints what went where, a line each. Exit 1 where a channel failed, or a day is not made.
    """
    del quiet, verbose
    from digest_pipeline.cli.run import chosen_days
    from digest_pipeline.compose import open_pipeline
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    if not settings.channel:
        raise ConfigurationError("there is no channel to deliver to; write a [[channel]] table")
    if is_due and (day, first, last) != (None, None, None):
        raise UsageError("--due chooses the days by itself; leave out --day, --from and --to")
    days = None if is_due else chosen_days(settings, day=day, first=first, last=last, now=utc_now())
    with closing(open_pipeline(settings)) as pipeline:
        is_well = _deliver(pipeline, days, dry_run=dry_run)
        if not dry_run:
            pipeline.alarm()
    if not is_well:
        raise typer.Exit(1)


def _deliver(pipeline: Pipeline, days: Sequence[date] | None, *, dry_run: bool) -> bool:
    """Whether all of it is where it belongs."""
    from digest_pipeline.domain.state import spans_of
    from digest_pipeline.pipeline.deliver import without_digest, without_reader_pages

    read, settings = pipeline.history.read, pipeline.settings
    missing = without_digest(read, settings, days) if days is not None else []
    unread = without_reader_pages(read, settings, days) if days is not None else {}
    delivered = pipeline.deliver(days, dry_run=dry_run)
    for one in delivered:
        if one.error is None:
            result_line(one.line())
        else:
            error_line(one.line())
    # They may be there in another language.
    what = f'digest run makes these days in "{settings.language}"'
    if missing:
        error_line(f"not made yet: {spans_of(missing)}; {what}")
    for reader, found in unread.items():
        error_line(f"the page of {reader} is not made yet: {spans_of(found)}; {what}")
    if not delivered and not missing and not unread:
        say(f"nothing to deliver: every channel has what {'there is' if days is not None else 'is due'}")
    return not missing and not unread and all(one.error is None for one in delivered)
