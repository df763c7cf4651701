"""The questions in `sql/queries/`, over a small history of a real repository and over what docs/sql.md shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest_pipeline.domain.cues import lines_about
from digest_pipeline.domain.question import (
    MOST_WORDS,
    Parameter,
    day_of_history,
    is_relative,
    read_question,
    signature,
)
from digest_pipeline.errors import UsageError
from digest_pipeline.store.files import names, statement
from digest_pipeline.store.history import History, Replacement, open_history
from digest_pipeline.store.place import Place
from digest_pipeline.store.questions import bound, question, questions
from digest_pipeline_tests.documented import EXAMPLES, PAGE, made_page, make_history
from digest_pipeline_tests.fakes.project import Project, days_from
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop
from digest_pipeline_tests.store.rows import REPO, commit, partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    Ask = Callable[..., list[dict[str, Any]]]

MONDAY = date(2026, 1, 5)
OTHER = "grace/tools"


# --- the files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("queries"))
def test_a_file_tells_all_its_parameters_and_no_others(name: str) -> None:
    asked = read_question(name, statement(f"queries/{name}"))
    code = "\n".join(line for line in asked.sql.splitlines() if not line.lstrip().startswith("--"))
    assert all(f"${one.name}" in code for one in asked.parameters)
    assert {one.name for one in asked.parameters} == set(parameters_in(code))


def parameters_in(code: str) -> list[str]:
    return re.findall(r"\$([a-z]\w*)", code)


def test_a_file_that_is_not_in_form_is_told_with_the_form() -> None:
    with pytest.raises(ValueError, match="must be the question"):
        read_question("q", "SELECT 1")
    for line in ("-- $since day", "-- $since date: x", "-- $Since day: x", "-- $n number = none: x"):
        with pytest.raises(ValueError):
            read_question("q", f"-- What?\n{line}\nSELECT 1")


def test_a_signature_says_what_counts_where_nothing_is_given() -> None:
    assert signature(question("who_changed")) == "path, repo=%, since=200k, limit=200"


DAY = Parameter("since", ("day",), "from here on")


@given(st.dates(min_value=date(1, 1, 1)))
def test_a_day_means_itself(day: date) -> None:
    value = DAY.read(day.isoformat())
    assert day_of_history(value, MONDAY) == day.isoformat()
    assert not is_relative(value)


@given(st.integers(min_value=1, max_value=999_999), st.dates())
def test_the_newest_days_are_as_many_as_they_say_or_all(count: int, newest: date) -> None:
    first = date.fromisoformat(day_of_history(DAY.read(f"{count}d"), newest))
    assert first <= newest
    assert (newest - first).days + 1 == count or first == date.min


@given(st.text())
def test_no_text_breaks_the_reading_of_a_value(text: str) -> None:
    for kind in ("text", "pattern", "words", "number", "day", "sha", "tier"):
        try:
            value = Parameter("p", (kind,), "anything").read(text)
        except ValueError:
            continue
        assert value


# --- a small history -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two repositories over four days: people come, things break and are taken back, in two languages."""
    folder = tmp_path_factory.mktemp("questions")
    engine = RepositoryBuilder(folder / "engine", clock=datetime(2026, 1, 5, 9, tzinfo=UTC))
    engine.write("src/core/queue.py", "def take():\n    return 1\n")
    engine.write("src/core/queue_test.py", "def test_take():\n    assert 1\n")
    added = engine.commit("feat: a queue for the Router (#1)\n\nIt keeps an order.")
    engine.write("docs/guide.md", "Read this.\n")
    engine.commit("docs: 说明缓存的大小 (#2)\n\n默认值不变。")
    engine.clock = datetime(2026, 1, 6, 9, tzinfo=UTC)
    engine.write("src/core/queue.py", "def take(limit):\n    return limit\n")
    engine.write("src/core/queue_test.py", "def test_take():\n    assert take(1)\n")
    engine.commit(
        "feat(core)!: take a limit (#3)\n\nBREAKING CHANGE: callers must name one.\nNo breaking change elsewhere.",
        author="Grace Hopper",
    )
    engine.move("docs/guide.md", "docs/handbook.md")
    engine.commit("docs: a new name for the guide (#4), see #1")
    engine.clock = datetime(2026, 1, 8, 9, tzinfo=UTC)
    engine.write("src/core/queue.py", "def take():\n    return 1\n")
    engine.commit('Revert "feat(core)!: take a limit (#3)" (#5)', author="Lin Chen")
    engine.write("notes.txt", f"{added}\n")
    engine.commit(f"fix: undo\n\nThis reverts commit {added[:12]}.", author="Lin Chen")
    engine.commit("revert: what nobody remembers (#999) (#6)", author="Lin Chen")
    tools = RepositoryBuilder(folder / "tools", clock=datetime(2026, 1, 6, 10, tzinfo=UTC))
    tools.write("a/b/c/router.py", "x = 1\n")
    tools.commit("chore: a 100% odd_title \\d with 'quotes' (#1)")
    workshop = Workshop(folder / "project", now=datetime(2026, 1, 10, tzinfo=UTC))
    workshop.configure(
        {"name": REPO, "url": str(engine.path)}, {"name": OTHER, "url": str(tools.path)}, first_day=MONDAY
    )
    workshop.make(days_from(MONDAY, 4))
    assert not workshop.failed
    return workshop


