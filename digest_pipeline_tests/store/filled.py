"""A history with a row or more in every table that days have, as the steps leave them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from digest_pipeline.store.history import History, Replacement
from digest_pipeline_tests.store.rows import REPO, analysis, partition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

COMMITS = 3
PATCH = '@@ -1 +1,2 @@\n context\n+added: 中文 {brace} \\ "quote"'


def file_of(day: date, sha: str, number: int, **more: object) -> dict[str, Any]:
    """A row of `commit_files`."""
    return {
        "repo": REPO,
        "day": day,
        "sha": sha,
        "position": number,
        "path": f"src/part{number}.py",
        "previous_path": None,
        "status": "modified",
        "additions": 1,
        "deletions": 0,
        "patch": PATCH,
        "patch_state": "text",
        **more,
    }


def fill(history: History, days: Sequence[date]) -> None:
    """Write `days` of a repo, each with `COMMITS` commits of two files, their analyses, a page and a digest."""
    for day in days:
        shas = [f"{number:040x}" for number in range(COMMITS)]
        markdown = f"# {day}\n\n中文 and `code`\n"
        page = {
            "day": day,
            "language": "en",
            "revision": hashlib.sha256(markdown.encode()).hexdigest()[:16],
            "markdown": markdown,
            "rendered_at": f"{day}T12:00:00+00:00",
        }
        counts = {"commits": COMMITS, "high": 0, "medium": 0, "low": COMMITS}
        files = [file_of(day, sha, number) for sha in shas for number in range(2)]
        key: dict[str, Any] = {"repo": [REPO], "day": [day]}
        history.replace(
            *partition(day, COMMITS),
            Replacement("commit_files", key, files),
            Replacement(
                "commit_sizes",
                key,
                [
                    {"repo": REPO, "day": day, "sha": sha, "additions": 2, "deletions": 0, "files": 2}
                    | {"unread_files": 0, "complete": True}
                    for sha in shas
                ],
            ),
            Replacement(
                "analyses",
                key,
                [
                    analysis(day, sha=sha, analysis='{"summary":["what {it} \\"does\\""]}')
                    | {"reasons": [{"rule": "type", "points": 3, "evidence": "feat {a} 'b'"}]}
                    for sha in shas
                ],
            ),
            Replacement(
                "reports",
                key,
                [
                    page
                    | counts
                    | {"repo": REPO, "path": f"reports/{REPO}/{day:%Y}/{day}.md"}
                    | {"analysed": COMMITS, "failed": 0, "deferred": 0}
                ],
            ),
            Replacement(
                "digests",
                {"day": [day]},
                [
                    page
                    | {"path": f"reports/daily/{day:%Y}/{day}.md", "inputs": "", "repos": 1}
                    | {"missing_repos": ["a/b", "c/d"]}
                ],
            ),
        )
