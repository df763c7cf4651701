"""Bringing pages to channels: once each, and once more when they are others. Failures are kept, and tried again.

What a channel has stands in the table `deliveries`. A page is claimed there, under the writers' lock, before it is
brought, so that of two processes one brings it. What a process did between bringing a page and writing that down is
found out again where the service can tell: a file by its content, an issue by a mark in its body. A message cannot
be asked for: one that was under way when the process died is sent again once its claim is old.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.delivery import (
    WHOLE,
    Delivery,
    Due,
    Made,
    Parcel,
    differing,
    due,
    targets_of,
)
from digest_pipeline.domain.due import deadline_after, digest_states
from digest_pipeline.errors import ConfigurationError, DeliveryError, DeliveryUnavailable, StoreError
from digest_pipeline.pipeline.pages import digest_path, reader_path, revision
from digest_pipeline.pipeline.readers import ReaderDay, Shelf, reader_day
from digest_pipeline.pipeline.workbench import span
from digest_pipeline.render.brief import brief_of
from digest_pipeline.site.places import absolute, day_page
from digest_pipeline.store.history import Read, Replacement, reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.delivery import FailureClass
    from digest_pipeline.errors import DigestError
    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.place import Place

    Row = Mapping[str, Any]

Result = Literal["sent", "updated", "unchanged", "failed", "busy", "planned"]

_COLUMNS = tuple(column.name for column in fields(Delivery))
_MOMENTS = ("failed_at", "retry_at", "claimed_at", "delivered_at", "first_at")
_REPORTS = "reports/"
_FRESH_DAYS = 3
"""A page that was first tried within so many days of its date may have been brought by itself: a day ends up to a day
after its date, and is yesterday for one more."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a page on its way to a channel; `where` is for a person, `error` is None where all went well."""

    due: Due
    result: Result
    where: str = ""
    error: str | None = None

    def line(self) -> str:
        """One line for a person or a program."""
        page, channel = self.due.made, self.due.target.channel
        what = f"the page of {page.reader}" if page.reader else "the digest"
        if self.error is not None:
            return f"{page.day} {channel}: {what} was not delivered: {self.error}"
        verb = {"planned": "would update" if self.due.is_update else "would send"}.get(
            self.result, self.result
        )
        return f"{page.day} {channel}: {verb} {what}" + (f" ({self.where})" if self.where else "")


def look(read: Read, settings: Settings, now: datetime, days: Sequence[date] | None = None) -> list[Due]:
    """What is to be brought where: what is due by itself, or all of `days` that a channel does not have."""
    last = now.astimezone(settings.timezone).date()
    where = {"first": settings.first_day, "last": last} if days is None else span(days)
    made = [page for page in _made(read, settings, now, where) if days is None or page.day in days]
    delivered = [_delivery(row) for row in read("pipeline/deliveries", where)]
    targets = targets_of(
        {channel.name: channel.kind for channel in settings.channel},
        {reader.name: reader.channels for reader in settings.reader},
    )
    found = differing(targets, made, delivered)
    if days is not None:
        return found
    rows = read("pipeline/begun_channels", {"within": _FRESH_DAYS})
    begun = {(row["channel"], row["reader"]): row["day"] for row in rows}
    return due(found, begun, now=now, timezone=settings.timezone)


def look_from_outside(place: Place, settings: Settings, now: datetime) -> list[Due]:
    """The same over a connection of its own that only reads. Raises StoreError."""
    with reading(place, settings.timezone) as read:
        return look(read, settings, now)


def without_digest(read: Read, settings: Settings, days: Sequence[date]) -> list[date]:
    """Those of `days` that have no digest: nothing can be brought of them."""
    rows = read("pipeline/digests_of_days", {**span(days), "language": settings.language})
    made = {row["day"] for row in rows}
    return [day for day in days if day not in made]


