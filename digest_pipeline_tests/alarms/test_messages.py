"""What an alarm says: in the settings' language, with text from outside that can do nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from digest_pipeline.alarms.messages import message_of, trial_message
from digest_pipeline.domain.alarm import Alarm, Kind
from digest_pipeline.domain.analysis import Language
from digest_pipeline.domain.plain import plain

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGAN = datetime(2026, 1, 20, 16, 30, tzinfo=UTC)


def alarm(kind: Kind = "repo", detail: str = "gone", lasted: timedelta | None = None) -> Alarm:
    return Alarm(kind, "ada/engine", detail, BEGAN, BEGAN + lasted if lasted is not None else None)


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_is_said_in_every_language(kind: Kind, language: Language) -> None:
    began = message_of(alarm(kind), language, SHANGHAI)
    ended = message_of(alarm(kind, lasted=timedelta(hours=3, minutes=20)), language, SHANGHAI)
    for message in (began, ended):
        assert "ada/engine" in message.title
        assert "gone" in message.body
        assert "2026-01-21 00:30 (Asia/Shanghai)" in message.body
        assert "{" not in message.title + message.body
    assert (began.is_good, ended.is_good) == (False, True)
    assert len(began.body.splitlines()) == 3
    assert "3" in ended.body
    assert trial_message(language).body


@pytest.mark.parametrize(
    ("lasted", "said"),
    [
        (timedelta(0), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=47, hours=1, minutes=5), "47 d 1 h"),
    ],
)
def test_how_long_it_lasted(lasted: timedelta, said: str) -> None:
    assert f"It lasted {said}, since" in message_of(alarm(lasted=lasted), "en", SHANGHAI).body


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("@channel and @all", "＠channel and ＠all"),
        ("<!here> <!subteam^S1>", "‹!here› ‹!subteam^S1›"),
        ('<at user_id="all">x</at>', '‹at user_id="all"›x‹/at›'),
        ("<https://evil.example|your bank>", "‹https://evil.example|your bank›"),
        ("one\nBcc: x\r\ntwo\u2028three", "one Bcc: x two three"),
        ("\u202egnp.exe\u200b\u2066\x1b[31m\x00\U000e0041", "gnp.exe[31m"),
        ("{subject} {0} {x.__class__}", "{subject} {0} {x.__class__}"),
        ("a\u200b@b", "a＠b"),
    ],
)
def test_text_from_outside_does_nothing(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown
    message = message_of(alarm(detail=hostile), "en", SHANGHAI)
    assert shown in message.body
    assert len(message.body.splitlines()) == 3