@pytest.fixture(scope="module")
def ask(made: Project) -> Any:  # noqa: ANN401 - a fixture of an iterator
    """Asks a question by name, as `digest sql --query` would; the rows by column."""
    with open_history(Place(made.data), ZoneInfo("UTC")) as connection:
        yield asking(connection)


def asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    def ask(name: str, **given: str) -> list[dict[str, Any]]:
        asked = question(name)
        cursor = connection.execute(asked.sql, bound(connection, asked, given))
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    return ask


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["title"].split(" (#")[0] for row in rows]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        # In the title, then in the path, then in the rest; the newest first.
        ("router", ["feat: a queue for the Router", "chore: a 100% odd_title \\d with 'quotes'"]),
        ("ROUTER queue", ["feat: a queue for the Router"]),
        (
            "queue",
            [
                "feat: a queue for the Router",
                'Revert "feat(core)!: take a limit',
                "feat(core)!: take a limit",
            ],
        ),
        ("缓存", ["docs: 说明缓存的大小"]),
        ("大小　缓存", ["docs: 说明缓存的大小"]),  # a wide blank parts words too
        ("默认值 guide.md", ["docs: 说明缓存的大小"]),  # one in the message, one in the path
        ("order nobody", []),
        ("100%", ["chore: a 100% odd_title \\d with 'quotes'"]),
        ("d_title", ["chore: a 100% odd_title \\d with 'quotes'"]),
        ("\\d 'QUOTES'", ["chore: a 100% odd_title \\d with 'quotes'"]),
        (".*", []),
        ("scope", []),  # the name of a field of every analysis, and a word in none
    ],
)
def test_search_finds_all_words_wherever_they_stand(ask: Ask, words: str, found: list[str]) -> None:
    assert titles(ask("search", words=words)) == found


def test_search_says_where_and_how_important(ask: Ask) -> None:
    [by_title, by_path, _] = ask("search", words="queue")
    assert by_title["found_in"].startswith("title, path")
    assert by_path["found_in"] == "path"
    assert by_title["tier"] == "high"
    assert ask("search", words="queue", since="2026-01-07", repo="%engine")[0]["day"] == date(2026, 1, 8)
    assert len(ask("search", words="queue", limit="1")) == 1


@pytest.fixture(scope="module")
def texts(made: Project) -> dict[str, str]:
    """All that a search looks at, by commit, put together another way."""
    rows = made.rows(
        """SELECT sha[:7], message, [path FOR path IN (SELECT list(path) FROM commit_files AS f WHERE f.sha = c.sha)],
            (SELECT analysis::VARCHAR FROM analyses AS a WHERE a.sha = c.sha)
        FROM commits AS c WHERE on_branch"""
    )
    found = {}
    for sha, message, paths, analysis in rows:
        said = [
            item
            for value in json.loads(analysis).values()
            for item in ([value] if isinstance(value, str) else value)
        ]
        found[sha] = "\n".join([message, *(paths or []), *said]).lower()
    return found


