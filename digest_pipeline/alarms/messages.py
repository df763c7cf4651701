"""The words of a message: texts/ in the settings' language, filled in with what is wrong."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from digest_pipeline.alarms import Message
from digest_pipeline.domain.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from digest_pipeline.domain.alarm import Alarm
    from digest_pipeline.domain.analysis import Language

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def message_of(alarm: Alarm, language: Language, timezone: ZoneInfo) -> Message:
    """What to say of an alarm: what, since when, what to do; of one that is over, what, and how long it lasted."""
    texts = _texts(language)
    of_kind = texts[alarm.kind]
    values = {
        "subject": plain(alarm.subject),
        "detail": plain(alarm.detail),
        "since": _moment(alarm.raised_at, timezone),
    }
    if alarm.resolved_at is None:
        body = "\n".join((of_kind["what"], texts["frame"]["since"], of_kind["todo"]))
        return Message(*_filled((of_kind["title"], body), values))
    values["duration"] = _duration(alarm.resolved_at - alarm.raised_at, texts["duration"])
    body = "\n".join((texts["frame"]["was"], texts["frame"]["lasted"]))
    title = texts["frame"]["unused"] if alarm.ending == "unused" else of_kind["over"]
    return Message(*_filled((title, body), values), is_good=True)


def trial_message(language: Language) -> Message:
    """What `digest doctor --send-test-alarm` sends."""
    texts = _texts(language)["test"]
    return Message(texts["title"], texts["what"], is_good=True)


def _filled(texts: tuple[str, str], values: Mapping[str, str]) -> tuple[str, str]:
    title, body = (text.format_map(values) for text in texts)
    return title, body


def _moment(moment: datetime, timezone: ZoneInfo) -> str:
    return f"{moment.astimezone(timezone):%Y-%m-%d %H:%M} ({timezone.key})"


def _duration(lasted: timedelta, units: Mapping[str, str]) -> str:
    """The two largest units that are not nothing; a minute at least."""
    seconds = max(int(lasted.total_seconds()), _MINUTE)
    counts = {
        "days": seconds // _DAY,
        "hours": seconds % _DAY // _HOUR,
        "minutes": seconds % _HOUR // _MINUTE,
    }
    return " ".join([units[unit].format(count=count) for unit, count in counts.items() if count][:2])


@cache
def _texts(language: Language) -> Mapping[str, Any]:
    file = resources.files("digest_pipeline.alarms") / "texts" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
