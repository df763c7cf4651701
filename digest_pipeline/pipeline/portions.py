"""How a run takes a long range: in portions, so that what it holds in memory does not grow with the range.

A portion goes through all steps before the next one begins: its pages stand while the rest is under way, and a run
that is ended loses the portion that it is at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest_pipeline.errors import DigestError
from digest_pipeline.pipeline.workbench import BATCH_DAYS, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
PORTION_COMMITS = 1000
"""So many commits end a portion; a day is never cut."""

MOST_SUSPECTS = 8
"""So many days of a portion are found at fault one by one; where it is more, the fault is not in the days."""


def in_portions(days: Sequence[date], commits: Mapping[date, int]) -> list[list[date]]:
    """`days` in their order, some at a time, by how many commits each has: as few portions as may be, and alike.

    For while one goes through the steps, git reads the next: it waits for the first, and has nothing beside the last.
    """
    fewest = _cut(days, commits, 1)
    alike = _cut(days, commits, len(fewest))
    return alike if len(alike) == len(fewest) else fewest


def _cut(days: Sequence[date], commits: Mapping[date, int], number: int) -> list[list[date]]:
    """About so many portions, and more where a day would be too much for one."""
    enough = sum(commits.get(day, 0) for day in days) / max(1, number)
    portions: list[list[date]] = []
    held = 0
    for day in days:
        more = commits.get(day, 0)
        is_full = not portions or len(portions[-1]) == BATCH_DAYS or held + more > PORTION_COMMITS
        if is_full or (held >= enough and len(portions) < number):
            portions.append([])
            held = 0
        portions[-1].append(day)
        held += more
    return portions


def apart(
    step: Callable[[Sequence[date]], StepResult],
    days: Sequence[date],
    unexpected: Callable[[Exception], DigestError],
) -> StepResult:
    """The step's result; an exception that it did not mean to raise costs the days that cause it alone.

    These are found by halves. A DigestError that stopped all of it (a full disk, a missing key) fails all of
    `days`: it is not about one of them. `unexpected` is called within the `except`, and gives what to tell.
    """
    suspects = 0

    def tried(some: Sequence[date]) -> StepResult:
        nonlocal suspects
        try:
            return step(some)
        except DigestError as error:
            return StepResult(failed=dict.fromkeys(some, error))
        except Exception as error:  # noqa: BLE001 - a bug, or a fault that nobody has met yet
            if len(some) == 1 or suspects >= MOST_SUSPECTS:
                suspects += 1
                return StepResult(failed=dict.fromkeys(some, unexpected(error)))
            middle = len(some) // 2
        return _joined(tried(some[:middle]), tried(some[middle:]))

    return tried(days)


def _joined(one: StepResult, other: StepResult) -> StepResult:
    return StepResult(
        one.done | other.done, one.failed | other.failed, sorted({*one.elsewhere, *other.elsewhere})
    )
