"""The questions of `sql/queries/` as docs/sql.md tells them: with parameters, and answers that they really gave.

They are asked of the recorded day, explained by a model that follows a script, and of a day after it with three
invented commits. `make docs` writes the page anew; a test says when it is out of date.
"""

from __future__ import annotations

import io
import shlex
import sys
import tempfile
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from digest_pipeline.analysts.offline import OfflineAnalyst
from digest_pipeline.cli.sql import _WRITERS, Format
from digest_pipeline.domain.analysis import Call, Usage
from digest_pipeline.domain.commit import Commit, CommitChanges, FileChange
from digest_pipeline.pipeline import Pipeline, Workbench
from digest_pipeline.store.history import History, Replacement, open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import bound, questions
from digest_pipeline_tests.fakes.project import Project, local
from digest_pipeline_tests.fakes.seed_day import RecordedSource, seed_day

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    import duckdb

    from digest_pipeline.analysts import Subject
    from digest_pipeline.domain.analysis import Outcome
    from digest_pipeline.domain.question import Question

PAGE = Path(__file__).parents[1] / "docs/sql.md"
BEGIN = "<!-- From here on `make docs` writes, from sql/queries/. -->"
END = "<!-- Up to here. -->"

SEED = seed_day()
NEXT_DAY = SEED.day + timedelta(days=1)
NOW = datetime(2026, 2, 23, 2, tzinfo=SEED.timezone)
MODEL = "some-model"
ENDPOINT = "llm.example.com"
_WIDEST = 150
_MOST_LINES = 7


@dataclass(frozen=True)
class Example:
    """What is asked in the page, in which form the answer is shown, and how much of it."""

    given: Mapping[str, str] = field(default_factory=dict)
    output: str = "csv"
    lines: int = _MOST_LINES


EXAMPLES = {
    "attempts": Example({"sha": "16cec71"}),
    "breaking_changes": Example({"since": "2026-02-21"}),
    "busiest_authors": Example({"limit": "4"}),
    "changed_together": Example({"path": "components/src/dynamo/trtllm", "limit": "4"}),
    "commits_of_author": Example({"author": "tokarev", "limit": "3"}),
    "cost_by_day": Example(),
    "cost_by_model": Example(output="json", lines=16),
    "coverage": Example(),
    "endpoint_health": Example(output="json", lines=17),
    "failure_classes": Example(),
    "failures": Example(),
    "hottest_directories": Example({"since": "2026-02-21", "limit": "4"}),
    "incomplete_days": Example(),
    "most_expensive": Example({"limit": "3"}),
    "most_important": Example({"since": "2026-02-21", "limit": "3"}),
    "newcomers": Example(),
    "pull_request": Example({"number": "6456"}, output="json", lines=40),
    "reasons": Example({"sha": "42d6980"}),
    "report": Example({"repo": SEED.repo, "day": "2026-02-22"}, output="text"),
    "reverted": Example(),
    "search": Example({"words": "多模态 缓存"}),
    "share_read": Example(),
    "tiers_by_day": Example({"first": "2026-02-15", "last": "2026-02-22"}, output="table"),
    "tiers_by_week": Example(output="table"),
    "unread_files": Example(),
    "whats_new": Example({"since": "c8423b5", "tier": "high"}),
    "who_changed": Example({"path": "components/src/dynamo/trtllm", "limit": "4"}),
}


