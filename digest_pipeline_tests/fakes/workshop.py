"""The pipeline over real parts: a history in a folder, the sources and analysts that settings name, a given clock."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from digest_pipeline.compose import open_analyst, open_channel, open_messenger, open_source
from digest_pipeline.pipeline import Pipeline, Workbench
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from digest_pipeline.errors import DigestError
    from digest_pipeline.pipeline import StepResult

REPO_STEPS = ("collect", "diff", "analyse", "report")


@dataclass
class Workshop(Project):
    """A project whose steps are called one by one, each `make` with a pipeline of its own, as a run would."""

    now: datetime = datetime(2026, 1, 20, tzinfo=UTC)
    failed: dict[tuple[str, str, date], DigestError] = field(default_factory=dict)

    @contextmanager
    def pipeline(self, *, by_hand: bool = True) -> Iterator[Pipeline]:
        """The pipeline of the settings as they stand; the clock goes on a minute each time."""
        self.begin()
        settings = self.settings
        self.now += timedelta(minutes=1)
        opened = Pipeline(
            Workbench(
                settings,
                History(Place(settings.data_dir), settings.timezone),
                open_source=open_source,
                open_analyst=open_analyst,
                now=lambda: self.now,
                by_hand=by_hand,
                open_messenger=open_messenger,
                open_channel=open_channel,
            )
        )
        try:
            yield opened
        finally:
            opened.close()

    def make(self, days: Sequence[date], *repos: str, digest: bool = True) -> None:
        """All steps for `repos`, all of them where none is named; what failed is in `failed`."""
        self.failed = {}
        with self.pipeline() as pipeline:
            for repo in repos or [repo.name for repo in self.settings.repos]:
                done: Sequence[date] = days
                for step in REPO_STEPS:
                    result: StepResult = getattr(pipeline, step)(repo, done)
                    self.failed |= {(step, repo, day): error for day, error in result.failed.items()}
                    done = list(result.done)
                    if not done:
                        break
            if digest:
                pipeline.digest(days)
                pipeline.reader_pages(days)

    def table(self, name: str, *, without: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """A table's rows in a fixed order, without columns that tell of a run instead of a repository."""
        chosen = f"* EXCLUDE ({', '.join(without)})" if without else "*"
        return self.rows(f"SELECT {chosen} FROM {name} ORDER BY ALL")

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that the history says, but for when it was read."""
        return {
            "reads": self.table("reads", without=("read_at", "failed_at")),
            "commit_log": self.table("commit_log"),
            "commit_sizes": self.table("commit_sizes"),
            "commit_files": self.table("commit_files"),
            "analyses": self.table("analyses", without=("analysed_at",)),
            "reports": self.table("reports", without=("rendered_at",)),
            "digests": self.table("digests", without=("rendered_at",)),
        }

    def snapshot(self) -> int:
        """The number of the newest snapshot of the store."""
        return int(self.rows("SELECT max(snapshot_id) FROM ducklake_snapshots('history')")[0][0])

    def written_since(self, snapshot: int) -> set[str]:
        """The tables into which rows were written, or from which they were taken, after a snapshot."""
        query = """
            WITH changed AS (
                SELECT unnest(list_concat(
                    coalesce(changes['tables_inserted_into'], []), coalesce(changes['tables_deleted_from'], []),
                    coalesce(changes['inlined_insert'], []), coalesce(changes['inlined_delete'], []))) AS id
                FROM ducklake_snapshots('history') WHERE snapshot_id > $snapshot
            )
            SELECT DISTINCT table_name FROM ducklake_table_info('history')
            WHERE table_id IN (SELECT try_cast(id AS BIGINT) FROM changed)"""
        return {row[0] for row in self.rows(query.replace("$snapshot", str(snapshot)))}
