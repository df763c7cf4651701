"""`digest sql`: the history asked in SQL, read-only."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line
from digest_pipeline.errors import UsageError
from digest_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_NO_CODE = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$", re.DOTALL
)
_EXPLAIN = re.compile(r"(?i)\s*EXPLAIN\s+(?:ANALYZE\s+|\([^)]*\)\s*)?")
_UPKEEP = re.compile(
    r"(?i)\b(?:ducklake_)?(?:add_data_files|cleanup_old_files|delete_orphaned_files|expire_snapshots|"
    r"flush_inlined_data|merge_adjacent_files|rewrite_data_files|set_commit_message|set_option)\"?\s*\("
)
"""Functions of DuckLake that write, also where they are read FROM: a few of them even over a read-only catalog."""


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT over the history.", show_default=False)
    ] = None,
    output: Annotated[Format, typer.Option("--format", "-f", help="How rows are written.")] = Format.TABLE,
    listed: Annotated[
        bool, typer.Option("--list", help="Name the questions that come with the package.")
    ] = False,
    name: Annotated[str | None, typer.Option("--query", help="Ask one of them, by its name.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="A parameter, as name=value; may be repeated.")
    ] = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Ask the history in SQL: tables commits, commit_files, analyses, reports, digests, reads."""
    del quiet, verbose
    if listed:
        for question in _questions():
            result_line(question)
        return
    if (not (query or "").strip()) == (name is None):
        raise UsageError(
            'give one query, as digest sql "SELECT …", or the name of one with --query (--list names them)'
        )
    text = _named(name) if name is not None else str(query)
    parameters = _parameters(text, param or ())
    settings = Settings.load(config)
    columns, rows = _ask(settings, text, parameters)
    _WRITERS[output](columns, rows)


def _ask(
    settings: Settings, text: str, parameters: dict[str, str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    from digest_pipeline.errors import StoreDamaged
    from digest_pipeline.store.connection import interruptible, store_folder, translate
    from digest_pipeline.store.history import open_history

    _must_only_read(text)
    with open_history(settings.data_dir, settings.timezone) as connection:
        try:
            with interruptible(connection):
                cursor = connection.execute(text, parameters)
                return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            damage = translate(error, settings.data_dir)
            # A file that the query itself names is the asker's; one of the history's is not.
            ours = str(store_folder(settings.data_dir)) in str(error)
            if isinstance(damage, StoreDamaged) and (ours or isinstance(error, duckdb.FatalException)):
                raise damage from None
            raise UsageError(f"the query cannot be answered: {' '.join(str(error).split())}") from None


def _must_only_read(text: str) -> None:
    import duckdb

    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    try:
        statements: list[duckdb.Statement] = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"the query is not SQL: {' '.join(str(error).split())}") from None
    if len(statements) != 1:
        raise UsageError(f"one query at a time, not {len(statements)}")
    code = _code_of(text)
    if statements[0].type == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE carries out what it explains.
        explained = _EXPLAIN.sub("", code, count=1)
        is_reading = all(statement.type in reading for statement in duckdb.extract_statements(explained))
    else:
        is_reading = statements[0].type in reading
    if not is_reading or _UPKEEP.search(code):
        raise UsageError(
            "the history is open for reading only; a query begins with "
            "SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN"
        )


def _code_of(text: str) -> str:
    """The query without its comments, with nothing inside its strings, and in quotes only names that are words."""
    empty = {"-": " ", "/": " ", "'": "''", "$": "''"}

    def bare(match: re.Match[str]) -> str:
        other = match[0] if re.fullmatch(r'"\w+"', match[0]) else '"x"'
        return empty.get(match[0][0], other)

    return _NO_CODE.sub(bare, text)


def _questions() -> list[str]:
    from digest_pipeline.store.files import names, statement

    found = names("queries")
    width = max((len(name) for name in found), default=0)
    return [f"{name:{width}}  {_first_comment(statement(f'queries/{name}'))}" for name in found]


def _named(name: str) -> str:
    from digest_pipeline.store.files import names, statement

    known = names("queries")
    if name not in known:
        raise UsageError(f'no question is called "{name}"; there are: {", ".join(known)}')
    return statement(f"queries/{name}")


def _first_comment(text: str) -> str:
    return text.partition("\n")[0].lstrip("- ").strip()


def _parameters(text: str, given: Sequence[str]) -> dict[str, str]:
    code = _code_of(text)
    wanted = list(dict.fromkeys(_PARAMETER.findall(code)))
    values: dict[str, str] = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f'--param "{item}" must be name=value')
        values[key] = value
    unknown = [key for key in values if key not in wanted]
    missing = [key for key in wanted if key not in values]
    if unknown or missing:
        takes = ", ".join(wanted) or "none"
        problem = f"lacks --param {missing[0]}=…" if missing else f'has no parameter "{unknown[0]}"'
        raise UsageError(f"the query {problem}; its parameters: {takes}")
    return values


def _plain(value: object) -> object:  # noqa: PLR0911 - a line for each kind of value
    """A value as JSON has it: times with their offset, numbers as numbers, structs as objects."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def _text(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _write_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    # Two columns of one name would be one key: the later ones are numbered.
    names: list[str] = []
    for column in columns:
        count = (
            sum(name == column or name.startswith(f"{column}_") for name in names) if column in names else 0
        )
        names.append(column if not count else f"{column}_{count}")
    result_line(
        json.dumps(
            [dict(zip(names, map(_plain, row), strict=True)) for row in rows], ensure_ascii=False, indent=2
        )
    )


def _write_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value) for value in row] for row in rows)


def _write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    table = Table()
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row))
    console.print(table)
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", highlight=False)


_WRITERS = {Format.TABLE: _write_table, Format.CSV: _write_csv, Format.JSON: _write_json}
