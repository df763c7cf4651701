"""Messages by apprise: whatever its URLs name, Slack, Feishu, DingTalk, WeCom and e-mail among them.

An address is a secret as a whole: it is named by its variable and the service, and by nothing else. Alarms go out by
all addresses together, by `Post`; what is delivered goes by one `Service` after the other.
"""

from __future__ import annotations

import json
import logging
import os
import re
import smtplib
import socket
import ssl
import sys
import warnings
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import apprise

from digest_pipeline.domain.retry_after import SECONDS_OF_A_DAY, seconds_of
from digest_pipeline.errors import AlarmError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests
    from apprise.plugins.base import NotifyBase

    from digest_pipeline.alarms import Message

_log = logging.getLogger(__name__)

_STATUS = re.compile(r"error=(\d{3})\b")
_CODES = ("errcode", "code", "StatusCode")
"""Where Feishu, DingTalk and WeCom say, under status 200, that they did not take a message; 0 where they did."""

_MOST_TEXT_BYTES = {"WeCom Bot": 2048}
_MOST_REQUEST_BYTES = {"DingTalk": 19_000, "Feishu": 19_000, "Lark": 19_000}
"""Services that count bytes: of the text, or of the whole request. Apprise counts characters, of which it writes a
Chinese one in six bytes."""


@dataclass
class _Heard:
    """What a service said to one message, as far as it may be told."""

    statuses: list[str] = field(default_factory=list)
    error: str | None = None
    refusal: str | None = None
    retry_after: float | None = None
    outer: BaseException | None = field(default_factory=lambda: sys.exc_info()[1])
    """What is being handled while the message is sent, such as what it tells of: none of the service's errors."""


_heard: ContextVar[_Heard | None] = ContextVar("heard", default=None)


class _Ear(logging.Filter):
    """Lets nothing through of what apprise logs, which holds addresses and answers; keeps the HTTP statuses.

    Where no connection came about, or one broke, apprise logs that much while it handles the error.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        heard = _heard.get()
        if heard is not None:
            heard.statuses += _STATUS.findall(record.getMessage())
            error = sys.exc_info()[1]
            if error is not None and error is not heard.outer:
                heard.error = _in_words(error, heard.outer)
        return False


def _in_words(error: BaseException, outer: BaseException | None) -> str:
    """An error of the network as far as it may be told: nothing of its own text, in which the address may stand.

    The first that went wrong says it best, but for what went wrong before, `outer`.
    """
    return next((words for one in _behind(error, outer) if (words := _of_network(one))), type(error).__name__)


def _behind(error: BaseException, outer: BaseException | None) -> list[BaseException]:
    """What an error came from, the first first, and itself; `outer`, and what that came from, are left out."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one is not outer and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    return chain[::-1]


def _of_network(error: BaseException) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            words = "its certificate is not trusted"
        case ssl.SSLError():
            words = "no connection by TLS"
        case socket.gaierror():
            words = "the name of its host is not known"
        case TimeoutError():
            words = "no answer in time"
        case smtplib.SMTPResponseException():
            words = f"status {error.smtp_code}"
        case OSError(errno=int(number)):
            words = os.strerror(number).lower()
        case _:
            return None
    return words


