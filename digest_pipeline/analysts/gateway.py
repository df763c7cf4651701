"""A model at an endpoint, as a run works with it: when it may be asked, how fast, and what is learned of it.

`Gateway` holds what all questions of a run share: the connection, the limiter, the breaker, the corrected
size of a token. It knows questions and answers, nothing of commits.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from digest_pipeline.analysts.answers import Answer
from digest_pipeline.analysts.dialect import Dialect, Learned
from digest_pipeline.analysts.failures import LONGEST_PAUSE_SECONDS, Failure, describe
from digest_pipeline.analysts.limiter import DEFAULT_PAUSE_SECONDS, Limiter
from digest_pipeline.domain.analysis import Call, Purpose
from digest_pipeline.domain.endpoint import EndpointState, came_back, may_ask, went_down
from digest_pipeline.domain.packing import FACTOR, estimate_tokens
from digest_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from digest_pipeline.analysts import Memory
    from digest_pipeline.analysts.endpoint import Question

PATIENCE_SECONDS = 120.0
"""So long a run bears with an endpoint that only refuses for haste; then what is left waits for a later run."""

_OUTPUT_SHARE = 4
"""One part in so many of the context is the most that an answer may take."""

_MARGIN = 1.05
_SMALLEST_FACTOR, _LARGEST_FACTOR = 0.6, 4.0
_ENOUGH_TOKENS = 500  # below that, what endpoints add around messages decides
_CUT_SHARE, _CUT_SHARE_OTHERWISE, _LEAST_CUT = 0.6, 0.4, 1024
_ONE_TOKEN_IS_TOO_FEW = re.compile(r"output limit was reached|finish the message", re.IGNORECASE)
_LEARNED_HOLDS = timedelta(days=7)


class Asker(Protocol):
    """What a connection gives: see `analysts.endpoint.Endpoint`."""

    async def ask(self, question: Question) -> Answer | Failure:
        """Ask once."""
        ...


class Connect(Protocol):
    """See `analysts.endpoint.connect`."""

    def __call__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None,
        timeout_seconds: float,
        learned: Learned,
        now: Callable[[], datetime],
    ) -> AbstractAsyncContextManager[Asker]:
        """An endpoint to ask, for as long as the block lasts."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """An endpoint as the settings name it; `api_key` is sent to `base_url` and appears nowhere else.

    `number` tells endpoints of the same host and model apart, such as those of two keys.
    """

    base_url: str
    model: str
    api_key: str | None = None
    concurrency: int = 8
    context_tokens: int = 131072
    max_output_tokens: int = 8192
    timeout_seconds: float = 120.0
    attempts: int = 3
    probe_every: timedelta = timedelta(minutes=30)
    number: int = 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, host={self.host!r})"

    @property
    def host(self) -> str:
        """Host and port of the address, without user and password: the endpoint's name."""
        host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        return host if self.number == 1 else f"{host}#{self.number}"


