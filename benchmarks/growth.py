"""What a run costs by how much there is to do: more days, and more repos.

`python -m benchmarks.growth --repo PATH --branch main --timezone ZONE --from DAY`, or `make bench ARGS="--only
growth …"`. Each size is a `digest run --from … --to …` of its own in an empty folder, one after the other. What a
further commit costs is what the next size takes more, divided by the commits that it has more: what every run takes
before its first commit is in neither. No two months of a history have commits of one size: by days it stands beside
what the same commits take in a run of their own, before which there is no history, wanted at most 1.2, and beside what
they cost git alone; how that ratio grows from the first step on is wanted at most 1.2 as well, and so is the time
itself of an invented history whose days are alike, and by repos, where the commits are the same. A peak of memory is
not divided. It is wanted not to grow over the days that are alike and by repos, from the first size on and again from
the second: the first has not more than one portion of 1,000 commits, which go through the steps at once. That of a real
history follows its largest commit: it is wanted below 600 MB, and at most 1.2 times the larger of what the days before
and the last days have in runs of their own. Of several repos each is the same repository under another name.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from benchmarks import floor, invented
from benchmarks.command import environment, tail
from benchmarks.figures import Figure, Measured, missed, print_figures, say
from benchmarks.history import arguments_for, scratch_folder, span_of
from benchmarks.measure import Measured as Cost
from benchmarks.measure import measure
from benchmarks.repository import REPO, Truth, ask_git, choose_span, commits_by_day
from benchmarks.table import MEMORY_LIMIT_MB
from digest_pipeline.pipeline.portions import PORTION_COMMITS
from digest_pipeline.store.connection import connect
from digest_pipeline.store.history import open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.repository import Span

PART = "growth"
DAYS = (30, 60, 120, 229)
REPOS = (1, 3, 10)
DAYS_OF_REPOS = 60
DAYS_ALIKE = 6 * PORTION_COMMITS // invented.COMMITS_A_DAY
"""Six portions, beside four and two: of one alone a heap says nothing yet."""
MOST_GROWTH = 1.2
"""Flat within 20 %."""
BUSY_REPOS = 50
START_RUNS = 3
GIT_RUNS = 3

PLACES = ("store", "reports", "dagster", "site")


@dataclass(frozen=True, slots=True)
class Size:
    """One run: how much there was to do, what it and git alone took, and the bytes that each folder then held.

    `after` are the same once upkeep is done and its week is over.
    """

    days: int
    repos: int
    commits: int
    measured: Cost
    git: floor.Cost
    disk: dict[str, int]
    after: dict[str, int]

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.days} days" if self.repos == 1 else f"{self.repos} repos, {self.days} days"


@dataclass(frozen=True, slots=True)
class Growth:
    """All sizes, by days and by repos, and what a run over nothing takes; `alike` are those of days that are alike.

    `apart` are the days that each size by days has more than the one before it, in runs of their own.
    """

    start: Cost
    by_days: tuple[Size, ...]
    apart: tuple[Size, ...]
    by_repos: tuple[Size, ...]
    alike: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """From one size to the next: what each of the commits that come with it costs, in milliseconds."""

    name: str
    wall: float
    cpu: float
    git: float

    @classmethod
    def all(cls, sizes: Sequence[Size]) -> list[Self]:
        """From each size to the one behind it."""
        return [cls._of(smaller, larger) for smaller, larger in pairwise(sizes)]

    @classmethod
    def _of(cls, smaller: Size, larger: Size) -> Self:
        commits = (larger.commits - smaller.commits) / 1000
        one, other = larger.measured, smaller.measured
        count, what = (smaller.days, "days") if smaller.repos == larger.repos else (smaller.repos, "repos")
        return cls(
            f"from {count} to {larger.days if what == 'days' else larger.repos} {what}",
            (one.wall_seconds - other.wall_seconds) / commits,
            (one.cpu_seconds - other.cpu_seconds) / commits,
            (larger.git.cpu_seconds - smaller.git.cpu_seconds) / commits,
        )

    @property
    def times_git(self) -> float:
        """CPU time in that of git."""
        return self.cpu / self.git


def run_growth(
    span: Span, alike: Span | None = None, days: Sequence[int] = DAYS, repos: Sequence[int] = REPOS
) -> Growth:
    """Measure every size. Raises RuntimeError where a run fails or not all of it is there afterwards."""
    by_day = commits_by_day(span.path, span.branch, span.timezone)
    before = min(by_day) - timedelta(days=1)
    say(f"runs over nothing: {before}")
    nothing = replace(span, first=before, last=before), Truth((), frozenset(), 0)
    starts = [run_size(*nothing, site=False).measured for _ in range(START_RUNS)]
    start = sorted(starts, key=lambda one: one.cpu_seconds)[len(starts) // 2]
    few = min(DAYS_OF_REPOS, max(days))
    sizes: dict[tuple[int, int], Size] = {}
    apart: list[Size] = []
    for fewer, many in pairwise((0, *days)):
        sizes[many, 1] = _part(span, many, 1)
        if fewer:
            # Right after what it stands beside: within minutes a machine may become another one.
            later = replace(span, first=span.first + timedelta(days=fewer))
            apart.append(_part(later, many - fewer, 1, site=False))
    sizes |= {(few, names): _part(span, few, names) for names in repos if (few, names) not in sizes}
    return Growth(
        start,
        tuple(sizes[many, 1] for many in days),
        tuple(apart),
        tuple(sizes[few, names] for names in repos),
        tuple(
            _part(alike, many, 1, site=False)
            for many in (min(days), alike.days // 3, alike.days * 2 // 3, alike.days)
        )
        if alike
        else (),
    )


def _part(span: Span, days: int, repos: int, *, site: bool = True) -> Size:
    part = replace(span, last=span.first + timedelta(days=days - 1))
    truth = ask_git(part)
    if not truth.commits:
        raise RuntimeError(
            f"{span.path.name} has no commit from {part.first} to {part.last}: begin on another day"
        )
    say(f"{span.path.name}: {days} days, {repos} repos, {len(truth.commits) * repos:,} commits")
    return run_size(part, truth, repos, site=site)


def run_size(span: Span, truth: Truth, repos: int = 1, *, site: bool = True) -> Size:
    """`digest run` over the span for so many repos, and what it left on the disk. RuntimeError where it fails."""
    names = [REPO, *(f"{REPO}-{number}" for number in range(2, repos + 1))]
    # Alone it is short enough to be disturbed by anything: the second of three.
    gits = [floor.git_patches(span, truth) if truth.commits else floor.Cost(0, 0) for _ in range(GIT_RUNS)]
    git = sorted(gits, key=lambda one: one.cpu_seconds)[GIT_RUNS // 2]
    with scratch_folder() as folder:
        data_dir, config = folder / "data", folder / "digest.toml"
        config.write_text(span.settings(data_dir, names), encoding="utf-8")
        measured = _digest(
            folder, "run", "--config", str(config), "--from", str(span.first), "--to", str(span.last)
        )
        _must_hold(data_dir, span, repos, len(truth.commits))
        if site:
            _digest(folder, "site", "--config", str(config))
        disk = _bytes(data_dir)
        _keep_for_a_week(Place(data_dir))
        return Size(span.days, repos, len(truth.commits) * repos, measured, git, disk, _bytes(data_dir))


def _digest(folder: Path, *arguments: str) -> Cost:
    errors = folder / "stderr"
    measured = measure(
        [sys.executable, "-m", "digest_pipeline", *arguments],
        environ=environment(),
        cwd=folder,
        stdout=folder / "stdout",
        stderr=errors,
    )
    if measured.exit_code != 0:
        raise RuntimeError(f"digest {' '.join(arguments)} exited {measured.exit_code}:\n{tail(errors)}")
    return measured


def _must_hold(data_dir: Path, span: Span, repos: int, commits: int) -> None:
    with closing(open_history(Place(data_dir), span.timezone)) as history:
        for question, wanted in (
            ("SELECT count(*) FROM commits WHERE complete", commits * repos),
            ("SELECT count(*) FROM analyses WHERE status = 'ok'", commits * repos),
            ("SELECT count(*) FROM reports", span.days * repos),
            ("SELECT count(*) FROM digests", span.days),
        ):
            found = history.execute(question).fetchall()[0][0]
            if found != wanted:
                raise RuntimeError(
                    f"{question}: {found} instead of {wanted}, {repos} repos, {span.days} days"
                )


def _keep_for_a_week(place: Place) -> None:
    """The upkeep, with all that it would take away within a week taken away now: nobody reads here."""
    keep(place)
    with connect(place, read_only=False) as connection:
        for call in ("expire_snapshots", "cleanup_old_files"):
            connection.execute(f"CALL ducklake_{call}('history', older_than => now())")


def _bytes(data_dir: Path) -> dict[str, int]:
    return {
        place: sum(file.stat().st_size for file in (data_dir / place).rglob("*") if file.is_file())
        for place in PLACES
    }


def figures(growth: Growth) -> Iterator[Figure]:
    """The table's rows."""
    most = growth.by_days[-1]
    yield Figure(PART, "a run over a day without commits", growth.start.wall_seconds, "s")
    for size in growth.by_days:
        yield Figure(PART, f"{size.name}, {size.commits:,} commits", size.measured.wall_seconds, "s")
    by_days = Step.all(growth.by_days)
    for step, alone in zip(by_days, growth.apart, strict=True):
        beside = f"these {alone.days} days by themselves"
        wall, cpu = _of_a_commit(alone, growth.start)
        yield _beside(f"{step.name}: a further commit", step.wall, beside, wall)
        name = f"{step.name}: CPU time of a further commit"
        yield _beside(name, step.cpu, beside, cpu)
        yield Figure(PART, name, step.cpu, "ms", "git alone", step.git)
    for step in by_days[1:]:
        first = by_days[0]
        name = f"{step.name}: CPU time of a further commit, in git's"
        yield Figure.at_most(MOST_GROWTH, PART, name, step.times_git, "× git", first.name, first.times_git)
    if growth.alike:
        yield from _time(growth.alike, "days that are alike, ")
    for sizes in (growth.by_days, growth.by_repos[1:]):
        for size in sizes:
            if size.measured.peak_bytes is not None:
                peak = size.measured.peak_bytes / 1e6
                yield Figure.at_most(MEMORY_LIMIT_MB, PART, f"{size.name}: peak memory", peak, "MB")
    for (fewer, size), alone in zip(pairwise(growth.by_days), growth.apart, strict=True):
        larger = max(fewer, alone, key=lambda one: one.measured.peak_bytes or 0)
        beside = f"the first {fewer.days} and the last {alone.days} by themselves, the larger"
        yield from _memory((larger, size), "", beside)
    yield from _memory(growth.alike, "days that are alike, ")
    yield from _memory(growth.alike[1:], "beyond a portion, days that are alike, ")
    yield from _time(growth.by_repos)
    yield from _memory(growth.by_repos)
    yield from _memory(growth.by_repos[1:], "beyond a portion, ")
    for place in PLACES:
        kb = most.after[place] / most.commits / 1000
        yield Figure(
            PART,
            f"disk of a commit: {place}",
            kb,
            "kB",
            "before upkeep",
            most.disk[place] / most.commits / 1000,
        )
    yield from _year(growth)


