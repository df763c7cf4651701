"""A history that lies in a store already: days of commits as the steps leave them, without git or a model.

Every row is invented, in the sizes of a real one: 15 commits a day and repo, a message of some hundred characters,
six files with a patch, analyses of 1 kB, one call in ten in vain, a revert and a pull request now and then.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from digest_pipeline.store.history import History, Replacement
from digest_pipeline.store.place import Place
from digest_pipeline.store.upkeep import keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

REPOS = ("octo/engine", "octo/router", "ada/tools")
FIRST_DAY = date(2024, 1, 1)
COMMITS_A_DAY = 15
DAYS_A_WRITE = 31
"""As many as a backfill writes at once."""

_ROOTS = "queue shard token batch cursor route cache lease retry window planner worker router decode prefill latency"
_ENDINGS = "_id _table _size _limit _state _test _pool _map _key _log _socket _config _schema _metric _tensor _stream"
WORDS = [root + ending for root in _ROOTS.split() for ending in ("", *_ENDINGS.split())]
SAID = (
    "缓存在重试时不再丢失 the request keeps its lease",
    "路由器按令牌数选择 worker",
    "吞吐提高, the decode path allocates less",
    "配置项改名, 旧名仍可用",
    "no caller has to change anything",
    "worker 启动更快, 内存占用不变",
    "the planner reads the metric once a second",
    "测试覆盖了超时与重连",
)
KINDS = [
    "feat",
    "fix",
    "docs",
    "test",
    "chore",
    "refactor",
    "perf",
    "ci",
    "build",
    "feat(router)",
    "fix(operator)",
]
_NAMES = ["Hopper", "Liskov", "Knuth", "Allen", "Moore", "Chen", "Okafor", "Silva", "Novak", "Haddad"]
_PEOPLE = [
    f"{first} {last}"
    for first in ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Lin", "小明"]
    for last in _NAMES
]
_LANGUAGE = "zh"
_POINTS = {
    "high": {"summary": 3, "scope": 2, "architecture": 1, "performance": 1, "risks": 2, "advice": 2},
    "medium": {"summary": 2, "scope": 2, "advice": 1},
    "low": {"summary": 1},
}
"""How many points of some 130 bytes an analysis makes; of 20 commits 8 are high and 9 are medium."""


def make_store(data_dir: Path, timezone: ZoneInfo, commits: int) -> date:
    """Write a history of `commits` commits into an empty folder, as backfills and nights leave it; its newest day."""
    chance = random.Random(0)  # noqa: S311 - the same history every time is the point
    a_day = COMMITS_A_DAY * len(REPOS)
    days = [FIRST_DAY + timedelta(days=number) for number in range(max(2, -(-commits // a_day)))]
    with History(Place(data_dir), timezone) as history:
        left = commits
        earlier = {repo: list[dict[str, Any]]() for repo in REPOS}
        # The last day comes after the upkeep, as it does each morning.
        chunks = [days[at : at + DAYS_A_WRITE] for at in range(0, len(days) - 1, DAYS_A_WRITE)]
        chunks[-1] = [day for day in chunks[-1] if day != days[-1]]
        for chunk in [*filter(None, chunks), days[-1:]]:
            if chunk == days[-1:]:
                keep(history.place)
            for repo in REPOS:
                tables: dict[str, list[dict[str, Any]]] = {}
                for day in chunk:
                    count = min(left, COMMITS_A_DAY)
                    left -= count
                    for table, row in _day(chance, repo, day, count, earlier[repo]):
                        tables.setdefault(table, []).append(row)
                history.replace(*(Replacement(table, {}, rows) for table, rows in tables.items()))
        add_endpoints(history, days[-1])
    return days[-1]


def _day(
    chance: random.Random, repo: str, day: date, count: int, earlier: list[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    made_at = datetime.combine(day, time(0, 30), UTC)
    for position in range(count):
        commit = _commit(chance, repo, day, position, earlier)
        earlier.append(commit)
        yield "commit_log", commit
        where = {"repo": repo, "day": day, "sha": commit["sha"]}
        files = list(_files(chance, where))
        lines = sum(file["additions"] + file["deletions"] for file in files)
        yield from (("commit_files", file) for file in files)
        yield (
            "commit_sizes",
            where
            | {
                "additions": sum(file["additions"] for file in files),
                "deletions": sum(file["deletions"] for file in files),
                "files": len(files),
                "unread_files": 0,
                "complete": True,
            },
        )
        yield from _analysis(chance, where, lines, made_at)
    at = made_at + timedelta(days=1)
    yield (
        "reads",
        {
            "repo": repo,
            "day": day,
            "source": "git",
            "branch": "main",
            "head_sha": sha1(f"{repo}{day}".encode()).hexdigest(),  # noqa: S324 - as git has them
            "window_start": made_at.isoformat(),
            "window_end": at.isoformat(),
            "timezone": "UTC",
            "commit_count": count,
            "read_at": at.isoformat(),
        },
    )
    yield (
        "reports",
        {
            "repo": repo,
            "day": day,
            "language": _LANGUAGE,
            "path": f"reports/{repo}/{day:%Y}/{day}.md",
            "revision": sha1(f"{repo}{day}".encode()).hexdigest(),  # noqa: S324 - as above
            "markdown": f"# {repo} {day}\n\n" + "| a row of the page | with words |\n" * 600,
            "commits": count,
            **dict.fromkeys(("high", "medium", "low"), count // 3),
            "analysed": count,
            "failed": 0,
            "deferred": 0,
            "rendered_at": at.isoformat(),
        },
    )
    if repo == REPOS[-1]:
        yield (
            "digests",
            {
                "day": day,
                "language": _LANGUAGE,
                "path": f"reports/daily/{day:%Y}/{day}.md",
                "revision": "",
                "inputs": "",
                "markdown": f"# {day}\n\n" + "| a row of the page | with words |\n" * 1800,
                "repos": len(REPOS),
                "missing_repos": [],
                "rendered_at": at.isoformat(),
            },
        )


def _commit(
    chance: random.Random, repo: str, day: date, position: int, earlier: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    number = len(earlier) + 1
    sha = sha1(f"{repo}{number}".encode()).hexdigest()  # noqa: S324 - as git has them
    title = f"{chance.choice(KINDS)}: {' '.join(chance.sample(WORDS, 5))} (#{number})"
    body = "\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(chance.randint(1, 8)))
    if earlier and chance.random() < 0.01:
        back = chance.choice(earlier[-200:])
        title, body = (
            f'Revert "{back["message"].splitlines()[0]}" (#{number})',
            f"This reverts commit {back['sha']}.",
        )
    if chance.random() < 0.01:
        body += "\n\nBREAKING CHANGE: the old name is gone"
    at = (datetime.combine(day, time(23), UTC) - timedelta(minutes=40 * position)).isoformat()
    name = chance.choice(_PEOPLE)
    return {
        "repo": repo,
        "day": day,
        "position": position,
        "sha": sha,
        "parents": [sha[::-1]],
        "author_name": name,
        "author_email": f"{name.replace(' ', '.').lower()}@example.org",
        "authored_at": at,
        "committer_name": "GitHub",
        "committer_email": "noreply@example.org",
        "committed_at": at,
        "message": f"{title}\n\n{body}\n\nSigned-off-by: {name}",
        "pull_request": number,
        "on_branch": True,
    }


def _files(chance: random.Random, where: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for position in range(chance.randint(1, 11)):
        changed = chance.randint(1, 40)
        yield where | {
            "position": position,
            "path": f"lib/{chance.choice(WORDS)}/src/{'/'.join(chance.sample(WORDS, 2))}.rs",
            "status": "modified",
            "additions": changed,
            "deletions": changed // 2,
            "patch": "@@ -1,3 +1,4 @@\n" + "+let some_name = call_of(another, name)?;\n" * changed,
            "patch_state": "text",
        }


def _analysis(
    chance: random.Random, where: dict[str, Any], lines: int, made_at: datetime
) -> Iterator[tuple[str, dict[str, Any]]]:
    def points(count: int) -> list[str]:
        return [" ".join(chance.choices(SAID, k=4)) for _ in range(count)]

    at = (made_at + timedelta(days=1)).isoformat()
    score = chance.randint(0, 16)
    is_ok = chance.random() < 0.98
    asked = {"endpoint": "models.example.org", "model": chance.choice(("large", "small"))}
    tier = "high" if score > 8 else "medium" if score > 2 else "low"
    said = {name: points(count) for name, count in _POINTS[tier].items()}
    yield (
        "analyses",
        where
        | asked
        | {
            "language": _LANGUAGE,
            "analyst": "openai",
            "profile": "argus",
            "tier": tier,
            "score": score,
            "reasons": [{"rule": "size", "points": 3, "evidence": str(lines)}],
            "status": "ok" if is_ok else "failed",
            "error_class": None if is_ok else "bad_output",
            "error": None if is_ok else "it holds no JSON object",
            "attempts": 1,
            "analysis": json.dumps({"change_type": "改动"} | said, ensure_ascii=False) if is_ok else None,
            "prompt_version": "1",
            "input_hash": where["sha"],
            "tokens_in": 4000,
            "tokens_out": 600,
            "tokens_cached": 0,
            "shown_lines": lines - lines // 10,
            "changed_lines": lines,
            "analysed_at": at,
        },
    )
    for attempt in range(1 + (chance.random() < 0.1)):
        failed = not is_ok or attempt > 0
        yield (
            "attempts",
            where
            | asked
            | {
                "language": _LANGUAGE,
                "attempt": attempt + 1,
                "started_at": at,
                "seconds": chance.uniform(1, 30),
                "purpose": "analysis",
                "outcome": "failed" if failed else "ok",
                "error_class": chance.choice(("bad_output", "transient", "rate_limited")) if failed else None,
                "error": None,
                "tokens_in": 4000,
                "tokens_out": 600,
                "tokens_cached": 0,
                "cost": 0.002,
            },
        )


def add_endpoints(history: History, day: date) -> None:
    """The two models, both up."""
    at = datetime.combine(day, time(3), UTC).isoformat()
    rows = [
        {"endpoint": "models.example.org", "model": model, "is_up": True, "since": at, "learned": "{}"}
        for model in ("large", "small")
    ]
    history.replace(Replacement("endpoints", {}, rows))
