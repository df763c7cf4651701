"""What goes into the store comes out of it: every type of column, and whatever people write."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest_pipeline.store.columns import arrow_table
from digest_pipeline.store.history import History, Replacement
from digest_pipeline_tests.store.rows import EVERYWHERE, REPO, analysis, commit

DAY = date(2026, 1, 5)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
SMALL = st.integers(-(2**31), 2**31 - 1)
MOMENTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - the zone comes with it
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
REASONS = st.lists(st.fixed_dictionaries({"rule": TEXT, "points": SMALL, "evidence": TEXT}), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

# One history for all examples: each replaces the partition that the one before it wrote.
examples = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def round_trip(history: History, table: str, rows: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    history.replace(Replacement(table, {"repo": [REPO], "day": [DAY]}, rows))
    cursor = history._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@EVERYWHERE
@examples
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "message": TEXT,
                "author_name": TEXT,
                "parents": st.lists(TEXT, max_size=4),
                "pull_request": st.none() | SMALL,
                "authored_at": MOMENTS,
            }
        ),
        max_size=5,
    )
)
def test_commits_come_back_as_they_went_in(history: History, drawn: list[dict[str, Any]]) -> None:
    rows = [
        commit(DAY, number, **values | {"authored_at": values["authored_at"].isoformat()})
        for number, values in enumerate(drawn)
    ]
    found = round_trip(history, "commit_log", rows, "position")
    assert len(found) == len(rows)
    for row, values in zip(found, drawn, strict=True):
        assert {name: row[name] for name in values} == values
        assert (row["day"], row["repo"]) == (DAY, REPO)


@examples
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "reasons": REASONS,
                "analysis": JSON,
                "error": st.none() | TEXT,
                "retry_at": st.none() | MOMENTS,
                "score": SMALL,
            }
        ),
        max_size=4,
    )
)
def test_analyses_come_back_as_they_went_in(history: History, drawn: list[dict[str, Any]]) -> None:
    rows = [
        analysis(
            DAY,
            **values
            | {
                "sha": f"{number:040x}",
                "analysis": json.dumps(values["analysis"], ensure_ascii=False),
                "retry_at": values["retry_at"] and values["retry_at"].isoformat(),
            },
        )
        for number, values in enumerate(drawn)
    ]
    found = round_trip(history, "analyses", rows, "sha")
    for row, values in zip(found, drawn, strict=True):
        assert json.loads(row["analysis"]) == values["analysis"]
        assert {name: row[name] for name in values if name != "analysis"} == {
            name: value for name, value in values.items() if name != "analysis"
        }


@pytest.mark.parametrize("complete", [True, False])
def test_truth_values_and_missing_columns_come_back(history: History, complete: bool) -> None:
    size = {"repo": REPO, "day": DAY, "sha": "a", "additions": 2**31 - 1, "deletions": 0, "files": 1}
    rows = [size | {"unread_files": 0, "complete": complete}]
    [found] = round_trip(history, "commit_sizes", rows, "sha")
    assert found == rows[0]
    file = {
        "repo": REPO,
        "day": DAY,
        "sha": "a",
        "position": 0,
        "path": "x",
        "status": "added",
        "patch_state": "binary",
    }
    [found] = round_trip(history, "commit_files", [file], "sha")
    assert found == file | dict.fromkeys(["previous_path", "additions", "deletions", "patch"])


def test_a_large_patch_comes_back_whole(history: History) -> None:
    patch = "@@ -0,0 +1 @@\n" + "".join(f"+line {number} 中文 🐛\n" for number in range(60_000))
    file = {"repo": REPO, "day": DAY, "sha": "a", "position": 0, "path": "x", "status": "added"}
    [found] = round_trip(history, "commit_files", [file | {"patch": patch, "patch_state": "text"}], "sha")
    assert found["patch"] == patch


def test_times_come_back_in_the_historys_timezone_as_the_same_instant(history: History) -> None:
    moment = datetime(2026, 1, 5, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-8)))
    [found] = round_trip(history, "commit_log", [commit(DAY, 0, authored_at=moment.isoformat())], "sha")
    assert found["authored_at"] == moment
    assert found["authored_at"].utcoffset() == UTC.utcoffset(None)


def test_no_rows_are_a_table_without_rows() -> None:
    assert len(arrow_table({"a": "VARCHAR", "b": "INTEGER", "c": "VARCHAR[]"}, [])) == 0
