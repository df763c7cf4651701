"""What a run costs by how much there is to do: more days, and more repos.

`python -m benchmarks.growth --repo PATH --branch main --timezone ZONE --from DAY`, or `make bench ARGS="--only
growth …"`. Each size is a `digest run --from … --to …` of its own in an empty folder, one after the other. What a
commit costs is the time beyond that of a run over one day without any commit, which is measured first, by commits:
what a size costs per commit beside what the smallest one does is its growth, wanted at most 1.2. A peak of memory
is not divided: it is wanted to stay the same, at most 1.2 times that of the smallest size. Of several repos each is
the same repository under another name.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import environment, tail
from benchmarks.measure import Measured, measure
from benchmarks.repository import REPO, Unmeasurable, commits_by_day
from digest_pipeline.store.history import History, open_history

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from datetime import date

    from benchmarks.repository import Span

DAYS = (30, 60, 120, 229)
REPOS = (1, 3, 10)
DAYS_OF_REPOS = 60
MOST_GROWTH = 1.2
"""Flat within 20 %."""

PLACES = ("store", "reports", "dagster", "site")


@dataclass(frozen=True, slots=True)
class Size:
    """One run: how much there was to do, what it took, and the bytes that each folder then held.

    `after` are the same once upkeep is done and a week has passed.
    """

    days: int
    repos: int
    commits: int
    measured: Measured
    disk: dict[str, int]
    after: dict[str, int]

    def per_commit(self, start: Measured) -> tuple[float, float]:
        """Seconds of wall and CPU time for each commit, beyond what a run over nothing takes."""
        wall = self.measured.wall_seconds - start.wall_seconds
        cpu = self.measured.cpu_seconds - start.cpu_seconds
        return wall / self.commits, cpu / self.commits


def run_size(span: Span, repos: int, commits: int, *, site: bool = True) -> Size:
    """`digest run` over the span for so many repos, and what it left on the disk. RuntimeError where it fails."""
    names = [REPO, *(f"{REPO}-{number}" for number in range(2, repos + 1))]
    with folder_for("growth") as folder:
        data_dir, config = folder / "data", folder / "digest.toml"
        config.write_text(span.settings(data_dir, names), encoding="utf-8")
        measured = _digest(folder, "run", "--config", str(config), "--from", str(span.first), "--to", str(span.last))
        _must_hold(data_dir, span, repos, commits)
        if site:
            _digest(folder, "site", "--config", str(config))
        disk = _bytes(data_dir)
        _upkeep(data_dir, span)
        return Size(span.days, repos, commits * repos, measured, disk, _bytes(data_dir))


def _digest(folder: Path, *arguments: str) -> Measured:
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
    with closing(open_history(data_dir, span.timezone)) as history:
        for question, wanted in (
            ("SELECT count(*) FROM commits WHERE complete", commits * repos),
            ("SELECT count(*) FROM analyses WHERE status = 'ok'", commits * repos),
            ("SELECT count(*) FROM reports", span.days * repos),
            ("SELECT count(*) FROM digests", span.days),
        ):
            found = history.execute(question).fetchall()[0][0]
            if found != wanted:
                raise RuntimeError(f"{question}: {found} instead of {wanted}, {repos} repos, {span.days} days")


def _upkeep(data_dir: Path, span: Span) -> None:
    with closing(History(data_dir, span.timezone)) as history:
        history.run("upkeep")
        for call in ("expire_snapshots", "cleanup_old_files"):
            history._connection.execute(f"CALL ducklake_{call}('history', older_than => now())")


def _bytes(data_dir: Path) -> dict[str, int]:
    return {
        place: sum(file.stat().st_size for file in (data_dir / place).rglob("*") if file.is_file())
        for place in PLACES
    }


@contextmanager
def folder_for(what: str) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"digest-{what}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    from zoneinfo import ZoneInfo
    from datetime import date
    from benchmarks.repository import Span
    path, zone = Path(sys.argv[1]), ZoneInfo("Asia/Shanghai")
    by_day = commits_by_day(path, "main", zone)
    def count(s): return sum(n for d, n in by_day.items() if s.first <= d <= s.last)
    whole = Span(path, "main", zone, date(2026,1,6), date(2026,8,22))
    day0 = min(by_day) - timedelta(days=1)
    e = replace(whole, first=day0, last=day0)
    start = run_size(e, 1, 0, site=False)
    print("start", start, flush=True)
    for days, repos in [(30,1),(60,1),(120,1),(229,1),(60,3),(60,10)]:
        s = replace(whole, last=whole.first+timedelta(days=days-1))
        z = run_size(s, repos, count(s))
        w, c = z.per_commit(start.measured)
        print(days, repos, z.commits, f"wall {z.measured.wall_seconds:.1f} cpu {z.measured.cpu_seconds:.1f} peak {z.measured.peak_bytes/1e6:.0f} ms/commit wall {w*1e3:.2f} cpu {c*1e3:.2f}", {k: round(v/z.commits) for k,v in z.disk.items()}, {k: round(v/z.commits) for k,v in z.after.items()}, flush=True)
