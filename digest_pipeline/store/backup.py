"""A copy of a history in a folder of its own, while others read and write; and a history made of such a copy.

The folder holds files that never change, a catalog, and a list of all of them with their hashes, written last: until
then, what the folder held before counts, and the next backup copies the files that it does not have yet. Files are
copied, not linked: a backup that shares its blocks with the original is lost with it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from digest_pipeline.errors import ConfigurationError, StoreDamaged, StoreError, UsageError
from digest_pipeline.store.export import export, import_file, put
from digest_pipeline.store.files import statement
from digest_pipeline.store.history import History, open_history, rows_of
from digest_pipeline.store.left import carried_to, refusal
from digest_pipeline.store.place import FILES_FOLDER
from digest_pipeline.store.settle import being_made, must_be_free
from digest_pipeline.store.whole import copied, hash_of, not_written, synced

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from digest_pipeline.store.acting import Say
    from digest_pipeline.store.place import Place

LIST_FILE = "digest-backup.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds: files and their bytes, and how many of them were new."""

    files: int
    bytes: int
    new: int


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a backup, by its path in it."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _List:
    """What stands in the list; `files` are by their paths, `catalog` is the name of the one that counts."""

    history: str
    timezone: str
    made_at: str
    catalog: str
    files: Mapping[str, _File]


def backup(
    place: Place, timezone: ZoneInfo, folder: Path, *, now: datetime, said: Say = lambda *_: None
) -> Copied:
    """Copy the history in `place` into `folder`, which is empty or holds an earlier backup of it.

    Raises UsageError where the folder holds something else, StoreError; StoreLeft where the history was carried
    elsewhere: a backup of every night would go on with what is written no more.
    """
    if (target := carried_to(place)) is not None:
        raise refusal(place, target)
    with open_history(place, timezone) as connection:
        identity = rows_of(connection, statement("backup/identity"), None, place)[0]
    _is_of(_list_in(folder, or_nothing=True), identity, folder)
    try:
        _begin(folder, place)
        with being_made(folder) as still:
            # Again: another backup may have come to its end since.
            before = _list_in(folder, or_nothing=True)
            _is_of(before, identity, folder)
            if place.shared is None:
                _copy_catalog(place, still)
                source = place.files
            else:
                rows = still.data_dir / "rows.duckdb"
                export(place, timezone, rows, said=said)
                import_file(still, timezone, rows, said=said)
                rows.unlink()
                source = still.files
            described = {**identity, "made_at": now.isoformat(timespec="seconds")}
            return _fill(folder, before, still, source, described, said)
    except OSError as error:
        raise not_written(folder, error) from None


def restore(place: Place, timezone: ZoneInfo, folder: Path, *, said: Say = lambda *_: None) -> Copied:
    """Make the history in `place`, where there is none, of a backup. What is not as it was backed up is refused.

    Raises UsageError where there is a history, or `folder` is no backup, ConfigurationError where it was made in
    another timezone, StoreError.
    """
    must_be_free(place)
    listed = _list_in(folder)
    assert listed is not None  # noqa: S101 - it raises otherwise
    if listed.timezone not in {"", timezone.key}:
        raise ConfigurationError(
            f'timezone = "{timezone.key}": the backup in {folder} holds days of "{listed.timezone}"; '
            f'put timezone = "{listed.timezone}" into the settings'
        )
    with being_made(place.data_dir) as made:
        for number, (name, file) in enumerate(listed.files.items()):
            said("restore", number, len(listed.files))
            target = made.catalog_path if name == listed.catalog else made.folder / name
            try:
                found = copied(folder / name, target)
            except FileNotFoundError:
                raise _is_damaged(folder, f"{name} is gone") from None
            if found != file.sha256:
                raise _is_damaged(folder, f"{name} is not what was backed up")
        said("restore", len(listed.files), len(listed.files))
        History(made, timezone).close()
        put(made, place, timezone)
    return Copied(len(listed.files), sum(file.bytes for file in listed.files.values()), len(listed.files))


def _is_of(listed: _List | None, identity: Mapping[str, str], folder: Path) -> None:
    if listed is not None and listed.history != identity["history"]:
        raise UsageError(
            f"{folder} is the backup of another history, and it is left as it is; name another folder"
        )


