"""A model at an endpoint, as a run works with it: when it may be asked, how fast, and what is learned of it.

`Gateway` holds what all questions of a run share: the connection, the limiter, the breaker, the corrected
size of a token. It knows questions and answers, nothing of commits.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from digest_pipeline.analysts.answers import Answer
from digest_pipeline.analysts.dialect import Dialect, Learned
from digest_pipeline.analysts.failures import LONGEST_PAUSE_SECONDS, Failure, describe
from digest_pipeline.analysts.limiter import Limiter
from digest_pipeline.domain.analysis import Call, Purpose, Usage
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
_PROOF_SECONDS = 60.0
_FORBIDDEN = 403


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
    """An endpoint as the settings name it; `api_key` is sent to `base_url` and appears nowhere else."""

    base_url: str
    model: str
    api_key: str | None = None
    concurrency: int = 8
    context_tokens: int = 131072
    max_output_tokens: int = 8192
    timeout_seconds: float = 120.0
    attempts: int = 3

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, host={self.host!r})"

    @property
    def host(self) -> str:
        """Host and port of the address, without user and password: the endpoint's name."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]


class Gateway:
    """One endpoint for one run; use it inside `async with`.

    `take_hand` says, once in a run that a person started, that a probe may go out before its time.
    """

    def __init__(
        self,
        config: EndpointConfig,
        *,
        memory: Memory,
        take_hand: Callable[[], bool],
        probe_every: timedelta,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[object]],
        clock: Callable[[], float],
        connect: Connect,
    ) -> None:
        self.config = replace(config, api_key=usable_key(config.api_key))
        self._memory = memory
        self._take_hand = take_hand
        self._probe_every = probe_every
        self._now = now
        self._sleep = sleep
        self._clock = clock
        self._connect = connect
        known = memory.state(config.host, config.model)
        self.state = known or EndpointState(config.host, config.model, since=now())
        self._learned, self.factor, limit = _read_learned(self.state.learned)
        self.context_tokens = min(config.context_tokens, limit or config.context_tokens)
        self._usage_is_sound = True
        self._silent = 0
        self._probing = asyncio.Lock()
        self._proved_at: float | None = None
        self._impatient: Failure | None = None
        self._refused_since: float | None = None

    async def __aenter__(self) -> Self:
        self._opened = self._connect(
            base_url=self.config.base_url,
            model=self.config.model,
            api_key=self.config.api_key,
            timeout_seconds=self.config.timeout_seconds,
            learned=self._learned,
            now=self._now,
        )
        self._was_down = not self.state.is_up
        self._asker = await self._opened.__aenter__()
        # After an outage one question goes first.
        self.limiter = Limiter(
            self.config.concurrency, cautious=not self.state.is_up, clock=self._clock, sleep=self._sleep
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remember(self.state)
        await self._opened.__aexit__(kind, error, trace)

    def output_tokens(self, context: int) -> int:
        """The longest answer that is asked for in a context of so many tokens; the prompt has the rest."""
        return min(self.config.max_output_tokens, context // _OUTPUT_SHARE)

    def describe(self, failure: Failure) -> str:
        """A failure here, on one line."""
        return describe(failure, self.config.host)

    async def closed(self) -> Failure | None:
        """Why nothing may be asked here now, after a probe where one is due; None where something may."""
        if self._impatient is not None:
            return self._impatient
        if self.state.is_up:
            return None
        async with self._probing:
            state = self.state
            if state.is_up:
                return None
            # What went down in this very run is not tried again by it.
            if may_ask(state, now=self._now()) == "wait" and not (self._was_down and self._take_hand()):
                return Failure(state.error_class or "outage", state.error or "the endpoint is down")
            failure = await self.probe()
            if failure is None:
                self._remember(came_back(self.state, now=self._now()))
            else:
                self._fall(failure)
        return failure

    async def ask(self, question: Question, purpose: Purpose, calls: list[Call]) -> Answer | Failure:
        """One answer, or why there is none; every call is added to `calls`. Haste costs patience, not a try."""
        while True:
            sent_at = await self.limiter.enter()
            if (closed := self._closed_meanwhile()) is not None:
                return closed
            started, began = self._now(), self._clock()
            result = await self._asker.ask(question)
            result = self._judged(question, result)
            if isinstance(result, Failure) and result.error_class == "outage":
                result = await self._tried_by_a_probe(result)
            calls.append(self._call(result, purpose, started, self._clock() - began))
            if isinstance(result, Answer) or result.error_class not in {
                "rate_limited",
                "transient",
                "outage",
            }:
                self._heard(result)
                return result
            if result.error_class == "outage":
                self._fall(result)
                return result
            if result.error_class == "transient":
                self._silence(result)
                return result
            if (impatient := self._hurried(result, sent_at)) is not None:
                return impatient

    def smaller_context(self, failure: Failure, tried: int) -> int:
        """The context to try next: what the endpoint says that it has, else half of what was tried."""
        limit = failure.context_limit
        if limit is None or limit >= tried:
            return tried // 2
        self.context_tokens = min(self.context_tokens, limit)
        self._remember(self.state)
        return limit

    # --- inside -------------------------------------------------------------------------------------------

    def _closed_meanwhile(self) -> Failure | None:
        if self._impatient is not None:
            return self._impatient
        if self.state.is_up:
            return None
        return Failure(self.state.error_class or "outage", self.state.error or "the endpoint is down")

    def _heard(self, result: Answer | Failure) -> None:
        """The endpoint is there and took the question."""
        self._silent = 0
        self._refused_since = None
        if isinstance(result, Answer):
            self._proved_at = self._clock()
            self.limiter.answered()
            if result.pause_seconds:
                # What is further off than a run is patient, the endpoint may still say with a refusal.
                self.limiter.pause(min(result.pause_seconds, PATIENCE_SECONDS))
            if not self.state.is_up:
                self._remember(came_back(self.state, now=self._now()))

    def _silence(self, failure: Failure) -> None:
        """One more call that nobody took. Where nothing else happens any more, that is an outage."""
        self._silent += 1
        if self._silent >= max(6, self.config.concurrency + 2):
            self._fall(replace(failure, error_class="outage"))

    def _hurried(self, failure: Failure, sent_at: float) -> Failure | None:
        """Slow down; the failure itself once patience is at its end, for all that is left of the run."""
        now = self._clock()
        self._refused_since = self._refused_since or now
        wanted = failure.retry_after
        waited = now - self._refused_since
        if waited >= PATIENCE_SECONDS or (wanted is not None and wanted > PATIENCE_SECONDS):
            self._impatient = failure
            return failure
        if wanted is None and waited > 0:
            wanted = min(max(1.0, waited), LONGEST_PAUSE_SECONDS)  # twice as long each time
        self.limiter.refused(sent_at, wanted)
        return None

    async def _tried_by_a_probe(self, failure: Failure) -> Failure:
        """A 403 may be about this commit alone: it is where an easy question is answered."""
        if failure.status != _FORBIDDEN or not self.state.is_up:
            return failure
        async with self._probing:
            proved = self._proved_at is not None and self._clock() - self._proved_at < _PROOF_SECONDS
            if not self.state.is_up or (not proved and await self.probe() is not None):
                return failure
        return replace(failure, error_class="refused")

    async def probe(self) -> Failure | None:
        """A real question of one token: many endpoints list models for keys that may not use them."""
        from digest_pipeline.analysts.endpoint import Question  # noqa: PLC0415 - loads openai, most of a second

        question = Question(system="Answer with one word.", user="Say ok.", output_tokens=1)
        result = await self._asker.ask(question)
        self.state = replace(self.state, probed_at=self._now())
        if isinstance(result, Answer) or _ONE_TOKEN_IS_TOO_FEW.search(result.reason):
            self._proved_at = self._clock()
            return None
        return replace(result, error_class="outage") if result.error_class == "transient" else result

    def _fall(self, failure: Failure) -> None:
        """Open the breaker: nothing more is asked here before the next probe."""
        pause = self._probe_every
        if failure.retry_after is not None:
            pause = max(pause, timedelta(seconds=failure.retry_after))
        error = self.describe(failure)
        self._remember(
            went_down(self.state, error_class=failure.error_class, error=error, now=self._now(), pause=pause)
        )

    def _remember(self, state: EndpointState) -> None:
        learned = _write_learned(self._learned, self.factor, self.context_tokens, self.config.context_tokens)
        changed = replace(state, learned=learned)
        self.state = changed
        if changed != self._memory.state(changed.endpoint, changed.model):
            self._memory.remember(changed)

    def _judged(self, question: Question, result: Answer | Failure) -> Answer | Failure:
        """Learn from the usage how large a token is; a prompt that was cut behind our back is no answer."""
        if not isinstance(result, Answer) or result.usage.tokens_in < _ENOUGH_TOKENS:
            return result
        read = result.usage.tokens_in
        ours = estimate_tokens(question.system, 1.0) + estimate_tokens(question.user, 1.0)
        if self._usage_is_sound and _was_cut(read, ours * min(self.factor, FACTOR)):
            if read < self.context_tokens:
                reason = f"the endpoint read only {read} of about {round(ours * self.factor)} tokens"
                return Failure("too_large", reason, context_limit=read)
            # It was given no more than it says that it can read, and still counts less: it counts otherwise.
            self._usage_is_sound = False
        observed = read / max(ours, 1)
        if self._usage_is_sound:
            wanted = max(observed * _MARGIN, 0.95 * self.factor)
            self.factor = min(max(wanted, _SMALLEST_FACTOR), _LARGEST_FACTOR)
        return result

    def _call(self, result: Answer | Failure, purpose: Purpose, started: datetime, seconds: float) -> Call:
        failed = isinstance(result, Failure)
        return Call(
            started_at=started,
            seconds=seconds,
            endpoint=self.config.host,
            model=self.config.model,
            purpose=purpose,
            usage=Usage() if isinstance(result, Failure) else result.usage,
            error_class=result.error_class if isinstance(result, Failure) else None,
            error=self.describe(result) if failed and isinstance(result, Failure) else None,
        )


def _was_cut(read: int, estimate: float) -> bool:
    """Whether `read` tokens of about `estimate` look like a prompt that was cut to a context."""
    if read < _LEAST_CUT:
        return False
    # Contexts are round numbers; a count that is merely low comes from another way of counting.
    is_round = any(0.97 * size <= read <= size for size in (2048, 4096, 8192, 16384, 32768, 65536))
    return read < (_CUT_SHARE if is_round else _CUT_SHARE_OTHERWISE) * estimate


def _read_learned(text: str) -> tuple[Learned, float, int | None]:
    try:
        known = json.loads(text)
        dialect = Dialect(**known["dialect"]) if "dialect" in known else Dialect()
        factor = min(max(float(known.get("factor", FACTOR)), _SMALLEST_FACTOR), _LARGEST_FACTOR)
        limit = int(known["context_tokens"]) if known.get("context_tokens") else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return Learned(), FACTOR, None  # written by another version: it is learned again
    return Learned(dialect, is_confirmed="dialect" in known), factor, limit


def _write_learned(learned: Learned, factor: float, context_tokens: int, configured: int) -> str:
    known: dict[str, Any] = {"factor": round(factor, 3)}
    if learned.is_confirmed:
        known["dialect"] = asdict(learned.dialect)
    if context_tokens < configured:
        known["context_tokens"] = context_tokens
    return json.dumps(known, sort_keys=True)


def usable_key(api_key: str | None) -> str | None:
    """The key as a header can hold it; an empty one is none. Raises ConfigurationError, without the key."""
    key = (api_key or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            "the API key holds characters that no key has (blanks, quotes of a word processor, line breaks); "
            "look at the variable that [llm] api_key_env names"
        )
    return key or None
