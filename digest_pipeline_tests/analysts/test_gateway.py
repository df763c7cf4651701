"""Endpoints as runs work with them: breakers, probes, fallbacks, what is learned, what is never paid twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.analysts import AskedOf, Booking, NoMemory
from digest_pipeline.analysts.gateway import EndpointConfig
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst
from digest_pipeline.domain.analysis import Usage
from digest_pipeline.domain.commit import FileChange
from digest_pipeline.domain.costs import Price
from digest_pipeline.domain.endpoint import EndpointState
from digest_pipeline.domain.healing import Tried
from digest_pipeline.domain.packing import estimate_tokens
from digest_pipeline.pipeline.books import Purse, Spent
from digest_pipeline_tests.analysts.asking import NOW, Waits, analyst, explain, run, subject
from digest_pipeline_tests.fakes.openai_server import (
    OpenAIServer,
    Recorded,
    Reply,
    completion,
    error,
    well_formed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from digest_pipeline.analysts import Subject
    from digest_pipeline.domain.importance import Tier


class Kept(NoMemory):
    """What outlives an analyst: endpoints and notes."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, list[str]] = {}
        self.told: list[AskedOf] = []
        self.booked: list[Booking] = []

    def notes(self, input_hash: str) -> list[str] | None:
        return self.kept.get(input_hash)

    def keep_notes(self, input_hash: str, notes: Sequence[str], about: AskedOf, booking: Booking) -> None:
        self.kept[input_hash] = list(notes)
        self.told.append(about)
        self.booked.append(booking)

    def book(self, booking: Booking) -> None:
        self.booked.append(booking)


@pytest.fixture
def other() -> Iterator[OpenAIServer]:
    """The endpoint of a fallback."""
    with OpenAIServer() as running:
        yield running


def both(
    server: OpenAIServer,
    other: OpenAIServer,
    places: tuple[int, int] = (8, 8),
    **options: Any,  # noqa: ANN401 - those of an analyst
) -> OpenAICompatibleAnalyst:
    waits = Waits()
    configs = [
        EndpointConfig(server.url, "m-1", concurrency=places[0]),
        EndpointConfig(other.url, "m-2", concurrency=places[1]),
    ]
    return OpenAICompatibleAnalyst(
        configs, **{"now": lambda: NOW, "sleep": waits, "clock": waits.clock, **options}
    )


def large(*, tier: Tier = "high") -> Subject:
    hunk = "@@ -1 +1,400 @@\n" + "\n".join(f"+value_{line} = compute({line})" for line in range(400))
    files = tuple(
        FileChange(f"src/m{index}.py", None, "modified", 400, 0, hunk, "text") for index in range(10)
    )
    return subject(1, tier=tier, files=files)


def is_probe(request: Recorded) -> bool:
    return "Say ok." in request.user


# --- the breaker -------------------------------------------------------------------------------------------


def test_a_403_in_mid_run_is_an_outage_where_the_probe_fails_too(server: OpenAIServer) -> None:
    server.then(*[well_formed] * 20)
    server.default = lambda _: error(403, "Access to this resource is forbidden")

    outcomes = run(analyst(server, concurrency=4), [subject(number) for number in range(60)])

    classes = [outcome.error_class for outcome in outcomes if outcome.status != "ok"]
    assert len(classes) == 40
    assert set(classes) == {"outage"}
    assert all(outcome.retry_at is not None for outcome in outcomes if outcome.status != "ok")


def test_a_403_that_names_the_account_needs_no_probe(server: OpenAIServer) -> None:
    server.then(error(403, "Your account has been suspended"))

    outcome = explain(analyst(server))

    assert (outcome.status, outcome.error_class, len(server.requests)) == ("deferred", "outage", 1)


def test_a_403_about_one_commit_costs_its_neighbours_nothing(server: OpenAIServer) -> None:
    server.default = lambda request: (
        error(403, "Request blocked") if "number 3 " in request.user else well_formed(request)
    )

    outcomes = run(analyst(server), [subject(number) for number in range(10)])

    assert [outcome.error_class for outcome in outcomes].count("refused") == 1
    assert sum(outcome.status == "ok" for outcome in outcomes) == 9


