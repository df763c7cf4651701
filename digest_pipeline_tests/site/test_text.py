"""Untrusted text as HTML: it reads as it was written, and does nothing."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.site.text import LONGEST_MESSAGE, block, heading, inline, one_line
from digest_pipeline_tests.fakes.pages import HOSTILE

TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)([^>]*)>")
LINK = re.compile(r'( href="https?://[^"<>]+")? rel="nofollow noopener noreferrer"')
WORDS = {"code", "em", "strong", "s", "br"}
BLOCKS = {
    *WORDS,
    "p",
    "ul",
    "ol",
    "li",
    "pre",
    "blockquote",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
}

texts = st.lists(st.one_of(st.sampled_from(HOSTILE[:10]), st.text(max_size=40)), max_size=4).map("".join)


def only(html: str, allowed: set[str]) -> bool:
    return all(
        tag in allowed
        and (
            not rest
            or closing
            or (tag == "a" and LINK.fullmatch(rest))
            or (tag, rest[:7]) == ("ol", " start=")
        )
        for closing, tag, rest in TAG.findall(html)
    ) and not re.search(r"<(?![/a-zA-Z])", html)


@given(texts)
def test_a_line_holds_code_and_emphasis_and_nothing_else(text: str) -> None:
    assert only(inline(text), WORDS)
    assert only(heading(text), WORDS)
    assert "\n" not in inline(text).replace("<br>\n", "")


@given(texts)
def test_a_message_holds_what_is_allowed_and_links_to_the_web(text: str) -> None:
    assert only(block(text), BLOCKS)


@given(st.text())
def test_one_line_is_one_line_as_long_as_it_may_be(text: str) -> None:
    line = one_line(text, 20)
    assert len(line) <= 20
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")  # raises where a page could not hold it


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("`a<b` is **not** _c_", "<code>a&lt;b</code> is <strong>not</strong> <em>c</em>"),
        ("read [this](https://evil.example)", "read [this](https://evil.example)"),
        ("a <b>c</b> & d", "a &lt;b&gt;c&lt;/b&gt; &amp; d"),
        ("up \u202eside\u2066 down", "up side down"),
    ],
)
def test_what_a_model_writes_leads_nowhere(text: str, html: str) -> None:
    assert inline(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Why\n\nSo.", "<p><strong>Why</strong></p>\n<p>So.</p>\n"),
        ("see [docs](docs/a.md)", "<p>see [docs](docs/a.md)</p>\n"),
        ("by <ada@example.org>", "<p>by &lt;ada@example.org&gt;</p>\n"),
        (
            "![x](https://evil.example/p)",
            '<p>!<a href="https://evil.example/p" rel="nofollow noopener noreferrer">x</a></p>\n',
        ),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
    ],
)
def test_a_message_keeps_its_shape_without_images_headings_or_links_into_the_site(
    text: str, html: str
) -> None:
    assert block(text) == html


def test_a_huge_message_is_cut_and_takes_no_time() -> None:
    began = time.monotonic()
    for text in ("[" * 200_000, "*a " * 100_000, "> " * 100_000, "`" * 200_001, "<a " * 100_000):
        assert len(block(text)) < 12 * LONGEST_MESSAGE
    assert time.monotonic() - began < 10
