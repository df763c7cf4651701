"""The hash of a table: the same for the same rows, another for any others."""

from __future__ import annotations

import duckdb

from digest_pipeline.store.content import content

ROWS = [
    (None, None),
    ("", None),
    (None, ""),
    ("\\x00", None),
    ("\x00", None),
    ("-", None),
    ("a\\x1fb", "c"),
    ("a", "b\\x1fc"),
    ("a\x1fb", "c"),
    ("a", "b\x1fc"),
    ("1:a", ""),
    ("", "1:a"),
]


def test_rows_that_differ_anywhere_have_another_hash_and_their_order_none() -> None:
    found = []
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE words (one VARCHAR, other VARCHAR)")
        for row in ROWS:
            connection.execute("DELETE FROM words")
            connection.execute("INSERT INTO words VALUES (?, ?)", row)
            found.append(content(connection, "memory")["words"].hash)
        assert len(set(found)) == len(ROWS)
        both = set()
        for rows in (ROWS, ROWS[::-1]):
            connection.execute("DELETE FROM words")
            connection.executemany("INSERT INTO words VALUES (?, ?)", rows)
            both.add(content(connection, "memory")["words"])
        assert len(both) == 1