class Gateway:
    """One endpoint for one run. What is asked is asked inside `async with`, once for each event loop.

    `by_hand` is a run that a person started: a probe may go out before its time, once.
    """

    def __init__(
        self,
        config: EndpointConfig,
        *,
        memory: Memory,
        by_hand: bool,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[object]],
        clock: Callable[[], float],
        connect: Connect,
    ) -> None:
        self.config = replace(config, api_key=usable_key(config.api_key))
        self._memory = memory
        self._now = now
        self._clock = clock
        self._connect = connect
        self.state = memory.state(config.host, config.model) or self._unknown()
        # What goes down in this very run is not tried again by it.
        self._may_probe_at_once = by_hand and not self.state.is_up
        self._learned, self.factor, self.context_tokens = _read_learned(self.state.learned, config, now())
        self.limiter = Limiter(config.concurrency, cautious=not self.state.is_up, clock=clock, sleep=sleep)
        self._usage_is_sound = True
        self._silent = 0
        self._proved_at: float | None = None
        self._met_outage_at = -math.inf
        self._impatient: Failure | None = None
        self._refused_since: float | None = None

    async def __aenter__(self) -> Self:
        self._probing = asyncio.Lock()
        self._opened = self._connect(
            base_url=self.config.base_url,
            model=self.config.model,
            api_key=self.config.api_key,
            timeout_seconds=self.config.timeout_seconds,
            learned=self._learned,
            now=self._now,
        )
        self._asker = await self._opened.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._written() != self.state.learned:
            self._revise(lambda state: state)
        await self._opened.__aexit__(kind, error, trace)

    def output_tokens(self, context: int) -> int:
        """The longest answer that is asked for in a context of so many tokens; the prompt has the rest."""
        return min(self.config.max_output_tokens, context // _OUTPUT_SHARE)

    def describe(self, failure: Failure) -> str:
        """A failure here, on one line."""
        return describe(failure, self.config.host)

    async def closed(self) -> Failure | None:
        """Why nothing may be asked here now, after a probe where one is due; None where something may."""
        if self._impatient is None and not self.state.is_up:
            async with self._probing:
                if self._claim_probe():
                    sent_at = self._clock()
                    failure = await self.probe()
                    if failure is None:
                        self._revise(lambda state: came_back(state, now=self._now()))
                    else:
                        self._fall(failure, sent_at)
        return self._why_closed()

    async def ask(self, question: Question, purpose: Purpose, calls: list[Call]) -> Answer | Failure:
        """One answer, or why there is none; every call is added to `calls`. Haste costs patience, not a try."""
        while True:
            async with self.limiter.turn() as sent_at:
                if (closed := self._why_closed()) is not None:
                    return closed
                started, began = self._now(), self._clock()
                result = self._judged(question, await self._asker.ask(question))
            if isinstance(result, Failure) and result.error_class == "outage":
                result = await self._tried_by_a_probe(result, self._clock())
            calls.append(self._call(result, purpose, started, self._clock() - began))
            match result:
                case Failure(error_class="outage"):
                    self._fall(result, sent_at)
                case Failure(error_class="transient"):
                    self._silence(result, sent_at)
                case Failure(error_class="rate_limited"):
                    if (impatient := self._hurried(result, sent_at)) is not None:
                        return impatient
                    continue
                case _:
                    self._heard(result, sent_at)
            return result

    def smaller_context(self, failure: Failure, tried: int) -> int:
        """The context to try next: what the endpoint says that it has, else half of what was tried."""
        limit = failure.context_limit
        if limit is None or limit >= tried:
            return tried // 2
        if limit < self.context_tokens:
            self.context_tokens = limit
            self._revise(lambda state: state)
        return limit

    async def probe(self) -> Failure | None:
        """A real question of one token: many endpoints list models for keys that may not use them.

        Where so short an answer is refused, one of sixteen is asked for.
        """
        from digest_pipeline.analysts.endpoint import Question  # noqa: PLC0415 - loads openai, most of a second

        sent_at = self._clock()
        question = Question(system="Answer with one word.", user="Say ok.", output_tokens=1)
        result = await self._asker.ask(question)
        if isinstance(result, Failure) and result.error_class == "permanent":
            result = await self._asker.ask(replace(question, output_tokens=16))
        if isinstance(result, Answer) or _ONE_TOKEN_IS_TOO_FEW.search(result.reason):
            self._prove(sent_at)
            return None
        return result if result.error_class == "rate_limited" else replace(result, error_class="outage")

    # --- inside -------------------------------------------------------------------------------------------

    def _unknown(self) -> EndpointState:
        return EndpointState(self.config.host, self.config.model, since=self._now())

    def _why_closed(self) -> Failure | None:
        if self._impatient is not None:
            return self._impatient
        if self.state.is_up:
            return None
        reason = f"not asked after {self.state.error or 'an outage'}"
        return Failure(self.state.error_class or "outage", reason, is_asked=False)

    def _claim_probe(self) -> bool:
        """Whether this run probes now; no other will before the next time. Another may have found it up."""
        now, at_once = self._now(), self._may_probe_at_once
        self._may_probe_at_once = False
        if may_ask(self.state, now=now) == "wait" and not at_once:
            return False
        is_ours = False

        def claim(state: EndpointState) -> EndpointState:
            nonlocal is_ours
            is_ours = not state.is_up and (at_once or may_ask(state, now=now) != "wait")
            until = now + self.config.probe_every
            return replace(state, probed_at=now, next_probe_at=until) if is_ours else state

        self._revise(claim)
        return is_ours

    def _heard(self, result: Answer | Failure, sent_at: float) -> None:
        """The endpoint is there and took the question."""
        self._silent = 0
        self._refused_since = None
        if not isinstance(result, Answer):
            return
        self._prove(sent_at)
        self.limiter.answered()
        if result.pause_seconds:
            # What is further off than a run is patient, the endpoint may still say with a refusal.
            self.limiter.pause(min(result.pause_seconds, PATIENCE_SECONDS))
        # An answer to what was sent before the outage says nothing of now.
        if not self.state.is_up and sent_at > self._met_outage_at:
            self._revise(lambda state: came_back(state, now=self._now()))

    def _prove(self, sent_at: float) -> None:
        self._proved_at = max(sent_at, self._proved_at or sent_at)

    def _silence(self, failure: Failure, sent_at: float) -> None:
        """One more call that nobody took. Where nothing else happens any more, that is an outage."""
        self._silent += 1
        if self._silent >= max(6, self.config.concurrency + 2):
            self._fall(replace(failure, error_class="outage"), sent_at)

    def _hurried(self, failure: Failure, sent_at: float) -> Failure | None:
        """Slow down; the failure itself once patience is at its end, for all that is left of the run."""
        now = self._clock()
        self._refused_since = self._refused_since or now
        wanted = failure.retry_after
        waited = now - self._refused_since
        if waited >= PATIENCE_SECONDS or (wanted is not None and wanted > PATIENCE_SECONDS):
            reason = f"not asked after {self.describe(failure)}"
            self._impatient = replace(failure, reason=reason, is_asked=False)
            return failure
        if wanted is None and waited > DEFAULT_PAUSE_SECONDS:  # one burst is one refusal
            wanted = min(max(1.0, waited), LONGEST_PAUSE_SECONDS)  # twice as long each time
        self.limiter.refused(sent_at, wanted)
        return None

    async def _tried_by_a_probe(self, failure: Failure, heard_at: float) -> Failure:
        """A 403 may be about this commit alone: it is where an easy question is answered after it."""
        if failure.status != HTTPStatus.FORBIDDEN or failure.names_an_outage or not self.state.is_up:
            return failure
        async with self._probing:
            proved = self._proved_at is not None and self._proved_at >= heard_at
            if not self.state.is_up or (not proved and await self.probe() is not None):
                return failure
        return replace(failure, error_class="refused")

    def _fall(self, failure: Failure, sent_at: float) -> None:
        """Open the breaker: nothing more is asked here before the next probe."""
        self._met_outage_at = max(sent_at, self._met_outage_at)
        pause = self.config.probe_every
        if failure.retry_after is not None:
            pause = max(pause, timedelta(seconds=failure.retry_after))
        error, now = self.describe(failure), self._now()
        said = (self.state.is_up, self.state.error_class, self.state.error)
        if said == (False, failure.error_class, error) and failure.retry_after is None:
            return  # with the probe its next time was written, and nothing else is new
        self._revise(
            lambda state: went_down(state, error_class=failure.error_class, error=error, now=now, pause=pause)
        )

    def _revise(self, change: Callable[[EndpointState], EndpointState]) -> None:
        """Change what all runs know of the endpoint, and add what this one learned of it."""

        def revise(known: EndpointState | None) -> EndpointState:
            return replace(change(known or self._unknown()), learned=self._written())

        self.state = self._memory.revise(self.config.host, self.config.model, revise)

    def _written(self) -> str:
        """What was learned, as JSON; a context that is smaller than the settings say holds for some days."""
        known: dict[str, Any] = {"factor": round(self.factor, 3)}
        if self._learned.is_confirmed:
            known["dialect"] = asdict(self._learned.dialect)
        if self.context_tokens < self.config.context_tokens:
            before = _json_object(self.state.learned)
            since = before.get("since") if before.get("context_tokens") == self.context_tokens else None
            known |= {
                "context_tokens": self.context_tokens,
                "instead_of": self.config.context_tokens,
                "since": since or self._now().isoformat(),
            }
        return json.dumps(known, sort_keys=True)

    def _judged(self, question: Question, result: Answer | Failure) -> Answer | Failure:
        """Learn from the usage how large a token is; a prompt that was cut behind our back is no answer."""
        if not isinstance(result, Answer) or result.usage.tokens_in < _ENOUGH_TOKENS:
            return result
        read = result.usage.tokens_in
        ours = estimate_tokens(question.system, 1.0) + estimate_tokens(question.user, 1.0)
        if self._usage_is_sound and _was_cut(read, ours * min(self.factor, FACTOR)):
            if read < self.context_tokens:
                reason = f"the endpoint read only {read} of about {round(ours * self.factor)} tokens"
                return Failure("too_large", reason, context_limit=read, usage=result.usage)
            # It was given no more than it says that it can read, and still counts less: it counts otherwise.
            self._usage_is_sound = False
        observed = read / max(ours, 1)
        if self._usage_is_sound:
            wanted = max(observed * _MARGIN, 0.95 * self.factor)
            self.factor = min(max(wanted, _SMALLEST_FACTOR), _LARGEST_FACTOR)
        return result

    def _call(self, result: Answer | Failure, purpose: Purpose, started: datetime, seconds: float) -> Call:
        told: dict[str, Any] = {}
        if isinstance(result, Failure):
            told = {"error_class": result.error_class, "error": self.describe(result)}
        return Call(
            started_at=started,
            seconds=seconds,
            endpoint=self.config.host,
            model=self.config.model,
            purpose=purpose,
            usage=result.usage,
            **told,
        )


def _was_cut(read: int, estimate: float) -> bool:
    """Whether `read` tokens of about `estimate` look like a prompt that was cut to a context."""
    if read < _LEAST_CUT:
        return False
    # Contexts are round numbers; a count that is merely low comes from another way of counting.
    is_round = any(0.97 * size <= read <= size for size in (2048, 4096, 8192, 16384, 32768, 65536))
    return read < (_CUT_SHARE if is_round else _CUT_SHARE_OTHERWISE) * estimate


def _read_learned(text: str, config: EndpointConfig, now: datetime) -> tuple[Learned, float, int]:
    """The dialect, how many of its tokens one of ours is, and the context: what is known, else the settings'."""
    known = _json_object(text)
    try:
        dialect = Dialect(**known["dialect"]) if "dialect" in known else Dialect()
        factor = min(max(float(known.get("factor", FACTOR)), _SMALLEST_FACTOR), _LARGEST_FACTOR)
        limit = config.context_tokens
        # Servers are restarted with more: what was learned is tried anew after a while, and with new settings.
        if "context_tokens" in known and known["instead_of"] == limit:
            since = datetime.fromisoformat(known["since"])
            limit = min(limit, int(known["context_tokens"])) if now - since < _LEARNED_HOLDS else limit
    except (ValueError, TypeError, KeyError):
        return Learned(), FACTOR, config.context_tokens  # written by another version: it is learned again
    return Learned(dialect, is_confirmed="dialect" in known), factor, limit


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def usable_key(api_key: str | None) -> str | None:
    """The key as a header can hold it; an empty one is none. Raises ConfigurationError, without the key."""
    key = (api_key or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            "the API key holds characters that no key has (blanks, quotes of a word processor, line breaks); "
            "look at the variable that [llm] api_key_env names"
        )
    return key or None