def test_of_two_runs_in_an_outage_one_probes(server: OpenAIServer) -> None:
    memory, moment = Kept(), [NOW]
    server.default = lambda _: error(401, "Incorrect API key provided")
    options = {"memory": memory, "by_hand": False, "now": lambda: moment[0]}
    explain(analyst(server, **options))
    moment[0] += timedelta(minutes=30)
    runs = [analyst(server, **options) for _ in range(2)]
    for one in runs:  # both have looked at the breaker before either probes
        one._gateways  # noqa: B018
    before = len(server.requests)

    outcomes = [explain(one) for one in runs]

    assert len(server.requests) - before == 1
    assert {outcome.error_class for outcome in outcomes} == {"outage"}
    assert len({outcome.error for outcome in outcomes}) == 1


def test_a_person_probes_each_endpoint_once_in_a_run(server: OpenAIServer, other: OpenAIServer) -> None:
    memory = Kept()
    server.default = lambda _: error(401, "Incorrect API key provided")
    explain(both(server, other, memory=memory), subject(1))
    before = len(server.requests)
    asked = both(server, other, memory=memory)

    for number in range(2, 5):
        run(asked, [subject(number)])  # one repo after the other

    assert len(server.requests) - before == 1


def test_patience_and_pauses_hold_from_one_repo_to_the_next(server: OpenAIServer) -> None:
    server.default = lambda _: error(429, "Rate limit reached", headers={"retry-after": "7200"})
    asked = analyst(server)

    for number in range(5):
        run(asked, [subject(number)])

    assert len(server.requests) == 1


def test_two_keys_at_one_host_have_a_breaker_each(server: OpenAIServer) -> None:
    memory = Kept()

    def reply(request: Recorded) -> Reply:
        return (
            error(401, "Invalid API key")
            if "key-a" in request.headers["authorization"]
            else well_formed(request)
        )

    server.default = reply
    configs = [
        EndpointConfig(server.url, "m-1", api_key="key-a-1"),
        EndpointConfig(server.url, "m-1", api_key="key-b-1", number=2),
    ]

    outcomes = [
        explain(
            OpenAICompatibleAnalyst(configs, memory=memory, by_hand=False, now=lambda: NOW), subject(number)
        )
        for number in range(4)
    ]

    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert {outcome.endpoint for outcome in outcomes} == {f"{server.host}#2"}


def test_an_answer_to_what_was_sent_before_the_outage_does_not_end_it(server: OpenAIServer) -> None:
    def reply(request: Recorded) -> Reply:
        if "number 1 " in request.user:
            return well_formed(request).after(0.3)
        return error(401, "Incorrect API key provided").after(0.05)

    server.default = reply
    memory = NoMemory()
    outcomes = run(
        analyst(server, concurrency=2, memory=memory, clock=time.monotonic),
        [subject(number) for number in range(1, 12)],
    )

    assert [outcome.status for outcome in outcomes] == ["ok", *["deferred"] * 10]
    assert len(server.requests) == 2
    state = memory.state(server.host, "m-1")
    assert state is not None
    assert not state.is_up


def test_an_answer_to_what_was_sent_into_the_silence_ends_it(server: OpenAIServer) -> None:
    def reply(request: Recorded) -> Reply:
        # Two at a time, each longer than the one before: when the sixth has died, the seventh is under way.
        number = int(request.user.partition("number ")[2].partition(" ")[0])
        return (well_formed(request) if number == 7 else error(503, "Overloaded")).after(0.05 * number)

    server.default = reply
    memory = NoMemory()
    run(
        analyst(server, concurrency=2, attempts=1, memory=memory, clock=time.monotonic),
        [subject(number) for number in range(1, 9)],
    )

    state = memory.state(server.host, "m-1")
    assert state is not None
    assert state.is_up


def knocking(asked: OpenAICompatibleAnalyst) -> bool:
    return asyncio.run(asked.knock())


def test_a_knock_at_an_endpoint_that_is_still_down_is_one_question_and_moves_its_clock(
    server: OpenAIServer,
) -> None:
    server.default = lambda _: error(401, "Incorrect API key provided")
    now, memory = [NOW], NoMemory()
    asked = analyst(server, now=lambda: now[0], memory=memory, by_hand=False)
    run(asked, [subject()])
    before = len(server.requests)

    assert knocking(asked), "it is not due for a probe: whoever has anything to say of it, says it"
    assert len(server.requests) == before
    now[0] += timedelta(minutes=30)
    assert not knocking(asked)
    assert len(server.requests) == before + 1
    state = memory.state(server.host, "m-1")
    assert state is not None
    assert (state.is_up, state.since, state.next_probe_at) == (False, NOW, NOW + timedelta(hours=1))


