"""What the op behind the four assets by day and repo does: portion by portion, materialized as soon as it is stored.

A day that fails costs itself alone, in any step. In the run's log stands how far each asset is.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import dagster as dg

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import log_checks
from digest_pipeline.orchestration.days import Counts, failure, unexpected
from digest_pipeline.orchestration.events import log_materializations
from digest_pipeline.orchestration.in_flight import repo_days_in_flight
from digest_pipeline.orchestration.metadata import CODE_VERSION_TAG, asset_metadata
from digest_pipeline.orchestration.partitions import partition_key
from digest_pipeline.orchestration.resumption import Made, made_before, went_on_before
from digest_pipeline.pipeline import Pipeline, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

COLLECT, DIFF = "raw_commits", "commit_diffs"

STEPS: Mapping[str, Callable[[Pipeline, str, Sequence[date]], StepResult]] = {
    COLLECT: Pipeline.collect,
    DIFF: Pipeline.diff,
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
        self._is_told = False
        self._counts = Counts(context)

    def make(self, days_of: Mapping[str, Sequence[date]]) -> None:
        try:
            left = {repo: self._still_to_do(repo, days) for repo, days in days_of.items()}
            if self._before and went_on_before(self._context.instance, self._context.run):
                # What that one left out is shown as failed; and nobody may come after this one, be it killed too.
                self._materialize_again()
            for repo, days in left.items():
                if days:
                    self._repo(repo, days)
        except BaseException:
            self._materialize_again()
            raise
        if self._failed:
            self._materialize_again()
            raise failure(self._failed)

    def _repo(self, repo: str, days: Sequence[date]) -> None:
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
        portions = self._portions(repo, days)
        for portion, following in zip_longest(portions, portions[1:]):
            left: Sequence[date] = portion
            for asset in rest:
                left, elsewhere = self._step(asset, repo, left, total)
                again |= {*elsewhere} - {*days}
                if asset == DIFF and (due := self._due(DIFF, repo, following or ())):
                    self._pipeline.read_ahead(repo, due)
        # A cherry-pick may change what the page of another day says, one that this run had not to make.
        if again:
            assets = [name for name in rest if name != DIFF]
            again = {*self._free(repo, sorted(again), assets)}
            for portion in self._portions(repo, sorted(again)):
                left = portion
                for asset in assets:
                    left, _ = self._step(asset, repo, left, total + len(again))

    def _portions(self, repo: str, days: Sequence[date]) -> list[list[date]]:
        """The days as they go through the steps together; none where that cannot be read, and they failed."""
        with self._lost_with(repo, days):
            return self._pipeline.portions(repo, days)
        return []

    @contextmanager
    def _lost_with(self, repo: str, days: Sequence[date]) -> Iterator[None]:
        """What is raised within costs these days of a repo, and neither other repos nor what was told before."""
        try:
            yield
        except DigestError as error:
            told = error
        except Exception as error:  # noqa: BLE001 - a bug, or a fault that nobody has met yet
            told = unexpected(self._context, repo)(error)
        else:
            return
        self._failed |= {str(partition_key(day, repo)): told for day in days}

    def _due(self, asset: str, repo: str, days: Sequence[date]) -> list[date]:
        """The days of which the asset was not made before this run went on."""
        made = self._before.get(asset, ())
        return [day for day in days if str(partition_key(day, repo)) not in made]

    def _step(
        self, asset: str, repo: str, days: Sequence[date], total: int
    ) -> tuple[list[date], Sequence[date]]:
        """Do, materialize and check; the days that can go on, and those elsewhere that have to follow."""
        due = self._due(asset, repo, days)
        before = [day for day in days if day not in due]
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
        return self._free(repo, found, self._assets)

    def _free(self, repo: str, days: Sequence[date], assets: Sequence[str]) -> list[date]:
        """Those of the changed `days` whose `assets` this run makes again, whatever the run before made of them.

        What another run is at is in good hands.
        """
        if not days:
            return []
        names = [one.name for one in self._pipeline.settings.repos]
        others = repo_days_in_flight(
            self._context.instance, names, in_line=False, besides=self._context.run.run_id
        )
        found = [day for day in days if (repo, day) not in others]
        self._forget(repo, found, assets)
        if found:
            self._context.log.info(
                "%s changed since it was read, and is made again: %s", repo, ", ".join(map(str, found))
            )
        return found

    # --- going on where another run was ended ---------------------------------------------------------------

    def _still_to_do(self, repo: str, days: Sequence[date]) -> list[date]:
        """The days without those that were finished before; of the others, what is not stored any more is forgotten.

        None where the store cannot tell: they failed, then.
        """
        if not self._before:
            return list(days)
        with self._lost_with(repo, days):
            finished, collected = self._pipeline.standing(repo, days)
            made = self._before.get(self._assets[-1], {})
            todo = [day for day in days if str(partition_key(day, repo)) not in made or day not in finished]
            self._forget(repo, todo, self._assets[-1:])
            self._forget(repo, [day for day in todo if day not in collected], self._assets)
            if len(todo) < len(days):
                done = len(days) - len(todo)
                self._context.log.info(
                    "goes on where the run before was ended: %d of %d days are done (%s)",
                    done,
                    len(days),
                    repo,
                )
            return todo
        return []

    def _forget(self, repo: str, days: Sequence[date], assets: Iterable[str]) -> None:
        for asset in assets:
            for day in days:
                self._before.get(asset, {}).pop(str(partition_key(day, repo)), None)

    def _materialize_again(self) -> None:
        # Dagster shows as failed what a failed run was asked for and did not materialize, whoever did before.
        events = [] if self._is_told else [event for made in self._before.values() for event in made.values()]
        self._is_told = True
        log_materializations(self._context, events)
