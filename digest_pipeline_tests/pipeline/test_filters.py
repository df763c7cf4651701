"""A repository's filter from its settings to its pages: what is left out, folded, counted, and comes back."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.pipeline.contents import repo_pages
from digest_pipeline_tests.fakes.github import FakeGitHub, Pull, Reply
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from pathlib import Path

    from digest_pipeline.domain.page import RepoPage
    from digest_pipeline_tests.fakes.workshop import Workshop

DAYS = days_from(FIRST_DAY, 3)
NAME = "ada/engine"
TOKEN = "a-token-of-nobody"  # noqa: S105 - as it says


@pytest.fixture
def mixed(tmp_path: Path) -> RepositoryBuilder:
    """One day with a bit of everything; titles say what a commit is."""
    builder = RepositoryBuilder(tmp_path / "mixed")

    def commit(title: str, *paths: str, author: str = "Ada Lovelace") -> str:
        for path in paths:
            builder.write(path, f"{title}\n")
        return builder.commit(title, author=author)

    commit("feat: the library (#1)", "lib/a.rs")
    commit("docs: about it (#2)", "lib/README.md", "docs/x.md")
    commit("feat: both (#3)", "lib/b.rs", "lib/README.md")
    commit("chore(deps): bump (#4)", "lib/Cargo.lock", author="dependabot[bot]")
    builder.switch("topic", create=True)
    commit("feat: on a topic", "src/topic.py", author="Grace Hopper")
    builder.switch("main")
    builder.merge("topic", "Merge pull request #5 from ada/topic")
    reformat = commit("style: format everything (#6)", "lib/a.rs", "src/topic.py")
    builder.write(".git-blame-ignore-revs", f"# black\n{reformat}\n")
    commit("chore: name what reformats", "src/z.py")
    return builder


def follow(shop: Workshop, builder: RepositoryBuilder, **wanted: object) -> None:
    """Settings that follow one repository, with a filter."""
    follow_all(shop, builder, {NAME: wanted})


def follow_all(
    shop: Workshop, builder: RepositoryBuilder, wanted: Mapping[str, Mapping[str, object]]
) -> None:
    """Settings that follow one repository under several names, each with a filter of its own."""
    shop.configure()
    text = shop.file.read_text(encoding="utf-8")
    for name, keys in wanted.items():
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        repo = [f"{key} = {json.dumps(value)}" for key, value in local(name, builder.path).items()]
        text += "\n".join(["[[repos]]", *repo, "[repos.filter]", *lines, ""])
    shop.file.write_text(text, encoding="utf-8")


def pages(shop: Workshop) -> dict[date, RepoPage]:
    with shop.pipeline() as pipeline:
        return repo_pages(pipeline._workbench, NAME, DAYS)


def titles(page: RepoPage) -> list[str]:
    """Without the numbers, oldest first."""
    return [commit.title.partition(" (#")[0] for commit in reversed(page.commits)]


def left_out(shop: Workshop, repo: str = NAME) -> dict[str, str]:
    rows = shop.rows(f"SELECT split_part(title, ' (#', 1), filtered FROM commits WHERE repo = '{repo}'")
    return {title: rule for title, rule in rows if rule is not None}


def counts(page: RepoPage) -> dict[str, int]:
    return {one.rule: one.commits for one in page.filtered}


def assert_checks_pass(shop: Workshop, *repos: str) -> None:
    with shop.pipeline() as pipeline:
        for check in (one for one in CHECKS if one.kind is None):
            for repo in repos or [NAME]:
                where: dict[str, Any] = {"first": DAYS[0], "last": DAYS[-1]}
                if check.asset != "daily_digest":
                    where["repo"] = repo
                if check.by_language:
                    where["language"] = shop.settings.language
                rows = pipeline.history.read(f"checks/{check.name}", where)
                assert rows, check.name
                assert all(row["passed"] for row in rows), (check.name, rows)
        status = pipeline.history.read("pipeline/status", {"language": shop.settings.language})
        assert {row["not_asked"] for row in status} == {0}
        span = {"first": DAYS[0], "last": DAYS[-1], "language": shop.settings.language}
        assert not any(row["is_unfinished"] for row in pipeline.history.read("pipeline/asked_days", span))


# --- what is left out ------------------------------------------------------------------------------------

EVERYTHING = [
    "feat: the library",
    "docs: about it",
    "feat: both",
    "chore(deps): bump",
    "feat: on a topic",
    "Merge pull request #5 from ada/topic",
    "style: format everything",
    "chore: name what reformats",
]

RULES: list[tuple[dict[str, object], dict[int, str]]] = [
    ({}, {}),
    ({"paths": ["lib/**", "!**/*.md"]}, {1: "paths", 4: "paths", 5: "paths", 7: "paths"}),
    ({"authors": ["!grace*"]}, {4: "authors"}),
    ({"authors": ["Ada Love*", "dependabot[bot]"]}, {4: "authors"}),
    ({"merges": False}, {5: "merges"}),
    ({"bots": "drop"}, {3: "bots"}),
    (
        {"paths": ["src/**"], "merges": False, "bots": "drop"},
        {0: "paths", 1: "paths", 2: "paths", 3: "bots", 5: "merges"},
    ),
    ({"paths": ["nowhere/**"]}, dict.fromkeys(range(8), "paths")),
]


def test_what_a_rule_leaves_out_is_stored_counted_and_asked_nobody_about(
    workshop: Workshop, mixed: RepositoryBuilder
) -> None:
    repos = [f"ada/engine-{number}" for number in range(len(RULES))]
    follow_all(workshop, mixed, {repo: wanted for repo, (wanted, _) in zip(repos, RULES, strict=True)})
    workshop.make(DAYS[:1])
    assert workshop.failed == {}
    with workshop.pipeline() as pipeline:
        first = [repo_pages(pipeline._workbench, repo, DAYS[:1])[DAYS[0]] for repo in repos]
    for repo, page, (_, gone) in zip(repos, first, RULES, strict=True):
        assert titles(page) == [title for number, title in enumerate(EVERYTHING) if number not in gone]
        assert left_out(workshop, repo) == {EVERYTHING[number]: rule for number, rule in gone.items()}
        expected = {rule: list(gone.values()).count(rule) for rule in ("paths", "authors", "merges", "bots")}
        assert list(counts(page).items()) == [(rule, number) for rule, number in expected.items() if number]
        markdown = workshop.page(repo, DAYS[0])
        assert not [title for number, title in enumerate(EVERYTHING) if number in gone and title in markdown]
        shown = [(len(EVERYTHING) - len(gone),)]
        for table in ("analyses", "current_analyses"):
            assert workshop.rows(f"SELECT count(*) FROM {table} WHERE repo = '{repo}'") == shown
        assert workshop.rows(f"SELECT commit_count FROM reads WHERE repo = '{repo}'") == [(8,)]
    assert_checks_pass(workshop, *repos)


def test_a_file_that_left_a_folder_concerns_it_and_an_empty_commit_concerns_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    builder = RepositoryBuilder(tmp_path / "moves")
    builder.write("lib/a.rs", "".join(f"line {number}\n" for number in range(9)))
    builder.commit("feat: begin")
    builder.move("lib/a.rs", "old/a.rs")
    builder.commit("refactor: move it out")
    builder.commit("chore: nothing at all")
    follow(workshop, builder, paths=["lib/**"])
    workshop.make(DAYS)

    assert titles(pages(workshop)[DAYS[0]]) == ["feat: begin", "refactor: move it out"]
    assert left_out(workshop) == {"chore: nothing at all": "paths"}


def test_a_filter_that_changed_counts_for_days_made_afterwards_and_nothing_that_was_said_is_lost(
    workshop: Workshop, mixed: RepositoryBuilder
) -> None:
    follow(workshop, mixed)
    workshop.make(DAYS[:1])
    before, shown = workshop.content(), files_below(workshop.data / "reports")
    follow(workshop, mixed, paths=["lib/**"], bots="drop")
    with workshop.pipeline() as pipeline:
        pipeline.report(NAME, DAYS[:1])
    assert files_below(workshop.data / "reports") == shown, "a day that is not made again stays as it is"

    workshop.make(DAYS[:1])
    assert len(pages(workshop)[DAYS[0]].commits) == 4
    assert workshop.content()["analyses"] == before["analyses"]
    assert workshop.content()["commit_files"] == before["commit_files"]
    assert_checks_pass(workshop)
    snapshot = workshop.snapshot()
    workshop.make(DAYS[:1])
    assert workshop.written_since(snapshot) <= {"reads", "commit_log", "analyses"}

    follow(workshop, mixed)
    workshop.make(DAYS[:1])
    after = workshop.content()
    for table in ("commit_log", "commit_files", "analyses"):
        assert after[table] == before[table]
    assert len(pages(workshop)[DAYS[0]].commits) == 8
    assert_checks_pass(workshop)


# --- what is told in one line ----------------------------------------------------------------------------


def test_bots_and_reformatting_are_marked_and_stay_on_the_page(
    workshop: Workshop, mixed: RepositoryBuilder
) -> None:
    follow(workshop, mixed)
    workshop.make(DAYS[:1])
    page = pages(workshop)[DAYS[0]]
    marked = {commit.title.partition(" (#")[0]: commit.folded for commit in page.commits if commit.folded}
    assert marked == {"chore(deps): bump": "bot", "style: format everything": "reformat"}
    assert page.count("ok") == 8
    assert page.filtered == ()
    follow(workshop, mixed, bots="show")
    workshop.make(DAYS[:1])
    assert workshop.rows("SELECT folded FROM commits WHERE folded IS NOT NULL") == [("reformat",)]


def test_a_commit_that_is_named_later_is_folded_when_its_day_is_made_again(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    named = engine.git("rev-parse", "HEAD~5").decode().strip()
    workshop.make(DAYS[:1])
    engine.write(".git-blame-ignore-revs", f"{named}\n")
    engine.commit("chore: name it")
    folded = f"SELECT folded FROM commits WHERE sha = '{named}'"
    assert workshop.rows(folded) == [(None,)]
    workshop.make(DAYS[:1])
    assert workshop.rows(folded) == [("reformat",)]


# --- several branches ------------------------------------------------------------------------------------


@pytest.fixture
def branched(tmp_path: Path) -> RepositoryBuilder:
    """main and two releases over three days; what is picked keeps its title."""
    builder = RepositoryBuilder(tmp_path / "branched")

    def at(day: int, hour: int) -> None:
        builder.clock = builder.clock.replace(day=day, hour=hour)

    def commit(title: str, path: str, text: str = "") -> str:
        builder.write(path, text or f"{title}\n")
        return builder.commit(title)

    def pick(sha: str) -> None:
        builder.git("cherry-pick", sha, environment=builder._people())

    at(5, 10)
    commit("begin", "base.txt")
    for branch in ("release/1", "release/2", "wip/x"):
        builder.git("branch", branch)
    fix = commit("fix on main", "fix.txt")
    builder.switch("release/1")
    first = commit("fix on release 1", "one.txt")
    at(6, 10)
    pick(fix)
    builder.switch("release/2")
    pick(first)
    commit("only on release 2", "two.txt")
    builder.switch("wip/x")
    commit("nobody follows this", "wip.txt")
    at(7, 10)
    builder.switch("main")
    commit("main goes on", "base.txt", "more\n")
    return builder


def shown(shop: Workshop) -> list[list[tuple[str, str | None]]]:
    """Each day's titles with their branches, oldest first."""
    rows = shop.rows(
        "SELECT day, title, branch FROM commits WHERE on_branch AND filtered IS NULL ORDER BY ALL"
    )
    return [[row[1:] for row in rows if row[0] == day] for day in DAYS]