PIECES = [*"aeqskSK缓存%_.\\\"'([{,:*", "qu", "take", "Limit", "(#1)", "summary", "risk"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=MOST_WORDS))
def test_search_agrees_with_a_look_at_every_text(ask: Ask, texts: dict[str, str], words: list[str]) -> None:
    expected = {sha for sha, text in texts.items() if all(word.lower() in text for word in words)}
    assert {row["sha"] for row in ask("search", words=" ".join(words))} == expected


def test_what_was_reverted_is_found_by_title_and_by_hash(ask: Ask) -> None:
    undone, by_title = [row for row in ask("reverted") if row["reverted_sha"]]
    assert {undone["reverted_title"], by_title["reverted_title"]} == {
        "feat: a queue for the Router (#1)",
        "feat(core)!: take a limit (#3)",
    }
    assert {undone["days_between"], by_title["days_between"]} == {3, 2}
    [unknown] = [row for row in ask("reverted") if not row["reverted_sha"]]
    assert unknown["title"].startswith("revert: what nobody remembers")


def test_everything_about_a_pull_request(ask: Ask) -> None:
    engine, tools = ask("pull_request", number="1")
    assert (engine["repo"], tools["repo"]) == (REPO, OTHER)
    assert engine["paths"] == ["src/core/queue.py", "src/core/queue_test.py"]
    assert [entry[8:] for entry in engine["mentioned_in"]] == ["docs: a new name for the guide (#4), see #1"]
    assert [entry[8:] for entry in engine["reverted_by"]] == ["fix: undo"]
    assert engine["message"].endswith("It keeps an order.")
    assert (tools["mentioned_in"], tools["reverted_by"]) == ([], [])
    assert ask("pull_request", number="12") == []


def test_what_breaks_is_told_in_its_own_words_and_no_denial(ask: Ask) -> None:
    [row] = [row for row in ask("breaking_changes", repo=REPO) if row["day"] == date(2026, 1, 6)]
    assert row["lines"][:2] == ["feat(core)!: take a limit (#3)", "BREAKING CHANGE: callers must name one."]
    assert not [line for line in row["lines"] if line.startswith("No ")]
    assert not [row for row in ask("breaking_changes", since="2026-01-07") if "!" not in row["title"]]


def test_what_is_new_since_a_commit_leaves_out_itself_and_other_repositories(ask: Ask) -> None:
    newest_first = ask("whats_new", since="oldest", repo=REPO)
    assert len(newest_first) == 7
    for number, row in enumerate(newest_first):
        assert ask("whats_new", since=row["sha"]) == newest_first[:number]
    assert ask("whats_new", since=newest_first[0]["sha"]) == []
    assert {row["repo"] for row in ask("whats_new", since="2026-01-06")} == {REPO, OTHER}
    high = ask("whats_new", since="oldest", tier="high")
    assert {row["tier"] for row in high} == {"high"}
    assert 0 < len(high) < 8
    assert ask("whats_new", since=newest_first[0]["sha"].upper()) == []


def test_a_hash_that_says_too_little_is_refused(ask: Ask, made: Project) -> None:
    with pytest.raises(UsageError, match="no commit of this history begins so"):
        ask("reasons", sha="0000000000")
    with pytest.raises(UsageError, match="at least 4 digits"):
        ask("reasons", sha="abc")
    [(sha,)] = made.rows("SELECT sha FROM commits WHERE pull_request = 3")
    assert sum(row["points"] for row in ask("reasons", sha=sha)) == ask("reasons", sha=sha[:8])[0]["score"]


def test_who_changed_a_path_knows_files_folders_patterns_and_old_names(ask: Ask) -> None:
    assert titles(ask("who_changed", path="docs/guide.md")) == [
        "docs: a new name for the guide",
        "docs: 说明缓存的大小",
    ]
    assert len(ask("who_changed", path="src/core")) == len(ask("who_changed", path="src/core/")) == 5
    assert len(ask("who_changed", path="src/%queue.py")) == 3
    assert ask("who_changed", path="src/cor") == []