def _time(sizes: Sequence[Size], of_what: str = "") -> Iterator[Figure]:
    first, *others = Step.all(sizes)
    for step in others:
        name = f"{of_what}{step.name}: a further commit"
        yield Figure.at_most(MOST_GROWTH, PART, name, step.wall, "ms", first.name, first.wall)
        cpu = f"{of_what}{step.name}: CPU time of a further commit"
        yield Figure.at_most(MOST_GROWTH, PART, cpu, step.cpu, "ms", first.name, first.cpu)


def _of_a_commit(size: Size, start: Cost) -> tuple[float, float]:
    """What a commit of a run takes without what every run takes: wall and CPU time, in milliseconds."""
    commits = size.commits / 1000
    measured = size.measured
    return (
        (measured.wall_seconds - start.wall_seconds) / commits,
        (measured.cpu_seconds - start.cpu_seconds) / commits,
    )


def _beside(name: str, took: float, peer: str, peer_took: float) -> Figure:
    """Wanted not to grow; nothing is, where the peer was too short to say anything."""
    if peer_took <= 0:
        return Figure(PART, name, took, "ms")
    return Figure.at_most(MOST_GROWTH, PART, name, took, "ms", peer, peer_took)


def _memory(sizes: Sequence[Size], of_what: str = "", beside: str | None = None) -> Iterator[Figure]:
    for size in sizes[1:]:
        least = sizes[0].measured.peak_bytes
        peak = size.measured.peak_bytes
        if peak is not None and least is not None:
            yield Figure.at_most(
                MOST_GROWTH,
                PART,
                f"{of_what}{size.name}: peak memory",
                peak / 1e6,
                "MB",
                beside or sizes[0].name,
                least / 1e6,
            )


