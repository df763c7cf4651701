"""How much of a history's patches its prompts show, for contexts of several sizes, and whether all of them fit.

`python -m benchmarks.packing --repo PATH --branch main --timezone ZONE --from DAY --to DAY`, or
`make bench-packing ARGS="…"`. Nothing is asked of a model. Exits 1 where a prompt exceeds its budget or a
ledger does not hold every file once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import tomllib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, Measured
from benchmarks.history import span_of
from benchmarks.repository import REPO, Unmeasurable, choose_span
from digest_pipeline.analysts import Subject
from digest_pipeline.analysts.prompts import (
    ENOUGH_SHOWN,
    Prompt,
    build_part_prompt,
    build_prompt,
    build_reduce_prompt,
    divide_subject,
    needs_parts,
)
from digest_pipeline.domain.day import days_between, span_window
from digest_pipeline.domain.importance import Profile, score
from digest_pipeline.domain.packing import estimate_tokens
from digest_pipeline.errors import SourceError
from digest_pipeline.sources.git import GitSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.repository import Span
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.ledger import Shown

CONTEXTS = (8_192, 32_768, 131_072)
_MOST_OUTPUT = 8192
_NOTES = [
    "`src/some/module.py`: `SomeClass.method` takes a timeout in seconds and gives up after it. " * 2
] * 12
"""What a part may answer: the most notes that are asked for, each of two sentences."""


@dataclass(slots=True)
class Reading:
    """What became of all commits at one size of context; shares are of the changed lines of one commit."""

    context: int
    prompts: int = 0
    over: int = 0
    broken_ledgers: int = 0
    divided: int = 0
    seconds: float = 0.0
    single: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    high_single: list[float] = field(default_factory=list)
    high_final: list[float] = field(default_factory=list)
    hows: Counter[str] = field(default_factory=Counter)

    @property
    def budget(self) -> int:
        """The room for a prompt: what the analyst leaves beside an answer."""
        return self.context - min(_MOST_OUTPUT, self.context // 4)

    def read(self, subject: Subject, language: Language) -> None:
        """Build every prompt that the commit takes at this size."""
        started = time.perf_counter()
        prompt = final = build_prompt(subject, language, self.budget)
        self._check(prompt)
        self._check_ledger(prompt.ledger, subject)
        if needs_parts(prompt, subject.tier):
            final = self._read_in_parts(subject, language)
            self._check_ledger(final.ledger, subject)
        self.hows.update(shown.how for shown in final.ledger)
        if prompt.changed_lines:
            shares = [one.shown_lines / one.changed_lines for one in (prompt, final)]
            self.single.append(shares[0])
            self.final.append(shares[1])
            if subject.tier == "high":
                self.high_single.append(shares[0])
                self.high_final.append(shares[1])
        self.seconds += time.perf_counter() - started

    def _read_in_parts(self, subject: Subject, language: Language) -> Prompt:
        self.divided += 1
        division = divide_subject(subject, language, self.budget)
        count = len(division.parts)
        for number, part in enumerate(division.parts, 1):
            self._check(build_part_prompt(subject, language, part, number, count, self.budget))
        final = build_reduce_prompt(
            subject, language, [_NOTES] * count, self.budget, ledger=division.ledger()
        )
        self._check(final)
        return final

    def _check(self, prompt: Prompt) -> None:
        self.prompts += 1
        self.over += estimate_tokens(prompt.system) + estimate_tokens(prompt.user) > self.budget

    def _check_ledger(self, ledger: Sequence[Shown], subject: Subject) -> None:
        paths = Counter(shown.path for shown in ledger)
        self.broken_ledgers += paths != Counter(file.path for file in subject.files)


def subjects(span: Span) -> Iterator[Subject]:
    """Every commit of the span with its files, one in memory at a time, rated by the profile argus."""
    profile = Profile.model_validate(
        tomllib.loads(resources.files("digest_pipeline.profiles").joinpath("argus.toml").read_text("utf-8"))
    )
    source = GitSource(repo=REPO, url=str(span.path), branch=span.branch, mirror_dir=Path(os.devnull))
    with closing(source):
        commits = source.commits(
            source.refresh(), span_window(days_between(span.first, span.last), span.timezone)
        )
        changes = source.changes([commit.sha for commit in commits])
        for commit, change in zip(commits, changes, strict=True):
            size = sum((file.additions or 0) + (file.deletions or 0) for file in change.files)
            yield Subject(
                repo=REPO,
                sha=commit.sha,
                message=commit.message,
                author_name=commit.author_name,
                committed_at=commit.committed_at,
                tier=score(commit.message, [file.path for file in change.files], size, profile).tier,
                files=change.files,
            )


def run_benchmark(span: Span, contexts: Sequence[int], language: Language) -> tuple[int, list[Reading]]:
    """How many commits there are, and what became of them at each size."""
    readings = [Reading(context) for context in contexts]
    number = 0
    for number, subject in enumerate(subjects(span), 1):
        for reading in readings:
            reading.read(subject, language)
        if number % 500 == 0:
            print(f"{number:,} commits", file=sys.stderr, flush=True)
    return number, readings


def print_readings(title: str, readings: Sequence[Reading]) -> None:
    """The table, on stdout."""
    console = Console(highlight=False, width=110)
    console.print(f"[bold]{title}[/bold]")
    table = Table(box=box.SIMPLE_HEAD, title="Changed lines that prompts show", title_justify="left")
    table.add_column("context in tokens")
    for reading in readings:
        table.add_column(f"{reading.context:,}", justify="right")

    def row(name: str, *values: str) -> None:
        table.add_row(name, *values)

    row("prompts", *(f"{one.prompts:,}" for one in readings))
    row("estimated above their budget (wanted: 0)", *(f"{one.over:,}" for one in readings))
    row("ledgers without every file once (wanted: 0)", *(f"{one.broken_ledgers:,}" for one in readings))
    row("high commits read in parts", *(f"{one.divided:,}" for one in readings))
    row("seconds of packing", *(f"{one.seconds:.0f}" for one in readings))
    for name, shares in (
        ("all commits, one prompt each", [one.single for one in readings]),
        ("all commits, high ones in parts", [one.final for one in readings]),
        ("high commits, one prompt each", [one.high_single for one in readings]),
        ("high commits, in parts", [one.high_final for one in readings]),
    ):
        table.add_section()
        row(f"[bold]{name}[/bold]", *(f"{len(one):,}" for one in shares))
        row("  median", *(_percent(one and statistics.median(one)) for one in shares))
        row("  p10", *(_percent(_tenth(one)) for one in shares))
        row("  mean", *(_percent(one and statistics.mean(one)) for one in shares))
        row(
            f"  commits of which at least {ENOUGH_SHOWN:.0%} is read",
            *(_percent(one and sum(share >= ENOUGH_SHOWN for share in one) / len(one)) for one in shares),
        )
    table.add_section()
    for how in ("whole", "hunks", "trimmed", "versions", "headers", "listed", "unlisted"):
        row(f"files {how}", *(f"{one.hows[how]:,}" for one in readings))
    console.print(table)
    console.print(
        "Commits without a changed line are in no share; a file is listed where it has no patch, too."
    )


def bench(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Its part of the table of `make bench`."""
    span = span_of(chosen, folder)
    commits, readings = run_benchmark(span, CONTEXTS, "en")
    return Measured(f"{span}, {commits:,} commits", list(_figures(readings)))


