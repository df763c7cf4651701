"""Messages by real services' own forms, against receivers that judge as the services say they do."""

from __future__ import annotations

import email
import email.policy
import json
import socket
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.alarms.post import Address, Service
from digest_pipeline.deliver.chat import Chat, body_for, fitted
from digest_pipeline.domain.cues import TOPICS
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.delivery import Brief, Parcel
from digest_pipeline.domain.page import CommitEntry, Headline, Mention, Part, RepoPage
from digest_pipeline.domain.plain import inert
from digest_pipeline.errors import DeliveryRejected, DeliveryUnavailable
from digest_pipeline.render.brief import brief_of
from digest_pipeline_tests.deliver.conftest import DAY
from digest_pipeline_tests.fakes.hostile import HOSTILE
from digest_pipeline_tests.fakes.listener import Listener
from digest_pipeline_tests.fakes.robots import MOST_BYTES, SECRET, Robot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline.domain.analysis import Language

DINGTALK = f"dingtalk://{SECRET}@abcd12345"
LINK = "https://digest.example/days/2026-02-21.html"


def entry(title: str, number: int = 1) -> CommitEntry:
    return CommitEntry(
        sha=f"{number:040x}",
        author_name="Ada",
        authored_at=datetime(2026, 2, 21, tzinfo=UTC),
        message=title,
        title=title,
        url=None,
        tier="high",
        score=10,
        reasons=(),
        status="ok",
        analysis=None,
        model="offline",
        is_offline=True,
        attempts=0,
        error=None,
        unread=(),
        complete=True,
    )


def page(*titles: str) -> RepoPage:
    commits = tuple(entry(title, number) for number, title in enumerate(titles, start=1))
    return RepoPage(
        "ada/engine",
        DAY,
        day_window(DAY, UTC),  # type: ignore[arg-type] # any zone will do
        commits,
        headline=Headline(titles[0], (commits[0].sha,)),
        parts=tuple(Part(topic, (Mention(commits[-1].sha, titles[-1]),)) for topic in TOPICS),
    )


def parcel(*titles: str, language: Language = "en", day: date = DAY) -> Parcel:
    brief = brief_of(day, language, [page(*titles)], link=LINK)
    return Parcel("", day, language, "title", "daily/x.md", "# page\n", brief)


def chat(*urls: str) -> Chat:
    return Chat([Service(Address("TEAM_URL", number, url), key="x") for number, url in enumerate(urls, 1)])


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robot]:
    with Robot() as running:
        opened: Any = Service(Address("TEAM_URL", 1, DINGTALK), key="x")._service
        monkeypatch.setattr(type(opened), "notify_url", running.url)
        yield running


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_message_has_headline_parts_titles_and_the_link(robot: Robot, language: Language) -> None:
    chat(DINGTALK).deliver(parcel("feat: 加一个部分 (#1)", "fix: drop it (#2)", language=language), None)
    [text] = robot.taken
    assert text.count("feat: 加一个部分 (#1)") == 2
    assert text.endswith(LINK)
    assert len(text.splitlines()) == 13


def test_a_message_is_cut_to_what_the_service_takes(robot: Robot) -> None:
    chat(DINGTALK).deliver(parcel(*["改" * 290] * 60, language="zh"), None)
    [text] = robot.taken
    assert MOST_BYTES / 2 < len(json.dumps(text)) < MOST_BYTES
    assert text.endswith(LINK)
    assert "另有" in text


def test_what_a_robot_refuses_under_status_200_is_no_delivery(robot: Robot) -> None:
    robot.full = True
    with pytest.raises(
        DeliveryUnavailable, match=r"TEAM_URL, address 1 \(DingTalk\) took no message: code 130101"
    ):
        chat(DINGTALK).deliver(parcel("feat: x"), None)
    robot.full = False
    with pytest.raises(DeliveryUnavailable, match="code 310000"):
        chat("dingtalk://SECwrong@abcd12345").deliver(parcel("feat: x"), None)
    assert robot.taken == []


def test_an_address_that_took_it_gets_it_once(robot: Robot) -> None:
    with Listener() as listener:
        both = chat(listener.apprise_url("a"), DINGTALK)
        robot.full = True
        with pytest.raises(DeliveryUnavailable) as raised:
            both.deliver(parcel("feat: x"), None)
        robot.full = False
        again = chat(listener.apprise_url("a"), DINGTALK)  # apprise would wait between two to one robot
        receipt = again.deliver(parcel("feat: x"), raised.value.remote)
    assert (len(listener.taken), len(robot.taken)) == (1, 1)
    assert receipt.remote == '{"taken": [1, 2]}'


