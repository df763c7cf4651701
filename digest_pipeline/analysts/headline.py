"""Asking a model for the paragraph that a day opens with: one question, and one more where the gate sent it back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from digest_pipeline.analysts import Composition
from digest_pipeline.analysts.answers import Answer, read_headline
from digest_pipeline.analysts.failures import LONGEST_ERROR, Failure
from digest_pipeline.analysts.prompts import build_headline_prompt
from digest_pipeline.domain.composed import fault, schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from digest_pipeline.analysts.endpoint import Question
    from digest_pipeline.analysts.gateway import Gateway
    from digest_pipeline.analysts.prompts import Prompt
    from digest_pipeline.domain.analysis import Call, ErrorClass, Language, Purpose
    from digest_pipeline.domain.composed import Given, Sentence

    Ask = Callable[[Gateway, Question, Purpose, list[Call]], Awaitable[Answer | Failure]]

TEMPERATURE = 0.2

_OUTPUT_TOKENS = 2048
"""Some sentences take a tenth of it; the rest is for models that think before they answer."""

_PASSING: frozenset[ErrorClass] = frozenset({"transient", "rate_limited", "outage", "budget"})
"""What says nothing of the question: a later run may ask it again."""


async def compose(
    given: Given, gateways: Sequence[Gateway], language: Language, ask: Ask, *, most: int
) -> Composition:
    """The headline of a day by the first endpoint that gives one which passes the gate.

    `ask` is how a question is paid for. At most `most` questions are asked in all; where the first answer did not
    pass, the second says why.
    """
    calls: list[Call] = []
    questions = 0
    told = gateways[0], Failure("outage", "no endpoint could be asked", is_asked=False)
    for gateway in gateways:
        if (closed := await gateway.closed()) is not None:
            told = gateway, closed
            continue
        room = gateway.context_tokens - _output(gateway)
        asked = prompt = build_headline_prompt(given, language, room, factor=gateway.factor)
        while questions < most:
            answer = await ask(gateway, _question(gateway, asked, given), "headline", calls)
            questions += 1
            result = _judged(answer, given, language, prompt.system) if isinstance(answer, Answer) else answer
            if not isinstance(result, Failure):
                return Composition(
                    gateway.config.model, gateway.config.host, tuple(result), calls=tuple(calls)
                )
            told = gateway, result
            if isinstance(answer, Failure):
                break
            # The call brought an answer; that it is of no use is told with it.
            error = gateway.describe(result)[:LONGEST_ERROR]
            calls[-1] = replace(calls[-1], error_class=result.error_class, error=error)
            asked = prompt.again(result.reason, cut_off=result.error_class == "cut_off")
    gateway, failure = told
    return Composition(
        gateway.config.model,
        gateway.config.host,
        error_class=failure.error_class,
        error=gateway.describe(failure),
        is_final=failure.error_class not in _PASSING,
        calls=tuple(calls),
    )


def _judged(answer: Answer, given: Given, language: Language, system: str) -> list[Sentence] | Failure:
    sentences = read_headline(answer, given)
    if isinstance(sentences, Failure):
        return sentences
    problem = fault(sentences, given, language, prompt=system)
    return sentences if problem is None else Failure("bad_output", problem)


def _output(gateway: Gateway) -> int:
    return min(_OUTPUT_TOKENS, gateway.output_tokens(gateway.context_tokens))


def _question(gateway: Gateway, prompt: Prompt, given: Given) -> Question:
    from digest_pipeline.analysts.endpoint import Question  # noqa: PLC0415 - loads openai, most of a second

    return Question(
        system=prompt.system,
        user=prompt.user,
        output_tokens=_output(gateway),
        temperature=TEMPERATURE,
        schema_name="headline",
        schema=schema(given),
    )
