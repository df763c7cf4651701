"""From an endpoint's answer to a filled-in form: the body, the text in it, the JSON in the text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from digest_pipeline.analysts.failures import Failure
from digest_pipeline.domain.analysis import FORMS, Analysis, Usage
from digest_pipeline.domain.commit import storable
from digest_pipeline.domain.composed import read_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline.domain.composed import Given, Sentence
    from digest_pipeline.domain.importance import Tier

_END_OF_THOUGHT = "</think>"
_DECODER = json.JSONDecoder(strict=False)  # models put line breaks into strings
_MOST_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion. `texts` are the places where an answer may stand, the likeliest first.

    `pause_seconds` is how long the endpoint wants to be left alone before the next question.
    """

    texts: tuple[str, ...]
    finish_reason: str = ""
    refusal: str = ""
    usage: Usage = field(default_factory=Usage)
    pause_seconds: float = 0.0


def answer_of(body: object) -> Answer | None:
    """The completion that a decoded body holds; None where it is none."""
    if not isinstance(body, dict) or not isinstance(choices := body.get("choices"), list) or not choices:
        return None
    choice = choices[0]
    if not isinstance(choice, dict) or not isinstance(message := choice.get("message"), dict):
        return None
    places = (message.get(key) for key in ("content", "reasoning_content", "reasoning"))
    refusal = message.get("refusal")
    return Answer(
        texts=tuple(text for text in map(_text, places) if text.strip()),
        finish_reason=str(choice.get("finish_reason") or ""),
        refusal=refusal if isinstance(refusal, str) else "",
        usage=_usage(body.get("usage")),
    )


def read_analysis(answer: Answer, tier: Tier) -> Analysis | Failure:
    """The analysis that an answer holds, or why it holds none; the tier is ours, whatever the answer says."""
    if answer.refusal or answer.finish_reason == "content_filter":
        return Failure("refused", "the model would not answer")
    if answer.finish_reason == "error":
        return Failure("transient", "the endpoint broke off the answer")
    problem = "it is empty"
    for text in answer.texts:
        problem = "it holds no JSON object"
        objects = list(_objects(text))
        for found in reversed(objects):
            try:
                form = FORMS[tier].model_validate({**found, "importance": tier})
            except ValidationError as error:
                if found is objects[-1]:
                    problem = _problem(error)
            else:
                return Analysis.from_form(form)
        if objects:
            break
    if answer.finish_reason == "length":
        return Failure("cut_off", "the answer reached the limit of its length before it was complete")
    return Failure("bad_output", problem)


def read_headline(answer: Answer, given: Given) -> list[Sentence] | Failure:
    """The sentences that an answer holds, or why it holds none. What they say is not looked at here."""
    if answer.refusal or answer.finish_reason == "content_filter":
        return Failure("refused", "the model would not answer")
    problem = "it holds no JSON object"
    for text in answer.texts:
        for found in reversed(list(_objects(text))):
            sentences = read_sentences(found, given)
            if not isinstance(sentences, str):
                return sentences
            problem = sentences
    if answer.finish_reason == "length":
        return Failure("cut_off", "the answer reached the limit of its length before it was complete")
    return Failure("bad_output", problem)


def read_notes(answer: Answer) -> list[str]:
    """The notes on a part of a commit; none where the answer holds none."""
    for text in answer.texts:
        for found in reversed(list(_objects(text))):
            notes = found.get("notes")
            if isinstance(notes, list):
                return [note.strip() for note in notes if isinstance(note, str) and note.strip()]
    return []


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that stand in no other, in order; what is thought aloud does not count."""
    _, end, answer = text.rpartition(_END_OF_THOUGHT)
    text = answer if end else text
    start, tries = text.find("{"), 0
    while start >= 0 and tries < _MOST_TRIES:
        try:
            found, stop = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            stop = start + 1
            tries += 1
        else:
            yield {storable(key): _clean(value) for key, value in found.items()}
        start = text.find("{", stop)


def _clean(value: object) -> object:
    # Escapes can smuggle in what no store takes: NUL, halves of characters.
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return {storable(key): _clean(item) for key, item in value.items()} if isinstance(value, dict) else value


def _problem(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "; ".join(problems)[:300]


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _usage(value: object) -> Usage:
    usage = value if isinstance(value, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = (
        details.get("cached_tokens") if isinstance(details, dict) else usage.get("prompt_cache_hit_tokens")
    )
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
