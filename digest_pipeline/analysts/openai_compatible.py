"""The analyst that asks a model at an OpenAI-compatible endpoint.

Here is what is asked, how often, and what becomes of it. `endpoint` speaks to the network, `failures` reads
errors, `answers` reads answers, `prompts` holds the texts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest_pipeline.analysts.answers import Answer, read_analysis
from digest_pipeline.analysts.dialect import Learned
from digest_pipeline.analysts.failures import LONGEST_ERROR, describe, pause_before_retry, retry_at
from digest_pipeline.analysts.limiter import Limiter
from digest_pipeline.analysts.prompts import PROMPT_VERSION, build_prompt
from digest_pipeline.domain.analysis import Analysis, Outcome, Usage, json_schema
from digest_pipeline.domain.packing import changed_lines
from digest_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from digest_pipeline.analysts import Subject
    from digest_pipeline.analysts.endpoint import Endpoint, Question
    from digest_pipeline.analysts.failures import Failure
    from digest_pipeline.analysts.prompts import Prompt
    from digest_pipeline.domain.analysis import ErrorClass, Language
    from digest_pipeline.domain.importance import Tier

TEMPERATURE = 0.2
_OUTPUT_SHARE = 4
"""One part in so many of the context is the most that an answer may take."""
_ONE_TOKEN_IS_TOO_FEW = re.compile(r"output limit was reached|finish the message", re.IGNORECASE)


def utc_now() -> datetime:
    """The clock that is read where none is given."""
    return datetime.now(UTC)


class OpenAICompatibleAnalyst:
    """Explains commits by asking a model, `concurrency` commits at a time.

    `api_key` is sent to `base_url` and appears nowhere else. `attempts` is how often one run asks for one
    commit before it gives up. What the endpoint refuses is learned once for the life of the object.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        language: Language = "en",
        concurrency: int = 8,
        context_tokens: int = 131072,
        max_output_tokens: int = 8192,
        timeout_seconds: float = 120.0,
        attempts: int = 3,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._base_url = base_url
        self._host = _host_of(base_url)
        self._model = model
        self._api_key = _usable_key(api_key)
        self._language = language
        self._concurrency = concurrency
        self._context_tokens = context_tokens
        self._max_output_tokens = max_output_tokens
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._now = now
        self._sleep = sleep
        self._learned = Learned()
        self._was_out = False

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(model={self._model!r}, host={self._host!r}, language={self._language!r})"
        )

    @property
    def name(self) -> str:
        """The kind of analyst, as outcomes name it."""
        return "openai"

    @property
    def reads_patches(self) -> bool:
        """It does: a model is shown as much of them as fits."""
        return True

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        return self._model

    @property
    def language(self) -> Language:
        """The language that answers are asked for in."""
        return self._language

    async def analyse(self, subjects: Iterable[Subject]) -> AsyncGenerator[tuple[Subject, Outcome], None]:
        """Yield each subject's outcome as soon as it is known; closing early cancels what is under way.

        After an error that no commit can escape (the key, the quota, the model) nothing more is asked: what
        is left is yielded as deferred. Raises ConfigurationError where the environment names a proxy or
        certificates that cannot be used.
        """
        from digest_pipeline.analysts.endpoint import connect  # noqa: PLC0415 - loads openai, most of a second

        waiting = iter(subjects)
        # After an outage one question finds out whether it is over.
        limiter = Limiter(self._concurrency, cautious=self._was_out)
        under_way: dict[asyncio.Task[Outcome], Subject] = {}
        done: set[asyncio.Task[Outcome]] = set()
        connection = connect(
            base_url=self._base_url,
            model=self._model,
            api_key=self._api_key,
            timeout_seconds=self._timeout_seconds,
            learned=self._learned,
            now=self._now,
        )
        async with connection as endpoint:
            try:
                while True:
                    # Places are filled before results are handed out: whoever takes those may be slow.
                    while limiter.outage is None and len(under_way) - len(done) < limiter.places:
                        subject = next(waiting, None)
                        if subject is None:
                            break
                        under_way[asyncio.create_task(self._explain(endpoint, limiter, subject))] = subject
                    for task in done:
                        yield under_way.pop(task), task.result()
                    if not under_way:
                        break
                    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                if limiter.outage is not None:
                    for subject in waiting:
                        yield subject, self._not_asked(subject, limiter.outage, Usage())
            finally:
                self._was_out = limiter.outage is not None
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _explain(self, endpoint: Endpoint, limiter: Limiter, subject: Subject) -> Outcome:
        """Ask for one commit until there is an analysis, or no sense in asking on."""
        context_tokens = self._context_tokens
        prompt = asked = self._compose(subject, context_tokens)
        usage = Usage()
        before: list[ErrorClass] = []
        while True:
            if limiter.outage is not None:
                return self._not_asked(subject, limiter.outage, usage)
            answer = await endpoint.ask(self._question(asked, subject.tier, context_tokens))
            result: Analysis | Failure
            if isinstance(answer, Answer):
                limiter.answered()
                usage += answer.usage
                result = read_analysis(answer, subject.tier)
            else:
                result = answer
            if isinstance(result, Analysis):
                return self._outcome(subject, result, prompt, usage, tries=len(before) + 1)
            if result.error_class == "outage":
                limiter.close(result)
            pause = pause_before_retry(result, before=before, attempts=self._attempts)
            before.append(result.error_class)
            if pause is None:
                return self._outcome(subject, result, prompt, usage, tries=len(before))
            if result.error_class == "too_large":
                context_tokens = self._smaller_context(context_tokens, result)
                prompt = asked = self._compose(subject, context_tokens)
            elif result.error_class in {"bad_output", "cut_off"}:
                asked = prompt.again(result.reason, cut_off=result.error_class == "cut_off")
            if pause > 0:
                await self._sleep(pause)

    def _compose(self, subject: Subject, context_tokens: int) -> Prompt:
        return build_prompt(subject, self._language, context_tokens - self._output_tokens(context_tokens))

    def _output_tokens(self, context_tokens: int) -> int:
        return min(self._max_output_tokens, context_tokens // _OUTPUT_SHARE)

    def _smaller_context(self, context_tokens: int, failure: Failure) -> int:
        """The context to try next: what the endpoint says that it has, else half of what was tried."""
        limit = failure.context_limit
        if limit is None or limit >= context_tokens:
            return context_tokens // 2
        self._context_tokens = min(self._context_tokens, limit)
        return limit

    def _question(self, prompt: Prompt, tier: Tier, context_tokens: int) -> Question:
        from digest_pipeline.analysts.endpoint import Question  # noqa: PLC0415 - as in analyse

        return Question(
            system=prompt.system,
            user=prompt.user,
            output_tokens=self._output_tokens(context_tokens),
            temperature=TEMPERATURE,
            schema_name=f"{tier}_analysis",
            schema=json_schema(tier),
        )

    def _outcome(
        self, subject: Subject, result: Analysis | Failure, prompt: Prompt, usage: Usage, *, tries: int
    ) -> Outcome:
        shared = Outcome(
            status="ok",
            analyst=self.name,
            model=self._model,
            attempts=subject.previous_attempts + tries,
            usage=usage,
            prompt_version=PROMPT_VERSION,
            input_hash=self._input_hash(prompt, subject.tier),
            shown_lines=prompt.shown_lines,
            changed_lines=prompt.changed_lines,
        )
        if isinstance(result, Analysis):
            return replace(shared, analysis=result)
        is_theirs = result.error_class in {"outage", "rate_limited"}
        return replace(
            shared,
            status="deferred" if is_theirs else "failed",
            error_class=result.error_class,
            error=describe(result, self._host),
            attempts=subject.previous_attempts if is_theirs else shared.attempts,
            retry_at=self._retry_at(subject, result),
        )

    def _not_asked(self, subject: Subject, outage: Failure, usage: Usage) -> Outcome:
        """What becomes of a subject that an outage kept from being asked, or from being asked again."""
        return Outcome(
            status="deferred",
            analyst=self.name,
            model=self._model,
            error_class="outage",
            error=f"not asked after {describe(outage, self._host)}"[:LONGEST_ERROR],
            attempts=subject.previous_attempts,
            retry_at=self._retry_at(subject, outage),
            usage=usage,
            prompt_version=PROMPT_VERSION,
            changed_lines=changed_lines(subject.files),
        )

    def _retry_at(self, subject: Subject, failure: Failure) -> datetime | None:
        rounds = math.ceil(subject.previous_attempts / self._attempts)
        return retry_at(failure, now=self._now(), rounds=rounds)

    def _input_hash(self, prompt: Prompt, tier: Tier) -> str:
        """One hash over all that decides an answer, so that the same question need not be paid for twice."""
        parts = {
            "system": prompt.system,
            "user": prompt.user,
            "model": self._model,
            "host": self._host,
            "prompt_version": PROMPT_VERSION,
            "tier": tier,
            "language": self._language,
            "sampling": {"temperature": TEMPERATURE, "max_output_tokens": self._max_output_tokens},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


async def probe(
    *,
    base_url: str,
    model: str,
    api_key: str | None = None,
    timeout_seconds: float = 30.0,
    now: Callable[[], datetime] = utc_now,
) -> str | None:
    """None where the endpoint answers a question of one token; else a redacted line that says why not.

    A real question, since many endpoints list models for keys that may not use them. Raises
    ConfigurationError as `OpenAICompatibleAnalyst` does.
    """
    from digest_pipeline.analysts.endpoint import Question, connect  # noqa: PLC0415 - loads openai

    connection = connect(
        base_url=base_url,
        model=model,
        api_key=_usable_key(api_key),
        timeout_seconds=timeout_seconds,
        learned=Learned(),
        now=now,
    )
    async with connection as endpoint:
        result = await endpoint.ask(Question(system="Answer with one word.", user="Say ok.", output_tokens=1))
    if isinstance(result, Answer) or _ONE_TOKEN_IS_TOO_FEW.search(result.reason):
        return None
    return describe(result, _host_of(base_url))


def _usable_key(api_key: str | None) -> str | None:
    """The key as a header can hold it; an empty one is none. Raises ConfigurationError, without the key."""
    key = (api_key or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            "the API key holds characters that no key has (blanks, quotes of a word processor, line breaks); "
            "look at the variable that [llm] api_key_env names"
        )
    return key or None


def _host_of(base_url: str) -> str:
    """Host and port of an address, without user and password."""
    return urlsplit(base_url).netloc.rpartition("@")[2]
