"""Days: from a calendar date in the configured timezone to the half-open window of instants that it covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of instants, `start <= t < end`; both are in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def day_window(day: date, timezone: ZoneInfo) -> Window:
    """The window of `day`: local midnight to local midnight, 23 or 25 hours where the clock changes."""
    return Window(_midnight(day, timezone), _midnight(day + timedelta(days=1), timezone))


def span_window(days: Iterable[date], timezone: ZoneInfo) -> Window:
    """The one window that covers all of `days`, from the first one's midnight to the last one's end."""
    ordered = sorted(days)
    return Window(_midnight(ordered[0], timezone), _midnight(ordered[-1] + timedelta(days=1), timezone))


def day_of(moment: datetime, timezone: ZoneInfo) -> date:
    """The day whose window holds `moment`."""
    day = moment.astimezone(timezone).date()
    # A clock that is set back over midnight shows the last hour of the old day once more, in the new one.
    after = day + timedelta(days=1)
    return after if _midnight(after, timezone) <= moment else day


def is_over(day: date, *, now: datetime, timezone: ZoneInfo) -> bool:
    """Whether the whole of `day` lies in the past, so that no commit of it is still to come."""
    return day_window(day, timezone).end <= now


def yesterday(now: datetime, timezone: ZoneInfo) -> date:
    """The last day that is over."""
    return now.astimezone(timezone).date() - timedelta(days=1)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included; none where `last` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _midnight(day: date, timezone: ZoneInfo) -> datetime:
    # Where the clock jumps over midnight, fold=0 gives the instant of the jump, for the end of one day and
    # the start of the next alike: no commit falls between them. In UTC, for Python compares two times of one
    # zone by what their clocks show.
    return datetime.combine(day, time.min, tzinfo=timezone).astimezone(UTC)
