"""What the headers of an answer tell of a rate: how long to wait, how much may still be asked, when there is more.

Providers agree on the idea only. `x-ratelimit-remaining-requests` with `x-ratelimit-reset-requests`, and the
same for tokens, is OpenAI's form, which Azure, Groq, Together and vLLM's routers share; OpenRouter and others
count one thing only (`x-ratelimit-remaining`); the IETF's draft leaves out the `x-`; Anthropic's has its own order.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digest_pipeline.domain.retry_after import SECONDS_OF_A_YEAR, number, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUESTS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
)
_TOKENS = (
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([\d.]+)(ms|s|m|h|d)")
_MILLISECONDS_SINCE = 1e11
"""A number above is a time in milliseconds since 1970; one above a year of seconds is in seconds."""


def seconds_until_more(headers: Mapping[str, str], *, tokens: int, now: datetime) -> float:
    """Seconds to wait before the next question: until the reset of what is used up; 0 where nothing is.

    Requests are used up when none is left, tokens when fewer are left than the last question took (`tokens`).
    Headers that cannot be read, or tell no time, ask for no wait.
    """
    waits = [0.0]
    for kinds, needed in ((_REQUESTS, 1), (_TOKENS, max(tokens, 1))):
        for remaining, reset in kinds:
            left = number(headers.get(remaining))
            if left is not None and left < needed:
                waits.append(_seconds(headers.get(reset), now))
    return max(waits)


def seconds_to_wait(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """What `Retry-After` asks for, in seconds, or its kin in milliseconds; None where neither can be read."""
    if (milliseconds := number(headers.get("retry-after-ms"))) is not None:
        return min(milliseconds / 1000, SECONDS_OF_A_YEAR)
    return seconds_of(headers.get("retry-after"), now=now)


def _seconds(text: str | None, now: datetime) -> float:
    """The time that a header names, from now on: a duration, a number of seconds, or a moment."""
    text = (text or "").strip()
    if _DURATION.fullmatch(text):
        seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    elif (amount := number(text)) is not None:
        if amount > _MILLISECONDS_SINCE:
            amount = amount / 1000 - now.timestamp()
        elif amount > SECONDS_OF_A_YEAR:
            amount -= now.timestamp()
        seconds = amount
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return 0.0
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), SECONDS_OF_A_YEAR)
