"""Why an endpoint gave no answer: a class of error, read from status, headers and text, and what to do then.

Endpoints agree on little: what is a code at one is a phrase at the next, under another status.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import quote

from digest_pipeline.analysts.rate_headers import seconds_to_wait, seconds_until_more
from digest_pipeline.domain.analysis import Usage
from digest_pipeline.domain.healing import WAITS, wait_after
from digest_pipeline.domain.retry_after import SECONDS_OF_A_YEAR, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest_pipeline.domain.analysis import ErrorClass

LONGEST_ERROR = 300
LONGEST_PAUSE_SECONDS = 60.0
"""The longest that one run waits before it asks for the same commit again."""

MOST_ROUNDS = 8
"""After so many rounds in vain a commit is asked about again only where a person asks for it.

What nobody answered is no verdict of the commit, and is asked about each day for as long as it takes.
"""

_LONGEST_REASON = 2000
_SMALLEST_CONTEXT = 512
_SHORTEST_SECRET = 4
_PREFIX = 8
_OK = 200
_SERVER_ERROR = 500
# 404 and 405 are a wrong model or a wrong address: no commit fares better until that is changed.
_OUTAGE_STATUSES = frozenset({401, 402, 403, 404, 405, 407, 410})
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 499})

_REFUSED = re.compile(
    r"content[_ ](?:filter|policy|management)|data_?inspection|inappropriate content|moderation|flagged as",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"(?:context[_ ]?(?:length|size|window)).{0,200}?(?:exceed|longer|too |reduce|larger)"
    r"|(?:exceed|longer|too |larger).{0,200}?context[_ ]?(?:length|size|window)"
    r"|maximum context|context_length_exceeded|exceed_context_size|string_above_max_length"
    r"|(?:prompt|input|request)\b.{0,40}\bis too (?:long|large)|request too large|too many (?:input )?tokens"
    r"|reduce the length of|exceeds? the maximum number of (?:input )?tokens|range of input length"
    r"|`?inputs`? tokens",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LARGE_FOR_A_RATE = re.compile(r"request too large|tokens must be reduced", re.IGNORECASE)
_PARAMETERS_REFUSED = re.compile(r"support(?:s|ing)? the requested parameters|response_format", re.IGNORECASE)
_OUTAGE = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|fund)|exceeded your current quota|billing|arrearage"
    r"|payment required|(?:invalid|incorrect)[_ ]api[_ ]?key|api key (?:is )?not valid"
    r"|account.{0,40}(?:deactivated|suspended|disabled)"
    r"|model[_ ]not[_ ]found|\bmodel\b.{0,100}(?:does not exist|not found|not exist)"
    r"|(?:invalid|unknown|no such) model|not a valid model|余额不足|欠费",
    re.IGNORECASE,
)
_COMES_BACK = re.compile(
    r"(?:retry|try again|available again) (?:in|after) ([\d.]+) ?(ms|s|sec|m|min)", re.IGNORECASE
)
_LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"context (?:length|size|window)\D{0,20}?([\d,]+)",
        r"([\d,]+) maximum(?: context)?",
        r"maximum number of (?:input )?tokens\D{0,20}([\d,]+)",
        r"range of input length\D{0,20}\[\d+, ?([\d,]+)\]",
        r"must be <= ([\d,]+)",
        r"\blimit:? ([\d,]+)",
        r"\"?n_ctx\"?: ?([\d,]+)",
    )
)
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_HTML_TITLE = re.compile(r"<title>([^<]{1,200})</title>", re.IGNORECASE)
_URL = re.compile(r"(?i)\b(https?://)(?:[^\s/@\"'<>]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?")
_SECRET = re.compile(
    r"(?i)(\bbearer\s+|\b(?:api[_-]?key|access[_-]?token|token|secret|password)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;)]+"
    r"|\b(?:sk|pk|nvapi|gsk|xai|hf)[-_][\w*-]{6,}"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One call that brought nothing. `reason` is redacted; `parameter` is what was refused, if named.

    `retry_after` is in seconds; `context_limit` is the number of tokens that the endpoint says it can take.
    `usage` is what the call cost all the same. `names_an_outage` says that the text leaves no doubt of one. Where
    nothing was asked, for want of budget or of an endpoint, `is_asked` is false and `reason` the whole story.
    """

    error_class: ErrorClass
    reason: str
    status: int | None = None
    retry_after: float | None = None
    context_limit: int | None = None
    parameter: str = ""
    request_id: str = ""
    usage: Usage = field(default_factory=Usage)
    names_an_outage: bool = False
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of text that came from outside: the key, what looks like one, and parts of URLs."""

    secret: str | None

    def __call__(self, text: str) -> str:
        """`text` on one line and without secrets."""
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        secret = self.secret or ""
        if len(secret) >= _SHORTEST_SECRET:
            for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
                line = line.replace(form, "[key]")
        if len(secret) > _PREFIX + _SHORTEST_SECRET:
            # Some endpoints repeat the first half of what they refuse.
            line = re.sub(re.escape(secret[:_PREFIX]) + r"[^\s\"',;)]*", "[key]", line)
        line = _URL.sub(r"\1\2", line)
        return _SECRET.sub(lambda match: f"{match[1] or ''}[key]", line)

    def __repr__(self) -> str:
        return "Redactor()"


def failure_of_response(
    status: int, headers: Mapping[str, str], text: str, *, redact: Redactor, now: datetime
) -> Failure:
    """What an HTTP answer that is no completion means; `text` is its body."""
    told = _told(text)
    said: int | None = status
    if status == _OK:
        # Routers put the error of a provider behind them into a success.
        is_told = re.fullmatch(r"[45]\d\d", told.code)
        status = int(told.code) if is_told else HTTPStatus.BAD_GATEWAY
        said = status if is_told else None  # nobody sent that one
    shows_code = told.code and not told.code.isdigit() and told.code not in told.message
    reason = redact(f"{told.message} ({told.code})" if shows_code else told.message)
    hint = f"{told.code} {told.kind} {told.parameter} {reason}"
    retry_after = seconds_to_wait(headers, now=now)
    if retry_after is None:
        retry_after = _comes_back_after(reason)
    error_class = _classify(status, hint, retry_after)
    if retry_after is None and error_class == "rate_limited":
        retry_after = seconds_until_more(headers, tokens=0, now=now) or None
    return Failure(
        error_class,
        reason[:_LONGEST_REASON],
        status=said,
        retry_after=retry_after,
        context_limit=_context_limit(reason) if error_class == "too_large" else None,
        parameter=told.parameter,
        request_id=redact(headers.get("x-request-id", ""))[:60],
        names_an_outage=error_class == "outage" and bool(_OUTAGE.search(hint)),
    )


def describe(failure: Failure, host: str) -> str:
    """A failure on one line: status, reason, host and the endpoint's number for the request."""
    if not failure.is_asked:
        return failure.reason[:LONGEST_ERROR]
    where = f" ({host}, request {failure.request_id})" if failure.request_id else f" ({host})"
    where = where[: LONGEST_ERROR // 2]
    status = ""
    if failure.status is not None:
        status = f"{failure.status} {_phrase(failure.status)}".strip()
    reason = failure.reason
    if status and reason and not reason.startswith(status):
        reason = f"{status}: {reason}"
    line = reason or status or failure.error_class
    room = LONGEST_ERROR - len(where)
    return (line if len(line) <= room else line[: room - 1] + "…") + where


def pause_before_retry(failure: Failure, *, before: Sequence[ErrorClass], attempts: int) -> float | None:
    """Seconds until the same run asks again for the same commit; None where it does not.

    `before` holds the classes of the tries before this one, `attempts` is how many tries there may be.
    """
    spent = len(before) + 1 >= attempts
    match failure.error_class:
        case "outage" | "refused" | "permanent" | "rate_limited" | "budget":
            return None
        case "too_large":
            # A smaller prompt is another question: it is asked once, even where there is one try only.
            return None if "too_large" in before else 0.0
        case "cut_off":
            return None if spent or "cut_off" in before else 0.0
        case "bad_output":
            return None if spent else 0.0
        case "transient":
            if spent:
                return None
            grown = 2.0 ** sum(1 for one in before if one == "transient")
            wanted = grown if failure.retry_after is None else max(failure.retry_after, 0.0)
            return min(wanted, LONGEST_PAUSE_SECONDS)
        case _ as never:
            assert_never(never)


def retry_at(
    failure: Failure, *, now: datetime, rounds: int, waited: timedelta = timedelta(0)
) -> datetime | None:
    """When a later run may ask again, after `rounds` that asked in vain; None where only people can help.

    Haste is no round: there the wait grows over `waited`, the one before.
    """
    if failure.error_class in {"permanent", "refused"}:
        return None
    if rounds >= MOST_ROUNDS and failure.error_class not in {"transient", "rate_limited"}:
        return None
    wait = wait_after(rounds + 1)  # this one is in vain as well
    if failure.error_class == "rate_limited":
        wait = next((longer for longer in WAITS if longer > waited), WAITS[-1])
    if failure.retry_after is not None:
        wait = min(max(wait, timedelta(seconds=failure.retry_after)), WAITS[-1])
    return now + wait


def _classify(status: int, hint: str, retry_after: float | None) -> ErrorClass:
    is_haste = status == HTTPStatus.TOO_MANY_REQUESTS
    # What exceeds the tokens of a whole minute is not asked too soon: it is never taken.
    too_large = _TOO_LARGE_FOR_A_RATE if is_haste else _TOO_LARGE
    # Some name a quota by the minute like one that is used up; a time to come back tells them apart.
    is_used_up = bool(_OUTAGE.search(hint)) and (not is_haste or retry_after is None)
    # A router that has no provider for the form of the request answers as if the model were unknown.
    is_form = status == HTTPStatus.NOT_FOUND and bool(_PARAMETERS_REFUSED.search(hint))
    found: ErrorClass = "permanent"
    if _REFUSED.search(hint):
        found = "refused"
    elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or too_large.search(hint):
        found = "too_large"
    elif is_used_up or (status in _OUTAGE_STATUSES and not is_form):
        found = "outage"
    elif is_haste:
        found = "rate_limited"
    elif status in _TRANSIENT_STATUSES or status >= _SERVER_ERROR:
        found = "transient"
    return found


def _comes_back_after(reason: str) -> float | None:
    """The seconds after which a text says that asking makes sense again."""
    match = _COMES_BACK.search(reason)
    amount = None if match is None else number(match[1])
    if match is None or amount is None:
        return None
    seconds = amount * {"ms": 0.001, "m": 60.0, "min": 60.0}.get(match[2].lower(), 1.0)
    return min(seconds, SECONDS_OF_A_YEAR)


def _context_limit(reason: str) -> int | None:
    for pattern in _LIMITS:
        if (match := pattern.search(reason)) and len(digits := match[1].replace(",", "")) in range(1, 10):
            limit = int(digits)
            if limit >= _SMALLEST_CONTEXT:
                return limit
    return None


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _error(body: object) -> Mapping[str, Any]:
    """The part of a body that tells of an error: its `error`, else the first element's, else the body."""
    if isinstance(body, list) and body:
        return _error(body[0])
    if not isinstance(body, dict):
        return {}
    error = body.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error} | body if isinstance(error, str) else body


@dataclass(frozen=True, slots=True)
class _Told:
    """What a body says of an error, each part empty where it says nothing."""

    message: str
    code: str = ""
    kind: str = ""
    parameter: str = ""


def _told(text: str) -> _Told:
    body = _json(text)
    if body is None:
        title = _HTML_TITLE.search(text)
        if _HTML.match(text):
            return _Told(f"a web page: {title[1]}" if title else "a web page")
        return _Told(text[:_LONGEST_REASON])
    error = _error(body)
    message = next((error[key] for key in ("message", "detail", "msg", "title") if error.get(key)), body)
    if not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(raw := metadata.get("raw"), str):
        message = f"{message}: {raw}"
    code, kind, parameter = (str(error.get(key) or "")[:100] for key in ("code", "type", "param"))
    return _Told(message[:_LONGEST_REASON], code, kind, parameter)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
