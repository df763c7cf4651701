"""`Retry-After` in both of its forms, and whatever else a server puts there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.retry_after import SECONDS_OF_A_YEAR, seconds_of

NOW = datetime(2026, 2, 22, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Sun, 22 Feb 2026 02:00:30 GMT", 30),
        ("Sun, 22 Feb 2026 02:00:30 -0000", 30),
        ("Sun, 22 Feb 2026 04:00:30 +0200", 30),
        ("Sun, 22 Feb 2026 01:00:00 GMT", 0),
        ("999999999999", SECONDS_OF_A_YEAR),
        ("9" * 40, None),
        ("-3", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_seconds_and_dates_are_read_and_nothing_else(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, now=NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_stands_there_is_no_error(header: str) -> None:
    seconds = seconds_of(header, now=NOW)
    assert seconds is None or 0 <= seconds <= SECONDS_OF_A_YEAR
