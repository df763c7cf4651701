"""A recorded day of ai-dynamo/dynamo through all steps, with the offline analyst: page, digest, facts."""

from __future__ import annotations

from contextlib import closing
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.analysts.offline import OfflineAnalyst
from digest_pipeline.errors import SourceRejected
from digest_pipeline.pipeline import Pipeline, Workbench, digest_path, report_path
from digest_pipeline.settings import RepoSettings, Settings
from digest_pipeline.store.history import History
from digest_pipeline.store.place import Place
from digest_pipeline_tests.conftest import CASES
from digest_pipeline_tests.fakes.seed_day import RecordedSource, seed_day
from digest_pipeline_tests.render.reading import (
    acting,
    anchors,
    characters,
    every,
    headings,
    local_links,
    parse,
    rows,
    shown,
    unescaped,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.errors import SourceError
    from digest_pipeline_tests.conftest import Golden

SEED = seed_day()
DAYS = [SEED.day]
NOW = datetime(2026, 2, 22, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
ROWS = (CASES / "seed_rows.md").read_text(encoding="utf-8").splitlines()
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Day:
    """The recorded day in a data folder; each `run` is a new process's worth of work over it."""

    def __init__(self, folder: Path, language: Language) -> None:
        self.settings = Settings(
            timezone=SEED.timezone,
            language=language,
            first_day=SEED.day,
            data_dir=folder,
            repos=(RepoSettings(name=SEED.repo, url=f"https://github.com/{SEED.repo}.git"),),
        )
        self.source = RecordedSource.of(SEED)

    def run(
        self,
        *,
        days: list[date] = DAYS,
        now: datetime = NOW,
        error: SourceError | None = None,
        read: Callable[[Pipeline], object] = lambda _: None,
    ) -> None:
        """All five steps; every one of them says that it is done unless the source is broken."""
        self.source = RecordedSource(SEED.commits, SEED.changes, error=error)
        workbench = Workbench(
            self.settings,
            History(Place(self.settings.data_dir), self.settings.timezone),
            open_source=lambda *_: self.source,
            open_analyst=lambda settings, **_: OfflineAnalyst(settings.language),
            now=lambda: now,
        )
        with closing(Pipeline(workbench)) as pipeline:
            for step in (pipeline.collect, pipeline.diff, pipeline.analyse, pipeline.report):
                result = step(SEED.repo, days)
                assert error or result.failed == {}
            assert pipeline.digest(days).failed == {}
            read(pipeline)

    def page(self, day: date = SEED.day) -> str:
        """The repo's page."""
        return (self.settings.data_dir / report_path(SEED.repo, day)).read_bytes().decode()

    def digest(self, day: date = SEED.day) -> str:
        """The digest over all repos."""
        return (self.settings.data_dir / digest_path(day)).read_bytes().decode()

    def pages(self) -> dict[str, tuple[bytes, int]]:
        """Every file of the reports, with its bytes and the time of its last change."""
        folder = self.settings.data_dir / "reports"
        return {
            str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[Language, Day]:
    """The day, made once in each language; whoever changes one makes one of their own."""
    made = {language: Day(tmp_path_factory.mktemp(f"day-{language}"), language) for language in LANGUAGES}
    for day in made.values():
        day.run()
    return made


@pytest.fixture(params=LANGUAGES)
def made(request: pytest.FixtureRequest, days: dict[Language, Day]) -> Day:
    """The day in each language."""
    return days[request.param]


@pytest.fixture
def chinese(days: dict[Language, Day]) -> str:
    """The page in Chinese."""
    return days["zh"].page()


def table_rows(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("| 2026-")]


# --- the table and the statistics ----------------------------------------------------------------------------


def test_the_rows_are_those_of_the_archive_to_the_letter_escapes_aside(chinese: str) -> None:
    assert len(ROWS) == 19
    assert [unescaped(row) for row in table_rows(chinese)] == [unescaped(row) for row in ROWS]


def test_the_statistics_line_is_that_of_the_archive(chinese: str) -> None:
    assert "> 本日共 19 个提交 | 🔴高 8 | 🟡中 9 | 🟢低 2" in chinese.splitlines()


def test_a_markdown_parser_sees_nineteen_rows_of_three_cells(made: Day) -> None:
    found = rows(made.page())

    assert [len(cells) for cells in found] == [3] * 19
    for cells, commit in zip(found, SEED.commits, strict=True):
        time, author, message = (cell.children or [] for cell in cells)
        at = commit.authored_at.astimezone(SEED.timezone)
        assert shown(time) == f"{at:%Y-%m-%d %H:%M:%S}"
        assert shown(author) == commit.author_name
        assert shown(message).splitlines()[0] == commit.title
        assert acting(message) == []


# --- how the page is built -----------------------------------------------------------------------------------


def test_every_link_of_the_contents_leads_somewhere(made: Day) -> None:
    for page in (made.page(), made.digest()):
        tokens = parse(page)
        targets = anchors(tokens)
        links = [unquote(link) for link in local_links(tokens)]

        assert len(links) >= 1 + 1 + 3 + 19  # repo, statistics, tiers, commits
        assert set(links) <= set(targets)
        assert len(targets) == len(set(targets))


def test_the_contents_name_every_commit_in_the_order_of_its_tier(made: Day) -> None:
    contents = made.page().partition('-contents"></a>')[2].partition("<a id=")[0]
    links = [unquote(link).rpartition("-")[2] for link in local_links(parse(contents))]
    commits = [sha for sha in links if any(commit.sha.startswith(sha) for commit in SEED.commits)]

    assert commits == [
        commit.sha[:12]
        for tier in ("high", "medium", "low")
        for commit in SEED.commits
        if SEED.tiers[commit.sha] == tier
    ]


def test_the_text_of_a_commits_link_is_its_title_cut_at_sixty(made: Day) -> None:
    texts = [
        shown([token for token in inline.children or [] if not token.type.startswith("link")])
        for inline in parse(made.page())
        if inline.type == "inline" and any(link.type == "link_open" for link in inline.children or [])
    ]

    for commit in SEED.commits:
        title = commit.title if len(commit.title) <= 60 else commit.title[:57] + "..."
        assert title in texts


def test_heading_levels_nest(made: Day) -> None:
    for page in (made.page(), made.digest()):
        levels = [level for level, _ in headings(parse(page))]

        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_commit_has_one_section_with_its_title_its_sha_and_its_page_on_the_web(made: Day) -> None:
    tokens = parse(made.page())
    titles = [text for level, text in headings(tokens) if level == 4]
    shas = [token.content for token in every(tokens) if token.type == "code_inline"]
    links = {token.attrGet("href") for token in every(tokens) if token.type == "link_open"}

    assert sorted(titles) == sorted(commit.title for commit in SEED.commits)
    for commit in SEED.commits:
        assert commit.sha[:7] in shas
        assert f"https://github.com/ai-dynamo/dynamo/commit/{commit.sha}" in links


def test_the_low_tier_and_nothing_else_is_folded(made: Day) -> None:
    page = made.page()
    before, opened, folded = page.partition("<details>\n")
    folded, closed, after = folded.partition("</details>\n")

    assert opened
    assert closed
    assert "<details>" not in folded + after
    assert after.strip() == ""
    for commit in SEED.commits:
        anchor = f'-{commit.sha[:12]}"></a>'
        assert (anchor in folded) == (SEED.tiers[commit.sha] == "low")
        assert (anchor in before) != (anchor in folded)


def test_html_on_the_page_is_ours_alone(made: Day) -> None:
    for page in (made.page(), made.digest()):
        for token in every(parse(page)):
            if token.type == "html_inline":
                assert (
                    token.content == "<br>" or token.content.startswith('<a id="') or token.content == "</a>"
                )
            elif token.type == "html_block":
                assert token.content.startswith(("<details>\n<summary>", "</details>\n"))
            assert token.type not in ("image", "s_open", "code_block", "fence")


def test_the_coverage_line_names_counts_window_timezone_and_analyst(made: Day) -> None:
    line = next(line for line in made.page().splitlines() if line.startswith(("> 覆盖", "> Coverage")))

    assert "2026-02-21 00:00 – 2026-02-22 00:00" in line
    assert "Asia/Shanghai" in line
    assert ("离线" if made.settings.language == "zh" else "offline") in line
    assert line.count("19") == 2


def test_offline_facts_are_labelled_as_such_in_every_section(made: Day) -> None:
    label = "🧾 离线分析" if made.settings.language == "zh" else "🧾 Offline"

    assert made.page().count(label) == 19


def test_what_the_invented_patches_hide_is_found(made: Day) -> None:
    sections = {part[:12]: part for part in made.page().split('<a id="ai-dynamo~dynamo-')[1:]}
    by_sha = {commit.sha[:7]: sections[commit.sha[:12]] for commit in SEED.commits}

    assert "`CancellationToken`, `child_token`" in by_sha["42d6980"]
    assert "The flag `--abort-requests` is deprecated | use" in by_sha["41d7d54"]


# --- golden pages, and doing it again ------------------------------------------------------------------------


def test_the_pages_are_the_committed_ones(made: Day, golden: Golden) -> None:
    language = made.settings.language

    golden(f"reports/ai-dynamo_dynamo_2026-02-21.{language}.md", made.page())
    golden(f"reports/daily_2026-02-21.{language}.md", made.digest())


def test_a_second_run_changes_no_byte_and_touches_no_file(tmp_path: Path) -> None:
    day = Day(tmp_path, "zh")
    day.run()
    before = day.pages()

    day.run(now=NOW.replace(hour=9))

    assert day.pages() == before
    assert set(before) == {f"{SEED.repo}/2026/2026-02-21.md", "daily/2026/2026-02-21.md"}


def test_a_day_without_commits_is_a_short_honest_page(tmp_path: Path) -> None:
    day = Day(tmp_path, "en")
    quiet = date(2026, 2, 23)
    day.run(days=[quiet])

    assert "No commits on this day." in day.page(quiet)
    assert "0 commits seen" in day.page(quiet)
    assert rows(day.page(quiet)) == []
    assert "✅" in day.digest(quiet)


def test_a_repo_that_cannot_be_read_is_never_a_day_without_commits(tmp_path: Path) -> None:
    day = Day(tmp_path, "en")
    day.run(error=SourceRejected("no such repository <b>here</b>; check url"))

    assert not (tmp_path / report_path(SEED.repo, SEED.day)).exists()
    assert "No commits" not in day.digest()
    quote = [token for token in parse(day.digest()) if token.type == "inline"]
    assert any("no such repository <b>here</b>" in shown(token.children or []) for token in quote)


def test_a_failure_after_a_good_day_keeps_the_page_and_says_so(tmp_path: Path) -> None:
    day = Day(tmp_path, "en")
    day.run()
    before = day.page()

    day.run(error=SourceRejected("gone"))

    assert day.page() == before
    assert "gone" in day.digest()
    assert rows(day.digest())[-1][2].children is not None
    assert characters(before.split("### 📋 Contents")[1]) in characters(day.digest())


def test_the_days_of_a_range_are_the_same_as_one_by_one(tmp_path: Path) -> None:
    days = [date(2026, 2, 21), date(2026, 2, 22)]
    together, apart = Day(tmp_path / "together", "zh"), Day(tmp_path / "apart", "zh")

    together.run(days=days)
    for day in days:
        apart.run(days=[day])

    assert {name: data for name, (data, _) in together.pages().items()} == {
        name: data for name, (data, _) in apart.pages().items()
    }
    assert len(together.pages()) == 4


def test_the_stored_scores_are_those_of_the_archive(tmp_path: Path) -> None:
    stored: dict[str, str] = {}

    def read(pipeline: Pipeline) -> None:
        rows = pipeline.history.read(
            "pipeline/analyses_of_days",
            {"repo": SEED.repo, "first": SEED.day, "last": SEED.day, "language": "zh"},
        )
        stored.update({row["sha"]: row["tier"] for row in rows})

    day = Day(tmp_path, "zh")
    day.run(read=read)

    assert stored == dict(SEED.tiers)


def test_the_source_is_refreshed_once_in_a_run_and_closed(made: Day) -> None:
    assert made.source.refreshes == 1
    assert made.source.is_closed