class Scripted(OfflineAnalyst):
    """A model whose answers are the facts, at a price: one commit never gets one, another at the second try."""

    name = "openai"
    _failing, _late = "2baafc2", "16cec71"

    async def analyse(self, subjects: Iterable[Subject]) -> AsyncIterator[list[tuple[Subject, Outcome]]]:
        """See `Analyst.analyse`."""
        for number, subject in enumerate(subjects):
            yield [(subject, self._said(subject, NOW + timedelta(seconds=10 * number)))]

    def _said(self, subject: Subject, at: datetime) -> Outcome:
        facts = self.outcome(subject)
        lines = sum((file.additions or 0) + (file.deletions or 0) for file in subject.files)
        shown = min(lines, 4000)
        usage = Usage(1200 + 9 * shown, 90 + shown // 4, 1024)
        call = Call(at, 2.5 + shown / 400, ENDPOINT, MODEL, "analysis", usage)
        vain = replace(call, error_class="bad_output", error="it holds no JSON object", seconds=1.5)
        of_it = {
            "model": MODEL,
            "endpoint": ENDPOINT,
            "usage": usage,
            "shown_lines": shown,
            "changed_lines": lines,
        }
        if subject.sha.startswith(self._failing):
            return replace(
                facts,
                **of_it,  # type: ignore[arg-type] # by name
                status="failed",
                analysis=None,
                error_class="bad_output",
                error=vain.error,
                retry_at=at + timedelta(hours=1),
                calls=(vain,),
            )
        calls = (
            (vain, replace(call, started_at=at + timedelta(seconds=2)))
            if self._late in subject.sha
            else (call,)
        )
        return replace(facts, **of_it, attempts=len(calls), calls=calls)  # type: ignore[arg-type] # by name


def make_history(folder: Path) -> Project:
    """A project whose history holds the recorded day and the one after, to be asked by `Project.digest`."""
    project = Project(folder)
    project.configure(
        local(SEED.repo, folder / "nowhere", web_url=f"https://github.com/{SEED.repo}"),
        llm={"base_url": f"https://{ENDPOINT}/v1", "model": MODEL},
        timezone=SEED.timezone.key,
        first_day=SEED.day,
    )
    with project.file.open("a", encoding="utf-8") as file:
        file.write(f"[llm.prices.{MODEL}]\ninput = 0.5\noutput = 1.5\n")
    commits, changes = _next_day()
    source = RecordedSource((*commits, *SEED.commits), {**SEED.changes, **changes})
    settings = project.settings
    history = History(Place(settings.data_dir), settings.timezone)
    workbench = Workbench(
        settings,
        history,
        open_source=lambda *_: source,
        open_analyst=lambda settings, **_: Scripted(settings.language),
        now=lambda: NOW,
    )
    days = [SEED.day, NEXT_DAY]
    with closing(Pipeline(workbench)) as pipeline:
        for step in (pipeline.collect, pipeline.diff, pipeline.analyse, pipeline.report):
            assert step(SEED.repo, days).failed == {}
        assert pipeline.digest(days).failed == {}
        up = {"endpoint": ENDPOINT, "model": MODEL, "is_up": True, "since": NOW.isoformat(), "learned": "{}"}
        history.replace(Replacement("endpoints", {}, [up]))
    return project


def made_page(project: Project) -> str:
    """The whole of docs/sql.md as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    settings = project.settings
    with open_history(Place(settings.data_dir), settings.timezone) as connection:
        told = "\n\n".join("\n".join(_told(connection, question)) for question in questions().values())
    return f"{before}{BEGIN}\n\n{_contents()}\n\n{told}\n\n{END}{after}"


def _contents() -> str:
    rows = [f"| [`{one.name}`](#{one.name}) | {one.asks} |" for one in questions().values()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _told(connection: duckdb.DuckDBPyConnection, question: Question) -> Iterator[str]:
    example = EXAMPLES[question.name]
    yield f"### `{question.name}`"
    yield ""
    yield f"{question.asks}{' ' + question.notes if question.notes else ''}"
    yield ""
    if question.parameters:
        yield "| parameter | default | |"
        yield "|---|---|---|"
        for one in question.parameters:
            default = "needed" if one.default is None else f"`{one.default}`"
            yield f"| `{one.name}` | {default} | {one.meaning} |".replace("day|sha", "day or sha")
        yield ""
    arguments = ["sql", "--query", question.name]
    for name, value in example.given.items():
        arguments += ["--param", f"{name}={value}"]
    arguments += [] if example.output == "table" else ["--format", example.output]
    yield "```console"
    yield f"$ digest {shlex.join(arguments)}"
    lines = [
        line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"
        for line in _answer(connection, question, example).splitlines()
    ]
    yield from lines[: example.lines]
    if len(lines) > example.lines:
        yield "…"
    yield "```"


def _answer(connection: duckdb.DuckDBPyConnection, question: Question, example: Example) -> str:
    """What `digest sql` prints, without opening the history for each."""
    cursor = connection.execute(question.sql, bound(connection, question, example.given))
    columns = [column[0] for column in cursor.description or ()]
    with redirect_stdout(io.StringIO()) as out:
        _WRITERS[Format(example.output)](columns, cursor.fetchall())
    return out.getvalue()


def _next_day() -> tuple[tuple[Commit, ...], dict[str, CommitChanges]]:
    back = next(commit for commit in SEED.commits if commit.sha.startswith("6c698b8"))
    flag = "components/src/dynamo/trtllm/backend_args.py"
    told: list[tuple[str, str, tuple[str, ...]]] = [
        (
            "Lin Chen",
            "docs: 说明多模态缓存的大小 (#6472)\n\n嵌入缓存按令牌计数；默认值不变。",
            ("docs/backends/trtllm/multimodal.md", flag),
        ),
        (
            "Lin Chen",
            "feat(trtllm)!: drop the `--modality` flag (#6471)\n\nBREAKING CHANGE: the worker finds it out by itself.",
            (flag, "components/src/dynamo/trtllm/main.py"),
        ),
        (
            "Dmitry Tokarev",
            f'Revert "fix: Docker push retries (#6456)" (#6470)\n\nThis reverts commit {back.sha}.',
            tuple(file.path for file in SEED.changes[back.sha].files),
        ),
    ]
    commits: list[Commit] = []
    changes: dict[str, CommitChanges] = {}
    for number, (author, message, paths) in enumerate(told):
        sha = f"{number + 1:x}" * 40
        at = datetime(2026, 2, 22, 9 - 2 * number, tzinfo=UTC)
        parent = f"{number + 2:x}" * 40 if number + 1 < len(told) else SEED.head
        commits.append(
            Commit(
                sha=sha,
                parents=(parent,),
                author_name=author,
                author_email="author@example.org",
                authored_at=at,
                committer_name="GitHub",
                committer_email="noreply@example.org",
                committed_at=at,
                message=message,
            )
        )
        files = tuple(
            FileChange(path, None, "modified", 2, 1, f"@@ -1,1 +1,2 @@\n-line of {path}\n+one\n+two", "text")
            for path in paths
        )
        changes[sha] = CommitChanges(sha, files)
    return tuple(commits), changes


def main() -> int:
    """Write the page; say whether it changed."""
    with tempfile.TemporaryDirectory(prefix="digest-docs-") as folder:
        text = made_page(make_history(Path(folder) / "project"))
    changed = text != PAGE.read_text(encoding="utf-8")
    if changed:
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {'written' if changed else 'up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