def test_after_a_knock_that_was_answered_one_commit_goes_first(server: OpenAIServer) -> None:
    server.default = lambda _: error(401, "Incorrect API key provided")
    memory = NoMemory()
    run(analyst(server, memory=memory), [subject()])

    later = NOW + timedelta(minutes=30)
    asked = analyst(server, concurrency=8, memory=memory, now=lambda: later, by_hand=False)
    server.default = well_formed
    assert knocking(asked)
    server.default = lambda _: error(401, "Incorrect API key provided").after(0.05)
    before = len(server.requests)
    run(asked, [subject(number) for number in range(20)])

    assert len(server.requests) == before + 1


def test_a_knock_at_an_endpoint_that_is_up_asks_nothing(server: OpenAIServer) -> None:
    assert knocking(analyst(server))
    assert server.requests == []


# --- further endpoints -------------------------------------------------------------------------------------


def test_each_endpoint_has_its_own_places(server: OpenAIServer, other: OpenAIServer) -> None:
    server.default = lambda _: error(401, "Incorrect API key provided")
    other.default = lambda request: well_formed(request).after(0.01)
    asked = both(server, other, (16, 1), sleep=asyncio.sleep, clock=time.monotonic)

    outcomes = run(asked, [subject(number) for number in range(20)])

    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert other.most_at_once == 1


def test_a_commit_that_one_endpoint_cannot_do_is_not_paid_for_at_each_probe_of_the_other(
    server: OpenAIServer, other: OpenAIServer
) -> None:
    memory, moment = Kept(), [NOW]
    server.default = lambda _: error(401, "Incorrect API key provided")
    other.default = lambda _: completion("I cannot say.")
    tried: tuple[Tried, ...] = ()
    attempts = 0

    for _ in range(48):  # a day, a run each half hour
        asked = both(server, other, memory=memory, by_hand=False, now=lambda: moment[0])
        before = len(other.requests)
        outcome = explain(asked, subject(previous_attempts=attempts, tried=tried))
        if len(other.requests) > before:
            tries = (tried[0].tries if tried else 0) + 3
            tried = (Tried(other.host, "m-2", tries, moment[0]),)
        attempts = outcome.attempts
        assert (outcome.status, outcome.error_class) == ("deferred", "outage")
        moment[0] += timedelta(minutes=30)

    assert len(other.requests) <= 3 * 5  # after 15 minutes, 1 hour, 4 hours, a day
    assert attempts == len(other.requests)


def test_a_person_asks_all_endpoints(server: OpenAIServer, other: OpenAIServer) -> None:
    server.default = lambda _: completion("I cannot say.")
    tried = (Tried(other.host, "m-2", 3, NOW),)

    outcome = explain(both(server, other), subject(tried=tried))

    assert (outcome.status, outcome.endpoint, outcome.attempts) == ("ok", other.host, 4)


# --- what is learned ---------------------------------------------------------------------------------------


def test_a_probe_teaches_nothing(server: OpenAIServer) -> None:
    memory = Kept()

    def reply(request: Recorded) -> Reply:
        if is_probe(request) and request.body.get("max_tokens", 99) < 16:
            return error(400, "Invalid 'max_tokens': expected a value >= 16, but got 1 instead.")
        return error(400, "") if request.format == "json_schema" else well_formed(request)

    server.then(error(401, "Incorrect API key provided"))
    server.default = reply
    explain(analyst(server, memory=memory))

    outcome = explain(analyst(server, memory=memory))

    assert outcome.status == "ok"
    assert server.requests[-1].body["max_tokens"] == 8192


def test_a_form_that_was_taken_once_may_be_refused_later(server: OpenAIServer) -> None:
    memory = Kept()
    explain(analyst(server, memory=memory), subject(0))
    server.default = lambda request: (
        error(400, "Bad request") if request.format == "json_schema" else well_formed(request)
    )

    outcomes = run(analyst(server, memory=memory, concurrency=1), [subject(number) for number in range(1, 7)])

    assert [outcome.status for outcome in outcomes] == ["failed"] * 2 + ["ok"] * 4


def test_a_router_without_a_provider_for_the_form_is_asked_in_another(server: OpenAIServer) -> None:
    server.default = lambda request: (
        error(404, "No endpoints found that support the requested parameters.")
        if request.format == "json_schema"
        else well_formed(request)
    )

    assert explain(analyst(server)).status == "ok"


