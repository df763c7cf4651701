"""Runs in this process: what `digest run` and `digest demo` do, on the same instance as the UI."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import dagster as dg

from digest_pipeline.domain.day import days_between
from digest_pipeline.domain.due import digest_states, due_digests, due_rollups, in_ranges, rollup_states
from digest_pipeline.domain.healing import missing_days
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.period import Kind, Period
from digest_pipeline.domain.state import consecutive, counted, spans
from digest_pipeline.errors import SourceError
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.orchestration.checks import ROLLUPS
from digest_pipeline.orchestration.failures import alarming, is_interrupt, reasons
from digest_pipeline.orchestration.in_flight import repo_days_in_flight
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.jobs import DIGESTS, READERS, REANALYSE, REPO_DAYS, ROLLUP_JOBS
from digest_pipeline.orchestration.orphans import report_orphans, run_tags
from digest_pipeline.orchestration.partitions import (
    RANGE_END,
    RANGE_START,
    by_repo,
    partition_key,
    range_tags,
)
from digest_pipeline.orchestration.resumption import going_on, made_before, mark_ended
from digest_pipeline.pipeline import Pipeline, digest_path, report_path, utc_now
from digest_pipeline.settings import Settings

_SILENT: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class RunOutcome:
    """What became of a run: the pages that stand, a row for each repo's day, a line for each failure.

    `changed` are the repos' days that nobody asked for, and that were made again because the branch changed them;
    `notes` say what was left alone. So many commits as `over_budget` wait for the budget that there is from
    `budget_from` on.
    """

    paths: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    changed: dict[str, list[date]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    over_budget: int = 0
    budget_from: datetime | None = None

    @property
    def unanalysed(self) -> int:
        """Commits whose analysis failed or waits."""
        return sum(row["failed"] + row["deferred"] for row in self.rows)

    def summary(self) -> Iterator[str]:
        """A line for each repo, and one for analyses that are not there."""
        for repo in dict.fromkeys(row["repo"] for row in self.rows):
            changed = self.changed.get(repo, [])
            rows = [row for row in self.rows if row["repo"] == repo and row["day"] not in changed]
            if rows:
                yield _line(repo, rows)
            if changed:
                listed = ", ".join(
                    f"{first}" if first == last else f"{first} to {last}" for first, last in spans(changed)
                )
                yield f"{repo}: changed later, made again: {listed}"
        failed, deferred = (sum(row[name] for row in self.rows) for name in ("failed", "deferred"))
        if failed or deferred:
            yield f"without an analysis: {failed} failed, {deferred} deferred; {self._when()}"
        yield from self.notes

    def _when(self) -> str:
        """When those without an analysis are tried again."""
        if not self.over_budget or self.budget_from is None:
            return "the same run again tries them again"
        said = f"today's budget is spent, {self.over_budget} wait until {self.budget_from:%Y-%m-%d %H:%M %Z}"
        others = self.unanalysed - self.over_budget
        return f"{said}; the same run again tries the others again" if others else said


def _line(repo: str, rows: Sequence[Mapping[str, Any]]) -> str:
    total: Counter[str] = Counter()
    for row in rows:
        total.update({name: row[name] for name in ("commits", *TIERS, "analysed")})
    span = (
        f"{rows[0]['day']}"
        if len(rows) == 1
        else f"{rows[0]['day']} to {rows[-1]['day']}, {counted(len(rows), 'day')}"
    )
    tiers = [f"{total[tier]} {tier}" for tier in TIERS]
    if folded := total["commits"] - sum(total[tier] for tier in TIERS):
        tiers.append(f"{folded} folded")
    return f"{repo} {span}: {counted(total['commits'], 'commit')} ({', '.join(tiers)}), {total['analysed']} analysed"


def run_days(
    pipeline: Pipeline, repos: Sequence[str], days: Sequence[date], *, today: bool = False
) -> RunOutcome:
    """Materialise every asset of `repos` for `days` (consecutive, oldest first), then the digests.

    Those of stored days too that the branch has changed since, and that the runs therefore made again. The
    pipeline is closed in the end. What a repo could not do is in the outcome, and costs the others nothing.
    """
    with _Session.open(pipeline, today=today) as session:
        made = session.repo_days(repos, days)
        days_of = by_repo(made)
        for repo in repos:
            if changed := [day for day in days_of.get(repo, ()) if day not in days]:
                session.outcome.changed[repo] = changed
        again = sorted({day for changed in session.outcome.changed.values() for day in changed})
        session.finish(repos, [*days, *again], made)
    return session.outcome


def heal(pipeline: Pipeline, first: date, last: date) -> RunOutcome:
    """Do now, in this process, what the sensors would ask for: missing days, analyses that wait, stale pages.

    Those of weeks and months too that ended in these days. And days that the branch has changed since, also those
    further back than a run compares.
    Analyses that only a person can bring on are asked for too: a person is asking. What other runs are at is left
    to them, and each commit is asked about in one run.
    """
    settings = pipeline.settings
    with _Session.open(pipeline) as session:
        history, now = pipeline.history, utc_now()
        names = [repo.name for repo in settings.repos]
        where = {"first": first, "last": last, "language": settings.language}
        in_flight = repo_days_in_flight(session.instance, names, in_line=False)
        asked = {
            (row["repo"], row["day"]): row["tried_at"] and datetime.min.replace(tzinfo=UTC)
            for row in history.read("pipeline/asked_days", where)
        }
        made: set[str] = set()
        tried = set(in_flight)
        days = list(days_between(first, last))
        decision = missing_days(asked, names, days, in_flight=in_flight, now=now)
        for request in decision.requests:
            chosen = list(days_between(request.first, request.last))
            made |= session.repo_days(request.repos, chosen)
            tried |= {(repo, day) for repo in request.repos for day in chosen}
        for repo in names if settings.recheck_days else ():
            made |= session.differing(repo, [day for day in days if (repo, day) not in tried])
        # What was asked about just now, in vain, is not asked about a second time.
        tried |= {(repo, day) for repo, touched in by_repo(made).items() for day in touched}
        waiting = {(row["repo"], row["day"]) for row in history.read("pipeline/waiting", where)} - tried
        for repo in names:
            for start, end in spans(sorted(day for name, day in waiting if name == repo)):
                made |= session.reanalyse(repo, list(days_between(start, end)))
        left = [(repo, day) for repo, day in in_flight if first <= day <= last]
        if left:
            session.outcome.notes.append(f"{counted(len(left), 'day')} left to runs that are under way")
        states = digest_states(history.read("pipeline/digest_states", where))
        due = due_digests(states, names, now=now, deadline=timedelta(0)).due
        touched = {day for days in by_repo(made).values() for day in days}
        session.finish(names, sorted({*touched, *(state.day for state in due)}), made)
        stored = {**where, "first": settings.first_day, "last": now.astimezone(settings.timezone).date()}
        rollups = due_rollups(
            rollup_states(history.read("pipeline/rollup_states", stored)),
            names,
            first_day=settings.first_day,
            now=now,
            timezone=settings.timezone,
            deadline=timedelta(0),
        ).due
        for group in in_ranges(state for state in rollups if first <= state.period.last <= last):
            session.rollups([state.period for state in group])
    return session.outcome


def make_rollup(pipeline: Pipeline, period: Period) -> RunOutcome:
    """Materialise the page of a week or month from the days that are stored. The pipeline is closed in the end."""
    with _Session.open(pipeline) as session:
        session.rollups([period])
    return session.outcome


@dataclass
class _Session:
    """The history, the instance and the definitions, for the runs of one command."""

    settings: Settings
    pipeline: Pipeline
    instance: dg.DagsterInstance
    defs: dg.Definitions
    outcome: RunOutcome = field(default_factory=RunOutcome)

    @classmethod
    @contextmanager
    def open(cls, pipeline: Pipeline, *, today: bool = False) -> Iterator[Self]:
        """Opened, and runs that a killed process left behind are marked as failed."""
        settings = pipeline.settings
        with (
            closing(pipeline),
            open_instance(settings.data_dir, capture_output=False) as instance,
            alarming(pipeline, instance),
        ):
            pipeline.check()
            report_orphans(instance)
            yield cls(settings, pipeline, instance, build_defs(settings, pipeline=pipeline, today=today))

    def repo_days(self, repos: Sequence[str], days: Sequence[date]) -> set[str]:
        """All four assets; the partitions that have a page now."""
        return self._over_repos(REPO_DAYS, repos, days)

    def differing(self, repo: str, days: Sequence[date]) -> set[str]:
        """All four assets of those of `days` that the branch has changed; the partitions that have a page now."""
        try:
            changed = self.pipeline.differing_days(repo, days)
        except SourceError as error:
            self.outcome.notes.append(f"not compared with its branch: {error}")
            return set()
        made: set[str] = set()
        for first, last in spans(changed):
            made |= self.repo_days([repo], list(days_between(first, last)))
        if again := by_repo(made).get(repo):
            self.outcome.changed[repo] = again
        return made

    def reanalyse(self, repo: str, days: Sequence[date]) -> set[str]:
        """The analyses and pages of a repo's days; the partitions that have a page now."""
        return self._over_repos(REANALYSE, [repo], days)

    def finish(self, repos: Sequence[str], days: Sequence[date], made: set[str]) -> None:
        """The digests of `days`, and what to tell of it all."""
        if not days:
            return
        digests: set[str] = set()
        job = self.defs.resolve_job_def(DIGESTS)
        for first, last in spans(sorted(days)):
            tags = {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
            digests |= _execute(job, self.instance, tags, self.outcome, "daily_digest")
        if self.settings.reader:
            job = self.defs.resolve_job_def(READERS)
            for first, last in spans(sorted(map(date.fromisoformat, digests))):
                tags = {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
                _execute(job, self.instance, tags, self.outcome, "reader_pages")
        _collect(self.outcome, self.pipeline, repos, days, made, digests)

    def rollups(self, periods: Sequence[Period]) -> None:
        """The pages of weeks or months that follow each other."""
        kind: Kind = periods[0].kind
        asset = next(name for name, its in ROLLUPS.items() if its == kind)
        tags = {RANGE_START: periods[0].first.isoformat(), RANGE_END: periods[-1].first.isoformat()}
        job = self.defs.resolve_job_def(ROLLUP_JOBS[kind])
        made = _execute(job, self.instance, tags, self.outcome, asset)
        self.outcome.paths += [
            str((self.settings.data_dir / period.path).absolute())
            for period in periods
            if period.first.isoformat() in made
        ]

    def _over_repos(self, name: str, repos: Sequence[str], days: Sequence[date]) -> set[str]:
        made: set[str] = set()
        job = self.defs.resolve_job_def(name)
        for group in consecutive(repos, [repo.name for repo in self.settings.repos]):
            tags = range_tags(days[0], days[-1], group)
            further = going_on(self.instance, name, tags)
            if further:
                self.outcome.notes.append(
                    "went on where the last run over these days was ended; run it once more to read all of them again"
                )
            made |= _execute(job, self.instance, {**tags, **further}, self.outcome, "repo_report")
        return made


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    tags: Mapping[str, str],
    outcome: RunOutcome,
    last_asset: str,
) -> set[str]:
    """Run a job over a range; the partitions of `last_asset` that were materialized."""
    result = job.execute_in_process(
        instance=instance, tags={**tags, **run_tags()}, raise_on_error=False, run_config=dict(_SILENT)
    )
    if any(map(is_interrupt, result.all_events)):
        # Dagster makes an event of the interrupt and returns; whoever asked to stop means all that was to come.
        mark_ended(instance, result.run_id, "interrupted")
        raise KeyboardInterrupt
    if not result.success:
        outcome.failures += [line for line in reasons(result.all_events) if line not in outcome.failures]
    # From the event log, not from the result: of a step that failed, the result keeps no materializations.
    # With what the runs made that this one goes on for: those pages stand too.
    made = instance.get_records_for_run(
        result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    version = job.asset_layer.get(dg.AssetKey(last_asset)).code_version
    before = made_before(instance, result.dagster_run, {last_asset: version})
    return {
        str(event.partition)
        for record in made
        if (event := record.event_log_entry.get_dagster_event()).asset_key == dg.AssetKey(last_asset)
    } | {*before.get(last_asset, {})}


def _collect(
    outcome: RunOutcome,
    pipeline: Pipeline,
    repos: Sequence[str],
    days: Sequence[date],
    made: set[str],
    digests: set[str],
) -> None:
    settings = pipeline.settings
    for repo in repos:
        rows = pipeline.history.read(
            "pipeline/reports_of_days",
            {"repo": repo, "first": min(days), "last": max(days), "language": settings.language},
        )
        mine = [row for row in rows if str(partition_key(row["day"], repo)) in made]
        outcome.rows += mine
        if any(row["deferred"] for row in mine):
            where = {"repo": repo, "first": min(days), "last": max(days), "language": settings.language}
            (waiting,) = pipeline.history.read("pipeline/over_budget", where)
            if waiting["commits"]:
                outcome.over_budget += waiting["commits"]
                outcome.budget_from = waiting["retry_at"].astimezone(settings.timezone)
    theirs: dict[date, list[str]] = defaultdict(list)
    names = [reader.name for reader in settings.reader]
    if names and days:
        for row in pipeline.history.read(
            "pipeline/reader_pages_of_days", {"first": min(days), "last": max(days)}
        ):
            if row["path"] is not None and row["reader"] in names:
                theirs[row["day"]].append(row["path"])
    for day in days:
        pages = [report_path(repo, day) for repo in repos if str(partition_key(day, repo)) in made]
        if day.isoformat() in digests:
            pages += [digest_path(day), *theirs[day]]
        outcome.paths += [str((settings.data_dir / page).absolute()) for page in pages]


__all__ = ["RunOutcome", "heal", "make_rollup", "run_days"]
