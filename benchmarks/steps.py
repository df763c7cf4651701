"""Where the time of `digest run` goes: the same command in this process, with a stopwatch around its parts.

`python -m benchmarks.steps INTO STARTED run …` runs `digest run …` and writes the seconds as JSON; STARTED is
what `time.monotonic()` said when the process was started. Each moment of the main thread belongs to one step
and, within it, to git, to a query, to a write or to the step's own work, so that all of them add up to the
wall time. Work that other threads do meanwhile is listed beside it. The product's code is wrapped from
outside; a name that is no longer there stops the benchmark.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.instance.methods.event_methods import EventMethods
from dagster._core.log_manager import DagsterLogManager

from digest_pipeline.pipeline import Pipeline
from digest_pipeline.sources.git import GitSource
from digest_pipeline.store.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = ("start-up", "collect", "diff", "analyse", "report", "checks", "events", "digest", "Dagster", "end")
KINDS = ("git", "queries", "writes", "own")


class Stopwatch:
    """Seconds by step and kind. What starts within something else is taken from it, and given back at its end."""

    def __init__(self, started: float) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.beside: dict[str, float] = defaultdict(float)
        self.details: dict[str, float] = defaultdict(float)
        self._stack = [("start-up", "own")]
        self._started = self._since = started
        self._thread = threading.get_ident()

    @contextmanager
    def running(
        self, step: str | None = None, kind: str = "own", detail: str | None = None
    ) -> Iterator[None]:
        """Until the end of the block, time belongs to `step` (else to the one under way) and `kind`."""
        started = time.monotonic()
        if threading.get_ident() != self._thread:
            try:
                yield
            finally:
                self.beside[kind] += time.monotonic() - started
            return
        self._lap()
        self._stack.append((step or self._stack[-1][0], kind))
        try:
            yield
        finally:
            self._lap()
            self._stack.pop()
            if detail:
                self.details[detail] += time.monotonic() - started

    def base(self, step: str) -> None:
        """From now on, what belongs to nothing else belongs to `step`."""
        self._lap()
        self._stack[0] = (step, "own")

    def note(self, detail: str) -> None:
        """What was done since the process was started is this."""
        self.details[detail] = time.monotonic() - self._started

    def _lap(self) -> None:
        now = time.monotonic()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def time_calls(self, owner: Any, name: str, **what: Any) -> None:  # noqa: ANN401 - modules and classes alike
        """Replace a function or method by itself with the time taken."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
            with self.running(**what):
                return original(*arguments, **named)

        setattr(owner, name, timed)

    def time_items(self, owner: Any, name: str, **what: Any) -> None:  # noqa: ANN401 - as above
        """The same for one that gives its answers one by one: the time until each of them counts."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*arguments: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
            with self.running(**what):
                items = iter(original(*arguments, **named))
            end = object()
            while True:
                with self.running(**what):
                    item = next(items, end)
                if item is end:
                    return
                yield item

        setattr(owner, name, timed)

    def time_context(self, owner: Any, name: str, **what: Any) -> None:  # noqa: ANN401 - as above
        """The same for a context manager: entering it counts, what happens inside does not."""
        original = getattr(owner, name)

        @contextmanager
        @functools.wraps(original)
        def timed(*arguments: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
            manager = original(*arguments, **named)
            with self.running(**what):
                entered = manager.__enter__()
            try:
                yield entered
            except BaseException:
                if not manager.__exit__(*sys.exc_info()):
                    raise
            else:
                manager.__exit__(None, None, None)

        setattr(owner, name, timed)


def instrument(watch: Stopwatch) -> Callable[[list[str]], int]:
    """Put the stopwatch around the product's parts; gives the command line's entry."""
    for step in ("collect", "diff", "analyse", "report", "digest"):
        watch.time_calls(Pipeline, step, step=step)
    # Only now: the assets take the methods as they find them.
    app = import_module("digest_pipeline.cli.app")
    checks = import_module("digest_pipeline.orchestration.checks")
    compose = import_module("digest_pipeline.compose")
    runs = import_module("digest_pipeline.orchestration.runs")
    watch.note("loading modules")
    watch.time_calls(GitSource, "refresh", kind="git")
    watch.time_calls(GitSource, "commits", kind="git")
    watch.time_items(GitSource, "changes", kind="git")
    watch.time_calls(History, "read", kind="queries")
    watch.time_calls(History, "replace", kind="writes")
    watch.time_items(checks, "evaluate", step="checks")
    watch.time_calls(DagsterLogManager, "log_dagster_event", step="events")
    watch.time_calls(EventMethods, "handle_new_event", step="events")
    watch.time_calls(compose, "open_pipeline", step="start-up", detail="opening the history")
    watch.time_context(runs, "open_instance", step="start-up", detail="opening Dagster's instance")
    watch.time_calls(runs, "report_orphans", step="start-up", detail="opening Dagster's instance")
    watch.time_calls(runs, "build_defs", step="start-up", detail="building the definitions")
    _time_rest(watch, runs)
    invoke: Callable[[list[str]], int] = app.invoke
    return invoke


def _time_rest(watch: Stopwatch, runs: Any) -> None:  # noqa: ANN401 - a module
    original = runs.run_days

    @functools.wraps(original)
    def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is
        watch.base("Dagster")
        try:
            return original(*arguments, **named)
        finally:
            watch.base("end")

    runs.run_days = timed


def main(into: str, started: str, *arguments: str) -> int:
    """Run the command; its exit code."""
    watch = Stopwatch(float(started))
    code = instrument(watch)(list(arguments))
    watch.base("end")
    table = {step: {kind: watch.seconds[step, kind] for kind in KINDS} for step in STEPS}
    Path(into).write_text(
        json.dumps({"steps": table, "beside": dict(watch.beside), "start_up": dict(watch.details)}),
        encoding="utf-8",
    )
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