def without_reader_pages(read: Read, settings: Settings, days: Sequence[date]) -> dict[str, list[date]]:
    """The readers whose channels wait for a page of days that have a digest, and that was never looked for."""
    rows = read("pipeline/reader_states", {**span(days), "language": settings.language})
    looked_at = {(row["reader"], row["day"]) for row in rows}
    made = sorted({row["day"] for row in rows}.intersection(days))
    missing = {
        reader.name: [day for day in made if (reader.name, day) not in looked_at]
        for reader in settings.reader
        if reader.channels
    }
    return {name: found for name, found in missing.items() if found}


def deliver(
    bench: Workbench, days: Sequence[date] | None = None, *, dry_run: bool = False
) -> list[Delivered]:
    """Bring what `look` finds; a page that cannot be brought costs itself alone. Raises StoreError."""
    found = look(bench.history.read, bench.settings, bench.now(), days)
    if dry_run:
        return [Delivered(one, "planned") for one in found]
    shelves: dict[date, Shelf] = {}
    return [_deliver(bench, one, shelves) for one in found]


def _deliver(bench: Workbench, one: Due, shelves: dict[date, Shelf]) -> Delivered:
    claimed = _claim(bench, one)
    if claimed == "busy":
        return Delivered(one, "busy", error="another process is at it")
    if claimed == "unchanged":
        return Delivered(one, "unchanged", "another process brought it")
    one = replace(one, before=claimed)
    try:
        day = one.made.day
        parcel, page_revision = _parcel(bench, one, shelves.setdefault(day, Shelf(bench, [day])))
    except StoreError as error:
        return _failed(bench, one, claimed, one.made.revision, "unavailable", error)
    try:
        # A StoreError in here goes on: whether the page was sent is not known, and the claim keeps it from a second go.
        return _brought(bench, one, claimed, parcel, page_revision)
    except DeliveryError as error:
        is_passing = isinstance(error, DeliveryUnavailable)
        kind: FailureClass = "unavailable" if is_passing else "rejected"
        return _failed(bench, one, claimed, page_revision, kind, error)
    except ConfigurationError as error:
        return _failed(bench, one, claimed, page_revision, "configuration", error)


def _brought(bench: Workbench, one: Due, claimed: Delivery, parcel: Parcel, page_revision: str) -> Delivered:
    channel = bench.channel(one.target.channel)
    content = _content(one, parcel)
    if one.is_update and claimed.content == content:
        same = claimed.reached(page_revision, content, parcel.language, remote=claimed.remote, at=None)
        _write(bench, same)
        return Delivered(one, "unchanged")
    is_message = one.target.kind == "apprise"
    # The addresses that have this very message; another one is for all of them.
    remote = claimed.remote if not is_message or claimed.tried == page_revision else None
    where = {"channel": one.target.channel, "reader": one.made.reader, "day": one.made.day}
    previous = [row["remote"] for row in bench.history.read("pipeline/previous_delivery", where)]
    receipt = channel.deliver(parcel, remote, next(iter(previous), None))
    done = claimed.reached(page_revision, content, parcel.language, remote=receipt.remote, at=bench.now())
    _write(bench, done)
    return Delivered(one, "updated" if one.is_update else "sent", receipt.where)


def _failed(
    bench: Workbench,
    one: Due,
    claimed: Delivery,
    revision: str,
    error_class: FailureClass,
    error: DigestError,
) -> Delivered:
    remote, after = None, None
    if isinstance(error, DeliveryError):
        remote, after = error.remote, error.retry_after
    missed = claimed.missed(
        revision, error_class, str(error), remote=remote, now=bench.now(), retry_after=after
    )
    _write(bench, missed)
    return Delivered(one, "failed", error=str(error))


def _claim(bench: Workbench, one: Due) -> Delivery | Literal["busy", "unchanged"]:
    """What the channel has, claimed for this process; else whether another one has it in hand, or brought it."""
    now = bench.now()
    channel, reader, day = one.target.channel, one.made.reader, one.made.day
    found: Delivery | Literal["busy", "unchanged"] = "busy"

    def decide(rows: Sequence[Row]) -> list[Replacement]:
        nonlocal found
        known = _delivery(rows[0]) if rows else None
        if known is not None and (known.is_claimed(now) or known.revision == one.made.revision):
            found = "busy" if known.is_claimed(now) else "unchanged"
            return []
        if known is None:
            known = Delivery(channel, reader, day, bench.settings.language, "sending", first_at=now)
        found = replace(known, claimed_at=now)
        return [_replaced(replace(known, status="sending", claimed_at=now))]

    key = {"channel": channel, "reader": reader, "day": day}
    bench.history.revise("pipeline/delivery", key, decide)
    return found


