"""How important each commit is, and what it means."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Cue, Subject
from digest_pipeline.domain.commit import FileChange
from digest_pipeline.domain.healing import Tried, Waiting, is_due
from digest_pipeline.domain.importance import TIERS, Score, score
from digest_pipeline.errors import SourceUnavailable, StoreError
from digest_pipeline.pipeline.books import attempt_columns, prices_of
from digest_pipeline.pipeline.headlines import Headlines
from digest_pipeline.pipeline.read_again import gone, made_whole, read_again
from digest_pipeline.pipeline.workbench import BATCH_BYTES, StepResult, Workbench, batches
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from digest_pipeline.analysts import Analyst
    from digest_pipeline.domain.analysis import Outcome
    from digest_pipeline.errors import SourceError

    Row = Mapping[str, Any]
    Lost = dict[tuple[date, str], SourceError]


MOST_UNWRITTEN = 32
"""Answers of which each is stored at once, and whose analyses are written together: each write makes a file."""

READ_LINES = 50_000
"""Changed lines whose patches are read at once, some megabytes: as cheap to read as those of one commit."""

_PAID = "status = 'ok' AND analyst <> 'offline'"


def analyse(bench: Workbench, repo: str, days: Sequence[date]) -> StepResult:
    """Score every commit of `days` that the filter lets in, and ask the analyst about each without an analysis.

    An analysis by a model that is `ok` is kept and never asked for again, also where the branch lost the commit
    and has it again; all else is tried again, in a run that nobody started by hand once its time has come. A
    failure is a stored outcome, and the day is done all the same. Patches that upkeep let go are read again for what
    is asked about; where they are not to be had an analysis that is `ok` stays, and a day without one fails.
    """
    result = StepResult()
    chunks = list(batches(days))
    with ThreadPoolExecutor(1, thread_name_prefix="cues") as thread:

        def begin(chunk: Sequence[date]) -> _Ahead:
            again = thread.submit(_read_again, bench, repo, chunk)
            return _Ahead(again, thread.submit(_cues, bench, repo, chunk, again))

        # The store searches the next days' patches while these days' facts are put together.
        ahead = [begin(chunk) for chunk in chunks[:1]]
        for number, chunk in enumerate(chunks, start=1):
            ahead += [begin(coming) for coming in chunks[number : number + 1]]
            _analyse_chunk(bench, repo, chunk, ahead.pop(0), result)
            bench.progress("analyse", repo, len(result.done) + len(result.failed), len(days))
    return result


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What another thread makes ready: patches read `again`, with what was not to be had, then the cues in them."""

    again: Future[Lost]
    cues: Future[tuple[dict[str, list[Cue]], Lost]]


def _read_again(bench: Workbench, repo: str, days: Sequence[date]) -> Lost:
    return read_again(bench, repo, days, _is_asked_about(bench, repo, days))


def _is_asked_about(bench: Workbench, repo: str, days: Sequence[date]) -> Callable[[Row], bool]:
    @cache
    def paid() -> set[tuple[date, str]]:
        known = bench.rows("analyses_of_days", repo, days, language=bench.settings.language)
        return {(row["day"], row["sha"]) for row in known if _is_paid(row)}

    return lambda row: row["filtered"] is None and (row["day"], row["sha"]) not in paid()


def _cues(
    bench: Workbench, repo: str, days: Sequence[date], again: Future[Lost]
) -> tuple[dict[str, list[Cue]], Lost]:
    """Each commit's cues, and those of which there are none, for upkeep let go of their patches once more.

    None at all for an analyst that reads the patches itself.
    """
    if bench.analyst.reads_patches:
        return {}, {}
    known = again.result()

    def searched() -> tuple[dict[str, list[Cue]], set[tuple[date, str]]]:
        cues: dict[str, list[Cue]] = defaultdict(list)
        for row in bench.rows("cues", repo, days):
            cues[row["sha"]].append(Cue(row["category"], row["path"], row["line"]))
        # Asked afterwards: what is here now was here then.
        left = gone(bench, repo, days, _is_asked_about(bench, repo, days))
        return cues, {(day, row["sha"]) for day, rows in left.items() for row in rows} - known.keys()

    cues, left = searched()
    if not left:
        return cues, {}
    failed = _read_again(bench, repo, days)
    cues, left = searched()
    reason = f"{repo}: upkeep let go of patches while they were searched; run the day again"
    return cues, {key: failed.get(key, SourceUnavailable(reason, repo=repo)) for key in left}


