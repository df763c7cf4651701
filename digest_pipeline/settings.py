"""`digest.toml`, read and checked. Secrets never pass through here: settings hold the names of variables."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import unicodedata
from datetime import date, time
from functools import cache, partial
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytz
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    Strict,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from digest_pipeline.domain.analysis import Language  # noqa: TC001 - pydantic reads it
from digest_pipeline.domain.delivery import ChannelKind  # noqa: TC001 - pydantic reads it
from digest_pipeline.domain.filtering import Bots, Filter
from digest_pipeline.domain.globs import Globs
from digest_pipeline.domain.globs import Kind as GlobKind
from digest_pipeline.domain.importance import (
    Kind,
    KindRule,
    MessageRule,
    Profile,
    Step,
    Thresholds,
    Tier,
    TitleRule,
    merge_overrides,
)
from digest_pipeline.domain.reader import Edition, Reader, WhenEmpty
from digest_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "DIGEST_CONFIG"
DATA_DIR_VARIABLE = "DIGEST_DATA_DIR"
DEFAULT_FILE = "digest.toml"

_RESERVED_OWNERS = {
    **dict.fromkeys(("daily", "weekly", "monthly", "readers"), "reports"),
    # What lies at the top of the site beside the repos: a test holds these to site/places.py.
    **dict.fromkeys(("days", "weeks", "feeds", "pagefind"), "site"),
    **dict.fromkeys(("index.html", "style.css", "app.js", "favicon.svg"), "site"),
}
_OWNER = re.compile(r"\w[\w.+@-]*")
_NAME = re.compile(r"\.?\w[\w.+@-]*")  # owner/.github is a repository like any other
_FOLDER = re.compile(r"\w(?:[\w.-]{0,62}[\w-])?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LIKE_A_SECRET = re.compile(r"(?=.*[a-z])(?=.*\d).{20,}")  # GitHub's tokens are made of a name's characters
_BRANCH = re.compile(r"(?![-/])[^\s~^:?*\[\\\x00-\x1f\x7f]+(?<![/.])")
_NO_BRANCH = re.compile(r"\.\.|//|/\.|^\.|\.lock(/|$)|@\{|^@$")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SCP_URL = re.compile(r"(?:[\w.+-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//|\\|:).+)")
_HIDDEN_KEY = re.compile(r"(?i)key|token|secret|password|_env$")
_USER_INFO = re.compile(r"(?s)^([a-z][a-z0-9+.-]*://)?.*@", re.IGNORECASE)
_QUERY = re.compile(r"(?s)([?#]).*")


# --- what a value may be ---------------------------------------------------------------------------------


_SCP_PASSWORD = re.compile(r"[^/@:]+:[^/@]+@")
_NAME_IT = 'take it out, put the secret into an environment variable and name that one with {key} = "…"'
_NAME_KEYS = "take it out, put keys into environment variables and name those with key_env and secret_env"
_TAKE_IT_OUT = "holds a password; " + _NAME_IT.format(key="token_env")


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    # DuckDB hands times out through pytz: a zone that only one of the two knows (localtime, posix/UTC) won't do.
    try:
        if str(value) in pytz.all_timezones_set:
            return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    close = {name.casefold(): name for name in pytz.all_timezones}.get(str(value).casefold())
    meant = f'did you mean "{close}"?' if close else 'use a name such as "UTC" or "Asia/Shanghai"'
    raise ValueError(f"is not a time zone; {meant}")


def _calendar_day(value: object) -> object:
    # A bare number would be read as seconds since 1970.
    if isinstance(value, (int, float)):
        raise ValueError("is not a day; write it as 2026-01-06")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _data_folder(value: Path) -> Path:
    if value == Path():
        raise ValueError('must be a folder of its own, such as "data"; what is below it may be deleted')
    return _expand(value)


def _tables(value: object, *, name: str = "repos") -> object:
    if isinstance(value, dict):
        raise ValueError(f"must be a list of tables; write [[{name}]], with two brackets, above each")  # noqa: TRY004
    return value


def _variable_name(value: str) -> str:
    if not _VARIABLE.fullmatch(value) or _LIKE_A_SECRET.fullmatch(value):
        raise ValueError(
            "must be the NAME of an environment variable (letters, digits, _), not a secret itself; "
            "put the secret into the environment and its variable's name here"
        )
    return value


def _repo_name(value: str) -> str:
    owner, slash, name = value.partition("/")
    parts_ok = _OWNER.fullmatch(owner) and _NAME.fullmatch(name)
    if not slash or not parts_ok or ".." in value or value.endswith(".lock"):
        raise ValueError(
            'must be "owner/name": one slash, letters, digits and . _ + @ - on both sides, '
            "no .. and none of | , [ ]"
        )
    if taken := _RESERVED_OWNERS.get(owner.casefold()):
        raise ValueError(f'"{owner}" cannot be an owner: {taken}/{owner}/ is a folder of its own')
    return value


def _folder_name(value: str) -> str:
    if not _FOLDER.fullmatch(value):
        raise ValueError(
            "must be a name of letters, digits and . _ - (at most 64, no . at either end); it is a folder's"
        )
    return value


def _something(value: str) -> str:
    if not value.strip().lstrip("!"):
        raise ValueError("is empty; leave it out")
    return value


def _glob(value: str) -> str:
    Globs([_something(value)])  # what is no pattern is told
    return value


def _folder_path(value: str) -> str:
    parts = value.strip("/").split("/")
    if not all(parts) or {".", ".."} & set(parts) or re.search(r"[\x00-\x1f\\]", value):
        raise ValueError('must be a folder in the repository, such as "reports"; no . or .. and no backslash')
    return "/".join(parts)


def _branch_name(value: str) -> str:
    if not _BRANCH.fullmatch(value) or _NO_BRANCH.search(value):
        raise ValueError("is not the name of a git branch; leave it out for the remote's default")
    return value


def _globs(value: tuple[str, ...], *, of: GlobKind) -> tuple[str, ...]:
    Globs(value, of=of)
    return value


def _git_url(value: str) -> str:
    if not value.strip() or value.startswith("-"):
        raise ValueError("must be a git URL or a local path")
    if "://" not in value:
        if _SCP_PASSWORD.match(value):
            raise ValueError(_TAKE_IT_OUT)
        _expand(value)
        return value
    parts = _split(value)
    if parts.scheme in {"http", "https"} and (parts.query or parts.fragment):
        raise ValueError("holds a query, where tokens travel; " + _TAKE_IT_OUT)
    # A / in a password ends the part where one is looked for, so that the @ stands behind it.
    if parts.password is not None or (parts.username is None and "@" in value and not _has_port(parts)):
        raise ValueError(_TAKE_IT_OUT)
    if parts.scheme in {"http", "https"} and parts.username is not None:
        raise ValueError(
            "holds a user name or token; take it out and name the variable that holds the token "
            'with token_env = "…"'
        )
    if parts.scheme not in {"http", "https", "ssh", "git", "file"}:
        raise ValueError("has an unknown scheme; use https, http, ssh, git or file, or a local path")
    if not _has_port(parts):
        raise ValueError("has a port that is no number from 0 to 65535")
    return value


def _http_url(value: str, *, way_out: str) -> str:
    parts = _split(value)
    if parts.username is not None or parts.password is not None or ("@" in value and not _has_port(parts)):
        raise ValueError(f"holds a user name or password; {way_out}")
    if "?" in value or "#" in value:
        raise ValueError(f"holds a query or a fragment, where keys travel; {way_out}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s<>\"'()\\]", value):
        raise ValueError('must be an address that begins with "https://" or "http://"')
    if not _has_port(parts):
        raise ValueError("has a port that is no number from 0 to 65535")
    return value.rstrip("/")


def _data_url(value: str) -> str:
    if "://" not in value and not value.startswith("s3:"):
        if not value.strip():
            raise ValueError(
                "is empty; leave it out, or name a folder that all machines see, or s3://bucket/prefix"
            )
        return str(_expand(value))
    parts = _split(value)
    if "@" in value:
        raise ValueError(f"holds a user name or password; {_NAME_KEYS}")
    if not _BUCKET.fullmatch(parts.netloc) or parts.scheme != "s3":
        raise ValueError('must be a folder that all machines see, or "s3://bucket/prefix"')
    if re.search(r"[\s*?#\[\]\\]|//|/\.\.?(/|$)", value.partition("://")[2]):
        raise ValueError(
            "has a character in its prefix that no prefix may have (* ? # [ ] \\, spaces, // or ..)"
        )
    return value.rstrip("/")


def _endpoint_url(value: str) -> str:
    url = _http_url(value, way_out=_NAME_KEYS)
    if urlsplit(url).path:
        raise ValueError("has a path; an endpoint is a host, and perhaps a port")
    return url


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # its message repeats the host, which may be half a password
        raise ValueError("is no address") from None


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or left out."""
    try:
        _ = parts.port
    except ValueError:
        return False
    return True


