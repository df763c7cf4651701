"""Where a history lies: in the data folder alone, or shared by many machines in PostgreSQL and a folder or bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CATALOG_FILE = "catalog.sqlite"
FILES_FOLDER = "files"
SHELL_FILE = "history.sql"
LOCK_FILE = "store.lock"


@dataclass(frozen=True, slots=True)
class Bucket:
    """How an S3-compatible store is reached; what is None is left to DuckDB's own defaults."""

    endpoint: str | None = None
    region: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Shared:
    """A history of many machines: its catalog in PostgreSQL, its rows below a folder or `s3://bucket/prefix`."""

    catalog: str = field(repr=False)
    data_url: str
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history lies; without `shared` all of it is in `data_dir`, else only what is this machine's own."""

    data_dir: Path
    shared: Shared | None = None

    def __str__(self) -> str:
        """What messages call it."""
        return str(self.data_dir)

    @property
    def folder(self) -> Path:
        """The folder of catalog and Parquet files, and of what DuckDB spills."""
        return self.data_dir / "store"

    @property
    def catalog_path(self) -> Path:
        """The catalog's file; an embedded history exists where it does."""
        return self.folder / CATALOG_FILE

    @property
    def files(self) -> Path:
        """The folder of the Parquet files of an embedded history."""
        return self.folder / FILES_FOLDER

    @property
    def lock_path(self) -> Path:
        """What writers of an embedded history lock."""
        return self.data_dir / LOCK_FILE

    @property
    def shell_path(self) -> Path:
        """The file with which any DuckDB shell opens the history."""
        return self.data_dir / SHELL_FILE
