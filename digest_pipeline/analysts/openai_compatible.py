"""The analyst that asks a model at an OpenAI-compatible endpoint, and further ones where that fails.

Here is what is asked about a commit, how often, and what becomes of it. `gateway` is an endpoint as a run
works with it, `endpoint` speaks to the network, `failures` reads errors, `answers` reads answers, `prompts`
holds the texts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import AskedOf, Booking, NoBudget, NoMemory
from digest_pipeline.analysts.answers import Answer, read_analysis, read_notes
from digest_pipeline.analysts.failures import (
    LONGEST_ERROR,
    Failure,
    pause_before_retry,
    retry_at,
)
from digest_pipeline.analysts.gateway import EndpointConfig, Gateway, usable_key
from digest_pipeline.analysts.headline import TEMPERATURE, compose
from digest_pipeline.analysts.prompts import (
    NOTES_SCHEMA,
    PROMPT_VERSION,
    build_part_prompt,
    build_prompt,
    build_reduce_prompt,
    content_key,
    divide_subject,
    needs_parts,
)
from digest_pipeline.domain.analysis import Analysis, Call, Outcome, Usage, json_schema
from digest_pipeline.domain.endpoint import may_ask
from digest_pipeline.domain.ledger import ledger_json
from digest_pipeline.domain.packing import changed_lines, estimate_tokens
from digest_pipeline.domain.vacuity import vacuity, without_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from digest_pipeline.analysts import Composition, Memory, Recalled, Spending, Subject
    from digest_pipeline.analysts.endpoint import Question
    from digest_pipeline.analysts.gateway import Connect
    from digest_pipeline.analysts.prompts import Prompt
    from digest_pipeline.domain.analysis import ErrorClass, Language, Purpose
    from digest_pipeline.domain.composed import Given

ANALYST_NAME = "openai"

_MOST_CALLS = 8
"""The most calls for a commit that is read in parts, the last one included."""

_EXPECTED_SHARE = 4
"""An answer is expected to take one part in so many of what it may take, until its usage says what it took."""

_THEIRS: frozenset[ErrorClass] = frozenset({"outage", "rate_limited", "budget"})
"""What is no fault of a commit: it is deferred, and no attempt is counted."""


def utc_now() -> datetime:
    """The clock that is read where none is given."""
    return datetime.now(UTC)


class OpenAICompatibleAnalyst:
    """Explains commits by asking a model, as many at a time as its endpoint has places.

    `endpoints` are asked in their order: the second where the first gives no analysis. What the endpoints
    refuse is learned once and kept in `memory`, as are answers; `by_hand` is a run that a person started.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointConfig],
        *,
        language: Language = "en",
        memory: Memory | None = None,
        spending: Spending | None = None,
        by_hand: bool = True,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        connect: Connect | None = None,
    ) -> None:
        for config in endpoints:
            usable_key(config.api_key)
        self._endpoints = tuple(endpoints)
        self._by_hand = by_hand
        self._connect = connect
        memory = NoMemory() if memory is None else memory
        self._terms = _Terms(
            language, memory, spending or NoBudget(), now, sleep, clock, len(self._endpoints)
        )
        self._is_open = False
        self._asking: dict[str, asyncio.Future[Outcome | None]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._endpoints)!r}, language={self._terms.language!r})"

    @property
    def name(self) -> str:
        """The kind of analyst, as outcomes name it."""
        return ANALYST_NAME

    @property
    def reads_patches(self) -> bool:
        """It does: a model is shown as much of them as fits."""
        return True

    async def knock(self) -> bool:
        """See `Analyst.knock`."""
        in_vain = False
        for gateway in self._gateways:
            if may_ask(gateway.state, now=self._terms.now()) == "wait":
                continue
            async with gateway:
                if await gateway.closed() is None:
                    return True
            in_vain = True
        return not in_vain

    async def analyse(
        self, subjects: Iterable[Subject]
    ) -> AsyncGenerator[list[tuple[Subject, Outcome]], None]:
        """See `Analyst.analyse`; closing early cancels what is under way.

        After an error that no commit can escape (the key, the quota, the model) nothing more is asked at that
        endpoint: where there is no other, what is left is yielded as deferred. Raises ConfigurationError where
        the environment names a proxy or certificates that cannot be used.
        """
        waiting = iter(subjects)
        under_way: dict[asyncio.Task[Outcome], Subject] = {}
        gateways = self._gateways
        async with self.opened():
            try:
                while True:
                    while len(under_way) < max(gateway.limiter.places for gateway in gateways):
                        subject = next(waiting, None)
                        if subject is None:
                            break
                        under_way[asyncio.create_task(self._explain(gateways, subject))] = subject
                    if not under_way:
                        break
                    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    # Their places stay taken until whoever takes the outcomes has stored them.
                    if told := [task for task in done if task.exception() is None]:
                        yield [(under_way[task], task.result()) for task in told]
                    for task in done:
                        task.result()  # an error of one costs its neighbours nothing
                        del under_way[task]
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """See `Analyst.opened`."""
        if self._is_open:
            yield
            return
        async with AsyncExitStack() as stack:
            for gateway in self._gateways:
                await stack.enter_async_context(gateway)
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False

    @property
    def composes(self) -> bool:
        """It does, where it can be asked."""
        return True

    async def compose(self, given: Given, *, most: int = 2) -> Composition:
        """See `Analyst.compose`."""
        async with self.opened():
            return await compose(given, self._gateways, self._terms.language, self._terms.paid, most=most)

    @cached_property
    def _gateways(self) -> list[Gateway]:
        """One for each endpoint, for the life of the analyst: what one day learns of it holds for the next."""
        from digest_pipeline.analysts.endpoint import connect  # noqa: PLC0415 - loads openai, most of a second

        return [
            Gateway(
                config,
                memory=self._terms.memory,
                by_hand=self._by_hand,
                now=self._terms.now,
                sleep=self._terms.sleep,
                clock=self._terms.clock,
                connect=self._connect or connect,
            )
            for config in self._endpoints
        ]

    async def _explain(self, gateways: Sequence[Gateway], subject: Subject) -> Outcome:
        """The outcome for one commit; one with the same content that is being asked about is waited for."""
        keys = [
            content_key(subject, model=gateway.config.model, language=self._terms.language)
            for gateway in gateways
        ]
        while (other := self._asking.get(keys[0])) is not None:
            outcome = await asyncio.shield(other)
            if outcome is not None and outcome.status == "ok":
                return replace(outcome, attempts=subject.previous_attempts, usage=Usage(), calls=())
        ours = self._asking[keys[0]] = asyncio.get_running_loop().create_future()
        outcome = None
        try:
            outcome = await self._recalled(gateways, keys, subject) or await self._ask(gateways, subject)
        finally:
            del self._asking[keys[0]]
            ours.set_result(outcome)
        return outcome

    async def _ask(self, gateways: Sequence[Gateway], subject: Subject) -> Outcome:
        """Ask one endpoint after the other until there is an analysis."""
        calls = _Calls()
        failed: list[Outcome] = []
        rested = [gateway for gateway in gateways if not self._rests(gateway, subject)]
        for gateway in rested or gateways[:1]:
            outcome = await _Asking(self._terms, gateway, subject, calls).outcome()
            if outcome.status == "ok":
                tries = sum(one.attempts - subject.previous_attempts for one in failed)
                return replace(outcome, attempts=outcome.attempts + tries)
            failed.append(outcome)
        # Where one endpoint may still do better, the commit waits for that one.
        told = next((outcome for outcome in failed if outcome.error_class in _THEIRS), failed[0])
        tries = sum(outcome.attempts - subject.previous_attempts for outcome in failed)
        return replace(
            told,
            attempts=subject.previous_attempts + tries,
            calls=tuple(calls),
            booked=calls.booked,
            usage=_sum(calls),
        )

    def _rests(self, gateway: Gateway, subject: Subject) -> bool:
        """Whether this endpoint tried in vain not long ago, and another one may be due: a person asks all."""
        if self._by_hand:
            return False
        here = gateway.config.host, gateway.config.model
        return any(
            (tried.endpoint, tried.model) == here and self._terms.now() < tried.rests_until
            for tried in subject.tried
        )

    async def _recalled(
        self, gateways: Sequence[Gateway], keys: Sequence[str], subject: Subject
    ) -> Outcome | None:
        """What one of the models answered to the same question before."""
        for gateway, key in zip(gateways, keys, strict=True):
            recalled = await asyncio.to_thread(self._terms.memory.recall, key)
            if recalled is not None:
                return self._remembered(subject, gateway, key, recalled)
        return None

    def _remembered(self, subject: Subject, gateway: Gateway, key: str, recalled: Recalled) -> Outcome:
        return Outcome(
            status="ok",
            analyst=self.name,
            model=gateway.config.model,
            endpoint=recalled.endpoint,
            analysis=recalled.analysis,
            attempts=subject.previous_attempts,
            prompt_version=PROMPT_VERSION,
            input_hash=key,
            shown_lines=recalled.shown_lines,
            changed_lines=recalled.changed_lines,
            ledger=recalled.ledger,
        )