class _Requests:
    """The module `requests` as a service's module sees it: what is answered is looked at as well.

    Apprise takes any 200 for a success, and keeps no header.
    """

    def __init__(self, real: Any) -> None:  # noqa: ANN401 - a module
        self._real = real

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        return getattr(self._real, name)

    def post(self, *arguments: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - as requests takes them
        return _listened(self._real.post(*arguments, **more))

    def put(self, *arguments: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - as above
        return _listened(self._real.put(*arguments, **more))

    def request(self, *arguments: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - as above
        return _listened(self._real.request(*arguments, **more))


def _listened(answer: requests.Response) -> requests.Response:
    heard = _heard.get()
    if heard is not None:
        _listen(heard, answer)
    return answer


def _listen(heard: _Heard, answer: requests.Response) -> None:
    if not answer.ok:
        after = seconds_of(answer.headers.get("Retry-After"), now=datetime.now(UTC))
        heard.retry_after = None if after is None else min(after, SECONDS_OF_A_DAY)
        return
    try:
        said = answer.json()
    except ValueError:
        return
    codes = [said[name] for name in _CODES if name in said] if isinstance(said, dict) else []
    heard.refusal = next((f"code {code}" for code in codes if isinstance(code, int) and code), None)


logging.getLogger("apprise").addFilter(_Ear())
logging.getLogger("apprise").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # below, it logs paths, where tokens stand

# The addresses of groups' robots, as Feishu and DingTalk show them to be copied; apprise has its own spelling.
_AS_COPIED = (
    (re.compile(r"https://open\.feishu\.cn/open-apis/bot/v2/hook/([\w-]+)/?"), r"feishu://\1"),
    (re.compile(r"https://oapi\.dingtalk\.com/robot/send\?access_token=([\w-]+)"), r"dingtalk://\1"),
)


_MAIL = {
    *("E-Mail", "Mailgun", "SparkPost", "Postmark", "SendGrid", "Office 365", "SMTP2Go", "Resend", "Brevo"),
    "AWS Simple Email Service (SES)",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go; `variable` holds it, as the `number`th of its addresses, from 1."""

    variable: str
    number: int
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A service that took no message; `line` says which and why, `retry_after` is in seconds where it said so."""

    line: str
    is_refusal: bool = False
    retry_after: float | None = None


class Service:
    """One address, opened."""

    def __init__(self, address: Address, *, key: str) -> None:
        """`key` is the setting that named its variable. Raises ConfigurationError."""
        self._service = _opened(address, key)
        self.number = address.number
        self.name = str(self._service.service_name or type(self._service).__name__)
        self.label = f"{address.variable}, address {address.number} ({self.name})"
        self.is_mail = self.name in _MAIL
        # ?format=text in an address is the person's wish.
        asked = getattr(self._service, "_format_override", None) or self._service.notify_format
        self.wants_html = self.is_mail and asked != apprise.NotifyFormat.TEXT

    def has_room(self, title: str, body: str) -> bool:
        """Whether the service takes so long a text, by its own way of counting; a mailbox takes any."""
        if self.is_mail:
            return True
        text = f"{title}\r\n{body}"
        characters = len(text) + sum(character > "\uffff" for character in text)
        return (
            characters <= self._service.body_maxlen
            and len(text.encode()) <= _MOST_TEXT_BYTES.get(self.name, sys.maxsize)
            and len(json.dumps(text)) <= _MOST_REQUEST_BYTES.get(self.name, sys.maxsize)
        )

    def take(self, title: str, body: str, *, kind: str = "info", html: str | None = None) -> Failure | None:
        """None where the service took the message, else what to say of it.

        What is sent is plain text, whatever the address asks for: in Markdown or HTML, an error could be a link.
        Where `html` is given, it is sent beside a text that apprise makes of it.
        """
        form = apprise.NotifyFormat.TEXT if html is None else apprise.NotifyFormat.HTML
        self._service.notify_format = form
        heard = _Heard()
        token = _heard.set(heard)
        try:
            taken = self._service.notify(
                body=body if html is None else html,
                title=title,
                notify_type=apprise.NotifyType(kind),
                body_format=form,
            )
        except Exception as error:  # noqa: BLE001 - a hundred services' code; what it says may hold the address
            return Failure(f"{self.label} took no message: {type(error).__name__}")
        finally:
            _heard.reset(token)
        if taken and heard.refusal is None:
            return None
        why = heard.refusal or (f"status {heard.statuses[-1]}" if heard.statuses else heard.error)
        is_refusal = (
            bool(heard.statuses) and heard.statuses[-1].startswith("4") and heard.statuses[-1] != "429"
        )
        return Failure(
            f"{self.label} took no message" + (f": {why}" if why else ""), is_refusal, heard.retry_after
        )


class Post:
    """All addresses together."""

    def __init__(self, addresses: Sequence[Address], problems: Sequence[str] = ()) -> None:
        """`problems` are why there are not more addresses. Raises ConfigurationError where none can be used."""
        # One that is wrong does not keep a message from the others; `digest doctor` tells it.
        self.problems = list(problems)
        self._services: list[Service] = []
        for address in addresses:
            try:
                self._services.append(Service(address, key="alarm.urls_env"))
            except ConfigurationError as error:
                self.problems.append(str(error))
        if not self._services:
            raise ConfigurationError("; ".join(self.problems))

    @property
    def labels(self) -> list[str]:
        """The addresses, as they may be shown."""
        return [service.label for service in self._services]

    def send(self, message: Message) -> None:
        """See `Messenger.send`. An address that takes nothing is an error line; the others count."""
        for problem in self.problems:
            _log.error("%s", problem)
        kind = "success" if message.is_good else "failure"
        failures = [
            failure.line
            for service in self._services
            if (failure := service.take(message.title, message.body, kind=kind)) is not None
        ]
        if len(failures) == len(self._services):
            raise AlarmError("; ".join(failures))
        for line in failures:
            _log.error("%s", line)


def _opened(address: Address, key: str) -> NotifyBase:
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
            f"{key}: address {address.number} in {address.variable} is none that apprise knows; "
            "see https://appriseit.com/services/"
        )
    module = sys.modules[type(service).__module__]
    real = vars(module).get("requests")
    if real is not None and not isinstance(real, _Requests):
        vars(module)["requests"] = _Requests(real)
    return service