def _expand(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and the name of nobody here; write the path in full") from None


StoreUrl = Annotated[str, AfterValidator(_data_url)]
EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
ModelUrl = Annotated[str, AfterValidator(partial(_http_url, way_out=_NAME_IT.format(key="api_key_env")))]
ApiUrl = Annotated[str, AfterValidator(partial(_http_url, way_out=_NAME_IT.format(key="token_env")))]
Pattern = Annotated[str, AfterValidator(_glob)]
Word = Annotated[str, AfterValidator(_something)]
WebUrl = Annotated[str, AfterValidator(partial(_http_url, way_out="take it out; links are made without it"))]
SiteUrl = Annotated[
    str, AfterValidator(partial(_http_url, way_out="take it out; everybody who reads a feed sees it"))
]


class _Table(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


# --- the tables of the file --------------------------------------------------------------------------------


class ImportanceSettings(_Table):
    """Which profile scores, and what of it is overridden; a profile's tables may stand beside its name."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    profile: str | None = None

    @property
    def overrides(self) -> dict[str, Any]:
        """The profile's tables that this file replaces."""
        return dict(self.model_extra or {})


class FilterSettings(_Table):
    """`[repos.filter]`: what of a repository is wanted; what globs mean stands in `domain/globs.py`."""

    paths: Annotated[tuple[str, ...], AfterValidator(partial(_globs, of="paths"))] = ()
    authors: Annotated[tuple[str, ...], AfterValidator(partial(_globs, of="words"))] = ()
    labels: Annotated[tuple[str, ...], AfterValidator(partial(_globs, of="words"))] = ()
    branches: Annotated[tuple[str, ...], AfterValidator(partial(_globs, of="branches"))] = ()
    bots: Bots = "fold"
    merges: StrictBool = True

    def rules(self) -> Filter:
        """What decides about a commit."""
        return Filter(
            paths=Globs(self.paths),
            authors=Globs(self.authors, of="words"),
            labels=Globs(self.labels, of="words"),
            bots=self.bots,
            merges=self.merges,
        )

    def other_branches(self) -> Globs | None:
        """Which branches are read beside the tracked one; None for none."""
        return Globs(self.branches, of="branches") if self.branches else None


class RepoSettings(_Table):
    """One `[[repos]]` table."""

    name: Annotated[str, AfterValidator(_repo_name)]
    url: Annotated[str, AfterValidator(_git_url)] | None = None
    branch: Annotated[str, AfterValidator(_branch_name)] | None = None
    source: Literal["git", "github"] = "git"
    api_url: ApiUrl = "https://api.github.com"
    token_env: VariableName | None = None
    web_url: WebUrl | None = None
    importance: ImportanceSettings = ImportanceSettings()
    filter: FilterSettings = FilterSettings()

    @model_validator(mode="after")
    def _has_a_url(self) -> Self:
        if self.source == "git" and self.url is None:
            raise ValueError('url is missing: a git URL or a local path (source = "git" needs one)')
        return self

    @property
    def link_base(self) -> str | None:
        """Where the repository stands on the web; None where no link can be known."""
        if self.web_url is not None or self.source == "git":
            return self.web_url or derive_web_url(self.url)
        if self.url is not None:
            return derive_web_url(self.url)
        # The API of GitHub Enterprise stands at https://HOST/api/v3, that of github.com at a host of its own.
        if self.api_url == "https://api.github.com":
            return f"https://github.com/{self.name}"
        enterprise = self.api_url.removesuffix("/api/v3")
        return f"{enterprise}/{self.name}" if enterprise != self.api_url else None

    def commit_url(self, sha: str) -> str | None:
        """The page of a commit; None where no link can be known."""
        base = self.link_base
        if base is None:
            return None
        middle = "/-/commit/" if _is_gitlab(urlsplit(base).hostname or "") else "/commit/"
        return f"{base}{middle}{sha}"


class EndpointSettings(_Table):
    """An OpenAI-compatible endpoint: `[llm]`, and each `[[llm.fallback]]`."""

    base_url: ModelUrl
    model: Annotated[str, Field(min_length=1)]
    api_key_env: VariableName | None = None
    concurrency: Annotated[int, Strict(), Field(ge=1, le=256)] = 8
    context_tokens: Annotated[int, Strict(), Field(ge=2048)] = 131072
    max_output_tokens: Annotated[int, Strict(), Field(ge=256)] = 8192
    timeout_seconds: Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)] = 120.0
    attempts: Annotated[int, Strict(), Field(ge=1, le=10)] = 3
    probe_minutes: Annotated[float, Strict(), Field(gt=0, le=24 * 60)] = 30


