"""From settings to parts: which source, which analyst. The one place where secrets are taken from the environment."""

from __future__ import annotations

import logging
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest_pipeline.errors import ConfigurationError
from digest_pipeline.memory import keep_nothing
from digest_pipeline.pipeline import Pipeline, Workbench, utc_now
from digest_pipeline.pipeline.endpoints import numbered
from digest_pipeline.settings import RepoSettings, Settings, derive_web_url
from digest_pipeline.sources.network import ca_bundle
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Bucket, Place, Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from digest_pipeline.alarms.post import Post
    from digest_pipeline.analysts import Analyst, Memory, Spending
    from digest_pipeline.analysts.gateway import EndpointConfig
    from digest_pipeline.deliver import Channel
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.pipeline import Progress
    from digest_pipeline.settings import ChannelSettings, LlmSettings
    from digest_pipeline.sources import Source

CHANNEL_WAIT_SECONDS = 120.0
"""So long one request to a channel waits for a limit; what takes longer is tried again when that is over."""


def open_pipeline(
    settings: Settings, *, progress: Progress = lambda *_: None, by_hand: bool = True
) -> Pipeline:
    """The pipeline over the history of these settings, made where there is none yet.

    `by_hand` is a run that a person started: it tries again at once what would wait for its time otherwise.
    """
    keep_nothing()
    bundle = ca_bundle(os.environ)
    if bundle is not None:
        # The openai client makes its connections itself, and reads this variable alone.
        os.environ.setdefault("SSL_CERT_FILE", bundle)
        os.environ.setdefault("REQUESTS_CA_BUNDLE", bundle)  # and alarms this one
    # httpx logs every address that it asks at INFO; addresses are nobody's business.
    for name in ("httpx", "httpcore", "httpx2", "httpcore2", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A run that is stopped leaves generators of connections to be closed by the loop; their last words help nobody.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    workbench = Workbench(
        settings,
        History(open_place(settings), settings.timezone),
        open_source=open_source,
        open_analyst=open_analyst,
        now=utc_now,
        progress=progress,
        by_hand=by_hand,
        open_messenger=open_messenger,
        open_channel=open_channel,
    )
    return Pipeline(workbench)


@contextmanager
def opening(settings: Settings, *, progress: Progress = lambda *_: None) -> Iterator[Future[Pipeline]]:
    """The pipeline, opened in a thread: DuckDB checks its extensions while the caller loads Dagster.

    It is closed in the end, whether the caller came to ask for it or not.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="open") as thread:
        opened = thread.submit(open_pipeline, settings, progress=progress)
        try:
            yield opened
        finally:
            if opened.exception() is None:
                opened.result().close()


def open_place(settings: Settings, environ: Mapping[str, str] = os.environ) -> Place:
    """Where the history of these settings lies. Raises ConfigurationError where a variable that it needs is not set."""
    store = settings.store
    if store.catalog_url_env is None or store.data_url is None:
        return Place(settings.data_dir)
    from digest_pipeline.store.postgres import read_address

    variable = store.catalog_url_env
    try:
        catalog = read_address(_needed(variable, "store.catalog_url_env", environ))
    except ValueError as error:
        raise ConfigurationError(f"store.catalog_url_env: {variable} {error}") from None
    bucket = None
    if store.data_url.startswith("s3://"):
        bucket = Bucket(
            endpoint=store.endpoint,
            region=store.region,
            key=_secret(store.key_env, "store.key_env", environ),
            secret=_secret(store.secret_env, "store.secret_env", environ),
            key_env=store.key_env,
            secret_env=store.secret_env,
        )
    return Place(settings.data_dir, Shared(catalog, store.data_url, bucket, catalog_env=variable))


def open_source(repo: RepoSettings, data_dir: Path, environ: Mapping[str, str] = os.environ) -> Source:
    """The source that a repo's settings name. Raises ConfigurationError where its token's variable is not set."""
    token = _secret(repo.token_env, f'repo "{repo.name}": token_env', environ)
    if repo.source == "github":
        from digest_pipeline.sources.github import GitHubSource

        return GitHubSource(
            repo=repo.name,
            owner_and_name=_path_on_github(repo),
            api_url=repo.api_url,
            branch=repo.branch,
            token=token,
            branches=repo.filter.other_branches(),
        )
    from digest_pipeline.sources.git import GitSource

    assert repo.url is not None  # noqa: S101 - settings see to it
    return GitSource(
        repo=repo.name,
        url=repo.url,
        branch=repo.branch,
        mirror_dir=data_dir / "mirrors" / f"{repo.name}.git",
        token=token,
        branches=repo.filter.other_branches(),
    )


def open_analyst(
    settings: Settings,
    environ: Mapping[str, str] = os.environ,
    *,
    memory: Memory | None = None,
    spending: Spending | None = None,
    by_hand: bool = True,
    now: Callable[[], datetime] = utc_now,
) -> Analyst:
    """The analyst that the settings name: offline where there is no [llm].

    `memory` and `spending` are what other runs left behind; `by_hand` is a run that a person started.
    """
    if settings.llm is None:
        from digest_pipeline.analysts.offline import OfflineAnalyst

        return OfflineAnalyst(settings.language)
    from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst

    return OpenAICompatibleAnalyst(
        endpoint_configs(settings.llm, environ),
        language=settings.language,
        memory=memory,
        spending=spending,
        by_hand=by_hand,
        now=now,
    )


def endpoint_configs(llm: LlmSettings, environ: Mapping[str, str] = os.environ) -> list[EndpointConfig]:
    """The endpoints in the order in which they are asked. Raises ConfigurationError where a key is not set."""
    from digest_pipeline.analysts.gateway import EndpointConfig

    keys = ["llm", *(f"llm.fallback[{position}]" for position in range(len(llm.fallback)))]
    return [
        EndpointConfig(
            base_url=one.base_url,
            model=one.model,
            api_key=_secret(one.api_key_env, f"{key}.api_key_env", environ),
            concurrency=one.concurrency,
            context_tokens=one.context_tokens,
            max_output_tokens=one.max_output_tokens,
            timeout_seconds=one.timeout_seconds,
            attempts=one.attempts,
            probe_every=timedelta(minutes=one.probe_minutes),
            number=number,
        )
        for key, (one, number) in zip(keys, numbered(llm), strict=True)
    ]


def open_messenger(settings: Settings, environ: Mapping[str, str] = os.environ) -> Post | None:
    """Who is told of alarms; None where the settings name nobody.

    Raises ConfigurationError where no variable holds an address.
    """
    if settings.alarm is None or not settings.alarm.urls_env:
        return None
    from digest_pipeline.alarms.post import Address, Post

    addresses: list[Address] = []
    problems: list[str] = []
    for variable in settings.alarm.urls_env:
        try:
            urls = _needed(variable, "alarm.urls_env", environ).split()
        except ConfigurationError as error:
            problems.append(str(error))
        else:
            addresses += [Address(variable, number, url) for number, url in enumerate(urls, start=1)]
    return Post(addresses, problems)


def open_channel(channel: ChannelSettings, environ: Mapping[str, str] = os.environ) -> Channel:
    """Where a channel's pages go. Raises ConfigurationError where its variable is not set, or holds no address."""
    key = f'channel "{channel.name}"'
    if channel.kind == "apprise":
        from digest_pipeline.alarms.post import Address, Service
        from digest_pipeline.deliver.chat import Chat

        variable = channel.url_env
        assert variable is not None  # noqa: S101 - settings see to it
        urls = _needed(variable, f"{key}: url_env", environ).split()
        addresses = [Address(variable, number, url) for number, url in enumerate(urls, start=1)]
        return Chat([Service(address, key=f"{key}: url_env") for address in addresses])
    from digest_pipeline.deliver.github_file import GitHubFile
    from digest_pipeline.deliver.github_issue import GitHubIssue
    from digest_pipeline.deliver.hub import Hub
    from digest_pipeline.deliver.issue_markdown import host_of
    from digest_pipeline.sources.github_api import GitHubApi

    assert channel.repo is not None  # noqa: S101 - settings see to it
    api = GitHubApi(
        repo=f"channel {channel.name}",
        api_url=channel.api_url,
        token=_secret(channel.token_env, f"{key}: token_env", environ),
        sleep=time.sleep,
        now=time.time,
        user_agent="digest-pipeline",
        max_wait_seconds=CHANNEL_WAIT_SECONDS,
    )
    hub = Hub(api, api_url=channel.api_url, repo=channel.repo)
    if channel.kind == "github_file":
        return GitHubFile(hub, folder=channel.path, branch=channel.branch)
    return GitHubIssue(hub, channel=channel.name, host=host_of(channel.api_url))


def heartbeat_url(settings: Settings, environ: Mapping[str, str] = os.environ) -> str | None:
    """What the heartbeat calls, a secret; None where the settings name nothing.

    Raises ConfigurationError where its variable is not set, or holds no address.
    """
    variable = settings.alarm.heartbeat_url_env if settings.alarm is not None else None
    url = _secret(variable, "alarm.heartbeat_url_env", environ)
    if url is not None and not re.match(r"https?://[^\s/]", url):
        raise ConfigurationError(
            f'alarm.heartbeat_url_env: {variable} holds no address that begins with "https://" or "http://"'
        )
    return url


def beat(settings: Settings, environ: Mapping[str, str] = os.environ) -> bool:
    """Call the heartbeat; False where the settings name none.

    Raises ConfigurationError as above, AlarmError where nobody answers well.
    """
    url = heartbeat_url(settings, environ)
    if url is None:
        return False
    from digest_pipeline.alarms import heartbeat

    heartbeat.beat(url)
    return True


def settings_for_clone(path: Path, *, data_dir: Path, language: Language = "en") -> Settings:
    """Settings for one local repository and nothing else: its whole history, UTC, the offline analyst.

    Raises SourceRejected where there is no history to read, with what to do.
    """
    from digest_pipeline.sources.git import clone_of

    clone = clone_of(path)
    web_url = derive_web_url(clone.origin_url)
    name = (
        "/".join(urlsplit(web_url).path.strip("/").split("/")[-2:])
        if web_url
        else f"local/{clone.folder.name}"
    )
    return Settings(
        timezone=ZoneInfo("UTC"),
        language=language,
        first_day=min(clone.commit_times).astimezone(UTC).date(),
        data_dir=data_dir.absolute(),
        repos=(RepoSettings(name=_safe_name(name), url=str(clone.folder), web_url=web_url),),
    )


def _safe_name(name: str) -> str:
    """A repo name made of a folder's or URL's words: what a name may not hold becomes `-`."""
    owner, _, rest = re.sub(r"[^\w./+@-]|\.{2,}", "-", name).partition("/")
    return f"{owner.lstrip('.-+@') or 'local'}/{rest.lstrip('.-+@') or 'repository'}"


def _secret(variable: str | None, key: str, environ: Mapping[str, str]) -> str | None:
    return None if variable is None else _needed(variable, key, environ)


def _needed(variable: str, key: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigurationError(
            f"{key}: the environment variable {variable} is not set; set it, or leave the key out"
        )
    return value


def _path_on_github(repo: RepoSettings) -> str:
    """owner/name as the API knows it: from the URL where there is one, for `name` is the user's choice."""
    if repo.url is None:
        return repo.name
    path = urlsplit(repo.url).path if "://" in repo.url else repo.url.rpartition(":")[2]
    parts = path.strip("/").removesuffix(".git").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 else repo.name  # noqa: PLR2004 - owner and name


async def probe_endpoint(config: EndpointConfig) -> str | None:
    """None where the endpoint answers one real question; else a redacted line that says why not."""
    from digest_pipeline.analysts.openai_compatible import probe

    return await probe(config)
