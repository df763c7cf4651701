"""`digest doctor`: everything that a run needs, tried one by one, each with what to do where it fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, shown
from digest_pipeline.domain.state import counted
from digest_pipeline.errors import ConfigurationError, DigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest_pipeline.analysts.gateway import EndpointConfig
    from digest_pipeline.settings import ChannelSettings, RepoSettings, Settings

MINIMUM_FREE_BYTES = 1 << 30


def doctor(
    send_test_alarm: Annotated[
        bool, typer.Option("--send-test-alarm", help=r"Send one message to the addresses of \[alarm].")
    ] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check settings, git, repositories, tokens, endpoint, store, disk and alarms; say what to do.

    Exit 1 where something fails, or an alarm is open.
    """
    del quiet, verbose
    from digest_pipeline.settings import Settings, find_file

    file = find_file(config)
    settings = Settings.load(config)
    result_line(
        f"✓ settings: {file.absolute()}: {counted(len(settings.repos), 'repository', 'repositories')}, "
        f"days from {settings.first_day} in {settings.timezone.key}"
    )
    healthy = True
    for name, check in _checks(settings, send_test_alarm=send_test_alarm):
        try:
            result_line(f"✓ {name}: {check()}")
        except (DigestError, OSError) as error:
            healthy = False
            # What is said of a repository begins with its name.
            text = shown(str(error))
            result_line(f"✗ {name}: {text.removeprefix(name.partition(' ')[2] + ': ')}")
    if not healthy:
        raise typer.Exit(1)