def test_files_that_change_together_are_counted(ask: Ask) -> None:
    [row] = ask("changed_together", path="src/core/queue.py")
    assert (row["path"], row["together"], row["share"]) == ("src/core/queue_test.py", 2, 0.67)
    assert ask("changed_together", path="src/core/queue.py", most_files="1") == []


def test_people_are_counted_found_and_new(ask: Ask) -> None:
    assert [(row["author_name"], row["commits"]) for row in ask("busiest_authors")] == [
        ("Ada Lovelace", 4),
        ("Lin Chen", 3),
        ("Grace Hopper", 1),
    ]
    assert [
        (row["author_name"], row["first_day"].day, row["commits"]) for row in ask("newcomers", repo=REPO)
    ] == [
        ("Lin Chen", 8, 3),
        ("Grace Hopper", 6, 1),
    ]
    assert len(ask("commits_of_author", author="lovelace")) == 4
    assert len(ask("commits_of_author", author="ada@", since="2026-01-06", repo=OTHER)) == 1


def test_directories_are_as_deep_as_asked(ask: Ask) -> None:
    deep = {row["directory"] for row in ask("hottest_directories", depth="3", repo=OTHER)}
    flat = {row["directory"]: row["commits"] for row in ask("hottest_directories", depth="1", repo=REPO)}
    assert deep == {"a/b/c"}
    assert flat == {"src": 3, "docs": 2, "": 1}


def test_tiers_are_counted_by_day_and_by_iso_week(ask: Ask) -> None:
    [engine, tools] = ask("tiers_by_week", last="2026-01-06")
    assert (engine["week"], engine["commits"], engine["days"]) == ("2026-W02", 4, 2)
    assert tools["commits"] == 1
    days = ask("tiers_by_day", repo=REPO)
    assert [row["commits"] for row in days] == [2, 2, 3]
    assert all(row["commits"] == row["high"] + row["medium"] + row["low"] for row in days)


def test_a_report_is_the_page_of_its_day(ask: Ask, made: Project) -> None:
    assert ask("report", repo=REPO, day="2026-01-06") == [{"markdown": made.page(REPO, date(2026, 1, 6))}]
    assert ask("report") == [{"markdown": made.daily(date(2026, 1, 8))}]
    assert ask("report", day="2020-01-01") == []


def test_a_whole_history_lacks_nothing(ask: Ask) -> None:
    assert ask("incomplete_days") == ask("unread_files") == ask("failures") == []
    assert ask("attempts", sha=ask("whats_new", since="oldest")[0]["sha"]) == []
    assert [row["commits"] for row in ask("coverage")] == [7, 1]


# --- the recorded day, with a model --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The history that docs/sql.md shows."""
    return make_history(tmp_path_factory.mktemp("recorded") / "project")


@pytest.fixture(scope="module")
def ask_model(recorded: Project) -> Any:  # noqa: ANN401 - as above
    with open_history(Place(recorded.data), ZoneInfo("UTC")) as connection:
        yield asking(connection)


def test_the_page_is_what_make_docs_writes(recorded: Project) -> None:
    assert made_page(recorded) == PAGE.read_text(encoding="utf-8"), (
        "docs/sql.md is out of date; run: make docs"
    )


def test_every_question_has_an_example() -> None:
    assert set(EXAMPLES) == set(questions())


def test_money_is_the_same_whoever_counts_it(ask_model: Ask, recorded: Project) -> None:
    [(cost, calls)] = recorded.rows("SELECT sum(cost), count(*) FROM attempts")
    [by_model] = ask_model("cost_by_model")
    assert (by_model["cost"], by_model["calls"], by_model["failed"]) == (round(cost, 4), calls, 2)
    by_day = ask_model("cost_by_day")
    assert sum(row["calls"] for row in by_day) == calls
    assert sum(row["cost"] for row in by_day) == pytest.approx(cost, abs=1e-3)
    dearest = ask_model("most_expensive", limit="1000")
    assert [row["cost"] for row in dearest] == sorted((row["cost"] for row in dearest), reverse=True)
    assert sum(row["calls"] for row in dearest) == calls


