"""What the pages of pull requests say: asked of the source, and kept beside the commits that name their numbers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from digest_pipeline.errors import SourceError
from digest_pipeline.store.history import Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest_pipeline.domain.commit import PullRequest
    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.sources import Source

    Row = Mapping[str, Any]

_log = logging.getLogger(__name__)


def known_labels(
    bench: Workbench, repo: str, source: Source, numbers: Sequence[int]
) -> Mapping[int, Sequence[str]] | None:
    """The labels of these pull requests, as they are now, else as they are stored; None where nobody knows of any.

    What could not be asked is a warning: it stops nothing, and what was stored stays.
    """
    asks_for_labels = bool(bench.settings.repo(repo).filter.labels)
    said: Mapping[int, PullRequest | None] | None = None
    problem = 'only source = "github" with a token (token_env) tells of them'
    try:
        said = source.pull_requests(numbers)
    except SourceError as error:
        problem = str(error).removeprefix(f"{repo}: ")
    is_told = said is not None
    if not is_told and (asks_for_labels or bench.settings.repo(repo).source == "github"):
        consequence = "; commits whose labels are not known pass the filter" if asks_for_labels else ""
        _log.warning("%s: labels of pull requests were not read: %s%s", repo, problem, consequence)
    if not is_told and not asks_for_labels:
        return None
    stored = stored_pull_requests(bench, repo, numbers)
    if said is None:
        return {number: row["labels"] for number, row in stored.items()} or None
    now = bench.now().isoformat()
    rows = [_row(repo, number, one) | {"read_at": now} for number, one in said.items()]
    changed = [row for row in rows if not _is_same(stored.get(row["number"]), row)]
    if changed:
        key: dict[str, Any] = {"repo": [repo], "number": [row["number"] for row in changed]}
        bench.history.replace(Replacement("pull_requests", key, changed))
    return {row["number"]: row["labels"] for row in rows}


def stored_pull_requests(bench: Workbench, repo: str, numbers: Sequence[int]) -> dict[int, Row]:
    """The rows of these numbers, where they were ever asked about."""
    if not numbers:
        return {}
    # As one text, which DuckDB reads as a list: it takes 80 µs to bind a value, and these are a thousand.
    found = bench.history.read(
        "pipeline/pull_requests", {"repo": repo, "numbers": f"[{', '.join(map(str, numbers))}]"}
    )
    return {row["number"]: row for row in found}


def _row(repo: str, number: int, one: PullRequest | None) -> dict[str, Any]:
    return {
        "repo": repo,
        "number": number,
        "title": one.title if one is not None else "",
        "labels": list(one.labels) if one is not None else [],
        "body": one.body if one is not None else "",
    }


def _is_same(stored: Row | None, row: Row) -> bool:
    return stored is not None and all(stored[name] == row[name] for name in ("title", "labels", "body"))
