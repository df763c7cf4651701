"""Reads fast-moving repositories for you: every day's commits, scored, explained and rendered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    __version__: str


def __getattr__(name: str) -> str:
    """`__version__`, looked up where it is asked for: what reads it imports the whole of Python's mail."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - as above

    try:
        return version("digest-pipeline")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"


def open_history(
    data_dir: str | Path | None = None, *, config: str | Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection to a history, for a notebook: that in `data_dir`, or that of a settings file.

    Without `data_dir` the settings say where it lies, a shared one too: `config`, else what `DIGEST_CONFIG` names,
    else `digest.toml`; times come in their timezone then. Its tables (`commits`, `commit_files`, `analyses`,
    `reports`, …) are reached unqualified, and it sees what later runs write. Raises
    `digest_pipeline.errors.StoreError` where there is no history, or it is damaged, ConfigurationError where the
    settings are wrong.
    """
    # Importing the package stays light.
    from digest_pipeline.store.history import open_history as open_store  # noqa: PLC0415
    from digest_pipeline.store.place import Place  # noqa: PLC0415

    if data_dir is not None:
        if config is not None:
            raise TypeError("open_history takes a data folder or a settings file, not both")
        return open_store(Place(Path(data_dir).expanduser().absolute()))
    from digest_pipeline.compose import open_place  # noqa: PLC0415
    from digest_pipeline.settings import Settings  # noqa: PLC0415

    settings = Settings.load(config)
    return open_store(open_place(settings), settings.timezone)


__all__ = ["__version__", "open_history"]
