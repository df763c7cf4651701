"""A query that somebody else wrote: whether it only reads, and its parameters, as DuckDB's own parser tells them.

The history is opened for reading only, and that is not enough: `COPY` and `EXPLAIN ANALYZE COPY` write files, and a few
functions of DuckLake remove files before they see that they may not.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb

from digest_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Plain blanks and comments alone. After others the rest would be no SELECT, and is refused: nothing is guessed.
_BLANKS = r"(?:[ \t\n\r\f\v]|--[^\n\r]*(?:[\n\r]|$)|/\*(?:(?!/\*|\*/).)*\*/)"
_EXPLAINS = (
    re.compile(rf"(?is){_BLANKS}*EXPLAIN(?:{_BLANKS}+(?:ANALY[SZ]E\b)?|(?=\())"),
    re.compile(rf"(?is){_BLANKS}*EXPLAIN{_BLANKS}*\((?:[\w\s,]|'\w*'|\"\w*\")*\)"),
)
_READS_OF_DUCKLAKE = (
    "current_snapshot|last_committed_snapshot|list_files|options|settings|snapshots|"
    "table_changes|table_deletions|table_info|table_insertions"
)
_WRITES = re.compile(
    rf"(?i)ducklake_(?!(?:{_READS_OF_DUCKLAKE})$)\w*"
    # DuckLake's, as functions of the history itself.
    "|add_data_files|cleanup_old_files|delete_orphaned_files|expire_snapshots|flush_inlined_data"
    "|merge_adjacent_files|rewrite_data_files|set_commit_message|set_option"
    # What they are given is run, whatever it is.
    "|query|json_execute_serialized_sql|(?:mysql|postgres|sqlite)_(?:attach|execute|query)"
    "|(?:force_)?checkpoint|(?:en|dis)able_(?:logging|profiling)|truncate_duckdb_logs"
)
"""Functions that write, or may, also where they are read FROM."""

_REFUSED = (
    "the history is open for reading only; a query begins with "
    "SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN"
)


def parameters_of(text: str) -> list[str]:
    """The names of the parameters of one query that only reads, in order.

    Raises UsageError where it is not SQL, is none or several, or may write.
    """
    try:
        text.encode()
        statements: list[duckdb.Statement] = duckdb.extract_statements(text)
    except UnicodeError:
        raise UsageError("the query is not UTF-8: write it in UTF-8") from None
    except duckdb.Error as error:
        raise UsageError(f"the query is not SQL: {' '.join(str(error).split())}") from None
    if not statements:
        raise UsageError("there is no query in what was given")
    if _is_pivot(statements):
        # It cannot be taken apart: a name anywhere in it counts.
        if writing := [word for word in re.findall(r"\w+", text) if _WRITES.fullmatch(word)]:
            raise UsageError(
                f'no PIVOT with the word "{writing[0]}" is taken without its values: write PIVOT … ON … IN (…)'
            )
    elif any(one.type == duckdb.StatementType.EXPLAIN for one in statements) and len(statements) > 1:
        raise UsageError("EXPLAIN takes one query, and a PIVOT with its values: write PIVOT … ON … IN (…)")
    elif len(statements) > 1:
        raise UsageError(f"one query at a time, not {len(statements)}")
    elif writing := [name for name in _called(text, statements[0].type) if _WRITES.fullmatch(name)]:
        raise UsageError(f"{_REFUSED}, and calls no {writing[0]}")
    return sorted({name for one in statements for name in one.named_parameters})


def _is_pivot(statements: list[duckdb.Statement]) -> bool:
    """Whether this is one PIVOT without its values: DuckDB asks for them first, into types that have no text."""
    *before, last = statements
    return (
        bool(before)
        and all(one.type == duckdb.StatementType.CREATE and not _text_of(one) for one in before)
        and last.type == duckdb.StatementType.SELECT
    )


def _text_of(statement: duckdb.Statement) -> str:
    try:
        return str(statement.query)
    except IndexError:  # of one that has none, and is not the first
        return ""


def _called(text: str, kind: duckdb.StatementType) -> list[str]:
    """The names of the functions that one query calls. Raises UsageError where it is none that reads."""
    texts = [text]
    if kind == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE carries out what it explains.
        texts = [text[match.end() :] for pattern in _EXPLAINS if (match := pattern.match(text))]
    with duckdb.connect() as parser:
        for one in texts:
            answer = parser.execute("SELECT json_serialize_sql($text)", {"text": one}).fetchone()
            try:
                tree: dict[str, Any] = json.loads(answer[0]) if answer else {"error": True}
            except RecursionError:
                raise UsageError("the query is nested too deeply: write it in parts, WITH … AS") from None
            if not tree["error"] and len(tree["statements"]) == 1:
                return list(_names(tree))
    raise UsageError(_REFUSED)


def _names(tree: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    left = [tree]
    while left:
        branch = left.pop()
        if isinstance(branch, dict):
            if "function_name" in branch:
                yield branch["function_name"]
            left += branch.values()
        elif isinstance(branch, list):
            left += branch
