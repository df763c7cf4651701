"""`digest status`: which days are there, missing, failed; what the history takes on the disk."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line
from digest_pipeline.domain.state import counted
from digest_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.state import RepoState


def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every day.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit 1 where a day is missing or failed, analyses are, or an alarm is open."
        ),
    ] = False,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show which days are there, missing or failed, which alarms are open, and how much disk is used."""
    del quiet, verbose
    from digest_pipeline.domain.day import yesterday
    from digest_pipeline.domain.state import repo_states
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.pipeline.alarm import open_alarms
    from digest_pipeline.store.history import check_files, has_history, read_once

    settings = Settings.load(config)
    last = yesterday(utc_now(), settings.timezone)
    rows: list[dict[str, Any]] = []
    digests: list[dict[str, Any]] = []
    endpoints: list[dict[str, Any]] = []
    alarms: list[dict[str, Any]] = []
    if has_history(settings.data_dir):
        check_files(settings.data_dir)
        where = {"first": settings.first_day, "last": last, "language": settings.language}
        rows = read_once(settings.data_dir, "pipeline/status", {"language": settings.language})
        digests = read_once(settings.data_dir, "pipeline/digest_states", where)
        endpoints = read_once(settings.data_dir, "pipeline/endpoints", {})
        alarms = open_alarms(settings.data_dir)
    states = repo_states(rows, [repo.name for repo in settings.repos], settings.first_day, last)
    problems = [problem for state in states for problem in _problems(state)]
    problems += _page_problems(settings, rows, digests)
    problems += [_endpoint_problem(settings, row) for row in endpoints if not row["is_up"]]
    if as_json:
        result_line(
            json.dumps(
                _as_json(settings, last, states, problems, alarms)
                | {"endpoints": _endpoints_as_json(settings, endpoints)},
                ensure_ascii=False,
                indent=2,
                default=str,
            )
        )
    else:
        _print_table(
            settings, last, states, [*(f"alarm: {alarm_line(alarm)}" for alarm in alarms), *problems]
        )
    if check and (problems or alarms):
        raise typer.Exit(1)


def alarm_line(alarm: Mapping[str, Any]) -> str:
    """An open alarm on one line, without what a terminal would act on."""
    text = (
        f"{alarm['kind']} {alarm['subject']}: {alarm['detail']} (since {alarm['raised_at']:%Y-%m-%d %H:%M%z})"
    )
    return "".join(character if character.isprintable() else " " for character in text)


def _problems(state: RepoState) -> list[str]:
    problems = []
    if state.missing:
        problems.append(
            f"{state.repo}: {counted(len(state.missing), 'day')} never made: {_spans(state.missing)}"
        )
    failed = state.days("failed")
    if failed:
        reason = str(failed[-1]["error"]).removeprefix(f"{state.repo}: ")
        days = _spans([row["day"] for row in failed])
        problems.append(f"{state.repo}: {counted(len(failed), 'day')} could not be read: {days} ({reason})")
    unfinished = [row["day"] for row in state.days("unfinished")]
    if unfinished:
        problems.append(
            f"{state.repo}: {counted(len(unfinished), 'day')} without a report: {_spans(unfinished)}"
        )
    numbers = {column: state.count(column) for column in ("failed", "deferred")}
    return problems + [
        f"{state.repo}: {counted(count, 'analysis', 'analyses')} {column}"
        for column, count in numbers.items()
        if count
    ]


def _page_problems(
    settings: Settings, rows: Sequence[dict[str, Any]], digests: Sequence[dict[str, Any]]
) -> list[str]:
    """What is wrong with digests, and with pages as files; `digest run` of these days mends both."""
    from digest_pipeline.pipeline import digest_path

    none = [row["day"] for row in digests if row["made_from"] is None]
    stale = [row["day"] for row in digests if row["made_from"] not in {None, row["inputs"]}]
    pages = [(row["day"], row["report"]) for row in rows if row["report"] is not None]
    pages += [(row["day"], digest_path(row["day"])) for row in digests if row["made_from"] is not None]
    gone = sorted({day for day, page in pages if not (settings.data_dir / page).is_file()})
    found = (
        (none, "without a digest"),
        (stale, "with a digest of older pages"),
        (gone, "whose page is gone"),
    )
    return [f"{counted(len(days), 'day')} {words}: {_spans(days)}" for days, words in found if days]


