"""`digest sql`: the history asked in SQL, read-only."""

from __future__ import annotations

import csv
import json
import math
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
    from digest_pipeline.errors import StoreError
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.place import Place

_NARROWEST = 12
"""Where a terminal leaves a column less, on average, rows are written one value below the other."""


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
            'give one query, as digest sql "SELECT …", or - to read it from stdin, or the name of one with --query '
            "(--list names them)"
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
        # In UTF-8 whatever the locale; without the mark that some editors put before it.
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeError:
        raise UsageError(
            "what came by stdin is not UTF-8: save the query as UTF-8 and give it again"
        ) from None
    except AttributeError:  # sys.stdin is None where it was closed
        raise UsageError("there is no stdin to read the query from") from None


def _limit(asked: Question, given: dict[str, str]) -> int | None:
    """How many rows a question gives at most; None where it takes no limit."""
    limits = [given.get(one.name, one.default) for one in asked.parameters if one.name == "limit"]
    return int(limits[0]) if limits and limits[0] is not None else None


def _ask(
    settings: Settings, asked: Question | str, given: dict[str, str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    from digest_pipeline.compose import open_place
    from digest_pipeline.store.complaints import redacted
    from digest_pipeline.store.connection import interruptible, translate
    from digest_pipeline.store.history import must_be_up_to_date, open_history
    from digest_pipeline.store.left import notice
    from digest_pipeline.store.questions import answer

    place = open_place(settings)
    with open_history(place, settings.timezone) as connection:
        if told := notice(place):
            say(told, style="yellow")
        try:
            with interruptible(connection):
                if not isinstance(asked, str):
                    return answer(connection, asked, given)
                # A function that DuckDB lacks is none that it fetches from elsewhere, and runs.
                connection.execute(
                    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false"
                )
                cursor = connection.execute(asked, given)
                return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            meant = translate(error, place)
            is_named = not isinstance(asked, str)
            if _is_of_history(error, meant, place, is_named=is_named):
                raise meant from None
            if is_named:
                must_be_up_to_date(connection, place)
            raise UsageError(f"the query cannot be answered: {redacted(str(error), place)}") from None


def _is_of_history(error: duckdb.Error, meant: StoreError, place: Place, *, is_named: bool) -> bool:
    """Whether it is the history that fails, and not the query, whose own are the files and addresses that it names."""
    import duckdb

    from digest_pipeline.errors import StoreDamaged, StoreUnavailable

    where = [str(place.folder)] if place.shared is None else [place.data_path]
    if place.shared is not None and place.shared.bucket is not None:
        where.append(place.shared.bucket_name)  # a server is asked for https://…, not s3://…
    is_ours = is_named or any(one in str(error) for one in where)
    if isinstance(error, duckdb.FatalException):
        return isinstance(meant, StoreDamaged | StoreUnavailable)
    if isinstance(error, duckdb.IOException | duckdb.HTTPException) and "HTTP" in str(error):
        return is_ours
    if isinstance(meant, StoreUnavailable):
        return True
    return is_ours and isinstance(meant, StoreDamaged)


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
    from digest_pipeline.store.query import parameters_of

    wanted = parameters_of(text)
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
