"""Rows into DuckDB as Arrow columns, without pandas or pyarrow: binding values one by one is ten times slower."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import nanoarrow as na

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REASONS = "STRUCT(rule VARCHAR, points INTEGER, evidence VARCHAR)[]"
_REASON_FIELDS = {"rule": "VARCHAR", "points": "INTEGER", "evidence": "VARCHAR"}


def arrow_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> na.Array:
    """`rows` as an Arrow struct array with a child for each of `columns` (name to DuckDB type).

    Text, dates, times and JSON go as strings (str() of them) and are cast where they are inserted.
    """
    children = {name: _column(kind, [row.get(name) for row in rows]) for name, kind in columns.items()}
    schema = na.struct({name: child.schema for name, child in children.items()})
    return na.Array(
        na.c_array_from_buffers(schema, length=len(rows), buffers=[None], children=list(children.values()))
    )


def _column(kind: str, values: list[Any]) -> Any:  # noqa: ANN401 - nanoarrow's arrays are untyped
    if kind in {"INTEGER", "BIGINT"}:
        return na.c_array(values, na.int64())
    if kind == "BOOLEAN":
        return na.c_array(values, na.bool_())
    if kind == "VARCHAR[]":
        return _lists(values, lambda items: na.c_array(items, na.string()))
    if kind.replace('"', "") == _REASONS:  # DuckDB quotes field names that are words of its own
        return _lists(values, _reasons)
    if "STRUCT" in kind or kind.endswith("[]"):
        raise TypeError(
            f"no column of type {kind} can be written"
        )  # as text it would come back as something else
    return na.c_array([None if value is None else str(value) for value in values], na.string())


def _reasons(items: list[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - as above
    children = {name: _column(kind, [item[name] for item in items]) for name, kind in _REASON_FIELDS.items()}
    schema = na.struct({name: child.schema for name, child in children.items()})
    return na.c_array_from_buffers(
        schema, length=len(items), buffers=[None], children=list(children.values())
    )


def _lists(values: list[Sequence[Any]], build: Any) -> Any:  # noqa: ANN401 - as above
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value))
    child = build([item for value in values for item in value])
    return na.c_array_from_buffers(
        na.list_(child.schema),
        length=len(values),
        buffers=[None, struct.pack(f"={len(offsets)}i", *offsets)],
        children=[child],
    )
