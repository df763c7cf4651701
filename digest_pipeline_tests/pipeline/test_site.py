"""The site as files: from stored rows, only what changed, nothing of anybody else's, every link alive."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import feedparser
import pytest

from digest_pipeline.domain.period import Week
from digest_pipeline.errors import DigestError, UsageError
from digest_pipeline.pipeline.site import site
from digest_pipeline.pipeline.site_state import built, site_stamp
from digest_pipeline_tests.fakes.project import (
    DEAD_URL,
    FIRST_DAY,
    days_from,
    files_below,
    small_repository,
)
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder
from digest_pipeline_tests.fakes.workshop import Workshop
from digest_pipeline_tests.site.checking import dead_links

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline.pipeline.site import SiteResult

DAYS = days_from(FIRST_DAY, 3)
URL = "https://ada.example/digest"
REPOS = ({"name": "ada/engine", "url": "../engine"}, {"name": "ada/bits", "url": "../bits [1]"})


def build(shop: Workshop, folder: Path | None = None, language: str | None = None) -> SiteResult:
    with shop.pipeline() as pipeline:
        return site(pipeline._workbench, folder, language)  # type: ignore[arg-type] # one of Language's words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two repositories, and a project that has made their days and site; tests copy it."""
    top = tmp_path_factory.mktemp("made")
    small_repository(top / "engine")
    small_repository(top / "bits [1]", days=2, commits_per_day=1)
    shop = Workshop(top / "project")
    shop.configure(*REPOS, site={"url": URL})
    shop.make(DAYS)
    build(shop)
    return top


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Workshop:
    """Two repos of three days, made, and the site, which has an address."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Workshop(tmp_path / "project")


@pytest.fixture
def engine(shop: Workshop) -> RepositoryBuilder:
    """The repository of ada/engine, to go on with."""
    return RepositoryBuilder(shop.folder.parent / "engine", clock=datetime(2026, 1, 7, 12, tzinfo=UTC))


def pages_of(folder: Path) -> dict[str, bytes]:
    """What readers see."""
    return {path: text for path, text in files_below(folder).items() if not path.startswith(".digest-site")}


def test_the_site_has_its_pages_and_every_link_leads_somewhere(shop: Workshop) -> None:
    folder = shop.data / "site"
    shutil.rmtree(folder)
    result = build(shop)
    assert result.index == folder / "index.html"
    names = set(pages_of(folder))
    assert {
        "index.html",
        "ada/engine/index.html",
        *(f"ada/engine/{day}.html" for day in DAYS),
        *(f"days/{day}.html" for day in DAYS),
        "weeks/2026-W02.html",
        "feeds/ada/engine.en.xml",
        "pagefind/pagefind-entry.json",
        "style.css",
    } <= names
    assert sum(name.endswith(".html") for name in names) == result.pages
    assert dead_links(folder) == []
    for feed in ("engine", "bits"):
        assert not feedparser.parse(folder / f"feeds/ada/{feed}.en.xml").bozo
    assert "ada/dead" not in (folder / "index.html").read_text("utf-8")


def test_a_site_that_is_up_to_date_is_left_alone_and_one_from_nothing_is_the_same(
    shop: Workshop, tmp_path: Path
) -> None:
    before = files_below(shop.data / "site")
    times = {path: (shop.data / "site" / path).stat().st_mtime_ns for path in pages_of(shop.data / "site")}
    again = build(shop)
    assert (again.written, again.removed) == (0, 0)
    assert files_below(shop.data / "site") == before
    assert times == {path: (shop.data / "site" / path).stat().st_mtime_ns for path in times}
    build(shop, tmp_path / "elsewhere")
    assert files_below(tmp_path / "elsewhere") == before


def test_a_day_that_healed_is_written_again_as_if_all_had_been(
    shop: Workshop, engine: RepositoryBuilder, tmp_path: Path
) -> None:
    untouched = (shop.data / "site/ada/bits" / f"{DAYS[0]}.html").stat().st_mtime_ns
    engine.write("src/late.py", "late = True\n")
    engine.clock = engine.clock.replace(year=2026, month=1, day=6, hour=10)
    engine.commit("feat!: a 迟到的 commit (#99)")
    shop.make([DAYS[1]])
    result = build(shop)
    page = (shop.data / "site/ada/engine" / f"{DAYS[1]}.html").read_text("utf-8")
    assert "a 迟到的 commit" in page
    assert result.written > 0
    assert (shop.data / "site/ada/bits" / f"{DAYS[0]}.html").stat().st_mtime_ns == untouched
    assert dead_links(shop.data / "site") == []
    build(shop, tmp_path / "elsewhere")
    assert files_below(tmp_path / "elsewhere") == files_below(shop.data / "site")


def test_what_was_lost_comes_back_and_what_a_stranger_put_there_stays(shop: Workshop) -> None:
    folder = shop.data / "site"
    (folder / "ada/engine" / f"{DAYS[0]}.html").unlink()
    (folder / "pagefind/pagefind-entry.json").unlink()
    (folder / "CNAME").write_text("ada.example\n", encoding="utf-8")
    (folder / "ada/notes.txt").write_text("mine\n", encoding="utf-8")
    before = pages_of(folder)
    build(shop)
    after = pages_of(folder)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {f"ada/engine/{DAYS[0]}.html", "pagefind/pagefind-entry.json"}


def test_a_commit_by_a_bot_counts_apart_wherever_numbers_stand(
    shop: Workshop, engine: RepositoryBuilder
) -> None:
    engine.write("src/bumped.py", "def bumped():\n    return 1\n")
    sha = engine.commit("feat: bump a part (#9)", author="dependabot[bot]")
    shop.make(DAYS[2:])
    with shop.pipeline() as pipeline:
        pipeline.rollup([Week(2026, 2)])
        where = {"repo": "ada/engine", "first": DAYS[2], "last": DAYS[2]}
        counted = pipeline.history.read("pipeline/day_counts", where)[-1]
    build(shop)

    assert shop.rows(f"SELECT tier FROM analyses WHERE sha = '{sha}'") == [("high",)]
    assert (counted["commits"], counted["high"]) == (3, 1)
    reports = (
        "SELECT commits, high, medium, low FROM reports WHERE repo = 'ada/engine' AND day = '2026-01-07'"
    )
    assert shop.rows(reports) == [(3, 1, 0, 1)]
    digest = (shop.data / "reports/daily/2026/2026-01-07.md").read_text("utf-8")
    assert "3 commits | 🔴 high 1 | 🟡 medium 0 | 🟢 low 1 | 🤖🧹 folded 1\n" in digest
    assert "| [ada/engine](#ada~engine) | 3 | 1 | 0 | 1 | 1 | ✅ |\n" in digest
    week = (shop.data / "reports/weekly/2026/2026-W02.md").read_text("utf-8")
    assert "01-07](../../ada/engine/2026/2026-01-07.md#ada~engine) | 3 | 1 | 0 | 1 | 1 | " in week
    site = shop.data / "site"
    for page in (f"ada/engine/{DAYS[2]}.html", f"days/{DAYS[2]}.html", "index.html"):
        shown = re.findall(r'<p class="counts">(.*?)</p>', (site / page).read_text("utf-8"))
        assert "3 commits 1 high 1 low 1 folded" in [re.sub("<[^>]+>", "", line) for line in shown], page
    assert dead_links(site) == []


def test_days_and_repos_that_left_the_history_leave_the_site(shop: Workshop) -> None:
    folder = shop.data / "site"
    (folder / "ada/bits/mine.txt").write_text("mine\n", encoding="utf-8")
    with shop.pipeline() as pipeline:
        for table in ("reads", "reports", "commit_log", "analyses"):
            pipeline.history._connection.execute(f"DELETE FROM {table} WHERE repo = 'ada/bits'")
    shop.configure(REPOS[0])
    result = build(shop)
    assert result.removed > 0
    left = [name for name in pages_of(folder) if "bits" in name]
    assert left == ["ada/bits/mine.txt"]
    assert dead_links(folder) == []


def test_a_repo_that_left_the_settings_keeps_its_days(shop: Workshop) -> None:
    shop.configure(REPOS[0])
    build(shop)
    folder = shop.data / "site"
    assert (folder / "ada/bits" / f"{DAYS[0]}.html").is_file()
    assert "ada/bits" in (folder / "index.html").read_text("utf-8")
    assert dead_links(folder) == []


@pytest.mark.parametrize("name", ["notes.txt", "index.html"])
def test_a_folder_of_somebody_else_is_refused(shop: Workshop, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"not empty and holds no site of ours .* --out"):
        build(shop, theirs)
    assert files_below(theirs) == {name: b"mine"}


def test_a_file_of_somebody_else_is_not_written_over(shop: Workshop, engine: RepositoryBuilder) -> None:
    day = DAYS[-1] + timedelta(days=1)
    theirs = shop.data / "site/ada/engine" / f"{day}.html"
    theirs.write_text("mine", encoding="utf-8")
    engine.clock += timedelta(days=1)
    engine.commit("fix: later")
    shop.make([day])
    with pytest.raises(UsageError, match=rf"{day}.html is not of a site of ours"):
        build(shop)
    assert theirs.read_text("utf-8") == "mine"


def test_a_build_that_was_killed_is_made_up_for(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise DigestError("killed")

    shutil.rmtree(shop.data / "site")
    with monkeypatch.context() as patch:
        patch.setattr("digest_pipeline.site.html.SiteRenderer.week", dies)
        with pytest.raises(DigestError, match="killed"):
            build(shop)
    assert built(shop.data / "site") is None
    build(shop)
    assert dead_links(shop.data / "site") == []
    assert (build(shop).written, built(shop.data / "site") is None) == (0, False)


def test_a_history_is_shown_in_either_language_and_says_where_the_analyses_are_in_one(
    shop: Workshop, tmp_path: Path
) -> None:
    build(shop, tmp_path / "zh", "zh")
    page = (tmp_path / "zh/ada/engine" / f"{DAYS[0]}.html").read_text("utf-8")
    assert '<html lang="zh">' in page
    assert "这一天的分析只有英文。" in page
    assert '<dl class="analysis" lang="en">' in page
    assert "中重要度变更" in page
    assert dead_links(tmp_path / "zh") == []
    # The feed of a language holds what was said in that language.
    assert sorted(file.name for file in (tmp_path / "zh/feeds/ada").iterdir()) == [
        "bits.en.xml",
        "engine.en.xml",
    ]

    shop.configure(
        *REPOS,
        language="zh",
        site={"url": URL},
    )
    shop.make(DAYS)
    build(shop)
    feeds = sorted(file.name for file in (shop.data / "site/feeds/ada").iterdir())
    assert feeds == ["bits.en.xml", "bits.zh.xml", "engine.en.xml", "engine.zh.xml"]
    assert "只有英文" not in (shop.data / "site/ada/engine" / f"{DAYS[0]}.html").read_text("utf-8")


def test_the_language_of_a_reader_has_a_feed_without_an_analysis_in_it(shop: Workshop) -> None:
    assert not (shop.data / "site/feeds/ada/engine.zh.xml").exists()
    shop.configure(*REPOS, site={"url": URL}, readers=[{"name": "路由", "language": "zh"}])
    build(shop)
    chinese, english = (
        feedparser.parse(shop.data / f"site/feeds/ada/engine.{language}.xml") for language in ("zh", "en")
    )
    assert not chinese.bozo
    assert [entry.updated for entry in chinese.entries] == [entry.updated for entry in english.entries]
    assert "个提交，高 1" in chinese.entries[0].title
    assert build(shop).written == 0


def test_the_page_of_a_week_holds_its_rollup_whose_links_lead_into_the_site(shop: Workshop) -> None:
    with shop.pipeline() as pipeline:
        pipeline.rollup([Week(2026, 2)])
    build(shop)
    page = (shop.data / "site/weeks/2026-W02.html").read_text("utf-8")
    assert 'id="rollup"' in page
    rollup = page.partition('id="rollup"')[2].partition("<h2")[0]
    assert re.search(r'href="../ada/engine/2026-01-0\d.html#c-[0-9a-f]{12}"', rollup)
    assert dead_links(shop.data / "site") == []
    assert build(shop).written == 0


def test_without_an_address_there_are_no_feeds_and_it_says_so(shop: Workshop) -> None:
    assert (shop.data / "site/feeds").is_dir()
    shop.configure(*REPOS)
    result = build(shop)
    assert [note for note in result.notes if "[site] url" in note and "\n" not in note]
    assert not (shop.data / "site/feeds").exists()
    assert dead_links(shop.data / "site") == []


def test_a_repo_that_could_not_be_read_is_named_on_its_day(shop: Workshop) -> None:
    shop.configure(REPOS[0], {"name": "ada/dead", "url": DEAD_URL})
    shop.make(DAYS)
    build(shop)
    page = (shop.data / "site/days" / f"{DAYS[0]}.html").read_text("utf-8")
    assert "ada/dead" in page
    assert "Could not be read" in page


def test_an_empty_history_has_a_start_page(tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "project")
    shop.configure({"name": "ada/engine", "url": "../engine"})
    result = build(shop)
    assert "digest run" in result.index.read_text("utf-8")
    assert dead_links(shop.data / "site") == []


def test_what_a_site_was_made_from_is_compared_with_what_it_would_be(shop: Workshop) -> None:
    def stamp() -> str:
        with shop.pipeline() as pipeline:
            return site_stamp(shop.settings, pipeline.history.read("pipeline/site_state")[0]["state"])

    made = built(shop.data / "site")
    assert made is not None
    assert made.stamp == stamp()
    shop.configure(*REPOS, language="zh")
    assert made.stamp != stamp()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told_in_a_line(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        build(shop, tmp_path / "locked" / "site")
