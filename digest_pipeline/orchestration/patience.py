"""How long Dagster's storage waits for a PostgreSQL that went away, in all; and what it says in the end.

Stock asks again for twelve seconds at each event, and a run has hundreds: one whose database is gone took minutes to
end, and told each of them. Here a database that restarts is waited for, once, and one that stays away ends the run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from digest_pipeline.errors import StoreError

# Not below digest_pipeline: those lines are events of the run, which go into the database that is away.
_LOG = logging.getLogger("dagster_instance")
_AGAIN_SECONDS = 0.5


class Patience:
    """Waits `seconds` in all from the first failure on, then none until the database answers again."""

    seconds = 60.0

    def __init__(
        self,
        where: str,
        variable: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._where = where
        self._variable = variable
        self._clock = clock
        self._sleep = sleep
        self._away_since: float | None = None

    def watch(self, engine: sa.Engine) -> None:
        """Be asked for every new connection of an engine."""
        sa.event.listen(engine, "do_connect", self.connect)

    def connect(self, dialect: sa.Dialect, _record: object, arguments: Any, named: Any) -> object:  # noqa: ANN401
        """A connection. Raises StoreError, which Dagster does not try again, once the patience is spent."""
        while True:
            try:
                connection = dialect.connect(*arguments, **named)
            except dialect.loaded_dbapi.OperationalError:
                now = self._clock()
                if self._away_since is None:
                    self._away_since = now
                    _LOG.warning(
                        "%s does not answer: waiting for it, %.0f s at most", self._where, self.seconds
                    )
                if now - self._away_since >= self.seconds:
                    raise StoreError(
                        f"{self._where} has not answered for {now - self._away_since:.0f} s: start it, or mend "
                        f"{self._variable}; then run the same again, what is stored is kept"
                    ) from None
                self._sleep(_AGAIN_SECONDS)
            else:
                self._away_since = None
                return connection
