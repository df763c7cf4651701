"""One day through a real model: `make test-llm TEST_LLM_URL=http://127.0.0.1:8080/v1`, and never in CI.

What a model says is not judged here, only that every commit ends with an analysis or with the class of what was
wrong, that no prompt is refused for its length, and that nothing breaks.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from rich.table import Table

from digest_pipeline.compose import open_analyst
from digest_pipeline.pipeline import Pipeline, Workbench, report_path
from digest_pipeline.settings import LlmSettings, RepoSettings, Settings
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.seed_day import RecordedSource, seed_day

if TYPE_CHECKING:
    from pathlib import Path

URL = os.environ.get("TEST_LLM_URL", "")
MODEL = os.environ.get("TEST_LLM_MODEL", "default")
CONTEXT = int(os.environ.get("TEST_LLM_CONTEXT", "8192"))
CONCURRENCY = int(os.environ.get("TEST_LLM_CONCURRENCY", "1"))
KEY = "TEST_LLM_KEY"

pytestmark = [
    pytest.mark.skipif(not URL, reason="asks a real model: set TEST_LLM_URL, as docs/analysts.md says"),
    pytest.mark.allow_hosts(["127.0.0.1", "::1", urlsplit(URL).hostname or "localhost"]),
]


def test_every_commit_of_a_day_ends_ok_or_failed_with_its_class(tmp_path: Path) -> None:
    seed = seed_day()
    settings = Settings(
        timezone=seed.timezone,
        language="en",
        first_day=seed.day,
        data_dir=tmp_path,
        repos=(RepoSettings(name=seed.repo, url=f"https://github.com/{seed.repo}.git"),),
        llm=LlmSettings(
            base_url=URL,
            model=MODEL,
            api_key_env=KEY if os.environ.get(KEY) else None,
            context_tokens=CONTEXT,
            max_output_tokens=512,
            concurrency=CONCURRENCY,
            timeout_seconds=600,
            attempts=1,
        ),
    )
    source = RecordedSource.of(seed)
    workbench = Workbench(
        settings,
        History(Place(tmp_path), settings.timezone),
        open_source=lambda *_: source,
        open_analyst=open_analyst,
        now=lambda: datetime.now(ZoneInfo("UTC")),
        progress=lambda step, _, done, total: print(f"{step}: {done} of {total}", flush=True),  # noqa: T201
    )
    with closing(Pipeline(workbench)) as pipeline:
        for step in (pipeline.collect, pipeline.diff, pipeline.analyse, pipeline.report):
            assert step(seed.repo, [seed.day]).failed == {}
        where = {"repo": seed.repo, "first": seed.day, "last": seed.day, "language": "en"}
        rows = workbench.history.read("pipeline/analyses_of_days", where)

    _show(rows)
    assert len(rows) == len(seed.commits)
    assert {row["status"] for row in rows} <= {"ok", "failed"}
    assert all(row["error_class"] for row in rows if row["status"] == "failed")
    assert "too_large" not in {row["error_class"] for row in rows}
    assert (tmp_path / report_path(seed.repo, seed.day)).read_text(encoding="utf-8").count(seed.head[:7])


def _show(rows: list[dict[str, object]]) -> None:
    table = Table("commit", "tier", "status", "class", "attempts", "tokens", "read", "said")
    for row in rows:
        changed = row["changed_lines"]
        share = f"{row['shown_lines'] / changed:.0%}" if changed else "–"  # type: ignore[operator]
        table.add_row(
            str(row["sha"])[:7],
            *(str(row[name] or "–") for name in ("tier", "status", "error_class", "attempts")),
            f"{row['tokens_in']} + {row['tokens_out']}",
            share,
            str(row["error"] or row["analysis"])[:120],
        )
    console = Console(width=160)
    console.print(table)
    console.print(Counter((row["status"], row["error_class"]) for row in rows))
