"""DuckDB's way to a shared history: secrets and ATTACH; and whose the files below a data_url are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest_pipeline.errors import ConfigurationError
from digest_pipeline.store.files import quoted, statement
from digest_pipeline.store.lock import whoami
from digest_pipeline.store.place import FILES_FOLDER
from digest_pipeline.store.whole import written_whole

if TYPE_CHECKING:
    import duckdb

    from digest_pipeline.store.place import Bucket, Place, Shared

CATALOG_SECRET = "history_catalog"  # noqa: S105 - what DuckDB calls a secret
BUCKET_SECRET = "history_bucket"  # noqa: S105 - as above
IDENTITY_FILE = "history.id"

_IN_THE_SECRET = {
    "host": "HOST",
    "port": "PORT",
    "dbname": "DATABASE",
    "user": "USER",
    "password": "PASSWORD",
}
_OUT_OF_A_SCRIPT = ("sslpassword",)


def extensions(shared: Shared) -> tuple[str, ...]:
    """What DuckDB has to load for it."""
    return ("ducklake", "postgres_scanner", *(("httpfs",) if shared.bucket is not None else ()))


def make_secrets(connection: duckdb.DuckDBPyConnection, shared: Shared) -> None:
    """Hand DuckDB what it needs to get in, bound as values; it keeps them in memory and shows them to nobody."""
    known = {key: value for key, value in shared.catalog.items() if key in _IN_THE_SECRET}
    options = "".join(f", {_IN_THE_SECRET[key]} ${key}" for key in known)
    connection.execute(f"CREATE SECRET {CATALOG_SECRET} (TYPE postgres{options})", known)
    if shared.bucket is not None:
        values = _bucket_values(shared.bucket) | {"scope": shared.data_url}
        if shared.bucket.key is not None:
            values |= {"key_id": shared.bucket.key, "secret": shared.bucket.secret}
        options = "".join(f", {key} ${key}" for key in values)
        connection.execute(f"CREATE SECRET {BUCKET_SECRET} (TYPE s3{options})", values)
        # What is uploaded in parts is held in memory in parts: by default of 80 MB, which is half of what a writer has.
        connection.execute("SET s3_uploader_max_filesize = '50GB'")


def attach_statement(place: Place, name: str, *, read_only: bool, for_a_script: bool = False) -> str:
    """The ATTACH of a shared history; it holds no secret."""
    assert place.shared is not None  # noqa: S101 - who asks has looked
    known = place.shared.catalog
    if not for_a_script:
        known = {"application_name": whoami(), **known}
    left_out = {*_IN_THE_SECRET, *(_OUT_OF_A_SCRIPT if for_a_script else ())}
    more = {key: value for key, value in known.items() if key not in left_out}
    words = " ".join(f"{key}={_conninfo(value)}" for key, value in more.items())
    options = [
        f"DATA_PATH {quoted(place.data_path)}",
        "OVERRIDE_DATA_PATH true",
        f"META_SECRET '{CATALOG_SECRET}'",
    ]
    if read_only:
        options.append("READ_ONLY")
    return f"ATTACH {quoted(f'ducklake:postgres:{words}')} AS {name} ({', '.join(options)})"


def script_lines(shared: Shared) -> list[str]:
    """What `history.sql` says before the ATTACH: passwords and keys come from the environment of the shell."""
    known = {
        key: value for key, value in shared.catalog.items() if key in _IN_THE_SECRET and key != "password"
    }
    options = "".join(f", {_IN_THE_SECRET[key]} {quoted(value)}" for key, value in known.items())
    lines = [
        "-- PostgreSQL's password stands in no file of ours: set PGPASSWORD, or have it in ~/.pgpass.",
        f"CREATE SECRET {CATALOG_SECRET} (TYPE postgres{options});",
    ]
    if shared.bucket is not None:
        values = [f"{key} {quoted(str(value))}" for key, value in _bucket_values(shared.bucket).items()]
        values.append(f"scope {quoted(shared.data_url)}")
        if shared.bucket.key_env is not None:
            values += [
                f"key_id getenv('{shared.bucket.key_env}')",
                f"secret getenv('{shared.bucket.secret_env}')",
            ]
        lines += [
            "-- The keys of the bucket come from the variables that the settings name.",
            f"CREATE SECRET {BUCKET_SECRET} (TYPE s3, {', '.join(values)});",
        ]
    return lines


def claim_files(
    connection: duckdb.DuckDBPyConnection, place: Place, identity: str, *, has_files: bool
) -> None:
    """See that what lies below `data_url` is of this history, and is told so where nothing lies there yet.

    Two histories in one folder would remove each other's files; a folder that only one machine has would lose them.
    Raises ConfigurationError, duckdb.Error, OSError.
    """
    shared = place.shared
    assert shared is not None  # noqa: S101 - who asks has looked
    if shared.bucket is None and _overlap(Path(place.data_path), place.folder):
        raise ConfigurationError(
            f'store.data_url = "{shared.data_url}": {place.folder} is where a history of this machine alone lies, '
            "whose files the upkeep of this one would remove; name another folder"
        )
    file = f"{shared.data_url}/{IDENTITY_FILE}"
    found = _read(connection, file)
    # A disk that was full leaves an empty file.
    if not found and not has_files:
        if foreign := _first_below(connection, place.data_path):
            raise ConfigurationError(
                f'store.data_url = "{shared.data_url}": {foreign} lies there and is not of this history, whose upkeep '
                f"would remove it; name a folder or bucket without {FILES_FOLDER}/ in it"
            )
        _write(connection, file, identity, is_in_a_bucket=shared.bucket is not None)
        found = _read(connection, file)
    if found != identity:
        what = (
            "holds the files of another history"
            if found
            else f"has no {IDENTITY_FILE}, which lies beside the files"
        )
        raise ConfigurationError(
            f'store.data_url = "{shared.data_url}": {what}; name the folder or bucket in which the other machines have '
            f"those of {shared.address}, or an empty one and an empty database for a history of its own"
        )


def _overlap(one: Path, other: Path) -> bool:
    one, other = one.resolve(), other.resolve()
    return one.is_relative_to(other) or other.is_relative_to(one)


def _first_below(connection: duckdb.DuckDBPyConnection, folder: str) -> str | None:
    """What lies below a folder or prefix; None where nothing does."""
    if "://" not in folder:
        files = (path for path in Path(folder).rglob("*") if not path.is_dir())
        return str(next(files, "")) or None
    row = connection.execute(statement("pipeline/files_there"), {"pattern": f"{folder}/**"}).fetchone()
    return str(row[0]) if row else None


def _write(connection: duckdb.DuckDBPyConnection, file: str, identity: str, *, is_in_a_bucket: bool) -> None:
    if is_in_a_bucket:
        connection.execute(
            "COPY (SELECT $identity) TO $file (FORMAT csv, HEADER false)",
            {"identity": identity, "file": file},
        )
        return
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(Path(file), force=True) as temporary:
        temporary.write_text(f"{identity}\n", encoding="ascii")


def _read(connection: duckdb.DuckDBPyConnection, file: str) -> str | None:
    if "://" not in file:
        path = Path(file)
        return path.read_text(encoding="utf-8").strip() if path.exists() else None
    # A name without a pattern in it is taken for a file that is there.
    rows = connection.execute(
        "SELECT content FROM read_text($file)", {"file": f"{file[:-1]}[{file[-1]}]"}
    ).fetchall()
    return rows[0][0].strip() if rows else None


def _bucket_values(bucket: Bucket) -> dict[str, object]:
    values: dict[str, object] = {}
    if bucket.region is not None:
        values["region"] = bucket.region
    if bucket.endpoint is not None:
        parts = urlsplit(bucket.endpoint)
        values |= {"endpoint": parts.netloc, "use_ssl": parts.scheme == "https", "url_style": "path"}
    return values


def _conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
