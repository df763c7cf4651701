"""What the pages of a repo's days say, from stored rows only: for every form that a day takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import title_of
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.filtering import RULES
from digest_pipeline.domain.importance import Reason
from digest_pipeline.domain.ledger import read_ledger
from digest_pipeline.domain.page import CommitEntry, FilteredOut, RepoPage
from digest_pipeline.pipeline.headlines import composed
from digest_pipeline.pipeline.pull_requests import stored_pull_requests
from digest_pipeline.pipeline.story import background, told
from digest_pipeline.pipeline.workbench import reading_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.pipeline.workbench import Workbench
    from digest_pipeline.settings import RepoSettings

    Row = Mapping[str, Any]


class DayRows(NamedTuple):
    """What is stored of a repo's days besides their commits: how each was read, and its page in one language."""

    reads: Mapping[date, Row]
    pages: Mapping[date, Row]


def day_rows(bench: Workbench, repo: str, days: Sequence[date], language: Language) -> DayRows:
    """Those of `days` that were read at some time, and those whose pages were rendered."""
    return DayRows(
        {row["day"]: row for row in bench.rows("reads", repo, days) if row["head_sha"] is not None},
        {row["day"]: row for row in bench.rows("reports_of_days", repo, days, language=language)},
    )


def repo_pages(
    bench: Workbench,
    repo: str,
    days: Sequence[date],
    *,
    language: Language | None = None,
    or_else: Language | None = None,
    facts: Callable[[CommitEntry], CommitEntry] = lambda entry: entry,
    rows: DayRows | None = None,
) -> dict[date, RepoPage]:
    """The pages of those of `days` whose commits were read, and were all analysed or have a reason why not.

    What the filter left out is on none of them, and counted.

    In the settings' language where none is given; of a commit without an analysis in it, that in `or_else`. `facts`
    has the last word on each commit. When a page was rendered and updated last stands in it where it was. As many
    days as `BATCH_DAYS` may be asked for at once. `rows` are the `day_rows` of this language, if known.
    """
    language = language or bench.settings.language
    timezone = bench.settings.timezone
    reads, made = day_rows(bench, repo, days, language) if rows is None else rows
    # What lies behind the pages takes as long to ask for as what stands on them.
    with reading_beside("background") as thread:
        asked = thread.submit(background, bench, repo, days)
        stored = bench.by_day("commits_of_days", repo, days)
        analyses = bench.by_day("analyses_of_days", repo, days, language=language)
        others = (
            analyses if or_else is None else bench.by_day("analyses_of_days", repo, days, language=or_else)
        )
        costs = {
            row["day"]: row["cost"] for row in bench.rows("costs_of_days", repo, days, language=language)
        }
        headlines = {
            row["day"]: row for row in bench.rows("headlines_of_days", repo, days, language=language)
        }
        files: dict[str, list[Row]] = {
            row["sha"]: row["files"] for row in bench.rows("file_facts", repo, days)
        }
        unread: dict[str, list[str]] = defaultdict(list)
        for row in bench.rows("unread_files_of_days", repo, days):
            unread[row["sha"]].append(row["path"])
        commits = {day: [row for row in found if row["filtered"] is None] for day, found in stored.items()}
        numbers = {row["pull_request"] for found in commits.values() for row in found} - {None}
        pulls = stored_pull_requests(bench, repo, sorted(numbers))
        behind = asked.result()
    pages: dict[date, RepoPage] = {}
    for day in days:
        said = {row["sha"]: row for row in others[day]}
        said |= {row["sha"]: row for row in analyses[day] if row["status"] == "ok" or row["sha"] not in said}
        if day not in reads or any(row["sha"] not in said for row in commits[day]):
            continue
        read, stood = reads[day], made.get(day, {})
        page = RepoPage(
            repo,
            day,
            day_window(day, timezone),
            tuple(
                facts(_entry(bench.settings.followed(repo), row, said[row["sha"]], unread, files, pulls))
                for row in commits[day]
            ),
            cost=costs.get(day),
            came=read["came"] or 0,
            went=read["went"] or 0,
            updated_at=stood.get("updated_at"),
            rendered_at=stood.get("rendered_at"),
            filtered=_filtered(stored[day]),
        )
        page = told(page, behind, bench, language)
        # A model's words stand in the place of the facts where they were let through.
        headline = composed(headlines[day], page) if day in headlines else None
        pages[day] = page if headline is None else replace(page, headline=headline)
    return pages


def _filtered(rows: Sequence[Row]) -> tuple[FilteredOut, ...]:
    """What was left out, by the rules in their order."""
    counts = Counter(row["filtered"] for row in rows)
    return tuple(FilteredOut(rule, counts[rule]) for rule in RULES if counts[rule])


def _entry(
    repo: RepoSettings | None,
    row: Row,
    said: Row,
    unread: Mapping[str, Sequence[str]],
    files: Mapping[str, Sequence[Row]],
    pulls: Mapping[int, Row],
) -> CommitEntry:
    # Of these files the model did not see all; an entry without a path stands for many.
    cut = [one for one in read_ledger(said["ledger"] or "") if one.shown_lines < one.changed_lines]
    return CommitEntry(
        sha=row["sha"],
        author_name=row["author_name"],
        authored_at=row["authored_at"],
        message=row["message"],
        title=title_of(row["message"]),
        url=repo.commit_url(row["sha"]) if repo else None,
        tier=said["tier"],
        score=said["score"],
        reasons=tuple(Reason(**reason) for reason in said["reasons"]),
        status=said["status"],
        analysis=Analysis.model_validate_json(said["analysis"]) if said["status"] == "ok" else None,
        model=said["model"],
        is_offline=said["analyst"] == "offline",
        attempts=said["attempts"],
        error=said["error"],
        shown_lines=said["shown_lines"],
        changed_lines=said["changed_lines"],
        error_class=said["error_class"],
        left_out=tuple(one.path for one in cut if one.path),
        left_out_files=sum(one.files for one in cut),
        unread=tuple(unread.get(row["sha"], ())),
        complete=row["complete"] is not False,
        pull_request=row["pull_request"],
        labels=tuple(pulls[row["pull_request"]]["labels"]) if row["pull_request"] in pulls else (),
        folded=row["folded"],
        paths=tuple(file["path"] for file in files.get(row["sha"], ())),
        additions=row["additions"] or 0,
        deletions=row["deletions"] or 0,
    )
