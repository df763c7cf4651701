"""Partitions: a day and a repo, as `2026-02-21|owner/name`; the digest by day alone, rollups by their first day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

from digest_pipeline.domain.period import Kind, Month, Week
from digest_pipeline.settings import Settings

DAY = "day"
REPO = "repo"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


class Partitions:
    """The partitions of these settings: `days`, `repo_days`, and `periods` by kind.

    A day has a partition once it is over, cut at local midnight; with `today`, also the one under way. Repos
    come from the file: append to it, and history stays where it is. Weeks and months begin with those that hold
    `first_day`, and the last is the one under way, so that it can be made by hand.
    """

    def __init__(self, settings: Settings, *, today: bool = False) -> None:
        self.days = dg.DailyPartitionsDefinition(
            start_date=settings.first_day.isoformat(), timezone=settings.timezone.key, end_offset=int(today)
        )
        self.repo_days = dg.MultiPartitionsDefinition(
            {DAY: self.days, REPO: dg.StaticPartitionsDefinition([repo.name for repo in settings.repos])}
        )
        zone = settings.timezone.key
        week, month = Week.of(settings.first_day), Month.of(settings.first_day)
        self.periods: Mapping[Kind, dg.TimeWindowPartitionsDefinition] = {
            "weekly": dg.WeeklyPartitionsDefinition(
                start_date=week.first.isoformat(), timezone=zone, day_offset=1, end_offset=1
            ),
            "monthly": dg.MonthlyPartitionsDefinition(
                start_date=month.first.isoformat(), timezone=zone, end_offset=1
            ),
        }


def partition_key(day: date, repo: str) -> dg.MultiPartitionKey:
    """The key of a repo's day."""
    return dg.MultiPartitionKey({DAY: day.isoformat(), REPO: repo})


def by_repo(keys: Iterable[str]) -> dict[str, list[date]]:
    """The days of each repo, oldest first, in the order in which the repos come."""
    grouped: dict[str, list[date]] = defaultdict(list)
    for key in keys:
        day, repo = _split(key)
        grouped[repo].append(date.fromisoformat(day))
    return {repo: sorted(days) for repo, days in grouped.items()}


def range_tags(first: date, last: date, repos: Sequence[str]) -> Mapping[str, str]:
    """The tags of one run over a range of days and consecutive repos."""
    return {
        RANGE_START: str(partition_key(first, repos[0])),
        RANGE_END: str(partition_key(last, repos[-1])),
    }


def _split(key: str) -> tuple[str, str]:
    if isinstance(key, dg.MultiPartitionKey):
        return key.keys_by_dimension[DAY], key.keys_by_dimension[REPO]
    # Dagster joins the dimensions in alphabetical order: day, repo.
    day, _, repo = key.partition("|")
    return day, repo
