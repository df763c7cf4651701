"""Which digests are due, and whether the site is: decisions over what is stored, for the sensors that ask for them."""

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


@dataclass(frozen=True, slots=True)
class Built:
    """What a site was made from, and when."""

    stamp: str
    at: datetime


def site_is_due(stamp: str, built: Built | None, *, now: datetime, pause: timedelta) -> str | None:
    """None where the site is due, else why not: it is due once it would be another one, `pause` after the last one.

    While many days are made, it is built now and then, and once more in the end.
    """
    if built is None:
        return None
    if built.stamp == stamp:
        return "the site is up to date"
    if now < built.at + pause:
        minutes = pause.total_seconds() / 60
        return (
            f"waiting: the site was built at {built.at:%H:%M} UTC, and is at most every {minutes:g} minutes"
        )
    return None
