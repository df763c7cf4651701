"""What views and questions answer over a history of odd commits is what a plain look at every row gives.

They are written to read little: many commits without those few that do not count, titles of those alone that are shown.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.domain.question import Parameter, is_relative, last_commits
from digest_pipeline.errors import UsageError
from digest_pipeline.store.history import History, Replacement
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import answer, bound, question
from digest_pipeline_tests.fakes.project import Project
from digest_pipeline_tests.store.rows import analysis, commit, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Row = dict[str, Any]

FIRST = date(2026, 1, 5)
DAYS = 12
REPOS = ("ada/engine", "grace/tools")
PEOPLE = ("Ada", "Grace", "Lin", "ada of the north")
PATHS = ("src/a.py", "src/b.py", "docs/a.md", "src/deep/c.py")


@pytest.fixture(scope="module", params=[1, 2])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[History, list[Row]]]:
    """A history, and its commits as rows, oldest first, with `files` and `analyses`."""
    chance = random.Random(request.param)  # noqa: S311 - the same commits every time are the point
    project = Project(tmp_path_factory.mktemp("plainly"))
    project.begin()
    commits = list(_commits(chance))
    tables: dict[str, list[Row]] = {
        "commit_log": [],
        "commit_files": [],
        "commit_sizes": [],
        "analyses": [],
        "reads": [],
    }
    for row in commits:
        kept = {key: value for key, value in row.items() if key not in {"files", "analyses"}}
        tables["commit_log"].append(kept)
        where = {key: row[key] for key in ("repo", "day", "sha")}
        tables["commit_files"] += [where | one for one in row["files"]]
        tables["analyses"] += [analysis(**(where | one)) for one in row["analyses"]]
        tables["commit_sizes"].append(
            where
            | {"additions": 1, "deletions": 0, "files": len(row["files"]), "unread_files": chance.randrange(5) // 4}
            | {"complete": chance.random() < 0.9}
        )  # fmt: skip
    days = Counter((row["repo"], row["day"]) for row in commits)
    tables["reads"] = [read(day, repo, commit_count=count) for (repo, day), count in days.items()]
    with History(Place(project.data), ZoneInfo("UTC")) as history:
        history.replace(*(Replacement(table, {}, rows) for table, rows in tables.items()))
        yield history, commits


def _commits(chance: random.Random) -> Iterator[Row]:
    told: dict[str, list[Row]] = {repo: [] for repo in REPOS}
    for number in range(DAYS * len(REPOS)):
        day, repo = FIRST + timedelta(days=number // len(REPOS)), REPOS[number % len(REPOS)]
        # Some days are analysed in two languages.
        languages = ("en", "zh") if chance.random() < 0.3 else ("en",)
        a_day = chance.randint(1, 8)
        for position in reversed(range(a_day)):
            earlier = told[repo]
            place = len(earlier) + 1
            row = commit(
                day,
                position,
                repo,
                sha=f"{chance.randrange(16**40):040x}",
                author_name=chance.choice(PEOPLE),
                author_email="somebody@example.org",
                message=_message(chance, earlier, place),
                pull_request=place if chance.random() < 0.8 else None,
                on_branch=chance.choice((None, True, True, True, False)),
                filtered=chance.choice((None, None, None, "paths")),
            )
            row["files"] = [
                {
                    "position": at,
                    "path": path,
                    "status": "modified",
                    "additions": 1,
                    "deletions": 0,
                    "patch": "@@",
                    "patch_state": chance.choice(("text", "text", "missing")),
                }
                for at, path in enumerate(chance.sample(PATHS, chance.randint(1, 3)))
            ]
            row["analyses"] = [
                {
                    "language": language,
                    "status": chance.choice(("ok", "ok", "failed", "deferred")),
                    "tier": chance.choice(("high", "medium", "low")),
                    "analysed_at": f"{day}T{chance.randrange(10, 20)}:00:00+00:00",
                }
                for language in languages
                if chance.random() < 0.9
            ]
            earlier.append(row)
            yield row


def _message(chance: random.Random, earlier: list[Row], place: int) -> str:
    title = chance.choice(
        ("x", "fix: a queue", "feat: a queue of its own that waits", "  fix: odd  \n", "doc")
    )
    if not earlier or chance.random() < 0.7:
        return (
            f"{title} (#{place})\n\nA body with convert and overt in it." if chance.random() < 0.6 else title
        )
    back = chance.choice(earlier[-9:])
    said = title_of(back["message"])
    return chance.choice(
        (
            f'Revert "{said}" (#{place})',
            f"undo\n\nThis reverts commit {back['sha'][: chance.choice((7, 12, 40))]}.",
            f"REVERTS #{back['pull_request'] or 1}\n\nReverts ada/engine#{back['pull_request'] or 1}",
            f'revert: "{said}"\n',
            "reverted what nobody remembers",
        )
    )


def title_of(message: str) -> str:
    return (re.search(r"[^\t\n\f\r ](?:[^\n]*[^\t\n\f\r ])?", message) or re.match("", message))[0]  # type: ignore[index]


def counts(row: Row) -> bool:
    return row["on_branch"] is not False and row["filtered"] is None


def current(row: Row) -> Row | None:
    """The analysis that counts: the newest that is ok, else the newest; of one time the language that sorts first."""
    found = sorted(row["analyses"], key=lambda one: one["language"])
    found.sort(key=lambda one: (one["status"] == "ok", one["analysed_at"]), reverse=True)
    return found[0] if found else None


def ask(history: History, name: str, **given: str) -> list[Row]:
    asked = question(name)
    cursor = history._connection.execute(asked.sql, bound(history._connection, asked, given))
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def newest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row["day"].toordinal(), row["repo"], row["position"]))


def test_one_analysis_stands_for_each_commit_that_counts(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    found = history._connection.execute("SELECT sha, language, status, tier FROM current_analyses").fetchall()
    wanted = [
        (row["sha"], one["language"], one["status"], one["tier"])
        for row in commits
        if counts(row) and (one := current(row)) is not None
    ]
    assert sorted(found) == sorted(wanted)


def test_files_are_those_of_commits_that_count(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    found = history._connection.execute("SELECT sha, path FROM current_files").fetchall()
    assert sorted(found) == sorted(
        (row["sha"], file["path"]) for row in commits if counts(row) for file in row["files"]
    )


def test_what_was_taken_back_is_the_newest_before_by_any_of_its_names(
    made: tuple[History, list[Row]],
) -> None:
    history, commits = made
    ours = [row for row in commits if counts(row)]
    claims = history._connection.execute(
        "SELECT repo, sha, back_sha, back_number, back_title FROM revert_claims"
    ).fetchall()
    place = {(row["repo"], row["sha"]): at for at, row in enumerate(ours)}
    wanted = set()
    for repo, sha, back_sha, back_number, back_title in claims:
        # Commits come oldest first, those of another repository between them.
        before = [row for row in ours[: place[repo, sha]] if row["repo"] == repo]
        meant = [
            row["sha"]
            for row in before
            if (back_sha and row["sha"].startswith(back_sha))
            or (not back_sha and back_number is not None and row["pull_request"] == back_number)
            or (
                not back_sha
                and back_number is None
                and back_title
                and re.sub(r" \(#\d+\)$", "", title_of(row["message"])) == back_title
            )
        ]
        if meant:
            wanted.add((repo, sha, meant[-1]))
    assert wanted
    found = history._connection.execute(
        "SELECT repo, sha, reverted_sha FROM reverts WHERE reverted_sha IS NOT NULL"
    )
    assert set(found.fetchall()) == wanted
    late = FIRST + timedelta(days=DAYS // 2)
    assert [row["sha"] for row in ask(history, "reverted", since=f"{late}")] == [
        row["sha"] for row in ask(history, "reverted", since="oldest") if row["day"] >= late
    ]


@pytest.mark.parametrize("limit", [3, 1000])
def test_somebodys_commits_come_newest_first_with_their_tier(
    made: tuple[History, list[Row]], limit: int
) -> None:
    history, commits = made
    wanted = newest_first([row for row in commits if counts(row) and "ada" in row["author_name"].lower()])
    found = ask(history, "commits_of_author", author="ada", limit=f"{limit}")
    assert [(row["sha"], row["title"], row["tier"]) for row in found] == [
        (row["sha"][:7], title_of(row["message"]), (current(row) or {"tier": None})["tier"])
        for row in wanted[:limit]
    ]


@pytest.mark.parametrize("tier", ["low", "medium", "high"])
@pytest.mark.parametrize("limit", [4, 1000])
def test_what_is_new_is_at_least_of_the_tier_that_was_asked_for(
    made: tuple[History, list[Row]], tier: str, limit: int
) -> None:
    history, commits = made
    ours = [row for row in commits if counts(row)]
    since = ours[len(ours) // 3]

    def tiers(row: Row) -> set[str]:
        newest = max((one["analysed_at"] for one in row["analyses"]), default=None)
        return {one["tier"] for one in row["analyses"] if one["analysed_at"] == newest}

    enough = {"low": {"high", "medium", "low"}, "medium": {"high", "medium"}, "high": {"high"}}[tier]
    day = since["day"]
    # Where two languages ended at once either may be shown: these are left out of the comparison.
    sure = {row["sha"][:7] for row in ours if len(tiers(row)) < 2}
    after = {
        f"{day}": [row for row in ours if row["day"] >= day],
        since["sha"]: [row for row in ours[ours.index(since) + 1 :] if row["repo"] == since["repo"]],
    }
    for asked, rows in after.items():
        found = [row["sha"] for row in ask(history, "whats_new", since=asked, tier=tier, limit=f"{limit}")]
        wanted = [row["sha"][:7] for row in newest_first(rows) if tier == "low" or tiers(row) & enough]
        assert len(found) <= limit
        if limit > len(ours):
            assert [sha for sha in found if sha in sure] == [sha for sha in wanted if sha in sure]


def test_incomplete_days_count_what_each_lacks(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    wanted: dict[tuple[str, date], Counter[str]] = {}
    for row in commits:
        if counts(row):
            states = {one["status"] for one in row["analyses"]}
            state = (
                "ok"
                if "ok" in states
                else "failed"
                if "failed" in states
                else "deferred"
                if states
                else "not_asked"
            )
            wanted.setdefault((row["repo"], row["day"]), Counter())[state] += 1
    for row in ask(history, "incomplete_days"):
        tally = wanted.get((row["repo"], row["day"]), Counter())
        assert [row[name] for name in ("failed", "deferred", "not_asked")] == [
            tally[name] for name in ("failed", "deferred", "not_asked")
        ]


def test_newcomers_are_told_with_their_first_commit(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    firsts: dict[tuple[str, str], Row] = {}
    for row in filter(counts, commits):
        firsts.setdefault((row["repo"], row["author_name"]), row)
    began = {repo: min(row["day"] for row in commits if row["repo"] == repo) for repo in REPOS}
    found = {(row["repo"], row["author_name"]): row for row in ask(history, "newcomers", since="oldest")}
    wanted = {key: row for key, row in firsts.items() if row["day"] > began[row["repo"]]}
    assert found.keys() == wanted.keys()
    assert all(
        (row["first_sha"], row["first_title"]) == (wanted[key]["sha"][:7], title_of(wanted[key]["message"]))
        for key, row in found.items()
    )


def test_files_change_together_in_commits_that_count(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    together: Counter[tuple[str, str]] = Counter()
    for row in filter(counts, commits):
        paths = [file["path"] for file in row["files"]]
        if "src/a.py" in paths:
            together.update((row["repo"], path) for path in paths if path != "src/a.py")
    found = ask(history, "changed_together", path="src/a.py")
    assert {(row["repo"], row["path"]): row["together"] for row in found} == together


def test_the_newest_thousands_of_commits_begin_with_a_whole_day(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    days = [FIRST + timedelta(days=number) for number in range(4)]
    since = Parameter("since", ("day",), "from here on")
    assert not is_relative(since.read("2k"))
    assert (last_commits("2k"), last_commits("2d"), last_commits("0k")) == (2000, None, None)
    with History(Place(project.data), ZoneInfo("UTC")) as history:
        asked = question("reverted")

        def first_day(given: str) -> str:
            return bound(history._connection, asked, {"since": given})["since"]

        assert first_day("1k") == "0001-01-01"
        history.replace(
            Replacement("reads", {}, [read(day, repo, commit_count=400) for day in days for repo in REPOS]),
            Replacement(
                "commit_log",
                {},
                [commit(day, number, repo) for day in days for repo in REPOS for number in range(400)],
            ),
        )
        assert first_day("1k") == f"{days[3]}"  # 800 of the newest day, and 800 more with the one before
        assert first_day("2k") == f"{days[2]}"
        assert first_day("4k") == "0001-01-01"
        history.replace(Replacement("reads", {"day": [days[3]]}, [read(days[3], commit_count=5000)]))
        assert first_day("1k") == f"{days[3]}"  # never less than a day


def test_a_question_that_fails_leaves_a_connection_that_can_be_asked(made: tuple[History, list[Row]]) -> None:
    history, commits = made
    connection = history._connection
    with pytest.raises(UsageError, match="no commit of this history begins so"):
        answer(connection, question("attempts"), {"sha": "abcdef0123"})
    columns, rows = answer(connection, question("search"), {"words": "FEAT"})
    assert columns[:3] == ["day", "repo", "sha"]
    assert rows
    assert commits
