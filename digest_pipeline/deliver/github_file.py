"""Pages as files of a git repository, by GitHub's contents API: the same tree as in the data folder."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from digest_pipeline.domain.delivery import Receipt
from digest_pipeline.errors import DeliveryRejected, DeliveryUnavailable

if TYPE_CHECKING:
    from digest_pipeline.deliver.hub import Hub
    from digest_pipeline.domain.delivery import Parcel

MAX_BYTES = 50_000_000
"""GitHub takes files of up to 100 MB, and requests of about as much; base64 makes a third more of them."""

_TRIES = 4
_OBJECT = "application/vnd.github.object+json"
"""Without it, GitHub says nothing of files of more than a megabyte."""
_ABSENT = 404
# 409: the branch moved, or the file is another than the one that was read; 422: there is one already.
_RACED = frozenset({409, 422})


class GitHubFile:
    """`Channel`: a file for each reader's day, in a commit of its own; one that says the same makes none."""

    def __init__(self, hub: Hub, *, folder: str, branch: str | None = None) -> None:
        self._hub = hub
        self._folder = folder
        self._branch = branch

    def deliver(self, parcel: Parcel, remote: str | None, previous: str | None = None) -> Receipt:
        """See `Channel.deliver`. What was written in between by others is read again, and overwritten."""
        del remote, previous  # the path is all that it takes to find it
        path = f"{self._folder}/{parcel.path}"
        content = parcel.markdown.encode("utf-8", "replace")
        if len(content) > MAX_BYTES:
            raise DeliveryRejected(
                f"{self._hub.repo}: {path} has {len(content)} bytes; GitHub takes {MAX_BYTES}"
            )
        receipt = Receipt(path, f"{self._hub.repo}: {path}")
        for left in reversed(range(_TRIES)):
            there = self._sha(path)
            if there == blob_sha(content):
                return receipt
            if self._put(path, content, parcel, there, is_last=not left):
                return receipt
        raise DeliveryUnavailable(
            f"{self._hub.repo}: {path} is written by others all the time; it is tried again"
        )

    def check(self) -> str:
        """See `Channel.check`."""
        self._hub.check("give it the right to write contents")
        return f"files in {self._hub.repo}, below {self._folder}/" + (
            f" on {self._branch}" if self._branch else ""
        )

    def close(self) -> None:
        """See `Channel.close`."""
        self._hub.close()

    def _sha(self, path: str) -> str | None:
        """The blob that stands at `path`; None where nothing does."""
        query = f"?{urlencode({'ref': self._branch})}" if self._branch else ""
        about = self._hub.ask(
            "GET", f"/contents/{quote(path)}{query}", within=frozenset({_ABSENT}), accept=_OBJECT
        )
        if about == _ABSENT:
            return None
        if not isinstance(about, dict) or not isinstance(about.get("sha"), str):
            raise DeliveryRejected(f"{self._hub.repo}: {path} is a folder there; choose another path")
        return str(about["sha"])

    def _put(self, path: str, content: bytes, parcel: Parcel, there: str | None, *, is_last: bool) -> bool:
        """Whether it was written; not where it is another one by now."""
        body = {
            "message": message_of(parcel, is_new=there is None),
            "content": base64.b64encode(content).decode(),
            **({"sha": there} if there else {}),
            **({"branch": self._branch} if self._branch else {}),
        }
        # A 422 may have other reasons: the last one is told.
        within = frozenset({409}) if there is not None or is_last else _RACED
        return not isinstance(self._hub.ask("PUT", f"/contents/{quote(path)}", body, within=within), int)


def message_of(parcel: Parcel, *, is_new: bool) -> str:
    """The commit's message: nothing in it comes from the commits that the page tells of."""
    whose = f" for {parcel.reader}" if parcel.reader else ""
    return f"digest: {parcel.day}{whose}" + ("" if is_new else ", updated")


def blob_sha(content: bytes) -> str:
    """The name that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
