"""Reads fast-moving repositories for you: every day's commits, scored, explained and rendered."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

try:
    __version__ = version("digest-pipeline")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"


def open_history(data_dir: str | Path) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection to the history in `data_dir`, for a notebook.

    Its tables (`commits`, `commit_files`, `analyses`, `reports`, …) are reached unqualified, and it sees what
    later runs write. Raises `digest_pipeline.errors.StoreError` where there is no history, or it is damaged.
    """
    from digest_pipeline.store.history import open_history as open_store  # noqa: PLC0415 - importing the package stays light

    return open_store(Path(data_dir).expanduser().absolute())


__all__ = ["__version__", "open_history"]
