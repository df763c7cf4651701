"""Headlines that a model composes: asked for as soon as a day's leading commits have their analyses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.composed import Analysed, given_of, leading_tiers
from digest_pipeline.domain.page import Headline
from digest_pipeline.pipeline.books import attempt_columns, prices_of
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from types import TracebackType

    from digest_pipeline.analysts import Composition
    from digest_pipeline.domain.analysis import Outcome
    from digest_pipeline.domain.composed import Given
    from digest_pipeline.domain.importance import Score
    from digest_pipeline.domain.page import CommitEntry, RepoPage
    from digest_pipeline.pipeline.workbench import Workbench

    Row = Mapping[str, Any]


MOST_ANSWERS = 2
"""A day's headline is paid for once, and once more: where the gate sent it back, or the day healed since."""


class Headlines:
    """The headlines of some days of a repo, asked for inside `async with` while their commits are settled.

    At its end every one that could be composed is stored, as is why another could not: for the same analyses
    neither is asked for again. What stood in the way of asking at all is not stored: a later run asks.
    """

    def __init__(self, bench: Workbench, repo: str, days: Sequence[date]) -> None:
        self._bench = bench
        self._repo = repo
        self._language = bench.settings.language
        self._prices = prices_of(bench.settings)
        self._stored: dict[date, str] = {}
        self._days: dict[date, dict[str, Analysed]] = {}
        self._waiting: dict[date, set[str]] = {}
        self._calls: dict[date, int] = {}
        self._answers: dict[date, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        if bench.analyst.composes:
            for row in bench.rows("headlines_of_days", repo, days, language=self._language):
                self._stored[row["day"]] = row["inputs"]
            for row in bench.rows("headline_calls_of_days", repo, days, language=self._language):
                self._calls[row["day"]], self._answers[row["day"]] = row["calls"], row["answers"]

    def expect(self, day: date, commits: Sequence[tuple[Row, Score]], known: Mapping[str, Row]) -> None:
        """A day's commits with their scores, and what is known already of asking about some of them."""
        if not self._bench.analyst.composes:
            return
        # What is told in one line leads nothing.
        commits = [(row, score) for row, score in commits if row["folded"] is None]
        leading = leading_tiers([score.tier for _, score in commits])
        self._days[day] = {row["sha"]: _analysed(row, score, known.get(row["sha"])) for row, score in commits}
        self._waiting[day] = {
            row["sha"] for row, score in commits if score.tier in leading and row["sha"] not in known
        }

    @property
    def are_due(self) -> bool:
        """Whether there is a headline to ask for, of a day about whose leading commits all is known."""
        return any(self._given(day) is not None for day in self._days)

    def settle(self, day: date, sha: str, outcome: Outcome) -> None:
        """Take what became of asking about a commit; ask for the day's headline where it was the last one to lead."""
        if sha not in self._days.get(day, {}):
            return
        before = self._days[day][sha]
        self._days[day][sha] = replace(before, status=outcome.status, analysis=outcome.analysis)
        if sha in self._waiting[day]:
            self._waiting[day].remove(sha)
            self._ask(day)

    async def __aenter__(self) -> Self:
        for day in self._days:
            self._ask(day)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)

    def _ask(self, day: date) -> None:
        given = self._given(day)
        if given is not None:
            self._tasks.append(asyncio.create_task(self._composed(given)))

    def _given(self, day: date) -> Given | None:
        """What the day's headline is to be made from; None where it has to wait, or was asked for before."""
        if self._waiting[day] or self._answers.get(day, 0) >= MOST_ANSWERS:
            return None
        given = given_of(self._repo, day, list(self._days[day].values()))
        return None if given is None or self._stored.get(day) == given.key else given

    async def _composed(self, given: Given) -> None:
        most = MOST_ANSWERS - self._answers.get(given.day, 0)
        composition = await self._bench.analyst.compose(given, most=most)
        await asyncio.to_thread(self._store, given, composition)

    def _store(self, given: Given, composition: Composition) -> None:
        about = {"repo": self._repo, "day": given.day, "language": self._language}
        first = self._calls.get(given.day, 0) + 1
        attempts = [
            about | {"sha": ""} | attempt_columns(number, call, self._prices)
            for number, call in enumerate(composition.calls, first)
        ]
        row = about | {
            "inputs": given.key,
            "status": "ok" if composition.sentences else "failed",
            "sentences": json.dumps([asdict(one) for one in composition.sentences], ensure_ascii=False),
            "model": composition.model,
            "endpoint": composition.endpoint,
            "error_class": composition.error_class,
            "error": composition.error,
            "composed_at": self._bench.now().isoformat(),
        }
        replacements = [Replacement("attempts", {}, attempts)] if attempts else []
        if composition.is_final:
            key = {name: [value] for name, value in about.items()}
            replacements.append(Replacement("headlines", key, [row]))
        if replacements:
            self._bench.history.replace(*replacements)


def composed(row: Row, page: RepoPage) -> Headline | None:
    """The headline in a stored row, where it was made from what the page says now; else None."""
    given = given_of(page.repo, page.day, [_of_page(one) for one in page.commits if one.folded is None])
    if row["status"] != "ok" or given is None or given.key != row["inputs"]:
        return None
    sentences = json.loads(row["sentences"])
    text = ("" if row["language"] == "zh" else " ").join(one["text"] for one in sentences)
    return Headline(text, tuple(sha for one in sentences for sha in one["shas"]), row["model"])


def _of_page(commit: CommitEntry) -> Analysed:
    return Analysed(
        commit.sha,
        commit.message,
        commit.pull_request,
        commit.tier,
        commit.score,
        commit.status,
        commit.analysis,
    )


def _analysed(row: Row, score: Score, known: Row | None) -> Analysed:
    is_ok = known is not None and known["status"] == "ok"
    return Analysed(
        sha=row["sha"],
        message=row["message"],
        pull_request=row["pull_request"],
        tier=score.tier,
        score=score.points,
        status="deferred" if known is None else known["status"],
        analysis=Analysis.model_validate_json(known["analysis"]) if known is not None and is_ok else None,
    )
