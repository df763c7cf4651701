"""A connection to a history of which a COMMIT has another end than a good one."""

from __future__ import annotations

from typing import Any

import duckdb

AWAY = "server closed the connection unexpectedly"


class Deaf:
    """A connection that commits and does not hear that it did; or that does not commit, and hears `says`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, commits: bool = True, says: str = AWAY
    ) -> None:
        self.connection = connection
        self._commits = commits
        self._says = says

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        return getattr(self.connection, name)

    def execute(self, query: str, *parameters: Any) -> Any:  # noqa: ANN401 - as above
        if query != "COMMIT":
            return self.connection.execute(query, *parameters)
        self.connection.execute(query if self._commits else "ROLLBACK")
        raise duckdb.IOException(self._says)