def test_a_smaller_context_holds_for_a_week_and_for_these_settings(server: OpenAIServer) -> None:
    memory, moment = Kept(), [NOW]
    options = {"memory": memory, "now": lambda: moment[0]}
    text = "This model's maximum context length is 8192 tokens."
    server.then(error(400, text, code="context_length_exceeded"))
    explain(analyst(server, context_tokens=64_000, **options))

    def context(tokens: int) -> int:
        return analyst(server, context_tokens=tokens, **options)._gateways[0].context_tokens

    assert (context(64_000), context(32_000)) == (8192, 32_000)
    moment[0] += timedelta(days=6)
    explain(analyst(server, context_tokens=64_000, **options), subject(2))
    assert context(64_000) == 8192
    moment[0] += timedelta(days=1)
    assert context(64_000) == 64_000


def test_tokens_of_a_prompt_that_was_cut_are_counted(server: OpenAIServer) -> None:
    server.then(completion("{}", tokens=(2048, 5, 0)))

    outcome = explain(analyst(server, context_tokens=64_000), large(tier="low"))

    assert outcome.calls[0].error_class == "too_large"
    assert outcome.calls[0].usage == Usage(2048, 5, 0)


def test_more_than_a_minute_allows_is_too_large_and_not_too_soon(server: OpenAIServer) -> None:
    text = (
        "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested "
        "47098. The input or output tokens must be reduced in order to run successfully."
    )
    server.then(error(429, text, code="rate_limit_exceeded"))

    outcome = explain(analyst(server, context_tokens=64_000), large(tier="low"))

    assert (outcome.status, len(server.requests)) == ("ok", 2)
    assert outcome.calls[0].error_class == "too_large"


def test_waits_for_haste_grow(server: OpenAIServer) -> None:
    server.default = lambda _: error(429, "Slow down", headers={"retry-after": "121"})
    waits = [timedelta(0)]

    for _ in range(5):
        outcome = explain(analyst(server), subject(waited=waits[-1]))
        assert outcome.retry_at is not None
        waits.append(outcome.retry_at - NOW)

    minutes = [wait.total_seconds() / 60 for wait in waits[1:]]
    assert minutes == [15, 60, 240, 1440, 1440]


# --- nothing is paid twice ---------------------------------------------------------------------------------


def test_the_same_content_in_flight_is_asked_about_once(server: OpenAIServer) -> None:
    server.default = lambda request: well_formed(request).after(0.05)
    same = [replace(subject(number), message="fix: the same") for number in range(5)]

    outcomes = run(analyst(server), same)

    assert len(server.requests) == 1
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert sorted(len(outcome.calls) for outcome in outcomes) == [0, 0, 0, 0, 1]


def test_where_the_first_of_the_same_content_fails_the_others_ask(server: OpenAIServer) -> None:
    server.then(error(403, "Request blocked"))
    same = [replace(subject(number), message="fix: the same") for number in range(3)]

    outcomes = run(analyst(server), same)

    assert sorted(outcome.status for outcome in outcomes) == ["failed", "ok", "ok"]


def noted(request: Recorded) -> Reply:
    form = request.body.get("response_format", {}).get("json_schema", {}).get("name")
    if form == "notes":
        return completion(json.dumps({"notes": ["`compute()` takes the place of a constant."]}))
    return well_formed(request)


def test_a_commit_in_parts_takes_eight_calls_at_the_most_whatever_they_bring(server: OpenAIServer) -> None:
    server.default = lambda request: (
        noted(request)
        if request.body["response_format"]["json_schema"]["name"] == "notes"
        else completion("I cannot say.")
    )

    outcome = explain(analyst(server, context_tokens=8192, attempts=5), large())

    assert outcome.error_class == "bad_output"
    assert 3 < len(server.requests) <= 8


def test_parts_that_are_too_large_are_cut_anew_after_the_first(server: OpenAIServer) -> None:
    limit = 16_384

    def reads_little(request: Recorded) -> Reply:
        if estimate_tokens(request.system + request.user) + request.body["max_tokens"] > limit:
            return error(
                400, f"This model's maximum context length is {limit} tokens", code="context_length_exceeded"
            )
        return noted(request)

    server.default = reads_little
    outcome = explain(analyst(server, context_tokens=32_768), large())

    assert [call.error_class for call in outcome.calls] == ["too_large", *[None] * (len(outcome.calls) - 1)]
    assert [call.purpose for call in outcome.calls][-2:] == ["part", "reduce"]
    assert outcome.status == "ok"
    assert outcome.shown_lines > 0.7 * outcome.changed_lines


