"""Pages of weeks and months, from commits and models that write whatever they like."""

from __future__ import annotations

import re
import string
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest_pipeline.domain.day import span_window
from digest_pipeline.domain.followups import DayCommit, Fate, Proof
from digest_pipeline.domain.page import ThemeKind
from digest_pipeline.domain.period import Month, Period, Week
from digest_pipeline.domain.rollup import (
    Before,
    BusyPlace,
    Coverage,
    DayCount,
    DayMention,
    Newcomer,
    Regret,
    RepoRollup,
    RolledPart,
    RolledTheme,
    Rollup,
)
from digest_pipeline.render import words
from digest_pipeline.render.bars import WIDTH, block_size, sparkline, stacked
from digest_pipeline.render.rollup import RollupRenderer
from digest_pipeline_tests.render.reading import anchors, every, headings, local_links, parse, rows, shown
from digest_pipeline_tests.render.test_escape import nasty

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest_pipeline.domain.analysis import Language

ZONE = ZoneInfo("Asia/Shanghai")
WEEK = Week(2026, 8)
DAYS = tuple(WEEK.days())
LANGUAGES: tuple[Language, ...] = ("zh", "en")
RENDERERS = {language: RollupRenderer(language, ZONE) for language in LANGUAGES}
LINK = re.compile(r"\.\./\.\./ada/engine/2026/2026-02-\d\d\.md#ada~engine(-[0-9a-f]{12})?")


def commit(number: int = 1, title: str = "feat: a part", *, after: int = 0, **more: Any) -> DayCommit:  # noqa: ANN401
    values: dict[str, Any] = {"pull_request": None, "url": None, "tier": "high", "score": 12}
    return DayCommit(DAYS[0] + timedelta(days=after), f"{number:012x}{0:028x}", title, **(values | more))


def week(repo: RepoRollup, *, language: Language = "en", is_over: bool = True, period: Period = WEEK) -> str:
    window = span_window([period.first, period.last], ZONE)
    days = tuple(day.day for day in repo.days)
    return RENDERERS[language].rollup(Rollup(period, window, days, is_over, (repo,)))


def counted(*counts: tuple[int, int, int]) -> tuple[DayCount, ...]:
    """A day for each triple, from Monday on."""
    return tuple(
        DayCount(day, "made", dict(zip(("high", "medium", "low"), count, strict=True)))
        for day, count in zip(DAYS, counts, strict=False)
    )


def repo(*counts: tuple[int, int, int], **more: Any) -> RepoRollup:  # noqa: ANN401
    days = counted(*counts)
    total = sum(day.commits for day in days)
    return RepoRollup("ada/engine", days, **({"coverage": Coverage(total, total, is_offline=True)} | more))


def headline(page: str) -> str:
    """The paragraph that the repo's part opens with, as it reads."""
    part = page.split("\n## ada/engine\n\n")[1]
    inline = next(token for token in parse(part) if token.type == "inline")
    return "".join(
        token.content
        for token in inline.children or []
        if token.type in ("text", "text_special", "code_inline")
    )


# --- what it says -----------------------------------------------------------------------------------------

