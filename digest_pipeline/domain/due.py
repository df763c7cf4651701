"""Which digests are due: a decision over what is stored, for the sensor that asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class DigestState:
    """A day: what its digest should be made from now, what it was made from, whose pages are there."""

    day: date
    window_end: datetime
    inputs: str
    made_from: str | None
    done: frozenset[str]


_State = TypeVar("_State", "DigestState", "ReadersState")


def digest_states(rows: Iterable[Mapping[str, Any]]) -> list[DigestState]:
    """From the rows of `sql/pipeline/digest_states.sql`."""
    return [
        DigestState(row["day"], row["window_end"], row["inputs"], row["made_from"], frozenset(row["done"]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class DigestDecision:
    """The days whose digest is due, and those that wait for a repo, with its name."""

    due: tuple[DigestState, ...]
    waiting: tuple[tuple[date, str], ...]


def due_digests(
    states: Iterable[DigestState], repos: Sequence[str], *, now: datetime, deadline: timedelta
) -> DigestDecision:
    """A digest is due when it is stale and all repos are done, or `deadline` after its day with those that are.

    A day of which nothing could be read is due then too: its digest says so. A digest that was made once is
    brought up to date at once.
    """
    due, waiting = [], []
    for state in states:
        if state.inputs == state.made_from:
            continue
        missing = [repo for repo in repos if repo not in state.done]
        if missing and state.made_from is None and now < state.window_end + deadline:
            waiting.append((state.day, missing[0]))
        else:
            due.append(state)
    return DigestDecision(tuple(due), tuple(waiting))


@dataclass(frozen=True, slots=True)
class ReadersState:
    """A day on which a reader's page is to be made, and what the day's digest was made from."""

    day: date
    inputs: str


def stale_reader_days(rows: Iterable[Mapping[str, Any]], readers: Sequence[str]) -> list[ReadersState]:
    """The days on which a reader's page was never looked at, or is older than the digest.

    From the rows of `sql/pipeline/reader_states.sql`.
    """
    inputs: dict[date, str] = {}
    current: dict[date, set[str]] = {}
    for row in rows:
        inputs[row["day"]] = row["inputs"]
        current.setdefault(row["day"], set())
        if row["made_from"] == row["inputs"]:
            current[row["day"]].add(row["reader"])
    return [ReadersState(day, inputs[day]) for day, done in current.items() if not done.issuperset(readers)]


def contiguous(states: Sequence[_State]) -> list[list[_State]]:
    """Runs of consecutive days, so that one run can take a whole range."""
    groups: list[list[_State]] = []
    for state in states:
        if groups and (state.day - groups[-1][-1].day).days == 1:
            groups[-1].append(state)
        else:
            groups.append([state])
    return groups
