"""The Atom feed: what RFC 4287 asks for, read by a reader's own library."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import feedparser
import pytest

from digest_pipeline.site.feed import MOST_ENTRIES, feed
from digest_pipeline.site.outline import outline
from digest_pipeline.site.words import Words
from digest_pipeline_tests.fakes.pages import DAY, HOSTILE, ZONE, full_page, hostile_page

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.page import RepoPage

URL = "https://ada.example/digest"
ATOM = "{http://www.w3.org/2005/Atom}"


def made(*pages: RepoPage, language: Language = "en") -> str:
    outlines = [outline(page, language) for page in pages]
    return feed(pages[0].repo, outlines, Words(language, ZONE), url=URL)


@pytest.mark.parametrize("page", [full_page(), hostile_page()], ids=["full", "hostile"])
def test_the_feed_has_what_the_rfc_requires_and_a_reader_opens_it(page: RepoPage) -> None:
    text = made(page)
    root = ET.fromstring(text.encode())  # noqa: S314 - our own
    for place in (root, root.find(f"{ATOM}entry")):
        assert place is not None
        for name in ("id", "title", "updated"):
            assert len(place.findall(f"{ATOM}{name}")) == 1
    assert root.findtext(f"{ATOM}author/{ATOM}name") == page.repo
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {
        "self": f"{URL}/feeds/{page.repo}.en.xml",
        "alternate": f"{URL}/{page.repo}/",
    }

    read = feedparser.parse(text.encode())
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    [one] = read.entries
    assert one.link == f"{URL}/{page.repo}/{DAY}.html"
    assert one.title == f"21 February 2026: {len(page.commits)} commits, {len(page.tier('high'))} high"


def test_an_entry_holds_headline_parts_and_titles_that_lead_to_the_sections() -> None:
    [one] = feedparser.parse(made(full_page()).encode()).entries
    [content] = one.content
    assert content.type == "text/html"
    assert "The router takes a budget (#12)" in content.value
    assert "Breaking changes and deprecations" in content.value
    assert f'href="{URL}/ada/engine/{DAY}.html#c-' in content.value


def test_hostile_words_are_words_in_a_feed() -> None:
    root = ET.fromstring(made(hostile_page()).encode())  # noqa: S314 - our own
    content = root.findtext(f"{ATOM}entry/{ATOM}content") or ""
    assert set(re.findall(r"<(\w+)", content)) <= {"p", "h3", "ul", "li", "a", "code", "em", "strong"}
    assert all(link.startswith(URL) for link in re.findall(r'<a href="([^"]*)"', content))
    # A reader's library cleans what it shows: there is nothing left for it to take away.
    cleaned = feedparser.parse(made(hostile_page()).encode()).entries[0].content[0].value
    assert cleaned.count("<li>") == content.count("<li>") >= len(HOSTILE)


def test_a_day_that_is_updated_keeps_its_id_and_moves() -> None:
    page = full_page()
    healed = replace(page, updated_at=datetime(2026, 3, 1, 8, tzinfo=UTC))
    before, after = (feedparser.parse(made(one).encode()) for one in (page, healed))
    assert before.entries[0].id == after.entries[0].id
    assert before.entries[0].updated == "2026-02-23T01:00:00Z"
    assert after.entries[0].updated == after.feed.updated == "2026-03-01T08:00:00Z"


def test_ids_are_unique_and_there_are_not_too_many_entries() -> None:
    pages = [full_page(DAY - timedelta(days=back)) for back in range(MOST_ENTRIES + 5)]
    read = feedparser.parse(made(*pages).encode())
    ids = [read.feed.id, *(one.id for one in read.entries)]
    assert len(read.entries) == MOST_ENTRIES
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("tag:ada.example,2026-") for one in ids)


def test_each_language_has_a_feed_of_its_own() -> None:
    chinese = made(full_page(), language="zh")
    read = feedparser.parse(chinese.encode())
    assert read.feed.language == "zh"
    assert read.entries[0].title == "2026年2月21日：7 个提交，高 2"
    assert read.feed.id != feedparser.parse(made(full_page()).encode()).feed.id
