"""What DuckDB and PostgreSQL say of a shared history: taken for what it is, and told without what nobody may see."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from digest_pipeline.errors import StoreError, StoreUnavailable
from digest_pipeline.store.complaints import complaint
from digest_pipeline.store.connection import told, translate
from digest_pipeline.store.export import _told
from digest_pipeline.store.place import Bucket, Place, Shared

AT_SERVER = 'connection to server at "db", port 5432 failed: '
PLACE = Place(Path("/srv/digest"), Shared({"host": "db", "dbname": "digest"}, "/srv/digest-files"))


@pytest.mark.parametrize(
    "text",
    [
        "SSL connection has been closed unexpectedly",
        "SSL error: unexpected eof while reading",
        AT_SERVER + 'FATAL: too many connections for role "digest"',
        AT_SERVER + 'FATAL: too many connections for database "digest"',
        AT_SERVER + "FATAL: the database system is not yet accepting connections",
        "FATAL: query_wait_timeout",
        "ERROR: cannot execute INSERT in a read-only transaction",
        "FATAL: terminating connection due to administrator command",
    ],
)
def test_a_database_that_goes_away_or_fails_over_is_waited_for(text: str) -> None:
    assert isinstance(translate(duckdb.IOException(f"IO Error: {text}\n"), PLACE), StoreUnavailable)


@pytest.mark.parametrize(
    ("code", "kind"), [("57P01", StoreUnavailable), ("08006", StoreUnavailable), ("42501", StoreError)]
)
def test_the_code_says_so_in_whatever_language(code: str, kind: type[StoreError]) -> None:
    assert type(complaint("Verbindung wird abgebrochen", PLACE, code)) is kind


@pytest.mark.parametrize(
    "text",
    ["SSL error: certificate verify failed", 'FATAL: password authentication failed for user "digest"'],
)
def test_an_address_to_correct_is_not_waited_for(text: str) -> None:
    assert type(complaint(AT_SERVER + text, PLACE)) is StoreError


@pytest.mark.parametrize(
    ("text", "disk"),
    [
        (
            'Could not write file "/srv/digest-files/files/a.parquet"',
            "the disk that holds /srv/digest-files is",
        ),
        (
            'Could not write file "/srv/digest/store/tmp/a.tmp"',
            "this machine's disk, that of /srv/digest, is",
        ),
        ('ERROR: could not extend file "base/5/1"', "PostgreSQL's disk at postgresql://db:5432/digest is"),
        ("failed", "(of /srv/digest-files, of this machine's /srv/digest, or of PostgreSQL"),
    ],
)
def test_the_disk_that_is_full_is_named_and_no_other(text: str, disk: str) -> None:
    failure = translate(duckdb.IOException(f"IO Error: {text}: No space left on device"), PLACE)
    assert disk in str(failure)
    assert "is full; free some space" in str(failure)


@pytest.mark.parametrize("secret", ["pa55-word", r"it's4you\  spaced-word", "p@ss/w:rd+x", "line\nbreak"])
@pytest.mark.parametrize(
    "write",
    [
        lambda secret: secret,
        lambda secret: "sslpassword='" + secret.replace("\\", "\\\\").replace("'", "\\'") + "'",
        lambda secret: "'" + secret.replace("'", "''") + "'",
        lambda secret: " ".join(secret.split()),
    ],
)
@pytest.mark.parametrize("ending", ["No space left on device", "not known"])
def test_no_secret_is_told_however_it_is_written(secret: str, write, ending: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - one of the above
    bucket = Bucket(None, None, "key", secret)
    place = Place(Path("/srv/digest"), Shared({"host": "db", "sslpassword": secret}, "s3://b/files", bucket))
    file = Path("/srv/e.duckdb")
    for telling in (told(place), _told(place, file)):
        with pytest.raises(StoreError) as raised, telling:
            raise duckdb.IOException(f'unable to connect with "{write(secret)}" for {file}: {ending}')
        message = str(raised.value)
        assert "***" in message
        assert not any(word in message for word in (*secret.split(), write(secret)))
        assert raised.value.__cause__ is None
