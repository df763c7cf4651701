"""What is to be brought where: pages that stand, against what each channel already has. Decisions over rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.day import yesterday

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.analysis import Language

ChannelKind = Literal["github_file", "github_issue", "apprise"]
DeliveryStatus = Literal["sending", "delivered", "failed"]
FailureClass = Literal["unavailable", "rejected", "configuration"]

WHOLE = ""
"""The reader of the whole digest: in the place of a name, which is never empty."""

RECENT_DAYS = 7
"""So many days back a day that was never delivered is news; yesterday is the first of them."""

CLAIM = timedelta(minutes=30)
"""Longer than one page takes to be brought anywhere: a claim that is older is that of a process that died."""

WAITS = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(days=1),
)
"""How long a channel rests after one try of a page in vain, after two, …; after the last it is left to a person."""


@dataclass(frozen=True, slots=True)
class Brief:
    """A day as a message: plain text in which nothing acts, the most important line first.

    `more` has {count} for how many lines were left out; `link` is ours, and `html` says the same as the lines.
    `content` is what of it makes another message: not how the day compares with those before.
    """

    title: str
    lines: tuple[str, ...]
    more: str
    link: str | None
    html: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One reader's day, for any kind of channel; `path` counts from the folder of the pages."""

    reader: str
    day: date
    language: Language
    title: str
    path: str
    markdown: str
    brief: Brief | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel says of a parcel that it has: how to find it again, and where it is, for a person."""

    remote: str
    where: str


@dataclass(frozen=True, slots=True)
class Target:
    """A channel and whose pages go there."""

    channel: str
    kind: ChannelKind
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A page that stands; it is settled once it is made from all that is there, or nothing more is waited for."""

    reader: str
    day: date
    revision: str
    is_settled: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a channel has of a reader's day: `revision` is None where it never came, `tried` the last one tried."""

    channel: str
    reader: str
    day: date
    language: Language
    status: DeliveryStatus
    attempts: int = 0
    revision: str | None = None
    tried: str | None = None
    content: str | None = None
    remote: str | None = None
    error_class: FailureClass | None = None
    error: str | None = None
    failed_at: datetime | None = None
    retry_at: datetime | None = None
    claimed_at: datetime | None = None
    delivered_at: datetime | None = None
    first_at: datetime | None = None

    def is_claimed(self, now: datetime) -> bool:
        """Whether a process has it in its hands."""
        return self.claimed_at is not None and self.claimed_at > now - CLAIM

    def reached(
        self, revision: str, content: str, language: Language, *, remote: str | None, at: datetime | None
    ) -> Delivery:
        """The channel has this page; `at` is None where it had the same already."""
        return replace(
            self,
            status="delivered",
            attempts=0,
            revision=revision,
            tried=None,
            content=content,
            language=language,
            remote=remote,
            error_class=None,
            error=None,
            failed_at=None,
            retry_at=None,
            claimed_at=None,
            delivered_at=at or self.delivered_at,
        )

    def missed(
        self,
        revision: str,
        error_class: FailureClass,
        error: str,
        *,
        remote: str | None,
        now: datetime,
        retry_after: float | None,
    ) -> Delivery:
        """The channel did not take this page, or not all of it. A try by hand, before its time, uses up none."""
        is_before_its_time = self.retry_at is not None and now < self.retry_at
        attempts = max(self.attempts + (not is_before_its_time), 1) if self.tried == revision else 1
        return replace(
            self,
            status="failed",
            attempts=attempts,
            tried=revision,
            remote=remote or self.remote,
            error_class=error_class,
            error=error,
            failed_at=now,
            retry_at=_later(self.retry_at, now, retry_after)
            if is_before_its_time and self.tried == revision
            else retry_at(attempts, now=now, retry_after=retry_after),
            claimed_at=None,
        )


@dataclass(frozen=True, slots=True)
class Due:
    """A page to be brought to a channel; `before` is what the channel has of it."""

    target: Target
    made: Made
    before: Delivery | None = field(default=None)

    @property
    def is_update(self) -> bool:
        """Whether the channel has an older one."""
        return self.before is not None and self.before.revision is not None


def targets_of(channels: Mapping[str, ChannelKind], readers: Mapping[str, Collection[str]]) -> list[Target]:
    """Whose pages go to which channel; `readers` are names with the channels that each names.

    A channel that no reader names gets the whole digest.
    """
    found = []
    for channel, kind in channels.items():
        theirs = tuple(name for name, named in readers.items() if channel in named)
        found.append(Target(channel, kind, theirs or (WHOLE,)))
    return found


def differing(targets: Iterable[Target], made: Iterable[Made], delivered: Iterable[Delivery]) -> list[Due]:
    """Every page that a channel does not have, or has as it was: by channel, then reader, then day."""
    stand = sorted(made, key=lambda page: (page.reader, page.day))
    known = {(one.channel, one.reader, one.day): one for one in delivered}
    found = []
    for target in targets:
        for page in stand:
            before = known.get((target.channel, page.reader, page.day))
            if page.reader in target.readers and (before is None or before.revision != page.revision):
                found.append(Due(target, page, before))
    return found


def due(
    differing: Iterable[Due],
    begun: Mapping[tuple[str, str], date],
    *,
    now: datetime,
    timezone: ZoneInfo,
) -> list[Due]:
    """Of these, what is to be brought by itself now; `begun` is the earliest day that a channel has of a reader.

    A channel begins with yesterday, and is not flooded with the past: a day that it never got is brought within
    RECENT_DAYS. One that it got is kept up to date: a file or an issue whatever its age, a message for as long.
    """
    newest = yesterday(now, timezone)
    oldest = newest - timedelta(days=RECENT_DAYS - 1)
    found = []
    for one in differing:
        begins = begun.get((one.target.channel, one.made.reader), newest)
        is_news = one.made.day >= max(oldest, begins)
        is_kept = one.is_update and one.target.kind != "apprise"
        if one.made.is_settled and (is_news or is_kept) and _may_be_tried(one, now):
            found.append(one)
    return found


def _may_be_tried(one: Due, now: datetime) -> bool:
    before = one.before
    if before is None:
        return True
    if before.is_claimed(now):
        return False
    if before.status == "failed" and before.tried == one.made.revision:
        return before.retry_at is not None and before.retry_at <= now
    return True


def _later(at: datetime | None, now: datetime, retry_after: float | None) -> datetime | None:
    """The time that stands, or what the service asks for now, where that is later."""
    return max(at, now + timedelta(seconds=retry_after or 0)) if at is not None else None


def retry_at(attempts: int, *, now: datetime, retry_after: float | None) -> datetime | None:
    """When a page is tried again after so many tries in vain; None where it is left to a person."""
    if attempts > len(WAITS):
        return None
    return now + max(WAITS[attempts - 1], timedelta(seconds=retry_after or 0))
