"""What the op behind the four assets by day and repo does: portion by portion, materialized as soon as it is stored.

A day that fails costs itself alone, in any step. In the run's log stands how far each asset is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import log_checks
from digest_pipeline.orchestration.days import Counts, failure, unexpected
from digest_pipeline.orchestration.events import log_materializations
from digest_pipeline.orchestration.in_flight import repo_days_in_flight
from digest_pipeline.orchestration.metadata import CODE_VERSION_TAG, asset_metadata
from digest_pipeline.orchestration.partitions import partition_key
from digest_pipeline.orchestration.resumption import Made, made_before
from digest_pipeline.pipeline import Pipeline, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

COLLECT = "raw_commits"

STEPS: Mapping[str, Callable[[Pipeline, str, Sequence[date]], StepResult]] = {
    COLLECT: Pipeline.collect,
    "commit_diffs": Pipeline.diff,
    "commit_analyses": Pipeline.analyse,
    "repo_report": Pipeline.report,
}


def make_repo_days(
    context: dg.AssetExecutionContext, pipeline: Pipeline, days_of: Mapping[str, Sequence[date]]
) -> None:
    """Take the days of each repo through the selected steps. Raises dg.Failure for what could not be done."""
    _Run(context, pipeline).make(days_of)


class _Run:
    """One run over days of repos, with the assets that it has selected."""

    def __init__(self, context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
        self._failed: dict[str, DigestError] = {}
        self._context = context
        self._pipeline = pipeline
        self._assets = [name for name in STEPS if dg.AssetKey(name) in context.selected_asset_keys]
        self._versions = {
            name: context.assets_def.code_versions_by_key[dg.AssetKey(name)] for name in self._assets
        }
        self._before: Made = made_before(context.instance, context.run, self._versions)
        self._counts = Counts(context)

    def make(self, days_of: Mapping[str, Sequence[date]]) -> None:
        for repo, days in days_of.items():
            self._repo(repo, days)
        if self._failed:
            self._materialize_again()
            raise failure(self._failed)

    def _repo(self, repo: str, days: Sequence[date]) -> None:
        days = self._still_to_do(repo, days)
        if not days:
            return
        if COLLECT in self._assets:
            days = sorted({*days, *self._changed(repo, days)})
        self._pipeline.begin(repo, days)
        total = len(days)
        rest = list(self._assets)
        if COLLECT in rest:
            # The history is listed once for all of the days.
            rest.remove(COLLECT)
            days, _ = self._step(COLLECT, repo, days, total)
        again: set[date] = set()
        for portion in self._pipeline.portions(repo, days):
            left: Sequence[date] = portion
            for asset in rest:
                left, elsewhere = self._step(asset, repo, left, total)
                again |= {*elsewhere} - {*days}
        # A cherry-pick may change what the page of another day says, one that this run had not to make.
        if again:
            left = self._free(repo, sorted(again))
            for asset in (name for name in rest if name != "commit_diffs"):
                left, _ = self._step(asset, repo, left, total + len(again))

    def _step(
        self, asset: str, repo: str, days: Sequence[date], total: int
    ) -> tuple[list[date], Sequence[date]]:
        """Do, materialize and check; the days that can go on, and those elsewhere that have to follow."""
        before = [day for day in days if str(partition_key(day, repo)) in self._before.get(asset, ())]
        due = [day for day in days if day not in before]
        if not due:
            return before, ()
        result = self._pipeline.apart(
            lambda some: STEPS[asset](self._pipeline, repo, some), due, unexpected(self._context, repo)
        )
        self._failed |= {str(partition_key(day, repo)): error for day, error in result.failed.items()}
        link = self._pipeline.settings.repo(repo).link_base
        log_materializations(
            self._context,
            (
                self._materialization(asset, repo, day, asset_metadata(counts, link))
                for day, counts in result.done.items()
            ),
        )
        log_checks(self._context, self._pipeline, asset, {repo: list(result.done)})
        self._counts.tell(asset, repo, result, total)
        return sorted([*before, *result.done]), result.elsewhere

    def _materialization(
        self, asset: str, repo: str, day: date, metadata: Mapping[str, Any]
    ) -> dg.AssetMaterialization:
        return dg.AssetMaterialization(
            asset_key=asset,
            partition=str(partition_key(day, repo)),
            metadata=dict(metadata),
            tags={
                "dagster/partition/day": day.isoformat(),
                "dagster/partition/repo": repo,
                CODE_VERSION_TAG: self._versions[asset] or "",
            },
        )

    # --- days that changed later ------------------------------------------------------------------------

    def _changed(self, repo: str, days: Sequence[date]) -> list[date]:
        """The repo's stored days that changed since; none where that cannot be told now: the next run asks again."""
        try:
            found = self._pipeline.changed_days(repo, days)
        except DigestError as error:
            self._context.log.warning("days that changed later were not looked for: %s", error)
            return []
        except Exception:
            self._context.log.exception(
                "unexpected, in %s: days that changed later were not looked for", repo
            )
            return []
        return self._free(repo, found)

    def _free(self, repo: str, days: Sequence[date]) -> list[date]:
        """Those of the changed `days` that this run makes again: what another run is at is in good hands."""
        if not days:
            return []
        names = [one.name for one in self._pipeline.settings.repos]
        others = repo_days_in_flight(self._context.instance, names, in_line=False)
        found = [day for day in days if (repo, day) not in others]
        if found:
            self._context.log.info(
                "%s changed since it was read, and is made again: %s", repo, ", ".join(map(str, found))
            )
        return found

    # --- going on where another run was ended ---------------------------------------------------------------

    def _still_to_do(self, repo: str, days: Sequence[date]) -> list[date]:
        """The days without those that were finished before; of the others, what is not stored any more is forgotten."""
        if not self._before:
            return list(days)
        keys = {day: str(partition_key(day, repo)) for day in days}
        finished, collected = self._pipeline.standing(repo, days)
        last = self._assets[-1]
        todo = []
        for day, key in keys.items():
            if key in self._before.get(last, ()) and day in finished:
                continue
            todo.append(day)
            for asset, made in self._before.items():
                if day not in collected or asset == last:
                    made.pop(key, None)
        if len(todo) < len(days):
            done = len(days) - len(todo)
            self._context.log.info(
                "goes on where the run before was ended: %d of %d days are done (%s)", done, len(days), repo
            )
        return todo

    def _materialize_again(self) -> None:
        # Dagster shows as failed what a failed run was asked for and did not materialize, whoever did before.
        left: Iterable[dg.AssetMaterialization] = (
            event for made in self._before.values() for event in made.values()
        )
        log_materializations(self._context, left)