def _analyse_chunk(
    bench: Workbench, repo: str, days: Sequence[date], ahead: _Ahead, result: StepResult
) -> None:
    collected = bench.collected(repo, days)
    commits = {
        day: [row for row in rows if row["filtered"] is None]
        for day, rows in bench.by_day("commits_of_days", repo, days).items()
    }
    ready = [
        day for day in days if day in collected and all(row["files"] is not None for row in commits[day])
    ]
    for day in days:
        if day not in ready:
            reason = f"{repo} {day}: its diffs were not read; materialize commit_diffs first"
            result.failed[day] = StoreError(reason)
    lost = ahead.again.result()
    if lost:
        known = bench.by_day("analyses_of_days", repo, ready or days, language=bench.settings.language)
        for day in list(ready):
            kept = {row["sha"] for row in known[day] if row["status"] == "ok"}
            errors = [error for (of, sha), error in lost.items() if of == day and sha not in kept]
            if errors:
                result.failed[day] = errors[0]
                ready.remove(day)
    if not ready:
        return
    for (day, _), error in _analyse_days(bench, repo, ready, commits, ahead.cues, lost).items():
        if day in ready:
            result.failed[day] = error
            ready.remove(day)
    if not ready:
        return
    rows = bench.by_day("analyses_of_days", repo, ready, language=bench.settings.language)
    spent = bench.rows("costs_of_days", repo, ready, language=bench.settings.language)
    costs = {row["day"]: row["cost"] for row in spent}
    result.done |= {day: _counts(rows[day], costs.get(day)) for day in ready}


def _analyse_days(
    bench: Workbench,
    repo: str,
    days: Sequence[date],
    commits: Mapping[date, Sequence[Row]],
    cues: Future[tuple[dict[str, list[Cue]], Lost]],
    lost: Lost,
) -> Lost:
    """Ask about all that is due; what was not asked about, for its patches are not to be had any more."""
    language = bench.settings.language
    profile = bench.settings.profile(repo)
    analyst = bench.analyst
    files = {row["sha"]: row["files"] for row in bench.rows("file_facts", repo, days)}
    known = {
        (row["day"], row["sha"]): row for row in bench.rows("analyses_of_days", repo, days, language=language)
    }
    calls = {
        (row["day"], row["sha"]): row["calls"]
        for row in bench.rows("calls_of_days", repo, days, language=language)
    }
    tried = _tried(bench, repo, days)
    writer = _Writer(bench, repo, calls)
    rescored: list[Row] = []
    to_ask: list[_ToAsk] = []
    headlines = Headlines(bench, repo, days)
    for day in days:
        scored_commits: list[tuple[Row, Score]] = []
        kept: dict[str, Row] = {}
        for row in commits[day]:
            paths = [file["path"] for file in files.get(row["sha"], ())]
            scored = score(row["message"], paths, row["additions"] + row["deletions"], profile)
            scored_commits.append((row, scored))
            before = known.get((day, row["sha"]))
            of_it = tuple(tried.get((day, row["sha"]), ()))
            # What was paid for is kept; facts cost nothing and follow the code that makes them.
            # Of what cannot be read again it is what was said when it was here.
            if before is not None and (
                (day, row["sha"]) in lost or _is_paid(before) or _waits(bench, before, analyst, of_it)
            ):
                after = {**before, **writer.score_columns(scored)}
                rescored += [after] if after != before else []
                kept[row["sha"]] = before
            else:
                to_ask.append(_ToAsk(day, row, scored, before, of_it))
        headlines.expect(day, scored_commits, kept)
    # What a day leads with is asked about first: its headline is composed while the rest is under way.
    to_ask.sort(key=lambda one: (one.day, TIERS.index(one.scored.tier)))
    writer.begin(days, rescored)
    late: Lost = {}
    if to_ask or headlines.are_due:
        found, late = cues.result()
        subjects = _subjects(bench, repo, to_ask, files, found, late)
        scores = {(one.day, one.commit["sha"]): one.scored for one in to_ask}
        asyncio.run(_ask(bench, subjects, scores, writer, headlines))
    return late