def _as_json(
    settings: Settings,
    last: date,
    states: Sequence[RepoState],
    problems: Sequence[str],
    alarms: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "data_dir": str(settings.data_dir),
        "timezone": settings.timezone.key,
        "language": settings.language,
        "first_day": settings.first_day,
        "last_day": last,
        "disk_bytes": _disk_bytes(settings.data_dir),
        "repos": [
            {
                "repo": state.repo,
                "made": len(state.days("made")),
                "missing": list(state.missing),
                "failed": [row["day"] for row in state.days("failed")],
                "unfinished": [row["day"] for row in state.days("unfinished")],
                "days": [_day_as_json(row) for row in state.rows],
            }
            for state in states
        ],
        "problems": list(problems),
        "alarms": [dict(alarm) for alarm in alarms],
        "healthy": not problems and not alarms,
    }


def _day_as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A day, with its failed and deferred analyses by class."""
    classes = {
        f"{status}_by_class": dict(Counter(row[f"{status}_classes"])) for status in ("failed", "deferred")
    }
    return {
        name: value for name, value in row.items() if name not in {"failed_classes", "deferred_classes"}
    } | classes


def _endpoints_as_json(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each endpoint that was ever asked: whether it is up, since when, when it is probed next."""
    return [
        {
            "endpoint": row["endpoint"],
            "model": row["model"],
            "up": row["is_up"],
            "since": _local(settings, row["since"]),
            "error_class": row["error_class"],
            "error": row["error"],
            "probed_at": _local(settings, row["probed_at"]),
            "next_probe_at": _local(settings, row["next_probe_at"]),
        }
        for row in rows
    ]


def _endpoint_problem(settings: Settings, row: Mapping[str, Any]) -> str:
    since, probe = (_local(settings, row[name]) for name in ("since", "next_probe_at"))
    return (
        f"{row['model']} at {row['endpoint']} is down since {since}, probed next at {probe}: {row['error']}"
    )


def _local(settings: Settings, moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(settings.timezone).isoformat(timespec="seconds")


def _print_table(
    settings: Settings, last: date, states: Sequence[RepoState], problems: Sequence[str]
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{settings.first_day} to {last} ({settings.timezone.key})", title_justify="left")
    table.add_column("repository", overflow="fold")
    for column in (
        "made",
        "missing",
        "failed",
        "unfinished",
        "commits",
        "analysed",
        "failed analyses",
        "deferred",
    ):
        table.add_column(column, justify="right")
    for state in states:
        table.add_row(
            state.repo,
            *(
                str(number)
                for number in (
                    len(state.days("made")),
                    len(state.missing),
                    len(state.days("failed")),
                    len(state.days("unfinished")),
                    state.count("commits"),
                    state.count("ok"),
                    state.count("failed"),
                    state.count("deferred"),
                )
            ),
        )
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    console.print(table)
    for folder, size in _disk_bytes(settings.data_dir).items():
        console.print(f"{folder:10} {size / 1e6:10.1f} MB", highlight=False, markup=False)
    for problem in problems:
        console.print(problem, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _disk_bytes(data_dir: Path) -> dict[str, int]:
    """What each part of the data folder takes, in bytes."""
    sizes = dict.fromkeys(("store", "reports", "mirrors", "dagster"), 0)
    for part in sizes:
        for folder, _, files in os.walk(data_dir / part):
            for file in files:
                with suppress(FileNotFoundError):  # a run that is under way makes and drops files
                    sizes[part] += (Path(folder) / file).lstat().st_size
    return {**sizes, "total": sum(sizes.values())}


def _spans(days: Sequence[date]) -> str:
    from digest_pipeline.domain.state import spans

    found = [str(first) if first == last else f"{first} to {last}" for first, last in spans(sorted(days))]
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more spans" if len(found) > 4 else "")  # noqa: PLR2004 - one line
