"""400 analyses at a real server that allows 20 questions a second and fails one in a hundred.

`python -m benchmarks.rate`, or `make bench-rate`. The ideal is the same server, its failures among it, asked by
one who knows the rate beforehand: never refused, never late. Exits 1 where an analysis is lost, where the time
exceeds 1.3 times the ideal, or where 3 % or more of the questions were answered 429.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Measured, missed, print_figures, say
from digest_pipeline.analysts import Subject
from digest_pipeline.analysts.gateway import EndpointConfig
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst
from digest_pipeline.domain.commit import FileChange
from digest_pipeline_tests.fakes.openai_server import OpenAIServer, Recorded, Reply, error, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest_pipeline.domain.analysis import Outcome

ALLOWED = 20
JOBS = 400
MOST_TIMES_IDEAL = 1.3
MOST_REFUSED = 0.03
LATENCIES = (0.05, 0.5, 2.0)
_PLACES = 64


class Allowance:
    """What a server takes in any second; more is answered 429, and one in a hundred of the rest 503."""

    def __init__(self, latency: float, retry_after: str | None) -> None:
        self.refused = 0
        self._headers = {} if retry_after is None else {"retry-after": retry_after}
        self._fates = _fates(latency)
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def reply(self, request: Recorded) -> Reply:
        """What becomes of one question."""
        with self._lock:
            now = time.monotonic()
            while self._taken and now - self._taken[0] >= 1:
                self._taken.popleft()
            if len(self._taken) >= ALLOWED:
                self.refused += 1
                return error(429, "Rate limit reached", headers=self._headers)
            self._taken.append(now)
            fails, pause = next(self._fates)
        return (error(503, "Overloaded") if fails else well_formed(request)).after(pause)


def _fates(latency: float) -> Iterator[tuple[bool, float]]:
    """For one question after the other: whether it fails, and the seconds until that or its answer."""
    weather = random.Random(7)  # noqa: S311
    while True:
        yield weather.random() < 1 / 100, latency * weather.uniform(0.5, 1.5)


def ideal_seconds(latency: float) -> float:
    """What one takes who asks as soon as the server allows, and what failed again at once."""
    fates = _fates(latency)
    again = [0.0] * JOBS  # from when on each question may be asked
    sent: list[float] = []
    end = 0.0
    while again:
        may_at = heapq.heappop(again)
        at = max(may_at, sent[-ALLOWED] + 1 if len(sent) >= ALLOWED else 0.0)
        fails, pause = next(fates)
        sent.append(at)
        end = max(end, at + pause)
        if fails:
            heapq.heappush(again, at + pause)
    return end


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rate", description=__doc__)
    parser.parse_args()
    measured = list(figures())
    print_figures(measured)
    return 1 if missed(measured) else 0


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    del chosen, folder
    return Measured(f"{JOBS} analyses at a server that allows {ALLOWED} a second", list(figures()))


def figures() -> Iterator[Figure]:
    """Each latency, with `Retry-After` and without; then the worst of the refusals, and what is lost."""
    shares: list[float] = []
    missing = 0
    for latency in LATENCIES:
        for retry_after in (None, "1"):
            says = "no Retry-After" if retry_after is None else f"Retry-After of {retry_after} s"
            say(f"answers after {latency:g} s, {says}")
            seconds, asked, refused, lost = measure(latency, retry_after)
            shares.append(refused / asked)
            missing += lost
            name = f"answers after {latency:g} s, {says}"
            yield Figure.at_most(
                MOST_TIMES_IDEAL,
                "rate",
                name,
                seconds,
                "s",
                "never refused, never late",
                ideal_seconds(latency),
            )
    worst = 100 * max(shares)
    yield Figure(
        "rate", "questions refused, at most", worst, "%", wanted="below 3 %", held=worst < 100 * MOST_REFUSED
    )
    yield Figure.none("rate", "analyses lost", missing)


def measure(latency: float, retry_after: str | None) -> tuple[float, int, int, int]:
    """Seconds from the first question to the last answer; questions, those refused, analyses that are missing."""
    allowance = Allowance(latency, retry_after)
    with OpenAIServer(allowance.reply) as server:
        analyst = OpenAICompatibleAnalyst(
            [EndpointConfig(server.url, "m", concurrency=_PLACES)], now=lambda: datetime.now(UTC)
        )
        import_module("digest_pipeline.analysts.endpoint")  # loads for most of a second
        began = time.monotonic()
        outcomes = asyncio.run(_explain(analyst, [_subject(number) for number in range(JOBS)]))
        seconds = time.monotonic() - began
        asked = len(server.requests)
    return seconds, asked, allowance.refused, JOBS - sum(outcome.status == "ok" for outcome in outcomes)


async def _explain(analyst: OpenAICompatibleAnalyst, subjects: list[Subject]) -> list[Outcome]:
    return [outcome async for batch in analyst.analyse(subjects) for _, outcome in batch]


def _subject(number: int) -> Subject:
    return Subject(
        repo="octo/tool",
        sha=f"{number:040x}",
        message=f"fix: number {number} (#{number})",
        author_name="Ada",
        committed_at=datetime(2026, 2, 21, tzinfo=UTC),
        tier="low",
        files=(
            FileChange(
                "src/run.py",
                None,
                "modified",
                1,
                1,
                f"@@ -1,1 +1,1 @@\n-old({number})\n+new({number})",
                "text",
            ),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