def _year(growth: Growth) -> Iterator[Figure]:
    """What a year of many repos as busy as this one takes: the dearest further commit, so many times."""
    most = growth.by_days[-1]
    commits = BUSY_REPOS * 365 * most.commits / most.days
    wall = max(step.wall for step in (*Step.all(growth.by_days), *Step.all(growth.by_repos)))
    name = f"a year of {BUSY_REPOS} such repos, {commits:,.0f} commits: "
    yield Figure(PART, f"{name}time, from nothing", wall * commits / 3_600_000, "h")
    yield Figure(PART, f"{name}the same a night", wall * commits / 365_000 + growth.start.wall_seconds, "s")
    for place in PLACES:
        yield Figure(PART, f"{name}{place}", most.after[place] / most.commits * commits / 1e9, "GB")
    peaks = [size.measured.peak_bytes for size in (*growth.by_days, *growth.by_repos)]
    if all(peak is not None for peak in peaks):
        yield Figure(PART, f"{name}peak memory", max(peak or 0 for peak in peaks) / 1e6, "MB")


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    span = span_of(chosen, folder, least_days=DAYS[-1])
    days = [days for days in DAYS if days < span.days] + [span.days]
    made = invented.make_repository(
        folder / "days-alike.git", DAYS_ALIKE, invented.FIRST_DAY - timedelta(days=365)
    )
    alike = choose_span(made, None, ZoneInfo("UTC"), None, None)
    over = f"{span}; and {alike.days} days that are alike"
    return Measured(over, list(figures(run_growth(span, alike, days))))


def main() -> int:
    """Measure and print; 1 where something grows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=(__doc__ or "").splitlines()[0]
    )
    arguments_for(parser)
    with scratch_folder() as folder:
        measured = bench(parser.parse_args(), folder)
    print_figures(measured.figures, title=measured.over)
    return 1 if missed(measured.figures) else 0


if __name__ == "__main__":
    sys.exit(main())
