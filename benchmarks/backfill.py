"""A history backfilled from the UI, beside `digest run` over the same days in the same session.

`python -m benchmarks.backfill --repo PATH --branch main --from DAY --to DAY`, or `make bench-backfill ARGS="…"`.
Each round starts `digest up` in a data folder of its own, launches what the UI's dialog launches, waits for the last
page, then runs the command in another folder. Exits 1 where a limit or a count does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from datetime import time as datetime_time
from typing import TYPE_CHECKING, Any, Self

from benchmarks.command import ASSETS_BY_REPO, Count, run_command
from benchmarks.figures import Figure, Measured, say
from benchmarks.history import arguments_for, scratch_folder, span_of
from benchmarks.measure import CAN_SEE_MEMORY, TreeWatch
from benchmarks.repository import REPO, Span, Unmeasurable, ask_git, git
from benchmarks.ui import REPO_ASSETS, Ui, digest_up, wait_until
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MOST_TIMES_COMMAND = 1.3
MOST_RUNS = 8
MOST_MEGABYTES = 600

SCENARIOS = ("plain", "damaged", "killed", "terminated")

_PATIENCE_SECONDS = 1800
_PID = re.compile(r"Started process for run \(pid: (\d+)\)")


@dataclass(slots=True)
class Backfill:
    """One backfill from the UI: seconds since it was asked for, megabytes of each run's process tree."""

    scenario: str
    to_first_run: float = 0.0
    to_last_page: float = 0.0
    to_last_digest: float = 0.0
    runs: list[str] = field(default_factory=list)
    peak_megabytes: list[float] = field(default_factory=list)
    steps_seen: int = 0
    counts: list[Count] = field(default_factory=list)

    @property
    def from_first_run(self) -> float:
        """Seconds from the start of the first run to the last page."""
        return self.to_last_page - self.to_first_run

    @property
    def line(self) -> str:
        """All of it, for a person."""
        peaks = ", ".join(f"{peak:.0f}" for peak in self.peak_megabytes)
        return (
            f"{self.scenario}: {self.to_last_page:.1f} s from the request to the last page "
            f"({self.to_first_run:.1f} s to the first run, {self.from_first_run:.1f} s from there; digests after "
            f"{self.to_last_digest:.1f} s); runs {', '.join(self.runs)}, peaks of {peaks} MB; the count of pages "
            f"in the UI moved {self.steps_seen} times"
        )

    @property
    def broken(self) -> list[str]:
        """What does not hold."""
        found = [
            f"{self.scenario}: {count.what}: {count.found}, wanted {count.wanted}"
            for count in self.counts
            if not count.holds
        ]
        if len(self.runs) > MOST_RUNS:
            found.append(f"{self.scenario}: {len(self.runs)} runs, at most {MOST_RUNS}")
        if (peak := max(self.peak_megabytes, default=0)) > MOST_MEGABYTES:
            found.append(f"{self.scenario}: {peak:.0f} MB, at most {MOST_MEGABYTES}")
        return found


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


