"""Which digests are due: a decision over what is stored, for the sensor that asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def contiguous(states: Sequence[DigestState]) -> list[list[DigestState]]:
    """Runs of consecutive days, so that one run can take a whole range."""
    groups: list[list[DigestState]] = []
    for state in states:
        if groups and (state.day - groups[-1][-1].day).days == 1:
            groups[-1].append(state)
        else:
            groups.append([state])
    return groups
