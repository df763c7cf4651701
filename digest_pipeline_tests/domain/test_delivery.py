"""What is brought where, and when: once, once more when it is another, and never a flood of the past."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.domain.delivery import (
    CLAIM,
    RECENT_DAYS,
    WAITS,
    WHOLE,
    ChannelKind,
    Delivery,
    Made,
    Target,
    differing,
    due,
    retry_at,
    targets_of,
)

NOW = datetime(2026, 2, 22, 3, tzinfo=UTC)
DAY = date(2026, 2, 21)


def delivery(day: date = DAY, **more: Any) -> Delivery:  # noqa: ANN401 - of any field
    return Delivery("team", WHOLE, day, "en", **({"status": "delivered", "revision": "1"} | more))


def days_due(
    made: list[Made], delivered: list[Delivery], *, kind: ChannelKind = "apprise", now: datetime = NOW
) -> list[date]:
    begun = {("team", WHOLE): min(one.day for one in delivered)} if delivered else {}
    found = differing([Target("team", kind, (WHOLE,))], made, delivered)
    return [one.made.day for one in due(found, begun, now=now, timezone=ZoneInfo("UTC"))]


def pages(count: int, revision: str = "1") -> list[Made]:
    return [Made(WHOLE, DAY - timedelta(days=back), revision) for back in range(count)]


def test_a_channel_that_no_reader_names_gets_the_whole_digest() -> None:
    channels: dict[str, ChannelKind] = {"team": "apprise", "news": "github_file"}
    assert targets_of(channels, {"infra": ["news"], "other": ["news"]}) == [
        Target("team", "apprise", (WHOLE,)),
        Target("news", "github_file", ("infra", "other")),
    ]


def test_a_new_channel_begins_with_yesterday() -> None:
    assert days_due(pages(30), []) == [DAY]


def test_one_that_was_away_gets_the_last_days_and_not_the_past() -> None:
    begun = delivery(DAY - timedelta(days=20))
    assert days_due(pages(20), [begun]) == [
        DAY - timedelta(days=back) for back in reversed(range(RECENT_DAYS))
    ]


def test_what_a_channel_has_is_not_due() -> None:
    assert days_due(pages(1), [delivery()]) == []


def test_another_page_is_due_once_more_and_an_old_one_only_where_it_can_be_changed() -> None:
    old = DAY - timedelta(days=RECENT_DAYS)
    delivered = [delivery(), delivery(old)]
    made = [Made(WHOLE, DAY, "2"), Made(WHOLE, old, "2")]
    assert days_due(made, delivered) == [DAY]
    assert days_due(made, delivered, kind="github_issue") == [old, DAY]


def test_a_page_that_is_about_to_change_waits() -> None:
    assert days_due([Made(WHOLE, DAY, "1", is_settled=False)], []) == []


def test_what_failed_rests_until_its_time_unless_it_is_another_page_by_then() -> None:
    failed = delivery(status="failed", revision=None, tried="1", retry_at=NOW + timedelta(hours=1))
    assert days_due(pages(1), [failed]) == []
    assert days_due(pages(1), [failed], now=NOW + timedelta(hours=1)) == [DAY]
    assert days_due(pages(1, "2"), [failed]) == [DAY]
    given_up = delivery(status="failed", revision=None, tried="1", retry_at=None)
    assert days_due(pages(1), [given_up]) == []


def test_what_a_process_has_in_its_hands_is_left_to_it_until_it_must_be_dead() -> None:
    claimed = delivery(status="sending", revision=None, claimed_at=NOW)
    assert days_due(pages(1), [claimed]) == []
    assert days_due(pages(1), [claimed], now=NOW + CLAIM) == [DAY]


@pytest.mark.parametrize("attempts", range(1, len(WAITS) + 1))
def test_waits_grow_and_a_service_may_ask_for_more(attempts: int) -> None:
    assert retry_at(attempts, now=NOW, retry_after=None) == NOW + WAITS[attempts - 1]
    asked = retry_at(attempts, now=NOW, retry_after=10 * 86400)
    assert asked == NOW + timedelta(days=10)
    assert retry_at(len(WAITS) + 1, now=NOW, retry_after=1) is None
