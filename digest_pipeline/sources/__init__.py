"""Where commits come from. A source reads one repository; it knows the domain and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest_pipeline.domain.commit import Commit, CommitChanges
    from digest_pipeline.domain.day import Window


@dataclass(frozen=True, slots=True)
class Head:
    """Where the tracked branch stood when the source was refreshed."""

    branch: str
    sha: str


class Source(Protocol):
    """The history of one repository.

    Every method raises `SourceUnavailable` where a later try may succeed and `SourceRejected` where it will
    not. An empty list means that there are no commits, never that they could not be read.
    """

    def refresh(self) -> Head:
        """Bring the source up to date with its origin, once, and resolve the tracked branch.

        Raises SourceRejected where the repository is empty or the branch unknown.
        """
        ...

    def probe(self) -> Head:
        """Resolve the tracked branch without bringing anything here; raises as `refresh` does."""
        ...

    def commits(self, head: Head, window: Window) -> list[Commit]:
        """The commits reachable from `head` whose committer date lies in `window`.

        In the order of the history, newest first, as `git log` prints them.
        """
        ...

    def changes(self, shas: Sequence[str]) -> Iterator[CommitChanges]:
        """The files of each of `shas` against its first parent, in the order of `shas`, one after the other.

        A root commit is compared with the empty tree. An object that is missing costs its file the patch.
        """
        ...

    def close(self) -> None:
        """Give back what the source holds; it can't be used afterwards."""
        ...