def test_a_service_that_names_a_time_is_left_alone_until_then() -> None:
    with Listener() as listener:
        listener.status, listener.headers = 429, {"Retry-After": "77"}
        with pytest.raises(DeliveryUnavailable) as raised:
            chat(listener.apprise_url("a")).deliver(parcel("feat: x"), None)
        assert raised.value.retry_after == 77
        listener.status = 403
        with pytest.raises(DeliveryRejected, match="status 403"):
            chat(listener.apprise_url("a")).deliver(parcel("feat: x"), None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see evil.com/phish or T.ME/x.", "see evil．com/phish or T．ME/x."),
        ("docs.evil.xn--p1ai пример.рф", "docs．evil．xn--p1ai пример．рф"),
        ("mailto:eve tel:+49170", "mailto：eve tel：+49170"),
        ("evil.rs/x, evil.md:80/y, evil.sh?z", "evil．rs/x, evil．md:80/y, evil．sh?z"),
        ("fix: src/main.rs, a.py:12: README.md in ci.yaml?", None),
        ("v1.2.3 of .github, e.g. cfg.model_type. Then", None),
    ],
)
def test_names_of_hosts_make_no_links_and_those_of_files_stay(text: str, shown: str | None) -> None:
    assert inert(text) == (shown or text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_acts_in_a_chat(hostile: str) -> None:
    with Listener() as listener:
        chat(listener.apprise_url("a")).deliver(parcel(hostile, hostile), None)
        [taken] = listener.taken
    text = taken.json["message"].removesuffix(LINK)
    for acting in ("@", "<", ">", "](", "://", "```", "\u202e", "\x00", "\x1b"):
        assert acting not in text
    assert len(max(text.splitlines(), key=len)) <= 5000


@pytest.mark.parametrize(
    ("url", "most"),
    [
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcd-1234", 2048),
        ("https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", 2000),
    ],
)
def test_a_text_fits_by_the_services_own_way_of_counting(url: str, most: int) -> None:
    service = Service(Address("TEAM_URL", 1, url), key="x")
    wide = "表" * most
    text = body_for(
        service, Brief("t", tuple(wide[start : start + 100] for start in range(0, most, 100)), "+", None, "")
    )
    counted = len(f"t\r\n{text}".encode()) if most == 2048 else len(text) + 3
    assert most * 0.8 < counted <= most


@given(st.lists(st.text(max_size=60), min_size=1, max_size=12), st.integers(40, 400))
def test_a_message_never_exceeds_its_room(lines: list[str], room: int) -> None:
    brief = Brief("title", tuple(" ".join(line.split()) for line in lines), "+{count}", None, "")
    assert len(fitted(brief, lambda text: len(text) <= room)) <= room


# --- e-mail -----------------------------------------------------------------------------------------------------


class _Inbox:
    def __init__(self) -> None:
        self.messages: list[email.message.EmailMessage] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802, ANN401 - aiosmtpd's names
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, email.message.EmailMessage)
        self.messages.append(parsed)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[_Inbox, str]]:
    taken = _Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(taken, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield taken, f"mailto://127.0.0.1:{port}?from=digest@example.org&to=ada@example.org"
    finally:
        controller.stop()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_a_mail_has_a_text_and_an_html_part_that_say_the_same(inbox: tuple[_Inbox, str]) -> None:
    taken, url = inbox
    chat(url).deliver(parcel("feat: 加一个部分 (#1)", "fix: a < b & c (#2)"), None)
    [message] = taken.messages
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    for words in ("feat: 加一个部分 (#1)", LINK):
        assert words in plain.get_content()
        assert words in html.get_content()
    assert message["subject"] == "Daily digest of 2026-02-21"


def test_nothing_hostile_acts_in_a_mail(inbox: tuple[_Inbox, str]) -> None:
    taken, url = inbox
    chat(url).deliver(parcel(*HOSTILE), None)
    html = taken.messages[0].get_body(("html",))
    assert html is not None
    found = _Tags()
    found.feed(html.get_content())
    assert found.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "a",
    }
    assert set(found.links) == {LINK}
    assert found.handlers == []


def test_a_mail_is_text_alone_where_its_address_says_so(inbox: tuple[_Inbox, str]) -> None:
    taken, url = inbox
    chat(f"{url}&format=text").deliver(parcel("feat: x"), None)
    assert taken.messages[0].get_content_type() == "text/plain"
