from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.analysts.dialect import Dialect
from digest_pipeline.analysts.failures import (
    Failure,
    Redactor,
    describe,
    failure_of_response,
    pause_before_retry,
    retry_at,
)

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import ErrorClass

NOW = datetime(2026, 2, 22, 2, 0, tzinfo=UTC)
KEY = "key-0123456789-abcdefgh"
TOO_LONG_AN_ANSWER = "`max_tokens` must be less than or equal to `4096`, the maximum value of `max_tokens`"


def failure(status: int, message: object, **headers: str) -> Failure:
    body = message if isinstance(message, str) else json.dumps(message)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure_of_response(status, named, body, redact=Redactor(KEY), now=NOW)


@pytest.mark.parametrize(
    ("status", "message", "limit"),
    [
        (400, "This model's maximum context length is 128000 tokens. However, you sent 130011.", 128000),
        (400, "This model's maximum context length is 8,192 tokens.", 8192),
        (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens).", 8192),
        (400, "request (9000 tokens) exceeds the available context size (4096 tokens)", 4096),
        (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length", 32768),
        (400, "The input token count (110) exceeds the maximum number of tokens allowed (1048576)", 1048576),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", 200000),
        (400, "Range of input length should be [1, 30720]", 30720),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193.", 8193),
        (413, "Request too large for model `x` on tokens per minute: Limit 6000, Requested 9000", 6000),
        (400, "'max_tokens' is too large: 8192. The maximum context length is 16384 tokens", 16384),
        (413, "", None),
        (500, "context_length_exceeded", None),
    ],
)
def test_a_prompt_that_is_too_large_is_known_by_many_phrases(
    status: int, message: str, limit: int | None
) -> None:
    found = failure(status, {"error": {"message": message}})

    assert (found.error_class, found.context_limit) == ("too_large", limit)


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (400, {"error": "model 'llama9' not found"}, "outage"),
        (404, {"error": {"message": "model 'llama9' not found, try pulling it first"}}, "outage"),
        (404, {"detail": "Not Found"}, "outage"),
        (400, {"code": "Arrearage", "message": "Access denied."}, "outage"),
        (400, {"error": {"message": "Invalid model: m-1", "type": "invalid_model"}}, "outage"),
        (401, "Unauthorized", "outage"),
        (
            429,
            {"error": {"message": "You exceeded your current quota. Please retry in 12.5s."}},
            "rate_limited",
        ),
        (429, {"error": {"message": "The context length was too large for your limit"}}, "rate_limited"),
        (503, {"error": {"message": "The model is loading"}}, "transient"),
        (400, {"code": "DataInspectionFailed", "message": "inappropriate content"}, "refused"),
        (422, {"detail": [{"loc": ["body", "foo"], "msg": "extra fields"}]}, "permanent"),
        (400, {"error": {"message": f"{TOO_LONG_AN_ANSWER} for the `context_window`"}}, "permanent"),
        (400, [{"error": {"code": 400, "message": "API key not valid."}}], "outage"),
        (200, {"error": {"code": "insufficient_quota", "message": "no more"}}, "outage"),
        (200, {"error": {"message": "upstream broke"}}, "transient"),
        (400, "[" * 100_000, "permanent"),
    ],
)
def test_endpoints_say_the_same_in_many_ways(status: int, body: object, error_class: str) -> None:
    assert failure(status, body).error_class == error_class


@pytest.mark.parametrize(
    ("message", "seconds"),
    [("Please retry in 12.5s.", 12.5), ("Please try again in 250ms", 0.25), ("try again after 2 min", 120)],
)
def test_a_time_to_come_back_may_stand_in_the_text(message: str, seconds: float) -> None:
    assert failure(429, message).retry_after == seconds


def test_an_answer_limit_that_is_named_is_kept_to() -> None:
    refusal = failure(400, {"error": {"message": TOO_LONG_AN_ANSWER}})

    learned = Dialect().after(refusal, output_tokens=8192)

    assert learned == Dialect(most_output_tokens=4096)


def test_a_dialect_only_ever_gets_weaker() -> None:
    dialect = Dialect()
    refusals = [
        failure(400, {"error": {"message": text}})
        for text in (
            "unknown field response_format",
            "temperature unsupported",
            "max_tokens is not supported",
        )
    ] * 3
    steps = 0
    for refusal in refusals:
        weaker = dialect.after(refusal, output_tokens=100)
        if weaker is not None:
            assert weaker.joined(dialect) == weaker != dialect
            dialect, steps = weaker, steps + 1

    assert steps == 5
    assert dialect.parameters(schema_name="x", schema={}, temperature=0.2, output_tokens=1) == {}


@given(
    st.text(max_size=400),
    st.text(max_size=40),
    st.sampled_from([KEY, f"Bearer {KEY}", f"https://a:{KEY}@b.c/?k={KEY}", KEY[:12] + "***"]),
)
def test_no_error_line_holds_the_key_or_a_second_line(before: str, after: str, echo: str) -> None:
    line = describe(failure(401, before + echo + after, x_request_id=echo), "api.example.org")

    assert KEY[:12] not in line
    assert len(line) <= 300
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://u:p@h.example/a?b=c#d now", "see https://h.example/a now"),
        ("key sk-abcdefgh1234 is bad", "key [key] is bad"),
        ("api_key=abcdef", "api_key=[key]"),
        ("token count (1100000) exceeds", "token count (1100000) exceeds"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, expected: str) -> None:
    assert Redactor(None)(text) == expected


def test_the_redactor_does_not_show_what_it_hides() -> None:
    assert KEY not in repr(Redactor(KEY))


@pytest.mark.parametrize(
    ("error_class", "before", "pause"),
    [
        ("transient", [], 1),
        ("transient", ["transient"], 2),
        ("transient", ["transient", "transient"], None),
        ("rate_limited", ["bad_output"], None),
        ("too_large", [], 0),
        ("too_large", ["transient", "transient"], 0),
        ("too_large", ["too_large"], None),
        ("bad_output", ["bad_output"], 0),
        ("cut_off", ["cut_off"], None),
        ("cut_off", ["bad_output"], 0),
        ("refused", [], None),
        ("permanent", [], None),
        ("outage", [], None),
    ],
)
def test_a_run_asks_again_where_that_may_help(
    error_class: ErrorClass, before: list[ErrorClass], pause: float | None
) -> None:
    assert pause_before_retry(Failure(error_class, ""), before=before, attempts=3) == pause


def test_a_later_run_is_never_put_off_for_more_than_a_day() -> None:
    waiting = Failure("rate_limited", "", retry_after=10.0**9)

    assert retry_at(waiting, now=NOW, rounds=0) == NOW + timedelta(days=1)
