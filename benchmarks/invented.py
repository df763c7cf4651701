"""A history to measure where there is no other: an unpacked archive, or a clone that began today."""

from __future__ import annotations

import random
import subprocess
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from benchmarks.repository import Unmeasurable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRANCH = "main"
FIRST_DAY = date(2026, 1, 5)
DAYS = 60
COMMITS_A_DAY = 15
FILES = 120
LINES = 200

_WORDS = ("queue", "shard", "token", "batch", "cursor", "route", "cache", "lease", "retry", "window")
_KINDS = ("feat", "fix", "docs", "test", "chore", "refactor", "perf")


def make_repository(folder: Path, days: int = DAYS, first_day: date = FIRST_DAY) -> Path:
    """A bare repository with the same commits every time: 15 on each day, of files with 200 lines."""
    commands: list[tuple[list[str], bytes | None]] = [
        (["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder)], None),
        (["git", "-C", str(folder), "fast-import", "--quiet"], "".join(_stream(days, first_day)).encode()),
    ]
    for command, stdin in commands:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            raise Unmeasurable(
                f"{' '.join(command[:2])} failed: {done.stderr.decode('utf-8', 'replace').strip()}"
            )
    return folder


def _stream(days: int, first_day: date) -> Iterator[str]:
    """What `git fast-import` reads."""
    chance = random.Random(0)  # noqa: S311 - the same history every time is the point
    files = {f"src/{chance.choice(_WORDS)}/module_{number:03}.py": _text(chance) for number in range(FILES)}
    written: set[str] = set()
    for number in range(days * COMMITS_A_DAY):
        day, place = divmod(number, COMMITS_A_DAY)
        moment = datetime.combine(first_day, time(1), UTC) + timedelta(days=day, minutes=place * 90)
        stamp = f"{int(moment.timestamp())} +0000"
        message = f"{chance.choice(_KINDS)}: {' '.join(chance.sample(_WORDS, 4))} (#{number + 1})\n"
        yield f"commit refs/heads/{BRANCH}\n"
        yield f"author Ada <ada@example.com> {stamp}\ncommitter Ada <ada@example.com> {stamp}\n"
        yield _data(message)
        for path in chance.sample(sorted(files), chance.randint(1, 12)):
            lines = files[path]
            for _ in range(chance.randint(1, 40) if path in written else 0):
                lines[chance.randrange(len(lines))] = _line(chance)
            written.add(path)
            yield f"M 100644 inline {path}\n" + _data("".join(lines))


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _text(chance: random.Random) -> list[str]:
    return [_line(chance) for _ in range(LINES)]


def _line(chance: random.Random) -> str:
    return f"{' '.join(chance.choices(_WORDS, k=6))} = {chance.randrange(10**6)}\n"
