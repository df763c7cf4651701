"""Whole pages from commits and models that write whatever they like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, get_args
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest_pipeline.domain.analysis import Analysis, Status
from digest_pipeline.domain.cues import TOPICS
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.importance import TIERS, Reason
from digest_pipeline.domain.page import (
    BusyDirectory,
    CommitEntry,
    Context,
    Delta,
    DigestEntry,
    Earlier,
    FilteredOut,
    Headline,
    Mention,
    Part,
    RepoPage,
    Theme,
    ThemeKind,
    without_failures,
    without_request,
)
from digest_pipeline.render.markdown import (
    MarkdownRenderer,
    body_of,
    headline_of,
    slug,
)
from digest_pipeline_tests.render.reading import anchors, every, headings, local_links, parse, rows, shown
from digest_pipeline_tests.render.test_escape import nasty

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.domain.page import Folded

DAY = date(2026, 2, 21)
ZONE = ZoneInfo("Asia/Shanghai")
RENDERERS: dict[Language, MarkdownRenderer] = {
    "zh": MarkdownRenderer("zh", ZONE),
    "en": MarkdownRenderer("en", ZONE),
}
HTML = ("<br>", "</a>", "<details>", "</details>", "<summary>", "</summary>")


def entry(
    number: int = 1,
    *,
    message: str = "feat: a thing",
    author: str = "Ada",
    tier: Tier = "high",
    status: Status = "ok",
    analysis: Analysis | None = None,
    reasons: tuple[Reason, ...] = (Reason("title", 8, "feat"),),
    model: str = "offline",
    error: str | None = None,
    attempts: int = 1,
    unread: tuple[str, ...] = (),
    complete: bool = True,
    url: str | None = None,
    pull_request: int | None = None,
    labels: tuple[str, ...] = (),
    folded: Folded | None = None,
) -> CommitEntry:
    if status == "ok" and analysis is None:
        analysis = Analysis(change_type="New feature", summary=["a thing"])
    return CommitEntry(
        sha=f"{number:040x}",
        author_name=author,
        authored_at=datetime(2026, 2, 21, 3, 4, 5, tzinfo=UTC),
        message=message,
        title=message.strip().partition("\n")[0].strip(),
        url=url,
        tier=tier,
        score=10,
        reasons=reasons,
        status=status,
        analysis=analysis,
        model=model,
        is_offline=model == "offline",
        attempts=attempts,
        error=error,
        unread=unread,
        complete=complete,
        pull_request=pull_request,
        labels=labels,
        folded=folded,
    )


def page(*commits: CommitEntry, repo: str = "owner/name", language: Language = "en") -> str:
    return RENDERERS[language].page(RepoPage(repo, DAY, day_window(DAY, ZONE), commits))


def test_a_title_without_end_is_cut_in_its_heading_and_whole_in_the_message() -> None:
    title = "feat: " + "x" * 100_000
    lines = page(entry(message=title)).splitlines()
    assert [len(line) for line in lines if line.startswith("#### ")] == [len("#### ") + 300]
    assert sum(title in line for line in lines) == 1


points = st.lists(nasty.filter(bool), max_size=2)
analyses = st.builds(
    Analysis,
    change_type=nasty,
    summary=points,
    scope=points,
    architecture=points,
    performance=points,
    security=points,
    risks=points,
    advice=points,
)


@st.composite
def entries(draw: st.DrawFn) -> tuple[CommitEntry, ...]:
    return tuple(
        entry(
            number * 2**112 + number,
            message=draw(nasty),
            author=draw(nasty),
            tier=draw(st.sampled_from(TIERS)),
            status=status,
            analysis=draw(analyses) if status == "ok" else None,
            reasons=(Reason("message:words", 3, draw(nasty)),),
            model=draw(st.sampled_from(["offline", "`a` model|", "m"])),
            error=draw(st.one_of(st.none(), nasty)),
            unread=tuple(draw(st.lists(nasty, max_size=2))),
            complete=draw(st.booleans()),
            url=draw(st.sampled_from([None, "https://a.example/commit/1"])),
            pull_request=draw(st.sampled_from([None, 12, number])),
            labels=tuple(draw(st.lists(nasty, max_size=2))),
            folded=draw(st.sampled_from([None, None, "bot", "reformat"])),
        )
        for number in range(1, draw(st.integers(0, 3)) + 1)
        for status in [draw(st.sampled_from(get_args(Status)))]
    )


@st.composite
def stories(draw: st.DrawFn) -> RepoPage:
    """A page that tells all that a page can, of commits and people that write whatever they like."""
    commits = draw(entries())
    shas = [commit.sha for commit in commits]
    some = (
        st.lists(st.sampled_from(shas), unique=True, min_size=1, max_size=3).map(tuple)
        if shas
        else st.just(())
    )
    earlier = st.builds(
        Earlier,
        st.just(DAY),
        st.just("e" * 40),
        nasty,
        st.sampled_from([None, 7]),
        st.sampled_from([None, "https://a.example/commit/1"]),
    )
    directory = st.builds(
        BusyDirectory,
        nasty.filter(bool),
        st.integers(1, 9),
        st.lists(st.integers(0, 9), max_size=30).map(tuple),
    )
    delta = st.builds(Delta, st.integers(0, 2000), st.sampled_from([0.0, 1.5, 1234.0]))
    page = RepoPage("owner/name", DAY, day_window(DAY, ZONE), commits)
    filtered = st.lists(
        st.builds(FilteredOut, st.one_of(st.just("paths"), nasty), st.integers(1, 3)), max_size=2
    )
    if not commits:
        return replace(page, filtered=tuple(draw(filtered)))
    return replace(
        page,
        headline=draw(st.builds(Headline, st.lists(nasty, max_size=4).map("#12. #1! A ".join), some)),
        parts=tuple(
            Part(topic, tuple(Mention(sha, draw(nasty)) for sha in draw(some)))
            for topic in draw(st.lists(st.sampled_from(TOPICS), unique=True))
        ),
        themes=tuple(
            draw(
                st.lists(
                    st.builds(
                        Theme,
                        st.sampled_from(get_args(ThemeKind)),
                        nasty.filter(bool),
                        some,
                        st.lists(earlier, max_size=4).map(tuple),
                    ),
                    max_size=2,
                )
            )
        ),
        context=Context(
            draw(st.integers(0, 7)),
            draw(delta),
            draw(delta),
            draw(delta),
            tuple(draw(st.lists(directory, max_size=2))),
            tuple(draw(st.lists(nasty, max_size=3))),
        ),
        filtered=tuple(draw(filtered)),
        rendered_at=draw(st.sampled_from([None, datetime(2026, 2, 22, tzinfo=UTC)])),
    )


def assert_well_built(text: str) -> None:
    """Levels nest, every link leads to a target of this page or where it may, and nothing acts but what is ours."""
    __tracebackhide__ = True
    tokens = parse(text)
    levels = [level for level, _ in headings(tokens)]
    targets = anchors(tokens)
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert {unquote(link) for link in local_links(tokens)} <= set(targets)
    assert len(targets) == len(set(targets))
    for token in every(tokens):
        assert token.type not in ("image", "s_open", "fence", "code_block", "ordered_list_open")
        if token.type in ("html_inline", "html_block"):
            assert token.content.startswith(("<a id=", *HTML))
        if token.type == "link_open":
            assert str(token.attrGet("href")).startswith(("#", "https://a.example/commit/1"))


@settings(max_examples=100)
@given(stories(), st.sampled_from(["zh", "en"]))
def test_every_commit_has_one_row_and_one_section_and_all_else_links_to_it(
    story: RepoPage, language: Language
) -> None:
    text = RENDERERS[language].page(story)
    tokens = parse(text)
    sections = [name for name in anchors(tokens) if name.startswith("owner~name-0")]

    assert_well_built(text)
    assert len(rows(text)) == len(story.commits)
    assert sorted(sections) == sorted(f"owner~name-{commit.sha[:12]}" for commit in story.commits)
    assert sum(level == 4 for level, _ in headings(tokens)) == len(story.commits)
    topics = [name for name in anchors(tokens) if name.rpartition("-")[2] in TOPICS]
    assert topics == [f"owner~name-{part.topic}" for part in story.parts]
    if story.commits:
        digest = RENDERERS[language].digest(
            DAY, [DigestEntry("owner/name", body_of(text), None, headline=headline_of(text))]
        )
        assert_well_built(digest)
        assert len(rows(digest)) == len(story.commits) + 1


@settings(max_examples=60)
@given(stories(), st.sampled_from(["zh", "en"]))
def test_a_brief_page_stands_on_its_own(story: RepoPage, language: Language) -> None:
    text = RENDERERS[language].page(story, edition="brief")
    high = [commit for commit in story.commits if commit.tier == "high" and commit.folded is None]

    assert_well_built(text)
    assert rows(text) == []
    assert [level for level, _ in headings(parse(text))].count(4) == len(high)
    assert "<details>" not in text


@settings(max_examples=60)
@given(stories(), st.sampled_from(["zh", "en"]))
def test_when_a_page_was_rendered_stands_on_a_line_of_its_own(story: RepoPage, language: Language) -> None:
    pages = RENDERERS[language]
    stamped = replace(story, rendered_at=datetime(2026, 2, 22, tzinfo=UTC))

    assert pages.unstamped(pages.page(stamped)) == pages.page(replace(story, rendered_at=None))


@settings(max_examples=60)
@given(entries(), st.sampled_from(["zh", "en"]), st.one_of(st.none(), nasty))
def test_no_commit_and_no_model_can_change_how_a_page_is_built(
    commits: tuple[CommitEntry, ...], language: Language, error: str | None
) -> None:
    single = page(*commits, language=language)
    both = RENDERERS[language].digest(
        DAY,
        [
            DigestEntry("owner/name", body_of(single), error, commits=len(commits)),
            DigestEntry("b/c_d", None, error),
        ],
    )
    tiers = {commit.tier for commit in commits if commit.folded is None}
    sections = 2 + len(tiers) + len(commits) if commits else 0  # statistics, contents, tiers, commits

    for text, more_headings, more_rows in ((single, 2, 0), (both, 4, 2)):
        assert_well_built(text)
        assert len(headings(parse(text))) == more_headings + sections
        assert len(rows(text)) == len(commits) + more_rows
    folded = [part.partition("</details>")[0] for part in single.split("<details>")[1:]]
    low = sum(commit.tier == "low" and commit.folded is None for commit in commits)
    told_in_a_line = sum(commit.folded is not None for commit in commits)
    assert [part.count("\n#### ") for part in folded] == [
        number for number in (low, told_in_a_line) if number
    ]


@given(entries())
def test_the_same_rows_give_the_same_bytes(commits: tuple[CommitEntry, ...]) -> None:
    fresh = MarkdownRenderer("en", ZONE).page(RepoPage("owner/name", DAY, day_window(DAY, ZONE), commits))

    assert page(*commits) == fresh


@pytest.mark.parametrize(
    ("language", "came", "went", "expected"),
    [
        ("en", 0, 0, "Updated 2026-02-22 11:30"),
        ("en", 1, 0, "Updated 2026-02-22 11:30: 1 commit came, 0 went"),
        ("en", 2, 1, "Updated 2026-02-22 11:30: 2 commits came, 1 went"),
        ("en", 0, 3, "Updated 2026-02-22 11:30: 0 commits came, 3 went"),
        ("zh", 0, 0, "更新于 2026-02-22 11:30"),
        ("zh", 1, 2, "更新于 2026-02-22 11:30：新增 1 个提交，移除 2 个提交"),
    ],
)
@pytest.mark.parametrize("commits", [(), (entry(),)], ids=["no commits", "a commit"])
def test_a_page_that_changed_says_when_below_what_it_covers(
    commits: tuple[CommitEntry, ...], language: Language, came: int, went: int, expected: str
) -> None:
    updated_at = datetime(2026, 2, 22, 3, 30, 59, tzinfo=UTC)
    plain = RepoPage("owner/name", DAY, day_window(DAY, ZONE), commits)
    text = RENDERERS[language].page(replace(plain, updated_at=updated_at, came=came, went=went))
    assert text.count(f"\n>\n> {expected}\n") == 1
    assert text.replace(f"\n>\n> {expected}\n", "\n") == RENDERERS[language].page(plain)
    # What came and went is told with the time alone.
    assert RENDERERS[language].page(replace(plain, came=came, went=went)) == RENDERERS[language].page(plain)


@pytest.mark.parametrize("message", ["", "\u200b", "  \n "])
def test_a_commit_without_a_message_goes_by_its_sha(message: str) -> None:
    text = page(entry(0xABCDEF0 << 132, message=message))

    assert (4, "abcdef0") in headings(parse(text))
    assert "    - [abcdef0](#owner~name-abcdef000000)\n" in text


def test_a_failure_shows_attempts_and_error_and_that_there_is_no_analysis() -> None:
    text = page(entry(status="failed", error="400: <too> long", attempts=3), language="zh")

    assert r"⚠️ LLM分析失败（已重试3次）: 400: \<too> long" in text
    assert "*暂无分析*" in text
    assert "失败 1" in text


def test_a_deferral_says_that_it_will_be_tried_again() -> None:
    text = page(entry(status="deferred", error="quota"))

    assert "⏳ Analysis deferred, it will be tried again: quota" in text
    assert "0 analysed, 0 failed, 1 deferred" in text


def test_without_an_address_no_link_is_written() -> None:
    assert "view commit" not in page(entry())
    assert "🔗 [view commit](https://a.example/1)" in page(entry(url="https://a.example/1"))


def test_files_without_their_patch_are_named_and_counted() -> None:
    paths = tuple(f"a/{number}`.py" for number in range(12))

    text = page(entry(unread=paths))

    assert "Files without their patch (12): ``a/0`.py``, " in text
    assert "``a/9`.py`` …" in text
    assert "a/10" not in text
    assert "| 12 files without their patch" in text


def test_a_commit_whose_files_were_cut_says_so() -> None:
    assert "did not give all files" in page(entry(complete=False))
    assert "did not give all files" not in page(entry())


def test_a_tier_without_commits_is_left_out() -> None:
    text = page(entry(tier="medium"))

    assert "Medium importance (1)" in text
    assert "High importance" not in text
    assert "<details>" not in text


def test_the_depth_of_a_section_is_that_of_its_tier() -> None:
    analysis = Analysis(
        change_type="t",
        summary=["one", "two"],
        scope=["s"],
        architecture=["a"],
        performance=["p"],
        security=["x", "y"],
        risks=["r"],
        advice=["d"],
    )
    high = page(entry(tier="high", analysis=analysis, model="m"))
    low = page(entry(tier="low", analysis=Analysis(change_type="t", summary=["one"]), model="m"))

    fields = ["Type", "Importance", "Summary", "Scope", "Insight", "Risks", "Advice"]
    assert [field for field in fields if f"{field}**: " in high] == fields
    assert [field for field in fields if f"{field}**: " in low] == fields[:3]
    assert "- **Security**: \n  - x\n  - y\n" in high
    assert "model `m`" in high


def test_a_point_that_shows_nothing_is_left_out_and_makes_no_heading_of_the_line_above() -> None:
    text = page(
        entry(analysis=Analysis(change_type="t", summary=["\u200b"], security=[" ", "x"], risks=[""]))
    )

    assert "- **Security**: x\n" in text
    assert "Risks" not in text
    assert [level for level, _ in headings(parse(text))] == [1, 2, 3, 3, 3, 4]


@pytest.mark.parametrize(
    ("language", "other"), [("en", "**🎯 Type**: Other"), ("zh", "**🎯 变更类型**：其他")]
)
def test_a_kind_of_change_without_a_name_is_called_other(language: Language, other: str) -> None:
    for kind in ("", " ", "\u200b"):
        one = entry(tier="low", analysis=Analysis(change_type=kind, summary=["one"]), model="m")

        assert other in page(one, language=language)


def test_the_points_behind_a_tier_can_be_shown_or_not() -> None:
    hidden = MarkdownRenderer("en", ZONE, show_reasons=False)
    one = entry(reasons=(Reason("title", 8, "feat"), Reason("size", 2, "185"), Reason("kind", 0, "doc 1/1")))

    assert "> 📐 Score 10: type feat +8 · lines 185 +2 · kind doc 1/1 +0" in page(one)
    assert "📐" not in hidden.page(RepoPage("a/b", DAY, day_window(DAY, ZONE), (one,)))


def test_a_window_that_changes_the_clock_is_shown_in_local_time() -> None:
    zone = ZoneInfo("Europe/Berlin")
    day = date(2026, 3, 29)

    text = MarkdownRenderer("en", zone).page(RepoPage("a/b", day, day_window(day, zone), (entry(),)))

    assert "window 2026-03-29 00:00 – 2026-03-30 00:00 (Europe/Berlin)" in text


def test_a_digest_names_repos_that_failed_wait_or_lack_analyses() -> None:
    body = body_of(page(entry()))
    text = RENDERERS["en"].digest(
        DAY,
        [
            DigestEntry("a/good", body, None, commits=2, high=1, low=1),
            DigestEntry("a/poor", body, None, commits=1, high=1, unanalysed=1),
            DigestEntry("a/dead", None, "no | access"),
            DigestEntry("a/late", None, None),
        ],
    )

    cells = [[shown(cell.children or []) for cell in row] for row in rows(text)[:4]]
    states = [next(cell for cell in reversed(row)) for row in cells]
    assert states == ["✅", "🟠 1 commit without an analysis", "⚠️ could not be read", "⏳ not made yet"]
    assert "4 repositories, 3 commits | 🔴 high 2 | 🟡 medium 0 | 🟢 low 1" in text
    assert "> ⚠️ Could not be read: no | access" in text
    assert "> ⏳ The report of this day has not been made yet" in text


def test_folded_commits_stand_behind_one_line_that_says_how_many_and_whose() -> None:
    text = page(
        entry(1),
        entry(2, author="robot<b>", folded="bot", tier="low"),
        entry(3, author="robot<b>", folded="bot", tier="high"),
        entry(4, author="Ada", folded="reformat"),
    )

    assert (
        "4 commits | 🔴 high 1 | 🟡 medium 0 | 🟢 low 0 | 🤖 2 commits by bots | 🧹 1 pure reformatting\n"
        in text
    )
    line = "🤖 2 commits by bots (robot&lt;b&gt;) · 🧹 1 pure reformatting (Ada)"
    assert f"<details>\n<summary>{line}</summary>" in text
    assert "  - [🤖 2 commits by bots | 🧹 1 pure reformatting](#owner~name-folded)\n" in text
    assert text.count("](#owner~name-000000000000)") == 1, "the contents name the other one alone"
    assert "High importance (1)" in text


def test_a_headline_leads_to_the_commits_that_it_names_and_stands_in_the_digest() -> None:
    commits = (entry(1, pull_request=12), entry(1 << 135, tier="low", url="https://a.example/commit/1"))
    headline = Headline(
        "One thing (#12). Another, 0000008; `#12` and !#12 and #120 lead nowhere. 3. rd",
        (commits[0].sha, commits[1].sha),
    )
    story = replace(RepoPage("o/n", DAY, day_window(DAY, ZONE), commits), headline=headline)
    text = RENDERERS["en"].page(story)

    assert (
        "## o/n\n\nOne thing ([#12](#o~n-000000000000)).\nAnother, [0000008](#o~n-000000800000); `#12` and"
        in text
    )
    assert "!#12 and #120 lead nowhere.\n3\\. rd\n\n> Coverage" in text
    assert headline_of(text).startswith("One thing ([#12](#o~n-000000000000)). Another, [0000008]")
    assert headline_of(page(entry())) == ""
    brief = RENDERERS["en"].page(story, edition="brief")
    assert "Another, [0000008](https://a.example/commit/1);" in brief


def test_a_number_that_is_the_beginning_of_another_one_is_not_named_by_it() -> None:
    commit = entry(1, message="Goes on from #6105", pull_request=610)
    story = RepoPage("o/n", DAY, day_window(DAY, ZONE), (commit,))
    story = replace(
        story,
        headline=Headline("It goes on from #6105.", (commit.sha,)),
        parts=(Part("breaking", (Mention(commit.sha, ""),)),),
    )
    text = RENDERERS["en"].page(story)

    assert "\nIt goes on from #6105.\n→ [#610](#o~n-000000000000)\n" in text
    assert "[Goes on from #6105 (#610)](#o~n-000000000000)" in text


def test_the_header_says_what_was_filtered_out_and_a_filtered_day_is_not_called_quiet() -> None:
    filtered = (FilteredOut("paths", 10), FilteredOut("bots", 2))
    plain = RepoPage("owner/name", DAY, day_window(DAY, ZONE), (), filtered=filtered)

    assert "\n> 12 commits filtered out: 10 by paths, 2 by bots\n" in RENDERERS["en"].page(plain)
    assert "No commits on this day that pass the filter." in RENDERERS["en"].page(plain)
    assert "> 过滤掉 12 个提交：按路径 10 个，机器人 2 个\n" in RENDERERS["zh"].page(plain)
    assert "1 commit filtered out: 1 by x" in RENDERERS["en"].page(
        replace(plain, commits=(entry(),), filtered=(FilteredOut("x", 1),))
    )


def test_no_two_repos_share_an_anchor() -> None:
    assert slug("a/b-c") != slug("a-b/c")
    assert slug("a_b/c") != slug("a/b_c")


def test_a_page_ends_with_one_line_break() -> None:
    for text in (page(), page(entry()), page(entry(tier="low")), RENDERERS["en"].digest(DAY, [])):
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_a_commit_is_dated_by_its_author_in_local_time() -> None:
    assert "| 2026-02-21 11:04:05 | Ada |" in page(entry())


# --- failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "shown_as"),
    [
        ("401 Unauthorized: no (api.example, request req_1)", "401 Unauthorized: no (api.example)"),
        ("not asked after 401: no (h:1, request 7f-a.b)", "not asked after 401: no (h:1)"),
        (f"503 (a{'x' * 90}.example, request 9b1c", f"503 (a{'x' * 90}.example)"),
        ("no answer within 120 s (api.example)", "no answer within 120 s (api.example)"),
        ("it asks (as in, request a) for (more)", "it asks (as in, request a) for (more)"),
        ("", ""),
    ],
)
def test_a_failure_is_shown_without_the_number_of_its_request(stored: str, shown_as: str) -> None:
    assert without_request(stored) == shown_as


def test_a_page_without_its_failures_has_its_commits_analyses_and_statuses() -> None:
    commits = (
        entry(1),
        entry(2, status="failed", error="a", attempts=3),
        entry(3, status="deferred", error="b"),
    )
    page = RepoPage("owner/name", DAY, day_window(DAY, ZONE), commits, cost=0.5)
    bare = without_failures(page)
    assert bare == without_failures(
        replace(page, cost=0.7, commits=(*commits[:1], *map(louder, commits[1:])))
    )
    assert [commit.status for commit in bare.commits] == ["ok", "failed", "deferred"]
    assert bare.commits[0] is commits[0]
    assert bare != without_failures(replace(page, commits=commits[:2]))


def louder(commit: CommitEntry) -> CommitEntry:
    return replace(commit, error=f"{commit.error}!", attempts=commit.attempts + 1)
