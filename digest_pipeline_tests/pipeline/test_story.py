"""What a page tells of the days around it, and that it stays true when these become others."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from digest_pipeline.errors import SourceUnavailable, StoreDamaged
from digest_pipeline.pipeline.contents import repo_pages
from digest_pipeline.pipeline.workbench import reading_beside
from digest_pipeline.sources.git import GitSource
from digest_pipeline.store.history import History
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop
from digest_pipeline_tests.pipeline.test_recheck import updates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from digest_pipeline.domain.page import RepoPage
    from digest_pipeline.sources import Head

NAME = "ada/engine"
DAYS = days_from(FIRST_DAY, 16)
LAST = DAYS[-1]
ASKED = {"repo": NAME, "first": LAST, "last": LAST, "unsure_days": 90}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RepositoryBuilder:
    """A commit on each of fifteen days, and on the sixteenth four, of which one takes back that of the fourteenth."""
    builder = RepositoryBuilder(tmp_path_factory.mktemp("story") / "engine")
    for number, day in enumerate(DAYS[:-1], 1):
        builder.clock = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        builder.write(f"lib/wheel/part{number}.py", f"part = {number}\n")
        builder.commit(f"feat: part {'abcdefghijklmnop'[number]} of all (#{number})")
    builder.clock = datetime(LAST.year, LAST.month, LAST.day, 9, tzinfo=UTC)
    for number, message in enumerate(
        ('Revert "feat: part o of all (#14)" (#21)', "feat!: drop it (#22)", "fix: it (#23)"), 21
    ):
        builder.write(f"lib/axle/part{number}.py", f"part = {number}\n")
        builder.commit(message, author="Grace")
    builder.commit("docs: it (#24)")
    return builder


@pytest.fixture
def shop(tmp_path: Path, engine: RepositoryBuilder) -> Workshop:
    """A project that follows it, some days after the last one."""
    made = Workshop(tmp_path / "project", now=datetime(2026, 1, 25, tzinfo=UTC))
    made.configure(local(NAME, engine.path, web_url="https://a.example/ada/engine"))
    return made


def story(shop: Workshop) -> RepoPage:
    with shop.pipeline() as pipeline:
        return repo_pages(pipeline._workbench, NAME, [LAST])[LAST]


def test_a_page_whose_background_cannot_be_read_is_not_made(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make([LAST])
    before = shop.page(NAME, LAST)
    read = History.read

    def damaged(history: History, name: str, parameters: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - rows
        if name == "pipeline/newcomers":
            raise StoreDamaged(name)
        return read(history, name, parameters)

    monkeypatch.setattr(History, "read", damaged)
    with shop.pipeline() as pipeline, pytest.raises(StoreDamaged):
        pipeline.report(NAME, [LAST])
    assert shop.page(NAME, LAST) == before


def test_who_is_told_to_end_waits_for_nobody_that_reads_beside() -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return gate.wait(600)

    try:
        with pytest.raises(KeyboardInterrupt), reading_beside("background") as thread:
            at_it, next_one = thread.submit(wait), thread.submit(int)
            assert begun.wait(60)
            raise KeyboardInterrupt
        assert not at_it.done()
        assert next_one.cancelled()
    finally:
        gate.set()
    assert at_it.result(60)


def test_who_committed_before_the_first_stored_day_is_not_new(shop: Workshop, tmp_path: Path) -> None:
    engine = RepositoryBuilder(tmp_path / "older")
    days = [(DAYS[0] - timedelta(days=400), "Old Hand"), *((day, "Ada") for day in DAYS[:-1])]
    for day, author in (*days, (LAST, "Old Hand"), (LAST, "Grace")):
        engine.clock = datetime.combine(day, time(12), UTC)
        engine.write("a", f"{day} {author}\n")
        engine.commit(f"feat: of {day} by {author}", author=author)
    shop.configure(local(NAME, engine.path))
    shop.make(DAYS)
    told = story(shop).context
    assert told is not None
    assert told.newcomers == ("Grace",)
    # What was read before this was asked, and what the API gives, is unsure: nobody is called new for ninety days.
    with shop.pipeline() as pipeline:
        pipeline.history._connection.execute("UPDATE commit_log SET first_of_author = NULL")
    told = story(shop).context
    assert told is not None
    assert told.newcomers == ()


def test_a_day_that_was_stored_long_before_the_others_makes_nobody_new(tmp_path: Path) -> None:
    engine, shop = RepositoryBuilder(tmp_path / "engine"), Workshop(tmp_path / "project")
    days = [DAYS[0] - timedelta(days=400), *DAYS[:2]]
    for day, author in zip(days, ("Ada", "Ada", "Grace"), strict=True):
        engine.clock = datetime.combine(day, time(12), UTC)
        engine.write("a", f"{day}\n")
        engine.commit("feat: a", author=author)
    shop.configure(local(NAME, engine.path), first_day=days[0])
    shop.make(days)
    with shop.pipeline() as pipeline:
        pipeline.history._connection.execute("UPDATE commit_log SET first_of_author = NULL")
        asked = {**ASKED, "first": DAYS[1]}
        assert pipeline.history.read("pipeline/newcomers", asked | {"unsure_days": 3}) == []
        [grace] = pipeline.history.read("pipeline/newcomers", asked | {"unsure_days": 2})
    assert (grace["author_name"], grace["is_sure"]) == ("Grace", False)


def test_the_question_who_is_new_knows_of_first_commits_that_a_filter_left_out(shop: Workshop) -> None:
    def told() -> list[str]:
        return [row["author_name"] for row in shop.json("sql", "--query", "newcomers", "--format", "json")]

    shop.make(DAYS)
    assert told() == ["Grace"]
    [row] = shop.json("sql", "--query", "newcomers", "--format", "json")
    assert row["days_before"] == len(DAYS) - 1
    with shop.pipeline() as pipeline:
        pipeline.history._connection.execute(
            "UPDATE commit_log SET filtered = 'paths' WHERE author_name = 'Grace' AND first_of_author"
        )
        assert told() == ["Grace"]
        # She comes again on a later day: what she had before is known to be there.
        pipeline.history._connection.execute(
            "UPDATE commit_log SET first_of_author = false WHERE author_name = 'Grace'"
        )
        assert told() == []


def test_who_is_new_is_told_also_where_a_filter_left_the_first_commit_out(shop: Workshop) -> None:
    shop.make(DAYS)
    with shop.pipeline() as pipeline:
        pipeline.history._connection.execute(
            "UPDATE commit_log SET filtered = 'paths' WHERE author_name = 'Grace' AND first_of_author"
        )
        assert pipeline.history.read("pipeline/newcomers", ASKED) == [
            {"day": LAST, "author_name": "Grace", "is_sure": True}
        ]
        asked = {**ASKED, "unsure_days": 14}
        # What later commits say does not make up for what was not asked of the first one.
        pipeline.history._connection.execute(
            "UPDATE commit_log SET first_of_author = NULL, filtered = NULL WHERE first_of_author"
        )
        assert pipeline.history.read("pipeline/newcomers", asked) == []
        pipeline.history._connection.execute("UPDATE commit_log SET first_of_author = NULL")
        assert pipeline.history.read("pipeline/newcomers", asked) == [
            {"day": LAST, "author_name": "Grace", "is_sure": False}
        ]


def test_git_is_asked_who_is_new_where_somebody_is_whom_no_earlier_day_knows(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: GitSource, head: Head) -> NoReturn:
        del source, head
        raise SourceUnavailable("git was killed")

    shop.make(DAYS[:3])
    monkeypatch.setattr(GitSource, "_walked", refused)
    shop.make([DAYS[3]])
    shop.make([LAST])
    assert shop.failed == {}
    flags = (
        "SELECT day, author_name, first_of_author FROM commit_log WHERE day >= $day GROUP BY ALL ORDER BY ALL"
    )
    assert shop.rows(flags.replace("$day", f"'{DAYS[3]}'")) == [
        (DAYS[3], "Ada Lovelace", False),
        (LAST, "Ada Lovelace", None),
        (LAST, "Grace", None),
    ]


def test_a_page_tells_of_the_days_around_it_and_is_no_update_when_these_become_others(shop: Workshop) -> None:
    shop.make([LAST])
    alone = shop.page(NAME, LAST)
    assert "median" not in alone
    assert story(shop).themes == ()

    # Days before it are made later: the page may say more, and its day is what it was.
    shop.make(DAYS[:-1])
    assert shop.page(NAME, LAST) == alone
    shop.make([LAST])
    page, told = shop.page(NAME, LAST), story(shop)
    assert updates(page) == updates(shop.daily(LAST)) == []
    assert told.context is not None
    assert told.context.days == 7
    assert (told.context.commits.value, told.context.commits.median) == (4, 1.0)  # type: ignore[union-attr]
    assert told.context.newcomers == ("Grace",)
    assert [(one.path, one.commits, one.trend) for one in told.context.directories] == [
        ("lib/axle", 3, (*[0] * 15, 3))
    ]
    [revert] = [theme for theme in told.themes if theme.kind == "revert"]
    assert [(one.day, one.pull_request) for one in revert.earlier] == [(DAYS[13], 14)]
    assert f"⏪ from {DAYS[13]}: [feat: part o of all (#14)](https://a.example/ada/engine/commit/" in page
    assert "more commits than usual, the median of the last 7 days is 1." in page
    assert "- **New here**: Grace" in page
    assert [part.topic for part in told.parts] == ["breaking"]
    assert (
        "4 commits, 3 changed lines: more commits than usual"
        in shop.daily(LAST).partition("## ada/engine")[0]
    )

    # And made once more, it is the same to the byte.
    before = files_below(shop.data / "reports")
    shop.make(DAYS)
    shop.make(DAYS)
    assert files_below(shop.data / "reports").keys() == before.keys()
    assert shop.page(NAME, LAST) == page


def test_a_page_says_when_it_was_rendered_and_keeps_that_while_it_says_the_same(shop: Workshop) -> None:
    def rendered() -> list[str]:
        return re.findall(r"^> Rendered (.*)$", shop.page(NAME, LAST), re.MULTILINE)

    shop.make([LAST])
    first = rendered()
    assert first == [f"{shop.now:%Y-%m-%d %H:%M}"]
    shop.now += timedelta(hours=1)
    shop.make([LAST])
    assert rendered() == first
    [stored] = shop.rows("SELECT strftime(timezone('UTC', rendered_at), '%Y-%m-%d %H:%M') FROM reports")
    assert [stored[0]] == first


def test_a_link_of_ours_that_leads_nowhere_is_found_and_one_that_a_commit_wrote_is_none(
    shop: Workshop,
) -> None:
    shop.make([LAST])
    where: dict[str, object] = {"first": LAST, "last": LAST, "language": "en"}
    for more, passed in (("`[a](#b)` \\[a\\](#b)", True), ("[a](#ada~engine-nowhere)", False)):
        with shop.pipeline() as pipeline:
            for table in ("reports", "digests"):
                pipeline.history._connection.execute(f"UPDATE {table} SET markdown = markdown || ?", [more])
            [page] = pipeline.history.read("checks/links_resolve", where | {"repo": NAME})
            [digest] = pipeline.history.read("checks/digest_links_resolve", where)
        assert (page["passed"], digest["passed"]) == (passed, passed)
        assert page["links"] > 4


def test_another_language_tells_the_same_in_its_own_words(shop: Workshop, engine: RepositoryBuilder) -> None:
    shop.make([LAST])
    with shop.pipeline() as pipeline:
        assert repo_pages(pipeline._workbench, NAME, [LAST], language="zh") == {}, "nobody analysed it yet"
    shop.configure(local(NAME, engine.path), language="zh")
    shop.make([LAST])
    assert "4 个提交，改动 3 行。" in shop.page(NAME, LAST)
    assert "### 💥 破坏性变更与弃用 (1)" in shop.page(NAME, LAST)
