"""What providers say of their limits in the headers of an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.analysts.rate_headers import seconds_until_more

NOW = datetime(2026, 2, 22, 2, 0, tzinfo=UTC)


def wait(tokens: int = 1000, /, **headers: str) -> float:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return seconds_until_more(named, tokens=tokens, now=NOW)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("120ms", 0.12),
        ("8.64s", 8.64),
        ("7", 7),
        ("2026-02-22T02:00:30Z", 30),
        (str(int(NOW.timestamp()) + 20), 20),
        (str((int(NOW.timestamp()) + 20) * 1000), 20),
        (str(int(NOW.timestamp()) - 20), 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_a_reset_is_a_duration_a_number_or_a_moment(reset: str, seconds: float) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}

    assert seconds_until_more(headers, tokens=0, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "prefix", ["x-ratelimit-{}-requests", "x-ratelimit-{}", "ratelimit-{}", "anthropic-ratelimit-requests-{}"]
)
def test_each_provider_has_its_own_names(prefix: str) -> None:
    headers = {prefix.format("remaining"): "0", prefix.format("reset"): "9"}

    assert seconds_until_more(headers, tokens=0, now=NOW) == 9


def test_what_is_not_used_up_asks_for_no_wait() -> None:
    assert wait(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests="9s") == 0


def test_tokens_are_used_up_where_the_next_question_would_not_fit() -> None:
    left = {"x_ratelimit_remaining_tokens": "999", "x_ratelimit_reset_tokens": "9s"}

    assert wait(1000, **left) == 9
    assert wait(999, **left) == 0


def test_the_longer_of_two_waits_counts() -> None:
    headers = {
        "x_ratelimit_remaining_requests": "0",
        "x_ratelimit_reset_requests": "2s",
        "x_ratelimit_remaining_tokens": "0",
        "x_ratelimit_reset_tokens": "3s",
    }

    assert wait(**headers) == 3


@given(left=st.text(max_size=20), reset=st.text(max_size=40))
def test_whatever_stands_there_the_wait_is_a_time(left: str, reset: str) -> None:
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-reset": reset}

    assert 0 <= seconds_until_more(headers, tokens=0, now=NOW) <= 366 * 86400
