"""One process that replaces its partitions over and over, and what each of them must hold afterwards.

`benchmarks.writers` starts it. What a write brings follows from the seed, the writer, the day and the number of the
write: whoever knows these can say row by row whether a partition is whole. Before and after each write a line goes
into the log, so that a killed writer has told how far it was.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from digest_pipeline.store.history import History, Replacement

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import duckdb

    from digest_pipeline.store.place import Place

ZONE = ZoneInfo("UTC")
FIRST_DAY = date(2026, 1, 5)
DAYS = 6
"""How many partitions a writer has; each is replaced every sixth write, in any order."""

_WORDS = ("queue", "shard", "token", "batch", "cursor", "route", "cache", "lease", "retry", "window")
_LOOKED_AT = {
    "reads": ("head_sha", "commit_count"),
    "commit_log": ("sha", "position", "message"),
    "commit_sizes": ("sha", "files"),
    "commit_files": ("sha", "position", "path", "patch"),
    "analyses": ("sha", "score", "analysis"),
    "reports": ("content", "markdown"),
}
"""The tables of a partition, small ones and large ones, and what of a row is compared."""

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a writer is told."""

    place: Place
    seed: int
    writer: int = 0
    log: str = ""

    @property
    def repo(self) -> str:
        """Whose days it writes: nobody else's."""
        return f"bench/writer-{self.writer}"

    def as_writer(self, writer: int, folder: Path) -> Task:
        """The task of one of the writers, with a log of its own in `folder`."""
        return replace(self, writer=writer, log=str(folder / f"writer-{writer}.log"))


@dataclass(slots=True)
class Log:
    """How far a writer was by its own account: the last write of each partition, and the one under way at its end."""

    done: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(DAYS), 0))
    begun: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(DAYS), 0))
    under_way: tuple[int, int] | None = None
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, told: Task) -> Self:
        """What the file says; nothing where there is none yet."""
        log, file = cls(), Path(told.log)
        for line in file.read_text(encoding="ascii").splitlines() if file.exists() else ():
            what, number, version, *took = line.split()
            at = (int(number), int(version))
            if what == "begin":
                log.begun[at[0]], log.under_way = at[1], at
            else:
                log.done[at[0]], log.under_way = at[1], None
                log.seconds += map(float, took[:1])
                log.cpu_seconds += map(float, took[1:])
        return log


def note(told: Task, what: str, number: int, version: int, *more: str) -> None:
    """Add a line to a log: at once, so that it outlives whoever wrote it."""
    with Path(told.log).open("a", encoding="ascii") as log:
        log.write(" ".join((what, str(number), str(version), *more)) + "\n")


def day_of(number: int) -> date:
    """The day of one of a writer's partitions."""
    return FIRST_DAY + timedelta(days=number)


def content(seed: int, repo: str, day: date, version: int) -> Rows:
    """What the write `version` of a partition brings: as a busy day, 1 to 30 commits, some 90 kB of patches."""
    chance = random.Random(f"{seed} {repo} {day} {version}")  # noqa: S311 - the same rows every time are the point
    rows: Rows = {table: [] for table in _LOOKED_AT}
    at = datetime.combine(day, datetime.min.time(), UTC).isoformat()
    where: dict[str, Any] = {"repo": repo, "day": day}
    commits = chance.randint(1, 30)
    for position in range(commits):
        sha = sha1(f"{repo} {day} {version} {position}".encode()).hexdigest()  # noqa: S324 - as git has them
        message = f"fix: write {version} {' '.join(chance.choices(_WORDS, k=40))}"
        of_commit = where | {"sha": sha}
        rows["commit_log"].append(
            of_commit
            | {"position": position, "parents": [sha[::-1]], "message": message, "on_branch": True}
            | dict.fromkeys(("author_name", "committer_name"), "Ada")
            | dict.fromkeys(("author_email", "committer_email"), "ada@example.org")
            | dict.fromkeys(("authored_at", "committed_at"), at)
        )
        files = chance.randint(1, 8)
        counts = dict.fromkeys(("additions", "deletions", "files"), files)
        rows["commit_sizes"].append(of_commit | counts | {"unread_files": 0, "complete": True})
        for number in range(files):
            lines = (f"+{chance.choice(_WORDS)} = {chance.random()}\n" for _ in range(chance.randint(5, 100)))
            rows["commit_files"].append(
                of_commit
                | {
                    "position": number,
                    "path": f"src/{chance.choice(_WORDS)}_{number}.py",
                    "status": "modified",
                }
                | {
                    "additions": 1,
                    "deletions": 1,
                    "patch": f"@@ -1 +1 @@\n{''.join(lines)}",
                    "patch_state": "text",
                }
            )
        rows["analyses"].append(
            of_commit
            | {"language": "en", "analyst": "offline", "model": "none", "profile": "argus", "tier": "low"}
            | {"score": chance.randint(0, 16), "reasons": [{"rule": "size", "points": 1, "evidence": "{'}"}]}
            | {"analysis": json.dumps({"summary": chance.choices(_WORDS, k=30)}), "input_hash": sha}
            | {"status": "ok", "attempts": 1, "prompt_version": "1", "analysed_at": at}
            | dict.fromkeys(("tokens_in", "tokens_out", "tokens_cached", "shown_lines", "changed_lines"), 0)
        )
    head = sha1(f"{repo} {day} {version}".encode()).hexdigest()  # noqa: S324 - as git has them
    rows["reads"].append(
        where
        | {"source": "git", "branch": "main", "head_sha": head, "commit_count": commits, "timezone": ZONE.key}
        | dict.fromkeys(("window_start", "window_end", "read_at"), at)
    )
    rows["reports"].append(
        where
        | {"language": "en", "path": f"reports/{repo}/{day}.md", "revision": "", "content": str(version)}
        | {"markdown": "\n".join(f"| {' '.join(chance.choices(_WORDS, k=8))} |" for _ in range(300))}
        | {"rendered_at": at, "commits": commits}
        | dict.fromkeys(("high", "medium", "low", "analysed", "failed", "deferred"), 0)
    )
    return rows


