"""How long a service asks to be left alone: the header `Retry-After`, seconds or a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDS_OF_A_DAY = 86400.0
SECONDS_OF_A_YEAR = 366 * SECONDS_OF_A_DAY
_PLAIN = re.compile(r"\d{1,15}(?:\.\d{1,9})?")


def seconds_of(header: str | None, *, now: datetime) -> float | None:
    """What it asks for from `now` on, in seconds, from 0 to a year; None where it cannot be read.

    Proxies send dates; one without a zone is in UTC.
    """
    seconds = number(header)
    if seconds is None and header:
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = max((moment - now).total_seconds(), 0.0)
    return None if seconds is None else min(seconds, SECONDS_OF_A_YEAR)


def number(text: str | None) -> float | None:
    """A finite, non-negative decimal number; None for anything else."""
    text = (text or "").strip()
    return float(text) if _PLAIN.fullmatch(text) else None
