"""Asset checks: a question in `sql/checks/` each, answered for every partition, also in a run over a range."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from digest_pipeline.domain.period import Kind
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.events import log_asset_check_evaluations
from digest_pipeline.orchestration.partitions import partition_key
from digest_pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Check:
    """A check: its name is that of its SQL file; the rest is what Dagster shows."""

    name: str
    asset: str
    description: str
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    by_language: bool = False
    kind: Kind | None = None


ROLLUPS: Mapping[str, Kind] = {"weekly_rollup": "weekly", "monthly_rollup": "monthly"}

CHECKS = (
    Check(
        "unique_commits",
        "raw_commits",
        "Each commit stands once in its day, and all that were read are there.",
    ),
    Check("counts_agree", "commit_diffs", "Commits, their sizes and their files agree with each other."),
    Check(
        "coverage",
        "commit_analyses",
        "Every commit has a row, and at least 90 % are analysed.",
        dg.AssetCheckSeverity.WARN,
        by_language=True,
    ),
    Check(
        "links_resolve", "repo_report", "Every link inside the page has one target in it.", by_language=True
    ),
    Check(
        "freshness",
        "repo_report",
        "The day was read after it was over, without an error, and its page holds what was read.",
        dg.AssetCheckSeverity.WARN,
        by_language=True,
    ),
    Check(
        "digest_links_resolve",
        "daily_digest",
        "Every link inside the digest has one target in it.",
        by_language=True,
    ),
    Check(
        "digest_is_whole",
        "daily_digest",
        "Every repo is in the digest, with the page that it has now.",
        dg.AssetCheckSeverity.WARN,
        by_language=True,
    ),
    *(
        Check(
            "rollup_links_resolve",
            asset,
            "Every link of the page leads to a target in it, or on the page of a day that is stored.",
            by_language=True,
            kind=kind,
        )
        for asset, kind in ROLLUPS.items()
    ),
)


def log_checks(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    asset: str,
    days_of: Mapping[str, Sequence[date]] | Mapping[None, Sequence[date]],
) -> None:
    """Log what an asset's selected checks say of these days: of a repo, or under None of digests or rollups.

    A check that cannot be asked now is a warning of each day, and ends nothing: the days are stored.
    """
    for check in _selected(context, [asset]):
        found: list[dg.AssetCheckEvaluation] = []
        for repo, days in days_of.items():
            if not days:
                continue
            try:
                found += evaluate(check, pipeline, repo, days)
            except DigestError as error:
                context.log.warning("the check %s was not asked: %s", check.name, error)
                found += (_not_asked(check, _key(day, repo), error) for day in days)
        log_asset_check_evaluations(context, found)


def check_outputs(context: dg.AssetExecutionContext, assets: Iterable[str]) -> Iterator[dg.Output[None]]:
    """An output for each selected check of these assets: a step that succeeds owes them, whatever was logged."""
    for check in _selected(context, assets):
        yield dg.Output(None, output_name=f"{check.asset}_{check.name}")


def _selected(context: dg.AssetExecutionContext, assets: Iterable[str]) -> list[Check]:
    wanted = set(assets)
    return [
        check
        for check in CHECKS
        if check.asset in wanted
        and dg.AssetCheckKey(dg.AssetKey(check.asset), check.name) in context.selected_asset_check_keys
    ]


def evaluate(
    check: Check, pipeline: Pipeline, repo: str | None, days: Sequence[date]
) -> Iterator[dg.AssetCheckEvaluation]:
    """The check's evaluation of each of `days`: of a repo, or where `repo` is None of digests or rollups."""
    where: dict[str, Any] = {"first": min(days), "last": max(days)}
    if repo is not None:
        where["repo"] = repo
    if check.kind is not None:
        where["kind"] = check.kind
    if check.by_language:
        where["language"] = pipeline.settings.language
    answers = {row["day"]: row for row in pipeline.history.read(f"checks/{check.name}", where)}
    for day in days:
        yield _evaluation(check, _key(day, repo), answers.get(day))


def _key(day: date, repo: str | None) -> str:
    return day.isoformat() if repo is None else str(partition_key(day, repo))


def _not_asked(check: Check, key: str, error: DigestError) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(check.asset),
        check_name=check.name,
        passed=False,
        metadata={"reason": f"not asked: {error}"},
        severity=dg.AssetCheckSeverity.WARN,
        partition=key,
    )


def _evaluation(check: Check, key: str, row: dict[str, Any] | None) -> dg.AssetCheckEvaluation:
    details = {
        name: value
        for name, value in (row or {}).items()
        if name not in {"day", "passed"} and value is not None
    }
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(check.asset),
        check_name=check.name,
        passed=bool(row and row["passed"]),
        metadata=details if row else {"reason": "no row in the store"},
        severity=check.severity,
        partition=key,
    )