def replacements(seed: int, repo: str, day: date, version: int) -> list[Replacement]:
    """The same, as the steps hand it to the store."""
    key: dict[str, Any] = {"repo": [repo], "day": [day]}
    return [Replacement(table, key, rows) for table, rows in content(seed, repo, day, version).items()]


def versions(connection: duckdb.DuckDBPyConnection, seed: int, repo: str) -> dict[int, int]:
    """The write that each partition of a writer holds, all of it and nothing else; 0 where it is empty.

    Raises ValueError where one holds a part of a write, or parts of two: each row is compared.
    """
    found: dict[int, dict[str, list[tuple[Any, ...]]]] = {
        number: {table: [] for table in _LOOKED_AT} for number in range(DAYS)
    }
    connection.execute("BEGIN")
    try:
        for table, columns in _LOOKED_AT.items():
            asked = f"SELECT day, {', '.join(columns)} FROM {table} WHERE repo = $repo"  # noqa: S608 - our own
            for day, *row in connection.execute(asked, {"repo": repo}).fetchall():
                found[(day - FIRST_DAY).days][table].append(tuple(row))
    finally:
        connection.execute("ROLLBACK")
    return {number: _version(rows, seed, repo, day_of(number)) for number, rows in found.items()}


def _version(found: dict[str, list[tuple[Any, ...]]], seed: int, repo: str, day: date) -> int:
    if not any(found.values()):
        return 0
    if len(found["reports"]) != 1:
        raise ValueError(f"{repo} {day}: {len(found['reports'])} pages")
    version = int(found["reports"][0][0])
    for table, rows in content(seed, repo, day, version).items():
        wanted = sorted(tuple(row[column] for column in _LOOKED_AT[table]) for row in rows)
        if sorted(found[table]) != wanted:
            raise ValueError(
                f"{repo} {day}: {table} is not what write {version} brought, {len(found[table])} rows"
            )
    return version


def write(told: Task, pipe: Connection) -> None:
    """Open the history, say so, and write from the answer on, for as many seconds as that says."""
    versions = Log.of(told).begun
    chance = random.Random(f"{told.seed} {told.writer} {sum(versions.values())}")  # noqa: S311 - replayable
    try:
        with History(told.place, ZONE) as history:
            pipe.send("ready")
            end = pipe.recv() + time.monotonic()
            while time.monotonic() < end:
                number = chance.randrange(DAYS)
                version = versions[number] = versions[number] + 1
                brought = replacements(told.seed, told.repo, day_of(number), version)
                note(told, "begin", number, version)
                began, worked = time.monotonic(), time.process_time()
                history.replace(*brought)
                took, worked = time.monotonic() - began, time.process_time() - worked
                note(told, "done", number, version, f"{took:.6f}", f"{worked:.6f}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        pipe.send(f"{type(error).__name__}: {error}")
    else:
        pipe.send("done")