RELEASES = ["main", "release/*"]
WITH_RELEASES: list[list[tuple[str, str | None]]] = [
    [("begin", None), ("fix on main", None), ("fix on release 1", "release/1")],
    [("only on release 2", "release/2")],
    [("main goes on", None)],
]


def test_a_day_has_the_commits_of_all_branches_and_a_cherry_pick_once(
    workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched, branches=RELEASES)
    workshop.make(DAYS)
    assert workshop.failed == {}
    assert shown(workshop) == WITH_RELEASES
    duplicates = "SELECT title, branch FROM commits WHERE filtered = 'duplicate' ORDER BY ALL"
    assert workshop.rows(duplicates) == [("fix on main", "release/1"), ("fix on release 1", "release/2")]
    assert counts(pages(workshop)[DAYS[1]]) == {"duplicate": 2}
    assert "only on release 2" in workshop.page(NAME, DAYS[1])
    assert "fix on main" not in workshop.page(NAME, DAYS[1])
    assert_checks_pass(workshop)


def test_days_made_one_by_one_in_any_order_come_to_the_same(
    tmp_path: Path, workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched, branches=RELEASES)
    for day in reversed(DAYS):
        workshop.make([day])
    assert shown(workshop) == WITH_RELEASES
    with workshop.pipeline() as pipeline:
        changed = pipeline.changed_days(NAME, DAYS[2:])
    assert changed == [DAYS[1]], "its page holds what an earlier day turned out to hold"
    workshop.make(changed)
    with workshop.pipeline() as pipeline:
        assert pipeline.changed_days(NAME, DAYS[2:]) == []
    assert "fix on main" not in workshop.page(NAME, DAYS[1])
    assert "> Updated " in workshop.page(NAME, DAYS[1])
    assert_checks_pass(workshop)


