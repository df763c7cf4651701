"""Pages in, brought to where people are. One file a channel; what is brought when is decided elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from digest_pipeline.domain.delivery import Parcel, Receipt


class Channel(Protocol):
    """Brings a reader's day to one place, and brings it up to date there."""

    def deliver(self, parcel: Parcel, remote: str | None, previous: str | None = None) -> Receipt:
        """Bring the parcel, or bring up to date what `remote` names, the receipt of an earlier time.

        `previous` is the receipt of the reader's day before. Doing it again changes nothing there. Raises
        DeliveryError; one that has a `remote` says what was done until then.
        """
        ...

    def check(self) -> str:
        """Try what can be tried without delivering anything; what was found, in a line. Raises DeliveryError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