class PriceSettings(_Table):
    """`[llm.prices."model"]`: money for a million tokens."""

    input: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
    cached: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] | None = None


class BudgetSettings(_Table):
    """`[llm.budget]`: what may be spent, in the currency of the prices."""

    daily: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


class LlmSettings(EndpointSettings):
    """`[llm]`: the endpoint that is asked first, what it costs, and where to turn when it fails."""

    fallback: tuple[EndpointSettings, ...] = ()
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    budget: BudgetSettings | None = None

    @field_validator("fallback")
    @classmethod
    def _is_probed_like_the_first(
        cls, value: tuple[EndpointSettings, ...], info: ValidationInfo
    ) -> tuple[EndpointSettings, ...]:
        own = info.data.get("probe_minutes", 30)
        return tuple(
            one if "probe_minutes" in one.model_fields_set else one.model_copy(update={"probe_minutes": own})
            for one in value
        )

    @model_validator(mode="after")
    def _can_count_what_it_spends(self) -> Self:
        if self.budget is not None:
            models = [self.model, *(endpoint.model for endpoint in self.fallback)]
            unpriced = [model for model in models if model not in self.prices]
            if unpriced:
                raise ValueError(
                    f'budget needs the price of every model; write [llm.prices."{unpriced[0]}"] with input and output'
                )
        return self


