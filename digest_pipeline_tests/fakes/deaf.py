"""A connection to a history whose server goes away between a COMMIT and its answer."""

from __future__ import annotations

from typing import Any

import duckdb


class Deaf:
    """A connection that commits and does not hear that it did."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        return getattr(self.connection, name)

    def execute(self, query: str, *parameters: Any) -> Any:  # noqa: ANN401 - as above
        done = self.connection.execute(query, *parameters)
        if query == "COMMIT":
            raise duckdb.IOException("server closed the connection unexpectedly")
        return done