def test_what_comes_to_the_tracked_branch_later_is_shown_there_and_the_same_run_takes_it_from_its_old_day(
    workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched, branches=RELEASES)
    workshop.make(DAYS)
    branched.git("cherry-pick", "release/2", environment=branched._people())
    ran = workshop.digest("run", "--day", str(DAYS[2]))
    assert ran.code == 0, ran.said
    assert f"changed later, made again: {DAYS[1]}" in ran.err
    assert [line for line in ran.lines if f"{NAME}/2026/{DAYS[1]}.md" in line]
    assert shown(workshop)[1:] == [[], [("main goes on", None), ("only on release 2", None)]]
    assert "only on release 2" not in workshop.page(NAME, DAYS[1])
    assert counts(pages(workshop)[DAYS[1]]) == {"duplicate": 3}
    assert_checks_pass(workshop)


def test_a_branch_that_goes_takes_its_commits_and_gives_back_what_it_said_first(
    workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched, branches=RELEASES)
    workshop.make(DAYS)
    branched.git("branch", "-D", "release/1")
    for expected in (DAYS[:2], []):
        with workshop.pipeline() as pipeline:
            changed = pipeline.changed_days(NAME, DAYS[2:])
        assert changed == expected
        workshop.make(sorted([*changed, *DAYS[2:]]))
    assert shown(workshop) == [
        WITH_RELEASES[0][:2],
        [("fix on release 1", "release/2"), ("only on release 2", "release/2")],
        WITH_RELEASES[2],
    ]
    assert_checks_pass(workshop)


