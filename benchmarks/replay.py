"""Days of a real repository lived through in virtual time: the pipeline as the daemon runs it, over a real store.

The days are read once into a template; each seed lives through a copy of it. What runs is what schedules and
sensors would ask for, at the times at which they would: `benchmarks.weather` has the clock, the endpoint and its
failures, `benchmarks.invariants` what must hold.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.invariants import (
    ATTEMPTS,
    PLACES,
    PROBE_EVERY,
    Invariants,
    WatchedHistory,
)
from benchmarks.weather import NIGHTLY_HOUR, VirtualPolicy, VirtualTime, Weather, most_within, utc
from digest_pipeline.analysts.gateway import EndpointConfig
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst
from digest_pipeline.compose import open_analyst, open_source, settings_for_clone
from digest_pipeline.domain.day import days_between
from digest_pipeline.domain.healing import Request, Waiting, due_analyses, due_at
from digest_pipeline.pipeline import Pipeline, StepResult, Workbench
from digest_pipeline.settings import LlmSettings, Settings
from digest_pipeline.sources.git import clone_of
from digest_pipeline.store.history import History, open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from digest_pipeline.analysts import Analyst
    from digest_pipeline.domain.endpoint import EndpointState

DAYS = 20
DIES, COMES_BACK = 5, 15
AFTERWARDS = 4
"""Days that are lived through after the last one, for what still waits then."""

UPKEEP_EVERY = 5
"""Days; the daemon does it every night, which costs a fifth of the replay and changes nothing that is checked."""

MINUTE = timedelta(minutes=1)
"""How often the sensor `failed_analyses` looks."""

_HOST, _MODEL = "llm.example.com", "simulated"


@dataclass(frozen=True)
class Template:
    """A data folder whose days are read, and nothing more; `commits` are those of each day."""

    data_dir: Path
    settings: Settings
    commits: Mapping[date, frozenset[str]]

    @property
    def repo(self) -> str:
        """The repository's name."""
        return self.settings.repos[0].name


@dataclass(frozen=True)
class Result:
    """What one seed came to; `most_probes` is the most within half an hour, `waited` and `healed` count pages."""

    seed: int
    commits: int
    calls: int
    probes: int
    most_probes: int
    runs: int
    repeated: int
    lost: int
    waited: int
    healed: int
    cpu_seconds: float


def make_template(repo: Path, folder: Path, *, days: int = DAYS) -> Template:
    """Read the newest `days` days of a clone that end with its newest commit."""
    settings = settings_for_clone(repo, data_dir=folder)
    llm = LlmSettings(base_url=f"https://{_HOST}/v1", model=_MODEL)
    newest = max(clone_of(repo).commit_times).astimezone(UTC).date()
    chosen = list(days_between(newest - timedelta(days=days - 1), newest))
    settings = settings.model_copy(update={"llm": llm, "first_day": chosen[0]})
    now = utc(newest + timedelta(days=1))
    commits: dict[date, set[str]] = {day: set() for day in chosen}
    bench = Workbench(
        settings,
        History(Place(folder), settings.timezone),
        open_source=open_source,
        open_analyst=open_analyst,
        now=lambda: now,
    )
    with closing(Pipeline(bench)) as pipeline:
        name = settings.repos[0].name
        for step in (pipeline.collect, pipeline.diff):
            _raise_failed(step(name, chosen))
        where = {"repo": name, "first": chosen[0], "last": newest}
        for row in pipeline.history.read("pipeline/shas_of_days", where):
            commits[row["day"]].add(row["sha"])
    return Template(folder, settings, {day: frozenset(shas) for day, shas in commits.items()})


def replay(
    template: Template,
    seed: int,
    folder: Path,
    *,
    dies: int = DIES,
    back: int = COMES_BACK,
    after: int = AFTERWARDS,
) -> Result:
    """Live through the days of `template` with the weather of `seed`. Raises BrokenInvariant."""
    started = time.process_time()
    data_dir = folder / f"seed-{seed}"
    shutil.copytree(template.data_dir, data_dir)
    first = min(template.commits)
    clock = VirtualTime(utc(first))
    weather = Weather.over(seed, clock, first, dies=dies, back=back)
    settings = template.settings.model_copy(update={"data_dir": data_dir})
    with (
        _virtual(clock),
        WatchedHistory(Place(data_dir), settings.timezone) as history,
        open_history(Place(data_dir), settings.timezone) as reader,
    ):
        reader.execute("SET threads = 1; SET enable_progress_bar = false")
        invariants = Invariants(reader, data_dir, weather, template.commits)
        daemon = _Daemon(settings, history, weather, invariants)
        daemon.live(list(template.commits), after)
        invariants.check_end()
    shutil.rmtree(data_dir)
    everything = frozenset[str]().union(*template.commits.values())
    return Result(
        seed,
        commits=len(everything),
        calls=weather.kinds.total(),
        probes=len(weather.probes),
        most_probes=most_within(weather.probes, PROBE_EVERY),
        runs=daemon.runs,
        repeated=sum(times > 1 for times in weather.answered.values()),
        lost=len(everything - weather.answered.keys()),
        waited=len(invariants.waited),
        healed=len(invariants.healed),
        cpu_seconds=time.process_time() - started,
    )


