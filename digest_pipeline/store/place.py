"""Where a history lies: in the data folder alone, or shared by many machines in PostgreSQL and a folder or bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CATALOG_FILE = "catalog.sqlite"
FILES_FOLDER = "files"
SHELL_FILE = "history.sql"
LOCK_FILE = "store.lock"


@dataclass(frozen=True, slots=True)
class Bucket:
    """How an S3-compatible store is reached: an `http(s)://` endpoint, or AWS where there is none; and with what keys.

    `key_env` and `secret_env` are the names of the variables that the keys came from.
    """

    endpoint: str | None = None
    region: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    key_env: str | None = None
    secret_env: str | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """A history of many machines: its catalog in PostgreSQL, its rows below a folder or `s3://bucket/prefix`.

    `catalog` holds the parts of the address as libpq calls them, the password among them; `catalog_env` is the
    name of the variable that it came from.
    """

    catalog: Mapping[str, str] = field(repr=False)
    data_url: str
    bucket: Bucket | None = None
    catalog_env: str = "catalog_url_env"

    @property
    def address(self) -> str:
        """Where the catalog is, without whom and with what."""
        host = self.catalog.get("host") or self.catalog.get("hostaddr") or "localhost"
        port = self.catalog.get("port", "5432")
        return f"postgresql://{host}:{port}/{self.catalog.get('dbname') or self.catalog.get('user', '')}"

    @property
    def bucket_name(self) -> str:
        """The bucket, where it is one."""
        return self.data_url.removeprefix("s3://").partition("/")[0]

    @property
    def secrets(self) -> list[str]:
        """What no message may hold."""
        found = [self.catalog.get("password"), self.catalog.get("sslpassword")]
        if self.bucket is not None:
            found += [self.bucket.key, self.bucket.secret]
        return [secret for secret in found if secret]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history lies; without `shared` all of it is in `data_dir`, else only what is this machine's own."""

    data_dir: Path
    shared: Shared | None = None

    def __str__(self) -> str:
        """What messages call it."""
        return str(self.data_dir) if self.shared is None else self.shared.address

    @property
    def folder(self) -> Path:
        """The folder of an embedded history's catalog and files, and of what DuckDB spills."""
        return self.data_dir / "store"

    @property
    def catalog_path(self) -> Path:
        """The catalog's file; an embedded history exists where it does."""
        return self.folder / CATALOG_FILE

    @property
    def files(self) -> Path:
        """The folder of an embedded history's Parquet files."""
        return self.folder / FILES_FOLDER

    @property
    def data_path(self) -> str:
        """Below which the Parquet files lie, and nothing else: upkeep removes what it does not know."""
        return str(self.files) if self.shared is None else f"{self.shared.data_url}/{FILES_FOLDER}"

    @property
    def lock_path(self) -> Path:
        """What writers of an embedded history lock."""
        return self.data_dir / LOCK_FILE

    @property
    def shell_path(self) -> Path:
        """The file with which any DuckDB shell opens the history."""
        return self.data_dir / SHELL_FILE
