"""`digest run`: which days and repos it makes, what goes to which stream, and what its exit code says."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline_tests.cli.conftest import NOW
from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import (
    DEAD_URL,
    FIRST_DAY,
    Project,
    assert_no_traceback,
    assert_refused,
    files_below,
    local,
    small_repository,
)
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

DAYS = [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)]


def paths(project: Project, repos: list[str], days: list[date]) -> list[str]:
    return [str(project.data / f"reports/{name}/2026/{day}.md") for day in days for name in [*repos, "daily"]]


# --- what is made ----------------------------------------------------------------------------------------


def test_a_range_gives_the_paths_of_its_pages_day_by_day_and_nothing_else(
    tmp_path: Path, engine: Path
) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine), local("ada/again", engine), local("ada/third", engine))
    ran = project.digest("run", "--from", "2026-01-05", "--to", "2026-01-06")
    repos = ["ada/engine", "ada/again", "ada/third"]
    assert (ran.code, ran.lines) == (0, paths(project, repos, DAYS[:2]))
    assert all(Path(line).is_file() for line in ran.lines)
    assert "ada/engine 2026-01-05 to 2026-01-06, 2 days: 4 commits" in ran.err

    before = files_below(project.data / "reports")
    again = project.digest("run", "--from", "2026-01-05", "--to", "2026-01-06", "--quiet")
    assert (again.code, again.out, again.err) == (0, ran.out, "")
    assert files_below(project.data / "reports") == before

    # Repos that do not follow each other in the settings, and a day that stands already.
    some = project.digest("run", "--repo", "ada/third", "--repo", "ada/engine", "--day", "2026-01-07")
    assert (some.code, some.lines) == (0, paths(project, ["ada/engine", "ada/third"], DAYS[2:]))
    assert "not made yet" in project.daily(DAYS[2])
    assert project.rows("SELECT DISTINCT repo FROM commits WHERE day = '2026-01-07' ORDER BY repo") == [
        ("ada/engine",),
        ("ada/third",),
    ]


def test_the_summary_adds_up_with_what_is_told_in_one_line(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine")
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    builder.commit("docs: say it shorter", committed_at=noon)
    builder.commit("Bump lodash from 1 to 2", committed_at=noon, author="dependabot[bot]")
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", builder.path))
    ran = project.digest("run", "--day", "2026-01-05")
    assert ran.code == 0
    assert "ada/engine 2026-01-05: 2 commits (0 high, 0 medium, 1 low, 1 folded), 2 analysed" in ran.err


def test_without_a_day_yesterday_is_made(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine))
    ran = project.digest("run")
    assert (ran.code, ran.lines) == (0, paths(project, ["ada/engine"], [DAYS[2]]))


def test_from_alone_goes_on_to_yesterday(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine))
    ran = project.digest("run", "--from", "2026-01-06", "--config", "digest.toml")
    assert (ran.code, ran.lines) == (0, paths(project, ["ada/engine"], DAYS[1:]))


def test_a_day_is_cut_at_local_midnight(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "engine")
    for moment in (
        "2026-01-05T15:59:59",
        "2026-01-05T16:00:00",
        "2026-01-06T15:59:59",
        "2026-01-06T16:00:00",
    ):
        builder.commit(f"fix: at {moment}", committed_at=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", builder.path), timezone="Asia/Shanghai")
    assert project.digest("run", "--day", "2026-01-06", "--quiet").code == 0
    assert [row[0] for row in project.rows("SELECT title FROM commits ORDER BY position")] == [
        "fix: at 2026-01-06T15:59:59",
        "fix: at 2026-01-05T16:00:00",
    ]


# --- wrong use -------------------------------------------------------------------------------------------

WRONG_USE = {
    "a day in the future": (["--day", "2999-01-01"], ["2999-01-01", "not over yet", "2026-01-07"]),
    "today": (["--day", f"{NOW:%Y-%m-%d}"], ["not over yet", "2026-01-07"]),
    "a range into the future": (["--from", "2026-01-05", "--to", "2999-01-01"], ["not over yet"]),
    "a range from the future": (["--from", "2999-01-01"], ["2999-01-01", "not over yet"]),
    "a day before the first": (["--day", "2026-01-04"], ["first_day = 2026-01-05"]),
    "a range before the first": (["--from", "2026-01-01", "--to", "2026-01-06"], ["first_day"]),
    "a word": (["--day", "soon"], ["--day", "soon", "YYYY-MM-DD"]),
    "a day that no calendar has": (["--day", "2026-02-30"], ["--day", "2026-02-30", "YYYY-MM-DD"]),
    "no day": (["--day", ""], ["--day", "YYYY-MM-DD"]),
    "a wrong end": (["--from", "2026-01-05", "--to", "x"], ["--to", "YYYY-MM-DD"]),
    "a reversed range": (["--from", "2026-01-07", "--to", "2026-01-05"], ["--from", "lies after", "--to"]),
    "an end alone": (["--to", "2026-01-05"], ["--from"]),
    "a day and a range": (["--day", "2026-01-05", "--from", "2026-01-05"], ["exclude"]),
    "an unknown repo": (["--repo", "ada/nobody"], ["ada/nobody", "ada/engine"]),
    "a known and an unknown repo": (["--repo", "ada/engine", "--repo", "x"], ['"x"', "ada/engine"]),
    "another file": (["--config", "elsewhere.toml"], ["elsewhere.toml", "digest init"]),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_said_in_a_line_and_nothing_is_made(tmp_path: Path, engine: Path, case: str) -> None:
    arguments, words = WRONG_USE[case]
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine))
    assert_refused(project.digest("run", *arguments), 2, *words, most_lines=1)
    assert not project.data.exists()


@pytest.mark.parametrize("written", ["2026-1-5", "20260105", "2026-W02-1", "2026-01-05T00:00"])
def test_a_day_is_written_in_one_way(tmp_path: Path, engine: Path, written: str) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine))
    assert_refused(project.digest("run", "--day", written), 2, "YYYY-MM-DD", most_lines=1)


# --- repos that fail -------------------------------------------------------------------------------------


def test_repos_that_fail_leave_the_others_and_the_digest_which_names_them(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    RepositoryBuilder(tmp_path / "empty")
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    project = Project(tmp_path / "project")
    project.begin()
    project.configure(
        {"name": "bad/dead", "url": DEAD_URL},
        local("ada/engine", engine),
        local("bad/empty", tmp_path / "empty"),
        local("bad/branch", engine, branch="nowhere"),
        local("bad/missing", tmp_path / "missing"),
        local("bad/folder", tmp_path / "folder"),
        {"name": "bad/token", "url": DEAD_URL, "token_env": "NO_SUCH_TOKEN"},
        {"name": "bad/hub", "source": "github", "api_url": "http://127.0.0.1:9"},
        local("ada/last", engine),
    )
    ran = project.digest("run", "--from", "2026-01-05", "--to", "2026-01-06")
    assert_no_traceback(ran)
    assert ran.code == 1
    assert ran.lines == paths(project, ["ada/engine", "ada/last"], DAYS[:2])
    reasons = {
        "bad/dead": "cannot be reached",
        "bad/empty": "no commits yet",
        "bad/branch": 'no branch "nowhere"',
        "bad/missing": "does not exist",
        "bad/folder": "no git repository",
        "bad/token": "NO_SUCH_TOKEN",
        "bad/hub": "GitHub cannot be reached",
    }
    for repo, reason in reasons.items():
        [line] = [line for line in ran.errors if repo in line]
        assert reason in line
    assert len(ran.errors) == len(reasons)
    for day in DAYS[:2]:
        digest = project.daily(day)
        assert all(f"## {repo}" in digest for repo in [*reasons, "ada/engine", "ada/last"])
        assert digest.count("Could not be read") == len(reasons)
    assert "No commits on this day" not in project.daily(DAYS[0])
    failed = project.rows("SELECT repo FROM reads WHERE error IS NOT NULL AND head_sha IS NULL ORDER BY ALL")
    assert [row[0] for row in failed] == sorted(2 * [*reasons])


def test_a_repo_that_alone_is_asked_for_and_fails_is_exit_1(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine), {"name": "bad/dead", "url": DEAD_URL})
    ran = project.digest("run", "--day", "2026-01-05", "--repo", "bad/dead", "--quiet")
    assert (ran.code, ran.lines) == (1, paths(project, [], DAYS[:1]))
    assert len(ran.err.splitlines()) == 1


# --- analyses that fail ----------------------------------------------------------------------------------


def test_analyses_that_failed_are_counted_and_only_strict_makes_them_an_error(
    tmp_path: Path, engine: Path
) -> None:
    project = Project(tmp_path)
    project.begin()
    with OpenAIServer(lambda _: openai_server.error(400, "no such thing")) as server:
        project.configure(local("ada/engine", engine), llm={"base_url": server.url, "model": "fake"})
        ran = project.digest("run", "--day", "2026-01-05")
        assert ran.code == 0
        assert ran.errors == []
        assert "without an analysis: 2 failed, 0 deferred" in ran.err
        assert ran.lines == paths(project, ["ada/engine"], DAYS[:1])
        strict = project.digest("run", "--day", "2026-01-05", "--strict")
        assert (strict.code, strict.lines) == (1, ran.lines)
        server.default = openai_server.well_formed
        mended = project.digest("run", "--day", "2026-01-05", "--strict")
    assert (mended.code, mended.lines) == (0, ran.lines)
    assert "without an analysis" not in mended.err
    page = project.page("ada/engine", FIRST_DAY)
    assert "change_type" in page
    assert "Offline" not in page


def test_a_key_that_is_not_set_is_said_with_its_variable(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    project = Project(tmp_path)
    project.begin()
    project.configure(
        local("ada/engine", engine),
        llm={"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "NO_SUCH_KEY"},
    )
    ran = project.digest("run", "--day", "2026-01-05")
    assert_no_traceback(ran)
    assert ran.code in {1, 2}
    assert any("NO_SUCH_KEY is not set" in line for line in ran.errors)
    assert len(ran.errors) == 1


# --- settings that changed -------------------------------------------------------------------------------


def test_a_changed_timezone_is_refused_with_its_two_ways_out(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    before = files_below(project.data / "reports")
    project.configure(local("ada/engine", engine), timezone="Asia/Shanghai")
    refused = project.digest("run", "--day", "2026-01-05")
    assert_refused(refused, 2, 'put timezone = "UTC" back', "data_dir", most_lines=1)
    assert files_below(project.data / "reports") == before
    project.configure(local("ada/engine", engine), timezone="Asia/Shanghai", data_dir="other")
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0


# --- the data folder -------------------------------------------------------------------------------------


def test_a_file_in_the_place_of_the_data_folder_is_said(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine))
    project.data.write_text("", encoding="utf-8")
    ran = project.digest("run", "--day", "2026-01-05")
    assert_refused(ran, 1, str(project.data), "data_dir", most_lines=1)


def test_a_data_folder_below_a_file_is_said(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.configure(local("ada/engine", engine), data_dir="digest.toml/data")
    ran = project.digest("run", "--day", "2026-01-05")
    assert_refused(ran, 1, "digest.toml/data cannot be written", "data_dir", most_lines=1)


@pytest.mark.parametrize("damage", [b"this is no database", b""], ids=["garbage", "empty"])
def test_a_damaged_catalog_is_said_and_moving_it_away_helps(
    tmp_path: Path, engine: Path, damage: bytes
) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    store = project.data / "store"
    for file in store.glob("catalog.sqlite*"):
        file.unlink()
    (store / "catalog.sqlite").write_bytes(damage)
    for command in (["run", "--day", "2026-01-05"], ["status"], ["sql", "SELECT 1"]):
        assert_refused(project.digest(*command), 1, str(store), "damaged", "move it away", most_lines=1)
    assert (store / "catalog.sqlite").read_bytes() == damage
    store.rename(tmp_path / "away")
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    assert project.rows("SELECT count(*) FROM commits") == [(2,)]


def test_a_damaged_history_of_dagster_is_said_and_moving_it_away_helps(tmp_path: Path, engine: Path) -> None:
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    storage = project.data / "dagster" / "storage"
    databases = [file for file in storage.rglob("*.db*") if file.is_file()]
    assert databases
    for file in databases:
        file.write_bytes(b"this is no database, and long enough to be taken for one" * 100)
    refused = project.digest("run", "--day", "2026-01-05")
    assert_refused(refused, 1, str(storage), "move", most_lines=1)
    storage.rename(tmp_path / "away")
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0


def test_a_day_that_grew_is_read_again(tmp_path: Path) -> None:
    builder = small_repository(tmp_path / "engine", days=1)
    project = Project(tmp_path)
    project.begin()
    project.configure(local("ada/engine", builder.path))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    builder.commit("feat: late, but dated to the day (#9)")
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    assert "late, but dated to the day" in project.page("ada/engine", FIRST_DAY)
    assert "late, but dated to the day" in project.daily(FIRST_DAY)


def test_days_that_changed_later_are_made_again_with_their_digests_and_their_paths_are_printed(
    tmp_path: Path, engine: Path
) -> None:
    builder = small_repository(tmp_path / "moving")
    project = Project(tmp_path / "project")
    project.begin()
    project.configure(local("ada/engine", engine), local("ada/moving", builder.path))
    made = ["run", "--from", "2026-01-05", "--to", "2026-01-06", "--quiet"]
    assert project.digest(*made).code == 0
    untouched = project.page("ada/engine", DAYS[0]), project.daily(DAYS[1])
    builder.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    ran = project.digest("run")
    expected = paths(project, ["ada/engine", "ada/moving"], DAYS[2:]) + paths(
        project, ["ada/moving"], DAYS[:1]
    )
    assert (ran.code, ran.lines) == (0, expected)
    assert "ada/moving 2026-01-07: 2 commits" in ran.err
    assert "ada/moving: changed later, made again: 2026-01-05" in ran.err
    for page in (project.page("ada/moving", DAYS[0]), project.daily(DAYS[0])):
        assert "come late" in page
        assert re.search(r"(?m)^> Updated \d{4}-\d\d-\d\d \d\d:\d\d: 1 commit came, 0 went$", page)
    assert (project.page("ada/engine", DAYS[0]), project.daily(DAYS[1])) == untouched
    before = files_below(project.data / "reports")
    again = project.digest("run")
    assert (again.code, again.lines) == (0, expected[:3])
    assert files_below(project.data / "reports") == before


def test_without_days_to_go_back_nothing_but_what_was_asked_for_is_made(tmp_path: Path) -> None:
    builder = small_repository(tmp_path / "moving")
    project = Project(tmp_path / "project")
    project.begin()
    project.configure(local("ada/moving", builder.path), recheck_days=0)
    assert project.digest("run", "--from", "2026-01-05", "--to", "2026-01-06", "--quiet").code == 0
    builder.commit("feat: come late (#9)", committed_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    ran = project.digest("run")
    assert (ran.code, ran.lines) == (0, paths(project, ["ada/moving"], DAYS[2:]))
    assert "come late" not in project.page("ada/moving", DAYS[0])