@dataclass(frozen=True, slots=True)
class _ToAsk:
    """A commit to ask about; `before` is what the store says of it so far, `tried` where it was asked in vain."""

    day: date
    commit: Row
    scored: Score
    before: Row | None
    tried: tuple[Tried, ...]

    @property
    def changed_lines(self) -> int:
        """How many lines its patches hold, without their context."""
        return int(self.commit["additions"] + self.commit["deletions"])

    def attempts(self, analyst: Analyst) -> int:
        """How often the same analyst tried before."""
        before = self.before
        return before["attempts"] if before is not None and before["analyst"] == analyst.name else 0

    def waited(self, analyst: Analyst) -> timedelta:
        """How long the same analyst has let the commit rest for haste."""
        before = self.before
        if before is None or before["analyst"] != analyst.name or before["error_class"] != "rate_limited":
            return timedelta(0)
        return before["retry_at"] - before["analysed_at"] if before["retry_at"] is not None else timedelta(0)


async def _ask(
    bench: Workbench,
    subjects: Iterable[tuple[date, Subject]],
    scores: Mapping[tuple[date, str], Score],
    writer: _Writer,
    headlines: Headlines,
) -> None:
    """Store each outcome as soon as it comes."""
    analyst = bench.analyst
    days: dict[str, date] = {}

    def announced() -> Iterator[Subject]:
        for day, subject in subjects:
            days[subject.sha] = day
            yield subject

    done = 0
    try:
        async with analyst.opened(), headlines:
            async for outcomes in analyst.analyse(announced()):
                for subject, outcome in outcomes:
                    day = days.pop(subject.sha)
                    writer.add(day, subject, scores[day, subject.sha], outcome)
                    headlines.settle(day, subject.sha, outcome)
                done += len(outcomes)
                if analyst.reads_patches or writer.is_full:
                    bench.progress("ask", outcomes[-1][0].repo, done, len(scores))
                # What was paid for is stored before its place takes another commit; what cost nothing waits.
                asked = [outcome for _, outcome in outcomes if outcome.calls]
                if writer.is_full or any(outcome.status != "ok" for outcome in asked):
                    await asyncio.to_thread(writer.flush)
                elif asked:
                    await asyncio.to_thread(writer.keep_answers)
    finally:
        writer.flush()


def _subjects(
    bench: Workbench,
    repo: str,
    to_ask: Sequence[_ToAsk],
    facts: Mapping[str, Sequence[Row]],
    cues: Mapping[str, Sequence[Cue]],
    late: Lost,
) -> Iterator[tuple[date, Subject]]:
    """What the analyst is shown, read as it comes to it; `late` is left out, and gets what can be read no more."""
    analyst = bench.analyst
    for group in _read_together(to_ask):
        # An endpoint that went down since leaves what waited for it as it is.
        still = [
            one for one in group if one.before is None or not _waits(bench, one.before, analyst, one.tried)
        ]
        if not still:
            continue
        files: Mapping[str, Sequence[Row]] = facts
        if analyst.reads_patches:
            files = read = _files(bench, repo, still)
            # Hours may have gone by since they were read again, and upkeep with them.
            late |= made_whole(bench, repo, [one.commit for one in still], read)
        for one in still:
            sha = one.commit["sha"]
            if (one.day, sha) in late:
                continue
            yield (
                one.day,
                Subject(
                    repo=repo,
                    sha=sha,
                    message=one.commit["message"],
                    author_name=one.commit["author_name"],
                    committed_at=one.commit["committed_at"],
                    tier=one.scored.tier,
                    files=tuple(FileChange(**{"patch": None, **file}) for file in files.get(sha, ())),
                    cues=tuple(cues.get(sha, ())),
                    previous_attempts=one.attempts(analyst),
                    tried=one.tried,
                    waited=one.waited(analyst),
                ),
            )


def _read_together(to_ask: Sequence[_ToAsk]) -> Iterator[list[_ToAsk]]:
    """Commits of one day whose patches are held in memory at once: few where they are large."""
    group: list[_ToAsk] = []
    lines = 0
    for one in to_ask:
        if group and (one.day != group[0].day or lines + one.changed_lines > READ_LINES):
            yield group
            group, lines = [], 0
        group.append(one)
        lines += one.changed_lines
    if group:
        yield group


