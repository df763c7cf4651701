"""Messages over real HTTP: delivered as plain text, and no address in anything that is said of a failure."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.alarms import Message
from digest_pipeline.alarms.heartbeat import beat
from digest_pipeline.alarms.post import Address, Post
from digest_pipeline.errors import AlarmError, ConfigurationError
from digest_pipeline_tests.fakes.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "T0ken-thatNobody-maySee"  # noqa: S105 - made up
MESSAGE = Message("digest: a title", "a body\nof *two* lines")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


def post(*urls: str) -> Post:
    return Post([Address("ALARM_URL", number, url) for number, url in enumerate(urls, start=1)])


def test_a_message_arrives(listener: Listener) -> None:
    post(listener.apprise_url(f"{SECRET}?format=markdown")).send(MESSAGE)
    [taken] = listener.taken
    assert taken.path == f"/{SECRET}"
    assert taken.json["title"] == MESSAGE.title
    assert taken.json["message"].splitlines() == MESSAGE.body.splitlines()
    assert taken.json["type"] == "failure"


def test_an_address_that_takes_nothing_leaves_the_others(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    post(f"json://127.0.0.1:9/{SECRET}", listener.apprise_url(SECRET)).send(MESSAGE)
    assert len(listener.taken) == 1
    assert "ALARM_URL, address 1 (JSON) took no message" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("json://127.0.0.1:{free}/{secret}", "connection refused"),
        ("json://{secret}.invalid/", "the name of its host is not known"),
        ("jsons://127.0.0.1:{listening}/{secret}", "no connection by TLS"),
        ("json://127.0.0.1:{listening}/{secret}?rto=0.1", "no answer in time"),
        (
            "mailto://ada:{secret}@127.0.0.1:{free}?from=digest@example.org&to=ada@example.org",
            "connection refused",
        ),
    ],
)
def test_where_nobody_can_be_reached_the_error_says_why(
    listener: Listener, url: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    listener.delay = 2.0
    with socket.socket() as bound:  # and not listened at
        bound.bind(("127.0.0.1", 0))
        address = url.format(free=bound.getsockname()[1], listening=listener.port, secret=SECRET)
        with pytest.raises(AlarmError, match=rf"ALARM_URL, address 1 \([\w-]+\) took no message: {why}$"):
            post(address).send(MESSAGE)
    assert SECRET not in caplog.text


def test_what_an_alarm_tells_of_is_no_reason_for_its_failure() -> None:
    def told() -> str:
        with pytest.raises(AlarmError) as raised:
            post(f"json://{SECRET}.invalid/").send(MESSAGE)
        return str(raised.value)

    try:
        Path("nowhere").read_bytes()
    except OSError:
        assert told() == "ALARM_URL, address 1 (JSON) took no message: the name of its host is not known"


def test_an_address_that_is_none_leaves_the_others_and_is_told(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    both = post(f"nonsense://{SECRET}", listener.apprise_url(SECRET))
    both.send(MESSAGE)
    assert len(listener.taken) == 1
    [problem] = both.problems
    assert "address 1 in ALARM_URL is none that apprise knows" in problem
    assert problem in caplog.text
    assert SECRET not in caplog.text


def test_where_nobody_takes_it_the_error_says_so_and_no_address(
    listener: Listener, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    listener.status = 403
    with pytest.raises(
        AlarmError, match=r"ALARM_URL, address 1 \(JSON\) took no message: status 403"
    ) as raised:
        post(listener.apprise_url(SECRET)).send(MESSAGE)
    out, err = capfd.readouterr()
    assert SECRET not in repr(raised.value) + caplog.text + out + err


@pytest.mark.parametrize("url", [f"nonsense://{SECRET}", SECRET, f"https://example.org/{SECRET}\x00"])
def test_what_is_no_address_is_refused_without_being_repeated(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError, match="address 1 in ALARM_URL") as raised:
        post(url)
    assert SECRET not in str(raised.value) + caplog.text
    assert SECRET not in repr(Address("ALARM_URL", 1, SECRET))


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/abcd-1234-ef", "Feishu"),
        ("https://oapi.dingtalk.com/robot/send?access_token=abcd12345", "DingTalk"),
        ("dingtalk://SECabc@abcd12345", "DingTalk"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcd-1234", "WeCom Bot"),
        ("mailtos://ada:word@example.org", "E-Mail"),
    ],
)
def test_addresses_as_people_copy_them_are_known(url: str, service: str) -> None:
    assert post(url).labels == [f"ALARM_URL, address 1 ({service})"]


def test_a_heartbeat_is_a_get(listener: Listener) -> None:
    beat(f"http://127.0.0.1:{listener.port}/{SECRET}")
    assert [(taken.method, taken.path) for taken in listener.taken] == [("GET", f"/{SECRET}")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/{}", "http://127.0.0.1:x/{}", "http://[{}", "{}"])
def test_a_heartbeat_that_fails_says_nothing_of_its_address(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(AlarmError, match="cannot be called") as raised:
        beat(url.format(SECRET))
    assert SECRET not in str(raised.value) + caplog.text
    assert raised.value.__cause__ is None


def test_a_heartbeat_that_is_refused_is_an_error(listener: Listener) -> None:
    listener.status = 500
    with pytest.raises(AlarmError, match="status 500"):
        beat(f"http://127.0.0.1:{listener.port}/{SECRET}")
