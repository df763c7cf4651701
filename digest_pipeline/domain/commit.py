"""What a source hands over: commits and the files that they change. Nothing here reads a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

FileStatus = Literal["added", "removed", "modified", "renamed", "copied", "changed"]
"""GitHub's words; `changed` is a change of type (a file that became a symlink or a submodule)."""

PatchState = Literal["text", "binary", "submodule", "mode", "missing", "incomplete", "expired"]
"""What `FileChange.patch` is.

`text`: all of it, possibly empty (a pure rename, an empty file). `binary`: there is none to read.
`submodule`: the two lines that name the commits. `mode`: only the file's mode changed. `missing`: an object
is not in the repository. `incomplete`: the source left lines out and said so. `expired`: all of it was here, and
upkeep has let it go since; no source gives it.
"""

UNREAD_STATES: tuple[PatchState, ...] = ("missing", "incomplete")
"""The states in which lines exist that nobody here has seen."""

_PULL_REQUEST = re.compile(r"\(#(\d{1,9})\)\s*$")
_MERGED_PULL_REQUEST = re.compile(r"^Merge pull request #(\d{1,9}) from ")
_FIRST_MOMENT = datetime(1, 1, 3, tzinfo=UTC)
_LAST_MOMENT = datetime(9999, 12, 29, tzinfo=UTC)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a commit against the commit's first parent, renames followed.

    `additions` and `deletions` count lines as `git diff --numstat` does; 0 where there is no text to count,
    None where the text was not seen. `patch` runs from its first `@@` and has no trailing newline; it is
    None in the states `binary`, `mode`, `missing` and `expired`.
    """

    path: str
    previous_path: str | None
    status: FileStatus
    additions: int | None
    deletions: int | None
    patch: str | None
    patch_state: PatchState

    @property
    def was_let_go(self) -> bool:
        """Whether upkeep let go of what was read of the patch; that of an incomplete one is empty since."""
        return self.patch_state == "expired" or (self.patch_state == "incomplete" and self.patch == "")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit without its files. Times carry an offset; `message` has no trailing white space.

    `branch` is one that has it where the tracked one has not, else None.
    """

    sha: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: datetime
    committer_name: str
    committer_email: str
    committed_at: datetime
    message: str
    branch: str | None = None

    @property
    def title(self) -> str:
        """The message's first line."""
        return title_of(self.message)


@dataclass(frozen=True, slots=True)
class CommitChanges:
    """All files of one commit, in git's order (by path); `complete` is False where the source cut the list.

    `fault` says why they cannot be read, where that is the fault of this commit alone.
    """

    sha: str
    files: tuple[FileChange, ...]
    complete: bool = True
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What its page says of a pull request; `labels` in the page's order."""

    number: int
    title: str
    labels: tuple[str, ...]
    body: str


def first_of_authors(commits: Iterable[tuple[str, int, str, str]]) -> frozenset[str]:
    """Of commits as (SHA, committer's time, author's name, their address): those before which their author has none.

    Of two of one time the later one in the list is the older. An address that GitHub gives to one account tells a
    person who changed their name; other addresses may be shared.
    """
    by_name: dict[str, tuple[int, str, str | None]] = {}
    by_account: dict[str, tuple[int, str]] = {}
    for sha, time, name, email in commits:
        account = email.lower() if email.lower().endswith("@users.noreply.github.com") else None
        if name not in by_name or time <= by_name[name][0]:
            by_name[name] = time, sha, account
        if account is not None and (account not in by_account or time <= by_account[account][0]):
            by_account[account] = time, sha
    return frozenset(
        sha for _, sha, account in by_name.values() if account is None or by_account[account][1] == sha
    )


def title_of(message: str) -> str:
    """The first line of a message, without surrounding white space."""
    return message.strip().partition("\n")[0].strip()


def pull_request_number(message: str) -> int | None:
    """The pull request that a commit came from, by its title: `… (#123)` or `Merge pull request #123 from …`.

    A revert names the number of what it reverts in quotes before its own, so that the last one counts.
    """
    title = title_of(message)
    match = _PULL_REQUEST.search(title) or _MERGED_PULL_REQUEST.match(title)
    return int(match[1]) if match else None


def storable_moment(moment: datetime) -> datetime:
    """`moment`, or the nearest one that every time zone can show: years 1 and 9999 end elsewhere sooner."""
    return min(max(moment, _FIRST_MOMENT), _LAST_MOMENT)


def storable(text: str) -> str:
    """Text that UTF-8 and every engine here can hold: NUL and lone surrogates become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)