class AlarmSettings(_Table):
    """`[alarm]`: names of the variables that say who is told."""

    urls_env: tuple[VariableName, ...] = ()
    heartbeat_url_env: VariableName | None = None


class ReportSettings(_Table):
    """`[report]`: what a page shows."""

    show_reasons: StrictBool = True


class ReaderSettings(_Table):
    """One `[[reader]]` table: who gets a page of their own, of what, and where it goes."""

    name: Annotated[str, AfterValidator(_folder_name)]
    repos: tuple[Pattern, ...] = ()
    paths: tuple[Pattern, ...] = ()
    keywords: tuple[Word, ...] = ()
    min_tier: Tier = "low"
    language: Language | None = None
    edition: Edition = "full"
    channels: tuple[str, ...] = ()
    when_empty: WhenEmpty = "nothing"


class ChannelSettings(_Table):
    """One `[[channel]]` table: where pages are delivered to."""

    name: Annotated[str, AfterValidator(_folder_name)]
    kind: ChannelKind
    url_env: VariableName | None = None
    repo: Annotated[str, AfterValidator(_repo_name)] | None = None
    path: Annotated[str, AfterValidator(_folder_path)] = "reports"
    branch: Annotated[str, AfterValidator(_branch_name)] | None = None
    token_env: VariableName | None = None
    api_url: ApiUrl = "https://api.github.com"

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed, allowed = _OF_KIND[self.kind]
        for key, what in needed.items():
            if getattr(self, key) is None:
                raise ValueError(f'{key} is missing: {what} (kind = "{self.kind}" needs it)')
        for key in sorted(self.model_fields_set - {"name", "kind", *needed, *allowed}):
            others = [
                f'"{kind}"' for kind, keys in _OF_KIND.items() if key in {**keys[0], **dict.fromkeys(keys[1])}
            ]
            raise ValueError(
                f'{key} belongs to kind = {" or ".join(others)}, and not to "{self.kind}"; take it out'
            )
        return self