def test_what_another_run_collected_of_a_day_is_not_undone_by_what_this_one_says_of_it(
    workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched, branches=RELEASES)
    workshop.make([DAYS[1]])

    def meanwhile() -> datetime:
        pipeline._workbench.now = lambda: workshop.now
        branched.git("branch", "-D", "release/1")
        with workshop.pipeline() as other:
            other.collect(NAME, [DAYS[1]])
        return workshop.now

    with workshop.pipeline() as pipeline:
        pipeline.collect(NAME, [DAYS[0]])
        pipeline._workbench.now = meanwhile
        pipeline.diff(NAME, [DAYS[0]])
    stored = (
        "SELECT on_branch, filtered FROM commit_log WHERE day = '2026-01-06' AND message LIKE 'fix on main%'"
    )
    assert workshop.rows(stored) == [(False, "duplicate")]
    assert workshop.rows("SELECT commit_count, went FROM reads WHERE day = '2026-01-06'") == [(2, 1)]


def test_without_other_branches_the_tracked_one_is_all_there_is_and_another_setting_is_a_change(
    workshop: Workshop, branched: RepositoryBuilder
) -> None:
    follow(workshop, branched)
    workshop.make(DAYS)
    assert shown(workshop) == [WITH_RELEASES[0][:2], [], WITH_RELEASES[2]]
    follow(workshop, branched, branches=["release/*", "!release/2"])
    with workshop.pipeline() as pipeline:
        assert pipeline.changed_days(NAME, DAYS[2:]) == DAYS[:2]
    workshop.make(DAYS)
    assert shown(workshop) == [WITH_RELEASES[0], [], WITH_RELEASES[2]]
    assert left_out(workshop) == {"fix on main": "duplicate"}
    follow(workshop, branched)
    workshop.make(DAYS)
    assert shown(workshop) == [WITH_RELEASES[0][:2], [], WITH_RELEASES[2]]
    assert_checks_pass(workshop)


# --- labels ----------------------------------------------------------------------------------------------


@pytest.fixture
def labelled(tmp_path: Path) -> RepositoryBuilder:
    """Three commits: of a pull request, of another, of none."""
    builder = RepositoryBuilder(tmp_path / "labelled")
    for title in ("feat: one (#1)", "feat: two (#2)", "feat: straight to main"):
        builder.write("a.txt", f"{title}\n")
        builder.commit(title)
    return builder


def follow_hub(shop: Workshop, hub: FakeGitHub, *labels: str, **more: object) -> None:
    shop.configure(
        {"name": NAME, "source": "github", "api_url": hub.api_url, "web_url": "https://x.org/a/b", **more}
    )
    text = shop.file.read_text(encoding="utf-8")
    shop.file.write_text(f"{text}[repos.filter]\nlabels = {json.dumps(labels)}\n", encoding="utf-8")


