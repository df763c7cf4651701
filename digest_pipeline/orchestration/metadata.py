"""What stands beside assets and their materializations in the UI: counts, links, columns."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg
import duckdb

from digest_pipeline.store.connection import interruptible
from digest_pipeline.store.files import TABLES, names, statement, turn

CODE_VERSION_TAG = "dagster/code_version"


def asset_metadata(counts: Mapping[str, Any], link: str | None = None) -> dict[str, Any]:
    """What a tired operator reads: counts as numbers, the page as a path and a preview, the repo as a link."""
    metadata: dict[str, Any] = {
        name: ", ".join(value) if isinstance(value, list) else value
        for name, value in counts.items()
        if name not in {"preview", "path"}
    }
    if link is not None:
        metadata["repository"] = dg.MetadataValue.url(link)
    if "path" in counts:
        metadata["report"] = dg.MetadataValue.path(str(counts["path"]))
    if "preview" in counts:
        metadata["preview"] = dg.MetadataValue.md(counts["preview"])
    return metadata


@cache
def _schemas() -> Mapping[str, dg.TableSchema]:
    """The columns of every table, from the migrations themselves."""
    with duckdb.connect(":memory:") as connection, interruptible():
        for name in names("migrations"):
            if turn(name) == TABLES:
                connection.execute(statement(f"migrations/{name}"))
        connection.execute(statement("views/commits"))
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ordinal_position"
        ).fetchall()
    tables: dict[str, list[dg.TableColumn]] = defaultdict(list)
    for table, column, type_ in columns:
        tables[table].append(dg.TableColumn(column, type_))
    return {table: dg.TableSchema(found) for table, found in tables.items()}


def table_schema(table: str) -> dg.TableSchema:
    """The columns of one table, for an asset's metadata."""
    return _schemas()[table]
