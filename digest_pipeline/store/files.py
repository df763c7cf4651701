"""The texts of SQL: the files, in the clone's `sql/` or inside the installed wheel, and what is put into them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

TABLES, OPTIONS, CATALOG = range(3)
"""The turns of migrations."""

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def sql_folder() -> Path:
    """The folder with `migrations/`, `views/`, `queries/`, `pipeline/` and `checks/`."""
    installed = _PACKAGE / "sql"
    return installed if installed.is_dir() else _PACKAGE.parent / "sql"


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """The files of one folder in order, without their ending."""
    return sorted(file.stem for file in (sql_folder() / folder).glob("*.sql"))


def turn(migration: str) -> int:
    """When a migration runs among all that are pending: those of one turn in a transaction of their own.

    DuckLake takes options of a table only once it is there (`_options`); in its own tables nothing may be written in
    one transaction with the history's (`_catalog`).
    """
    if migration.endswith("_catalog"):
        return CATALOG
    return OPTIONS if migration.endswith("_options") else TABLES


def quoted(value: object) -> str:
    """A text as SQL writes it, for what cannot be bound."""
    return "'" + str(value).replace("'", "''") + "'"