def test_parts_that_were_paid_for_are_never_asked_about_again(server: OpenAIServer) -> None:
    memory = Kept()
    server.default = lambda request: (
        noted(request)
        if request.body["response_format"]["json_schema"]["name"] == "notes"
        else error(503, "Overloaded")
    )
    explain(analyst(server, context_tokens=8192, memory=memory, attempts=1), large())
    parts = len(server.requests) - 1
    server.default = noted

    outcome = explain(analyst(server, context_tokens=8192, memory=memory), large())

    assert parts > 1
    assert outcome.status == "ok"
    assert [call.purpose for call in outcome.calls] == ["reduce"]
    assert {about.endpoint for about in memory.told} == {server.host}


# --- budget ------------------------------------------------------------------------------------------------


def priced(look: Callable[[], Spent], moment: list[datetime], **prices: Price) -> Purse:
    named = {name.replace("_", "-"): price for name, price in prices.items()}
    return Purse(named, daily=1.0, look=look, now=lambda: moment[0])


def test_a_new_day_has_a_new_budget_for_a_run_that_goes_on(server: OpenAIServer) -> None:
    moment = [NOW]
    days = {22: Spent(1.0, NOW + timedelta(hours=1)), 23: Spent(0.0, NOW + timedelta(hours=25))}
    spending = priced(lambda: days[moment[0].day], moment, m_1=Price(1.0, 1.0))
    asked = analyst(server, spending=spending, now=lambda: moment[0])

    first = explain(asked)
    moment[0] += timedelta(days=1)
    second = explain(asked)

    assert (first.error_class, first.retry_at) == ("budget", NOW + timedelta(hours=1))
    assert second.status == "ok"


def test_what_others_spend_meanwhile_counts(server: OpenAIServer) -> None:
    moment, spent = [NOW], [0.0]
    spending = priced(lambda: Spent(spent[0], NOW + timedelta(hours=1)), moment, m_1=Price(1.0, 1.0))
    asked = analyst(server, spending=spending)

    assert explain(asked, subject(1)).status == "ok"
    spent[0], moment[0] = 1.0, NOW + timedelta(minutes=1)
    assert explain(asked, subject(2)).error_class == "budget"


def test_of_many_at_once_one_may_overspend(server: OpenAIServer) -> None:
    """What is under way counts before its usage is known: a round of eight is not all over the budget."""
    spending = priced(lambda: Spent(0.9, NOW + timedelta(hours=1)), [NOW], m_1=Price(1e4, 1e4))

    outcomes = run(analyst(server, spending=spending), [subject(number) for number in range(8)])

    assert Counter(outcome.error_class for outcome in outcomes) == {None: 1, "budget": 7}
    assert len(server.requests) == 1


def test_what_was_paid_is_in_the_books_before_more_is_asked_about_a_commit(server: OpenAIServer) -> None:
    memory, seen = Kept(), []

    def vacuous(request: Recorded) -> Reply:
        seen.append(len(memory.booked))
        return completion("{}") if len(seen) < 3 else well_formed(request)

    server.default = vacuous

    outcome = explain(analyst(server, memory=memory))

    assert (outcome.status, len(outcome.calls), outcome.booked) == ("ok", 3, 2)
    assert seen == [0, 1, 2]
    assert [len(booking.calls) for booking in memory.booked] == [1, 1]
    assert memory.booked[0].calls[0].error_class == "bad_output"


def test_an_endpoint_that_costs_nothing_is_asked_after_the_budget_is_spent(
    server: OpenAIServer, other: OpenAIServer
) -> None:
    spending = priced(
        lambda: Spent(1.0, NOW + timedelta(hours=1)), [NOW], m_1=Price(1.0, 1.0), m_2=Price(0.0, 0.0)
    )

    outcome = explain(both(server, other, spending=spending))

    assert (outcome.status, outcome.endpoint) == ("ok", other.host)
    assert server.requests == []


def test_state_of_an_endpoint_is_what_the_store_says() -> None:
    memory = NoMemory()

    state = memory.revise("h", "m", lambda known: known or EndpointState("h", "m", since=NOW))

    assert memory.state("h", "m") == state