def _files(bench: Workbench, repo: str, commits: Sequence[_ToAsk]) -> dict[str, list[Row]]:
    """The files of commits of one day, with their patches."""
    found: dict[str, list[Row]] = defaultdict(list)
    shas = [one.commit["sha"] for one in commits]
    where = {"repo": repo, "day": commits[0].day, "shas": shas}
    for row in bench.history.read("pipeline/files_of_commits", where):
        found[row.pop("sha")].append(row)
    return found


class _Writer:
    """Analyses on their way into the store; safe to add to while another thread flushes."""

    def __init__(self, bench: Workbench, repo: str, calls: Mapping[tuple[date, str], int]) -> None:
        settings = bench.settings
        self._calls = calls
        self._prices = prices_of(settings)
        self._attempts: list[Row] = []
        self._answers: list[Row] = []
        self._bench = bench
        self._repo = repo
        self._language = settings.language
        self._profile = settings.profile_name(repo)
        self._rows: list[Row] = []
        self._taking = threading.Lock()
        self._size = 0
        self._unwritten = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to write."""
        return self._size >= BATCH_BYTES or self._unwritten >= MOST_UNWRITTEN

    def begin(self, days: Sequence[date], kept: Sequence[Row]) -> None:
        """Store analyses that are kept, and scored otherwise now."""
        if kept:
            key: dict[str, Any] = {
                "repo": [self._repo],
                "language": [self._language],
                "day": list(days),
                "sha": [row["sha"] for row in kept],
            }
            self._bench.history.replace(Replacement("analyses", key, kept))

    def add(self, day: date, subject: Subject, scored: Score, outcome: Outcome) -> None:
        """Take one outcome; it is stored with the next flush."""
        analysis = outcome.analysis.model_dump_json(exclude_defaults=True) if outcome.analysis else None
        row = {
            "repo": self._repo,
            "day": day,
            "sha": subject.sha,
            "language": self._language,
            "analyst": outcome.analyst,
            "model": outcome.model,
            **self.score_columns(scored),
            "status": outcome.status,
            "error_class": outcome.error_class,
            "error": outcome.error,
            "attempts": outcome.attempts,
            "retry_at": outcome.retry_at.isoformat() if outcome.retry_at else None,
            "analysis": analysis,
            "prompt_version": outcome.prompt_version,
            "input_hash": outcome.input_hash,
            "tokens_in": outcome.usage.tokens_in,
            "tokens_out": outcome.usage.tokens_out,
            "tokens_cached": outcome.usage.tokens_cached,
            "shown_lines": outcome.shown_lines,
            "changed_lines": outcome.changed_lines,
            "ledger": outcome.ledger,
            "endpoint": outcome.endpoint or None,
            "analysed_at": self._bench.now().isoformat(),
        }
        key = {"repo": self._repo, "day": day, "sha": subject.sha, "language": self._language}
        first = self._calls.get((day, subject.sha), 0) + 1
        attempts = [
            key | attempt_columns(number, call, self._prices)
            for number, call in list(enumerate(outcome.calls, first))[outcome.booked :]
        ]
        with self._taking:
            self._rows.append(row)
            self._attempts += attempts
            if analysis is not None and outcome.calls:
                self._answers.append(_answer(row))
                self._unwritten += 1
            self._size += len(analysis or "") + 500

    def keep_answers(self) -> None:
        """Store what was paid for so far. Its analyses may wait for more: whoever asks again finds the answers."""
        with self._taking:
            attempts, answers = self._take_paid()
        self._store([], attempts, answers)

    def flush(self) -> None:
        """Write what was taken so far; again where more came in the meantime."""
        while True:
            with self._taking:
                rows, self._rows, self._size, self._unwritten = self._rows, [], 0, 0
                attempts, answers = self._take_paid()
            if not rows:
                return
            self._store(rows, attempts, answers)

    def _take_paid(self) -> tuple[list[Row], list[Row]]:
        attempts, self._attempts = self._attempts, []
        answers, self._answers = self._answers, []
        return attempts, answers

    def _store(self, rows: list[Row], attempts: list[Row], answers: list[Row]) -> None:
        days = sorted({row["day"] for row in rows})
        paid = [Replacement("attempts", {}, attempts), Replacement("answers", {}, answers)]
        try:
            self._replace(days, rows, *(one for one in paid if one.rows))
        except BaseException:
            with self._taking:  # the last flush tries once more
                self._rows = rows + self._rows
                self._attempts = attempts + self._attempts
                self._answers = answers + self._answers
            raise

    def score_columns(self, scored: Score) -> Row:
        """The columns that the scorer fills."""
        reasons = [
            {"rule": reason.rule, "points": reason.points, "evidence": reason.evidence}
            for reason in scored.reasons
        ]
        return {"profile": self._profile, "tier": scored.tier, "score": scored.points, "reasons": reasons}

    def _replace(self, days: Sequence[date], rows: Sequence[Row], *paid_for: Replacement) -> None:
        key: dict[str, Any] = {"repo": [self._repo], "language": [self._language], "day": days}
        paid = [row for row in rows if row["status"] == "ok" and row["analyst"] != "offline"]
        rest = [row for row in rows if row["status"] != "ok" or row["analyst"] == "offline"]
        replacements = [
            Replacement("analyses", key | {"sha": [row["sha"] for row in paid]}, paid),
            # Another run may have got an answer for the same commit meanwhile: that one stays.
            Replacement("analyses", key | {"sha": [row["sha"] for row in rest]}, rest, keep=_PAID),
            *paid_for,
        ]
        self._bench.history.replace(*(one for one in replacements if one.rows))


def _is_paid(row: Row) -> bool:
    return bool(row["status"] == "ok" and row["analyst"] != "offline")


def _tried(bench: Workbench, repo: str, days: Sequence[date]) -> dict[tuple[date, str], list[Tried]]:
    """At which endpoints each commit was tried in vain; asked only where there are several."""
    tried: dict[tuple[date, str], list[Tried]] = defaultdict(list)
    if bench.settings.llm is not None and bench.settings.llm.fallback:
        for row in bench.rows("tried_of_days", repo, days, language=bench.settings.language):
            one = Tried(row["endpoint"], row["model"], row["tries"], row["last_at"])
            tried[row["day"], row["sha"]].append(one)
    return tried


def _waits(bench: Workbench, row: Row, analyst: Analyst, tried: Sequence[Tried]) -> bool:
    """Whether a run that nobody started by hand leaves this one for later: its time has not come."""
    if bench.by_hand or row["status"] == "ok" or row["analyst"] != analyst.name:
        return False
    fields = {
        name: row[name] for name in ("repo", "day", "sha", "error_class", "retry_at", "attempts", "model")
    }
    waiting = Waiting(**fields, endpoint=row["endpoint"] or "", tried=tried)
    return not is_due(waiting, bench.books.states, now=bench.now())


def _answer(row: Row) -> Row:
    names = ("input_hash", "model", "language", "tier", "prompt_version", "analysis", "ledger")
    return {name: row[name] for name in (*names, "shown_lines", "changed_lines")} | {
        "endpoint": row["endpoint"] or "",
        "answered_at": row["analysed_at"],
    }


def _read_share(rows: Sequence[Row]) -> dict[str, Any]:
    """The share of the diff that a model read; nothing where none was asked."""
    read = [row for row in rows if _is_paid(row)]
    changed = sum(row["changed_lines"] for row in read)
    if not changed:
        return {}
    return {"share_read": sum(min(row["shown_lines"], row["changed_lines"]) for row in read) / changed}


def _counts(rows: Sequence[Row], cost: float | None) -> dict[str, Any]:
    ok = sum(row["status"] == "ok" for row in rows)
    return {
        "commits": len(rows),
        "coverage": ok / len(rows) if rows else 1.0,
        **{tier: sum(row["tier"] == tier for row in rows) for tier in TIERS},
        **{status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "deferred")},
        **{name: sum(row[name] for row in rows) for name in ("tokens_in", "tokens_out", "tokens_cached")},
        **_read_share(rows),
        **({} if cost is None else {"cost": cost}),
        "models": sorted({row["model"] for row in rows}),
    }
