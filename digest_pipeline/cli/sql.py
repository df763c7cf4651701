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

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say, shown
from digest_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from digest_pipeline.domain.question import Question
    from digest_pipeline.settings import Settings

_NARROWEST = 12
"""Where a terminal leaves a column less, on average, rows are written one value below the other."""

_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_NO_CODE = re.compile(
    r"--[^\n\r]*|/\*.*?\*/|(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?<![\w$])\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$",
    re.DOTALL,
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
    TEXT = "text"


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT over the history; - reads it from stdin.", show_default=False),
    ] = None,
    output: Annotated[Format, typer.Option("--format", "-f", help="How rows are written.")] = Format.TABLE,
    listed: Annotated[
        bool,
        typer.Option(
            "--list", help="Name the questions that come with the package; with --query, tell all about one."
        ),
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
    from digest_pipeline.settings import Settings

    if listed:
        for line in _described(name) if name is not None else _listed():
            result_line(line)
        return
    if query == "-" and name is None:
        query = _by_stdin()
    if (not (query or "").strip()) == (name is None):
        raise UsageError(
            'give one query, as digest sql "SELECT …", or the name of one with --query (--list names them)'
        )
    from digest_pipeline.store.questions import checked, question

    asked = question(name) if name is not None else None
    given = _given(param or ())
    if asked is None:
        _must_be_those_of(str(query), given)
    else:
        checked(asked, given)
    settings = Settings.load(config)
    columns, rows = _ask(settings, asked or str(query), given)
    _WRITERS[output](columns, rows)
    if asked is not None and len(rows) == _limit(asked, given):
        say(f"as many rows as limit lets through; --param limit={10 * len(rows)} shows more, if there are")


def _by_stdin() -> str:
    try:
        text = sys.stdin.read()
        text.encode()  # in some locales Python reads any byte
    except UnicodeError:
        raise UsageError(
            "what came by stdin is not UTF-8: save the query as UTF-8 and give it again"
        ) from None
    return text.removeprefix("\ufeff")


def _limit(asked: Question, given: dict[str, str]) -> int | None:
    """How many rows a question gives at most; None where it takes no limit."""
    limits = [given.get(one.name, one.default) for one in asked.parameters if one.name == "limit"]
    return int(limits[0]) if limits and limits[0] is not None else None


def _ask(
    settings: Settings, asked: Question | str, given: dict[str, str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    from digest_pipeline.compose import open_place
    from digest_pipeline.errors import StoreDamaged, StoreUnavailable
    from digest_pipeline.store.connection import interruptible, translate
    from digest_pipeline.store.history import must_be_up_to_date, open_history
    from digest_pipeline.store.left import notice
    from digest_pipeline.store.questions import answer

    text = asked if isinstance(asked, str) else asked.sql
    _must_only_read(text)
    place = open_place(settings)
    with open_history(place, settings.timezone) as connection:
        if told := notice(place):
            say(told, style="yellow")
        try:
            with interruptible(connection):
                if not isinstance(asked, str):
                    return answer(connection, asked, given)
                cursor = connection.execute(text, given)
                return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            damage = translate(error, place)
            # A file that the query itself names is the asker's; one of the history's is not.
            ours = (str(place.folder) if place.shared is None else place.data_path) in str(error)
            if isinstance(damage, StoreDamaged) and (ours or isinstance(error, duckdb.FatalException)):
                raise damage from None
            if isinstance(damage, StoreUnavailable):
                raise damage from None
            if not isinstance(asked, str):
                must_be_up_to_date(connection, place)
            raise UsageError(f"the query cannot be answered: {' '.join(str(error).split())}") from None


def _must_only_read(text: str) -> None:
    import duckdb

    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    try:
        statements: list[duckdb.Statement] = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"the query is not SQL: {' '.join(str(error).split())}") from None
    code = _code_of(text)
    if not statements:
        raise UsageError("there is no query in what was given")
    # A PIVOT without its values asks for them first, into a type of its own: DuckDB's parts of it have no text.
    if len(statements) > 1 and (any(map(_text_of, statements)) or ";" in code.strip().removesuffix(";")):
        raise UsageError(f"one query at a time, not {len(statements)}")
    if statements[-1].type == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE carries out what it explains.
        explained = _EXPLAIN.sub("", code, count=1)
        parts = duckdb.extract_statements(explained)
        is_reading = bool(parts) and all(statement.type in reading for statement in parts)
    else:
        *before, last = (statement.type for statement in statements)
        is_reading = last in reading and all(kind == duckdb.StatementType.CREATE for kind in before)
    if not is_reading or _UPKEEP.search(code):
        raise UsageError(
            "the history is open for reading only; a query begins with "
            "SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN"
        )


def _text_of(statement: duckdb.Statement) -> str:
    try:
        return str(statement.query)
    except IndexError:  # of one that has none, and is not the first
        return ""


def _code_of(text: str) -> str:
    """The query without its comments, with nothing inside its strings, and in quotes only names that are words."""
    empty = {"-": " ", "/": " ", "'": "''", "$": "''", "e": "''", "E": "''"}

    def bare(match: re.Match[str]) -> str:
        if match[0].startswith("/*") and "/*" in match[0][2:]:
            raise UsageError("a comment within a comment is not taken")  # whose end would be another one
        other = match[0] if re.fullmatch(r'"\w+"', match[0]) else '"x"'
        return empty.get(match[0][0], other)

    return _NO_CODE.sub(bare, text)


def _listed() -> list[str]:
    """A line for each question: its name, what it asks, its parameters with what counts where they are not given."""
    from digest_pipeline.domain.question import signature
    from digest_pipeline.store.questions import questions

    found = questions().values()
    width = max((len(one.name) for one in found), default=0)
    return [f"{one.name:{width}}  {one.asks}  {signature(one)}".rstrip() for one in found]


def _described(name: str) -> list[str]:
    """All that a question's file says of it, for a person."""
    from digest_pipeline.store.questions import question

    one = question(name)
    lines = [one.asks, *([one.notes] if one.notes else [])]
    for parameter in one.parameters:
        default = "needed" if parameter.default is None else f"default {parameter.default}"
        lines.append(f"  {parameter.name} ({default}): {parameter.meaning}; {parameter.expected}")
    return lines


def _given(items: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f'--param "{item}" must be name=value')
        if key in values:
            raise UsageError(f'--param "{key}" is given twice')
        values[key] = value
    return values


def _must_be_those_of(text: str, given: dict[str, str]) -> None:
    wanted = list(dict.fromkeys(_PARAMETER.findall(_code_of(text))))
    unknown = [key for key in given if key not in wanted]
    missing = [key for key in wanted if key not in given]
    if unknown or missing:
        takes = ", ".join(wanted) or "none"
        problem = f"lacks --param {missing[0]}=…" if missing else f'has no parameter "{unknown[0]}"'
        raise UsageError(f"the query {problem}; its parameters: {takes}")


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


def _shown(value: object) -> str:
    """A value as a terminal may show it."""
    return shown(_text(value))


def _write_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    text = _shown if sys.stdout.isatty() else _text
    writer.writerows([text(value) for value in row] for row in (columns, *rows))


def _write_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The values as they are, a row a line, for what is a text: a page, a message."""
    del columns
    for row in rows:
        result_line("\t".join(_text(value) for value in row))


def _write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    table = Table()
    for column in columns:
        table.add_column(Text(shown(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value)) for value in row))
    if rows and len(columns) * _NARROWEST > console.width:
        # Columns of a few letters each say nothing: a line for each value instead.
        table = Table(show_header=False, box=None, padding=(0, 1))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for number, row in enumerate(rows, start=1):
            table.add_row(f"{number} of {len(rows)}", "")
            for column, value in zip(columns, row, strict=True):
                table.add_row(Text(shown(f"  {column}")), Text(_shown(value)))
    console.print(table)
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", highlight=False)


_WRITERS = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
    Format.TEXT: _write_text,
}