def backfill_once(span: Span, folder: Path, scenario: str, *, lost: Sequence[date] = ()) -> Backfill:
    """Backfill the whole span from the UI in a data folder of its own below `folder`, and count what came of it.

    `lost` are the days that cannot be made. "killed" ends the run's process at a third of the pages, and Dagster
    starts another; "terminated" ends the run from the UI there, and launches what is missing from the UI again.
    """
    data_dir, config = folder / "data", folder / "digest.toml"
    config.write_text(span.settings(data_dir), encoding="utf-8")
    found = Backfill(scenario)
    with digest_up(config, data_dir) as (ui, _), Watch(data_dir) as watch:
        asked_at = time.time()
        backfills = [ui.launch_backfill(f"{span.first}|{REPO}", f"{span.last}|{REPO}")]
        if scenario in {"killed", "terminated"}:
            _ended_in_the_middle(ui, backfills[0], data_dir, span.days // 3, by_kill=scenario == "killed")
        if scenario == "terminated":
            _over(ui, backfills[0], found)
            backfills.append(ui.relaunch_failed(backfills[0]))
        status = _over(ui, backfills[-1], found)
        runs = [run for one in backfills for run in ui.runs_of(one)]
        found.runs = [run["status"].lower() for run in runs]
        found.to_first_run = min(run["startTime"] for run in runs if run["startTime"]) - asked_at
        found.to_last_page = _last(data_dir, "repo_report") - asked_at
        found.peak_megabytes = peaks_of([run["id"] for run in runs], watch.peaks) if CAN_SEE_MEMORY else []
        wait_until(
            lambda: ui.partitions("daily_digest")["numMaterialized"] == span.days,
            _PATIENCE_SECONDS,
            "the digests",
        )
        found.to_last_digest = _last(data_dir, "daily_digest") - asked_at
        found.counts = [
            Count("backfill that says how it ended", int(status == _STATUS[bool(lost)]), 1),
            *_materialized(ui, span, data_dir, lost),
            *_stored(span, data_dir, lost),
        ]
    return found


def peaks_of(runs: Sequence[str], peaks: Mapping[str, int]) -> list[float]:
    """Megabytes of each run. Raises RuntimeError where one was never seen: it may have taken any amount."""
    if unseen := [run for run in runs if not peaks.get(run)]:
        raise RuntimeError(f"the processes of these runs were never seen: {', '.join(unseen)}")
    return [peaks[run] / 1e6 for run in runs]


_STATUS = {False: "COMPLETED_SUCCESS", True: "COMPLETED_FAILED"}


def _over(ui: Ui, backfill: str, found: Backfill) -> str:
    """The status of a backfill once it is over; meanwhile, how often the UI's count of pages moved."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    seen: set[int] = set()
    while time.monotonic() < deadline:
        status = str(ui.backfill(backfill)["status"])
        if status not in {"REQUESTED", "CANCELING", "FAILING"}:
            found.steps_seen += len(seen)
            return status
        if made := ui.partitions("repo_report")["numMaterialized"]:
            seen.add(made)
        time.sleep(1)
    raise RuntimeError("the backfill did not end")


def _ended_in_the_middle(ui: Ui, backfill: str, data_dir: Path, pages: int, *, by_kill: bool) -> None:
    wait_until(
        lambda: ui.partitions("repo_report")["numMaterialized"] >= pages,
        _PATIENCE_SECONDS,
        "a third was made",
    )
    [run] = ui.runs_of(backfill)
    if by_kill:
        os.kill(dict(process_of_runs(data_dir))[run["id"]], signal.SIGKILL)
    else:
        ui.terminate(run["id"])


def _materialized(ui: Ui, span: Span, data_dir: Path, lost: Sequence[date]) -> Iterator[Count]:
    for asset in REPO_ASSETS:
        stats = ui.partitions(asset)
        failed = 0 if asset == "raw_commits" else len(lost)
        yield Count(f"partitions of {asset}", stats["numMaterialized"], span.days - failed)
        yield Count(f"failed partitions of {asset}", stats["numFailed"], failed)
    wanted = ASSETS_BY_REPO * span.days - (ASSETS_BY_REPO - 1) * len(lost)
    yield Count("materializations by day and repository", _materializations(data_dir), wanted)


def damaged_copy(span: Span, folder: Path) -> tuple[Span, list[date]]:
    """The span in a copy that lacks the tree of one commit in the middle, and the days that need it.

    Those are the day of the commit, and those of commits that git compares with it.
    """
    middle = datetime.combine(span.first + timedelta(days=span.days // 2), datetime_time(), span.timezone)
    listed = git(
        span.path,
        "rev-list",
        "--first-parent",
        f"--until={int(middle.timestamp())}",
        "-1",
        span.branch or "HEAD",
    )
    sha = listed.decode().strip()
    tree = git(span.path, "rev-parse", f"{sha}^{{tree}}").decode().strip()
    copy = folder / "damaged.git"
    git(folder, "init", "--bare", "--quiet", str(copy))
    listed = git(span.path, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
    kept = b"\n".join(name for name in listed.split() if name != tree.encode()) + b"\n"
    git(span.path, "pack-objects", "--quiet", str(copy / "objects" / "pack" / "pack"), stdin=kept)
    (copy / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    head = git(span.path, "rev-parse", span.branch or "HEAD").decode().strip()
    (copy / "refs" / "heads" / "main").write_text(f"{head}\n", encoding="ascii")
    needing = [sha]
    for line in git(copy, "rev-list", "--parents", "main").decode().splitlines():
        child, *parents = line.split()
        if parents[:1] == [sha]:
            needing.append(child)
    moments = (int(git(copy, "rev-list", "--no-commit-header", "--format=%ct", "-1", one)) for one in needing)
    days = {datetime.fromtimestamp(moment, span.timezone).date() for moment in moments}
    return replace(span, path=copy, branch="main"), sorted(
        day for day in days if span.first <= day <= span.last
    )


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


def _stored(span: Span, data_dir: Path, lost: Sequence[date]) -> Iterator[Count]:
    truth = ask_git(span) if not lost else None
    with closing(open_history(Place(data_dir), span.timezone)) as history:

        def stored(question: str) -> int:
            row = history.execute(question).fetchone()
            return int(row[0]) if row else 0

        if truth is not None:
            commits = len(truth.commits)
            yield Count("commits in the store", stored("SELECT count(*) FROM commits"), commits)
            yield Count(
                "analyses that are ok", stored("SELECT count(*) FROM analyses WHERE status = 'ok'"), commits
            )
        yield Count("reports in the store", stored("SELECT count(*) FROM reports"), span.days - len(lost))
        yield Count("digests in the store", stored("SELECT count(*) FROM digests"), span.days)


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`: one round, and each of the other scenarios."""
    span = span_of(chosen, folder)
    one = _round(span, folder / "round", "")
    others = [_other(span, folder / name, name) for name in SCENARIOS[1:]]
    return Measured(str(span), [*_figures(one), *(figure for other in others for figure in _of_runs(other))])


def _figures(one: Round) -> Iterator[Figure]:
    made = one.backfill
    beside = ("digest run", one.command_seconds)
    name = "from the request to the last page"
    yield Figure.at_most(MOST_TIMES_COMMAND, "backfill", name, made.to_last_page, "s", *beside)
    yield Figure("backfill", "from the request to the last digest", made.to_last_digest, "s", *beside)
    yield Figure("backfill", "from the request to the first run", made.to_first_run, "s")
    yield from _of_runs(made)


def _of_runs(made: Backfill) -> Iterator[Figure]:
    yield Figure.at_most(MOST_RUNS, "backfill", f"{made.scenario}: runs", len(made.runs))
    if made.peak_megabytes:
        name = f"{made.scenario}: peak memory of a run"
        yield Figure.at_most(MOST_MEGABYTES, "backfill", name, max(made.peak_megabytes), "MB")
    broken = sum(not count.holds for count in made.counts)
    for count in made.counts:
        if not count.holds:
            say(f"{made.scenario}: {count.what}: {count.found}, wanted {count.wanted}")
    yield Figure.none("backfill", f"{made.scenario}: counts of partitions and pages that do not hold", broken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code: 0, 1 where a limit or a count does not hold, 2 without a history."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backfill", description=(__doc__ or "").splitlines()[0]
    )
    arguments_for(parser)
    parser.add_argument(
        "--scenario",
        action="append",
        choices=SCENARIOS,
        help="plain (beside digest run), damaged (a copy that lacks a tree), killed, terminated; default: all",
    )
    chosen = parser.parse_args(arguments)
    wanted = chosen.scenario or SCENARIOS
    rounds: list[Round] = []
    others: list[Backfill] = []
    try:
        with scratch_folder() as folder:
            span = span_of(chosen, folder)
            numbers = range(1, max(chosen.repeat, 1) + 1) if "plain" in wanted else ()
            rounds.extend(_round(span, folder / f"{number}", f"round {number}: ") for number in numbers)
            others.extend(_other(span, folder / name, name) for name in SCENARIOS[1:] if name in wanted)
    except Unmeasurable as error:
        say(f"bench: {error}")
        return 2
    except RuntimeError as error:
        say(f"bench: {error}")
        return 1
    if chosen.json:
        figures = {"rounds": [asdict(one) for one in rounds], "others": [asdict(one) for one in others]}
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return _told(rounds, others)


def _round(span: Span, folder: Path, prefix: str) -> Round:
    for name in ("ui", "command"):
        (folder / name).mkdir(parents=True)
    say(f"{prefix}from the UI")
    made = backfill_once(span, folder / "ui", "plain")
    say(f"{prefix}the same days by digest run")
    command = run_command(span, ask_git(span), "batches", folder / "command").measured
    shutil.rmtree(folder, ignore_errors=True)
    return Round(made, command.wall_seconds, (command.peak_bytes or 0) / 1e6)


def _other(span: Span, folder: Path, name: str) -> Backfill:
    say(f"from the UI: {name}")
    folder.mkdir(parents=True)
    lost: list[date] = []
    if name == "damaged":
        span, lost = damaged_copy(span, folder)
        say(f"a tree is gone that {', '.join(map(str, lost))} need")
    made = backfill_once(span, folder, name, lost=lost)
    shutil.rmtree(folder, ignore_errors=True)
    return made


def _told(rounds: Sequence[Round], others: Sequence[Backfill]) -> int:
    broken = [line for one in [*(one.backfill for one in rounds), *others] for line in one.broken]
    for one in rounds:
        print(f"{one.backfill.line}; digest run {one.command_seconds:.1f} s, {one.command_megabytes:.0f} MB")
    for other in others:
        print(other.line)
    if rounds:
        ratio = statistics.median(one.ratio for one in rounds)
        print(f"from the UI over digest run: {ratio:.2f}, wanted: at most {MOST_TIMES_COMMAND}")
        if ratio > MOST_TIMES_COMMAND:
            broken.append(f"{ratio:.2f} times the command, at most {MOST_TIMES_COMMAND}")
    for line in broken:
        say(f"bench: does not hold: {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
