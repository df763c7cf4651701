"""Where commits come from. A source reads one repository; it knows the domain and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from datetime import datetime

    from digest_pipeline.domain.commit import Commit, CommitChanges, PullRequest
    from digest_pipeline.domain.day import Window


@dataclass(frozen=True, slots=True)
class Head:
    """Where the tracked branch stood when the source was refreshed, and those that are read beside it, by name."""

    branch: str
    sha: str
    others: tuple[tuple[str, str], ...] = ()


class Source(Protocol):
    """The history of one repository.

    Every method raises `SourceUnavailable` where a later try may succeed and `SourceRejected` where it will
    not. An empty list means that there are no commits, never that they could not be read.
    """

    def refresh(self) -> Head:
        """Bring the source up to date with its origin, once, and resolve the branches.

        Raises SourceRejected where the repository is empty or the branch unknown.
        """
        ...

    def probe(self) -> Head:
        """Resolve the tracked branch without bringing anything here; raises as `refresh` does."""
        ...

    def commits(self, head: Head, window: Window) -> list[Commit]:
        """The commits reachable from `head` whose committer date lies in `window`, each of them once.

        In the order of the history, newest first, as `git log` prints them; those that only other branches have
        stand by their committer date between those of the tracked one, and name the first branch that has them.
        """
        ...

    def arrived(self, head: Head, base: str) -> Iterable[tuple[str, datetime]]:
        """What came to the tracked branch since it stood at `base`: each commit with its committer date.

        Nothing where `base` is no longer of the branch, and where it would take many questions to tell.
        """
        ...

    def firsts(self, head: Head) -> Callable[[], Collection[str]] | None:
        """What looks for the commits of `head` and the branches beside it that are their author's first.

        By name, and by an address that GitHub gives to one account, over the whole history: it takes a while. None
        where nobody can tell.
        """
        ...

    def changes(self, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        """The files of each of `shas` against its first parent, in the order of `shas`, one after the other.

        A root commit is compared with the empty tree. An object that is missing costs its file the patch; one
        without which the commit cannot be read at all costs the commit, and no other one, which its `fault` says.
        Others are read ahead meanwhile: who stops before the end closes it.
        """
        ...

    def read_ahead(self, shas: Sequence[str]) -> None:
        """`changes` of exactly these is asked for soon: begin with it, where that costs nobody else anything.

        Nothing is raised for what is found then; `changes` raises it. What was begun for others before is let go.
        """
        ...

    def read(self, head: Head, path: str) -> str | None:
        """The text of a file at the top of the tracked branch; None where there is none, or it is no text file."""
        ...

    def pull_requests(self, numbers: Collection[int]) -> Mapping[int, PullRequest | None] | None:
        """What is known of pull requests: None for a number that is none; None in all where nobody knows of any.

        That is so for a source without pull requests, and for one that would have to say who asks.
        """
        ...

    def close(self) -> None:
        """Give back what the source holds; it can't be used afterwards."""
        ...