def test_labels_are_read_stored_shown_and_decide(
    workshop: Workshop, labelled: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    with FakeGitHub({NAME: labelled.path}, tokens=[TOKEN], prefix="/api/v3") as hub:
        hub.pulls[1] = Pull("One", ("Feature", 'no"digest{'), "A body.\0")
        follow_hub(workshop, hub, "feature", token_env="HUB_TOKEN")  # noqa: S106 - a name
        workshop.make(DAYS[:1])
        assert workshop.failed == {}
        assert [request.path for request in hub.requests if request.method == "POST"] == ["/api/graphql"]
        page = pages(workshop)[DAYS[0]]
        assert [(commit.title, commit.labels) for commit in page.commits] == [
            ("feat: one (#1)", ("Feature", 'no"digest{'))
        ]
        assert counts(page) == {"labels": 2}
        assert workshop.rows("SELECT number, title, labels, body FROM pull_requests ORDER BY number") == [
            (1, "One", ["Feature", 'no"digest{'], "A body.\ufffd"),
            (2, "", [], ""),  # a number that is no pull request's is known too
        ]
        hub.pulls[2] = Pull("Two", ("feature",))
        hub.on("graphql", Reply(200, {"errors": [{"message": "Something went wrong"}]}), times=1)
        snapshot = workshop.snapshot()
        for expected in (["one"], ["one", "two"]):  # what was known stays known
            workshop.make(DAYS[:1])
            assert titles(pages(workshop)[DAYS[0]]) == [f"feat: {name}" for name in expected]
        assert "pull_requests" in workshop.written_since(snapshot)


@pytest.mark.parametrize("has_token", [False, True])
def test_labels_that_are_not_known_leave_out_nobody_and_that_is_said(
    workshop: Workshop,
    labelled: RepositoryBuilder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    has_token: bool,
) -> None:
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    complaint = Reply(200, {"data": None, "errors": [{"message": f"{TOKEN}\nno\x1b[2J"}]})
    with FakeGitHub({NAME: labelled.path}) as hub, caplog.at_level(logging.WARNING):
        hub.on("graphql", complaint)
        follow_hub(workshop, hub, "feature", **({"token_env": "HUB_TOKEN"} if has_token else {}))
        workshop.make(DAYS[:1])
    assert workshop.failed == {}
    assert len(pages(workshop)[DAYS[0]].commits) == 3
    [line] = [record.getMessage() for record in caplog.records if "labels" in record.getMessage()]
    assert "pass the filter" in line
    assert TOKEN not in line
    assert line.isprintable()
    assert f"{NAME}: 2 commits whose labels are not known passed the filter" in workshop.digest("status").out


def test_git_knows_of_no_labels_and_says_so_where_a_filter_asks_for_them(
    workshop: Workshop, labelled: RepositoryBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    for labels, said in ((["feature"], 1), ([], 0)):
        follow(workshop, labelled, labels=labels)
        caplog.clear()
        with caplog.at_level(logging.WARNING), workshop.pipeline() as pipeline:
            pipeline.collect(NAME, DAYS[:1])
        assert ['source = "github"' in record.getMessage() for record in caplog.records] == [True] * said
    assert workshop.rows("SELECT count(*) FROM commits WHERE filtered IS NULL") == [(3,)]


# --- what is told of it ----------------------------------------------------------------------------------


def test_status_counts_what_is_left_out_and_its_files_are_read_once_it_is_let_in(
    workshop: Workshop, mixed: RepositoryBuilder
) -> None:
    read = "SELECT split_part(title, ' (#', 1) FROM commits WHERE files IS NULL ORDER BY position DESC"
    follow(workshop, mixed, merges=False, bots="drop", paths=["lib/**", "src/**"])
    workshop.make(DAYS[:1])
    assert workshop.rows(read) == [(EVERYTHING[3],), (EVERYTHING[5],)]
    assert "filtered" in workshop.digest("status").out
    [day] = workshop.json("status", "--json")["repos"][0]["days"]
    assert (day["commits"], day["filtered"], day["ok"], day["not_asked"]) == (8, 2, 6, 0)
    [coverage] = workshop.json("sql", "--query", "coverage", "-f", "json")
    assert (coverage["commits"], coverage["filtered"], coverage["analysed"]) == (8, 2, 6)
    follow(workshop, mixed)
    workshop.make(DAYS[:1])
    assert workshop.rows(read) == []
    assert "filtered" not in workshop.digest("status").out
    assert_checks_pass(workshop)
