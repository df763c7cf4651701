"""Messages by apprise: whatever its URLs name, Slack, Feishu, DingTalk, WeCom and e-mail among them.

An address is a secret as a whole: it is named by its variable and the service, and by nothing else.
"""

from __future__ import annotations

import logging
import re
import warnings
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import apprise

from digest_pipeline.errors import AlarmError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apprise.plugins.base import NotifyBase

    from digest_pipeline.alarms import Message

_log = logging.getLogger(__name__)

_STATUS = re.compile(r"error=(\d{3})\b")


class _Ear(logging.Filter):
    """Lets nothing through of what apprise logs, which holds addresses and answers; keeps the HTTP statuses.

    Apprise tells them in no other way.
    """

    statuses: ContextVar[list[str] | None] = ContextVar("statuses", default=None)

    def filter(self, record: logging.LogRecord) -> bool:
        statuses = self.statuses.get()
        if statuses is not None:
            statuses += _STATUS.findall(record.getMessage())
        return False


logging.getLogger("apprise").addFilter(_Ear())
logging.getLogger("apprise").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # below, it logs paths, where tokens stand

# The addresses of groups' robots, as Feishu and DingTalk show them to be copied; apprise has its own spelling.
_AS_COPIED = (
    (re.compile(r"https://open\.feishu\.cn/open-apis/bot/v2/hook/([\w-]+)/?"), r"feishu://\1"),
    (re.compile(r"https://oapi\.dingtalk\.com/robot/send\?access_token=([\w-]+)"), r"dingtalk://\1"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go; `variable` holds it, as the `number`th of its addresses, from 1."""

    variable: str
    number: int
    url: str = field(repr=False)


class Post:
    """All addresses together."""

    def __init__(self, addresses: Sequence[Address], problems: Sequence[str] = ()) -> None:
        """`problems` are why there are not more addresses. Raises ConfigurationError where none can be used."""
        # One that is wrong does not keep a message from the others; `digest doctor` tells it.
        self.problems = list(problems)
        self._services: list[tuple[str, NotifyBase]] = []
        for address in addresses:
            try:
                self._services.append(_opened(address))
            except ConfigurationError as error:
                self.problems.append(str(error))
        if not self._services:
            raise ConfigurationError("; ".join(self.problems))

    @property
    def labels(self) -> list[str]:
        """The addresses, as they may be shown."""
        return [label for label, _ in self._services]

    def send(self, message: Message) -> None:
        """See `Messenger.send`. An address that takes nothing is an error line; the others count."""
        for problem in self.problems:
            _log.error("%s", problem)
        failures = [
            failure
            for label, service in self._services
            if (failure := _delivered(label, service, message)) is not None
        ]
        if len(failures) == len(self._services):
            raise AlarmError("; ".join(failures))
        for failure in failures:
            _log.error("%s", failure)


def _opened(address: Address) -> tuple[str, NotifyBase]:
    url = address.url
    for pattern, spelling in _AS_COPIED:
        if pattern.fullmatch(url):
            url = pattern.sub(spelling, url)
    # One after the other in this thread, and nothing of it kept on the disk.
    asset = apprise.AppriseAsset(async_mode=False, app_id="digest", app_desc="digest_pipeline")
    with warnings.catch_warnings():
        # The first one loads apprise's hundred services, and whatever packages of other people they look for.
        warnings.simplefilter("ignore")
        service = apprise.Apprise.instantiate(url, asset=asset)
    if not isinstance(service, apprise.plugins.NotifyBase):
        raise ConfigurationError(
            f"alarm.urls_env: address {address.number} in {address.variable} is none that apprise knows; "
            "see https://appriseit.com/services/"
        )
    # What is sent is plain text, whatever the address asks for: in Markdown or HTML, an error could be a link.
    service.notify_format = apprise.NotifyFormat.TEXT
    name = str(service.service_name or type(service).__name__)
    return f"{address.variable}, address {address.number} ({name})", service


def _delivered(label: str, service: NotifyBase, message: Message) -> str | None:
    """None where the service took the message, else a line that says which one did not."""
    kind = apprise.NotifyType.SUCCESS if message.is_good else apprise.NotifyType.FAILURE
    statuses: list[str] = []
    token = _Ear.statuses.set(statuses)
    try:
        taken = service.notify(
            body=message.body,
            title=message.title,
            notify_type=kind,
            body_format=apprise.NotifyFormat.TEXT,
        )
    except Exception as error:  # noqa: BLE001 - a hundred services' code; what it says may hold the address
        return f"{label} took no message: {type(error).__name__}"
    finally:
        _Ear.statuses.reset(token)
    if taken:
        return None
    return f"{label} took no message" + (f": status {statuses[-1]}" if statuses else "")