def _parcel(bench: Workbench, one: Due, shelf: Shelf) -> tuple[Parcel, str]:
    """What is brought, and the revision of the page that it is made from."""
    settings, reader, day = bench.settings, one.made.reader, one.made.day
    if reader == WHOLE:
        rows = bench.history.read("pipeline/digest_page", {"day": day, "language": settings.language})
    else:
        rows = bench.history.read("pipeline/reader_page", {"reader": reader, "day": day})
    if not rows:
        raise StoreError(f"{day}: the page of {reader or 'the digest'} is gone; make the day again")
    [page] = rows
    language: Language = page["language"]
    path = reader_path(reader, day) if reader else digest_path(day)
    found = _of_reader(shelf, reader, day) if reader else _of_all(shelf, day)
    brief = brief_of(
        day,
        language,
        found.pages,
        reader=reader,
        notes=found.notes,
        link=_link(settings, day),
        is_update=one.is_update,
    )
    title = page["markdown"].partition("\n")[0].lstrip("# ")
    return (
        Parcel(reader, day, language, title, path.removeprefix(_REPORTS), page["markdown"], brief),
        page["revision"],
    )


def _of_reader(shelf: Shelf, reader: str, day: date) -> ReaderDay:
    return reader_day(shelf, next(one for one in shelf.bench.settings.readers() if one.name == reader), day)


def _of_all(shelf: Shelf, day: date) -> ReaderDay:
    """All repos' pages of a day, quiet ones among them."""
    found = reader_day(shelf, shelf.bench.settings.everything(), day)
    language = shelf.bench.settings.language
    pages = [shelf.page(repo.name, day, language) for repo in shelf.bench.settings.repos]
    notes = tuple(note for note in found.notes if note[0] != "nothing")
    return replace(found, pages=tuple(page for page in pages if page is not None), notes=notes)


def _content(one: Due, parcel: Parcel) -> str:
    """A hash of what a channel is told: a message is the same where its words are, whatever else the page says."""
    if one.target.kind != "apprise" or parcel.brief is None:
        return revision(parcel.title + parcel.markdown)
    return revision(f"{parcel.brief.content}\n{parcel.brief.link or ''}")


def _link(settings: Settings, day: date) -> str | None:
    """Where the day stands on the site; None where the settings do not say where that is."""
    url = settings.site.url
    return absolute(url, day_page(day)) if url else None


def _made(read: Read, settings: Settings, now: datetime, where: Mapping[str, date]) -> list[Made]:
    asked = {**where, "language": settings.language}
    states = {state.day: state for state in digest_states(read("pipeline/digest_states", asked))}
    deadline = deadline_after(settings.daily_at, settings.digest_deadline_hours)
    found = []
    for row in read("pipeline/made_pages", asked):
        day = row["day"]
        state = states.get(day)
        is_whole = not row["missing"] or now >= day_window(day, settings.timezone).end + deadline
        is_current = state is None or state.inputs == row["made_from"]
        found.append(Made(row["reader"], day, row["revision"], is_settled=is_whole and is_current))
    return found


def _write(bench: Workbench, delivery: Delivery) -> None:
    key = {"channel": delivery.channel, "reader": delivery.reader, "day": delivery.day}
    # Over the row as it is, under the lock; what is in here was claimed, so that nobody else writes it.
    bench.history.revise("pipeline/delivery", key, lambda _: [_replaced(delivery)])


def _replaced(delivery: Delivery) -> Replacement:
    key: dict[str, Any] = {
        "channel": [delivery.channel],
        "reader": [delivery.reader],
        "day": [delivery.day],
    }
    row = asdict(delivery)
    return Replacement(
        "deliveries", key, [row | {name: row[name] and row[name].isoformat() for name in _MOMENTS}]
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(**{column: row[column] for column in _COLUMNS})
