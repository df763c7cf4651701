"""The steps: collect, diff, analyse, report, digest. Plain functions over the edges; what every shell calls.

Each step reads what the one before it stored and replaces its own partitions; doing it again changes
nothing. A step takes the days of one repo and says for each whether it was done: a day that could not be
done costs that day, never the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from digest_pipeline.domain.endpoint import came_back
from digest_pipeline.errors import DigestError
from digest_pipeline.memory import give_back
from digest_pipeline.pipeline import (
    alarm,
    analyse,
    collect,
    deliver,
    diff,
    digest,
    readers,
    recheck,
    report,
    rollup,
    upkeep,
)
from digest_pipeline.pipeline.pages import digest_path, reader_path, report_path
from digest_pipeline.pipeline.portions import apart, in_portions
from digest_pipeline.pipeline.tally import Progress
from digest_pipeline.pipeline.workbench import StepResult, Workbench, span, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.period import Period
    from digest_pipeline.pipeline.site import SiteResult
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import History
    from digest_pipeline.store.upkeep import Kept

EVERY_REPO = "all repositories"
"""What progress says of steps over all of them."""

_log = logging.getLogger(__name__)


class Pipeline:
    """The steps over one workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    @property
    def settings(self) -> Settings:
        """The settings that the steps follow."""
        return self._workbench.settings

    @property
    def history(self) -> History:
        """Where the steps read and write."""
        return self._workbench.history

    def check(self) -> None:
        """Raise ConfigurationError now where a step would later: a key that is not in the environment."""
        _ = self._workbench.analyst

    def knock(self) -> bool:
        """False where a run that asks again by itself finds no endpoint there: it has nothing more to do.

        See `Analyst.knock`. Raises ConfigurationError.
        """
        return self._workbench.by_hand or asyncio.run(self._workbench.analyst.knock())

    def heard(self, endpoint: str, model: str) -> bool:
        """Note that a model at an endpoint answered; True where it counted as down until now. Raises StoreError."""
        books, now = self._workbench.books, self._workbench.now()
        known = books.state(endpoint, model)
        if known is None or known.is_up:
            return False
        books.revise(endpoint, model, lambda state: came_back(state or known, now=now))
        return True

    def changed_days(self, repo: str, days: Sequence[date]) -> list[date]:
        """Stored days that a run over `days` has to make again, for the branch has changed them since.

        As far back as the setting `recheck_days` says. Raises SourceError.
        """
        return recheck.recheck(self._workbench, repo, days)

    def differing_days(self, repo: str, days: Sequence[date]) -> list[date]:
        """Those of `days` that are stored with other commits than the branch has by now. Raises SourceError."""
        return recheck.differing(self._workbench, repo, days)

    def begin(self, what: str, days: Sequence[date]) -> None:
        """So many days of a repo (or of `EVERY_REPO`) are to come: what progress is told of."""
        self._workbench.progress.begin(what, len(days))

    def portions(self, repo: str, days: Sequence[date]) -> list[list[date]]:
        """The days in their order, as many at a time as go through all steps together, by what is stored of them."""
        if len(days) <= 1:
            return [list(days)] if days else []
        rows = self._workbench.rows("reads", repo, days)
        return in_portions(days, {row["day"]: row["commit_count"] or 0 for row in rows})

    def apart(
        self,
        step: Callable[[Sequence[date]], StepResult],
        days: Sequence[date],
        unexpected: Callable[[Exception], DigestError],
    ) -> StepResult:
        """One of the steps over a portion; a day with an unexpected fault costs itself alone."""
        try:
            return apart(step, days, unexpected)
        finally:
            self._workbench.progress.settle()
            give_back()

    def standing(self, repo: str, days: Sequence[date]) -> tuple[set[date], set[date]]:
        """Those of the days that are finished, page and all, and those whose commits were read. Raises StoreError."""
        collected = self._workbench.collected(repo, days)
        where = {**span(days), "language": self.settings.language}
        finished = {
            row["day"]
            for row in self.history.read("pipeline/asked_days", where)
            if row["repo"] == repo and row["has_page"] and row["tried_at"] is None
        }
        return finished & {*days}, collected

    def collect(self, repo: str, days: Sequence[date]) -> StepResult:
        """Read which commits each day has; asset `raw_commits`."""
        return _logged(collect.collect, self._workbench, repo, days)

    def diff(self, repo: str, days: Sequence[date]) -> StepResult:
        """Read the files of these commits; asset `commit_diffs`."""
        return _logged(diff.diff, self._workbench, repo, days)

    def read_ahead(self, repo: str, days: Sequence[date]) -> None:
        """`diff` of these days comes when those before them are done: it may begin. What fails is raised there."""
        try:
            diff.read_ahead(self._workbench, repo, days)
        except Exception as error:  # noqa: BLE001 - it is done again in its place, and told there
            _log.debug("%s was not read ahead: %s", repo, error)

    def analyse(self, repo: str, days: Sequence[date]) -> StepResult:
        """Score the commits and ask the analyst about them; asset `commit_analyses`."""
        return _logged(analyse.analyse, self._workbench, repo, days)

    def report(self, repo: str, days: Sequence[date]) -> StepResult:
        """Render the page of each day; asset `repo_report`."""
        return _logged(report.report, self._workbench, repo, days)

    def digest(self, days: Sequence[date]) -> StepResult:
        """Render the digest of each day over all repos; asset `daily_digest`."""
        return digest.digest(self._workbench, days)

    def reader_pages(self, days: Sequence[date]) -> StepResult:
        """Render each reader's page of each day; asset `reader_pages`."""
        return readers.reader_pages(self._workbench, days)

    def deliver(
        self, days: Sequence[date] | None = None, *, dry_run: bool = False
    ) -> list[deliver.Delivered]:
        """Bring pages to channels: what is due, or all of `days` that a channel does not have."""
        return deliver.deliver(self._workbench, days, dry_run=dry_run)

    def rollup(self, periods: Sequence[Period]) -> rollup.RollupResult:
        """Render the page of each week or month; assets `weekly_rollup` and `monthly_rollup`."""
        return rollup.rollup(self._workbench, periods)

    def site(self, folder: Path | None = None, language: Language | None = None) -> SiteResult:
        """Build the site; asset `site`. Raises UsageError where the folder is somebody else's, DigestError."""
        from digest_pipeline.pipeline.site import site  # noqa: PLC0415 - parsers and templates that no other step needs

        return site(self._workbench, folder, language)

    def upkeep(self) -> Kept:
        """Keep the history small, as the settings say; job `upkeep`. Raises StoreError."""
        bench = self._workbench
        return upkeep.upkeep(bench.settings, bench.history.place, now=bench.now(), progress=bench.progress)

    def watch(self, see_runs: alarm.SeeRuns | None = None) -> alarm.Look:
        """Raise, close and send alarms, by what is stored and what is seen of runs. Raises StoreError."""
        return alarm.alarm(self._workbench, see_runs)

    def alarm(self, see_runs: alarm.SeeRuns | None = None) -> None:
        """`watch`, which must not fail a run: whatever stands in its way is an error line."""
        try:
            self.watch(see_runs)
        except DigestError as error:
            _log.error("alarms were not looked at: %s", error)
        except Exception as error:  # noqa: BLE001 - a bug in here, or a full disk, is no reason to fail either
            _log.error("alarms were not looked at: %s", type(error).__name__)

    def close(self) -> None:
        """Give back what the sources hold, and close the history."""
        self._workbench.close()


def _logged(
    step: Callable[[Workbench, str, Sequence[date]], StepResult],
    bench: Workbench,
    repo: str,
    days: Sequence[date],
) -> StepResult:
    started = time.monotonic()
    result = step(bench, repo, days)
    seconds = time.monotonic() - started
    done, failed = len(result.done), len(result.failed)
    _log.info("%s %s: days done %d, failed %d; %.1f s", step.__name__, repo, done, failed, seconds)
    return result


__all__ = [
    "EVERY_REPO",
    "Pipeline",
    "Progress",
    "StepResult",
    "Workbench",
    "digest_path",
    "reader_path",
    "report_path",
    "utc_now",
]
