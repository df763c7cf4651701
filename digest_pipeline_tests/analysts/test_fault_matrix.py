"""What an endpoint may do, and what becomes of it: the table `docs/faults.md` is what these cases print.

Each case asks about one commit at a scriptable server on loopback, with a clock that only sleeping moves. Nothing
is lost in any: the commit ends `ok`, or `failed` or `deferred` with its class, and says when it is tried again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.domain.page import without_request
from digest_pipeline_tests.analysts.asking import (
    LOW,
    NOW,
    Waits,
    analyst,
    big,
    explain,
    subject,
)
from digest_pipeline_tests.fakes.openai_server import Recorded, Reply, completion, error, page, well_formed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from digest_pipeline.analysts import Subject
    from digest_pipeline_tests.fakes.openai_server import OpenAIServer

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
UPDATE = "UPDATE_FAULTS"

HEADER = """# Faults

What an endpoint may answer about one commit of low tier with `attempts = 3`, and what becomes of it. The tests write
this table (`UPDATE_FAULTS=1 make test ARGS="-k fault_matrix -n 0"`) and compare it on every run. *Once* means that the
fault comes once and the endpoint is well afterwards; *for ever*, that it does not get well in this run. *Next try*
counts from the run. Nothing is lost in any case.

| fault | how long | calls | stored | class | next try | the page says |
|---|---|---:|---|---|---|---|
"""


@dataclass(frozen=True)
class Fault:
    name: str
    reply: Reply | Callable[[Recorded], Reply]
    about: Subject | None = None


def answers(content: str | None, **more: object) -> Reply:
    return completion(content, **more)  # type: ignore[arg-type] # what stands in a message


def vacuous(request: Recorded) -> Reply:
    del request
    return completion(json.dumps({"change_type": "s", "importance": "low", "summary": "s"}))


def cut_silently(request: Recorded) -> Reply:
    """A server with a context of 4,096 tokens that forgets the beginning of a longer prompt."""
    tokens = (len(request.system) + len(request.user)) // 3
    whole = json.loads(well_formed(request).body)
    whole["usage"]["prompt_tokens"] = min(tokens, 4096)
    return Reply(200, json.dumps(whole).encode(), {"content-type": "application/json"})


def knows_no_schema(request: Recorded) -> Reply:
    if request.format == "json_schema":
        return error(400, "This response_format type is unavailable now")
    return well_formed(request)


def knows_no_max_tokens(request: Recorded) -> Reply:
    if "max_tokens" in request.body:
        text = "Unsupported parameter: 'max_tokens' is not supported with this model."
        return error(400, text, param="max_tokens", code="unsupported_parameter")
    return well_formed(request)


def knows_no_system_role(request: Recorded) -> Reply:
    if any(item["role"] == "system" for item in request.body["messages"]):
        return error(400, "System role not supported")
    return completion(json.dumps(LOW))


LLAMA = "request (40024 tokens) exceeds the available context size (8192 tokens), try increasing it"
VLLM = "This model's maximum context length is 8192 tokens. However, you requested 40024 tokens."
GEMINI = "The input token count (40024) exceeds the maximum number of tokens allowed (8192)."

FAULTS = [
    Fault("429 with `Retry-After: 7`", error(429, "Rate limit reached", headers={"retry-after": "7"})),
    Fault("429 without `Retry-After`", error(429, "Rate limit reached")),
    Fault("429 with `Retry-After: 7200`", error(429, "Slow down", headers={"retry-after": "7200"})),
    Fault("429, quota used up", error(429, "You exceeded your current quota", code="insufficient_quota")),
    Fault("401", error(401, "Incorrect API key provided", code="invalid_api_key")),
    Fault("402", error(402, "Insufficient Balance")),
    Fault("403", error(403, "Forbidden")),
    Fault("404, unknown model", error(404, "The model `m-1` does not exist", code="model_not_found")),
    Fault("408", error(408, "Request Timeout")),
    Fault("413", error(413, "Payload Too Large"), big()),
    Fault("400, over the context (OpenAI, vLLM)", error(400, VLLM, code="context_length_exceeded"), big()),
    Fault("400, over the context (llama.cpp)", error(400, LLAMA), big()),
    Fault("400, over the context (Gemini)", error(400, GEMINI), big()),
    Fault("500", error(500, "Internal error")),
    Fault("503", error(503, "Overloaded")),
    Fault("connection reset", Reply(drops=True)),
    Fault("never answers", Reply(hangs=True)),
    Fault("drips bytes for ever", replace(completion("x" * 500), drip_seconds=0.02)),
    Fault("a web page with 200", page(200, "Sign in")),
    Fault("an error body with 200", error(502, "Provider returned error", code=502, http_status=200)),
    Fault("no content", answers(None)),
    Fault("vacuous content", vacuous),
    Fault("in a fence", answers(f"```json\n{json.dumps(LOW)}\n```")),
    Fault("after `<think>`", answers(f"<think>\nHm, {{}}\n</think>\n{json.dumps(LOW)}")),
    Fault("truncated JSON", answers('{"change_type": "fix", "summ')),
    Fault("schema broken", answers(json.dumps({"change_type": "fix"}))),
    Fault("refusal", answers(None, refusal="I can't help with that.")),
    Fault("content filter", answers("", finish_reason="content_filter")),
    Fault("`finish_reason: length`", answers('{"change_type": "fix", "summ', finish_reason="length")),
    Fault("prompt cut silently", cut_silently, big()),
    Fault("`json_schema` unsupported", knows_no_schema),
    Fault("`max_tokens` refused", knows_no_max_tokens),
    Fault("system role refused", knows_no_system_role),
]


def row(server: OpenAIServer, fault: Fault, *, lasts: bool) -> str:
    if lasts:
        server.default = fault.reply if callable(fault.reply) else lambda _: fault.reply  # type: ignore[assignment,return-value] # told apart
    else:
        server.then(fault.reply)
    timeout = 0.3 if fault.name in {"never answers", "drips bytes for ever"} else 10

    outcome = explain(
        analyst(server, timeout_seconds=timeout, sleep=Waits()), fault.about or subject(previous_attempts=0)
    )

    assert outcome.status in {"ok", "failed", "deferred"}
    assert (outcome.analysis is not None) == (outcome.status == "ok")
    assert (outcome.error_class is not None) == (outcome.status != "ok")
    assert len(outcome.calls) >= (outcome.status == "ok")
    if outcome.status == "ok":
        says, wait = "the analysis", "–"
        if outcome.shown_lines < outcome.changed_lines:
            says = "the analysis, and how much was read"
    else:
        said = without_request(outcome.error or "")
        says = f"{'deferred' if outcome.status == 'deferred' else 'failed'}: {said}"
        says = says.replace(server.host, "HOST").replace("|", "\\|")
        wait = in_words(outcome.retry_at - NOW) if outcome.retry_at else "`digest heal`"
    cells = (
        fault.name,
        "for ever" if lasts else "once",
        str(len(server.requests)),
        outcome.status,
        outcome.error_class or "–",
        wait,
        says,
    )
    return "| " + " | ".join(cells) + " |"


def in_words(wait: timedelta) -> str:
    minutes = round(wait.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault_matrix(server: OpenAIServer, fault: Fault, lasts: bool) -> None:
    line = row(server, fault, lasts=lasts)

    if os.environ.get(UPDATE):
        lines = [*(_lines() if PAGE.exists() else []), line]
        order = [f"| {one.name} | {how}" for one in FAULTS for how in ("once", "for ever")]
        by_start = {start: text for text in lines for start in order if text.startswith(start)}
        PAGE.write_text(
            HEADER + "".join(f"{by_start[start]}\n" for start in order if start in by_start), "utf-8"
        )
    assert line in PAGE.read_text("utf-8").splitlines()


def test_the_page_of_faults_has_no_other_lines() -> None:
    assert PAGE.read_text("utf-8").startswith(HEADER)
    assert len(_lines()) == 2 * len(FAULTS)


def _lines() -> list[str]:
    return [
        line for line in PAGE.read_text("utf-8").removeprefix(HEADER).splitlines() if line.startswith("| ")
    ]
