"""Days that the branch changed after they were read: found, made again, and said on their pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.errors import SourceRejected
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline_tests.fakes.github import FakeGitHub
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

DAYS = days_from(FIRST_DAY, 3)
NAME = "ada/engine"
EVENING = datetime(2026, 1, 5, 20, tzinfo=UTC)


def changed(shop: Workshop, days: Sequence[date]) -> list[date]:
    with shop.pipeline() as pipeline:
        return pipeline.changed_days(NAME, days)


def run(shop: Workshop, days: Sequence[date]) -> list[date]:
    """What a run over `days` makes: these, and those that changed."""
    found = changed(shop, days)
    shop.make(sorted([*days, *found]))
    assert shop.failed == {}
    return found


def late(engine: RepositoryBuilder, number: int = 9) -> str:
    """A commit that is dated back to the evening of the first day."""
    engine.write(f"src/late{number}.py", f"late = {number}\n")
    return engine.commit(f"feat: come late {number} (#{number})", committed_at=EVENING)


def updates(page: str) -> list[str]:
    return re.findall(r"^> ((?:Updated|更新于) .*)$", page, re.MULTILINE)


def on_branch(shop: Workshop, day: date) -> dict[str, bool]:
    return dict(shop.rows(f"SELECT sha, on_branch FROM commits WHERE day = '{day}' ORDER BY position"))


def moved(shop: Workshop, day: date) -> tuple[Any, ...]:
    [row] = shop.rows(
        f"SELECT commit_count, came, went, changed_at IS NOT NULL FROM reads WHERE day = '{day}'"
    )
    return tuple(row)


def assert_checks_pass(shop: Workshop) -> None:
    with shop.pipeline() as pipeline:
        for check in (one for one in CHECKS if one.kind is None):
            where: dict[str, Any] = {"first": DAYS[0], "last": DAYS[-1]}
            if check.asset != "daily_digest":
                where["repo"] = NAME
            if check.by_language:
                where["language"] = shop.settings.language
            rows = pipeline.history.read(f"checks/{check.name}", where)
            assert rows, check.name
            assert all(row["passed"] for row in rows), (check.name, rows)


# --- what changes a day ----------------------------------------------------------------------------------


def test_a_late_merge_makes_its_day_again_and_the_page_says_so(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS[:2])
    untouched = workshop.page(NAME, DAYS[1])
    sha = late(engine)
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    page = workshop.page(NAME, FIRST_DAY)
    assert updates(page) == [f"Updated {workshop.now:%Y-%m-%d %H:%M}: 1 commit came, 0 went"]
    assert "come late 9" in page
    assert "3 commits seen, 3 analysed" in page
    assert updates(workshop.daily(FIRST_DAY)) == updates(page)
    assert on_branch(workshop, FIRST_DAY)[sha]
    assert moved(workshop, FIRST_DAY) == (3, 1, 0, True)
    assert moved(workshop, DAYS[1]) == (2, None, None, False)
    assert workshop.page(NAME, DAYS[1]) == untouched
    assert updates(workshop.page(NAME, DAYS[2])) == []
    assert_checks_pass(workshop)

    # The next late commits are counted from the first reading on.
    for number in (10, 11):
        late(engine, number)
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    [line] = updates(workshop.page(NAME, FIRST_DAY))
    assert line.endswith(": 3 commits came, 0 went")


def test_what_a_force_push_took_away_stays_in_the_store_and_nowhere_else(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    gone = [late(engine, 21), late(engine, 22)]
    workshop.make(DAYS)
    before = workshop.content()
    engine.git("reset", "--quiet", "--hard", "HEAD~2")
    engine.write("src/other.py", "other = 1\n")
    engine.commit("feat: another one instead (#23)", committed_at=EVENING)
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    known = on_branch(workshop, FIRST_DAY)
    assert list(known)[3:] == gone[::-1], "they stand behind what is there"
    assert list(known.values()) == [True, True, True, False, False]
    assert moved(workshop, FIRST_DAY) == (3, 1, 2, True)
    page = workshop.page(NAME, FIRST_DAY)
    assert "come late" not in page
    assert "come late" not in workshop.daily(FIRST_DAY)
    assert "another one instead" in page
    assert "3 commits seen, 3 analysed" in page
    [line] = updates(page)
    assert line.endswith(": 1 commit came, 2 went")
    rows = workshop.rows(
        f"SELECT path, on_branch FROM commit_files JOIN commits USING (repo, day, sha) WHERE sha = '{gone[1]}'"
    )
    assert rows == [("src/late22.py", False)]
    assert set(before["commit_files"]) <= set(workshop.content()["commit_files"])
    assert_checks_pass(workshop)

    def ask(query: str, *parameters: str) -> list[dict[str, Any]]:
        given = [word for parameter in parameters for word in ("--param", parameter)]
        found: list[dict[str, Any]] = workshop.json("sql", "--query", query, *given, "-f", "json")
        return found

    assert ask("who_changed", "path=src/late%") == ask("pull_request", "number=22") == []
    assert [row["commits"] for row in ask("hottest_directories", "since=2026-01-05")] == [7]
    assert len(ask("most_important", "since=2026-01-05")) == 7
    assert [row["commits"] for row in ask("tiers_by_day", "first=2026-01-05", "last=2026-01-05")] == [3]
    assert [(row["commits"], row["analysed"]) for row in ask("coverage")] == [(7, 7)]


def test_another_branch_is_another_history_for_the_days_that_are_looked_at(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    engine.git("branch", "release", "HEAD~3")
    workshop.make(DAYS)
    workshop.configure(local(NAME, engine.path, branch="release"), recheck_days=2)
    assert changed(workshop, DAYS[:1]) == [], "a run over an old day does not look at newer ones"
    assert run(workshop, DAYS[2:]) == DAYS[1:2]
    assert "1 commit seen" in workshop.page(NAME, DAYS[1])
    assert updates(workshop.page(NAME, DAYS[1]))[0].endswith(": 0 commits came, 1 went")
    assert "No commits on this day." in workshop.page(NAME, DAYS[2])
    assert updates(workshop.page(NAME, DAYS[2]))[0].endswith(": 0 commits came, 2 went")
    assert updates(workshop.page(NAME, DAYS[0])) == []
    assert workshop.rows("SELECT DISTINCT branch FROM reads WHERE day > '2026-01-05'") == [("release",)]
    assert_checks_pass(workshop)


def test_a_commit_that_comes_back_is_on_the_branch_again_and_is_not_read_anew(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    there = late(engine)
    workshop.make(DAYS)
    before = workshop.content()
    engine.git("reset", "--quiet", "--hard", "HEAD~1")
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    assert on_branch(workshop, FIRST_DAY)[there] is False
    engine.git("reset", "--quiet", "--hard", there)
    snapshot = workshop.snapshot()
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    assert on_branch(workshop, FIRST_DAY)[there] is True
    assert moved(workshop, FIRST_DAY) == (3, 0, 0, True)
    assert "commit_files" not in workshop.written_since(snapshot)
    after = workshop.content()
    for table in ("commit_log", "commit_sizes", "commit_files", "analyses"):
        assert after[table] == before[table]
    assert updates(workshop.page(NAME, FIRST_DAY)) == [f"Updated {workshop.now:%Y-%m-%d %H:%M}"]
    assert_checks_pass(workshop)


def test_a_day_that_changed_and_is_made_twice_more_is_the_same_byte_for_byte(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS)
    late(engine)
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    engine.git("reset", "--quiet", "--hard", "HEAD~1")
    late(engine, 10)
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    assert moved(workshop, FIRST_DAY) == (3, 2, 1, True)
    assert run(workshop, DAYS) == []
    content, pages = workshop.content(), files_below(workshop.data / "reports")
    for days in (DAYS[2:], DAYS):
        assert run(workshop, days) == []
        assert workshop.content() == content
        assert files_below(workshop.data / "reports") == pages


# --- where nothing is looked for -------------------------------------------------------------------------


@pytest.mark.parametrize(("recheck_days", "expected"), [(0, []), (1, []), (2, DAYS[:1]), (366, DAYS[:1])])
def test_the_setting_says_how_far_back(
    workshop: Workshop, engine: RepositoryBuilder, recheck_days: int, expected: list[date]
) -> None:
    workshop.make(DAYS[:2])
    late(engine)
    workshop.configure(local(NAME, engine.path), recheck_days=recheck_days)
    assert changed(workshop, DAYS[2:]) == expected


def test_what_came_lately_to_days_further_back_is_told_until_they_are_made_again(
    workshop: Workshop, engine: RepositoryBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        caplog.clear()
        assert changed(workshop, DAYS[2:]) == []
        return [record.message for record in caplog.records if "recheck_days" in record.message]

    workshop.configure(local(NAME, engine.path), recheck_days=1)
    workshop.make(DAYS[:2])
    assert told() == []
    late(engine)
    late(engine, 10)
    warned = (
        f"{NAME}: 2 commits came to 1 day later than recheck_days = 1 looks back: {DAYS[0]}; "
        f"digest heal, or digest run --repo {NAME} over them, makes them again"
    )
    assert told() == [warned]
    workshop.make(DAYS[2:])
    assert told() == [warned]
    workshop.make(DAYS[:1])
    assert told() == []
    # What is not of the branch any more tells of nothing, nor do days before the first one, nor none at all.
    late(engine, 11)
    assert len(told()) == 1
    workshop.configure(local(NAME, engine.path), recheck_days=0)
    assert told() == []
    workshop.configure(local(NAME, engine.path), recheck_days=1, first_day=DAYS[1])
    assert told() == []
    workshop.configure(local(NAME, engine.path), recheck_days=1)
    engine.git("reset", "--quiet", "--hard", "HEAD~4")
    assert told() == []


def test_days_before_the_first_and_days_that_were_never_read_are_left_alone(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    late(engine)
    assert changed(workshop, DAYS[2:]) == []
    workshop.make(DAYS[:1])
    late(engine, 10)
    workshop.configure(local(NAME, engine.path), first_day=DAYS[1])
    assert changed(workshop, DAYS[2:]) == []


def test_a_repo_that_cannot_be_read_is_no_repo_without_changes(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS[:2])
    engine.path.rename(tmp_path / "away")
    with pytest.raises(SourceRejected, match="does not exist"):
        changed(workshop, DAYS[2:])


def test_github_is_asked_for_one_more_list_and_for_none_where_nothing_is_stored(
    tmp_path: Path, engine: RepositoryBuilder
) -> None:
    shop = Workshop(tmp_path / "github")
    with FakeGitHub({NAME: engine.path}) as hub:
        shop.configure(
            {"name": NAME, "source": "github", "api_url": hub.api_url, "web_url": "https://x.org/a/b"}
        )
        assert changed(shop, DAYS[2:]) == []
        assert hub.requests == []
        shop.make(DAYS[:2])
        gone = engine.head()
        late(engine)
        hub.requests.clear()
        assert changed(shop, DAYS[2:]) == DAYS[:1]
        [asked] = [request for request in hub.requests if request.path.endswith("/commits")]
        assert (asked.query["since"][:10], asked.query["until"][:10]) == ("2026-01-04", "2026-01-07")
        assert run(shop, DAYS[2:]) == DAYS[:1]
        assert "come late" in shop.page(NAME, FIRST_DAY)
        engine.git("reset", "--quiet", "--hard", f"{gone}~1")
        assert run(shop, DAYS[2:]) == DAYS[:1]
    assert updates(shop.page(NAME, FIRST_DAY))[0].endswith(": 1 commit came, 1 went")
    assert moved(shop, FIRST_DAY) == (2, 1, 1, True)


def test_a_changed_day_whose_run_ended_before_its_page_is_made_by_the_next(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS[:2])
    late(engine)
    with workshop.pipeline() as pipeline:
        pipeline.collect(NAME, DAYS[:1])
    assert run(workshop, DAYS[2:]) == DAYS[:1]
    assert "come late" in workshop.page(NAME, FIRST_DAY)
    assert run(workshop, DAYS[2:]) == []


def test_a_day_that_was_read_and_got_no_page_is_made_once_its_run_is_surely_over(
    workshop: Workshop,
) -> None:
    with workshop.pipeline() as pipeline:
        pipeline.collect(NAME, DAYS[:2])
    assert changed(workshop, DAYS[2:]) == []
    workshop.now += timedelta(hours=6)
    assert run(workshop, DAYS[2:]) == DAYS[:2]
    assert "2 commits seen, 2 analysed" in workshop.page(NAME, FIRST_DAY)
    assert run(workshop, DAYS[2:]) == []


# --- what a page says ------------------------------------------------------------------------------------


def test_what_comes_to_a_day_that_is_not_over_is_no_update(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.now = datetime(2026, 1, 5, 15, tzinfo=UTC)
    workshop.make(DAYS[:1])
    late(engine)
    workshop.now = datetime(2026, 1, 7, 2, tzinfo=UTC)
    assert run(workshop, DAYS[1:2]) == DAYS[:1]
    assert "come late" in workshop.page(NAME, FIRST_DAY)
    assert updates(workshop.page(NAME, FIRST_DAY)) == []
    assert moved(workshop, FIRST_DAY) == (3, None, None, False)
    late(engine, 10)
    assert run(workshop, DAYS[1:2]) == DAYS[:1]
    assert updates(workshop.page(NAME, FIRST_DAY))[0].endswith(": 1 commit came, 0 went")


def test_a_page_that_says_something_else_says_when_and_keeps_it(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.configure(local(NAME, engine.path), timezone="Asia/Shanghai", language="zh")
    workshop.make(DAYS[:1])
    assert updates(workshop.page(NAME, FIRST_DAY)) == []
    late = workshop.now + timedelta(minutes=1)
    text = workshop.file.read_text(encoding="utf-8")
    workshop.file.write_text(text + "\n[report]\nshow_reasons = false\n", encoding="utf-8")
    workshop.make(DAYS[:1])
    line = f"更新于 {late + timedelta(hours=8):%Y-%m-%d %H:%M}"
    assert updates(workshop.page(NAME, FIRST_DAY)) == [line]
    content, pages = workshop.content(), files_below(workshop.data / "reports")
    workshop.make(DAYS[:1])
    assert workshop.content() == content
    assert files_below(workshop.data / "reports") == pages
    assert updates(workshop.daily(FIRST_DAY)) == [line]


def test_a_page_of_an_older_history_gets_its_hash_and_is_not_called_updated(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS[:1])
    before = workshop.content(), files_below(workshop.data / "reports")
    rendered = workshop.rows("SELECT rendered_at FROM reports")
    with workshop.pipeline() as pipeline:
        pipeline.history._connection.execute("UPDATE reports SET content = NULL")
        pipeline.history._connection.execute("UPDATE commit_log SET on_branch = NULL")
    workshop.make(DAYS[:1])
    assert (workshop.content(), files_below(workshop.data / "reports")) == before
    assert workshop.rows("SELECT rendered_at FROM reports") == rendered, "its digest is as new as it"
    with workshop.pipeline() as pipeline:
        pipeline.history._connection.execute("UPDATE reports SET content = NULL")
    late(engine)
    workshop.configure(local(NAME, engine.path), language="zh")
    workshop.make(DAYS[:1])
    # The page is the first in its language, and tells of its day all the same.
    assert updates(workshop.page(NAME, FIRST_DAY)) == [
        f"更新于 {workshop.now:%Y-%m-%d %H:%M}：新增 1 个提交，移除 0 个提交"
    ]
