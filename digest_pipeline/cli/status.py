"""`digest status`: which days are there, missing, failed; what the history takes on the disk."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say, shown
from digest_pipeline.domain.state import counted, spans_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest_pipeline.domain.state import RepoState
    from digest_pipeline.settings import Settings
    from digest_pipeline.store.history import Read
    from digest_pipeline.store.place import Place


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
    from digest_pipeline.compose import open_place
    from digest_pipeline.domain.day import yesterday
    from digest_pipeline.domain.state import repo_states
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.pipeline.alarm import open_alarms
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    last = yesterday(utc_now(), settings.timezone)
    place = open_place(settings)
    stored = _stored(settings, place, last)
    alarms = open_alarms(place, settings.timezone)
    states = repo_states(stored.days, [repo.name for repo in settings.repos], settings.first_day, last)
    problems = [problem for state in states for problem in _problems(state.in_language(settings.language))]
    problems += _page_problems(settings, stored)
    problems += [_delivery_problem(settings, row) for row in stored.undelivered]
    told = " ".join(alarm["detail"] for alarm in alarms)
    problems += [_endpoint_problem(settings, row, told) for row in stored.endpoints if not row["is_up"]]
    if as_json:
        result_line(
            json.dumps(
                _as_json(settings, last, states, problems, alarms)
                | {"endpoints": _endpoints_as_json(settings, stored.endpoints)},
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


@dataclass
class _Stored:
    """What the history says: of days, digests, the endpoints that the settings name, and pages that went nowhere."""

    days: list[dict[str, Any]] = field(default_factory=list)
    digests: list[dict[str, Any]] = field(default_factory=list)
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    undelivered: list[dict[str, Any]] = field(default_factory=list)


def _stored(settings: Settings, place: Place, last: date) -> _Stored:
    from digest_pipeline.domain.healing import Waiting, next_tries
    from digest_pipeline.pipeline import utc_now
    from digest_pipeline.pipeline.endpoints import endpoints_in_use, named_endpoints
    from digest_pipeline.store.history import check_files, has_history, must_be_of, reading
    from digest_pipeline.store.left import notice

    if not has_history(place):
        return _Stored()
    if told := notice(place):
        say(told, style="yellow")
    check_files(place)
    where = {"first": settings.first_day, "last": last, "language": settings.language}
    with reading(place, settings.timezone) as read:
        must_be_of(settings.timezone, read("pipeline/timezones", {}), place)
        days = read("pipeline/status", {"language": settings.language})
        unfinished = {
            (row["repo"], row["day"]) for row in read("pipeline/asked_days", where) if row["is_unfinished"]
        }
        waiting = [Waiting.of(row) for row in read("pipeline/waiting", where)]
        digests = read("pipeline/digest_states", where)
        known = read("pipeline/endpoints", {})
        undelivered = _undelivered(settings, read)
    tries = next_tries(waiting, endpoints_in_use(settings, known, now=utc_now()))
    for row in days:
        if row["state"] == "made" and (row["repo"], row["day"]) in unfinished:
            row["state"] = "unfinished"
        row["next_retry"] = _local(settings, tries.get((row["repo"], row["day"])))
    by_name = {(row["endpoint"], row["model"]): row for row in known}
    named = dict.fromkeys(named_endpoints(settings))
    return _Stored(days, digests, [by_name[name] for name in named if name in by_name], undelivered)


def _undelivered(settings: Settings, read: Read) -> list[dict[str, Any]]:
    from digest_pipeline.domain.alarm import STALE
    from digest_pipeline.pipeline import utc_now

    names = [channel.name for channel in settings.channel]
    return read("pipeline/undelivered", {"channels": names, "since": utc_now() - STALE})


def alarm_line(alarm: Mapping[str, Any]) -> str:
    """An open alarm on one line, without what a terminal would act on."""
    since = alarm["raised_at"].isoformat(sep=" ", timespec="minutes")
    text = f"{alarm['kind']} {alarm['subject']}: {alarm['detail']} (since {since})"
    return "".join(character if character.isprintable() else " " for character in text)


def _problems(state: RepoState) -> list[str]:
    problems = []
    if state.missing:
        problems.append(
            f"{state.repo}: {counted(len(state.missing), 'day')} never made: {spans_of(state.missing)}"
        )
    failed = state.days("failed")
    if failed:
        reason = str(failed[-1]["error"]).removeprefix(f"{state.repo}: ")
        days = spans_of([row["day"] for row in failed])
        problems.append(f"{state.repo}: {counted(len(failed), 'day')} could not be read: {days} ({reason})")
    unfinished = state.days("unfinished")
    none = [row["day"] for row in unfinished if row["report"] is None]
    older = [row["day"] for row in unfinished if row["report"] is not None]
    problems += [
        f"{state.repo}: {counted(len(found), 'day')} {words}: {spans_of(found)}"
        for words, found in (("without a report", none), ("whose report is older than its commits", older))
        if found
    ]
    if not_asked := state.count("not_asked"):
        problems.append(f"{state.repo}: {counted(not_asked, 'commit')} without an analysis, nobody was asked")
    for column in ("failed", "deferred"):
        if count := state.count(column):
            classes = Counter(word for row in state.rows for word in row[f"{column}_classes"])
            told = ", ".join(f"{number} {word}" for word, number in classes.most_common())
            problems.append(f"{state.repo}: {counted(count, 'analysis', 'analyses')} {column} ({told})")
    if tries := [row["next_retry"] for row in state.rows if row["next_retry"] is not None]:
        problems.append(f"{state.repo}: asked about again from {min(tries)} on")
    return problems


def _page_problems(settings: Settings, stored: _Stored) -> list[str]:
    """What is wrong with digests, and with pages as files; `digest run` of these days mends both."""
    from digest_pipeline.pipeline import digest_path

    rows, digests = stored.days, stored.digests
    none = [row["day"] for row in digests if row["made_from"] is None]
    stale = [row["day"] for row in digests if row["made_from"] not in {None, row["inputs"]}]
    pages = [(row["day"], row["report"]) for row in rows if row["report"] is not None]
    pages += [(row["day"], digest_path(row["day"])) for row in digests if row["made_from"] is not None]
    # Of a history that several machines share, the file lies where the page was made.
    gone = sorted(
        {day for day, page in pages if not (settings.data_dir / page).is_file()}
        if settings.store.catalog_url_env is None
        else ()
    )
    found = (
        (none, "without a digest"),
        (stale, "with a digest of older pages"),
    )
    told = [f"{counted(len(days), 'day')} {words}: {spans_of(days)}" for days, words in found if days]
    if gone:
        told.append(
            f"{counted(len(gone), 'day')} whose page is gone: {spans_of(gone)}; "
            f"digest run --from {gone[0]} --to {gone[-1]} writes it again"
        )
    return told


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
        "alarms": [{**alarm, "raised_at": _local(settings, alarm["raised_at"])} for alarm in alarms],
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
    """Each endpoint that the settings name and that was ever asked: whether it is up, since when, its next probe."""
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


def _delivery_problem(settings: Settings, row: Mapping[str, Any]) -> str:
    whose = f" for {row['reader']}" if row["reader"] else ""
    again = _local(settings, row["retry_at"])
    when = f"tried again at {again}" if again else f"digest deliver --day {row['day']} tries again"
    return f"channel {row['channel']}: {row['day']}{whose} was not delivered, {when}: {row['error']}"


def _endpoint_problem(settings: Settings, row: Mapping[str, Any], told: str) -> str:
    """An endpoint that is down; what an alarm `told` already is not said again."""
    since, probe = (_local(settings, row[name]) for name in ("since", "next_probe_at"))
    reason = "" if row["error"] and row["error"] in told else f": {row['error']}"
    return f"{row['model']} at {row['endpoint']} is down since {since}, probed next at {probe}{reason}"


def _local(settings: Settings, moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(settings.timezone).isoformat(timespec="seconds")


def _print_table(
    settings: Settings, last: date, states: Sequence[RepoState], problems: Sequence[str]
) -> None:
    from rich.console import Console
    from rich.table import Table

    from digest_pipeline.compose import open_place

    table = Table(title=f"{settings.first_day} to {last} ({settings.timezone.key})", title_justify="left")
    table.add_column("repository", overflow="fold")
    left_out = {"filtered": "filtered"} if any(state.count("filtered") for state in states) else {}
    columns = {
        "commits": "commits",
        **left_out,
        "ok": "analysed",
        "failed": "failed analyses",
        "deferred": "deferred",
    }
    for column in ("made", "missing", "failed", "unfinished", *columns.values()):
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
                    *(state.count(column) for column in columns),
                )
            ),
        )
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    console.print(table)
    if settings.store.data_url is not None:
        where = f"the history is shared, in {open_place(settings)} and {settings.store.data_url}"
        console.print(where, highlight=False, markup=False, soft_wrap=True)
    for folder, size in _disk_bytes(settings.data_dir).items():
        console.print(f"{folder:10} {size / 1e6:10.1f} MB", highlight=False, markup=False)
    for note in _notes(settings, states):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    for problem in problems:
        console.print(shown(problem), style="yellow", highlight=False, markup=False, soft_wrap=True)


def _notes(settings: Settings, states: Sequence[RepoState]) -> list[str]:
    """What is to be known and is no problem."""
    notes = [
        f"{state.repo}: {counted(unknown, 'commit')} whose labels are not known passed the filter"
        for state in states
        if settings.repo(state.repo).filter.labels and (unknown := state.count("labels_unknown"))
    ]
    for state in states:
        left = {*map(_day, state.rows)} - {*map(_day, state.in_language(settings.language).rows)}
        if left:
            notes.append(
                f"{state.repo}: {counted(len(left), 'day')} made in another language alone, and left so: "
                f"{spans_of(sorted(left))}; digest run --repo {state.repo} over them makes them in "
                f'"{settings.language}"'
            )
    return notes


def _day(row: Mapping[str, Any]) -> date:
    day: date = row["day"]
    return day


def _disk_bytes(data_dir: Path) -> dict[str, int]:
    """What each part of the data folder takes, in bytes."""
    sizes = dict.fromkeys(("store", "reports", "mirrors", "dagster"), 0)
    for part in sizes:
        for folder, _, files in os.walk(data_dir / part):
            for file in files:
                with suppress(FileNotFoundError):  # a run that is under way makes and drops files
                    sizes[part] += (Path(folder) / file).lstat().st_size
    return {**sizes, "total": sum(sizes.values())}