def _begin(folder: Path, place: Place) -> None:
    """See to it that `folder` is one for backups. Raises UsageError, OSError."""
    target, data = folder.resolve(), place.data_dir.resolve()
    if target.is_relative_to(place.folder.resolve()) or data.is_relative_to(target):
        raise UsageError(f"{folder} is part of the history itself, or holds it; name a folder elsewhere")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / LIST_FILE).exists():
        raise UsageError(
            f"{folder} holds something else than a backup, and is left as it is; name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    # An empty list: what a first backup that was killed left is known as ours.
    (folder / LIST_FILE).touch()


def _copy_catalog(place: Place, still: Place) -> None:
    """The catalog as it is at one moment; what it lists stays for a week, whatever happens to the history.

    In a process that has no history open: two copies of SQLite on one file in one process drop each other's locks.
    """
    try:
        with (
            closing(sqlite3.connect(place.catalog_path, timeout=30)) as source,
            closing(sqlite3.connect(still.catalog_path)) as target,
        ):
            source.backup(target)
            # Files that wait for their end are not copied, and nobody waits for them there.
            target.execute("DELETE FROM ducklake_files_scheduled_for_deletion")
            target.commit()
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(
            f"the catalog of {place} cannot be copied: {error}; digest store check says more"
        ) from None


def _paths_in(catalog: Path) -> list[str]:
    with closing(sqlite3.connect(catalog)) as opened:
        return [row[0] for row in opened.execute(statement("backup/files"))]


def _fill(
    folder: Path, before: _List | None, still: Place, source: Path, described: dict[str, str], said: Say
) -> Copied:
    known = before.files if before is not None else {}
    files: dict[str, _File] = {}
    paths = _paths_in(still.catalog_path)
    new = 0
    for number, path in enumerate(paths):
        said("backup", number, len(paths))
        name = f"{FILES_FOLDER}/{path}"
        target = folder / name
        had = known.get(name)
        # Read, not only looked at: a file that rotted in the backup would be found by the restore that needs it.
        if had is None or not _is_as_it_was(target, had):
            try:
                found = copied(source / path, target)
            except FileNotFoundError:
                raise StoreDamaged(
                    f"{source / path} is gone, and no backup is made of a history that lacks a file; digest store "
                    "check says what else is damaged"
                    + (f", and the backup in {folder} is as it was" if before is not None else "")
                ) from None
            if had is not None and found != had.sha256:
                # Files never change: this one is damaged in the history itself, and no backup is made of that.
                raise StoreError(
                    f"{source / path} is not what was backed up before; digest store check --deep says what is "
                    f"damaged, and the backup in {folder} lacks that file"
                )
            had = _File((source / path).stat().st_size, found)
            new += 1
        files[name] = had
    said("backup", len(paths), len(paths))
    digest = hash_of(still.catalog_path)
    catalog = f"catalog-{digest[:12]}.sqlite"
    copied(still.catalog_path, folder / catalog)
    files[catalog] = _File(still.catalog_path.stat().st_size, digest)
    _write_list(folder, _List(**described, catalog=catalog, files=files))
    # What no backup needs any more goes last.
    for file in [*folder.glob("catalog-*.sqlite"), *(folder / FILES_FOLDER).rglob("*")]:
        if file.is_file() and str(file.relative_to(folder)) not in files:
            file.unlink(missing_ok=True)
    return Copied(len(files), sum(file.bytes for file in files.values()), new)


def _is_as_it_was(target: Path, had: _File) -> bool:
    try:
        return target.is_file() and hash_of(target) == had.sha256
    except OSError:  # a disk that does not give it back
        return False


def _write_list(folder: Path, listed: _List) -> None:
    text = json.dumps({"format": _FORMAT, **asdict(listed)}, indent=1, sort_keys=True) + "\n"
    temporary = folder / f".{LIST_FILE}.tmp"
    temporary.write_text(text, encoding="utf-8")
    synced(temporary)
    temporary.replace(folder / LIST_FILE)


def _list_in(folder: Path, *, or_nothing: bool = False) -> _List | None:
    """What a backup's list says; None where there is none yet and that will do. Raises UsageError, StoreError."""
    file = folder / LIST_FILE
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    if not text.strip():
        if or_nothing:
            return None
        if file.is_file():
            raise _is_damaged(folder, "it was never finished")
        raise UsageError(
            f"{folder} is no backup: it has no {LIST_FILE}; name a folder that digest store backup filled"
        )
    try:
        found = json.loads(text)
        number = found.pop("format")
        listed = _List(**found | {"files": {name: _File(**one) for name, one in found["files"].items()}})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _is_damaged(folder, f"{LIST_FILE} cannot be read: {error}") from None
    if number != _FORMAT:
        raise StoreError(f"the backup in {folder} was made by a newer digest_pipeline; upgrade this one")
    if any(name.startswith("/") or ".." in name.split("/") for name in (listed.catalog, *listed.files)):
        raise _is_damaged(folder, "a path leads out of it")
    return listed


def _is_damaged(folder: Path, reason: str) -> StoreError:
    return StoreError(f"the backup in {folder} is damaged, and nothing was changed: {reason}")
