"""`digest status`: which days are there, missing or failed, for a person and for a program."""

from __future__ import annotations

import re
import shutil
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest_pipeline.store.history import History, Replacement
from digest_pipeline.store.place import Place
from digest_pipeline_tests.fakes import openai_server
from digest_pipeline_tests.fakes.openai_server import OpenAIServer
from digest_pipeline_tests.fakes.project import DEAD_URL, Project, assert_refused, local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_whole_history_is_healthy(made: Project) -> None:
    state = made.json("status", "--json")
    assert (state["healthy"], state["problems"]) == (True, [])
    assert (state["first_day"], state["last_day"]) == ("2026-01-05", "2026-01-07")
    assert (state["timezone"], state["language"]) == ("Asia/Shanghai", "en")
    assert [(repo["repo"], repo["made"]) for repo in state["repos"]] == [("ada/engine", 3), ("ada/bits", 3)]
    assert made.digest("status", "--check").code == 0


def test_days_of_another_timezone_are_not_told_as_if_they_were_of_this_one(
    made: Project, tmp_path: Path
) -> None:
    shutil.copytree(made.folder, tmp_path / "copy")
    other = Project(tmp_path / "copy")
    file = other.folder / "digest.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("Asia/Shanghai", "UTC"), encoding="utf-8")
    assert_refused(other.digest("status"), 2, 'holds days of "Asia/Shanghai"', "put timezone")


GONE = ["1 day whose page is gone: 2026-01-06; digest run --from 2026-01-06 --to 2026-01-06 writes it again"]


def test_a_page_that_is_gone_and_a_digest_that_is_missing_are_told(made: Project, tmp_path: Path) -> None:
    shutil.copytree(made.folder, tmp_path / "copy")
    made = Project(tmp_path / "copy")
    (made.data / "reports/ada/engine/2026/2026-01-06.md").unlink()
    with History(Place(made.data), ZoneInfo("Asia/Shanghai")) as history:
        history.replace(Replacement("digests", {"day": [date(2026, 1, 7)]}))
    problems = made.json("status", "--json")["problems"]
    assert problems == ["1 day without a digest: 2026-01-07", *GONE]
    assert made.digest("status", "--check").code == 1
    assert made.digest("run", "--from", "2026-01-06", "--to", "2026-01-07", "--quiet").code == 0
    assert made.digest("status", "--check").code == 0


def test_days_made_in_another_language_were_made(made: Project, tmp_path: Path) -> None:
    shutil.copytree(made.folder, tmp_path / "copy")
    made = Project(tmp_path / "copy")
    file = made.folder / "digest.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('language = "en"', 'language = "zh"'), encoding="utf-8")
    assert made.digest("run", "--day", "2026-01-06", "--quiet").code == 0
    state = made.json("status", "--json")
    assert (state["healthy"], state["problems"]) == (True, [])
    assert [
        (repo["made"], [(day["language"], day["ok"], day["not_asked"]) for day in repo["days"]])
        for repo in state["repos"]
    ] == [(3, [("en", 2, 0), ("zh", 2, 0), ("en", 2, 0)]), (3, [("en", 1, 0), ("zh", 1, 0), ("en", 2, 0)])]
    told = made.digest("status", "--check")
    assert told.code == 0
    assert (
        "ada/engine: 2 days made in another language alone, and left so: 2026-01-05, 2026-01-07; "
        'digest run --repo ada/engine over them makes them in "zh"' in told.lines
    )


def test_a_day_in_another_language_that_failed_or_changed_since_is_a_problem(
    made: Project, tmp_path: Path
) -> None:
    shutil.copytree(made.folder, tmp_path / "copy")
    made = Project(tmp_path / "copy")
    file = made.folder / "digest.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('language = "en"', 'language = "zh"'), encoding="utf-8")
    with History(Place(made.data), ZoneInfo("Asia/Shanghai")) as history:
        history._connection.execute(
            "UPDATE reads SET error = 'gone', failed_at = now() WHERE repo = 'ada/engine' AND day = '2026-01-05'"
        )
        history._connection.execute(
            "UPDATE reads SET changed_at = now() WHERE repo = 'ada/engine' AND day = '2026-01-06'"
        )
    state = made.json("status", "--json")
    assert [state["repos"][0][name] for name in ("failed", "unfinished")] == [["2026-01-05"], ["2026-01-06"]]
    assert state["problems"] == [
        "ada/engine: 1 day could not be read: 2026-01-05 (gone)",
        "ada/engine: 1 day whose report is older than its commits: 2026-01-06",
    ]
    assert made.digest("status", "--check").code == 1