_OF_KIND: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "github_file": (
        {
            "repo": "owner/name of the repository",
            "token_env": "the NAME of the variable with a token that may write",
        },
        ("path", "branch", "api_url"),
    ),
    "github_issue": (
        {
            "repo": "owner/name of the repository",
            "token_env": "the NAME of the variable with a token that may write",
        },
        ("api_url",),
    ),
    "apprise": ({"url_env": "the NAME of the variable with the addresses"}, ()),
}
"""What a channel of each kind needs, and what it may have besides."""


class SiteSettings(_Table):
    """`[site]`: where the site will be seen."""

    url: SiteUrl | None = None


class StoreSettings(_Table):
    """`[store]`: where a history lies that many machines share, else in `data_dir`; how long it keeps patches."""

    catalog_url_env: VariableName | None = None
    data_url: StoreUrl | None = None
    endpoint: EndpointUrl | None = None
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    key_env: VariableName | None = None
    secret_env: VariableName | None = None
    keep_patches_days: Annotated[int, Strict(), Field(ge=1, le=36_500)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.catalog_url_env is None and self.data_url is not None:
            raise ValueError(
                "catalog_url_env is missing: the NAME of the variable with the postgresql:// address of the catalog "
                "(a shared store needs it beside data_url; for a history on this machine alone take data_url out)"
            )
        if self.catalog_url_env is not None and self.data_url is None:
            raise ValueError(
                "data_url is missing: a folder that all machines see, or s3://bucket/prefix "
                "(a shared store needs it beside catalog_url_env)"
            )
        keys = [
            key for key in ("endpoint", "region", "key_env", "secret_env") if getattr(self, key) is not None
        ]
        if keys and not (self.data_url or "").startswith("s3://"):
            raise ValueError(f'{keys[0]} belongs to data_url = "s3://…", which is not set; take it out')
        if (self.key_env is None) != (self.secret_env is None):
            missing = "key_env" if self.key_env is None else "secret_env"
            raise ValueError(f"{missing} is missing: key_env and secret_env go together")
        return self


class Settings(_Table):
    """The whole file. Relative paths count from it; `load` is the way in."""

    timezone: Zone = ZoneInfo("UTC")
    language: Language = "en"
    first_day: Annotated[date, BeforeValidator(_calendar_day), Field(ge=date(1970, 1, 1))]
    data_dir: Annotated[Path, AfterValidator(_data_folder)] = Path("data")
    repos: Annotated[tuple[RepoSettings, ...], BeforeValidator(_tables)]
    importance: ImportanceSettings = ImportanceSettings()
    llm: LlmSettings | None = None
    alarm: AlarmSettings | None = None
    report: ReportSettings = ReportSettings()
    reader: Annotated[tuple[ReaderSettings, ...], BeforeValidator(partial(_tables, name="reader"))] = ()
    channel: Annotated[tuple[ChannelSettings, ...], BeforeValidator(partial(_tables, name="channel"))] = ()
    site: SiteSettings = SiteSettings()
    store: StoreSettings = StoreSettings()
    daily_at: time = time(2, 0)
    digest_deadline_hours: Annotated[float, Strict(), Field(gt=0, le=24 * 7)] = 6
    recheck_days: Annotated[int, Strict(), Field(ge=0, le=366)] = 14
    backfill_days: Annotated[int, Strict(), Field(ge=1, le=3660)] = 366

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    @model_validator(mode="after")
    def _has_repos_of_their_own_names(self) -> Self:
        if not self.repos:
            raise ValueError("repos: is empty; write a [[repos]] table for at least one repository")
        seen: set[str] = set()
        for repo in self.repos:
            folder = repo.name.casefold()  # macOS and Windows do not tell A from a
            if folder in seen:
                raise ValueError(f'repos: "{repo.name}" stands twice; give each repository a name of its own')
            seen.add(folder)
        return self

    @model_validator(mode="after")
    def _has_readers_of_what_there_is(self) -> Self:
        for key, found in (("reader", self.reader), ("channel", self.channel)):
            seen: set[str] = set()
            for one in found:
                folder = unicodedata.normalize("NFC", one.name).casefold()
                if folder in seen:
                    raise ValueError(f'{key}: "{one.name}" stands twice; give each {key} a name of its own')
                seen.add(folder)
        channels = [channel.name for channel in self.channel]
        repos = [repo.name for repo in self.repos]
        for number, reader in enumerate(self.reader):
            for name in reader.channels:
                if name not in channels:
                    known = ", ".join(f'"{one}"' for one in channels) or "none; write a [[channel]] table"
                    raise ValueError(f'reader[{number}].channels: "{name}" is no channel; there are: {known}')
            for pattern in reader.repos:
                if not any(Globs([pattern.removeprefix("!")]).admits(repo) for repo in repos):
                    known = ", ".join(repos)
                    raise ValueError(
                        f'reader[{number}].repos: "{pattern}" is no repository here; there are: {known}'
                    )
        return self

    @classmethod
    def load(cls, path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `path`, else the file that `DIGEST_CONFIG` names, else `digest.toml` in the working folder.

        `DIGEST_DATA_DIR` goes before `data_dir`: workers have one file, and each a folder of its own.
        Raises ConfigurationError, a line for each mistake.
        """
        file = find_file(path, environ=environ)
        settings = cls.parse(_read(file), file=file)
        folder = environ.get(DATA_DIR_VARIABLE)
        if not folder:
            return settings
        return settings.model_copy(update={"data_dir": Path(folder).expanduser().absolute()})

    @classmethod
    def parse(cls, text: str, *, file: Path) -> Settings:
        """The settings that `text` holds; `file` is where it stands, for messages and relative paths."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{file}: is not TOML: {error}") from None
        try:
            settings = cls.model_validate(raw)
        except ValidationError as error:
            raise ConfigurationError("\n".join(_explain(error, raw, file))) from None
        folder = file.absolute().parent
        data_dir = Path(os.path.normpath(folder / settings.data_dir))
        repos = tuple(_with_absolute_path(repo, folder) for repo in settings.repos)
        store = _with_absolute_folder(settings.store, folder)
        settings = settings.model_copy(update={"data_dir": data_dir, "repos": repos, "store": store})
        settings._folder = folder  # noqa: SLF001 - our own
        for repo in settings.repos:
            settings.profile(repo.name, file=file)
        return settings

    def followed(self, name: str) -> RepoSettings | None:
        """The settings of a repo; None for one that left them, whose days stay."""
        return next((repo for repo in self.repos if repo.name == name), None)

    def repo(self, name: str) -> RepoSettings:
        """The repo called `name`; raises ConfigurationError with the names that there are."""
        for repo in self.repos:
            if repo.name == name:
                return repo
        known = ", ".join(repo.name for repo in self.repos)
        raise ConfigurationError(f'no repository is called "{name}"; the settings have: {known}')

    def channel_called(self, name: str) -> ChannelSettings:
        """The channel called `name`; raises ConfigurationError with the names that there are."""
        for channel in self.channel:
            if channel.name == name:
                return channel
        known = ", ".join(channel.name for channel in self.channel) or "none"
        raise ConfigurationError(f'no channel is called "{name}"; the settings have: {known}')

    def readers(self) -> list[Reader]:
        """Those who get a page of their own, each with a language."""
        return [
            Reader(**(one.model_dump(exclude={"channels"}) | {"language": one.language or self.language}))
            for one in self.reader
        ]

    def everything(self) -> Reader:
        """Whoever gets the whole digest."""
        return Reader(name="", language=self.language)

    def profile_name(self, repo_name: str) -> str:
        """What the settings call the profile of a repo."""
        return self.repo(repo_name).importance.profile or self.importance.profile or "argus"

    def profile(self, repo_name: str, *, file: Path | None = None) -> Profile:
        """The importance profile of a repo, overrides laid over it."""
        own = self.repo(repo_name).importance
        name = self.profile_name(repo_name)
        where = file or Path(DEFAULT_FILE)
        raw = _profile_data(name, self._folder, where)
        # A repo with a profile of its own does not take the overrides that were meant for another one.
        if own.profile is None or own.profile == (self.importance.profile or "argus"):
            raw = merge_overrides(raw, self.importance.overrides)
        raw = merge_overrides(raw, own.overrides)
        try:
            return Profile.model_validate(raw)
        except ValidationError as error:
            told = f' (profile "{name}", repo "{repo_name}")'
            lines = _explain(error, raw, where, model=Profile, table="importance")
            raise ConfigurationError("\n".join(line + told for line in lines)) from None


# --- reading and explaining ----------------------------------------------------------------------------------


def find_file(path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file that counts; it need not exist."""
    return Path(path or environ.get(CONFIG_VARIABLE) or DEFAULT_FILE).expanduser()


def derive_web_url(url: str | None) -> str | None:
    """The web page of a repository at GitHub or GitLab, by its git URL; None for any other URL or path."""
    if url is None:
        return None
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
        if parts.scheme == "file":
            return None
        if parts.scheme in {"http", "https"} and parts.port is not None:
            host += f":{parts.port}"
    elif match := _SCP_URL.fullmatch(url):
        host, path = match["host"], match["path"]
    else:
        return None
    # The hosts that take ssh at the port of https, where nothing else passes, show no pages.
    host = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}.get(host, host)
    path = path.strip("/").removesuffix(".git")
    if not (_is_github(host) or _is_gitlab(host)) or not re.fullmatch(r"[\w.~+-]+(/[\w.~+-]+)+", path):
        return None
    return f"https://{host}/{path}"


def profile_names() -> list[str]:
    """The profiles that come with the package."""
    folder = resources.files("digest_pipeline") / "profiles"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def _is_github(host: str) -> bool:
    return "github" in host.split(".")


def _is_gitlab(host: str) -> bool:
    return "gitlab" in host.split(".")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{file} does not exist; `digest init` writes one, or name yours with --config or {CONFIG_VARIABLE}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None


def _with_absolute_path(repo: RepoSettings, folder: Path) -> RepoSettings:
    if repo.url is None or "://" in repo.url:
        return repo
    local = (folder / Path(repo.url).expanduser()).absolute()
    if not local.exists() and _SCP_URL.fullmatch(repo.url):
        return repo  # user@host:path
    return repo.model_copy(update={"url": os.path.normpath(local)})


def _with_absolute_folder(store: StoreSettings, folder: Path) -> StoreSettings:
    if store.data_url is None or "://" in store.data_url:
        return store
    return store.model_copy(update={"data_url": os.path.normpath(folder / store.data_url)})


@cache
def _packaged_profile(name: str) -> dict[str, Any] | None:
    file = resources.files("digest_pipeline") / "profiles" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _profile_data(name: str, folder: Path, where: Path) -> dict[str, Any]:
    if name.endswith(".toml"):
        try:
            return tomllib.loads((folder / _expand(name)).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f'{where}: importance.profile: "{name}" cannot be read: {error}'
            ) from None
    data = _packaged_profile(name) if re.fullmatch(r"[\w-]+", name) else None
    if data is None:
        allowed = ", ".join(f'"{known}"' for known in profile_names())
        raise ConfigurationError(
            f'{where}: importance.profile: "{name}" is no profile; allowed: {allowed}, or the path of a .toml file'
        )
    return data


def _explain(
    error: ValidationError,
    raw: Mapping[str, Any],
    file: Path,
    *,
    model: type[BaseModel] | None = None,
    table: str = "",
) -> list[str]:
    """A line for each mistake: file, key, what stands there, what is allowed; `raw` is what `table` holds."""
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        location = item["loc"]
        key = table
        for part in location:
            name = str(part) if _BARE_KEY.fullmatch(str(part)) else f'"{part}"'
            key += f"[{part}]" if isinstance(part, int) else f".{name}" if key else name
        value = _value_at(raw, location)
        if item["type"] == "extra_forbidden":
            message = "is no setting; " + _suggest(location, model or Settings)
            value = None
        else:
            message = _message(item, key)
        shown = "" if value is None or isinstance(value, (dict, list)) else f" = {_show(location, value)}"
        lines.append(f"{file}: {key}{shown}: {message}" if key else f"{file}: {message}")
    return lines


def _message(item: Mapping[str, Any], key: str) -> str:
    if item["type"] == "missing":
        name = item["loc"][-1]
        hint = {"first_day": ", the first day to digest, such as first_day = 2026-01-06"}.get(str(name), "")
        return f"is missing{hint}"
    if item["type"] in {"tuple_type", "list_type"}:
        return 'has to be a list in brackets, such as ["…"]'
    if item["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        header = 'llm.prices."MODEL"' if key.startswith("llm.prices") else key
        return f"has to be a table: a line [{header}], its keys below it"
    text = str(item["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _value_at(raw: Mapping[str, Any], location: tuple[int | str, ...]) -> object:
    value: Any = raw
    try:
        for part in location:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def _show(location: tuple[int | str, ...], value: object) -> str:
    # A secret that was put where a name belongs must not be repeated on a screen or in a log.
    if isinstance(value, str) and any(
        isinstance(part, str) and _HIDDEN_KEY.search(part) for part in location
    ):
        return "…"
    if isinstance(value, str) and (str(location[-1]).endswith("url") or "://" in value):
        value = _QUERY.sub(r"\1***", _USER_INFO.sub(r"\1***@", value))
    text = f'"{value}"' if isinstance(value, str) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004 - one line on a terminal


_TABLES: Mapping[str, type[BaseModel]] = {
    "repos": RepoSettings,
    "filter": FilterSettings,
    "llm": LlmSettings,
    "fallback": EndpointSettings,
    "prices": PriceSettings,
    "budget": BudgetSettings,
    "alarm": AlarmSettings,
    "report": ReportSettings,
    "reader": ReaderSettings,
    "channel": ChannelSettings,
    "site": SiteSettings,
    "store": StoreSettings,
    "thresholds": Thresholds,
    "title": TitleRule,
    "message": MessageRule,
    "size": Step,
    "files": Step,
    "kind": KindRule,
    "kinds": Kind,
}


def _suggest(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    for before, part in pairwise(("", *location[:-1])):
        if before != "prices":  # a model may be called like a table
            model = _TABLES.get(str(part), model)
    known = sorted({*model.model_fields, *(("profile",) if model is Profile else ())})
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    meant = f'did you mean "{close[0]}"? ' if close else ""
    return f"{meant}allowed: {', '.join(known)}"
