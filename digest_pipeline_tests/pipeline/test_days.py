"""From a repository to its pages, and what becomes of them when the repository changes, breaks or leaves."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.domain.due import digest_states
from digest_pipeline.errors import SourceRejected, StoreError
from digest_pipeline.sources.git import GitSource
from digest_pipeline_tests.fakes.github import FakeGitHub
from digest_pipeline_tests.fakes.project import FIRST_DAY, days_from, files_below, local, small_repository
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder, nasty_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

DAYS = days_from(FIRST_DAY, 3)
NAME = "ada/engine"


# --- a day, once and again -------------------------------------------------------------------------------


def test_every_commit_of_a_day_stands_in_the_store_and_on_its_page(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS)
    assert workshop.failed == {}
    shas = engine.git("rev-list", "HEAD").decode().split()
    rows = workshop.rows("SELECT sha, day, position, additions, deletions, files, complete FROM commits")
    assert {row[0] for row in rows} == set(shas)
    assert sorted(row[1:3] for row in rows) == [(day, position) for day in DAYS for position in (0, 1)]
    assert {row[3:] for row in rows} == {(2, 0, 1, True)}
    said = workshop.rows("SELECT sha, status, analyst, language, tier FROM analyses")
    assert {row[0] for row in said} == set(shas)
    assert {row[1:4] for row in said} == {("ok", "offline", "en")}
    for number, day in enumerate(DAYS):
        page = workshop.page(NAME, day)
        assert workshop.rows(f"SELECT markdown FROM reports WHERE day = '{day}'") == [(page,)]
        assert workshop.rows(f"SELECT markdown FROM digests WHERE day = '{day}'") == [(workshop.daily(day),)]
        newest = shas[len(shas) - 2 * number - 2]
        assert page.index(newest[:7]) > 0
        assert all(f"part {part}" in page for part in (2 * number + 1, 2 * number + 2))
        assert "2 commits seen, 2 analysed, 0 failed" in page


def test_a_day_made_again_changes_nothing(workshop: Workshop) -> None:
    workshop.make(DAYS)
    pages, content, snapshot = (
        files_below(workshop.data / "reports"),
        workshop.content(),
        workshop.snapshot(),
    )
    times = {file: file.stat().st_mtime_ns for file in (workshop.data / "reports").rglob("*.md")}
    workshop.make(DAYS)
    assert files_below(workshop.data / "reports") == pages
    assert {file: file.stat().st_mtime_ns for file in times} == times
    assert workshop.content() == content
    # When a day was read is news; what it holds is written again with it, patches and pages are not.
    assert workshop.written_since(snapshot) <= {"reads", "commit_log", "analyses"}


def test_a_page_that_somebody_removed_or_changed_is_put_back(workshop: Workshop) -> None:
    workshop.make(DAYS[:1])
    before = files_below(workshop.data / "reports")
    (workshop.data / f"reports/{NAME}/2026/{FIRST_DAY}.md").unlink()
    (workshop.data / f"reports/daily/2026/{FIRST_DAY}.md").write_text("scribbled", encoding="utf-8")
    snapshot = workshop.snapshot()
    with workshop.pipeline() as pipeline:
        pipeline.report(NAME, DAYS[:1])
        pipeline.digest(DAYS[:1])
    assert files_below(workshop.data / "reports") == before
    assert workshop.snapshot() == snapshot


def test_days_made_one_by_one_are_those_made_at_once(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS)
    other = Workshop(tmp_path / "other")
    other.configure(local(NAME, engine.path))
    start = other.now
    # A day that was made before those before it does not know them yet; made again, it does.
    for day in [*reversed(DAYS), *DAYS]:
        other.now = start
        other.make([day])
    assert other.content() == workshop.content()
    assert files_below(other.data / "reports") == files_below(workshop.data / "reports")


def test_a_step_without_the_one_before_fails_its_days_and_says_which_to_make(workshop: Workshop) -> None:
    with workshop.pipeline() as pipeline:
        for step, missing in (
            ("diff", "raw_commits"),
            ("analyse", "commit_diffs"),
            ("report", "commit_analyses"),
        ):
            result = getattr(pipeline, step)(NAME, DAYS)
            assert result.done == {}
            assert set(result.failed) == set(DAYS)
            assert all(
                isinstance(error, StoreError) and f"materialize {missing} first" in str(error)
                for error in result.failed.values()
            )
        collected = pipeline.collect(NAME, DAYS[:1])
        assert set(collected.done) == set(DAYS[:1])
        mixed = pipeline.diff(NAME, DAYS[:2])
        assert (set(mixed.done), set(mixed.failed)) == ({DAYS[0]}, {DAYS[1]})


def test_days_of_which_one_has_no_commits_are_told_apart(workshop: Workshop) -> None:
    empty = DAYS[-1] + timedelta(days=1)
    workshop.make([DAYS[-1], empty])
    page = workshop.page(NAME, empty)
    assert "No commits on this day." in page
    assert "0 commits seen" in page
    assert "2026-01-08 00:00" in page, "the window is said"
    assert len(page.splitlines()) < 12
    assert "Contents" not in page
    assert workshop.rows(f"SELECT commit_count, error FROM reads WHERE day = '{empty}'") == [(0, None)]
    assert "No commits on this day." in workshop.daily(empty)


def test_the_clock_that_changes_makes_days_of_23_and_25_hours(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine")
    moments = [
        datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC),  # Berlin: the 28th's last second
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC),  # 23 hours later
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    ]
    for number, moment in enumerate(moments):
        builder.commit(f"fix: number {number}", committed_at=moment)
    shop = Workshop(tmp_path / "project", now=datetime(2026, 5, 1, tzinfo=UTC))
    shop.configure(local(NAME, builder.path), timezone="Europe/Berlin")
    shop.make(days_from(date(2026, 3, 28), 3))
    rows = shop.rows(
        "SELECT day, title, window_end - window_start FROM commits JOIN reads USING (repo, day) ORDER BY committed_at"
    )
    assert [(row[0].day, row[1], row[2]) for row in rows] == [
        (28, "fix: number 0", timedelta(hours=24)),
        (29, "fix: number 1", timedelta(hours=23)),
        (29, "fix: number 2", timedelta(hours=23)),
        (30, "fix: number 3", timedelta(hours=24)),
    ]


# --- repositories that change ----------------------------------------------------------------------------


def test_a_commit_that_a_force_push_took_away_leaves_the_pages_and_stays_in_the_store(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS)
    gone = engine.head()
    kept = [row for row in workshop.content()["commit_files"] if row[2] != gone]
    engine.git("reset", "--quiet", "--hard", "HEAD~1")
    engine.write("src/other.py", "x = 1\n")
    fresh = engine.commit("feat: another one instead", committed_at=datetime(2026, 1, 7, 20, tzinfo=UTC))
    workshop.make(DAYS)
    for table in ("commits", "commit_sizes", "commit_files", "analyses"):
        shas = {row[0] for row in workshop.rows(f"SELECT sha FROM {table} WHERE day = '2026-01-07'")}
        assert {gone, fresh} <= shas
    rows = workshop.rows("SELECT sha FROM commits WHERE day = '2026-01-07' AND on_branch ORDER BY position")
    assert [row[0] for row in rows] == [fresh, engine.git("rev-parse", "HEAD~1").decode().strip()]
    assert all(row in workshop.content()["commit_files"] for row in kept)
    for page in (workshop.page(NAME, DAYS[2]), workshop.daily(DAYS[2])):
        assert gone[:7] not in page
        assert "another one instead" in page


def test_a_day_that_a_force_push_emptied_has_no_commits_on_the_branch(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS)
    engine.git("reset", "--quiet", "--hard", "HEAD~2")
    workshop.make(DAYS)
    assert workshop.rows("SELECT on_branch FROM commits WHERE day = '2026-01-07'") == [(False,), (False,)]
    assert workshop.rows("SELECT count(*) FROM commits WHERE on_branch") == [(4,)]
    assert workshop.rows("SELECT count(*) FROM current_analyses") == [(4,)]
    assert workshop.rows("SELECT commit_count FROM reads WHERE day = '2026-01-07'") == [(0,)]
    assert "No commits on this day." in workshop.page(NAME, DAYS[2])


# --- repositories that cannot be read --------------------------------------------------------------------


def test_a_repo_that_became_unreadable_keeps_its_rows_and_page_and_is_named(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    other = small_repository(tmp_path / "other", days=1)
    workshop.configure(local(NAME, engine.path), local("ada/other", other.path))
    workshop.make(DAYS[:1])
    before, page = workshop.content(), workshop.page(NAME, FIRST_DAY)
    engine.path.rename(tmp_path / "away")
    workshop.make(DAYS[:1])
    [((step, repo, _), error)] = workshop.failed.items()
    assert (step, repo) == ("collect", NAME)
    assert isinstance(error, SourceRejected)
    after = workshop.content()
    for table in ("commit_log", "commit_sizes", "commit_files", "analyses", "reports"):
        assert after[table] == before[table]
    [(head, count, message)] = workshop.rows(
        "SELECT head_sha, commit_count, error FROM reads WHERE repo = 'ada/engine'"
    )
    assert (len(head), count) == (40, 2)
    assert "does not exist" in message
    assert workshop.page(NAME, FIRST_DAY) == page
    digest = workshop.daily(FIRST_DAY)
    assert "The last attempt to read it failed; what follows is from before" in digest
    assert "does not exist" in digest
    assert "part 1" in digest

    (tmp_path / "away").rename(engine.path)
    workshop.make(DAYS[:1])
    assert workshop.failed == {}
    assert workshop.content() == before


def test_a_repo_that_was_never_read_is_named_and_is_not_an_empty_day(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.configure(local(NAME, engine.path), local("ada/gone", tmp_path / "nowhere"))
    workshop.make(DAYS[:1])
    digest = workshop.daily(FIRST_DAY)
    assert "Could not be read" in digest
    assert "No commits on this day" not in digest
    assert not (workshop.data / "reports/ada/gone").exists()
    assert workshop.rows("SELECT head_sha, commit_count FROM reads WHERE repo = 'ada/gone'") == [(None, None)]
    assert workshop.rows("SELECT missing_repos FROM digests") == [(["ada/gone"],)]


def test_a_repo_that_is_not_made_yet_is_named_as_such(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.configure(local(NAME, engine.path), local("ada/later", engine.path))
    workshop.make(DAYS[:1], NAME)
    assert "has not been made yet" in workshop.daily(FIRST_DAY)
    workshop.make(DAYS[:1], "ada/later")
    assert "has not been made yet" not in workshop.daily(FIRST_DAY)


def test_a_repo_that_left_the_settings_keeps_its_place_in_the_digests_of_its_days(
    tmp_path: Path, workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.configure(local(NAME, engine.path), local("ada/leaving", engine.path))
    workshop.make(DAYS[:1])
    rows = workshop.rows("SELECT count(*) FROM commits WHERE repo = 'ada/leaving'")
    workshop.configure(local(NAME, engine.path))
    workshop.make(DAYS[:2])
    assert "## ada/leaving" in workshop.daily(DAYS[0])
    assert "ada/leaving" not in workshop.daily(DAYS[1])
    assert workshop.rows("SELECT count(*) FROM commits WHERE repo = 'ada/leaving'") == rows
    assert workshop.page("ada/leaving", FIRST_DAY)


def test_an_object_that_is_missing_costs_its_file_the_patch_and_the_page_says_so(
    tmp_path: Path, engine: RepositoryBuilder
) -> None:
    engine.write("src/lost.py", "lost = 1\n")
    engine.write("src/found.py", "found = 1\n")
    sha = engine.commit(
        "feat: two files, of which one is lost", committed_at=datetime(2026, 1, 7, 20, tzinfo=UTC)
    )
    shutil.copytree(engine.path, tmp_path / "damaged")
    blob = engine.git("rev-parse", f"{sha}:src/lost.py").decode().strip()
    (tmp_path / "damaged/.git/objects" / blob[:2] / blob[2:]).unlink()
    shop = Workshop(tmp_path / "project")
    shop.configure(local(NAME, tmp_path / "damaged"))
    shop.make(DAYS)
    assert shop.failed == {}
    assert shop.rows(
        f"SELECT path, patch_state, patch IS NULL FROM commit_files WHERE sha = '{sha}' ORDER BY path"
    ) == [
        ("src/found.py", "text", False),
        ("src/lost.py", "missing", True),
    ]
    assert shop.rows("SELECT count(*) FROM commit_files WHERE patch_state <> 'text'") == [(1,)]
    page = shop.page(NAME, DAYS[2])
    assert "1 file without its patch" in page
    assert "Files without their patch (1): `src/lost.py`" in page
    assert shop.json("sql", "--query", "unread_files", "-f", "json")[0]["path"] == "src/lost.py"

    # The object comes back: the file is read again, and the page no longer complains.
    shutil.copy(
        engine.path / ".git/objects" / blob[:2] / blob[2:], tmp_path / "damaged/.git/objects" / blob[:2]
    )
    shop.make(DAYS)
    assert shop.rows("SELECT count(*) FROM commit_files WHERE patch_state <> 'text'") == [(0,)]
    assert "without their patch" not in shop.page(NAME, DAYS[2])


# --- languages and sources -------------------------------------------------------------------------------


def test_another_language_asks_for_no_digest_of_the_days_before_it(
    workshop: Workshop, engine: RepositoryBuilder
) -> None:
    workshop.make(DAYS[:2])
    workshop.configure(local(NAME, engine.path), language="zh")
    workshop.make(DAYS[1:2], digest=False)

    with workshop.pipeline() as pipeline:
        where = {"first": DAYS[0], "last": DAYS[2], "language": "zh"}
        states = digest_states(pipeline.history.read("pipeline/digest_states", where))

    assert [state.day for state in states] == [DAYS[1]]


def test_both_languages_stand_side_by_side(workshop: Workshop, engine: RepositoryBuilder) -> None:
    workshop.make(DAYS[:1])
    english = files_below(workshop.data / "reports")
    content = workshop.content()
    workshop.configure(local(NAME, engine.path), language="zh")
    workshop.make(DAYS[:1])
    assert "每日更新报告" in workshop.page(NAME, FIRST_DAY)
    for table, expected in (("analyses", 2), ("reports", 1), ("digests", 1)):
        counts = workshop.rows(f"SELECT language, count(*) FROM {table} GROUP BY ALL ORDER BY ALL")
        assert counts == [("en", expected), ("zh", expected)]
    for table in ("analyses", "reports", "digests"):
        english_rows = [row for row in workshop.content()[table] if "en" in row]
        assert english_rows == content[table]
    snapshot = workshop.snapshot()
    workshop.configure(local(NAME, engine.path))
    workshop.make(DAYS[:1])
    assert files_below(workshop.data / "reports") == english
    assert workshop.written_since(snapshot) <= {"reads", "commit_log", "analyses"}


def test_both_sources_give_the_same_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nasty = nasty_repository(tmp_path / "engine")
    days = days_from(date(2026, 1, 2), 6)
    by_git, by_github, blind = (Workshop(tmp_path / name) for name in ("git", "github", "blind"))
    more: dict[str, Any] = {"first_day": days[0]}
    web = "https://example.org/ada/engine"
    by_git.configure(local(NAME, nasty.path, web_url=web, branch="main"), **more)
    by_git.make(days)
    with FakeGitHub({NAME: nasty.path}) as hub:
        table = {"name": NAME, "source": "github", "api_url": hub.api_url, "web_url": web, "branch": "main"}
        by_github.configure(table, **more)
        by_github.make(days)
    # Whose first commit it is, git alone can tell, and its pages alone say who is new. Without that they are the same.
    monkeypatch.setattr(GitSource, "firsts", lambda *_: None)
    blind.configure(local(NAME, nasty.path, web_url=web, branch="main"), **more)
    blind.make(days)
    assert by_git.failed == by_github.failed == blind.failed == {}
    firsts = "SELECT count(first_of_author), count(*) FILTER (first_of_author) FROM commit_log"
    [(told, first)] = by_git.rows(firsts)
    assert told == len(nasty.shas) > first > 0
    assert by_github.rows(firsts) == [(0, 0)]
    new = [[day for day in days if "New here" in shop.page(NAME, day)] for shop in (by_git, by_github)]
    assert new == [[days[4]], []]
    telling, ours, theirs = by_git.content(), blind.content(), by_github.content()
    for content in (telling, ours, theirs):
        content["reads"] = [
            tuple(value for value in row if value not in {"git", "github"}) for row in content["reads"]
        ]
    assert len(ours["commit_log"]) == len(nasty.shas)
    assert ours == theirs
    assert files_below(blind.data / "reports") == files_below(by_github.data / "reports")
    for shop, content in ((by_git, telling), (by_github, theirs)):
        content["commit_log"] = shop.rows("SELECT * EXCLUDE (first_of_author) FROM commit_log ORDER BY ALL")
        for pages in ("reports", "digests"):
            content[pages] = [row for row in content[pages] if days[4] not in row]
    assert telling == theirs


def test_who_is_new_is_the_same_day_by_day_and_in_one_range(tmp_path: Path) -> None:
    engine = RepositoryBuilder(tmp_path / "engine")
    days = days_from(date(2026, 1, 5), 4)
    authors = ("Ada", "Ada", "Ada", "Cy", "Bo", "Cy", "Ada", "Bo")
    for number, author in enumerate(authors):
        engine.clock = datetime.combine(days[number // 2], time(12), UTC)
        engine.write("a", f"{number}\n")
        engine.commit(f"feat: by {author}", author=author)
    flags = "SELECT day, author_name, first_of_author FROM commit_log GROUP BY ALL ORDER BY ALL"
    with FakeGitHub({NAME: engine.path}) as hub:
        by_git: dict[str, object] = local(NAME, engine.path, branch="main")
        by_github: dict[str, object] = {
            "name": NAME,
            "source": "github",
            "api_url": hub.api_url,
            "branch": "main",
        }
        for number, (table, has_flags) in enumerate([(by_git, True), (by_github, False)]):
            at_once, daily = (Workshop(tmp_path / f"{kind}{number}") for kind in ("range", "daily"))
            for shop in (at_once, daily):
                shop.configure(table, first_day=days[0])
            at_once.make(days)
            for day in days:
                daily.make([day])
            daily.make(days[-1:])
            assert at_once.rows(flags) == daily.rows(flags)
            assert any(row[2] for row in daily.rows(flags)) == has_flags
            assert any(row[2] is None for row in daily.rows(flags)) != has_flags


# --- pages as files --------------------------------------------------------------------------------------


def test_pages_can_be_read_by_others_and_leave_no_temporary_files(workshop: Workshop) -> None:
    workshop.make(DAYS)
    files = [file for file in (workshop.data / "reports").rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".md"}
    assert all(not file.name.startswith(".") for file in files)
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in files)


def test_a_page_that_cannot_be_written_is_an_error_that_says_which(workshop: Workshop) -> None:
    workshop.make(DAYS[:1])
    folder = workshop.data / f"reports/{NAME}"
    shutil.rmtree(folder)
    folder.write_text("in the way", encoding="utf-8")
    with (
        workshop.pipeline() as pipeline,
        pytest.raises(StoreError, match=r"2026-01-05\.md cannot be written"),
    ):
        pipeline.report(NAME, DAYS[:1])
