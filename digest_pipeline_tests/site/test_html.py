"""The site's pages as text: well-formed, each commit once, all links inside a page alive, nothing hostile awake."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, get_args

import pytest

from digest_pipeline.domain.analysis import Language
from digest_pipeline.site import places
from digest_pipeline.site.html import FILES, POLICY, Around, DayEntry, SiteRenderer, asset
from digest_pipeline.site.outline import outline, outline_type
from digest_pipeline.site.rollup import rollup_sections
from digest_pipeline.site.search import document, tokens
from digest_pipeline.site.words import labels
from digest_pipeline_tests.fakes.pages import DAY, HOSTILE, ZONE, entry, full_page, hostile_page
from digest_pipeline_tests.site.checking import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest_pipeline.domain.page import RepoPage

ROLLUP = """# Week

<a id="overview"></a>

## Overview

the week over all

## ada/engine

See [a commit](../../ada/engine/2026/2026-02-21.md#ada~engine-0123456789ab), [elsewhere](../../x/y/2026/2026-02-21.md),
[out](https://git.example/b), \\<script>alert(1)\\</script> and \\[no](https://evil.example).

### Trend

| a | `b` |
|---|----:|
| 1 | [2](../../ada/engine/2026/2026-02-21.md) |

<details>
<summary>7 more</summary>

- one

</details>
"""

LANGUAGES: tuple[Language, ...] = get_args(Language)


def renderer(language: Language = "en") -> SiteRenderer:
    return SiteRenderer(language, ZONE, repos=["ada/engine", "ada/hostile"])


def every_page(pages: list[RepoPage], language: Language) -> dict[str, str]:
    """One of each kind, over the same days."""
    site = renderer(language)
    outlines = [outline(page, language) for page in pages]
    entries = [*(DayEntry(one.repo, one) for one in outlines), DayEntry("ada/dead", None, HOSTILE[0])]
    rollup = rollup_sections(ROLLUP, lambda repo, day, sha: f"../{repo}/{day}.html" if sha else None)
    return {
        **{places.repo_day(page.repo, page.day): site.repo_day(page) for page in pages},
        **{places.repo_page(one.repo): site.repo(one.repo, [one], has_feed=True) for one in outlines},
        places.day_page(DAY): site.day(DAY, entries),
        places.week_page(DAY): site.week(places.monday(DAY), outlines, rollup=rollup),
        places.START: site.start({DAY: outlines}, feeds=[one.repo for one in outlines]),
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_well_formed_in_every_language(language: Language) -> None:
    for path, html in every_page([full_page(), hostile_page()], language).items():
        page = read(html)
        assert page.language == language, path
        assert "{" not in re.sub(r"\{+ ?7[^}]*|\{%[^%]*|\$\{|\*\{display|body\{", "", page.text), path
        assert f'content="{POLICY}"'.replace("'", "&#39;") in html


def test_each_commit_has_one_section_and_one_row_and_all_else_leads_there() -> None:
    page = full_page()
    html = renderer().repo_day(page)
    found = read(html)
    for commit in page.commits:
        place = places.anchor(commit.sha)
        assert found.ids.count(place) == 1
        assert html.count(f'id="{place}"') == 1
    assert len(re.findall(r"<article ", html)) == len(page.commits)
    assert html.count("<tr><td>2026-02-21 13:01</td>") == len(page.commits)
    assert {link for link in found.inside if link.startswith("c-")} == {
        places.anchor(commit.sha) for commit in page.commits
    }


def test_low_and_folded_commits_lie_in_a_fold() -> None:
    html = renderer().repo_day(full_page())
    folds = re.findall(r'<details class="fold">(.*?)</section>', html, re.DOTALL)
    assert [len(re.findall("<article ", fold)) for fold in folds] == [1, 2]
    assert "by a bot" in folds[1]
    assert "reformatting" in folds[1]


def test_the_header_says_what_the_page_was_made_from() -> None:
    text = read(renderer().repo_day(full_page())).text
    for said in (
        "2026-02-21 00:00 – 2026-02-22 00:00 (Asia/Shanghai)",
        "7 seen, 6 analysed, 0 failed, 1 deferred",
        "merges 3, authors 1",
        "21 %",
        "some-model",
        "0.0123",
        "2026-02-22 09:00",
        "2026-02-23 09:00 (1 came, 0 went)",
    ):
        assert said in text, said


def test_what_a_page_does_not_have_takes_no_place() -> None:
    bare = replace(
        full_page(), headline=None, parts=(), themes=(), context=None, filtered=(), cost=None, updated_at=None
    )
    text = read(renderer().repo_day(bare)).text
    for missing in (
        "Breaking",
        "What belongs together",
        "Beside the days",
        "Filtered out",
        "Cost",
        "Updated",
    ):
        assert missing not in text, missing


def test_a_quiet_day_is_one_honest_line() -> None:
    quiet = replace(full_page(), commits=(), headline=None, parts=(), themes=(), context=None)
    page = read(renderer().repo_day(quiet))
    assert "A quiet day: no commits." in page.text
    assert page.headings == [1]


def test_an_earlier_commit_is_linked_where_its_section_is_on_the_site() -> None:
    page = full_page()
    there = f"{page.day - timedelta(days=3)}.html#c-{'f' * 12}"
    assert there not in read(renderer().repo_day(page)).links
    assert there in read(renderer().repo_day(page, known=lambda _, sha: sha == "f" * 40)).links


def test_analyses_of_another_language_are_said_to_be() -> None:
    html = renderer("en").repo_day(full_page(), spoken="zh")
    assert "exist in Chinese only" in html
    assert '<dl class="analysis" lang="zh">' in html


def test_days_lead_to_their_neighbours() -> None:
    around = Around(DAY - timedelta(days=1), DAY + timedelta(days=1))
    links = read(renderer().repo_day(full_page(), around)).links
    assert {"2026-02-20.html", "2026-02-22.html", "../../index.html", "../../weeks/2026-W08.html"} <= {*links}


def test_the_rollup_of_a_week_leads_into_the_site_and_nowhere_else() -> None:
    html = every_page([full_page()], "en")[places.week_page(DAY)]
    page = read(html)
    assert "../ada/engine/2026-02-21.html" in page.links
    assert "https://git.example/b" in page.links
    assert not [link for link in page.links if ".md" in link or "evil" in link]
    for said in ("The week in short", "ada/engine", "elsewhere", "7 more", "<script>alert(1)</script>"):
        assert said in page.text, said
    assert "the week over all" not in page.text
    assert html.count("<details><summary>7 more</summary>") == 1


def test_the_calendar_can_be_read_without_colours() -> None:
    quiet = replace(full_page(DAY - timedelta(days=1)), commits=(), headline=None, parts=())
    days = {DAY: [outline(full_page(), "en")], quiet.day: [outline(quiet, "en")]}
    html = renderer().start(days)
    assert re.search(r'class="field level-1" [^>]*>21<span class="unseen">: 7 commits, 2 high</span>', html)
    assert re.search(r'class="field level-0" [^>]*>20<span class="unseen">: 0 commits, none of high', html)


def test_hostile_words_are_words() -> None:
    for path, html in every_page([hostile_page()], "en").items():
        page = read(html)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069\u200b\ufffe]", html), path
        # What leads out was written into a message as a link to the web; no model and no title can do that.
        out = {link for link in page.links if "evil.example" in link}
        assert out <= {"https://evil.example/pixel.png"}, path
        assert len(html) < 1_500_000, path


def test_an_outline_is_the_same_after_it_was_kept() -> None:
    one = outline(full_page(), "en")
    kept = outline_type().dump_python(one, mode="json")
    assert outline_type().validate_python(kept) == one


def test_the_search_finds_titles_summaries_and_paths_and_no_markup() -> None:
    text = document(full_page(), renderer().words)
    for found in (
        "修 复 内 存 泄 漏",
        "路 由 器",
        "lib engine core rs",
        "docs 引 擎 md",
        "speculative decoding",
    ):
        assert found in re.sub(" +", " ", text), found
    hostile = document(hostile_page(), renderer().words)
    assert set(re.findall(r"<(\w+)", hostile)) == {"html", "head", "title", "body", "h1", "h3", "p"}
    assert tokens("`KvRouter::route_all` 修复 a-b") == ["kvrouter", "route", "all", "修", "复", "a", "b"]


def test_the_script_takes_questions_apart_as_the_search_takes_texts() -> None:
    script = asset("app.js").decode()
    for sign in ("3040-\\\\u30ff", "3400-\\\\u4dbf", "4e00-\\\\u9fff", "f900-\\\\ufaff"):
        assert sign in script
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", script
    )


def test_nothing_is_loaded_from_anywhere_else() -> None:
    for name in FILES:
        text = asset(name).decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|url\(|@import", text), name


@pytest.mark.parametrize("title", ["", "  \n\nbody", "\u202e"])
def test_a_commit_without_a_title_has_a_name(title: str) -> None:
    page = replace(full_page(), commits=(entry(title, sha="a" * 40),), headline=None, parts=(), themes=())
    html = renderer().repo_day(page)
    assert "aaaaaaa" in read(html).text


def test_both_languages_have_all_words() -> None:
    def shape(table: Mapping[str, object]) -> dict[str, object]:
        return {
            key: shape(value)
            if isinstance(value, dict)
            else sorted(set(re.findall(r"\{(\w+)\}", f"{value}")))
            for key, value in table.items()
            if "date" not in key
        }

    assert shape(labels("en")) == shape(labels("zh"))
