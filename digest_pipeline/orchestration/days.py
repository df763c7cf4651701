"""What the ops over ranges of days share: portions, live counts in the log, one failure for all that failed."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.checks import log_checks
from digest_pipeline.orchestration.events import log_materializations
from digest_pipeline.orchestration.metadata import CODE_VERSION_TAG, asset_metadata
from digest_pipeline.pipeline import EVERY_REPO, Pipeline, StepResult
from digest_pipeline.pipeline.workbench import batches_over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def make_days(
    context: dg.AssetExecutionContext, asset: str, step: Callable[[Pipeline, Sequence[date]], StepResult]
) -> None:
    """Take the run's days through a step over all repos, each materialized as soon as it is stored.

    Raises dg.Failure for days that could not be done; the others are.
    """
    pipeline: Pipeline = context.resources.pipeline
    days = sorted(date.fromisoformat(key) for key in context.partition_keys)
    version = context.assets_def.code_versions_by_key[dg.AssetKey(asset)] or ""
    counts = Counts(context)
    failed: dict[str, DigestError] = {}
    pipeline.begin(EVERY_REPO, days)
    for portion in batches_over(pipeline.settings.repos, days):
        result = pipeline.apart(lambda some: step(pipeline, some), portion, unexpected(context, asset))
        failed |= {day.isoformat(): error for day, error in result.failed.items()}
        log_materializations(
            context,
            (
                dg.AssetMaterialization(
                    asset_key=asset,
                    partition=day.isoformat(),
                    metadata=asset_metadata(found),
                    tags={CODE_VERSION_TAG: version},
                )
                for day, found in result.done.items()
            ),
        )
        log_checks(context, pipeline, asset, {None: list(result.done)})
        counts.tell(asset, EVERY_REPO, result, len(days))
    if failed:
        raise failure(failed)


class Counts:
    """How far each asset is, for the run's log."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._days: Counter[tuple[str, str]] = Counter()
        self._commits: Counter[tuple[str, str]] = Counter()
        self._failed: Counter[tuple[str, str]] = Counter()

    def tell(self, asset: str, repo: str, result: StepResult, total: int) -> None:
        """Add what a step did of a portion, and say it: `raw_commits: 64 of 229 days, 1,203 commits (owner/name)`."""
        key = asset, repo
        self._days[key] += len(result.done)
        self._failed[key] += len(result.failed)
        self._commits[key] += sum(counts.get("commits", 0) for counts in result.done.values())
        failed = f", {self._failed[key]} failed" if self._failed[key] else ""
        self._context.log.info(
            "%s: %d of %d days, %s commits%s (%s)",
            *(asset, self._days[key], total, f"{self._commits[key]:,}", failed, repo),
        )


def unexpected(context: dg.AssetExecutionContext, what: str) -> Callable[[Exception], DigestError]:
    """What to tell of an exception that no step means to raise; its traceback goes into the run's log."""

    def told(error: Exception) -> DigestError:
        context.log.error("unexpected, in %s", what, exc_info=error)
        reason = " ".join(str(error).split())
        kind = type(error).__name__
        return DigestError(f"{what}: unexpected {kind}: {reason} (a bug; the run's log shows where)")

    return told


def failure(failed: Mapping[str, DigestError]) -> dg.Failure:
    """One failure for all partitions that were not done; each distinct message once."""
    messages = dict.fromkeys(str(error) for error in failed.values())
    return dg.Failure(
        description="\n".join(messages),
        metadata={"partitions": len(failed), "first": next(iter(failed))},
        allow_retries=False,
    )
