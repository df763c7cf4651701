"""A history backfilled from the UI, beside `digest run` over the same days in the same session.

`python -m benchmarks.backfill --repo PATH --branch main --from DAY --to DAY`, or `make bench-backfill ARGS="…"`.
Each round starts `digest up` in a data folder of its own, launches what the UI's dialog launches, waits for the last
page, then runs the command in another folder. Exits 1 where a limit or a count does not hold.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from benchmarks.command import ASSETS_BY_REPO, Count, run_command
from benchmarks.history import arguments_for, say, scratch_folder, span_of
from benchmarks.measure import TreeWatch
from benchmarks.repository import REPO, Span, Truth, Unmeasurable, ask_git
from benchmarks.ui import FINISHED, REPO_ASSETS, Ui, digest_up, wait_until
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MOST_TIMES_COMMAND = 1.3
MOST_RUNS = 8
MOST_MEGABYTES = 600

_PATIENCE_SECONDS = 1800
_PID = re.compile(r"Started process for run \(pid: (\d+)\)")


@dataclass(slots=True)
class Backfill:
    """One backfill from the UI: seconds since it was asked for, megabytes of each run's process tree."""

    to_first_run: float = 0.0
    to_last_page: float = 0.0
    to_last_digest: float = 0.0
    runs: int = 0
    peak_megabytes: list[float] = field(default_factory=list)
    live: int = 0
    counts: list[Count] = field(default_factory=list)

    @property
    def from_first_run(self) -> float:
        """Seconds from the start of the first run to the last page."""
        return self.to_last_page - self.to_first_run


@dataclass(frozen=True, slots=True)
class Round:
    """A backfill and the command after it."""

    backfill: Backfill
    command_seconds: float
    command_megabytes: float

    @property
    def ratio(self) -> float:
        """From the request to the last page, over the whole of the command."""
        return self.backfill.to_last_page / self.command_seconds


def backfill_once(span: Span, truth: Truth, folder: Path) -> Backfill:
    """Backfill the whole span from the UI in a data folder of its own below `folder`, and count what came of it."""
    data_dir, config = folder / "data", folder / "digest.toml"
    config.write_text(span.settings(data_dir), encoding="utf-8")
    found = Backfill()
    with digest_up(config, data_dir) as (ui, _), Watch(data_dir) as watch:
        asked_at = time.time()
        backfill = ui.launch_backfill(f"{span.first}|{REPO}", f"{span.last}|{REPO}")
        runs = _ended(ui, backfill, found)
        found.runs = len(runs)
        found.to_first_run = min(run["startTime"] for run in runs) - asked_at
        found.to_last_page = _last(data_dir, "repo_report") - asked_at
        found.peak_megabytes = [watch.peaks.get(run["id"], 0) / 1e6 for run in runs]
        wait_until(lambda: _digests(data_dir) == span.days, _PATIENCE_SECONDS, "every digest was made")
        found.to_last_digest = _last(data_dir, "daily_digest") - asked_at
        wait_until(
            lambda: ui.backfill(backfill)["status"] == "COMPLETED_SUCCESS",
            60,
            "the backfill was over for its page too",
        )
        found.counts = [
            *(
                Count(f"partitions of {asset}", ui.partitions(asset)["numMaterialized"], span.days)
                for asset in REPO_ASSETS
            ),
            Count(
                "materializations by day and repository",
                _materializations(data_dir),
                ASSETS_BY_REPO * span.days,
            ),
            *_stored(span, truth, data_dir),
        ]
    return found


