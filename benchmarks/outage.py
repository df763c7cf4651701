"""The replay of an outage: twenty days of a real repository, a key that dies on the fifth and is back on the fifteenth.

`python -m benchmarks.outage [--repo PATH] [--seeds N]`, or `make bench-outage ARGS="…"`. What runs is the pipeline
over a real store; clock, network and failures are simulated from a seed (`benchmarks.weather`). Invariants are
checked at every step; one that does not hold names its seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.repository import REPO
from benchmarks.weather import Spell, VirtualPolicy, VirtualTime, Weather, half_hours, utc
from digest_pipeline.analysts.gateway import EndpointConfig
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst
from digest_pipeline.compose import open_source, settings_for_clone
from digest_pipeline.domain.endpoint import EndpointState
from digest_pipeline.domain.healing import Waiting, due_analyses
from digest_pipeline.pipeline import Pipeline, StepResult, Workbench, report_path
from digest_pipeline.pipeline.pages import revision
from digest_pipeline.settings import LlmSettings, Settings
from digest_pipeline.sources.git import clone_of
from digest_pipeline.store.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest_pipeline.analysts import Analyst

DAYS = 20
DIES, COMES_BACK = 5, 15
PROBE_EVERY = timedelta(minutes=30)
_HOST, _MODEL = "llm.example.com", "simulated"


class BrokenInvariant(AssertionError):  # noqa: N818 - what happened
    """Something was lost, paid for twice, or asked too often."""


@dataclass(frozen=True)
class Result:
    """What one seed came to."""

    seed: int
    commits: int
    calls: int
    probes: int
    refused: int
    runs: int
    seconds: float


@dataclass(frozen=True)
class Template:
    """A data folder whose days are read, and nothing more; `days` are the newest active ones as a calendar."""

    data_dir: Path
    settings: Settings
    days: tuple[date, ...]


def make_template(repo: Path, folder: Path, *, days: int = DAYS) -> Template:
    """Read the newest `days` days of a clone that end with its newest commit."""
    settings = settings_for_clone(repo, data_dir=folder)
    llm = LlmSettings(base_url=f"https://{_HOST}/v1", model=_MODEL)
    settings = settings.model_copy(update={"llm": llm})
    newest = max(clone_of(repo).commit_times).astimezone(UTC).date()
    chosen = tuple(newest - timedelta(days=back) for back in range(days - 1, -1, -1))
    settings = settings.model_copy(update={"first_day": chosen[0]})
    time_ = VirtualTime(utc(newest + timedelta(days=1)))
    with opened(settings, Weather(0, time_, _never(), _never())) as pipeline:
        for step in (pipeline.collect, pipeline.diff):
            failed = step(settings.repos[0].name, chosen).failed
            if failed:
                raise next(iter(failed.values()))
    return Template(folder, settings, chosen)


def replay(
    template: Template,
    seed: int,
    folder: Path,
    *,
    dies: float = DIES,
    back: float = COMES_BACK,
    after: int = 4,
) -> Result:
    """Live through the days of `template` with the weather of `seed`. Raises BrokenInvariant."""
    started = time.monotonic()
    data_dir = folder / f"seed-{seed}"
    shutil.copytree(template.data_dir, data_dir)
    settings = template.settings.model_copy(update={"data_dir": data_dir})
    days, name = template.days, template.settings.repos[0].name
    clock = VirtualTime(utc(days[0]))
    dead = Spell(utc(days[0]) + timedelta(days=dies), utc(days[0]) + timedelta(days=back))
    silent_from = utc(days[0]) + timedelta(days=back + 1, hours=seed % 12)
    weather = Weather(seed, clock, dead, Spell(silent_from, silent_from + timedelta(hours=3 + seed % 4)))
    runs = 0
    with virtual(clock), opened(settings, weather) as pipeline:
        live = _Life(pipeline, weather, name, days)
        end = days[-1] + timedelta(days=after)
        day = days[0]
        while day < end:
            clock.pass_until(utc(day + timedelta(days=1), 2))
            if day in days:
                live.make([day])
                runs += 1
            for moment in half_hours(clock.now(), utc(day + timedelta(days=2), 2)):
                clock.pass_until(moment)
                runs += live.tick()
                if not live.waits:
                    break  # nothing waits, and nothing will before the next day is made
            day += timedelta(days=1)
        live.check_end()
    shutil.rmtree(data_dir)
    return Result(
        seed,
        commits=len(weather.answered),
        calls=weather.kinds.total(),
        probes=len(weather.probes),
        refused=weather.kinds["401"],
        runs=runs,
        seconds=time.monotonic() - started,
    )


class _Life:
    """The pipeline from day to day; after each step, what must hold does."""

    def __init__(self, pipeline: Pipeline, weather: Weather, repo: str, days: Sequence[date]) -> None:
        self._pipeline = pipeline
        self._weather = weather
        self._repo = repo
        self._days = days
        self._made: set[date] = set()
        self.waits = True

    def make(self, days: Sequence[date]) -> None:
        """Analyse and report days, as a run of the daemon does."""
        answered = self._weather.answered.total()
        known = set(days) <= self._made
        self._done(self._pipeline.analyse(self._repo, days))
        if known and self._weather.answered.total() == answered:
            return  # the probe failed: the pages say what they said
        self._done(self._pipeline.report(self._repo, days))
        self._pipeline.digest(list(days))
        self._made |= set(days)
        self._check()

    def _done(self, result: StepResult) -> None:
        if result.failed:
            self._broken(f"{next(iter(result.failed.values()))}")

    def tick(self) -> int:
        """What the sensor asks for, done; how many runs."""
        history = self._pipeline.history
        where = {"language": "en", "first": self._days[0], "last": self._days[-1]}
        rows = [row for row in history.read("pipeline/waiting", where) if row["day"] in self._made]
        self.waits = bool(rows)
        states = [EndpointState(**row) for row in history.read("pipeline/endpoints")]
        decision = due_analyses(
            [Waiting(**row) for row in rows],
            {(state.endpoint, state.model): state for state in states},
            in_flight=(),
            now=self._weather.time.now(),
        )
        for request in decision.requests:
            count = (request.last - request.first).days + 1
            chosen = [request.first + timedelta(days=offset) for offset in range(count)]
            self.make([day for day in chosen if day in self._made])
        return len(decision.requests)

    def _check(self) -> None:
        rows = self._pipeline.history.read(
            "pipeline/analyses_of_days",
            {"repo": self._repo, "first": self._days[0], "last": self._days[-1], "language": "en"},
        )
        commits = self._pipeline.history.read(
            "pipeline/commits_of_days", {"repo": self._repo, "first": self._days[0], "last": self._days[-1]}
        )
        wanted = {row["sha"] for row in commits if row["day"] in self._made}
        found = {row["sha"]: row for row in rows if row["day"] in self._made}
        if wanted != set(found):
            self._broken(f"{len(wanted - set(found))} commits are lost")
        ok = {sha for sha, row in found.items() if row["status"] == "ok"}
        if unpaid := ok - set(self._weather.answered):
            self._broken(f"{len(unpaid)} analyses that nobody gave")
        if twice := [sha for sha, times in self._weather.answered.items() if times > 1]:
            self._broken(f"{len(twice)} commits were paid for twice, such as {twice[0]}")
        if gone := [sha for sha in self._weather.answered if sha not in ok]:
            self._broken(f"{len(gone)} answers are not in the store, such as {gone[0]}")
        probes = self._weather.probes
        if close := [b for a, b in itertools.pairwise(probes) if b - a < PROBE_EVERY]:
            self._broken(f"probes closer than half an hour, at {close[0]}")
        for row in self._reports():
            page = self._pipeline.settings.data_dir / report_path(self._repo, row["day"])
            if revision(page.read_text("utf-8")) != row["revision"]:
                self._broken(f"the page of {row['day']} is not what the store holds")
            states = [one["status"] for one in found.values() if one["day"] == row["day"]]
            if (row["analysed"], row["deferred"]) != (states.count("ok"), states.count("deferred")):
                self._broken(f"the page of {row['day']} does not count what the store holds")

    def check_end(self) -> None:
        """All is well in the end."""
        rows = list(self._reports())
        if {row["day"] for row in rows} != set(self._days):
            self._broken("a day has no page")
        unhealed = [row["day"] for row in rows if row["analysed"] != row["commits"]]
        if unhealed:
            self._broken(f"{len(unhealed)} days are not whole, such as {unhealed[0]}")

    def _reports(self) -> list[dict[str, Any]]:
        where = {"repo": self._repo, "first": self._days[0], "last": self._days[-1], "language": "en"}
        return self._pipeline.history.read("pipeline/reports_of_days", where)

    def _broken(self, what: str) -> None:
        raise BrokenInvariant(f"seed {self._weather.seed}, {self._weather.time.now()}: {what}")


@contextmanager
def virtual(clock: VirtualTime) -> Iterator[None]:
    """Event loops of virtual time, as long as the block lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # policies go with Python 3.16
        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(VirtualPolicy(clock))
        try:
            yield
        finally:
            asyncio.set_event_loop_policy(before)


