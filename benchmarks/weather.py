"""An endpoint with weather, and a clock that only waiting moves: what a run of weeks meets, within seconds.

Everything comes from a seed: how long an answer takes, which calls fail and how. Time is virtual: an event loop
whose clock jumps to the next thing that is due, so that hours of timeouts and pauses take none.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from digest_pipeline.analysts.answers import Answer
from digest_pipeline.analysts.failures import Failure, Redactor, failure_of_response
from digest_pipeline.domain.analysis import Usage
from digest_pipeline.domain.packing import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import date

    from digest_pipeline.analysts.endpoint import Question

_SHA = re.compile(r"^Commit: ([0-9a-f]{40})$", re.MULTILINE)
_DAY = re.compile(r"^<<<DATA (\w+)>>>\n+Commit (\w+)", re.MULTILINE)
NIGHTLY_HOUR = 2
"""When the daemon makes yesterday."""

_TRUE_TOKENS = 1.1
"""How many tokens of the simulated model one of our pieces is."""


class VirtualTime:
    """Seconds since `start`; moved by the loops that share it, and by whoever lets time pass between runs."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.seconds = 0.0

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(seconds=self.seconds)

    def pass_until(self, moment: datetime) -> None:
        """Let time pass; never backwards."""
        self.seconds = max(self.seconds, (moment - self._start).total_seconds())


STORE_SECONDS = 0.16
"""How long a thread takes for its work, which is reading and writing the store: see docs/decisions.md."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that waits for nothing: its clock jumps. Work for threads is done in order, and takes a while."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._virtual = time
        real_select = self._selector.select  # type: ignore[attr-defined] # the base class's own

        def select(timeout: float | None = None) -> Any:  # noqa: ANN401 - the selector's
            events = real_select(0)
            if not events and timeout:
                self._virtual.seconds += timeout
            return events

        self._selector.select = select  # type: ignore[attr-defined] # as above

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override] # noqa: ANN401 - as the base class has it
        """The result, some virtual time later; what else is due meanwhile happens meanwhile."""
        del executor
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - it is the future's
            self.call_later(STORE_SECONDS, _settle, future, None, error)
        else:
            self.call_later(STORE_SECONDS, _settle, future, result, None)
        return future


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes loops of virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._virtual = time

    def new_event_loop(self) -> VirtualLoop:
        """A loop over the shared clock."""
        return VirtualLoop(self._virtual)


@dataclass(frozen=True, slots=True)
class Spell:
    """From when to when something is wrong."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether it is on."""
        return self.start <= moment < self.end


