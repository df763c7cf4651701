"""`digest store move`: the history from the data folder to where machines share it, and back."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say

if TYPE_CHECKING:
    from digest_pipeline.store.place import Place


class Kind(Enum):
    """Where a history may lie."""

    SHARED = "shared"
    EMBEDDED = "embedded"


def move(
    to: Annotated[
        Kind,
        typer.Option(
            "--to", help=r"shared: where \[store] says. embedded: into the data folder.", show_default=False
        ),
    ],
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    r"""Carry the history from the data folder to where \[store] says, or back. Prints where it is now.

    What it is carried to must hold none. Both sides are compared before it counts as done. The old one stays as it is,
    and is written no more: runs with the old settings are refused from then on.
    """
    del quiet, verbose
    from digest_pipeline.cli.run import progress_bar
    from digest_pipeline.compose import open_place
    from digest_pipeline.errors import ConfigurationError
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.move import move as carry
    from digest_pipeline.store.place import Place

    settings = Settings.load(config)
    shared, embedded = open_place(settings), Place(settings.data_dir)
    if shared.shared is None:
        raise ConfigurationError(
            "the settings name no shared store; write [store] with catalog_url_env and data_url, as docs/settings.md "
            "has it, and run again: the history stays where it is until then"
        )
    source, target = (embedded, shared) if to is Kind.SHARED else (shared, embedded)
    with progress_bar() as bar:
        moved = carry(source, target, settings.timezone, said=lambda _, done, of: bar("store", "", done, of))
    result_line(str(target))
    rows = sum(table.rows for table in moved.values())
    say(f"{rows:,} rows of {len(moved)} tables are the same on both sides")
    say(_what_next(source, target))


def _what_next(source: Place, target: Place) -> str:
    if target.shared is not None:
        return (
            "every run that reads these settings writes there now; start those again that were under way. "
            f"{source.folder} is left as it is: remove it once a run went well"
        )
    assert source.shared is not None  # noqa: S101 - one of the two is
    return (
        "now take catalog_url_env and data_url of [store] out of the settings, and start the daemon again. "
        f"What was shared is left as it is: drop the database of {source} and remove {source.shared.data_url} later"
    )
