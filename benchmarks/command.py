"""The command that is measured, `digest run --from … --to …`, and the counts that must hold after it."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from benchmarks.measure import Measured, measure
from benchmarks.repository import REPO
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.orchestration.instance import packaged_file
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place

if TYPE_CHECKING:
    from benchmarks.repository import Span, Truth

Storage = Literal["batches", "stock"]
"""Where Dagster's events go: the project's own event log, or the one that Dagster brings."""

STORAGES: tuple[Storage, ...] = ("batches", "stock")

ASSETS_BY_REPO = 4


@dataclass(frozen=True, slots=True)
class Count:
    """Something that must be as many as `wanted`."""

    what: str
    found: int
    wanted: int

    @property
    def holds(self) -> bool:
        """Whether it is."""
        return self.found == self.wanted


@dataclass(frozen=True, slots=True)
class CommandRun:
    """One run of the command.

    `events` are those in Dagster's index; `steps` is what an instrumented run wrote about itself.
    """

    storage: Storage
    measured: Measured
    counts: tuple[Count, ...]
    events: int
    steps: dict[str, Any] | None = None


def run_command(
    span: Span, truth: Truth, storage: Storage, folder: Path, *, instrumented: bool = False
) -> CommandRun:
    """Make the whole span in a data folder of its own below `folder`, and count what came of it.

    Raises RuntimeError with the end of its stderr where the command fails.
    """
    data_dir, config = folder / "data", folder / "digest.toml"
    config.write_text(span.settings(data_dir), encoding="utf-8")
    home = stock_home(folder / "home") if storage == "stock" else data_dir / "dagster"
    environ = environment(**({"DAGSTER_HOME": str(home)} if storage == "stock" else {}))
    arguments = ["run", "--config", str(config), "--from", str(span.first), "--to", str(span.last)]
    steps_file = folder / "steps.json"
    if instrumented:
        # The module below is found from the clone's top folder.
        environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(Path(__file__).parents[1]), environ.get("PYTHONPATH")))
        )
        module = ["benchmarks.steps", str(steps_file), repr(time.monotonic())]
    else:
        module = ["digest_pipeline"]
    settings_before = (home / "dagster.yaml").read_bytes() if storage == "stock" else b""
    output, errors = folder / "stdout", folder / "stderr"
    measured = measure(
        [sys.executable, "-m", *module, *arguments], environ=environ, cwd=folder, stdout=output, stderr=errors
    )
    if measured.exit_code != 0:
        raise RuntimeError(f"digest {' '.join(arguments)} exited {measured.exit_code}:\n{tail(errors)}")
    if storage == "stock" and (home / "dagster.yaml").read_bytes() != settings_before:
        raise RuntimeError("digest run wrote over a dagster.yaml that was edited")
    counts = tuple(_count(span, truth, data_dir, home, output))
    steps = json.loads(steps_file.read_text(encoding="utf-8")) if instrumented else None
    if steps is not None:
        # Python's own end comes after the last look at the stopwatch.
        known = sum(seconds for kinds in steps["steps"].values() for seconds in kinds.values())
        steps["steps"]["end"]["own"] += max(0.0, measured.wall_seconds - known)
    return CommandRun(storage, measured, counts, sum(events_in(home).values()), steps)


def stock_home(home: Path) -> Path:
    """A Dagster home whose dagster.yaml is the project's with Dagster's own SQLite storage, as a person edits it."""
    home.mkdir(parents=True)
    settings = yaml.safe_load(packaged_file().read_text(encoding="utf-8"))
    settings["storage"] = {"sqlite": {"base_dir": str(home / "storage")}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return home


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead a run to somebody's own settings or databases."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "DIGEST_"))}
    return kept | more


def tail(file: Path, lines: int = 20) -> str:
    """The last lines of a file."""
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _count(span: Span, truth: Truth, data_dir: Path, home: Path, output: Path) -> list[Count]:
    with closing(open_history(Place(data_dir), span.timezone)) as history:

        def stored(question: str) -> int:
            row = history.execute(question).fetchone()
            return int(row[0]) if row else 0

        commits = {sha for (sha,) in history.execute("SELECT sha FROM commits").fetchall()}
        counts = [
            Count("commits in the store", stored("SELECT count(*) FROM commits"), len(truth.commits)),
            Count("of these, commits that git lists", len(commits & set(truth.commits)), len(truth.commits)),
            Count(
                "commits whose files were read",
                stored("SELECT count(*) FROM commits WHERE complete"),
                len(truth.commits),
            ),
            Count(
                "files that say that their patch is missing",
                stored("SELECT count(*) FROM commit_files WHERE patch_state = 'missing'"),
                truth.missing_files,
            ),
            Count(
                "analyses that are ok",
                stored("SELECT count(*) FROM analyses WHERE status = 'ok'"),
                len(truth.commits),
            ),
            Count("reports in the store", stored("SELECT count(*) FROM reports"), span.days),
            Count("digests in the store", stored("SELECT count(*) FROM digests"), span.days),
        ]
    pages = data_dir / "reports"
    printed = output.read_text(encoding="utf-8").splitlines()
    events = events_in(home)
    checks = sum(check.kind is None for check in CHECKS)  # the others are those of weeks and months
    return [
        *counts,
        Count("report files", len(list((pages / REPO).rglob("*.md"))), span.days),
        Count("digest files", len(list((pages / "daily").rglob("*.md"))), span.days),
        Count("paths printed", sum(Path(line).is_file() for line in printed), 2 * span.days),
        Count(
            "materializations in Dagster",
            events.get("ASSET_MATERIALIZATION", 0),
            (ASSETS_BY_REPO + 1) * span.days,
        ),
        Count("check results in Dagster", events.get("ASSET_CHECK_EVALUATION", 0), checks * span.days),
    ]


def events_in(home: Path) -> dict[str, int]:
    """How many events of each type Dagster keeps in its index over all runs: those of assets, checks and runs."""
    index = home / "storage" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT dagster_event_type, count(*) FROM event_logs GROUP BY 1").fetchall()
    return dict(rows)
