"""That a run's process lives, as it says itself: the process writes into the broker, the daemon's launcher reads.

A worker is not asked. It answers nobody any more as soon as it has been told to end, though its runs go on; and it is
the process that counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

BEAT_SECONDS = 5.0
_TIMEOUT_SECONDS = 3.0
_KEPT_SECONDS = 86400


@contextmanager
def beating(url: str, task: str, *, every_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """While it lasts, another value every few seconds under the task's key. A broker that is away is tried again."""
    client = _client(url)
    over = threading.Event()

    def beat() -> None:
        while True:
            with suppress(redis.RedisError):
                # Compared with the one before only: clocks of two machines need not agree.
                client.set(_key(task), time.time_ns(), ex=_KEPT_SECONDS)
            if over.wait(every_seconds):
                return

    thread = threading.Thread(target=beat, name="run-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_TIMEOUT_SECONDS)
        client.close()


class Heartbeats:
    """What was last heard of which task."""

    def __init__(self, url: str) -> None:
        self._client = _client(url)

    def last(self, task: str) -> str:
        """Something that differs from what it was before the last beat; empty where there was none.

        Raises redis.RedisError where the broker cannot be asked.
        """
        found = self._client.get(_key(task))
        return found.decode("ascii") if isinstance(found, bytes) else ""


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_connect_timeout=_TIMEOUT_SECONDS, socket_timeout=_TIMEOUT_SECONDS, socket_keepalive=True
    )


def _key(task: str) -> str:
    return f"digest/heartbeat/{task}"