def _checks(settings: Settings, *, send_test_alarm: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    if (problem := _nothing_to_make(settings)) is not None:
        yield "days", lambda: _raise(problem)
    yield "git", _git
    for repo in settings.repos:
        yield f"repository {repo.name}", lambda repo=repo: _repository(repo, settings)  # type: ignore[misc] # bound now
    yield "analyst", lambda: _analyst(settings)
    yield "history", lambda: _history(settings)
    yield "Dagster", lambda: _dagster(settings)
    if os.environ.get("DIGEST_CELERY_BROKER_URL", "").strip():
        yield "broker", _broker
    yield "disk", lambda: _disk(settings)
    yield "alarm", lambda: _alarm(settings)
    if send_test_alarm:
        yield "test alarm", lambda: _test_alarm(settings)
    for channel in settings.channel:
        yield f"channel {channel.name}", lambda channel=channel: _channel(channel)  # type: ignore[misc] # bound now
    for alarm in _open_alarms(settings):
        yield "open alarm", lambda alarm=alarm: _raise(alarm)  # type: ignore[misc] # bound now


def _nothing_to_make(settings: Settings) -> str | None:
    from digest_pipeline.domain.day import day_of
    from digest_pipeline.pipeline import utc_now

    if settings.first_day < day_of(utc_now(), settings.timezone):
        return None
    return (
        f"first_day = {settings.first_day} is not over yet, and no day before it is made; set an earlier one"
    )


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
    import asyncio

    from digest_pipeline.compose import endpoint_configs, probe_endpoint

    if settings.llm is None:
        return "offline (no [llm] in the settings)"
    lines = []
    for config in endpoint_configs(settings.llm):
        endpoint = f"{config.model} at {_place(config.base_url)}"
        problem = asyncio.run(probe_endpoint(config))
        if problem is not None:
            raise DigestError(f"{endpoint} does not answer: {problem}; check base_url, model and api_key_env")
        lines.append(f"{endpoint} answers{_taken_note_of(settings, config)}")
    return "; ".join(lines)


def _taken_note_of(settings: Settings, config: EndpointConfig) -> str:
    """An answer is an answer: an endpoint that runs have down is up again, and its alarm is over."""
    from digest_pipeline.compose import open_pipeline, open_place
    from digest_pipeline.store.history import has_history

    if not has_history(open_place(settings)):
        return ""
    pipeline = open_pipeline(settings)
    try:
        if not pipeline.heard(config.host, config.model):
            return ""
        pipeline.alarm()
    finally:
        pipeline.close()
    return " again; what waits for it is asked about by the daemon, or at once by digest heal"


def _place(url: str) -> str:
    """Host and path of `url`: what else may stand in an address is nothing for a screen."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path


def _history(settings: Settings) -> str:
    from digest_pipeline.compose import open_pipeline, open_place
    from digest_pipeline.store.history import check_files, has_history
    from digest_pipeline.store.left import carried_to
    from digest_pipeline.store.place import Place

    open_pipeline(settings).close()
    place = open_place(settings)
    check_files(place)
    if place.shared is None:
        return f"{place} can be read and written, no file is missing"
    if place.shared.bucket is None:
        must_take_files(Path(place.shared.data_url))
    alone = Place(settings.data_dir)
    if has_history(alone) and carried_to(alone) is None:
        raise DigestError(
            f"{alone.folder} holds a history of its own, which these settings do not use; digest store move --to "
            "shared takes it along, where the shared one is empty; else move it away"
        )
    return f"{place} and {place.shared.data_url} can be read and written, no file is missing"


def must_take_files(folder: Path) -> None:
    """Raise DigestError where no file can be written there."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
    except OSError as error:
        raise DigestError(
            f"{folder} takes no files: {error.strerror or error}; free some space there, or look at its rights and how "
            "it is mounted"
        ) from None


def _dagster(settings: Settings) -> str:
    from digest_pipeline.orchestration.instance import open_instance

    with open_instance(settings.data_dir) as instance:
        kind = type(instance.event_log_storage).__name__
        storage = "PostgreSQL" if "Postgres" in kind else "SQLite"
        return f"home {instance.root_directory}, {counted(instance.get_runs_count(), 'run')} ({storage})"


def _broker() -> str:
    from digest_pipeline.orchestration.run_launcher import broker_url, must_have_celery, shown

    url = broker_url(os.environ)
    assert url is not None  # noqa: S101 - it is set
    must_have_celery()
    from digest_pipeline.orchestration.celery_app import must_answer, workers

    must_answer(url)
    names = workers(url)
    if not names:
        raise DigestError(
            f"{shown(url)} answers, but no worker does: start one with `digest worker`, runs wait until then"
        )
    return f"{shown(url)} answers, and {counted(len(names), 'worker')}: {', '.join(names)}"


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


def _alarm(settings: Settings) -> str:
    from digest_pipeline.compose import heartbeat_url, open_messenger

    if settings.alarm is None:
        return "nobody is told (no [alarm] in the settings)"
    problems = []
    told = "nobody is told (urls_env is empty)"
    beats = "no heartbeat"
    try:
        if (messenger := open_messenger(settings)) is not None:
            problems += messenger.problems
            told = "; ".join(messenger.labels)
    except ConfigurationError as error:
        problems.append(str(error))
    try:
        if heartbeat_url(settings) is not None:
            beats = f"heartbeat to the address in {settings.alarm.heartbeat_url_env}"
    except ConfigurationError as error:
        problems.append(str(error))
    if problems:
        raise DigestError("; ".join(problems))
    return f"{told}; {beats}"


def _channel(settings: ChannelSettings) -> str:
    from digest_pipeline.compose import open_channel

    with closing(open_channel(settings)) as channel:
        return channel.check()


def _test_alarm(settings: Settings) -> str:
    from digest_pipeline.alarms.messages import trial_message
    from digest_pipeline.compose import open_messenger

    messenger = open_messenger(settings)
    if messenger is None:
        raise DigestError("there is nobody to send it to; name a variable in urls_env of [alarm]")
    messenger.send(trial_message(settings.language))
    return "sent; look whether it arrived"


def _open_alarms(settings: Settings) -> list[str]:
    from digest_pipeline.cli.status import alarm_line
    from digest_pipeline.compose import open_place
    from digest_pipeline.pipeline.alarm import open_alarms

    try:
        return [alarm_line(alarm) for alarm in open_alarms(open_place(settings), settings.timezone)]
    except DigestError:
        return []  # the line of the history said it


def _raise(problem: str) -> str:
    raise DigestError(problem)
