"""`digest doctor`: everything that a run needs, tried one by one, each with what to do where it fails."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line
from digest_pipeline.domain.state import counted
from digest_pipeline.errors import DigestError
from digest_pipeline.settings import RepoSettings, Settings, find_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMUM_FREE_BYTES = 1 << 30


def doctor(config: Config = None, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Check settings, git, repositories, tokens, endpoint, store and disk; say what to do.

    Exit 1 where something fails.
    """
    del quiet, verbose
    file = find_file(config)
    settings = Settings.load(config)
    result_line(
        f"✓ settings: {file.absolute()}: {counted(len(settings.repos), 'repository', 'repositories')}, "
        f"days from {settings.first_day} in {settings.timezone.key}"
    )
    healthy = True
    for name, check in _checks(settings):
        try:
            result_line(f"✓ {name}: {check()}")
        except DigestError as error:
            healthy = False
            result_line(f"✗ {name}: {error}")
    if not healthy:
        raise typer.Exit(1)


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "git", _git
    for repo in settings.repos:
        yield f"repository {repo.name}", lambda repo=repo: _repository(repo, settings)  # type: ignore[misc] # bound now
    yield "analyst", lambda: _analyst(settings)
    yield "history", lambda: _history(settings)
    yield "Dagster", lambda: _dagster(settings)
    yield "disk", lambda: _disk(settings)


def _git() -> str:
    from digest_pipeline.sources.git import MINIMUM_GIT, git_version

    version = git_version()
    shown = ".".join(map(str, version))
    if version < MINIMUM_GIT:
        needed = ".".join(map(str, MINIMUM_GIT))
        raise DigestError(f"version {shown} is too old; install git {needed} or newer")
    return f"version {shown}"


def _repository(repo: RepoSettings, settings: Settings) -> str:
    from digest_pipeline.compose import open_source

    source = open_source(repo, settings.data_dir)
    try:
        head = source.probe()
    finally:
        source.close()
    token = f", token from {repo.token_env}" if repo.token_env else ""
    return f"{head.branch} at {head.sha[:12]} ({repo.source}{token})"


def _analyst(settings: Settings) -> str:
    from digest_pipeline.compose import probe_endpoint

    if settings.llm is None:
        return "offline (no [llm] in the settings)"
    problem = asyncio.run(probe_endpoint(settings.llm))
    if problem is not None:
        raise DigestError(
            f"{settings.llm.model} at {settings.llm.base_url} does not answer: {problem}; "
            "check base_url, model and api_key_env"
        )
    return f"{settings.llm.model} at {settings.llm.base_url} answers"


def _history(settings: Settings) -> str:
    from digest_pipeline.compose import open_pipeline
    from digest_pipeline.store.history import check_files

    open_pipeline(settings).close()
    check_files(settings.data_dir)
    return f"{settings.data_dir} can be read and written, no file is missing"


def _dagster(settings: Settings) -> str:
    from digest_pipeline.orchestration.instance import open_instance

    with open_instance(settings.data_dir) as instance:
        kind = type(instance.event_log_storage).__name__
        storage = "PostgreSQL" if "Postgres" in kind else "SQLite"
        return f"home {instance.root_directory}, {counted(instance.get_runs_count(), 'run')} ({storage})"


def _disk(settings: Settings) -> str:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < MINIMUM_FREE_BYTES:
        raise DigestError(f"only {free / 1e9:.1f} GB are free at {folder}; free some space")
    if not os.access(folder, os.W_OK):
        raise DigestError(f"{folder} cannot be written; check its rights, or set data_dir")
    return f"{free / 1e9:.1f} GB free"
