"""`digest.toml`: what may stand in it, what comes of it, and what is said of a mistake."""

from __future__ import annotations

import re
from datetime import date, time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.compose import open_place
from digest_pipeline.domain.importance import (
    Kind,
    KindRule,
    MessageRule,
    Profile,
    Step,
    Thresholds,
    TitleRule,
)
from digest_pipeline.errors import ConfigurationError
from digest_pipeline.settings import (
    AlarmSettings,
    BudgetSettings,
    EndpointSettings,
    LlmSettings,
    PriceSettings,
    ReportSettings,
    RepoSettings,
    Settings,
    derive_web_url,
    find_file,
)
from digest_pipeline.site import places
from digest_pipeline.store.place import Bucket, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

FILE = Path("/somewhere/digest.toml")
REPO = '[[repos]]\nname = "owner/name"\nurl = "https://github.com/owner/name.git"\n'
MINIMAL = f"first_day = 2026-01-06\n{REPO}"
LLM = '[llm]\nbase_url = "http://127.0.0.1:8000/v1"\nmodel = "some-model"\n'
FALLBACK = '[[llm.fallback]]\nbase_url = "http://127.0.0.1:8001/v1"\nmodel = "another-model"\n'
SECRET = "s3cr3t-Hunter2-swordfish"  # noqa: S105 - a bait

FULL = """
timezone  = "Asia/Shanghai"
language  = "zh"
first_day = 2026-01-06
data_dir  = "data"
daily_at  = "03:30"
digest_deadline_hours = 4.5
recheck_days = 30
backfill_days = 60

[[repos]]
name    = "ai-dynamo/dynamo"
url     = "https://github.com/ai-dynamo/dynamo.git"
branch  = "main"
source  = "git"
web_url = "https://mirror.example/dynamo/"

[[repos]]
name      = "team/engine"
url       = "https://git.example/team/engine.git"
source    = "github"
api_url   = "https://git.example/api/v3/"
token_env = "ENGINE_TOKEN"
[repos.importance]
profile = "tagged"

[importance]
profile = "argus"
[importance.thresholds]
high = 12
[importance.title.points]
docs = 4

[llm]
base_url    = "http://127.0.0.1:8000/v1"
model       = "some-model"
api_key_env = "LLM_API_KEY"
concurrency = 8
context_tokens  = 131072
max_output_tokens = 4096
timeout_seconds = 120
attempts = 2

[report]
show_reasons = false
"""


def parse(text: str, file: Path = FILE) -> Settings:
    return Settings.parse(text, file=file)


