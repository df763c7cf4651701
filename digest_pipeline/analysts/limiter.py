"""How fast a run may ask: places, a rate that is learned from refusals, and a gate that closes for a while.

The rate follows CUBIC (RFC 9438), as the adaptive mode of AWS's SDKs does: after a refusal it falls to `BETA`
of what was reached, comes back to that within seconds, stays near it, and only then tries more. Places alone
cannot hold a rate: with quick answers two of them may be too many and one too few.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

FIRST_RATE = 10.0
"""Questions a second in the first second; it doubles each second until something is refused."""

BURST = 8
"""So many may begin at once, before the rate counts."""

BETA = 0.97
MARGIN = 0.95
"""Of what was reached, so much counts as what the endpoint takes: on the wire questions bunch together."""

GROWTH = 0.005
"""CUBIC's C: how steeply the rate comes back, in questions a second, by the third power of seconds."""

FLATTER = 8
"""A second refusal at the same rate: it is a limit, and the way past it is so many times less steep."""

_MOST_CONFIRMED = 2
_AGREES = 0.9

DEFAULT_PAUSE_SECONDS = 0.5
LOWEST_CEILING = 1.0

_EPSILON = 1e-6
_LATE_SECONDS = 0.1
_SHORTEST_WAIT = 1e-3


class Limiter:
    """Shared by all questions of a run at one endpoint.

    `places` is how many may be under way, `clock` counts seconds. Additive increase: after a refusal places
    come back one by one, each after as many answers as there are places.
    """

    def __init__(
        self,
        places: int,
        *,
        cautious: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._most = places
        self._places = 1.0 if cautious else float(places)
        self._cautious = cautious
        self._clock = clock
        self._sleep = sleep
        self._opens_at = 0.0
        self._started = clock()
        self._tokens = float(BURST)
        self._filled_at = self._started
        self._ceiling: float | None = None
        self._confirmed = 0
        self._refused_at = 0.0
        self._sent: deque[float] = deque(maxlen=512)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def places(self) -> int:
        """How many questions may be under way."""
        return max(1, int(self._places))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Wait for a place, and until the next question may be sent; when it was, for `refused`.

        The place is taken until the end of the block.
        """
        while self._under_way >= self.places:
            await self._place()
        self._under_way += 1
        try:
            while (wait := self._wait()) > 0:
                await self._sleep(wait)
            sent_at = self._clock()
            self._sent.append(sent_at)
            yield sent_at
        finally:
            self._under_way -= 1
            self._wake()

    def answered(self) -> None:
        """The endpoint took a question."""
        if self._cautious:
            self._cautious = False
            self._places = float(self._most)
        else:
            self._places = min(self._most, self._places + 1 / max(self._places, 1))

    def refused(self, sent_at: float, retry_after: float | None) -> None:
        """A question that was sent at `sent_at` came too soon."""
        now = self._clock()
        with suppress(ValueError):
            self._sent.remove(sent_at)
        reached = self._reached(now)  # before the gate closes: the rate counts from its opening
        self.pause(DEFAULT_PAUSE_SECONDS if retry_after is None else retry_after)
        if self._ceiling is not None and sent_at <= self._refused_at:
            return  # sent before we knew: one burst is one refusal
        agrees = self._ceiling is not None and reached >= _AGREES * self._ceiling
        self._confirmed = min(self._confirmed + 1, _MOST_CONFIRMED) if agrees else 0
        self._ceiling = max(MARGIN * reached, LOWEST_CEILING)
        self._refused_at = now
        self._tokens = 1.0  # one goes as soon as the gate opens, the others behind it
        self._places = max(1.0, self._places * BETA)

    def pause(self, seconds: float) -> None:
        """Send nothing for `seconds`."""
        self._opens_at = max(self._opens_at, self._clock() + seconds)

    @property
    def rate(self) -> float:
        """Questions a second that may be sent now."""
        now = self._clock()
        if self._ceiling is None:
            return float(FIRST_RATE * 2 ** min((now - self._started) // 1, 20))
        # K of RFC 9438: after so many seconds the rate is back at the ceiling.
        growth = GROWTH / FLATTER**self._confirmed
        back = (self._ceiling * (1 - BETA) / growth) ** (1 / 3)
        grown = growth * (max(now - max(self._refused_at, self._opens_at), 0.0) - back) ** 3 + self._ceiling
        return float(max(grown, BETA * LOWEST_CEILING))

    async def _place(self) -> None:
        """Wait until a place may be free; the caller looks whether it is."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting = deque(other for other in self._waiting if other is not turn)
            self._wake()  # it may have been this one's
            raise

    def _wake(self) -> None:
        for _ in range(self.places - self._under_way):
            if self._waiting:
                turn = self._waiting.popleft()
                if not turn.done():
                    turn.set_result(None)

    def _reached(self, now: float) -> float:
        """What was sent in a second and not refused: what the endpoint does take.

        At first the best second counts: the last one may have been spent on other work.
        """
        if self._ceiling is None:
            return float(_most_in_a_second(self._sent))
        taken = float(sum(1 for at in self._sent if now - at <= 1))
        return min(max(taken, BETA * self._ceiling), self.rate)

    def _wait(self) -> float:
        now = self._clock()
        if now < self._opens_at:
            return max(self._opens_at - now, _SHORTEST_WAIT)
        rate = self.rate
        # What a busy processor slept too long is made up for, within a tenth of a second's worth.
        most = float(BURST) if self._ceiling is None else max(1.0, _LATE_SECONDS * rate)
        self._tokens = min(most, self._tokens + (now - max(self._filled_at, self._opens_at)) * rate)
        self._filled_at = now
        if self._tokens >= 1 - _EPSILON:
            self._tokens = max(self._tokens - 1, 0.0)
            return 0.0
        return max((1 - self._tokens) / rate, _SHORTEST_WAIT)


def _most_in_a_second(times: Iterable[float]) -> int:
    """The most of `times`, ascending, that lie within one second."""
    window: deque[float] = deque()
    most = 0
    for at in times:
        window.append(at)
        while at - window[0] >= 1:
            window.popleft()
        most = max(most, len(window))
    return most
