"""Channels over real sockets; nobody waits between two requests that write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.deliver.github_file import GitHubFile
from digest_pipeline.deliver.github_issue import GitHubIssue
from digest_pipeline.deliver.hub import Hub
from digest_pipeline.domain.delivery import Parcel
from digest_pipeline.sources.github_api import GitHubApi
from digest_pipeline_tests.fakes.hub import TOKEN, FakeHub

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = date(2026, 2, 21)


@dataclass
class Clock:
    """A clock that goes on when somebody sleeps."""

    time: float = 1_771_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


@pytest.fixture
def hub(fake: FakeHub, clock: Clock) -> Iterator[Hub]:
    api = GitHubApi(
        repo="channel news",
        api_url=fake.api_url,
        token=TOKEN,
        sleep=clock.sleep,
        now=clock.now,
        user_agent="digest-pipeline",
        max_wait_seconds=120,
    )
    opened = Hub(api, api_url=fake.api_url, repo=fake.repo)
    yield opened
    opened.close()


@pytest.fixture
def files(hub: Hub) -> GitHubFile:
    return GitHubFile(hub, folder="reports")


@pytest.fixture
def issues(hub: Hub) -> GitHubIssue:
    return GitHubIssue(hub, channel="news", host="github.com")


def parcel(markdown: str = "# A day\n\ntext\n", *, day: date = DAY, reader: str = "") -> Parcel:
    path = f"readers/{reader}/{day:%Y}/{day}.md" if reader else f"daily/{day:%Y}/{day}.md"
    return Parcel(reader, day, "en", f"Daily digest ({day})", path, markdown)
