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


def open_history(data_dir: str | Path) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection to the history in `data_dir`, for a notebook.

    Its tables (`commits`, `commit_files`, `analyses`, `reports`, …) are reached unqualified, and it sees what
    later runs write. Raises `digest_pipeline.errors.StoreError` where there is no history, or it is damaged.
    """
    from digest_pipeline.store.history import open_history as open_store  # noqa: PLC0415 - importing the package stays light

    return open_store(Path(data_dir).expanduser().absolute())


__all__ = ["__version__", "open_history"]
