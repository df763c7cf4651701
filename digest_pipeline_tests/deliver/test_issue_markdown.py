"""A page as an issue: by GitHub's rules it mentions nobody and touches nothing, and its pieces fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.deliver.issue_markdown import host_of, pieces, quiet, size
from digest_pipeline.render import escape
from digest_pipeline_tests.fakes.hostile import HOSTILE
from digest_pipeline_tests.fakes.hub import acts

_WORDS = (
    *("GH-", "gh-", "o/r#1", "&#64;", "&num;", "fixes ", "@octocat", "www.", "](#1)", "https://"),
    *("github.com/o/r/pull/1", "github.com/o/r/issues/2", "\u200b", "\u2060"),
)
ALPHABET = st.sampled_from([*"@#aZ17/.-_ \\`[]()&;:\n|<>", *_WORDS])


def test_the_checker_finds_what_github_would_link() -> None:
    text = "@octocat, @octo/team; fixes #1, o/r#2 and GH-3 [x](https://github.com/o/r/pull/4) `@code #5`"
    assert sorted(acts(text)) == sorted(
        ["github.com/o/r/pull/4", "@octocat", "@octo/team", "#1", "o/r#2", "GH-3"]
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_mentions_refers_or_closes(text: str) -> None:
    for written in (
        escape.block(text),
        escape.heading(text),
        escape.message_cell(text),
        escape.code(text),
        text,
    ):
        assert acts(quiet(written)) == []


@given(st.lists(ALPHABET, max_size=30).map("".join))
def test_whatever_a_commit_says_acts_nowhere(text: str) -> None:
    assert acts(quiet(escape.block(text))) == []
    assert acts(quiet(f"| a |\n|---|\n| {escape.message_cell(text)} |\n")) == []


def test_links_to_threads_leave_no_trace_and_still_lead_there() -> None:
    page = "[#6](https://github.com/o/r/pull/6) [c](https://github.com/o/r/commit/abc)"
    assert "(https://redirect.github.com/o/r/pull/6)" in quiet(page)
    assert "(https://github.com/o/r/commit/abc)" in quiet(page)
    enterprise = quiet("[#6](https://git.acme.example/o/r/pull/6)", host="git.acme.example")
    assert "(https://git.acme.example/o/r/%70ull/6)" in enterprise


def test_an_anchor_that_begins_with_a_digit_still_leads_somewhere() -> None:
    assert quiet('<a id="01-ai~yi"></a>\n[x](#01-ai~yi)') == '<a id="01-ai~yi"></a>\n[x](#%301-ai~yi)'


@pytest.mark.parametrize(
    ("api", "host"),
    [("https://api.github.com", "github.com"), ("https://git.acme.example/api/v3", "git.acme.example")],
)
def test_the_host_of_an_api_is_known(api: str, host: str) -> None:
    assert host_of(api) == host


LINES = st.lists(
    st.sampled_from(
        [
            '<a id="x"></a>\n',
            "#### title\n",
            "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 5,
            "<details>\n<summary>low</summary>\n\n" + "- point\n" * 9 + "\n</details>\n",
            "text " * 20 + "\n",
            "表情🔥" * 30 + "\n",
            "x" * 900 + "\n",
            "\n",
        ]
    ),
    max_size=25,
).map("".join)


@given(LINES)
def test_every_piece_fits_and_none_of_the_page_is_lost(page: str) -> None:
    found = pieces(page, most=400)
    assert all(size(piece) <= 400 for piece in found)
    assert all(piece.count("<details>") == piece.count("</details>") for piece in found)
    assert _bare("".join(found)) == _bare(page)


def test_a_page_that_fits_is_one_piece_as_it_is() -> None:
    assert pieces("# A day\n\ntext\n") == ["# A day\n\ntext\n"]


def test_a_long_page_is_cut_before_a_section() -> None:
    page = "".join(f'<a id="{number}"></a>\n\n#### {number}\n\n{"word " * 20}\n\n' for number in range(20))
    assert all(piece.startswith("<a id=") for piece in pieces(page, most=1000))


def _bare(page: str) -> str:
    """A page without what a cut may repeat: fold marks, table heads, breaks."""
    page = re.sub(r"\| a \| b \|\n\|---\|---\|\n|</?details>|<summary>low</summary>", "", page)
    return re.sub(r"\s+", "", page)