@dataclass(frozen=True, slots=True)
class _Terms:
    """On what terms all commits of a run are asked about."""

    language: Language
    memory: Memory
    spending: Spending
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]
    clock: Callable[[], float]
    endpoints: int

    def too_dear(self, gateway: Gateway) -> Failure | None:
        """Why nothing may be asked there today any more; None where something may."""
        spending = self.spending
        if spending.affords(gateway.config.model):
            return None
        until = f" until {spending.until:%Y-%m-%d %H:%M %Z}" if spending.until else ""
        return Failure("budget", f"today's budget of {spending.daily:g} is spent{until}", is_asked=False)

    async def paid(
        self, gateway: Gateway, question: Question, purpose: Purpose, calls: list[Call]
    ) -> Answer | Failure:
        """One answer, where there is money for it; what it cost is counted."""
        if (too_dear := self.too_dear(gateway)) is not None:
            return too_dear
        model, made = gateway.config.model, len(calls)
        expected = Usage(
            estimate_tokens(question.system, gateway.factor) + estimate_tokens(question.user, gateway.factor),
            question.output_tokens // _EXPECTED_SHARE,
        )
        self.spending.expect(model, expected, 1)
        try:
            return await gateway.ask(question, purpose, calls)
        finally:
            self.spending.expect(model, expected, -1)
            for call in calls[made:]:
                self.spending.add(call.model, call.usage)


