"""Who is told that something is wrong. A messenger knows texts and addresses; what is wrong is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out: plain text, in which nothing acts. `is_good` where it says that something is over."""

    title: str
    body: str
    is_good: bool = False


class Messenger(Protocol):
    """Takes messages to people."""

    def send(self, message: Message) -> None:
        """Deliver it to at least one address. Raises AlarmError where none took it."""
        ...
