"""A history of a million commits: rows made and inserted inside of DuckDB, a month of all repositories at a time.

As many as 50 repositories have in four years at 15 commits a day, in the sizes of `benchmarks.stored`, with people who
come and files that change often; only patches are cut to a few lines, so that the store stays at some hundred MB.
`History` makes the tables and takes the writers' lock; a month is one transaction, as a backfill leaves it, upkeep
runs as it does daily, and the newest day comes after it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import stored
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

REPOS = 50
FIRST_DAY = date(2023, 1, 1)
A_DAY = 15
"""Commits of a repository in a day."""

_SQL = Path(__file__).with_suffix(".sql")


def make_many(data_dir: Path, timezone: ZoneInfo, commits: int) -> date:
    """Write a history of about `commits` commits into an empty folder; its newest day."""
    days = max(2, round(commits / (REPOS * A_DAY)))
    newest = FIRST_DAY + timedelta(days=days - 1)
    months = [
        (first, min(first + timedelta(days=stored.DAYS_A_WRITE - 1), newest - timedelta(days=1)))
        for first in (FIRST_DAY + timedelta(days=at) for at in range(0, days - 1, stored.DAYS_A_WRITE))
    ]
    with History(Place(data_dir), timezone) as history:
        connection = history._connection  # noqa: SLF001 - it is asked to write as nobody else does
        connection.execute("SET memory_limit = '4GB'")
        connection.execute("SET threads = 2")
        constants = {
            "repos": REPOS,
            "a_day": A_DAY,
            "oldest_day": FIRST_DAY,
            "words": stored.WORDS,
            "kinds": stored.KINDS,
            "said": list(stored.SAID),
        }
        for name, value in constants.items():
            connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
            if isinstance(value, list):
                # len() in SQL would look at the whole list for every row.
                connection.execute(f"SET VARIABLE {name}_count = $count::UBIGINT", {"count": len(value)})
        sql = _SQL.read_text(encoding="utf-8")
        for first, last in [*months, (newest, newest)]:
            if first == newest:
                keep(history.place)
            connection.execute("SET VARIABLE first_day = $value", {"value": first})
            connection.execute("SET VARIABLE last_day = $value", {"value": last})
            with history._lock():  # noqa: SLF001 - as above
                connection.execute(f"BEGIN; {sql}; COMMIT")
        stored.add_endpoints(history, newest)
    return newest
