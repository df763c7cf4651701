"""What DuckDB and psycopg2 say of a shared history, as errors of ours: one line that says what to do, no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from digest_pipeline.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline.store.place import Place


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What is told, and as what, where `pattern` is found; `{files}`, `{bucket}`, … are those of the place."""

    pattern: re.Pattern[str]
    kind: type[StoreError]
    told: str


def _of(kind: type[StoreError], pattern: str, told: str) -> _Complaint:
    return _Complaint(re.compile(pattern), kind, told)


_AGAIN = "and run again: nothing was lost"

_OF_BUCKETS = (
    _of(
        StoreError,
        r"NoSuchBucket|InvalidBucketName",
        'there is no bucket "{bucket}"{endpoint}; make it, or correct data_url of [store]',
    ),
    _of(
        StoreError,
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidToken|ExpiredToken|HTTP.{0,40}\b40[13]\b",
        "{files}{endpoint} refuses the keys; look at the variables that key_env and secret_env of [store] name, and "
        "whether those keys may list, read, write and delete there",
    ),
    _of(
        StoreError,
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|HTTP.{0,40}\b30[17]\b",
        "{files}{endpoint} lies in another region; set region of [store]",
    ),
    _of(
        StoreUnavailable,
        r"(?i)error for HTTP|could not (establish connection|resolve)|timeout was reached|SSL (peer|connect)|"
        r"SlowDown|RequestTimeout|InternalError|ServiceUnavailable|HTTP.{0,40}\b(408|429|5\d\d)\b",
        f"{{files}}{{endpoint}} does not answer; look at endpoint of [store] and at the network, {_AGAIN}",
    ),
)

_REFUSED = re.compile(
    r"(?i)authentication failed|no password supplied|role .* does not exist|database .* does not exist|"
    r"pg_hba\.conf|permission denied|certificate|does not support SSL|must be owner"
)

FULL = re.compile(r"(?i)no space left|disk is full|disk full|quota exceeded|errno 28|could not extend file")
_GOES_AWAY = re.compile(r"0800[0136]|57P0[123]|53300")
"""PostgreSQL's codes for a connection that ends or is not had; they stand whatever language it speaks."""

_AWAY = _of(
    StoreUnavailable,
    r"(?i)connection refused|could not connect to server|server closed the connection|terminating connection|"
    r"starting up|shutting down|in recovery mode|no connection to the server|connection (not open|already closed)|"
    r"connection is closed|connection to server .* failed|timeout expired|could not translate host name|"
    r"no route to host|network is unreachable|SSL SYSCALL|SSL connection has been closed|unexpected eof|"
    r"connection reset|broken pipe|too many (clients|connections)|not yet accepting|"
    r"query_wait_timeout|no more connections allowed|pgbouncer cannot connect|server login has been failing|"
    r"connection slots|could not receive data from server|could not send data to server|lost synchronization|"
    r"conflict with recovery",
    f"{{address}} does not answer; start it, or correct the address in {{variable}}, {_AGAIN}",
)

_NO_SPACE = _of(StoreError, FULL.pattern, f"{{full}} is full; free some space {_AGAIN}")

_OF_ALL = (
    _of(
        StoreError,
        r'(?i)read-only file system|(file|directory) "[^"]*": (permission denied|operation not permitted)',
        f"{{files}} cannot be written; look at the rights of that folder, and how it is mounted, {_AGAIN}",
    ),
    _of(
        StoreUnavailable,
        r"^the lock was lost",
        "the connection that held the writers' lock of the history in {address} broke; run again: what was written "
        "under it is taken back",
    ),
    _of(
        StoreUnavailable,
        r"(?i)read-only transaction",
        f"{{address}} takes no writes: it is a standby, or a failover is under way; see that the address in "
        f"{{variable}} leads to the primary, {_AGAIN}",
    ),
    _of(StoreError, _REFUSED.pattern, "{address} refuses; look at the address in {variable}"),
    _AWAY,
    _of(
        StoreBusy,
        r"(?i)conflict|could not serialize|deadlock detected|duplicate key",
        "the history in {address} is held by another process; run again in a moment",
    ),
    _of(
        StoreDamaged,
        r"(?i)NoSuchKey|HTTP.{0,40}\b404\b|no such file|cannot open file|no magic bytes|too small to be a parquet|"
        r"thrift",
        "files of the history in {address} are missing or damaged below {files}; see that this machine has that "
        "folder, or restore catalog and files together from a backup",
    ),
    _of(StoreError, "", "the history in {address} cannot be used"),
)


def complaint(text: str, place: Place, code: str | None = None) -> StoreError:
    """The first that is meant by `text`, which is repeated in part, without what nobody may see.

    `code` is PostgreSQL's, where it is known: it says more surely than words that a server goes away.
    """
    shared = place.shared
    assert shared is not None  # noqa: S101 - who asks has looked
    text = redacted(text, place)
    bucket = shared.bucket
    words = {
        "address": shared.address,
        "variable": shared.catalog_env,
        "files": shared.data_url,
        "bucket": shared.bucket_name,
        "endpoint": f" at {bucket.endpoint}" if bucket is not None and bucket.endpoint else "",
        "full": _full(text, place),
    }
    known = (_NO_SPACE, *(_OF_BUCKETS if bucket is not None else ()), *_OF_ALL)
    meant = next(one for one in known if one.pattern.search(text))
    if code is not None and _GOES_AWAY.fullmatch(code):
        meant = _AWAY
    kind: type[StoreError] = meant.kind
    return kind(f"{meant.told.format_map(words)} ({shortened(text)})")


def redacted(text: str, place: Place) -> str:
    """`text` on one line, without what nobody may see of it, in whatever way it is written there."""
    if place.shared is not None:
        spellings = {way for secret in place.shared.secrets for way in _spellings(secret)}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, "***")
    return " ".join(text.split())


def shortened(text: str) -> str:
    """As much of a text as goes on one line of a terminal."""
    return text if len(text) <= 200 else text[:197] + "…"  # noqa: PLR2004


def _spellings(secret: str) -> Iterator[str]:
    """As it is, as an address, conninfo and SQL write it, and each of them on one line."""
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    for way in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), escaped):
        for quoted in (way, way.replace("'", "''"), repr(way)[1:-1]):
            yield quoted
            if line := " ".join(quoted.split()):
                yield line


def _full(text: str, place: Place) -> str:
    """Which disk is full: by the path that is named with it, or those that it can be."""
    shared = place.shared
    assert shared is not None  # noqa: S101 - who asks has looked
    disks = {
        str(place.data_dir): f"this machine's disk, that of {place.data_dir},",
        shared.data_url: f"the disk that holds {shared.data_url}",
    }
    for path in sorted(disks, key=len, reverse=True):  # one may begin as the other does
        if path in text:
            return disks[path]
    if "could not extend file" in text or "could not write to file" in text:
        return f"PostgreSQL's disk at {shared.address}"
    return f"a disk (of {shared.data_url}, of this machine's {place.data_dir}, or of PostgreSQL at {shared.address})"


def lost(place: Place, reason: str) -> StoreError:
    """The error where rows of a shared history are not where its catalog has them."""
    error = complaint("no such file", place)
    return StoreDamaged(str(error).replace("(no such file)", f"({reason})"))
