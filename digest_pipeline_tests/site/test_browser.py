"""The site in a real browser: it looks as meant on a phone and a desk, does nothing hostile, and its search answers."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from digest_pipeline.cli.server import listen
from digest_pipeline.site import places, search
from digest_pipeline.site.html import FILES, Around, DayEntry, SiteRenderer, asset
from digest_pipeline.site.outline import outline
from digest_pipeline_tests.fakes.pages import DAY, HOSTILE, ZONE, full_page, hostile_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Request

pytestmark = pytest.mark.browser

REPOS = ("ada/engine", "ada/hostile")
PAGES = (
    "index.html",
    f"ada/engine/{DAY}.html",
    "ada/engine/index.html",
    "weeks/2026-W08.html",
    f"days/{DAY}.html",
    f"ada/hostile/{DAY}.html",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of ten days, one repo of which is hostile; it does not lie at the top of its server."""
    top = tmp_path_factory.mktemp("served") / "digest"
    renderer = SiteRenderer("en", ZONE, repos=REPOS)
    days = [DAY - timedelta(days=back) for back in range(10)]
    pages = [full_page(day) for day in days]
    pages[2] = replace(pages[2], commits=(), headline=None, parts=(), themes=(), context=None)
    pages.append(hostile_page())
    files: dict[str, str] = {}
    for page in pages:
        path = places.repo_day(page.repo, page.day)
        around = Around(*(day if page.repo == REPOS[0] and day in days else None for day in (
            page.day - timedelta(days=1), page.day + timedelta(days=1))))  # fmt: skip
        files[path] = renderer.repo_day(page, around)
        files[f".digest-site/{path}"] = search.document(page, renderer.words)
    outlines = [outline(page, "en") for page in pages]
    by_day = {day: [one for one in outlines if one.day == day] for day in days}
    for day, found in by_day.items():
        files[places.day_page(day)] = renderer.day(day, [DayEntry(one.repo, one) for one in found])
    for repo in REPOS:
        files[places.repo_page(repo)] = renderer.repo(repo, [one for one in outlines if one.repo == repo])
    files[places.week_page(DAY)] = renderer.week(places.monday(DAY), outlines)
    files[places.START] = renderer.start(by_day)
    files |= {name: asset(name).decode() for name in FILES}
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text, encoding="utf-8")
    search.make_index(top / ".digest-site", top / places.SEARCH)
    return top


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where the site is served, below a path as a project's pages are."""
    with listen(folder.parent, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/digest/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Tab:
    """A page with an ear on its console, its errors and its requests."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what was under way when the page was left
            self.said.append(f"failed: {request.url}: {request.failure}")

    def quiet(self, address: str) -> None:
        """Nothing was said, and nobody but the site's own server was asked."""
        assert self.said == []
        assert [url for url, _ in self.asked if not url.startswith(address)] == []


def opened(browser: Browser, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Tab:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = Tab(context.new_page())
    tab.page.on("console", lambda message: tab.said.append(f"{message.type}: {message.text}"))
    tab.page.on("pageerror", lambda error: tab.said.append(f"{error}"))
    tab.page.on("dialog", lambda dialog: tab.said.append(f"dialog: {dialog.message}"))
    tab.page.on("requestfailed", tab.failed)
    tab.page.on(
        "requestfinished",
        lambda request: tab.asked.append((request.url, request.sizes()["responseBodySize"])),
    )
    return tab


def unfold(page: Page) -> None:
    """Open all folds: what lies in one is looked at too."""
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_pages_are_accessible_fit_their_screen_and_load_from_nowhere_else(
    browser: Browser, address: str, scheme: Literal["light", "dark"], width: int
) -> None:
    tab = opened(browser, width=width, scheme=scheme)
    for path in PAGES:
        tab.page.goto(address + path)
        unfold(tab.page)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, path
        found: dict[str, Any] = Axe().run(tab.page).response
        serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
        told = [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in serious]
        assert told == [], path
    tab.quiet(address)
    tab.page.context.close()


def test_hostile_words_do_nothing(browser: Browser, address: str) -> None:
    tab = opened(browser)
    for path in (
        f"ada/hostile/{DAY}.html",
        f"days/{DAY}.html",
        "index.html",
        f"index.html?q={HOSTILE[1]}",
    ):
        tab.page.goto(address + path)
        unfold(tab.page)
        title = tab.page.title()
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.title() == title != "owned"
        assert tab.page.locator("main script, main img, main iframe, main style, main form").count() == 0
    tab.quiet(address)
    tab.page.context.close()


def test_a_script_that_got_in_would_not_run(browser: Browser, address: str) -> None:
    tab = opened(browser)
    tab.page.goto(address)
    tab.page.evaluate(
        "const script = document.createElement('script'); script.text = 'document.title = \"owned\"';"
        "document.body.append(script)"
    )
    assert tab.page.title() != "owned"
    assert any("Content Security Policy" in line for line in tab.said)
    tab.page.context.close()


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("内存泄漏", "feat(router)!: 修复内存泄漏"),
        ("的内存", "feat(router)!: 修复内存泄漏"),  # from its summary, in the middle of a word
        ("specul", 'Revert "feat: speculative decoding'),
        ("engine/core.rs typo", "chore: a typo"),
    ],
)
def test_a_search_from_a_cold_page_answers_within_a_megabyte(
    browser: Browser, address: str, question: str, title: str
) -> None:
    tab = opened(browser)
    tab.page.goto(address)
    tab.page.keyboard.press("/")
    tab.page.keyboard.type(question)
    # Slow typing is answered on the way, too.
    first = tab.page.locator(".hits li:first-child a", has_text=re.compile("^" + re.escape(title)))
    first.wait_for()
    assert sum(size for _, size in tab.asked) < 1_000_000
    tab.page.keyboard.press("Tab")  # to the button that closes
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/ada/engine/*.html#c-*")
    place = tab.page.url.partition("#")[2]
    assert tab.page.locator(f"#{place}").is_visible()  # also where it lay in a fold
    tab.quiet(address)
    tab.page.context.close()


def test_a_keyboard_in_the_answers_stays_on_the_same_one_when_they_are_found_anew(
    browser: Browser, address: str
) -> None:
    tab = opened(browser)
    tab.page.goto(address)
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("spec")
    tab.page.locator(".hits a").first.wait_for()
    tab.page.evaluate("document.querySelector('.hits').dataset.old = true")
    tab.page.keyboard.type("ul")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    tab.page.locator(".hits:not([data-old])").wait_for()
    assert tab.page.evaluate("document.activeElement.href") == tab.page.locator(".hits a").first.evaluate(
        "link => link.href"
    )
    tab.page.keyboard.press("Shift+Tab")
    assert tab.page.evaluate("document.activeElement.className") == "close"
    tab.page.evaluate("document.querySelector('.hits').dataset.old = true")
    tab.page.evaluate(
        "q = document.querySelector('input[type=search]'); q.value = 'zyzzyva'; q.form.requestSubmit()"
    )
    tab.page.get_by_text("Nothing found.").wait_for()
    assert tab.page.evaluate("document.activeElement.className") == "close"
    tab.quiet(address)
    tab.page.context.close()


def test_more_answers_take_the_keyboard_to_the_first_of_them(browser: Browser, address: str) -> None:
    tab = opened(browser)
    tab.page.goto(address)
    tab.page.locator("input[type=search]").fill("engine")
    more = tab.page.locator("#results .more")
    more.wait_for()
    before = tab.page.locator(".hits a").count()
    more.press("Enter")
    tab.page.locator(".hits a:focus").wait_for()
    assert tab.page.locator(".hits a").count() > before
    assert tab.page.locator(".hits a").nth(before).evaluate("link => link === document.activeElement")
    tab.quiet(address)
    tab.page.context.close()


def test_a_search_that_finds_nothing_says_so_and_escape_ends_it(browser: Browser, address: str) -> None:
    tab = opened(browser, width=390, scheme="dark")
    tab.page.goto(address)
    tab.page.locator("input[type=search]").fill("zyzzyva")
    tab.page.get_by_text("Nothing found.").wait_for()
    tab.page.keyboard.press("Escape")
    assert tab.page.locator("#results").is_hidden()
    tab.quiet(address)
    tab.page.context.close()


def test_the_keyboard_reaches_the_content_first(browser: Browser, address: str) -> None:
    tab = opened(browser)
    tab.page.goto(f"{address}ada/engine/{DAY}.html")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("document.activeElement.id") == "content"
    tab.page.context.close()


def test_from_a_bare_folder_it_is_readable_and_says_what_the_search_needs(
    browser: Browser, folder: Path
) -> None:
    tab = opened(browser)
    tab.page.goto((folder / "index.html").as_uri())
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 249, 244)"
    assert tab.page.get_by_text("Search needs a web server").is_visible()
    assert tab.page.locator("#search").is_hidden()
    tab.page.get_by_role("link", name="ada/engine").first.click()
    assert tab.page.locator("h1").inner_text() == "Saturday, 21 February 2026"
    assert tab.said == []
    tab.page.context.close()