def _ended(ui: Ui, backfill: str, found: Backfill) -> list[dict[str, Any]]:
    """The runs of a backfill, once there are some and all ended; meanwhile, how often the UI's count moved."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    seen: set[int] = set()
    while time.monotonic() < deadline:
        runs = ui.runs_of(backfill)
        if runs and all(run["status"] in FINISHED for run in runs):
            found.live = len(seen)
            return runs
        if any(run["status"] == "STARTED" for run in runs):
            made = ui.partitions("repo_report")["numMaterialized"]
            seen |= {made} if made else set()
        time.sleep(1)
    raise RuntimeError("the backfill did not end")


class Watch:
    """Peak memory of each run's process tree, by run id; the processes are named by the runs' own events."""

    def __init__(self, data_dir: Path) -> None:
        self._watch = TreeWatch(self._roots)
        self._data_dir = data_dir
        self._looked = 0.0
        self._known: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.__exit__(None, None, None)

    @property
    def peaks(self) -> dict[str, int]:
        """Bytes by run."""
        return {run: self._watch.peaks.get(process, 0) for run, process in self._known.items()}

    def _roots(self) -> list[int]:
        if time.monotonic() - self._looked > 0.5:
            self._looked = time.monotonic()
            self._known = dict(process_of_runs(self._data_dir))
        return list(self._known.values())


def process_of_runs(data_dir: Path) -> Iterator[tuple[str, int]]:
    """The id and the process of every run that was started, from its own file of events."""
    for file in (data_dir / "dagster" / "storage" / "history" / "runs").glob("*.db"):
        if file.stem == "index":
            continue
        try:
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
                rows = connection.execute(
                    "SELECT event FROM event_logs WHERE dagster_event_type = 'ENGINE_EVENT'"
                ).fetchall()
        except sqlite3.Error:
            continue  # it is being made
        for (event,) in rows:
            if match := _PID.search(event):
                yield file.stem, int(match[1])


def _index(data_dir: Path, question: str, *values: object) -> Any:  # noqa: ANN401 - whatever was asked
    file = data_dir / "dagster" / "storage" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(question, values).fetchone()[0]


def _last(data_dir: Path, asset: str) -> float:
    """When the last materialization of an asset was stored, in seconds since 1970."""
    moment = _index(
        data_dir,
        "SELECT strftime('%s', max(timestamp)) + 0.001 * substr(max(timestamp), 21, 3) FROM event_logs "
        "WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key = ?",
        json.dumps([asset]),
    )
    return float(moment)


def _materializations(data_dir: Path) -> int:
    found: int = _index(
        data_dir,
        "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key IN "
        "(?, ?, ?, ?)",
        *(json.dumps([asset]) for asset in REPO_ASSETS),
    )
    return found


def _digests(data_dir: Path) -> int:
    with closing(open_history(Place(data_dir))) as history:
        row = history.execute("SELECT count(*) FROM digests").fetchone()
    return int(row[0]) if row else 0


def _stored(span: Span, truth: Truth, data_dir: Path) -> list[Count]:
    with closing(open_history(Place(data_dir), span.timezone)) as history:

        def stored(question: str) -> int:
            row = history.execute(question).fetchone()
            return int(row[0]) if row else 0

        return [
            Count("commits in the store", stored("SELECT count(*) FROM commits"), len(truth.commits)),
            Count(
                "analyses that are ok",
                stored("SELECT count(*) FROM analyses WHERE status = 'ok'"),
                len(truth.commits),
            ),
            Count("reports in the store", stored("SELECT count(*) FROM reports"), span.days),
            Count("digests in the store", stored("SELECT count(*) FROM digests"), span.days),
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code: 0, 1 where a limit or a count does not hold, 2 without a history."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backfill", description=(__doc__ or "").splitlines()[0]
    )
    arguments_for(parser)
    chosen = parser.parse_args(arguments)
    rounds: list[Round] = []
    try:
        with scratch_folder() as folder:
            span = span_of(chosen, folder)
            truth = ask_git(span)
            numbers = range(1, max(chosen.repeat, 1) + 1)
            rounds.extend(
                _round(span, truth, folder / f"{number}", f"round {number}: ") for number in numbers
            )
    except Unmeasurable as error:
        say(f"bench: {error}")
        return 2
    except RuntimeError as error:
        say(f"bench: {error}")
        return 1
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(one) for one in rounds], indent=2) + "\n", encoding="utf-8")
    return _told(rounds)


def _round(span: Span, truth: Truth, folder: Path, prefix: str) -> Round:
    for name in ("ui", "command"):
        (folder / name).mkdir(parents=True)
    say(f"{prefix}from the UI")
    made = backfill_once(span, truth, folder / "ui")
    say(f"{prefix}the same days by digest run")
    command = run_command(span, truth, "batches", folder / "command").measured
    shutil.rmtree(folder, ignore_errors=True)
    return Round(made, command.wall_seconds, (command.peak_bytes or 0) / 1e6)


def _told(rounds: Sequence[Round]) -> int:
    broken: list[str] = []
    for number, one in enumerate(rounds, 1):
        made = one.backfill
        peaks = ", ".join(f"{peak:.0f}" for peak in made.peak_megabytes)
        print(
            f"round {number}: {made.to_last_page:.1f} s from the request to the last page "
            f"({made.to_first_run:.1f} s to the first run, {made.from_first_run:.1f} s from there; digests after "
            f"{made.to_last_digest:.1f} s); {made.runs} runs, peaks of {peaks} MB; the count of pages moved "
            f"{made.live} times; digest run {one.command_seconds:.1f} s, {one.command_megabytes:.0f} MB; "
            f"ratio {one.ratio:.2f}"
        )
        broken += [
            f"{count.what}: {count.found}, wanted {count.wanted}" for count in made.counts if not count.holds
        ]
        if made.runs > MOST_RUNS:
            broken.append(f"{made.runs} runs, at most {MOST_RUNS}")
        if max(made.peak_megabytes) > MOST_MEGABYTES:
            broken.append(f"a run of {max(made.peak_megabytes):.0f} MB, at most {MOST_MEGABYTES}")
    ratio = statistics.median(one.ratio for one in rounds)
    print(f"ratio: {ratio:.2f}, wanted: at most {MOST_TIMES_COMMAND}")
    if ratio > MOST_TIMES_COMMAND:
        broken.append(f"{ratio:.2f} times the command, at most {MOST_TIMES_COMMAND}")
    for line in broken:
        say(f"bench: does not hold: {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