class _Daemon:
    """The runs of schedules and sensors, one after the other, each with a pipeline of its own over one connection."""

    def __init__(
        self, settings: Settings, history: WatchedHistory, weather: Weather, invariants: Invariants
    ) -> None:
        self.runs = 0
        self._settings = settings
        self._repo = settings.repos[0].name
        self._history = history
        self._weather = weather
        self._invariants = invariants
        self._waiting: list[Waiting] = []
        # What the newest run knows; the next one reads it from the store.
        self._states: dict[tuple[str, str], EndpointState] = {}
        self._spent: set[str] = set()
        # Ticks fall on any second of the minute.
        self._first_tick = utc(settings.first_day) + timedelta(seconds=weather.seed * 7 % 60)

    def live(self, days: Sequence[date], after: int) -> None:
        """Each day is made in the night that follows it; `after` are nights in which there is nothing new."""
        for night in days_between(days[0] + timedelta(days=1), days[-1] + timedelta(days=1 + after)):
            self._weather.time.pass_until(utc(night, NIGHTLY_HOUR))
            if (yesterday := night - timedelta(days=1)) in days:
                self._run([yesterday])
            self._tick_until(utc(night, NIGHTLY_HOUR + 1, 30))
            if (night - days[0]).days % UPKEEP_EVERY == 0:
                keep(self._history.place)
            self._invariants.check()
            self._tick_until(utc(night + timedelta(days=1), NIGHTLY_HOUR))

    def _tick_until(self, end: datetime) -> None:
        """The ticks of the sensor, but for those of which is known that they ask for nothing."""
        while (moment := self._next_tick()) is not None and moment < end:
            before = moment - MINUTE
            if before > self._weather.time.now() and self._asked(before):
                self._invariants.broken(f"the tick at {before} was passed over, and would have asked")
            self._weather.time.pass_until(moment)
            for request in self._asked(moment):
                self._spent.add(request.key)
                self._run(list(days_between(request.first, request.last)), again=True)

    def _next_tick(self) -> datetime | None:
        """When the sensor looks next, with anything that is due; None where nothing waits by itself."""
        self._look()
        times = [at for one in self._waiting if (at := due_at(one, self._states)) is not None]
        if not times:
            return None
        soonest = max(min(times), self._weather.time.now() + timedelta(microseconds=1))
        return self._first_tick + MINUTE * math.ceil((soonest - self._first_tick) / MINUTE)

    def _look(self) -> None:
        """What waits, read again where a run has written since."""
        written = self._history.written
        if written & {"analyses", "commit_log"}:
            until = self._weather.time.now().date()
            where = {"language": self._settings.language, "first": self._settings.first_day, "last": until}
            self._waiting = [Waiting.of(row) for row in self._history.read("pipeline/waiting", where)]
        written.clear()

    def _asked(self, now: datetime) -> list[Request]:
        decision = due_analyses(self._waiting, self._states, in_flight=(), now=now)
        # Dagster starts no second run for a key.
        return [request for request in decision.requests if request.key not in self._spent]

    def _run(self, days: Sequence[date], *, again: bool = False) -> None:
        """A run over `days`; `again` is one that asks again about commits, and ends where nobody is there."""
        self.runs += 1
        self._look()
        bench = self._workbench()
        if self._states and bench.books.states != self._states:
            self._invariants.broken("the store does not say of the endpoint what the last run learned of it")
        self._states = bench.books.states
        pipeline = Pipeline(bench)
        if again and not pipeline.knock():
            self._invariants.check_calls()
            if self._history.written != {"endpoints"}:
                self._invariants.broken(f"a probe in vain wrote into {self._history.written}")
            return
        for result in (
            pipeline.analyse(self._repo, days),
            pipeline.report(self._repo, days),
            pipeline.digest(days),
        ):
            _raise_failed(result)
        self._invariants.made |= set(days)
        self._invariants.check()

    def _workbench(self) -> Workbench:
        def open_analyst(settings: Settings, **parts: Any) -> Analyst:  # noqa: ANN401 - handed on
            endpoint = EndpointConfig(
                f"https://{_HOST}/v1",
                _MODEL,
                concurrency=PLACES,
                attempts=ATTEMPTS,
                probe_every=PROBE_EVERY,
            )
            return OpenAICompatibleAnalyst(
                [endpoint],
                language=settings.language,
                clock=lambda: self._weather.time.seconds,
                connect=self._weather.connect,
                **parts,
            )

        return Workbench(
            self._settings,
            self._history,
            open_source=open_source,
            open_analyst=open_analyst,
            now=self._weather.time.now,
            by_hand=False,
        )


def _raise_failed(result: StepResult) -> None:
    for error in result.failed.values():
        raise error


@contextmanager
def _virtual(clock: VirtualTime) -> Iterator[None]:
    """Event loops of virtual time, as long as the block lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # policies go with Python 3.16
        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(VirtualPolicy(clock))
        try:
            yield
        finally:
            asyncio.set_event_loop_policy(before)
