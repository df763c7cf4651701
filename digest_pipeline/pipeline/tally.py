"""Progress over a whole range, for steps that are asked for a portion of it at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

Progress = Callable[[str, str, int, int], None]
"""Told (step, repo, how many are done, of how many): days, or commits while a model is asked."""


class Tally:
    """Adds up what the steps say of their portions."""

    def __init__(self, told: Progress) -> None:
        self._told = told
        self._expected: dict[str, int] = {}
        self._before: dict[tuple[str, str], int] = defaultdict(int)
        self._now: dict[tuple[str, str], tuple[int, int]] = {}

    def begin(self, repo: str, days: int) -> None:
        """So many days of a repo are to come, through each step."""
        self._expected[repo] = days
        for key in [key for key in self._before if key[1] == repo]:
            del self._before[key]

    def __call__(self, step: str, repo: str, done: int, total: int) -> None:
        """So many of a portion are done; commits (`ask`) are known portion by portion only."""
        self._now[step, repo] = done, total
        before = self._before[step, repo]
        whole = max(before + total, self._expected.get(repo, 0) if step != "ask" else 0)
        self._told(step, repo, min(before + done, whole), whole)

    def settle(self) -> None:
        """The portion is over."""
        for key, (_, total) in self._now.items():
            self._before[key] += total
        self._now.clear()
