"""Whether the site is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest_pipeline.domain.site import Built, site_is_due


@pytest.mark.parametrize(
    ("stamp", "minutes", "why"),
    [("a", 0, "up to date"), ("a", 60, "up to date"), ("b", 9, "waiting"), ("b", 10, None), ("b", 60, None)],
)
def test_the_site_is_due_once_it_would_be_another_one_and_not_too_often(
    stamp: str, minutes: int, why: str | None
) -> None:
    at = datetime(2026, 1, 6, 2, tzinfo=UTC)
    pause = timedelta(minutes=10)
    found = site_is_due(stamp, Built("a", at), now=at + timedelta(minutes=minutes), pause=pause)
    assert found is None if why is None else why in (found or "")
    assert site_is_due(stamp, None, now=at, pause=pause) is None
