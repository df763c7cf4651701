from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.chat import ChatCompletion

from digest_pipeline.domain.analysis import FORMS, json_schema
from digest_pipeline_tests.fakes.openai_server import (
    OpenAIServer,
    Recorded,
    Reply,
    completion,
    error,
    fill,
    page,
)

if TYPE_CHECKING:
    from digest_pipeline.domain.importance import Tier

TIERS: tuple[Tier, ...] = ("high", "medium", "low")


def post(server: OpenAIServer, body: dict[str, Any], path: str = "/chat/completions") -> tuple[int, Any]:
    request = urllib.request.Request(  # noqa: S310 - loopback
        server.url + path, json.dumps(body).encode(), {"X-Test": "Yes", "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - loopback
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


@pytest.mark.parametrize("tier", TIERS)
def test_unscripted_it_fills_in_the_schema_that_the_request_names(server: OpenAIServer, tier: Tier) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": json_schema(tier)}}

    status, body = post(server, {"messages": [], "response_format": form})

    assert status == 200
    FORMS[tier].model_validate_json(body["choices"][0]["message"]["content"])


def test_unscripted_it_finds_the_schema_in_the_system_message(server: OpenAIServer) -> None:
    system = f'An example is {{"a": 1}}. The schema: {json.dumps(json_schema("high"))}'

    _, body = post(server, {"messages": [{"role": "system", "content": system}]})

    FORMS["high"].model_validate_json(body["choices"][0]["message"]["content"])


def test_its_completions_are_completions_by_the_published_types(server: OpenAIServer) -> None:
    server.then(completion("text"), completion(None, refusal="no", finish_reason="content_filter"))

    for _ in range(2):
        _, body = post(server, {"messages": []})
        parsed = ChatCompletion.model_validate(body, strict=True)
        assert parsed.usage is not None
        assert parsed.usage.total_tokens == 120


def test_a_script_is_used_in_order_and_then_the_default(server: OpenAIServer) -> None:
    server.then(error(429, "slow down", code="rate_limit"), lambda request: completion(request.body["model"]))

    first = post(server, {"model": "m", "messages": []})
    second = post(server, {"model": "m", "messages": []})
    third = post(server, {"model": "m", "messages": []})

    assert (first[0], first[1]["error"]["message"]) == (429, "slow down")
    assert second[1]["choices"][0]["message"]["content"] == "m"
    assert third[1]["choices"][0]["message"]["content"] == "ok"


def test_it_records_what_came_in(server: OpenAIServer) -> None:
    post(server, {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]})

    (request,) = server.requests
    assert (request.method, request.path, request.headers["x-test"]) == (
        "POST",
        "/v1/chat/completions",
        "Yes",
    )
    assert (request.system, request.user, request.format) == ("s", "u", "plain")


def test_another_path_is_not_found_and_uses_nothing_of_the_script(server: OpenAIServer) -> None:
    server.then(completion("kept"))

    assert post(server, {}, "/completions")[0] == 404
    assert len(server.script) == 1


def test_it_serves_many_at_once(server: OpenAIServer) -> None:
    server.default = lambda _: completion("ok").after(0.03)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: post(server, {"messages": []}), range(8)))

    assert server.most_at_once == 8


def test_a_dropped_connection_has_no_answer(server: OpenAIServer) -> None:
    server.then(Reply(drops=True))

    with pytest.raises(OSError):
        post(server, {"messages": []})


def test_raw_bodies_and_pages_come_as_they_are(server: OpenAIServer) -> None:
    server.then(Reply(200, b"[1]", drip_seconds=0.001))

    assert post(server, {"messages": []}) == (200, [1])
    assert page(502, "Bad Gateway").body.startswith(b"<html>")


def test_a_schema_that_it_does_not_know_is_not_answered_by_chance() -> None:
    with pytest.raises(NotImplementedError):
        fill({"type": "number"})


def test_a_request_without_messages_has_no_texts() -> None:
    assert Recorded("POST", "/", {}, {}).user == ""