def refusal(text: str) -> str:
    """The message with which these settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    message = str(caught.value)
    assert all(line.startswith(f"{FILE}: ") for line in message.splitlines())
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return message


def told(text: str) -> str:
    """The message where these settings are refused, else the URL of their repo."""
    try:
        return str(parse(text).repos[0].url)
    except ConfigurationError as error:
        return str(error)


def with_repo(line: str, *, url: str = "https://github.com/owner/name.git") -> str:
    return f'first_day = 2026-01-06\n[[repos]]\nname = "owner/name"\nurl = "{url}"\n{line}\n'


def with_name(name: str) -> str:
    return MINIMAL.replace("owner/name", name, 1)


def with_url(url: str) -> str:
    return MINIMAL.replace("https://github.com/owner/name.git", url)


# --- what may stand there ------------------------------------------------------------------------------------


def test_every_key_is_read() -> None:
    settings = parse(FULL)

    assert settings.timezone == ZoneInfo("Asia/Shanghai")
    assert settings.language == "zh"
    assert settings.first_day == date(2026, 1, 6)
    assert settings.data_dir == Path("/somewhere/data")
    assert settings.daily_at == time(3, 30)
    assert settings.digest_deadline_hours == 4.5
    assert settings.recheck_days == 30
    assert settings.backfill_days == 60
    assert settings.report.show_reasons is False
    first, second = settings.repos
    assert (first.name, first.branch, first.source) == ("ai-dynamo/dynamo", "main", "git")
    assert first.web_url == "https://mirror.example/dynamo"
    assert (second.source, second.api_url, second.token_env) == (
        "github",
        "https://git.example/api/v3",
        "ENGINE_TOKEN",
    )
    llm = settings.llm
    assert llm is not None
    assert (llm.base_url, llm.model, llm.api_key_env) == (
        "http://127.0.0.1:8000/v1",
        "some-model",
        "LLM_API_KEY",
    )
    assert (
        llm.concurrency,
        llm.context_tokens,
        llm.max_output_tokens,
        llm.timeout_seconds,
        llm.attempts,
    ) == (*(8, 131072, 4096, 120, 2),)


def test_what_is_left_out_has_a_default() -> None:
    settings = parse(MINIMAL)

    assert settings.timezone == ZoneInfo("UTC")
    assert settings.language == "en"
    assert settings.data_dir == Path("/somewhere/data")
    assert settings.daily_at == time(2, 0)
    assert settings.digest_deadline_hours == 6
    assert settings.recheck_days == 14
    assert settings.backfill_days == 366
    assert settings.llm is None
    assert settings.report.show_reasons is True
    [repo] = settings.repos
    assert (repo.branch, repo.source, repo.token_env, repo.web_url) == (None, "git", None, None)
    assert repo.api_url == "https://api.github.com"
    assert settings.profile("owner/name").thresholds.high == 10


def test_the_file_that_init_writes_is_valid_as_it_stands_and_with_every_comment_taken_away() -> None:
    template = (resources.files("digest_pipeline") / "digest.toml").read_text(encoding="utf-8")
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+ *= |\[)", "", template)

    assert parse(template).llm is None
    settings = parse(uncommented)
    assert settings.llm is not None
    assert settings.repos[0].token_env == "GITHUB_TOKEN"  # noqa: S105 - a variable's name
    assert settings.profile("ai-dynamo/dynamo").thresholds.high == 10


@pytest.mark.parametrize(
    "name", ["a/b", "A1/b-c.d_e", "_a/_b", "a+b/c@d", "owner/.github", "组织/仓库", "daily-news/x", "x/daily"]
)
def test_names_of_repositories_as_they_are_found(name: str) -> None:
    assert parse(with_name(name)).repos[0].name == name


@pytest.mark.parametrize("branch", ["main", "release/1.2", "feature/#1-x", "v1.0-rc", "a@b", "修复"])
def test_names_of_branches_as_they_are_found(branch: str) -> None:
    assert parse(with_repo(f'branch = "{branch}"')).repos[0].branch == branch


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/owner/name.git",
        "http://127.0.0.1:8080/x.git",
        "ssh://git@github.com:22/owner/name.git",
        "git@github.com:owner/name.git",
        "git://host/x",
        "file:///srv/x.git",
        "https://host/@scope/x.git",
        "/srv/repositories/x.git",
    ],
)
def test_any_git_url_and_local_path_is_taken(url: str) -> None:
    assert parse(with_url(url)).repos[0].url == url


def test_a_repo_from_github_needs_no_url() -> None:
    text = 'first_day = 2026-01-06\n[[repos]]\nname = "owner/name"\nsource = "github"\n'

    assert parse(text).repos[0].url is None


def test_a_filter_belongs_to_its_repository_and_lets_all_pass_where_it_is_left_out() -> None:
    globs = 'paths = ["lib/**"]\nauthors = ["!x*"]\nlabels = ["a"]\nbranches = ["release/*"]\n'
    keys = f'{globs}bots = "drop"\nmerges = false\n'
    other = '[[repos]]\nname = "owner/other"\nurl = "https://github.com/owner/other"\n'
    first, second = parse(f"{MINIMAL}[repos.filter]\n{keys}{other}").repos

    assert first.filter.paths == ("lib/**",)
    rules = first.filter.rules()
    assert (rules.bots, rules.merges) == ("drop", False)
    assert rules.paths.admits("lib/a")
    assert not rules.authors.admits("Xavier")
    branches = first.filter.other_branches()
    assert branches is not None
    assert branches.admits("release/1")
    assert second.filter.other_branches() is None
    assert (second.filter.rules().bots, second.filter.rules().merges) == ("fold", True)
    assert not second.filter.rules().paths


# --- where things are counted from -----------------------------------------------------------------------------


def test_relative_paths_count_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    (folder / "engine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    file = folder / "digest.toml"
    file.write_text(with_url("engine/../engine").replace("first_day", 'data_dir = "x/y"\nfirst_day'))

    for name in (file, Path("here/digest.toml")):
        settings = Settings.load(name)
        assert settings.data_dir == folder / "x/y"
        assert settings.repos[0].url == str(folder / "engine")


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = parse(with_url("~/engine").replace("first_day", 'data_dir = "~/history"\nfirst_day'))

    assert settings.data_dir == tmp_path / "history"
    assert settings.repos[0].url == str(tmp_path / "engine")


def test_a_folder_with_a_colon_in_its_name_is_a_folder_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "host:path").mkdir()

    here = parse(with_url("host:path"), file=tmp_path / "digest.toml")
    elsewhere = parse(with_url("host:path"))

    assert here.repos[0].url == str(tmp_path / "host:path")
    assert elsewhere.repos[0].url == "host:path"


def test_a_remote_helper_is_no_address_but_a_folder_that_is_not_there() -> None:
    assert parse(with_url("ext::sh -c x")).repos[0].url == "/somewhere/ext::sh -c x"


def test_a_profile_of_ones_own_is_read_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text("[thresholds]\nhigh = 3\nmedium = 2\n")
    text = MINIMAL + '[importance]\nprofile = "ours.toml"\n'

    settings = parse(text, file=tmp_path / "digest.toml")

    assert settings.profile("owner/name").thresholds.high == 3


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(MINIMAL)
    environ = {"DIGEST_CONFIG": str(other)}

    assert Settings.load(environ=environ).data_dir == tmp_path / "data"
    assert find_file(environ={}) == Path("digest.toml")
    assert find_file(environ=environ) == other
    assert find_file("named.toml", environ=environ) == Path("named.toml")
    assert find_file(environ={"DIGEST_CONFIG": ""}) == Path("digest.toml")


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(tmp_path / "digest.toml")

    assert str(tmp_path / "digest.toml") in str(caught.value)
    assert "`digest init`" in str(caught.value)
    assert "DIGEST_CONFIG" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.mkdir(),
        lambda file: file.write_bytes(b"first_day = \xff"),
        lambda file: file.write_text("first_day = "),
        lambda file: file.write_text("a = 1\na = 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    file = tmp_path / "digest.toml"
    damage(file)

    with pytest.raises(ConfigurationError) as caught:
        Settings.load(file)

    assert str(caught.value).startswith(str(file))


# --- refusals: file, key, what stands there, what is allowed -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            MINIMAL + '[repos.filter]\npaths = "lib/**"\n',
            ['repos[0].filter.paths = "lib/**"', "a list in brackets"],
        ),
        (MINIMAL + '[repos.filter]\nlabels = ["a", "b["]\n', ["repos[0].filter.labels", '"b["', r"write \["]),
        (MINIMAL + '[repos.filter]\nbranches = ["!"]\n', ["repos[0].filter.branches", "says nothing"]),
        (MINIMAL + "[repos.filter]\nauthors = [1]\n", ["repos[0].filter.authors[0] = 1", "string"]),
        (MINIMAL + '[repos.filter]\nbots = "hide"\n', ["filter.bots", '"hide"', "'fold', 'show' or 'drop'"]),
        (MINIMAL + "[repos.filter]\nmerges = 3\n", ["repos[0].filter.merges = 3", "boolean"]),
        (MINIMAL + '[repos.filter]\nmerges = "no"\n', ['repos[0].filter.merges = "no"', "boolean"]),
        (MINIMAL.replace("first_day", 'recheck_days = "5"\nfirst_day'), ['recheck_days = "5"', "integer"]),
        (
            MINIMAL.replace("first_day", "backfill_days = true\nfirst_day"),
            ["backfill_days = true", "integer"],
        ),
        (
            MINIMAL.replace("first_day", "digest_deadline_hours = true\nfirst_day"),
            ["digest_deadline_hours = true", "number"],
        ),
        (MINIMAL + "[repos.filter]\npath = []\n", ["repos[0].filter.path", '"paths"']),
        (
            MINIMAL.replace("first_day", 'timezone = "Mars/Base"\nfirst_day'),
            ['timezone = "Mars/Base"', '"UTC"'],
        ),
        (MINIMAL.replace("first_day", "timezone = 8\nfirst_day"), ["timezone = 8", '"Asia/Shanghai"']),
        (MINIMAL.replace("first_day", 'timezone = ""\nfirst_day'), ['timezone = ""', "time zone"]),
        (MINIMAL.replace("first_day", 'timezone = "Asia"\nfirst_day'), ['timezone = "Asia"', "time zone"]),
        (
            MINIMAL.replace("first_day", 'timezone = "../UTC"\nfirst_day'),
            ['timezone = "../UTC"', "time zone"],
        ),
        (MINIMAL.replace("first_day", 'language = "fr"\nfirst_day'), ['language = "fr"', "'zh' or 'en'"]),
        (REPO, ["first_day: is missing", "first_day = 2026-01-06"]),
        (MINIMAL.replace("2026-01-06", '"soon"'), ['first_day = "soon"', "date"]),
        (MINIMAL.replace("2026-01-06", "20260106"), ["first_day = 20260106", "2026-01-06"]),
        (MINIMAL.replace("[[repos]]", "[repos]"), ["repos", "[[repos]], with two brackets"]),
        (
            MINIMAL.replace("first_day", 'timezone = "asia/shanghai"\nfirst_day'),
            ['timezone = "asia/shanghai"', 'did you mean "Asia/Shanghai"?'],
        ),
        (MINIMAL.replace("first_day", 'data_dir = ""\nfirst_day'), ['data_dir = ""', "a folder of its own"]),
        (
            MINIMAL + "[importance.thresholds]\nhigh = 2\nmedium = 5\n",
            ["importance.thresholds", "high = 2", "medium = 5"],
        ),
        (MINIMAL.replace("first_day", "data_dir = 3\nfirst_day"), ["data_dir = 3", "path"]),
        (
            MINIMAL.replace("first_day", 'data_dir = "~nobody-here/x"\nfirst_day'),
            ['data_dir = "~nobody-here/x"', "write the path in full"],
        ),
        (MINIMAL.replace("first_day", 'daily_at = "25:00"\nfirst_day'), ['daily_at = "25:00"']),
        (
            MINIMAL.replace("first_day", "digest_deadline_hours = 0\nfirst_day"),
            ["digest_deadline_hours = 0", "greater than 0"],
        ),
        (
            MINIMAL.replace("first_day", "recheck_days = -1\nfirst_day"),
            ["recheck_days = -1", "or equal to 0"],
        ),
        (MINIMAL.replace("first_day", "recheck_days = 367\nfirst_day"), ["recheck_days = 367", "366"]),
        (MINIMAL.replace("first_day", "backfill_days = 0\nfirst_day"), ["backfill_days = 0", "equal to 1"]),
        ("first_day = 2026-01-06\n", ["repos: is missing"]),
        ("first_day = 2026-01-06\nrepos = []\n", ["repos: is empty", "at least one"]),
        ('first_day = 2026-01-06\n[[repos]]\nurl = "x"\n', ["repos[0].name: is missing"]),
        (MINIMAL + REPO.replace("owner", "Owner"), ['repos: "Owner/name" stands twice', "name of its own"]),
        (MINIMAL + REPO, ['repos: "owner/name" stands twice']),
        ('first_day = 2026-01-06\n[[repos]]\nname = "a/b"\n', ["repos[0]: url is missing"]),
        (with_repo('source = "svn"'), ['repos[0].source = "svn"', "'git' or 'github'"]),
        (with_url(""), ['repos[0].url = ""', "git URL or a local path"]),
        (with_url("--upload-pack=x"), ['repos[0].url = "--upload-pack=x"', "local path"]),
        (with_url("ftp://host/x"), ['repos[0].url = "ftp://host/x"', "unknown scheme", "https, http, ssh"]),
        (with_url("https://host:port/x"), ['repos[0].url = "https://host:port/x"', "port"]),
        (with_url("https://[::1/x"), ["repos[0].url", "no address"]),
        (with_repo('web_url = "github.com/x"'), ['repos[0].web_url = "github.com/x"', '"https://"']),
        (with_repo('web_url = "https://x/a)b"'), ['repos[0].web_url = "https://x/a)b"', '"https://"']),
        (with_repo('api_url = "https://x:99999/"'), ['repos[0].api_url = "https://x:99999/"', "port"]),
        (MINIMAL + '[llm]\nmodel = "m"\n', ["llm.base_url: is missing"]),
        (MINIMAL + '[llm]\nbase_url = "http://x"\n', ["llm.model: is missing"]),
        (MINIMAL + LLM.replace("some-model", ""), ['llm.model = ""', "at least 1 character"]),
        (MINIMAL + LLM + "concurrency = 0\n", ["llm.concurrency = 0", "greater than or equal to 1"]),
        (MINIMAL + LLM + "context_tokens = 5\n", ["llm.context_tokens = 5", "2048"]),
        (MINIMAL + LLM + "timeout_seconds = -1\n", ["llm.timeout_seconds = -1", "greater than 0"]),
        (MINIMAL + LLM + "attempts = 99\n", ["llm.attempts = 99", "10"]),
        (MINIMAL + LLM + "probe_minutes = 0\n", ["llm.probe_minutes = 0", "greater than 0"]),
        (MINIMAL + LLM + "probe_minutes = 0\n" + FALLBACK, ["llm.probe_minutes = 0", "greater than 0"]),
        (
            MINIMAL + LLM + FALLBACK + "probe_minutes = 1441\n",
            ["llm.fallback[0].probe_minutes = 1441", "1440"],
        ),
        (MINIMAL + '[report]\nshow_reasons = "maybe"\n', ['report.show_reasons = "maybe"', "boolean"]),
    ],
)
def test_a_mistake_names_file_key_what_stands_there_and_what_is_allowed(text: str, words: list[str]) -> None:
    message = refusal(text)

    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "name",
    [
        *("a", "a/", "/b", "a/b/c", "a//b", "", "/", "../b", "a/..", "a/b..c", "..", "a/.", "a/..b", ".a/b"),
        *(
            "a|x/b",
            "a,x/b",
            "a[x/b",
            "a]x/b",
            "a/b|c",
            "a/b,c",
            "a/b[c",
            "a/b]c",
            "a b/c",
            "a/b c",
            "a/b\\\\c",
        ),
        *(
            "-a/b",
            "a/-b",
            "+a/b",
            "a/@b",
            "a/b.lock",
            "a/b#c",
            "a/b?c",
            "a/b~c",
            "a/b:c",
            "a/b*",
            "a/b`c",
            "a/<b>",
        ),
        *("daily/x", "Daily/x", "weekly/x", "monthly/x", "readers/x"),
    ],
)
def test_a_name_that_cannot_be_a_key_and_a_folder_is_refused(name: str) -> None:
    message = refusal(with_name(name))

    assert "repos[0].name = " in message
    assert '"owner/name"' in message or "cannot be an owner" in message


def test_no_owner_takes_what_lies_at_the_top_of_the_site() -> None:
    day = date(2026, 2, 21)
    names = {places.START, places.STYLE, places.SCRIPT, places.ICON, places.SEARCH}
    names |= {places.day_page(day), places.week_page(day), places.feed_file("a/b", "en")}
    for name in names:
        owner = name.partition("/")[0].title()
        assert f"site/{owner}/ is a folder of its own" in refusal(with_name(f"{owner}/x"))


@pytest.mark.parametrize(
    "branch",
    [
        *("", "-x", "a..b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\\\b", "a\\u0007b"),
        *("/a", "a/", "a//b", "a.lock", "a.lock/b", ".a", "a/.b", "a.", "@", "a@{1}"),
    ],
)
def test_what_git_would_not_take_for_a_branch_is_refused(branch: str) -> None:
    message = refusal(with_repo(f'branch = "{branch}"'))

    assert "repos[0].branch" in message
    assert "leave it out" in message


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        (MINIMAL.replace("first_day", "time_zone = 1\nfirst_day"), "time_zone", "timezone"),
        (with_repo("brunch = 1"), "repos[0].brunch", "branch"),
        (MINIMAL + LLM + "modell = 1\n", "llm.modell", "model"),
        (MINIMAL + "[report]\nshow_reason = 1\n", "report.show_reason", "show_reasons"),
        (MINIMAL + '[importance]\nprofil = "x"\n', "importance.profil", "profile"),
        (MINIMAL + "[importance.thresholds]\nhihg = 1\n", "importance.thresholds.hihg", "high"),
        (MINIMAL + "[importance.title]\npatern = 1\n", "importance.title.patern", "pattern"),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(text: str, key: str, meant: str) -> None:
    message = refusal(text)

    assert f"{key}: is no setting; " in message
    assert f'did you mean "{meant}"? allowed: ' in message


def test_an_unknown_key_that_is_like_none_is_refused_with_all_that_are_allowed() -> None:
    message = refusal(with_repo("qqq = 1"))

    assert (
        "repos[0].qqq: is no setting; allowed: api_url, branch, filter, importance, name, source, " in message
    )


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("[[repos]]", RepoSettings),
        ("[llm]", LlmSettings),
        ("[[llm.fallback]]", EndpointSettings),
        ('[llm.prices."some-model"]', PriceSettings),
        ('[llm.prices."report"]', PriceSettings),
        ("[llm.budget]", BudgetSettings),
        ("[alarm]", AlarmSettings),
        ("[report]", ReportSettings),
        ("[importance]", Profile),
        ("[repos.importance]", Profile),
        ("[importance.thresholds]", Thresholds),
        ("[importance.title]", TitleRule),
        ("[[importance.message]]", MessageRule),
        ("[[importance.size]]", Step),
        ("[[importance.files]]", Step),
        ("[importance.kind]", KindRule),
        ("[[importance.kind.kinds]]", Kind),
    ],
)
def test_an_unknown_key_names_all_that_are_allowed_in_its_table(table: str, model: type[BaseModel]) -> None:
    message = refusal(f"{MINIMAL}{table}\nzzzz = 1\n")

    [line] = [line for line in message.splitlines() if "zzzz" in line]
    allowed = sorted({*model.model_fields, *(["profile"] if model is Profile else [])})
    assert f"zzzz: is no setting; allowed: {', '.join(allowed)}" in line


def test_an_unknown_key_at_the_top_names_all_that_are_allowed() -> None:
    message = refusal(f"zzzz = 1\n{MINIMAL}")

    assert f"zzzz: is no setting; allowed: {', '.join(sorted(Settings.model_fields))}" in message


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("", "", (30, 30)), ("probe_minutes = 5\n", "", (5, 5)), ("", "probe_minutes = 90\n", (30, 90))],
)
def test_each_endpoint_is_probed_at_its_own_pace_else_at_that_of_the_first(
    first: str, second: str, expected: tuple[int, int]
) -> None:
    llm = parse(MINIMAL + LLM + first + FALLBACK + second).llm

    assert llm is not None
    assert (llm.probe_minutes, llm.fallback[0].probe_minutes) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            MINIMAL + '[importance]\nprofile = "argos"\n',
            ['importance.profile: "argos" is no profile', '"argus", "tagged"'],
        ),
        (MINIMAL + '[importance]\nprofile = "../argus"\n', ["is no profile"]),
        (
            MINIMAL + '[importance]\nprofile = "none.toml"\n',
            ['importance.profile: "none.toml" cannot be read'],
        ),
        (MINIMAL + '[importance]\nprofile = "~nobody-here/x.toml"\n', ["cannot be read"]),
        (
            MINIMAL + '[importance.thresholds]\nhigh = "many"\n',
            ['importance.thresholds.high = "many": ', "integer", 'profile "argus"', 'repo "owner/name"'],
        ),
        (
            MINIMAL + '[importance.title]\npattern = "("\n',
            ['importance.title.pattern = "("', "regular expression"],
        ),
        (MINIMAL + "[repos.importance.thresholds]\nlow = 1\n", ["importance.thresholds.low: is no setting"]),
        (
            MINIMAL + '[importance.kind]\nfallback = "magic"\n',
            ["importance.kind", 'fallback "magic"', "core"],
        ),
        (MINIMAL + "[importance]\nsize = 3\n", ["importance.size = 3"]),
    ],
)
def test_a_wrong_profile_or_override_is_refused(text: str, words: list[str]) -> None:
    message = refusal(text)

    for word in words:
        assert word in message


def test_every_mistake_gets_a_line() -> None:
    message = refusal('language = "fr"\n[[repos]]\nname = "x"\nurl = ""\n')

    assert [line.split(": ")[1].split(" = ")[0] for line in message.splitlines()] == [
        *("language", "first_day", "repos[0].name", "repos[0].url"),
    ]


# --- readers and channels ----------------------------------------------------------------------------------------

TEAM = '[[channel]]\nname = "team"\nkind = "apprise"\nurl_env = "TEAM_URL"\n'
NEWS = '[[channel]]\nname = "news"\nkind = "github_file"\nrepo = "acme/news"\ntoken_env = "NEWS_TOKEN"\n'
READER = '[[reader]]\nname = "infra"\n'


def test_readers_and_channels_have_defaults() -> None:
    settings = parse(MINIMAL + READER + 'channels = ["team"]\n' + TEAM + NEWS)
    [reader] = settings.readers()
    assert (reader.language, reader.min_tier, reader.edition, reader.when_empty) == (
        "en",
        "low",
        "full",
        "nothing",
    )
    news = settings.channel_called("news")
    assert (news.path, news.api_url, news.branch) == ("reports", "https://api.github.com", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (READER + 'channels = ["tam"]\n' + TEAM, ['reader[0].channels: "tam" is no channel', '"team"']),
        (
            READER + 'repos = ["other/*"]\n',
            ['reader[0].repos: "other/*" is no repository here', "owner/name"],
        ),
        (READER + READER.replace("infra", "INFRA"), ['reader: "INFRA" stands twice']),
        (TEAM + TEAM.replace("team", "Team"), ['channel: "Team" stands twice']),
        (READER.replace("infra", "../x"), ['reader[0].name = "../x"', "letters, digits and . _ -"]),
        (READER.replace("infra", ".x"), ['reader[0].name = ".x"']),
        (READER + 'paths = [""]\n', ["reader[0].paths[0]", "is empty"]),
        (READER + 'keywords = "kv"\n', ["reader[0].keywords", 'list in brackets, such as ["…"]']),
        (READER + 'min_tier = "urgent"\n', ['reader[0].min_tier = "urgent"', "'high', 'medium' or 'low'"]),
        (READER + 'edition = "long"\n', ["reader[0].edition", "'brief' or 'full'"]),
        (READER + 'when_empty = "mail"\n', ["reader[0].when_empty", "'nothing' or 'line'"]),
        (READER + 'language = "fr"\n', ["reader[0].language"]),
        (READER + 'pathes = ["x"]\n', ['reader[0].pathes: is no setting; did you mean "paths"?']),
        ('[reader]\nname = "x"\n', ["reader: must be a list of tables; write [[reader]]"]),
        (TEAM.replace("url_env", "#"), ["channel[0]: url_env is missing", 'kind = "apprise" needs it']),
        (NEWS.replace("repo", "#"), ["channel[0]: repo is missing", 'kind = "github_file" needs it']),
        (NEWS.replace("token_env", "#"), ["channel[0]: token_env is missing", "the NAME of the variable"]),
        (TEAM + 'path = "x"\n', ['channel[0]: path belongs to kind = "github_file", and not to "apprise"']),
        (NEWS.replace("_file", "_issue") + 'branch = "x"\n', ['branch belongs to kind = "github_file"']),
        (NEWS + 'url_env = "X"\n', ['url_env belongs to kind = "apprise", and not to "github_file"']),
        (NEWS + 'path = "../x"\n', ['channel[0].path = "../x"', "a folder in the repository"]),
        (NEWS + 'api_url = "ftp://x"\n', ["channel[0].api_url"]),
        (TEAM.replace('"apprise"', '"mail"'), ['channel[0].kind = "mail"', "'github_issue' or 'apprise'"]),
        (
            TEAM.replace("TEAM_URL", f"slack://{SECRET}"),
            ["channel[0].url_env = …", "NAME of an environment variable"],
        ),
        (NEWS.replace("acme/news", f"https://{SECRET}@x/y"), ["channel[0].repo", '"owner/name"']),
    ],
)
def test_a_wrong_reader_or_channel_is_refused(text: str, words: list[str]) -> None:
    message = refusal(MINIMAL + text)
    for word in words:
        assert word in message
    assert SECRET not in message


# --- overrides by repo -------------------------------------------------------------------------------------------


def test_a_repo_takes_the_overrides_of_the_file_unless_it_has_another_profile() -> None:
    settings = parse(FULL)

    assert settings.profile("ai-dynamo/dynamo").thresholds.high == 12
    title = settings.profile("ai-dynamo/dynamo").title
    assert title is not None
    assert (title.points["docs"], title.points["feat"]) == (4, 8)
    assert settings.profile("team/engine").thresholds.high == 10
    assert settings.profile("team/engine").message != ()


def test_a_repo_may_override_what_the_file_overrides() -> None:
    text = (
        MINIMAL + "[repos.importance.thresholds]\nhigh = 20\n[importance.thresholds]\nhigh = 12\nmedium = 7\n"
    )

    thresholds = parse(text).profile("owner/name").thresholds

    assert (thresholds.high, thresholds.medium) == (20, 7)


def test_asking_for_a_repo_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r'"x/y".*ai-dynamo/dynamo, team/engine'):
        parse(FULL).repo("x/y")


# --- secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (f"https://user:{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://:{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://user:a/{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://user:a#{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://user:a?{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://user:[{SECRET}@host/x.git", "https://***@host/x.git"),
        (f"https://user:{SECRET}@a@host/x.git", "https://***@host/x.git"),
        (f"ssh://git:{SECRET}@host/x.git", "ssh://***@host/x.git"),
        (f"HTTPS://user:{SECRET}@host/x.git?{SECRET}", "HTTPS://***@host/x.git?***"),
        (f"ftp://user:{SECRET}@host/x.git", "ftp://***@host/x.git"),
    ],
)
def test_a_password_in_a_url_is_refused_with_the_way_out_and_never_repeated(url: str, seen: str) -> None:
    message = refusal(with_url(url))

    assert f'repos[0].url = "{seen}"' in message
    assert SECRET not in message
    assert "swordfish" not in message
    assert 'token_env = "…"' in message or "no address" in message


@pytest.mark.parametrize("key", ["base_url", "api_url", "web_url"])
def test_a_password_in_any_other_address_is_refused_and_never_repeated(key: str) -> None:
    for address in (f"https://user:{SECRET}@host/v1", f"https://user:a/{SECRET}@host/v1"):
        line = f'{key} = "{address}"'
        table = f'[llm]\nmodel = "m"\n{line}\n'
        message = refusal(MINIMAL + table if key == "base_url" else with_repo(line))

        assert f'{key} = "https://***@host/v1"' in message
        assert "swordfish" not in message


@pytest.mark.parametrize("ending", [f"?api_key={SECRET}", f"#{SECRET}", f"/?k={SECRET}#x", "?", "#"])
@pytest.mark.parametrize(
    ("key", "way_out"),
    [
        ("base_url", 'api_key_env = "…"'),
        ("fallback", 'api_key_env = "…"'),
        ("api_url", 'token_env = "…"'),
        ("web_url", "links are made without it"),
    ],
)
def test_a_query_or_fragment_in_any_other_address_is_refused_and_never_repeated(
    key: str, way_out: str, ending: str
) -> None:
    address = f"http://h/v1{ending}"
    fallback = f'{LLM}[[llm.fallback]]\nmodel = "m"\nbase_url = "{address}"\n'
    text = {
        "base_url": f'{MINIMAL}[llm]\nmodel = "m"\nbase_url = "{address}"\n',
        "fallback": MINIMAL + fallback,
    }.get(key) or with_repo(f'{key} = "{address}"')

    message = refusal(text)

    assert len(message.splitlines()) == 1
    assert "holds a query or a fragment, where keys travel; take it out" in message
    assert way_out in message
    assert '"http://h/v1' in message
    assert "swordfish" not in message
    assert "api_key=" not in message


@pytest.mark.parametrize(
    "secret",
    [
        f"sk-proj-{SECRET}",
        "nvapi-AbCdEf0123456789AbCdEf0123456789",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789",
        "hf_abcdefghijklmnopqrstuvwxyz0123456789",
        "two words",
        "",
    ],
)
def test_a_key_in_the_place_of_a_variables_name_is_refused_and_never_repeated(secret: str) -> None:
    for text in (f'{MINIMAL}{LLM}api_key_env = "{secret}"\n', with_repo(f'token_env = "{secret}"')):
        message = refusal(text)

        assert "the NAME of an environment variable" in message
        assert " = …: " in message
        assert not secret or secret not in message


@pytest.mark.parametrize(
    "name", ["LLM_API_KEY", "token", "_x", "MY_COMPANY_OPENAI_API_KEY_NUMBER_2", "github_token_of_the_bot"]
)
def test_names_of_variables_as_they_are_found(name: str) -> None:
    assert parse(with_repo(f'token_env = "{name}"')).repos[0].token_env == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'), max_size=12))
def test_no_user_info_is_ever_repeated(text: str) -> None:
    for url in (
        f"https://{text}swordfish@host/x",
        f"https://u:swordfish{text}@host/x",
        f"ftp://{text}:swordfish@h/x",
    ):
        said = told(with_url(url))

        # Only where the part with the @ is a path, and nobody could take it for a password.
        assert "swordfish" not in said or re.fullmatch(r"https://[^@]*[/?#].*", said)


def test_neither_repr_nor_str_of_settings_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", SECRET)
    monkeypatch.setenv("ENGINE_TOKEN", SECRET)
    settings = parse(FULL)

    for thing in (settings, *settings.repos, settings.llm):
        assert SECRET not in repr(thing)
        assert SECRET not in str(thing)
    assert "LLM_API_KEY" in repr(settings)
    assert SECRET not in settings.model_dump_json(exclude={"timezone"})


# --- where links lead ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "web"),
    [
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://github.com/owner/name/", "https://github.com/owner/name"),
        ("http://github.com/owner/name.git", "https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("github.com:owner/name", "https://github.com/owner/name"),
        ("ssh://git@github.com/owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@github.com:22/owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@ssh.github.com:443/owner/name.git", "https://github.com/owner/name"),
        ("git://github.com/owner/name.git", "https://github.com/owner/name"),
        ("https://gitlab.com/group/sub/name.git", "https://gitlab.com/group/sub/name"),
        ("git@gitlab.com:group/sub/name.git", "https://gitlab.com/group/sub/name"),
        ("ssh://git@altssh.gitlab.com:443/group/name.git", "https://gitlab.com/group/name"),
        ("https://gitlab.example.org:8443/group/name.git", "https://gitlab.example.org:8443/group/name"),
        ("git@github.example.org:owner/name.git", "https://github.example.org/owner/name"),
        ("https://git.example.org/owner/name.git", None),
        ("https://notgithub.com/owner/name.git", None),
        ("https://bitbucket.org/owner/name.git", None),
        ("https://github.com/owner", None),
        ("https://github.com/", None),
        ("https://github.com/a/b)c", None),
        ("file:///srv/github.com/owner/name.git", None),
        ("/srv/github.com/owner/name", None),
        ("../github.com/owner/name", None),
        (None, None),
    ],
)
def test_the_page_of_a_repository_is_known_for_github_and_gitlab_alone(
    url: str | None, web: str | None
) -> None:
    assert derive_web_url(url) == web


@pytest.mark.parametrize(
    ("url", "web_url", "link"),
    [
        ("https://github.com/a/b.git", None, "https://github.com/a/b/commit/abc"),
        ("git@gitlab.com:a/c/b.git", None, "https://gitlab.com/a/c/b/-/commit/abc"),
        ("/srv/b", "https://gitlab.example.org/a/b/", "https://gitlab.example.org/a/b/-/commit/abc"),
        ("/srv/b", "https://code.example.org/a/b", "https://code.example.org/a/b/commit/abc"),
        ("https://github.com/a/b.git", "https://mirror.example/b", "https://mirror.example/b/commit/abc"),
        ("/srv/b", None, None),
    ],
)
def test_a_commits_link_is_made_from_the_page_of_its_repository(
    url: str, web_url: str | None, link: str | None
) -> None:
    assert RepoSettings(name="a/b", url=url, web_url=web_url).commit_url("abc") == link


# --- the shared store --------------------------------------------------------------------------------------

STORE = '[store]\ncatalog_url_env = "STORE_URL"\ndata_url = "s3://acme-digest/history/"\n'
ADDRESS = f"postgresql://ada:{SECRET}@db.example.org:6432/digest?sslmode=require"


def test_a_shared_store_is_where_the_settings_and_the_environment_say(tmp_path: Path) -> None:
    file = tmp_path / "digest.toml"
    keys = (
        'endpoint = "http://127.0.0.1:9000"\nregion = "eu-1"\nkey_env = "S3_KEY"\nsecret_env = "S3_SECRET"\n'
    )
    environ = {"STORE_URL": ADDRESS, "S3_KEY": "AKIA1", "S3_SECRET": SECRET}
    place = open_place(Settings.parse(MINIMAL + STORE + keys, file=file), environ)
    assert (str(place), place.data_dir) == ("postgresql://db.example.org:6432/digest", tmp_path / "data")
    assert place.shared is not None
    assert place.shared.data_url == "s3://acme-digest/history"
    assert place.shared.catalog["sslmode"] == "require"
    assert place.shared.bucket == Bucket(
        "http://127.0.0.1:9000", "eu-1", "AKIA1", SECRET, "S3_KEY", "S3_SECRET"
    )
    assert SECRET not in repr(place)
    folder = STORE.replace("s3://acme-digest/history/", "../everywhere")
    place = open_place(Settings.parse(MINIMAL + folder, file=file), environ)
    assert place.shared is not None
    assert (place.shared.data_url, place.shared.bucket) == (str(tmp_path.parent / "everywhere"), None)
    assert open_place(Settings.parse(MINIMAL, file=file), {}) == Place(tmp_path / "data")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "STORE_URL is not set"),
        (ADDRESS.replace("postgresql", "mysql"), 'begins with "postgresql://"'),
        (f"{SECRET}@db.example.org", 'begins with "postgresql://"'),
        (f"postgresql://ada:{SECRET}/@/x:y@db:5432/digest", "in a password write @ as %40"),
        (f"postgresql://db.example.org/?password={SECRET}", "names no database"),
    ],
)
def test_an_address_that_is_none_is_told_by_its_variable_and_not_repeated(url: str, words: str) -> None:
    settings = Settings.parse(MINIMAL + STORE, file=Path("digest.toml"))
    with pytest.raises(ConfigurationError, match=r"^store\.catalog_url_env") as raised:
        open_place(settings, {"STORE_URL": url})
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ('catalog_url_env = "STORE_URL"', "data_url is missing: a folder that all machines see, or s3://"),
        ('data_url = "s3://acme-digest"', "catalog_url_env is missing: the NAME of the variable"),
        (f'catalog_url_env = "{ADDRESS}"\ndata_url = "x"', "must be the NAME of an environment variable"),
        (f'catalog_url_env = "A"\ndata_url = "s3://AK:{SECRET}@b/x"', "with key_env and secret_env"),
        (f'catalog_url_env = "A"\ndata_url = "s3://bucket/x?secret={SECRET}"', "no prefix may have"),
        ('catalog_url_env = "A"\ndata_url = "gs://bucket/x"', '"s3://bucket/prefix"'),
        ('catalog_url_env = "A"\ndata_url = "s3:bucket"', '"s3://bucket/prefix"'),
        ('catalog_url_env = "A"\ndata_url = "s3://bucket/../x"', "no prefix may have"),
        ('catalog_url_env = "A"\ndata_url = ""', "is empty"),
        ('catalog_url_env = "A"\ndata_url = "/mnt/x"\nkey_env = "K"\nsecret_env = "S"', "key_env belongs to"),
        ('endpoint = "https://s3.example.org"', 'endpoint belongs to data_url = "s3://…"'),
        ('catalog_url_env = "A"\ndata_url = "s3://bucket"\nkey_env = "K"', "secret_env is missing"),
        ('catalog_url_env = "A"\ndata_url = "s3://bucket"\nendpoint = "s3.example.org"', "https://"),
        (
            f'catalog_url_env = "A"\ndata_url = "s3://bucket"\nendpoint = "https://k:{SECRET}@h"',
            "with key_env and secret_env",
        ),
        ('catalog_url_env = "A"\ndata_url = "s3://bucket"\nendpoint = "https://h/x"', "has a path"),
        ('catalog_url = "A"', 'did you mean "catalog_url_env"?'),
    ],
)
def test_a_store_that_is_half_or_holds_a_secret_is_refused_and_not_repeated(store: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^digest\.toml: store") as raised:
        Settings.parse(f"{MINIMAL}[store]\n{store}\n", file=Path("digest.toml"))
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)
