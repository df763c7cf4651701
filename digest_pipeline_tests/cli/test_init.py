"""`digest init`: a digest.toml to begin with, and never a person's own file overwritten."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.settings import (
    AlarmSettings,
    BudgetSettings,
    EndpointSettings,
    FilterSettings,
    ImportanceSettings,
    LlmSettings,
    PriceSettings,
    ReportSettings,
    RepoSettings,
    Settings,
)
from digest_pipeline_tests.fakes.project import Project, assert_refused

if TYPE_CHECKING:
    from pydantic import BaseModel


def test_it_writes_settings_that_every_command_reads(project: Project) -> None:
    ran = project.digest("init")
    assert (ran.code, ran.out) == (0, f"{project.file}\n")
    assert "digest doctor" in ran.err
    assert [repo.name for repo in project.settings.repos] == ["ai-dynamo/dynamo"]


def test_its_first_day_is_a_week_ago(project: Project) -> None:
    project.digest("init", "--quiet")
    assert project.settings.first_day == date(2026, 1, 1)


def test_quiet_leaves_the_path_alone(project: Project) -> None:
    ran = project.digest("init", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, f"{project.file}\n", "")


def test_a_name_may_be_given_with_folders_that_are_not_there_yet(project: Project) -> None:
    ran = project.digest("init", "--config", "etc/mine.toml")
    assert (ran.code, ran.out) == (0, f"{project.folder / 'etc/mine.toml'}\n")
    assert Settings.load(project.folder / "etc/mine.toml", environ={}).data_dir == project.folder / "etc/data"


@pytest.mark.parametrize("content", ["", "# mine\n", "not TOML ["])
def test_an_existing_file_is_left_as_it_is(project: Project, content: str) -> None:
    project.folder.mkdir()
    project.file.write_text(content, encoding="utf-8")
    assert_refused(project.digest("init"), 2, "digest.toml exists already", "--config", most_lines=1)
    assert project.file.read_text(encoding="utf-8") == content


def test_a_link_that_leads_nowhere_is_a_file_that_exists(project: Project) -> None:
    project.folder.mkdir()
    project.file.symlink_to(project.folder / "elsewhere.toml")
    assert_refused(project.digest("init"), 2, "exists already", most_lines=1)
    assert not (project.folder / "elsewhere.toml").exists()


def test_a_place_that_cannot_be_written_is_said(project: Project) -> None:
    project.folder.mkdir()
    (project.folder / "file").write_text("", encoding="utf-8")
    ran = project.digest("init", "--config", "file/digest.toml")
    assert_refused(ran, 2, "file/digest.toml cannot be written", most_lines=1)


def uncommented(text: str) -> dict[str, Any]:
    """What the file would say with every setting taken out of its comment."""
    whole = [
        line[2:] if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line
        for line in text.splitlines()
    ]
    return tomllib.loads("\n".join(line for line in whole if line != "# "))


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("", Settings),
        ("repos", RepoSettings),
        ("repos.filter", FilterSettings),
        ("importance", ImportanceSettings),
        ("llm", LlmSettings),
        ("llm.prices", PriceSettings),
        ("llm.budget", BudgetSettings),
        ("alarm", AlarmSettings),
        ("report", ReportSettings),
    ],
)
def test_every_setting_stands_in_its_table(project: Project, table: str, model: type[BaseModel]) -> None:
    project.digest("init", "--quiet")
    text = project.file.read_text(encoding="utf-8")
    found: Any = uncommented(text)
    for part in filter(None, table.split(".")):
        found = found[part]
        if part == "repos":
            [found] = found
    if table == "llm.prices":
        found = found["some-model"]
    missing = [name for name in model.model_fields if name not in found and f"[{table}.{name}]" not in text]
    assert missing == [], f"[{table}] lacks them in the file that digest init writes"


def test_further_endpoints_say_that_their_keys_are_those_of_the_first(project: Project) -> None:
    project.digest("init", "--quiet")
    text = project.file.read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if "[[llm.fallback]]" in line]
    assert "keys as in [llm]" in line
    assert set(EndpointSettings.model_fields) <= set(uncommented(text)["llm"])


def test_what_is_commented_out_holds_as_well(project: Project) -> None:
    project.digest("init", "--quiet")
    settings = Settings.model_validate(uncommented(project.file.read_text(encoding="utf-8")))
    assert settings.llm is not None
    assert settings.llm.api_key_env == "LLM_API_KEY"
    assert [endpoint.model for endpoint in settings.llm.fallback] == ["another-model"]
