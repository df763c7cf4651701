"""`digest store`: what keeps a history well. What each of its commands does stands in `store/`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say
from digest_pipeline.cli.store_move import move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest_pipeline.settings import Settings
    from digest_pipeline.store.place import Place

app = typer.Typer(
    name="store",
    help="Look after the history: check it, keep it small, carry it elsewhere, back it up.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MOST_SHOWN = 5
"""Problems of one kind that are told one by one."""


@app.command("check")
def check(
    deep: Annotated[bool, typer.Option("--deep", help="Read every row, too.")] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Look whether the history is whole; a line for each thing that was looked at. Exit 1 where something is wrong."""
    del quiet, verbose
    from digest_pipeline.compose import open_place
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.check import check as look

    settings = Settings.load(config)
    is_whole = True
    for finding in look(open_place(settings), deep=deep):
        result_line(f"{'✗' if finding.problems else '✓'} {finding.name}: {finding.seen}")
        for problem in finding.problems[:MOST_SHOWN]:
            result_line(f"  {problem}")
        if len(finding.problems) > MOST_SHOWN:
            result_line(f"  and {len(finding.problems) - MOST_SHOWN} more")
        is_whole &= not finding.problems
    if not is_whole:
        say("docs/operations.md says what to do")
        raise typer.Exit(1)


@app.command("compact")
def compact(
    let_go: Annotated[
        bool,
        typer.Option(
            "--let-go", help=r"Let go of patches older than \[store] keep_patches_days, too, for ever."
        ),
    ] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Merge small files and take away those that nobody needs any more. No patch goes, but with --let-go.

    With --let-go it is what the daily upkeep does.
    """
    del quiet, verbose
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.pipeline.upkeep import upkeep
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import History

    settings = Settings.load(config)
    place = _history(settings)
    History(place, settings.timezone).close()  # an older one is brought up to date first
    with _bar() as told:
        kept = upkeep(
            settings,
            place,
            now=utc_now(),
            let_go=let_go,
            progress=lambda _, what, done, of: told(what, done, of),
        )
    result_line(
        f"before: {kept.before.files} files, {_size(kept.before.bytes)}; "
        f"after: {kept.after.files} files, {_size(kept.after.bytes)}"
    )
    if kept.patches:
        say(f"let go of the patches of {kept.patches} files, of {len(kept.days)} days")
    elif settings.store.keep_patches_days is not None and not let_go:
        say("old patches are left to the daily upkeep, or to --let-go")
    say("what was replaced stays for a week, for readers that are at it")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The DuckDB file to write.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the history into one plain DuckDB file, with all tables and views, as of now. Prints its path."""
    del quiet, verbose
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.export import export as write

    settings = Settings.load(config)
    place = _history(settings)
    with _bar() as told:
        rows = write(place, settings.timezone, file, force=force, said=told)
    result_line(file.absolute())
    say(f"{rows:,} rows, {_size(file.stat().st_size)}; any DuckDB from 1.2 on opens it")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that digest store export wrote.", show_default=False)],
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a history of an exported file, where there is none yet. Prints the paths of its pages."""
    del quiet, verbose
    from digest_pipeline.compose import open_place
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.export import import_file

    settings = Settings.load(config)
    place = open_place(settings)
    with _bar() as told:
        rows = import_file(place, settings.timezone, file, said=told)
    _write_pages(settings, place)
    say(f"{rows:,} rows; {_NEXT}")


@app.command("backup")
def backup(
    folder: Annotated[
        Path, typer.Argument(help="An empty folder, or one with an earlier backup.", show_default=False)
    ],
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Copy the history as of now into a folder; again, it copies what is new. Prints the folder."""
    del quiet, verbose
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.backup import backup as copy

    settings = Settings.load(config)
    place = _history(settings)
    with _bar() as told:
        copied = copy(place, settings.timezone, folder, now=utc_now(), said=told)
    result_line(folder.absolute())
    say(
        f"{copied.files} files, {_size(copied.bytes)}, {copied.new} of them new; digest.toml is yours to keep"
    )


@app.command("restore")
def restore(
    folder: Annotated[
        Path, typer.Argument(help="A folder that digest store backup filled.", show_default=False)
    ],
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the history of a backup, where there is none, and write its pages. Prints their paths."""
    del quiet, verbose
    from digest_pipeline.compose import open_place
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.backup import restore as bring_back

    settings = Settings.load(config)
    place = open_place(settings)
    with _bar() as told:
        copied = bring_back(place, settings.timezone, folder, said=told)
    _write_pages(settings, place)
    say(f"{copied.files} files, {_size(copied.bytes)}; {_NEXT}")


app.command("move")(move)


_NEXT = "digest site makes the site again, and Dagster begins its records anew"


def _history(settings: Settings) -> Place:
    """Where a history lies. Raises StoreError where there is none."""
    from digest_pipeline.compose import open_place
    from digest_pipeline.errors import StoreError
    from digest_pipeline.store.history import has_history
    from digest_pipeline.store.left import notice

    place = open_place(settings)
    if not has_history(place):
        raise StoreError(f"there is no history in {place} yet; digest run makes one")
    if told := notice(place):
        say(told, style="yellow")
    return place


def _write_pages(settings: Settings, place: Place) -> None:
    from digest_pipeline.pipeline.pages import write_stored_pages

    for path in write_stored_pages(place, settings.data_dir, settings.language):
        result_line(path)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr where a person looks on: one for the whole command, with what it is at."""
    from digest_pipeline.cli.run import progress_bar

    with progress_bar() as bar:
        yield lambda _, done, of: bar("store", "", done, of)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
