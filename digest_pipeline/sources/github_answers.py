"""What GitHub answers, as far as it is believed, and what a file's entry means. No request is made here.

The models hold only what is read; anything else in an answer is passed over, and an answer that lacks some of
it is no answer. They keep GitHub's names.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from digest_pipeline.domain.commit import (
    Commit,
    FileChange,
    FileStatus,
    PatchState,
    PullRequest,
    storable,
    storable_moment,
)

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""The object that every empty file of every repository is."""

LONGEST_BODY = 65_536
"""So long may the text of a pull request be at GitHub."""

_FIRST_HUNK = re.compile(r"^@@ ", re.MULTILINE)
_SUBPROJECT = re.compile(r"[+-]Subproject commit [0-9a-f]{40,64}(-dirty)?")
_STATUSES: Mapping[str, FileStatus] = {status: status for status in get_args(FileStatus)}
_SUBMODULE_MODE = "160000"

_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
_Count = Annotated[int, Field(ge=0, lt=2**31)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Complaint(_Answer):
    """The body of an error."""

    message: str = ""


class Repository(_Answer):
    """`GET /repos/{owner}/{name}`."""

    default_branch: Annotated[str, Field(min_length=1)]


class Pointer(_Answer):
    """Wherever GitHub names a commit."""

    sha: _Sha


class Branch(_Answer):
    """`GET …/branches/{branch}`."""

    commit: Pointer


class Person(_Answer):
    """An author or committer as the commit itself names them, not the user that GitHub takes them for."""

    name: str | None = None
    email: str | None = None
    date: AwareDatetime


class GitCommit(_Answer):
    """A commit's own data; `author` is null where its line in the commit is broken."""

    message: str
    author: Person | None = None
    committer: Person


class ListedCommit(_Answer):
    """One entry of `GET …/commits`."""

    sha: _Sha
    parents: tuple[Pointer, ...]
    commit: GitCommit


class Stats(_Answer):
    """The sums over all files of a commit, also those that are not listed."""

    additions: _Count
    deletions: _Count


class File(_Answer):
    """One file of a commit."""

    filename: Annotated[str, Field(min_length=1)]
    previous_filename: str | None = None
    status: str
    additions: _Count
    deletions: _Count
    patch: str | None = None


class CommitDetail(_Answer):
    """One page of `GET …/commits/{sha}`: each repeats the commit, with other files."""

    sha: _Sha
    parents: tuple[Pointer, ...]
    stats: Stats | None = None
    files: tuple[File, ...] = ()


class ListedBranch(_Answer):
    """One entry of `GET …/branches`."""

    name: Annotated[str, Field(min_length=1)]
    commit: Pointer


class Contents(_Answer):
    """`GET …/contents/{path}` of a file; `content` is empty where it is longer than a megabyte."""

    type: str
    encoding: str = ""
    content: str = ""


class _Label(_Answer):
    name: str


class _Labels(_Answer):
    nodes: tuple[_Label | None, ...] | None = None


class _PullRequest(_Answer):
    number: _Count
    title: str
    body: str = ""
    labels: _Labels | None = None


class _GraphError(_Answer):
    message: str = ""
    type: str = ""


class _Graph(_Answer):
    repository: dict[str, _PullRequest | None] | None = None


class PullRequests(_Answer):
    """The answer to `pull_requests_query`: for each number its pull request, null where there is none."""

    data: _Graph | None = None
    errors: tuple[_GraphError, ...] = ()


class TreeEntry(_Answer):
    """One path of a tree; `type` is blob, tree or commit."""

    path: str
    mode: str
    type: str
    sha: _Sha


class TreeListing(_Answer):
    """`GET …/git/trees/{sha}?recursive=1`."""

    tree: tuple[TreeEntry, ...]
    truncated: bool = False


REPOSITORY = TypeAdapter(Repository)
BRANCH = TypeAdapter(Branch)
BRANCHES = TypeAdapter(list[ListedBranch])
CONTENTS = TypeAdapter(Contents)
PULL_REQUESTS = TypeAdapter(PullRequests)
COMMITS = TypeAdapter(list[ListedCommit])
DETAIL = TypeAdapter(CommitDetail)
TREE = TypeAdapter(TreeListing)


@dataclass(frozen=True, slots=True)
class Blob:
    """What stands at a path of a tree: a file's content and mode, or a submodule's commit."""

    mode: str
    sha: str


Tree = Mapping[str, Blob]
"""The files of a commit by path. GitHub cuts large ones: a path that is not here may still exist."""

NO_TREE: Tree = {}


def tree_of(listing: TreeListing) -> Tree:
    """The files of a listing, without its folders."""
    return {entry.path: Blob(entry.mode, entry.sha) for entry in listing.tree if entry.type != "tree"}


def commit_of(listed: ListedCommit) -> Commit:
    """The commit of one entry; where nobody is named as its author, its committer counts as such."""
    committer = listed.commit.committer
    author = listed.commit.author or committer
    return Commit(
        sha=listed.sha,
        parents=tuple(parent.sha for parent in listed.parents),
        author_name=storable(author.name or ""),
        author_email=storable(author.email or ""),
        authored_at=storable_moment(author.date).astimezone(UTC),
        committer_name=storable(committer.name or ""),
        committer_email=storable(committer.email or ""),
        committed_at=storable_moment(committer.date).astimezone(UTC),
        message=storable(listed.commit.message.rstrip()),
    )


def text_of(contents: Contents) -> str | None:
    """The text of a file; None where it is no file, or GitHub does not show it."""
    if contents.type != "file" or contents.encoding != "base64":
        return None
    try:
        return storable(base64.b64decode(contents.content).decode("utf-8", "replace"))
    except binascii.Error:
        return None


def pull_requests_query(numbers: Iterable[int]) -> str:
    """The question for these pull requests, in GraphQL; its variables are `owner` and `name`."""
    wanted = "".join(
        f" p{number}: pullRequest(number: {number}) {{ number title body labels(first: 100) {{ nodes {{ name }} }} }}"
        for number in numbers
    )
    return (
        f"query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{{wanted} }} }}"
    )


def pull_requests_of(answer: PullRequests) -> dict[int, PullRequest | None] | None:
    """What an answer says of each number; None where it says nothing, and why stands in its errors."""
    if answer.data is None or answer.data.repository is None:
        return None
    if any(error.type != "NOT_FOUND" for error in answer.errors):
        return None
    return {
        int(alias.removeprefix("p")): None if one is None else _pull_request(one)
        for alias, one in answer.data.repository.items()
    }


def _pull_request(one: _PullRequest) -> PullRequest:
    labels = (one.labels.nodes if one.labels is not None else None) or ()
    return PullRequest(
        number=one.number,
        title=storable(one.title),
        labels=tuple(storable(label.name) for label in labels if label is not None),
        body=storable(one.body)[:LONGEST_BODY],
    )


def needs_trees(file: File) -> bool:
    """Whether an entry does not tell what it is: without patch and lines it may be five different things."""
    return _hunks(file) is None and not file.additions and not file.deletions


def file_change(file: File, before: Tree = NO_TREE, after: Tree = NO_TREE) -> FileChange:
    """The record of one entry; the trees (of the first parent, of the commit) count where `needs_trees`."""
    patch = _hunks(file)
    additions, deletions = file.additions, file.deletions
    state: PatchState = "incomplete"
    if patch is not None:
        counted = patch.count("\n+"), patch.count("\n-")
        if _names_submodule(patch, file.status):
            state = "submodule"
            additions, deletions = counted
        elif counted == (additions, deletions):
            state = "text"
    elif needs_trees(file):
        state, patch = _without_lines(file, before, after)
    return FileChange(
        path=storable(file.filename),
        previous_path=None if file.previous_filename is None else storable(file.previous_filename),
        status=_STATUSES.get(file.status, "modified"),
        additions=additions,
        deletions=deletions,
        patch=None if patch is None else storable(patch),
        patch_state=state,
    )


def git_order(file: File) -> bytes:
    """By this git sorts the files of a commit: the bytes of the new path."""
    return file.filename.encode("utf-8", "surrogatepass")


def _hunks(file: File) -> str | None:
    if file.patch is None or (first := _FIRST_HUNK.search(file.patch)) is None:
        return None
    return file.patch[first.start() :].removesuffix("\n")


def _names_submodule(patch: str, status: str) -> bool:
    if "Subproject commit " not in patch:
        return False
    lines = (line for line in patch.split("\n") if line.startswith(("+", "-")))
    named = [_SUBPROJECT.fullmatch(line) is not None for line in lines]
    # Where a file became a submodule, its own lines stand beside the one that names the commit.
    return any(named) if status == "changed" else all(named)


def _without_lines(file: File, before: Tree, after: Tree) -> tuple[PatchState, str | None]:
    old = before.get(file.previous_filename or file.filename) if file.status != "added" else None
    new = after.get(file.filename) if file.status != "removed" else None
    sides = [side for side in (old, new) if side is not None]
    if len(sides) < (1 if file.status in {"added", "removed"} else 2):
        # The tree was cut before it, or the answers contradict each other.
        return "incomplete", None
    if any(side.mode == _SUBMODULE_MODE for side in sides):
        return "submodule", ""
    if old is not None and new is not None and old.sha == new.sha:
        return ("text", "") if old.mode == new.mode else ("mode", None)
    if all(side.sha == EMPTY_BLOB for side in sides):
        return "text", ""
    return "binary", None