HEADLINES: Mapping[str, tuple[RepoRollup, str, str]] = {
    "one commit": (repo((0, 1, 0)), "1 commit, 🟡 medium.", "1 个提交，🟡 中。"),
    "none that is high": (
        repo((0, 1, 0), (0, 0, 1)),
        "2 commits on 2 days, none of high importance.",
        "2 天内共 2 个提交，没有高重要度的。",
    ),
    "all on a day, one high": (
        repo((1, 1, 0), high=(commit(),)),
        "2 commits on 1 day, 1 of them of high importance. Highest by score: feat: a part.",
        "1 天内共 2 个提交，其中 1 个高重要度。评分最高：feat: a part。",
    ),
    "beside the week before": (
        repo((0, 0, 2), before=Before(1, 0)),
        "2 commits on 1 day, none of high importance. The week before had 1 commit, 0 high.",
        "1 天内共 2 个提交，没有高重要度的。前一周有 1 个提交，其中 0 个高重要度。",
    ),
    "parts": (
        repo(
            (0, 0, 3),
            parts=(
                RolledPart("breaking", (DayMention(commit(1), "a"),)),
                RolledPart("security", (DayMention(commit(2), "b"), DayMention(commit(3), "c"))),
            ),
        ),
        "3 commits on 1 day, none of high importance. Among them: 1 breaking change or deprecation, 2 about security.",
        "1 天内共 3 个提交，没有高重要度的。其中：破坏性变更或弃用 1 项，安全 2 项。",
    ),
    "places": (
        repo((0, 0, 2), directories=(BusyPlace("lib/a", 2, (2,)), BusyPlace("docs", 1, (1,)))),
        "2 commits on 1 day, none of high importance. Most was done in lib/a (2 commits), docs (1 commit).",
        "1 天内共 2 个提交，没有高重要度的。改动最集中于 lib/a（2 个提交）、docs（1 个提交）。",
    ),
    "people": (
        repo(
            (0, 0, 2), newcomers=tuple(Newcomer(name, DAYS[0], 1) for name in ("Al", "Bo", "Cy", "Di", "Ed"))
        ),
        "2 commits on 1 day, none of high importance. Al, Bo, Cy and 2 more are new here.",
        "1 天内共 2 个提交，没有高重要度的。首次出现的作者：Al、Bo、Cy 等另外 2 个。",
    ),
    "nothing": (repo((0, 0, 0)), "No commits in this week.", "本周没有提交。"),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_the_headline_is_made_of_facts_in_whole_sentences(case: str) -> None:
    value, english, chinese = HEADLINES[case]
    assert headline(week(value, language="en")) == english
    assert headline(week(value, language="zh")) == chinese


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_without_anything_to_say_are_not_there(language: Language) -> None:
    page = week(repo((0, 0, 0)), language=language)
    assert [level for level, _ in headings(parse(page))] == [1, 2, 2]
    full = week(repo((0, 0, 1)), language=language)
    assert [level for level, _ in headings(parse(full))] == [1, 2, 2, 3]  # the trend


PROOFS: Mapping[Proof, tuple[str, str]] = {
    "sha": ("abc1234", "it names abc1234"),
    "pull_request": ("#12", "it names #12"),
    "title": ("a title", "it quotes its title"),
    "files": ("3/4", "3 of its 4 files are the same, and nobody else changed them in between"),
}


@pytest.mark.parametrize("proof", PROOFS)
def test_what_became_of_a_commit_stands_with_its_proof(proof: Proof) -> None:
    detail, words = PROOFS[proof]
    fate = Fate(
        commit(1), commit(2, "fix: it", after=2), "fixed", proof, detail, back=commit(3, "back", after=3)
    )
    page = week(repo((1, 0, 0), regrets=(Regret(commit(1), (fate,)),)))
    said = [shown(token.children or []) for token in parse(page) if token.type == "inline"]
    assert any("(02-16, score 12)" in line for line in said)
    assert any(words in line.replace("`", "") and "brought back 02-19" in line for line in said)


def test_a_period_under_way_and_days_that_are_missing_are_said() -> None:
    days = (
        *counted((1, 0, 0)),
        DayCount(DAYS[1], "missing"),
        DayCount(DAYS[2], "missing"),
        DayCount(DAYS[3], "unreadable", error="no such host | <b>"),
    )
    page = week(RepoRollup("ada/engine", days, coverage=Coverage(1, 1)), is_over=False)
    assert "these are its days up to 2026-02-19" in page
    assert "Not made, or not to the end: 02-17 – 02-18" in page
    assert "Could not be read: 02-19: no such host | \\<b>" in page
    assert "1 of 4" in page
    assert [len(cells) for cells in rows(page)] == [7, 6, 6, 6, 6]


def test_a_period_of_one_commit_that_is_folded_says_so() -> None:
    none = {"high": 0, "medium": 0, "low": 0}
    days = (DayCount(DAYS[0], "made", none, folded=1),)  # type: ignore[arg-type] # words of Tier
    found = RepoRollup("ada/engine", days, coverage=Coverage(commits=1))
    text = week(found)

    assert headline(text).startswith("1 commit, 🤖🧹 folded.")
    assert "| 1 | 0 | 0 | 0 | 1 | " in text


def test_a_long_list_is_folded_and_loses_nothing() -> None:
    commits = tuple(commit(number, score=number) for number in range(1, 41))
    part = RolledPart("security", tuple(DayMention(one, "why") for one in commits))
    before, parts, high = week(repo((40, 0, 0), high=commits[::-1], parts=(part,))).split("<details>\n")
    folded, _, between = parts.partition("</details>\n")
    assert (before.count("\n- "), folded.count("\n- ")) == (15, 25)
    assert (between.count("\n1. "), high.count("\n- ")) == (15, 25)
    # The heaviest stand open, in the order of the days.
    assert re.findall(r"ada~engine-([0-9a-f]{12})", before)[-15:] == [
        f"{number:012x}" for number in range(26, 41)
    ]


def test_the_same_value_gives_the_same_bytes_and_a_month_is_called_one() -> None:
    value = repo((1, 2, 3), before=Before(9, 3))
    assert week(value) == week(value)
    page = week(value, period=Month(2026, 2))
    assert page.startswith("# Monthly digest 2026-02 (2026-02-01 – 2026-02-28)\n")
    assert "The month before had 9 commits, 3 high." in page


# --- charts -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(*[st.integers(0, 300)] * 3), min_size=1, max_size=31))
def test_bars_are_longer_for_more_fit_the_page_and_show_whatever_is_there(
    days: list[tuple[int, int, int]],
) -> None:
    size = block_size([sum(day) for day in days])
    for day in days:
        bar = stacked(day, size)
        assert len(bar) <= WIDTH + 3
        assert [mark in bar for mark in "█▓░"] == [count > 0 for count in day]
        assert list(bar) == sorted(bar, key="█▓░·".index)
        assert all(bar.count(mark) >= count / size for mark, count in zip("█▓░", day, strict=True))


@given(st.lists(st.integers(0, 50), max_size=31))
def test_a_sparkline_has_a_character_a_day_and_keeps_their_order(values: list[int]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    for (one, mark), (other, next_mark) in pairwise(zip(values, line, strict=True)):
        if one and other and one <= other:
            assert mark <= next_mark
    assert [mark == "·" for mark in line] == [value == 0 for value in values]
    assert sparkline((0, 1, 4, 8)) == "·▁▄█"


# --- labels -----------------------------------------------------------------------------------------------


def texts(table: Any, at: str = "") -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 - TOML
    """Every text of the labels with the names of what is filled in."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield from texts(value, f"{at}.{key}")
    elif isinstance(table, list):
        yield (
            at,
            [str(len(table)), *(name for item in table[1:] for _, names in texts(item) for name in names)],
        )
    else:
        yield at, sorted({name for _, name, _, _ in string.Formatter().parse(table) if name} - {"n"})


def test_both_languages_have_the_same_labels_for_the_same_facts() -> None:
    zh, en = (dict(texts(words.labels(language)["rollup"])) for language in LANGUAGES)
    assert zh.keys() == en.keys()
    assert zh == en


# --- hostile text -----------------------------------------------------------------------------------------

commits = st.builds(
    lambda number, title, after, has_page, gist: commit(
        number, title, after=after, has_page=has_page, gist=gist, url="https://a.example/1"
    ),
    st.integers(1, 3),
    nasty,
    st.integers(0, 2),
    st.booleans(),
    nasty,
)


@st.composite
def rollups(draw: st.DrawFn) -> RepoRollup:
    mentions = st.builds(DayMention, commits, nasty)
    fates = st.builds(
        Fate,
        commits,
        commits,
        st.sampled_from(["reverted", "fixed"]),
        st.sampled_from(["sha", "pull_request", "title", "files"]),
        nasty,
        st.one_of(st.none(), commits),
    )
    return RepoRollup(
        "ada/engine",
        (*counted((1, 2, 0), (0, 0, 0)), DayCount(DAYS[2], "unreadable", error=draw(nasty))),
        parts=(RolledPart("breaking", tuple(draw(st.lists(mentions, min_size=1, max_size=2)))),),
        themes=tuple(
            RolledTheme(kind, draw(nasty), (draw(commits),), (draw(commits),))
            for kind in draw(st.lists(st.sampled_from(get_args(ThemeKind)), max_size=2))
        ),
        high=tuple(draw(st.lists(commits, max_size=2))),
        regrets=tuple(Regret(fate.commit, (fate,)) for fate in draw(st.lists(fates, max_size=2))),
        newcomers=(Newcomer(draw(nasty), date(2026, 2, 16), 1),),
        directories=(BusyPlace(draw(nasty), 1, (1, 0, 0)),),
        coverage=Coverage(3, 3, models=(draw(nasty),)),
    )


@settings(max_examples=40)
@given(rollups(), st.sampled_from(LANGUAGES))
def test_no_commit_and_no_model_can_change_how_a_rollup_is_built(
    value: RepoRollup, language: Language
) -> None:
    page = week(value, language=language)
    tokens = parse(page)
    levels = [level for level, _ in headings(tokens)]
    optional = [value.regrets, value.themes, value.high]
    assert levels == [1, 2, 2, *[3] * (1 + 1 + sum(map(bool, optional)) + 1 + 1)]
    assert [len(cells) for cells in rows(page)] == [7, 6, 6, 6, 3]
    targets = anchors(tokens)
    assert {unquote(link) for link in local_links(tokens)} <= set(targets)
    assert len(targets) == len(set(targets))
    for token in every(tokens):
        if token.type == "link_open":
            target = unquote(str(token.attrGet("href")))
            assert target.startswith("#") or target == "https://a.example/1" or LINK.fullmatch(target), target
        elif token.type in ("html_inline", "html_block"):
            assert re.fullmatch(r'<a id="[^"]+">|</a>', token.content), token.content
        assert token.type not in ("image", "s_open", "code_block", "fence", "hr")
