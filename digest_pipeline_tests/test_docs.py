"""The README and docs/ against the program: nothing is undocumented, and nothing documented is made up."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from digest_pipeline.cli.app import app
from digest_pipeline.errors import ConfigurationError
from digest_pipeline.settings import (
    AlarmSettings,
    BudgetSettings,
    ChannelSettings,
    EndpointSettings,
    FilterSettings,
    ImportanceSettings,
    LlmSettings,
    PriceSettings,
    ReaderSettings,
    ReportSettings,
    RepoSettings,
    Settings,
    SiteSettings,
    StoreSettings,
    profile_names,
)
from digest_pipeline.store.files import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
EVERYTHING = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
EVERYWHERE = {"--help", "-h", "--config", "-c", "--quiet", "-q", "--verbose", "-v"}

MODELS: dict[str, type[BaseModel]] = {
    "": Settings,
    "repos": RepoSettings,
    "repos.filter": FilterSettings,
    "importance": ImportanceSettings,
    "llm": LlmSettings,
    "llm.fallback": EndpointSettings,
    "llm.prices": PriceSettings,
    "llm.budget": BudgetSettings,
    "alarm": AlarmSettings,
    "report": ReportSettings,
    "reader": ReaderSettings,
    "channel": ChannelSettings,
    "site": SiteSettings,
    "store": StoreSettings,
}
LISTS = {"repos", "reader", "channel"}
KEYS = [(table, key) for table, model in MODELS.items() for key in model.model_fields]


def options() -> dict[str, set[str]]:
    """The options of each command, by every name that they have."""
    command = typer.main.get_command(app)
    found = {"": {name for option in command.params for name in option.opts}}
    for name, sub in vars(command)["commands"].items():
        # A command of commands takes what they take.
        below = [sub, *vars(sub).get("commands", {}).values()]
        params = [option for one in below for option in one.params]
        found[name] = {spelled for option in params for spelled in option.opts if spelled.startswith("-")}
    return found


BELOW = [
    f"{name} {below}"
    for name, sub in vars(typer.main.get_command(app))["commands"].items()
    for below in vars(sub).get("commands", {})
]


OPTIONS = options()


def fences(*languages: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of some languages, each with the page that holds it."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            if language in languages:
                yield page.name, block


def typed() -> Iterator[tuple[str, list[str]]]:
    """Every `digest …` that the pages tell a person to type, in fences and in code spans."""
    lines = [
        (page, line)
        for page, block in fences("sh", "bash", "console", "shell", "")
        for line in block.splitlines()
    ]
    lines += [("spans", span) for span in re.findall(r"`(digest [^`\n]+)`", EVERYTHING)]
    for page, line in lines:
        command = line.strip().removeprefix("$ ")
        if command.startswith("digest "):
            # What brackets, bars and dots mean in a synopsis is nothing to type.
            plain = re.sub(r"[\[\]|…]|\.\.\.", " ", command)
            try:
                words = shlex.split(plain, comments=True)
            except ValueError:
                words = plain.split()
            yield f"{page}: {command}", words[1:]


@pytest.mark.parametrize("command", [name for name in OPTIONS if name])
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\bdigest {command}\b", PAGES[0].read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", BELOW)
def test_every_command_of_a_command_is_documented(command: str) -> None:
    assert re.search(rf"\bdigest {command}\b", EVERYTHING)


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, option) for command, found in OPTIONS.items() for option in sorted(found - EVERYWHERE)],
)
def test_every_option_is_documented(command: str, option: str) -> None:
    if option.startswith("--"):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", EVERYTHING), f"digest {command} {option}"


@pytest.mark.parametrize("option", ["--config", "--quiet", "--verbose", "--version"])
def test_the_options_of_all_commands_are_documented(option: str) -> None:
    assert f"{option}" in EVERYTHING


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[f"{table}.{key}".strip(".") for table, key in KEYS])
def test_every_setting_is_documented_under_its_table(table: str, key: str) -> None:
    settings = (TOP / "docs/settings.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n([\s\S]+?)(?=^## |\Z)", settings, re.MULTILINE))
    top = table.partition(".")[0]
    heading = f"`[[{top}]]`" if top in LISTS else f"`[{top}]`" if top else "At the top"
    heading = "`[repos.filter]`" if table == "repos.filter" else heading
    of_its_own = f"`[{key}]`" in sections or f"`[[{key}]]`" in sections
    # In code, as a row of a table, or as a table of the file.
    named = rf"(?:^{key} +=|`{key}`|\[\[?{table}\.{key}[\].])"
    assert re.search(named, sections[heading], re.MULTILINE) or (not table and of_its_own), (
        f"docs/settings.md says nothing of {table}.{key}"
    )


def test_a_mistake_looks_as_the_page_shows_it() -> None:
    settings = (TOP / "docs/settings.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^\$ digest doctor --config bad\.toml\n([\s\S]+?)^```$", settings, re.MULTILINE)
    text = """
        timezone = "Asia/Shangai"
        lang = "zh"
        [[repos]]
        name = "ai-dynamo/dynamo"
        url = "https://github.com/ai-dynamo/dynamo.git"
        [llm]
        base_url = "http://127.0.0.1:8000/v1"
        model = "some-model"
        concurrency = 0
    """

    with pytest.raises(ConfigurationError) as caught:
        Settings.parse(text, file=Path("bad.toml"))

    assert [f"digest: {line}" for line in str(caught.value).splitlines()] == shown.splitlines()


@pytest.mark.parametrize("question", names("queries"))
def test_every_question_is_documented(question: str) -> None:
    assert question in EVERYTHING


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_is_documented(profile: str) -> None:
    assert f"`{profile}`" in EVERYTHING or f'"{profile}"' in EVERYTHING


@pytest.mark.parametrize(
    "variable",
    [
        *("DIGEST_CONFIG", "DIGEST_DATA_DIR", "DAGSTER_HOME"),
        *("DIGEST_INSTANCE_POSTGRES_URL", "DIGEST_CELERY_BROKER_URL"),
    ],
)
def test_every_variable_is_documented(variable: str) -> None:
    assert variable in EVERYTHING


@pytest.mark.parametrize(
    "table",
    [
        *("commits", "commit_files", "analyses", "reports", "digests", "rollups", "reads", "alarms"),
        *("reader_pages", "deliveries"),
    ],
)
def test_every_table_is_documented(table: str) -> None:
    assert f"`{table}" in EVERYTHING


@pytest.mark.parametrize("command", ["make demo", "make test", "make install"])
def test_the_commands_of_make_are_in_the_readme(command: str) -> None:
    assert command in PAGES[0].read_text(encoding="utf-8")


def test_what_a_person_is_told_to_type_is_there() -> None:
    wrong = []
    for where, words in typed():
        name = next((word for word in words if not word.startswith("-")), "")
        if name not in OPTIONS:
            wrong.append(f"{where}: there is no command {name}")
            continue
        given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word)}
        wrong += [
            f"{where}: there is no {option}" for option in given - OPTIONS[name] - OPTIONS[""] - EVERYWHERE
        ]
    assert wrong == []


def test_the_settings_that_are_shown_can_be_read() -> None:
    for page, block in fences("toml"):
        raw = tomllib.loads(block)
        unknown = set(raw) - set(Settings.model_fields)
        if "name" in raw or "title" in raw or "kind" in raw or "tiers" in raw:
            continue  # a profile, not settings
        assert unknown <= {"thresholds", "size", "files", "message"}, f"{page}: {unknown}"
        if {"repos", "first_day"} <= set(raw):
            Settings.parse(block, file=TOP / "digest.toml")


def test_every_link_between_the_pages_leads_somewhere() -> None:
    dead = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                dead.append(f"{page.name}: {target}")
    assert dead == []


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them, and those that are written out."""
    text = file.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))
