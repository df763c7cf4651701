"""The gateway to an OpenAI-compatible endpoint: one question in, an answer or a failure out.

Everything that knows the `openai` package is here, and nothing that knows commits. Importing this module
takes most of a second, so that it is imported where there is something to ask.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

import openai

from digest_pipeline.analysts.answers import Answer, answer_of
from digest_pipeline.analysts.dialect import Learned
from digest_pipeline.analysts.failures import Failure, Redactor, failure_of_response
from digest_pipeline.analysts.rate_headers import seconds_until_more
from digest_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from digest_pipeline.analysts.dialect import Dialect

_NO_KEY = "none"  # without any key the client would take one from the environment


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: two messages, and the form that the answer should have, if any."""

    system: str
    user: str
    output_tokens: int
    temperature: float | None = None
    schema_name: str = ""
    schema: dict[str, Any] | None = None


@asynccontextmanager
async def connect(
    *,
    base_url: str,
    model: str,
    api_key: str | None,
    timeout_seconds: float,
    learned: Learned,
    now: Callable[[], datetime],
) -> AsyncIterator[Endpoint]:
    """An endpoint to ask, for as long as the block lasts and in its event loop only.

    Proxies and certificates are those that the environment names; keys, organisation, address and headers
    for the `openai` package that stand there are not used. Raises ConfigurationError where the environment's
    proxies or certificates cannot be used.
    """
    headers = {"User-Agent": _user_agent()}
    try:
        client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or _NO_KEY,
            default_headers=headers,
            timeout=timeout_seconds,
            max_retries=0,
        )
    except (ValueError, ImportError, OSError):
        raise ConfigurationError(
            "the HTTP client cannot start: look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, "
            "SSL_CERT_FILE and SSL_CERT_DIR in the environment"
        ) from None  # the cause may hold a proxy's password
    client.organization = client.project = client.admin_api_key = None
    # OPENAI_CUSTOM_HEADERS was laid under ours, and could even replace the key.
    client._custom_headers = headers  # noqa: SLF001 - there is no public way to refuse them
    async with client:
        yield Endpoint(
            client,
            model=model,
            timeout_seconds=timeout_seconds,
            learned=learned,
            redact=Redactor(api_key),
            now=now,
        )


class Endpoint:
    """A model at an address; `learned` outlives it, so that a refusal teaches once."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model: str,
        timeout_seconds: float,
        learned: Learned,
        redact: Redactor,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._learned = learned
        self._redact = redact
        self._now = now

    async def ask(self, question: Question) -> Answer | Failure:
        """Ask once. Calls that only taught which parameters the endpoint takes are not told apart from it.

        A question without a schema, a probe, teaches nothing: what it has left out was not taken either.
        """
        learned = self._learned if question.schema is not None else Learned(self._learned.dialect)
        dialect = learned.dialect
        while True:
            result = await self._post(question, dialect)
            if isinstance(result, Answer):
                learned.confirm(dialect)
                return result
            weaker = dialect.after(result, output_tokens=question.output_tokens)
            if weaker is not None:
                dialect = learned.learn(weaker)
                continue
            guess = dialect.guess_after(result)
            if guess is None or question.schema is None:
                return result
            learned.doubt()
            # A form that was taken before is not what is wrong now; else a guess is kept only if it helps.
            if learned.is_confirmed:
                return result
            dialect = guess.joined(learned.dialect)

    async def _post(self, question: Question, dialect: Dialect) -> Answer | Failure:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": dialect.messages(question.system, question.user),
            **dialect.parameters(
                schema_name=question.schema_name,
                schema=question.schema,
                temperature=question.temperature,
                output_tokens=question.output_tokens,
            ),
        }
        try:
            # The client's own timeout starts again with every byte.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._client.chat.completions.with_raw_response.create(**body)
        except (TimeoutError, openai.APITimeoutError):
            return Failure("transient", f"no answer within {self._timeout_seconds:g} s")
        except openai.APIStatusError as error:
            return self._failure(error.status_code, error.response.headers, error.response.text)
        except openai.OpenAIError as error:
            return Failure("transient", self._redact(_network_reason(error)))
        return self._read(response.status_code, response.headers, response.http_response.text)

    def _read(self, status: int, headers: Mapping[str, str], text: str) -> Answer | Failure:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        answer = answer_of(body)
        if answer is not None:
            tokens = answer.usage.tokens_in + answer.usage.tokens_out
            pause = seconds_until_more(headers, tokens=tokens, now=self._now())
            return replace(answer, pause_seconds=pause)
        if isinstance(body, dict) and not body.get("error"):
            return Failure("transient", "the answer holds no choices", status)
        if not text.strip():
            return Failure("transient", "the answer is empty", status)
        return self._failure(status, headers, text)

    def _failure(self, status: int, headers: Mapping[str, str], text: str) -> Failure:
        return failure_of_response(status, headers, text, redact=self._redact, now=self._now())


def _user_agent() -> str:
    try:
        version = metadata.version("digest-pipeline")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"digest-pipeline/{version}"


def _network_reason(error: openai.OpenAIError) -> str:
    cause = error.__cause__
    if cause is None:
        return str(error)
    return f"no connection: {str(cause) or type(cause).__name__}"
