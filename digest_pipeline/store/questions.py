"""The questions in `sql/queries/`, and what their parameters mean in one history: its days, its commits."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.question import (
    day_of_history,
    is_relative,
    is_sha,
    last_commits,
    read_question,
    values,
)
from digest_pipeline.errors import UsageError
from digest_pipeline.store.files import names, statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from digest_pipeline.domain.question import Question


@cache
def questions() -> dict[str, Question]:
    """All of them by name, in order."""
    return {name: read_question(name, statement(f"queries/{name}")) for name in names("queries")}


def question(name: str) -> Question:
    """The one of this name. Raises UsageError where there is none."""
    found = questions().get(name)
    if found is None:
        raise UsageError(f'no question is called "{name}"; there are: {", ".join(questions())}')
    return found


def checked(asked: Question, given: Mapping[str, str]) -> dict[str, str]:
    """A value for each of its parameters, as far as that can be said without a history. Raises UsageError."""
    try:
        return values(asked, given)
    except ValueError as error:
        raise UsageError(str(error)) from None


def answer(
    connection: duckdb.DuckDBPyConnection, asked: Question, given: Mapping[str, str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns, and the rows, as the history is at one moment. Raises UsageError, duckdb.Error."""
    import duckdb  # noqa: PLC0415 - who only lists the questions has none

    connection.execute("BEGIN")
    try:
        cursor = connection.execute(asked.sql, bound(connection, asked, given))
        columns = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
        connection.execute("COMMIT")
    except (UsageError, duckdb.Error) as error:
        if not isinstance(error, duckdb.InterruptException):  # the next statement would wait for what goes on
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
        raise
    return columns, rows


def bound(connection: duckdb.DuckDBPyConnection, asked: Question, given: Mapping[str, str]) -> dict[str, str]:
    """What to bind in this history: its newest days as days, hashes in full. Raises UsageError, duckdb.Error."""
    found = checked(asked, given)
    for one in asked.parameters:
        value = found[one.name]
        if "day" in one.kinds and is_relative(value):
            found[one.name] = day_of_history(value, _newest(connection))
        elif "day" in one.kinds and (commits := last_commits(value)) is not None:
            found[one.name] = _first_of(connection, commits).isoformat()
        elif "sha" in one.kinds and is_sha(value):
            found[one.name] = _whole(connection, one.name, value)
    return found


def _newest(connection: duckdb.DuckDBPyConnection) -> date:
    row = connection.execute(statement("pipeline/newest_day")).fetchone()
    # Where no day was ever read, any will do.
    return row[0] if row is not None and row[0] is not None else date.min


def _first_of(connection: duckdb.DuckDBPyConnection, commits: int) -> date:
    rows = connection.execute(statement("pipeline/rows_of_log")).fetchone()
    if rows is not None and rows[0] is not None and rows[0] <= commits:
        return date.min  # all of them, which a look into the catalog tells in a fifth of the time
    row = connection.execute(statement("pipeline/first_day_of"), {"commits": commits}).fetchone()
    return row[0] if row is not None and row[0] is not None else date.min


def _whole(connection: duckdb.DuckDBPyConnection, name: str, sha: str) -> str:
    found = [row[0] for row in connection.execute(statement("pipeline/shas"), {"sha": sha}).fetchall()]
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise UsageError(f'--param {name}="{sha}": no commit of this history begins so')
    raise UsageError(
        f'--param {name}="{sha}": more than one commit begins so, as {found[0][:12]} and {found[1][:12]}; '
        "give more digits"
    )