def test_every_day_is_told_with_its_counts(made: Project) -> None:
    engine = made.json("status", "--json")["repos"][0]
    assert [(day["day"], day["state"], day["commits"], day["ok"]) for day in engine["days"]] == [
        ("2026-01-05", "made", 2, 2),
        ("2026-01-06", "made", 2, 2),
        ("2026-01-07", "made", 2, 2),
    ]
    assert engine["days"][0]["report"] == "reports/ada/engine/2026/2026-01-05.md"


def test_disk_use_is_told_by_folder(made: Project) -> None:
    used = made.json("status", "--json")["disk_bytes"]
    assert used["store"] > 0
    assert used["reports"] == sum(file.stat().st_size for file in (made.data / "reports").rglob("*.md"))
    assert used["total"] == sum(size for name, size in used.items() if name != "total")


def test_the_table_names_every_repo_in_full(made: Project) -> None:
    ran = made.digest("status")
    assert (ran.code, ran.err) == (0, "")
    for word in ("ada/engine", "ada/bits", "made", "missing", "failed", "deferred"):
        assert word in ran.out


def test_before_the_first_run_every_day_is_missing(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine))
    state = project.json("status", "--json")
    assert state["repos"][0]["missing"] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert state["healthy"] is False
    assert not project.data.exists()


def test_check_fails_where_a_day_is_missing_and_says_which(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine))
    assert project.digest("status").code == 0
    ran = project.digest("status", "--check")
    assert ran.code == 1
    assert "ada/engine: 3 days never made: 2026-01-05 to 2026-01-07" in ran.out


def test_a_failed_day_is_failed_and_not_missing(project: Project, engine: Path) -> None:
    project.configure(
        local("ada/engine", engine), {"name": "ada/gone", "url": DEAD_URL}, first_day=date(2026, 1, 7)
    )
    assert project.digest("run", "--quiet").code == 1
    good, gone = project.json("status", "--json")["repos"]
    assert (good["made"], good["failed"], good["missing"]) == (1, [], [])
    assert (gone["made"], gone["failed"], gone["missing"]) == (0, ["2026-01-07"], [])
    assert "cannot be reached" in gone["days"][0]["error"]
    ran = project.digest("status", "--check")
    assert ran.code == 1
    assert "ada/gone: 1 day could not be read: 2026-01-07" in ran.out


def times_in(value: object) -> Iterator[str]:
    """Every text that is a time."""
    if isinstance(value, dict):
        for item in value.values():
            yield from times_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from times_in(item)
    elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
        yield value


def test_an_outage_is_told_with_its_next_probe_and_is_over_with_another_model(
    project: Project, engine: Path
) -> None:
    with OpenAIServer(lambda _: openai_server.error(401, "Incorrect API key provided")) as server:
        llm = {"base_url": server.url, "model": "first", "probe_minutes": 45}
        project.configure(local("ada/engine", engine), llm=llm, timezone="Asia/Shanghai")
        assert project.digest("run", "--from", "2026-01-05", "--to", "2026-01-07", "--quiet").code == 0
        state = project.json("status", "--json")
        [endpoint] = state["endpoints"]
        assert (endpoint["endpoint"], endpoint["model"], endpoint["up"]) == (server.host, "first", False)
        days = state["repos"][0]["days"]
        assert [day["next_retry"] for day in days] == [endpoint["next_probe_at"]] * 3
        assert [day["deferred_by_class"] for day in days] == [{"outage": 2}] * 3
        assert {alarm["kind"] for alarm in state["alarms"]} == {"endpoint"}
        times = list(times_in(state))
        assert len(times) >= 3 + 2 + 1
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", time) for time in times), times

        server.default = openai_server.well_formed
        project.configure(
            local("ada/engine", engine), llm=llm | {"model": "second"}, timezone="Asia/Shanghai"
        )
        assert project.digest("heal", "--quiet").code == 0
    state = project.json("status", "--json")
    assert (state["healthy"], state["problems"], state["alarms"]) == (True, [], [])
    assert [(one["model"], one["up"]) for one in state["endpoints"]] == [("second", True)]
    assert [day["next_retry"] for day in state["repos"][0]["days"]] == [None] * 3
    assert project.digest("status", "--check").code == 0


def test_a_damaged_history_is_an_error(project: Project, engine: Path) -> None:
    project.configure(local("ada/engine", engine))
    (project.data / "store").mkdir(parents=True)
    (project.data / "store" / "catalog.sqlite").write_text("this is no database", encoding="utf-8")
    assert_refused(project.digest("status", "--json"), 1, "damaged", "backup", most_lines=1)
