"""Asking an analyst about invented commits, in time that stands still."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Subject
from digest_pipeline.analysts.gateway import EndpointConfig
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst, probe
from digest_pipeline.domain.commit import FileChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_pipeline.domain.analysis import Outcome
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline_tests.fakes.openai_server import OpenAIServer

NOW = datetime(2026, 2, 22, 2, 0, tzinfo=UTC)
KEY = "key-0123456789-abcdefgh"
PATCH = "@@ -1,2 +1,3 @@ def run():\n-    old()\n+    new()\n+    more()\n     done()"
LOW = {"change_type": "fix", "importance": "low", "summary": "Runs `new` in place of `old`."}


class Waits(list[float]):
    """A sleep that takes no time and remembers how long it was asked to take, and the clock that it moves."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)

    def clock(self) -> float:
        """Seconds slept."""
        return 1000 + sum(self)


def subject(number: int = 1, *, tier: Tier = "low", **changed: object) -> Subject:
    fields: dict[str, Any] = {
        "repo": "octo/tool",
        "sha": hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest(),
        "message": f"fix: number {number} (#{number})",
        "author_name": "Ada",
        "committed_at": NOW - timedelta(hours=5),
        "tier": tier,
        "files": (FileChange("src/run.py", None, "modified", 2, 1, PATCH, "text"),),
    }
    return Subject(**(fields | changed))


ENDPOINT = {field.name for field in fields(EndpointConfig)}


def analyst(server: OpenAIServer, **changed: Any) -> OpenAICompatibleAnalyst:  # noqa: ANN401 - options of two objects
    waits = changed.pop("sleep", Waits())
    options: dict[str, Any] = {
        "base_url": server.url,
        "model": "m-1",
        "api_key": KEY,
        "timeout_seconds": 10,
        "now": lambda: NOW,
        "sleep": waits,
        "clock": waits.clock if isinstance(waits, Waits) else time.monotonic,
        **changed,
    }
    config = EndpointConfig(**{name: value for name, value in options.items() if name in ENDPOINT})
    return OpenAICompatibleAnalyst(
        [config], **{name: value for name, value in options.items() if name not in ENDPOINT}
    )


def run(asked: OpenAICompatibleAnalyst, subjects: Sequence[Subject]) -> list[Outcome]:
    """The outcomes in the order of `subjects`."""

    async def collect() -> dict[str, Outcome]:
        return {one.sha: outcome async for batch in asked.analyse(subjects) for one, outcome in batch}

    outcomes = asyncio.run(collect())
    assert len(outcomes) == len(subjects)
    return [outcomes[one.sha] for one in subjects]


def explain(asked: OpenAICompatibleAnalyst, one: Subject | None = None) -> Outcome:
    return run(asked, [one or subject()])[0]


def explain_probe(server: OpenAIServer, key: str | None = KEY) -> str | None:
    return asyncio.run(probe(EndpointConfig(server.url, "m-1", key)))


def big(number: int = 1) -> Subject:
    hunk = "@@ -1 +1,200 @@\n" + "\n".join(f"+value_{line} = compute({line})" for line in range(200))
    files = tuple(
        FileChange(f"src/m{index}.py", None, "modified", 200, 0, hunk, "text") for index in range(60)
    )
    return subject(number, files=files)
