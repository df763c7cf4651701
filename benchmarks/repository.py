"""The history that is measured, and what git itself says about it: the truth that the counts are held to."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

REPO = "bench/history"
"""What the repository is called in the settings of a run."""

FIRST_PARENT = ("--root", "--diff-merges=first-parent")
"""What the project compares a commit with; without it `diff-tree` prints nothing for merges and for the root."""

_SUBMODULE = b"160000"


class Unmeasurable(Exception):  # noqa: N818 - reads as what it says
    """There is no history to measure; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days of a branch of a local repository; `branch` is None for the branch that is checked out."""

    path: Path
    branch: str | None
    timezone: ZoneInfo
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days, both ends counted."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        """What it is, without where it lies: that stands in pages that others read."""
        folder = self.path.parent if self.path.name in {".git", "repo"} else self.path
        name = folder.name.removesuffix(".git").replace("+", "/")
        days = f"{self.days} days, {self.first} to {self.last} in {self.timezone.key}"
        return f"{name}, {self.branch or 'HEAD'}: {days}"

    def settings(self, data_dir: Path, names: Sequence[str] = (REPO,)) -> str:
        """A digest.toml for this span with the offline analyst and a data folder of its own.

        Of several `names` each is a repo, and all of them are this one.
        """
        branch = [f"branch = {json.dumps(self.branch)}"] if self.branch else []
        lines = [
            f"timezone = {json.dumps(self.timezone.key)}",
            f"first_day = {self.first}",
            f"data_dir = {json.dumps(str(data_dir))}",
        ]
        for name in names:
            lines += [
                "",
                "[[repos]]",
                f"name = {json.dumps(name)}",
                f"url = {json.dumps(str(self.path))}",
                *branch,
            ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Truth:
    """What git lists for a span: its commits, newest first; those that lack objects; the files that lack them."""

    commits: tuple[str, ...]
    marred: frozenset[str]
    missing_files: int

    @property
    def whole(self) -> tuple[str, ...]:
        """The commits of which every object is there."""
        return tuple(sha for sha in self.commits if sha not in self.marred)


def choose_span(
    path: Path, branch: str | None, zone: ZoneInfo, first: date | None, last: date | None
) -> Span:
    """The span that was asked for; the ends that were left open are those of the history, up to yesterday.

    Raises Unmeasurable where no day of it is over.
    """
    yesterday = datetime.now(UTC).astimezone(zone).date() - timedelta(days=1)
    if first is None or last is None:
        moments = [moment for _, moment in _commit_times(path, branch)]
        if not moments:
            raise Unmeasurable(f"{path} has no commits; choose another repository with --repo")
        first = first or datetime.fromtimestamp(min(moments), zone).date()
        last = last or min(yesterday, datetime.fromtimestamp(max(moments), zone).date())
    if last > yesterday or first > last:
        raise Unmeasurable(
            f"no day of {path} from {first} to {last} is over in {zone.key}; choose another repository with "
            '--repo, or other days with --from and --to (as in make bench ARGS="--repo PATH")'
        )
    return Span(path, branch, zone, first, last)


def ask_git(span: Span) -> Truth:
    """Every commit whose committer date lies in the span, looked at one by one: no limit of git's is relied on."""
    start = datetime.combine(span.first, time(), span.timezone).timestamp()
    end = datetime.combine(span.last + timedelta(days=1), time(), span.timezone).timestamp()
    commits = [sha for sha, moment in _commit_times(span.path, span.branch) if start <= moment < end]
    objects = _objects_of_files(span.path, commits)
    needed = sorted({name for files in objects.values() for names in files for name in names})
    answers = git(
        span.path,
        "cat-file",
        "--batch-check=%(objectname)",
        stdin=b"".join(name + b"\n" for name in needed),
    )
    missing = {line.split(b" ")[0] for line in answers.splitlines() if line.endswith(b" missing")}
    at_fault = {
        sha: sum(not missing.isdisjoint(names) for names in files)
        for sha, files in objects.items()
        if missing
    }
    return Truth(
        commits=tuple(commits),
        marred=frozenset(sha for sha, files in at_fault.items() if files),
        missing_files=sum(at_fault.values()),
    )


def commits_by_day(path: Path, branch: str | None, zone: ZoneInfo) -> Counter[date]:
    """How many commits of a branch each local day has, by committer date."""
    return Counter(datetime.fromtimestamp(moment, zone).date() for _, moment in _commit_times(path, branch))


def git(path: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """What one git command prints. Raises Unmeasurable with its complaint where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(path), *arguments], input=stdin, capture_output=True, check=False
        )
    except OSError as error:
        raise Unmeasurable(f"git cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise Unmeasurable(f"git {arguments[0]} failed in {path}: {complaint[-1]}")
    return done.stdout


def _commit_times(path: Path, branch: str | None) -> list[tuple[str, int]]:
    listed = git(path, "rev-list", "--no-commit-header", "--format=%H %ct", branch or "HEAD", "--")
    pairs = (line.split() for line in listed.decode("ascii").splitlines())
    return [(sha, int(moment)) for sha, moment in pairs]


def _objects_of_files(path: Path, commits: Sequence[str]) -> dict[str, list[list[bytes]]]:
    """For each commit and file the objects that its patch is made from."""
    listed = git(
        path,
        *("diff-tree", "--stdin", "-r", *FIRST_PARENT, "--raw", "--no-abbrev", "--no-renames"),
        stdin="".join(f"{sha}\n" for sha in commits).encode(),
    )
    files: dict[str, list[list[bytes]]] = {}
    of_commit: list[list[bytes]] = []
    for line in listed.splitlines():
        if not line.startswith(b":"):
            of_commit = files.setdefault(line.decode("ascii"), [])
            continue
        old_mode, new_mode, old, new, *_ = line[1:].split(b" ")
        sides = ((old_mode, old), (new_mode, new))
        of_commit.append([name for mode, name in sides if mode != _SUBMODULE and name.strip(b"0")])
    return files