@contextmanager
def opened(settings: Settings, weather: Weather) -> Iterator[Pipeline]:
    """The pipeline whose endpoint is `weather`, in runs that nobody starts by hand."""

    def open_analyst(settings: Settings, **parts: Any) -> Analyst:  # noqa: ANN401 - handed on
        return OpenAICompatibleAnalyst(
            [EndpointConfig(f"https://{_HOST}/v1", _MODEL, concurrency=8)],
            language=settings.language,
            clock=lambda: weather.time.seconds,
            connect=weather.connect,  # type: ignore[arg-type] # takes any keyword
            **parts,
        )

    pipeline = Pipeline(
        Workbench(
            settings,
            History(settings.data_dir, settings.timezone),
            open_source=open_source,
            open_analyst=open_analyst,
            now=weather.time.now,
            by_hand=False,
        )
    )
    with closing(pipeline):
        yield pipeline


def _never() -> Spell:
    return Spell(utc("2100-01-01"), utc("2100-01-01"))


def main() -> int:
    """Replay the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, default=REPO, help="a clone; default: this one")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        template = make_template(arguments.repo, Path(folder) / "template")
        with ProcessPoolExecutor(arguments.jobs) as pool:
            tried = [
                pool.submit(replay, template, seed, Path(folder)) for seed in range(1, arguments.seeds + 1)
            ]
            results, broken = [], []
            for one in tried:
                try:
                    results.append(one.result())
                except BrokenInvariant as error:
                    broken.append(str(error))
    table = Table(box=box.MARKDOWN, title=f"{DAYS} days, key dead from day {DIES} to day {COMES_BACK}")
    for column in ("", "fewest", "most"):
        table.add_column(column, justify="left" if not column else "right")
    for label, values in (
        ("commits, each answered once", [one.commits for one in results]),
        ("calls", [one.calls for one in results]),
        ("probes", [one.probes for one in results]),
        ("calls refused with 401", [one.refused for one in results]),
        ("runs", [one.runs for one in results]),
        ("seconds for a seed", [round(one.seconds, 1) for one in results]),
    ):
        if values:
            table.add_row(label, str(min(values)), str(max(values)))
    table.add_row("seeds in which every invariant held", str(len(results)), str(arguments.seeds))
    Console(width=120).print(table)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
