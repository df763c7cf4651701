"""`digest site`: the history as a website."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say
from digest_pipeline.errors import UsageError

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.settings import Settings


def site(
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write. Default: site/ in the data folder.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="en or zh. Default: that of the settings.")
    ] = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the history as a static site, with search. Prints the path of its start page."""
    del quiet, verbose
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    result_line(build(settings, out, _language(language)))


def build(settings: Settings, out: Path | None = None, language: Language | None = None) -> Path:
    """Build it, with a progress bar where a person looks on; the path of the start page."""
    from digest_pipeline.cli.run import progress_bar
    from digest_pipeline.compose import open_pipeline, open_place
    from digest_pipeline.errors import StoreError
    from digest_pipeline.store.history import has_history

    place = open_place(settings)
    if not has_history(place):
        raise StoreError(f"there is no history in {place} yet; `digest run` makes one")
    with progress_bar() as bar, closing(open_pipeline(settings, progress=bar)) as pipeline:
        built = pipeline.site(None if out is None else out.absolute(), language)
    for note in built.notes:
        say(note)
    say(f"{built.pages} pages: {built.written} files written, {built.removed} removed")
    return built.index


def _language(value: str | None) -> Language | None:
    from digest_pipeline.domain.analysis import Language

    if value is None:
        return None
    for known in get_args(Language):
        if value == known:
            return known  # type: ignore[no-any-return] # one of Language's words
    raise UsageError(f'--language "{value}" is none of: {", ".join(get_args(Language))}')
