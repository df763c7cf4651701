"""The state of a history: which days are there, missing, failed. Decisions over rows, nothing read here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from digest_pipeline.domain.day import days_between

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date


@dataclass(frozen=True, slots=True)
class RepoState:
    """A repo's days from the first to the last that can be made; `rows` are the days that were asked for."""

    repo: str
    rows: tuple[Mapping[str, Any], ...]
    missing: tuple[date, ...]

    def days(self, state: str) -> list[Mapping[str, Any]]:
        """The days in one state: `made`, `failed` (could not be read), `unfinished` (read, no page)."""
        return [row for row in self.rows if row["state"] == state]

    def in_language(self, language: str) -> RepoState:
        """The same without the days that were made in another language alone, and have failed or changed in none."""
        rows = (row for row in self.rows if row["language"] == language or row["state"] != "made")
        return replace(self, rows=tuple(rows))

    def count(self, column: str) -> int:
        """The sum of a column over all days."""
        return sum(row[column] or 0 for row in self.rows)


def repo_states(
    rows: Iterable[Mapping[str, Any]], repos: Sequence[str], first: date, last: date
) -> list[RepoState]:
    """The state of each of `repos`; a day from `first` to `last` that has no row is missing."""
    by_repo: dict[str, list[Mapping[str, Any]]] = {repo: [] for repo in repos}
    for row in rows:
        if row["repo"] in by_repo:
            by_repo[row["repo"]].append(row)
    return [
        RepoState(
            repo, tuple(known), tuple(sorted(set(days_between(first, last)) - {row["day"] for row in known}))
        )
        for repo, known in by_repo.items()
    ]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 day`, `2 days`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def consecutive(chosen: Collection[str], configured: Sequence[str]) -> Iterator[list[str]]:
    """`chosen` repos in the settings' order, grouped where they follow each other: what one range can hold."""
    group: list[str] = []
    for repo in configured:
        if repo in chosen:
            group.append(repo)
        elif group:
            yield group
            group = []
    if group:
        yield group


def spans(days: Sequence[date]) -> list[tuple[date, date]]:
    """Consecutive days as first and last."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and (day - found[-1][1]).days == 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def spans_of(days: Sequence[date]) -> str:
    """Days as a reader would list them."""
    found = [str(first) if first == last else f"{first} to {last}" for first, last in spans(sorted(days))]
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more spans" if len(found) > 4 else "")  # noqa: PLR2004 - one line
