"""The limiter against a server that allows so many questions a second, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from benchmarks.weather import VirtualLoop, VirtualTime
from digest_pipeline.analysts.limiter import BURST, Limiter

if TYPE_CHECKING:
    from collections.abc import Coroutine


def in_virtual_time(work: Coroutine[object, object, None]) -> float:
    """How many virtual seconds it takes."""
    time = VirtualTime(datetime(2026, 2, 22, tzinfo=UTC))
    loop = VirtualLoop(time)
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()
    return time.seconds


class Server:
    """Takes `allowed` questions in any second, answers after `latency`, fails one in a hundred."""

    def __init__(self, allowed: int, latency: float, retry_after: float | None) -> None:
        self.allowed, self.latency, self.retry_after = allowed, latency, retry_after
        self.refused = self.asked = 0
        self._random = random.Random(7)  # noqa: S311 - weather
        self._taken: deque[float] = deque()

    async def ask(self) -> str:
        now = asyncio.get_running_loop().time()
        self.asked += 1
        while self._taken and now - self._taken[0] >= 1:
            self._taken.popleft()
        if len(self._taken) >= self.allowed:
            self.refused += 1
            return "refused"
        self._taken.append(now)
        await asyncio.sleep(self.latency * self._random.uniform(0.5, 1.5))
        return "failed" if self._random.random() < 0.01 else "ok"


async def _ask_all(server: Server, jobs: int, places: int) -> None:
    loop = asyncio.get_running_loop()
    limiter = Limiter(places, clock=loop.time)
    waiting, done = list(range(jobs)), 0

    async def one() -> None:
        nonlocal done
        while True:
            async with limiter.turn() as sent:
                answer = await server.ask()
            match answer:
                case "refused":
                    limiter.refused(sent, server.retry_after)
                case "failed":
                    await asyncio.sleep(1)
                case _:
                    limiter.answered()
                    done += 1
                    return

    under_way: set[asyncio.Task[None]] = set()
    while waiting or under_way:
        while waiting and len(under_way) < limiter.places:
            waiting.pop()
            under_way.add(asyncio.create_task(one()))
        finished, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            task.result()
    assert done == jobs


@pytest.mark.parametrize("retry_after", [None, 1.0], ids=["silent", "with Retry-After"])
@pytest.mark.parametrize(("latency", "places"), [(0.05, 16), (0.2, 16), (0.5, 64), (2.0, 64)])
def test_400_questions_at_a_server_that_allows_20_a_second(
    latency: float, places: int, retry_after: float | None
) -> None:
    server = Server(20, latency, retry_after)

    seconds = in_virtual_time(_ask_all(server, 400, places))

    assert seconds <= 1.3 * (20 + latency)
    assert server.refused < 0.03 * server.asked


def test_where_nothing_is_refused_all_places_are_used_at_once() -> None:
    server = Server(10_000, 2.0, None)

    assert in_virtual_time(_ask_all(server, 19, 8)) <= 1.25 * 6 * 1.5
    assert BURST >= 8


def test_a_pause_holds_for_everybody() -> None:
    async def work() -> None:
        limiter = Limiter(8, clock=asyncio.get_running_loop().time)
        limiter.pause(7)

        async def one() -> None:
            async with limiter.turn():
                pass

        await asyncio.gather(*(one() for _ in range(8)))

    assert in_virtual_time(work()) >= 7


def test_no_more_are_under_way_than_there_are_places() -> None:
    under_way, most = 0, 0

    async def work() -> None:
        limiter = Limiter(3, clock=asyncio.get_running_loop().time)

        async def one() -> None:
            nonlocal under_way, most
            async with limiter.turn():
                under_way += 1
                most = max(most, under_way)
                try:
                    await asyncio.sleep(1)
                finally:
                    under_way -= 1

        tasks = [asyncio.create_task(one()) for _ in range(12)]
        await asyncio.sleep(0.5)
        tasks[5].cancel()  # one that waits; its place goes to the next
        tasks[0].cancel()  # and one that has its place
        await asyncio.gather(*tasks, return_exceptions=True)

    assert in_virtual_time(work()) <= 5
    assert most == 3