class _Asking:
    """One commit at one endpoint."""

    def __init__(self, terms: _Terms, gateway: Gateway, subject: Subject, calls: _Calls) -> None:
        self._terms = terms
        self._gateway = gateway
        self._subject = subject
        self._calls = calls
        self._tries = 0
        self._most_tries = gateway.config.attempts
        self._context = gateway.context_tokens
        self._is_in_parts = False

    async def outcome(self) -> Outcome:
        """Ask until there is an analysis, or no sense in asking on here."""
        if (unasked := self._terms.too_dear(self._gateway) or await self._gateway.closed()) is not None:
            return self._not_asked(unasked)
        self._context = self._gateway.context_tokens
        prompt = self._compose()
        if needs_parts(prompt, self._subject.tier):
            prompt = await self._in_parts() or self._compose()
        asked = prompt
        before: list[ErrorClass] = []
        while True:
            result = await self._ask(asked, "reduce" if self._is_in_parts else "analysis")
            if isinstance(result, Analysis):
                return self._ok(result, prompt)
            if not result.is_asked:
                return self._not_asked(result)
            self._tries += result.error_class not in _THEIRS
            pause = pause_before_retry(result, before=before, attempts=self._most_tries)
            before.append(result.error_class)
            if pause is None:
                return self._failed(result, prompt)
            prompt, asked = self._next(result, prompt, asked)
            if pause > 0:
                await self._terms.sleep(pause)

    def _next(self, result: Failure, prompt: Prompt, asked: Prompt) -> tuple[Prompt, Prompt]:
        """The prompt for the next try, without and with what is to be said of the last one."""
        match result.error_class:
            case "too_large":
                self._context = self._gateway.smaller_context(result, self._context)
                self._is_in_parts = False
                asked = prompt = self._compose()
            case "cut_off" | "bad_output" as error_class:
                if error_class == "cut_off" and not self._is_in_parts:
                    # The usage that came with it may say that the prompt left too little room: it is measured anew.
                    prompt = self._compose()
                asked = prompt.again(result.reason, cut_off=error_class == "cut_off")
        return prompt, asked

    async def _ask(self, prompt: Prompt, purpose: Purpose) -> Analysis | Failure:
        tier = self._subject.tier
        answer = await self._paid(self._question(prompt), purpose)
        if not isinstance(answer, Answer):
            return answer
        result = read_analysis(answer, tier)
        if isinstance(result, Analysis):
            result = without_nothing(result)
            problem = vacuity(result, self._terms.language, prompt=prompt.system)
            if problem is None:
                return result
            result = Failure("bad_output", problem)
        # The call brought an answer; that it is of no use is told with it.
        self._calls[-1] = replace(
            self._calls[-1], error_class=result.error_class, error=result.reason[:LONGEST_ERROR]
        )
        return result

    async def _in_parts(self) -> Prompt | None:
        """The prompt over notes on all parts of a commit that is too large for one; None where there are none.

        A part that brings no notes is left out, and the ledger says so. Eight calls are the most for a commit,
        whatever they bring: where most of them are spent, one prompt has to do.
        """
        room = self._room()
        subject, language = self._subject, self._terms.language
        # Part of a prompt's key: what the next run divides should be the same, though it has learned on.
        factor = math.ceil(self._gateway.factor * 10) / 10
        division = divide_subject(subject, language, room, factor=factor)
        count = len(division.parts)
        if count <= 1 or len(self._calls) + count >= _MOST_CALLS:
            return None
        told: dict[int, list[str]] = {}
        for number, part in enumerate(division.parts):
            prompt = build_part_prompt(subject, language, part, number + 1, count, room, factor=factor)
            notes = await self._notes(prompt)
            if isinstance(notes, Failure):
                if notes.error_class in _THEIRS:
                    return None  # the same will be said of the commit itself
                if notes.error_class == "too_large":
                    # So will the other parts be: they are cut anew, for what the endpoint can read.
                    self._context = self._gateway.smaller_context(notes, self._context)
                    return await self._in_parts()
            elif notes:
                told[number] = notes
        if not told:
            return None
        self._is_in_parts = True
        self._most_tries = max(1, min(self._most_tries, _MOST_CALLS - len(self._calls)))
        return build_reduce_prompt(
            subject,
            language,
            list(told.values()),
            room,
            ledger=division.ledger(tuple(told)),
            factor=factor,
        )

    async def _notes(self, prompt: Prompt) -> list[str] | Failure:
        """The notes on one part; they are kept at once, for a part is paid for like a commit."""
        memory, config = self._terms.memory, self._gateway.config
        asked = json.dumps([prompt.system, prompt.user, config.model, PROMPT_VERSION])
        key = hashlib.sha256(asked.encode()).hexdigest()
        known = await asyncio.to_thread(memory.notes, key)
        if known is not None:
            return known
        question = self._question(prompt)
        answer = await self._paid(replace(question, schema_name="notes", schema=NOTES_SCHEMA), "part")
        if isinstance(answer, Failure):
            return answer
        notes = read_notes(answer)
        if notes:
            about = AskedOf(
                config.host, config.model, self._terms.language, self._subject.tier, PROMPT_VERSION
            )
            await asyncio.to_thread(memory.keep_notes, key, notes, about, self._booking())
            self._calls.booked = len(self._calls)
        return notes

    async def _paid(self, question: Question, purpose: Purpose) -> Answer | Failure:
        """One answer, where there is money for it; what it cost is counted."""
        if self._calls.is_owing:
            # Whoever is killed before this commit has its outcome has paid for these all the same.
            await asyncio.to_thread(self._terms.memory.book, self._booking())
            self._calls.booked = len(self._calls)
        return await self._terms.paid(self._gateway, question, purpose, self._calls)

    def _booking(self) -> Booking:
        subject, calls = self._subject, self._calls
        owing = tuple(calls[calls.booked :])
        return Booking(subject.repo, subject.sha, subject.committed_at, self._terms.language, owing)

    def _room(self) -> int:
        return self._context - self._gateway.output_tokens(self._context)

    def _compose(self) -> Prompt:
        return build_prompt(self._subject, self._terms.language, self._room(), factor=self._gateway.factor)

    def _question(self, prompt: Prompt) -> Question:
        from digest_pipeline.analysts.endpoint import Question  # noqa: PLC0415 - as in the analyst

        return Question(
            system=prompt.system,
            user=prompt.user,
            output_tokens=self._gateway.output_tokens(self._context),
            temperature=TEMPERATURE,
            schema_name=f"{self._subject.tier}_analysis",
            schema=json_schema(self._subject.tier),
        )

    def _ok(self, analysis: Analysis, prompt: Prompt) -> Outcome:
        return replace(self._shared(prompt), status="ok", analysis=analysis, **self._counted(self._tries + 1))

    def _failed(self, failure: Failure, prompt: Prompt) -> Outcome:
        is_theirs = failure.error_class in _THEIRS
        return replace(
            self._shared(prompt),
            status="deferred" if is_theirs else "failed",
            error_class=failure.error_class,
            error=self._gateway.describe(failure),
            retry_at=self._retry_at(failure),
            **self._counted(self._tries),
        )

    def _not_asked(self, failure: Failure) -> Outcome:
        """What becomes of a subject that an outage or the budget kept from being asked."""
        return Outcome(
            status="deferred",
            analyst=ANALYST_NAME,
            model=self._gateway.config.model,
            endpoint=self._gateway.config.host,
            error_class=failure.error_class,
            error=self._gateway.describe(failure),
            attempts=self._subject.previous_attempts + self._tries,
            retry_at=self._retry_at(failure),
            usage=_sum(self._calls),
            prompt_version=PROMPT_VERSION,
            changed_lines=changed_lines(self._subject.files),
            calls=tuple(self._calls),
            booked=self._calls.booked,
        )

    def _shared(self, prompt: Prompt) -> Outcome:
        terms, gateway = self._terms, self._gateway
        return Outcome(
            status="ok",
            analyst=ANALYST_NAME,
            model=gateway.config.model,
            endpoint=gateway.config.host,
            prompt_version=PROMPT_VERSION,
            input_hash=content_key(self._subject, model=gateway.config.model, language=terms.language),
            shown_lines=prompt.shown_lines,
            changed_lines=prompt.changed_lines,
            ledger=ledger_json(prompt.ledger),
        )

    def _counted(self, tries: int) -> dict[str, Any]:
        return {
            "attempts": self._subject.previous_attempts + tries,
            "usage": _sum(self._calls),
            "calls": tuple(self._calls),
            "booked": self._calls.booked,
        }

    def _retry_at(self, failure: Failure) -> datetime | None:
        if failure.error_class == "budget":
            return self._terms.spending.until
        if not self._gateway.state.is_up:
            return self._gateway.state.next_probe_at
        tries = self._gateway.config.attempts * self._terms.endpoints
        rounds = math.ceil(self._subject.previous_attempts / tries)
        return retry_at(failure, now=self._terms.now(), rounds=rounds, waited=self._subject.waited)


class _Calls(list[Call]):
    """The calls about one commit in this run, of which the first `booked` are in the books."""

    booked = 0

    @property
    def is_owing(self) -> bool:
        """Whether some cost something and are not in the books yet."""
        return any(call.usage != Usage() for call in self[self.booked :])


def _sum(calls: Iterable[Call]) -> Usage:
    total = Usage()
    for call in calls:
        total += call.usage
    return total


async def probe(
    config: EndpointConfig, *, now: Callable[[], datetime] = utc_now, connect: Connect | None = None
) -> str | None:
    """None where the endpoint answers a question of one token; else a redacted line that says why not.

    Raises ConfigurationError as `OpenAICompatibleAnalyst` does.
    """
    analyst = OpenAICompatibleAnalyst([config], now=now, connect=connect)
    async with analyst._gateways[0] as gateway:  # noqa: SLF001 - our own
        failure = await gateway.probe()
    return None if failure is None else gateway.describe(failure)
