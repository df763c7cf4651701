"""Pages as messages: to chats, telephones and mailboxes, by services that are handed in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from digest_pipeline.domain.delivery import Receipt
from digest_pipeline.errors import DeliveryError, DeliveryRejected, DeliveryUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest_pipeline.domain.delivery import Brief, Parcel

MOST_CHARACTERS = 6000
"""Longer messages are not read in a chat, whatever it takes."""


class Failure(Protocol):
    """Why a service took no message."""

    @property
    def line(self) -> str:
        """Which one, and why; no address stands in it."""
        ...

    @property
    def is_refusal(self) -> bool:
        """Whether the same message would be refused again."""
        ...

    @property
    def retry_after(self) -> float | None:
        """In seconds, where the service named a time."""
        ...


class Service(Protocol):
    """One address. See `alarms/post.py`."""

    number: int
    label: str
    is_mail: bool
    wants_html: bool

    def has_room(self, title: str, body: str) -> bool:
        """Whether it takes so long a text."""
        ...

    def take(self, title: str, body: str, *, kind: str = ..., html: str | None = ...) -> Failure | None:
        """None where the service took the message."""
        ...


class Chat:
    """`Channel`: one message to each address; what one of them has taken it is not sent again."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services

    def deliver(self, parcel: Parcel, remote: str | None, previous: str | None = None) -> Receipt:
        """See `Channel.deliver`. `remote` names the addresses that this very message has reached."""
        del previous
        brief = parcel.brief
        assert brief is not None  # noqa: S101 - whoever delivers messages makes them
        taken = _taken(remote)
        failures = []
        for service in self._services:
            if service.number in taken:
                continue
            failure = service.take(
                brief.title, body_for(service, brief), html=brief.html if service.wants_html else None
            )
            if failure is None:
                taken.add(service.number)
            else:
                failures.append(failure)
        remote = json.dumps({"taken": sorted(taken)})
        if not failures:
            return Receipt(remote, "; ".join(service.label for service in self._services))
        told = "; ".join(failure.line for failure in failures)
        error: DeliveryError
        if all(failure.is_refusal for failure in failures):
            error = DeliveryRejected(told)
        else:
            error = DeliveryUnavailable(
                told, retry_after=max((one.retry_after or 0 for one in failures), default=None)
            )
        error.remote = remote
        raise error

    def check(self) -> str:
        """See `Channel.check`; a message would be one, so that nothing is sent."""
        return "; ".join(service.label for service in self._services)

    def close(self) -> None:
        """See `Channel.close`; nothing is held."""


def body_for(service: Service, brief: Brief) -> str:
    """The text of a message as far as the service takes it, its link always among it."""
    if service.is_mail:
        return _joined(brief.lines, brief, left_out=0)
    return fitted(brief, lambda text: len(text) <= MOST_CHARACTERS and service.has_room(brief.title, text))


def fitted(brief: Brief, fits: Callable[[str], bool]) -> str:
    """As many of the first lines as fit, with a word on how many do not; at least what can be cut of the first."""
    for kept in range(len(brief.lines), 0, -1):
        text = _joined(brief.lines[:kept], brief, left_out=len(brief.lines) - kept)
        if fits(text):
            return text
    first = brief.lines[0] if brief.lines else ""
    for length in range(len(first), 0, -1):
        text = _joined([first[:length] + "…"], brief, left_out=len(brief.lines) - 1)
        if fits(text):
            return text
    return brief.title


def _joined(lines: Sequence[str], brief: Brief, *, left_out: int) -> str:
    more = [brief.more.format(count=left_out)] if left_out else []
    return "\n".join([*lines, *more, *([brief.link] if brief.link else [])])


def _taken(remote: str | None) -> set[int]:
    try:
        return {int(number) for number in json.loads(remote)["taken"]} if remote else set()
    except (ValueError, TypeError, KeyError):
        return set()