@dataclass
class Weather:
    """The endpoint, and what was asked of it.

    `answered` counts the analyses that each commit was given, `asked` the questions about it, `hurried` those of
    them that came too soon (429); `in_vain` counts the questions about commits that met a dead key (`401`) or
    nobody (`silence`); `probes` has the times of probes; `composed` counts the answers for each headline.
    """

    seed: int
    time: VirtualTime
    dead: Spell
    silent: Spell
    context_tokens: int = 16_384
    timeout_seconds: float = 120.0
    answered: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    hurried: Counter[str] = field(default_factory=Counter)
    in_vain: Counter[str] = field(default_factory=Counter)
    composed: Counter[str] = field(default_factory=Counter)
    probes: list[datetime] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - weather
        # From a small model next door to a large one that thinks: in seconds, what an answer takes about.
        self._pace = math.exp(self._random.uniform(math.log(0.1), math.log(6)))

    @classmethod
    def over(cls, seed: int, time: VirtualTime, first: date, *, dies: int, back: int) -> Self:
        """Weather from `first` on: the key dies on day `dies`, around the run of that night, and is back on day `back`.

        Around the run of the night after that nobody answers for some hours.
        """
        chance = random.Random(f"weather of {seed}")  # noqa: S311 - weather

        def night(day: int) -> datetime:
            start = utc(first + timedelta(days=day), NIGHTLY_HOUR)
            # Half of the time within the run, the other half before it.
            return start + timedelta(seconds=chance.choice((chance.uniform(0, 20), -chance.uniform(0, 3600))))

        dead = Spell(night(dies), utc(first + timedelta(days=back)) + timedelta(hours=chance.uniform(0, 20)))
        hangs = night(back + 1)
        return cls(seed, time, dead, Spell(hangs, hangs + timedelta(hours=chance.uniform(2, 6))))

    @asynccontextmanager
    async def connect(self, **_: object) -> AsyncIterator[Weather]:
        """See `analysts.gateway.Connect`."""
        yield self

    async def ask(self, question: Question) -> Answer | Failure:
        """See `analysts.endpoint.Endpoint.ask`."""
        found = _SHA.search(question.user)
        sha = found[1] if found else None
        if sha is not None:
            self.asked[sha] += 1
        kind, reply = await self._reply(question, sha)
        self.kinds[kind] += 1
        if sha is not None:
            self.hurried[sha] += kind == "429"
        if question.schema is not None:
            self.in_vain[kind] += kind in {"401", "silence"}
        if isinstance(reply, tuple):
            status, headers, body = reply
            text = json.dumps({"error": {"message": body}})
            return failure_of_response(status, headers, text, redact=Redactor(None), now=self.time.now())
        return reply

    async def _reply(
        self, question: Question, sha: str | None
    ) -> tuple[str, Answer | Failure | tuple[int, dict[str, str], str]]:
        chance, latency = self._random.random(), self._pace * self._random.uniform(0.4, 2.5)
        is_probe = question.schema is None
        if is_probe:
            self.probes.append(self.time.now())
        if self.silent.holds(self.time.now()):
            await asyncio.sleep(self.timeout_seconds)
            return "silence", Failure("transient", f"no answer within {self.timeout_seconds:g} s")
        if self.dead.holds(self.time.now()):
            await asyncio.sleep(0.2)
            return "401", (401, {}, "Incorrect API key provided")
        await asyncio.sleep(latency)
        pieces = estimate_tokens(question.system, 1.0) + estimate_tokens(question.user, 1.0)
        tokens = round(pieces * _TRUE_TOKENS)
        if tokens + question.output_tokens > self.context_tokens:
            told = f"maximum context length is {self.context_tokens} tokens, you requested {tokens}"
            return "400 context", (400, {}, f"This model's {told}")
        for share, failure in _FAULTS:
            if chance < share and not is_probe:
                return failure
        usage = Usage(tokens, 200, 0)
        if chance < _VACUOUS_UP_TO and not is_probe:
            return "vacuous", Answer((json.dumps({"change_type": "s", "summary": "s"}),), "stop", "", usage)
        return "answer", Answer((json.dumps(self._form(question, sha)),), "stop", "", usage)

    def _form(self, question: Question, sha: str | None) -> dict[str, Any]:
        said = f"Replaces the call in {sha or 'main'!s:.7} by one that takes a timeout"
        if question.schema_name == "headline":
            return self._headline(question)
        if question.schema_name == "notes":
            return {"notes": [f"{said}, in this part."]}
        if sha is not None:
            self.answered[sha] += 1
        fields = {name: f"{said} ({name})." for name in ("change_type", "summary")}
        lists = {name: [f"{said} ({name})."] for name in ("summary", "scope", "risks", "advice")}
        insight = {name: f"{said} ({name})." for name in ("architecture", "performance", "security")}
        is_low = question.schema_name.startswith("low")
        return {**lists, "insight": insight, **(fields if is_low else {"change_type": said})}

    def _headline(self, question: Question) -> dict[str, Any]:
        """One that may stand on a page, or one with a pull request that nobody was given, or a commit told twice."""
        about = _DAY.search(question.user)
        assert about is not None  # noqa: S101 - every headline is about commits
        self.composed[about[1]] += 1
        text = f"The call in `{about[2]:.7}` now takes a timeout"
        good = {"text": text, "commits": [about[2]]}
        match self._random.randrange(4):
            case 0:
                return {"sentences": [{**good, "text": f"{text}, see #{INVENTED}"}]}
            case 1:
                return {"sentences": [good, {**good, "text": f"{text}, as was said"}]}
            case _:
                return {
                    "sentences": [
                        {**good, "text": "A call now takes a timeout, which its callers have to set."}
                    ]
                }


INVENTED = 987654321
"""A pull request that no repository has."""

_FAULTS: tuple[tuple[float, tuple[str, tuple[int, dict[str, str], str]]], ...] = (
    (0.01, ("503", (503, {}, "Overloaded"))),
    (0.02, ("429", (429, {"retry-after": "5"}, "Rate limit reached"))),
)
_VACUOUS_UP_TO = 0.03


def most_within(times: Sequence[datetime], window: timedelta) -> int:
    """How many of `times`, which are sorted, lie within any window of that length, its end left out."""
    most = start = 0
    for end, moment in enumerate(times):
        while moment - times[start] >= window:
            start += 1
        most = max(most, end - start + 1)
    return most


def utc(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """A time of a day."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