def _figures(readings: Sequence[Reading]) -> Iterator[Figure]:
    for one in readings:
        size = f"context of {one.context:,} tokens: "
        for name, final, single in (
            ("all commits", one.final, one.single),
            ("high commits", one.high_final, one.high_single),
        ):
            if final:
                shares = [100 * statistics.mean(shares) for shares in (final, single)]
                of_lines = f"{size}changed lines shown, {name}, in parts"
                yield Figure("packing", of_lines, shares[0], "%", "one prompt each", shares[1])
        yield Figure("packing", f"{size}packing a prompt", 1000 * one.seconds / max(one.prompts, 1), "ms")
    over = sum(one.over for one in readings)
    yield Figure.none(
        "packing", f"prompts above their budget, of {sum(one.prompts for one in readings):,}", over
    )
    broken = sum(one.broken_ledgers for one in readings)
    yield Figure.none("packing", "ledgers without every file once", broken)


def _tenth(shares: Sequence[float]) -> float:
    return sorted(shares)[len(shares) // 10] if shares else 0


def _percent(share: float | list[float]) -> str:
    return f"{share:.1%}" if share else "-"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.packing",
        description="Measure how much of a history's patches its prompts show.",
    )
    parser.add_argument(
        "--repo", type=Path, default=Path(__file__).parents[1], help="a local repository; default: this clone"
    )
    parser.add_argument("--branch", help="default: the one that is checked out")
    parser.add_argument("--timezone", type=ZoneInfo, default=ZoneInfo("UTC"), help="default: UTC")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, help="default: the first day")
    parser.add_argument(
        "--to", dest="last", type=date.fromisoformat, help="default: the last day that is over"
    )
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="default: en")
    parser.add_argument("--context", type=int, nargs="+", default=CONTEXTS, help="default: 8192 32768 131072")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code: 0, 1 where something does not hold, 2 where nothing can be measured."""
    chosen = _arguments(arguments)
    try:
        span = choose_span(
            chosen.repo.expanduser().absolute(), chosen.branch, chosen.timezone, chosen.first, chosen.last
        )
        commits, readings = run_benchmark(span, chosen.context, chosen.language)
    except (Unmeasurable, SourceError) as error:
        print(f"bench-packing: {error}", file=sys.stderr)
        return 2
    print_readings(
        f"{span.path}, {span.branch or 'HEAD'}: {span.first} to {span.last} in {span.timezone.key}, "
        f"{commits:,} commits",
        readings,
    )
    return 1 if any(one.over or one.broken_ledgers for one in readings) else 0


if __name__ == "__main__":
    sys.exit(main())
