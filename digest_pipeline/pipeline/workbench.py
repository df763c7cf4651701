"""What every step works with: settings, history, sources, the clock, and how rows of days are read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from digest_pipeline.errors import ConfigurationError, SourceError, SourceRejected
from digest_pipeline.pipeline.books import Books, open_purse
from digest_pipeline.pipeline.tally import Progress, Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from digest_pipeline.alarms import Messenger
    from digest_pipeline.analysts import Analyst, Memory, Spending
    from digest_pipeline.deliver import Channel
    from digest_pipeline.errors import DigestError
    from digest_pipeline.pipeline.books import Purse
    from digest_pipeline.settings import ChannelSettings, RepoSettings, Settings
    from digest_pipeline.sources import Head, Source
    from digest_pipeline.store.history import History

    Row = Mapping[str, Any]


class OpenAnalyst(Protocol):
    """See `compose.open_analyst`."""

    def __call__(
        self,
        settings: Settings,
        *,
        memory: Memory,
        spending: Spending,
        by_hand: bool,
        now: Callable[[], datetime],
    ) -> Analyst:
        """The analyst that the settings name."""
        ...


OpenChannel = Callable[["ChannelSettings"], "Channel"]
"""See `compose.open_channel`."""

BATCH_BYTES = 8 << 20
"""Text in one transaction: 8 MB kept a run over 229 days below 600 MB; more is no faster."""

BATCH_DAYS = 62
"""Days whose commits are held in memory at once, without their patches."""
BATCH_PAGES = 124
"""Pages that are held at once where those of all repos go into one: some 30 kB each, a few times."""


@dataclass(slots=True)
class StepResult:
    """What one step did: counts for each day that was done, the error for each that was not.

    `elsewhere` are days besides these whose pages would say something else now.
    """

    done: dict[date, dict[str, Any]] = field(default_factory=dict)
    failed: dict[date, DigestError] = field(default_factory=dict)
    elsewhere: list[date] = field(default_factory=list)


class Workbench:
    """Sources are opened when first needed, refreshed once, closed with `close`; a failure is not tried twice.

    `by_hand` is a run that a person started: it tries again what would wait for its time otherwise.
    """

    def __init__(
        self,
        settings: Settings,
        history: History,
        *,
        open_source: Callable[[RepoSettings, Path], Source],
        open_analyst: OpenAnalyst,
        now: Callable[[], datetime],
        by_hand: bool = True,
        progress: Progress = lambda *_: None,
        open_messenger: Callable[[Settings], Messenger | None] = lambda _: None,
        open_channel: OpenChannel | None = None,
    ) -> None:
        self.settings = settings
        self.history = history
        self.now = now
        self.by_hand = by_hand
        self.progress = Tally(progress)
        self.open_messenger = open_messenger
        self._open_channel = open_channel
        self._channels: dict[str, Channel] = {}
        self._open_source = open_source
        self._open_analyst = open_analyst
        self._sources: dict[str, tuple[Source, Head] | SourceError] = {}

    def source(self, repo: str) -> tuple[Source, Head]:
        """The repo's source, brought up to date, and where its branch stands. Raises SourceError."""
        if repo not in self._sources:
            try:
                self._sources[repo] = self._refreshed(repo)
            except SourceError as error:
                self._sources[repo] = error
            except ConfigurationError as error:  # a token's variable that is not set
                self._sources[repo] = SourceRejected(str(error), repo=repo)
        opened = self._sources[repo]
        if isinstance(opened, SourceError):
            raise opened
        return opened

    def _refreshed(self, repo: str) -> tuple[Source, Head]:
        source = self._open_source(self.settings.repo(repo), self.settings.data_dir)
        try:
            return source, source.refresh()
        except BaseException:
            source.close()
            raise

    def channel(self, name: str) -> Channel:
        """A channel of the settings, opened once. Raises ConfigurationError where its variable is not set."""
        if name not in self._channels:
            settings = self.settings.channel_called(name)
            if self._open_channel is None:
                raise ConfigurationError(f'channel "{name}": nothing is delivered from here')
            self._channels[name] = self._open_channel(settings)
        return self._channels[name]

    @cached_property
    def analyst(self) -> Analyst:
        """The analyst that the settings name: one for all steps, so that what it learned of its endpoint holds.

        Raises ConfigurationError where its key is not there.
        """
        return self._open_analyst(
            self.settings, memory=self.books, spending=self.purse, by_hand=self.by_hand, now=self.now
        )

    @cached_property
    def books(self) -> Books:
        """What is remembered of answers, and of the endpoints that the settings name."""
        return Books(self.settings, self.history, self.now)

    @cached_property
    def purse(self) -> Purse:
        """What today's budget has left; one for all steps of a run."""
        return open_purse(self.settings, self.history, self.now)

    def rows(self, query: str, repo: str, days: Sequence[date], **more: object) -> list[dict[str, Any]]:
        """A query's rows for exactly these days; the query takes a range, which may hold others."""
        parameters = {"repo": repo, **span(days), **more}
        wanted = set(days)
        found = self.history.read(f"pipeline/{query}", parameters)
        return [row for row in found if row.get("day") is None or row["day"] in wanted]

    def by_day(
        self, query: str, repo: str, days: Sequence[date], **more: object
    ) -> dict[date, list[dict[str, Any]]]:
        """The same, grouped; every day has a list."""
        grouped: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
        for row in self.rows(query, repo, days, **more):
            grouped[row["day"]].append(row)
        return grouped

    def collected(self, repo: str, days: Sequence[date]) -> set[date]:
        """The days whose commits were read at some time."""
        return {row["day"] for row in self.rows("reads", repo, days) if row["head_sha"] is not None}

    def close(self) -> None:
        """Give back what the sources hold, and close the history."""
        with ExitStack() as closing:
            closing.callback(self.history.close)
            for channel in self._channels.values():
                closing.callback(channel.close)
            self._channels.clear()
            for opened in self._sources.values():
                if not isinstance(opened, SourceError):
                    closing.callback(opened[0].close)
            self._sources.clear()


def span(days: Sequence[date]) -> dict[str, date]:
    """The range of days that the queries take."""
    return {"first": min(days), "last": max(days)}


def batches(days: Sequence[date], most: int = BATCH_DAYS) -> Iterator[list[date]]:
    """`days` in their order, at most `most` at a time."""
    for start in range(0, len(days), most):
        yield list(days[start : start + most])


def batches_over(repos: Collection[object], days: Sequence[date]) -> Iterator[list[date]]:
    """`days` in their order, at most so many at a time as have BATCH_PAGES pages of `repos`; at least one."""
    return batches(days, max(1, min(BATCH_DAYS, BATCH_PAGES // max(1, len(repos)))))


def by_bytes(rows: Sequence[Row], column: str) -> Iterator[list[Row]]:
    """`rows` in batches of about BATCH_BYTES of text in `column`."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[column])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def reading_beside(name: str) -> Iterator[ThreadPoolExecutor]:
    """A thread that asks the history while the caller does, `name` for who looks at threads.

    Where the caller fails, or is told to end, it does not wait for what that is at: it only reads, and closing the
    history interrupts it.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix=name)
    try:
        yield thread
    except BaseException:
        thread.shutdown(wait=False, cancel_futures=True)
        raise
    thread.shutdown()


def as_stored(row: Row) -> dict[str, Any]:
    """A row that was read, as it is written: times as text."""
    # In UTC: a local time of long ago may have an offset that DuckDB does not read.
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def utc_now() -> datetime:
    """The clock that shells hand in."""
    return datetime.now(UTC)