def test_failures_are_told_by_class_by_commit_and_by_day(ask_model: Ask) -> None:
    [by_class] = ask_model("failure_classes")
    assert (by_class["error_class"], by_class["calls"], by_class["solved"]) == ("bad_output", 2, 1)
    [failure] = ask_model("failures")
    assert failure["sha"] == "2baafc2"
    [day] = ask_model("incomplete_days")
    assert (day["lacks"], day["failed"]) == ("1 failed", 1)
    tries = ask_model("attempts", sha="16cec71")
    assert [row["outcome"] for row in tries] == ["failed", "ok"]
    [health] = ask_model("endpoint_health")
    assert (health["state"], health["calls"], health["failed"]) == ("up", 23, 2)


def test_the_share_that_was_read_is_one_where_all_was(ask_model: Ask) -> None:
    cut, whole = ask_model("share_read")
    assert (cut["in_part"], whole["share"]) == (1, 1.0)
    assert cut["share"] < 1


def test_what_breaks_is_what_the_pages_take_for_it(ask_model: Ask, recorded: Project) -> None:
    messages = dict(recorded.rows("SELECT sha[:7], message FROM commits"))
    told = {row["sha"]: row["lines"] for row in ask_model("breaking_changes")}
    for sha, message in messages.items():
        lines = list(dict.fromkeys(line[:240] for line in lines_about(message, "breaking")))
        assert told.get(sha, [])[: len(lines)] == lines


# --- what does not count -------------------------------------------------------------------------------------


def begun(folder: Path) -> History:
    """A history without a day in it."""
    project = Project(folder)
    project.begin()
    return History(Place(project.data), ZoneInfo("UTC"))


def test_views_and_questions_leave_out_what_the_branch_lost_and_what_was_filtered(tmp_path: Path) -> None:
    with begun(tmp_path) as history:
        rows = [
            commit(MONDAY, 0, message="feat: stays (#1)", pull_request=1),
            commit(MONDAY, 1, message="feat: was lost (#2)", pull_request=2, on_branch=False),
        ]
        history.replace(*partition(MONDAY, 0), Replacement("commit_log", {"day": [MONDAY]}, rows))
        columns = {row[0] for row in history._connection.execute("DESCRIBE commit_log").fetchall()}
        if "filtered" in columns:
            left_out = commit(MONDAY, 2, message="feat: was filtered (#3)", pull_request=3, filtered="paths")
            history.replace(Replacement("commit_log", {"sha": [left_out["sha"]]}, [left_out]))
        ask = asking(history._connection)
        assert titles(ask("whats_new", since="oldest")) == ["feat: stays"]
        assert titles(ask("search", words="feat")) == ["feat: stays"]
        assert ask("pull_request", number="2") == ask("pull_request", number="3") == []
        assert [row["commits"] for row in ask("busiest_authors")] == [1]
        seen = history._connection.execute("SELECT title, folded FROM current_commits").fetchall()
        assert seen == [("feat: stays (#1)", None)]


def test_an_empty_history_answers_every_question_with_nothing(tmp_path: Path) -> None:
    with begun(tmp_path) as history:
        ask = asking(history._connection)
        for name, asked in questions().items():
            given = {
                one.name: {"sha": "", "since": "oldest"}.get(one.name, "1")
                for one in asked.parameters
                if one.default is None
            }
            if "sha" in given:
                continue
            assert ask(name, **given) == [], name


def test_a_title_is_the_first_line_that_says_something(tmp_path: Path) -> None:
    messages = ["  \n\n  fix: here  \r\n\nbody", "x", "", " \n", "标题 \n正文"]
    with begun(tmp_path) as history:
        rows = [commit(MONDAY, number, message=message) for number, message in enumerate(messages)]
        history.replace(Replacement("commit_log", {"day": [MONDAY]}, rows))
        for view in ("commits", "current_commits"):
            found = history._connection.execute(f"SELECT title FROM {view} ORDER BY position").fetchall()
            assert [row[0] for row in found] == ["fix: here", "x", "", "", "标题"]
