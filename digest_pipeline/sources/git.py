"""A repository's history through the `git` command: a mirror of a remote, or a local path read where it lies."""

from __future__ import annotations

import fcntl
import hashlib
import re
import secrets
import shutil
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from digest_pipeline.domain.commit import (
    Commit,
    CommitChanges,
    first_of_authors,
    storable,
    storable_moment,
)
from digest_pipeline.errors import SourceDamaged, SourceError, SourceRejected, SourceUnavailable
from digest_pipeline.sources import Head
from digest_pipeline.sources.branches import MOST_TEXT_BYTES, as_one
from digest_pipeline.sources.git_command import Git
from digest_pipeline.sources.git_diff import (
    RawEntry,
    missing_file,
    parse_commit,
    parse_raw,
    split_commits,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from digest_pipeline.domain.commit import PullRequest
    from digest_pipeline.domain.day import Window
    from digest_pipeline.domain.globs import Globs

_SHA256_LENGTH = 64
MINIMUM_GIT = (2, 37)
"""The first git with `--since-as-filter`: plain `--since` stops at the first commit with a skewed date."""

_REFUSED_OBJECT = re.compile(r"(?:not our ref|unadvertised object) ([0-9a-f]{40,64})")
_MOST_REFUSALS = 100

_ASK_SECONDS = 120.0
_FETCH_SECONDS = 3600.0
_FIELDS = "%H%x00%P%x00%an%x00%ae%x00%at %ad%x00%cn%x00%ce%x00%ct %cd%x00%B"
# One ref, whatever the branch is called: `release/1.0` cannot stand beside `release`.
_TRACKED = "refs/digest/tracked"
_OTHERS = "refs/digest/others/"
_A_FILE = re.compile(rb"100(?:644|755|664) blob ([0-9a-f]{40,64})\t")
_DIFF_TREE = (
    "diff-tree",
    "--stdin",
    "-r",
    "--root",
    "--diff-merges=first-parent",
    "--always",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
)
_BLOCK, _AHEAD = 16, 8
"""Commits that are parsed at once, a megabyte of patches; and how many such blocks are held."""

_Marred = dict[str, list[RawEntry]]
"""Of commits the files whose objects are missing."""

_Faults = dict[str, SourceDamaged]
"""Of commits what keeps them from being read."""

_PATCH = ("--raw", "-z", "-p", "-M", "-l1000", "--no-abbrev")


class GitSource:
    """`Source` over git.

    A remote `url` is mirrored at `mirror_dir`, bare and without blobs, which are fetched for the days that
    are read. A local path is only ever read. `token` is for http(s) remotes. `branches` are read beside the
    tracked one, none where they are None.
    """

    def __init__(
        self,
        *,
        repo: str,
        url: str,
        branch: str | None,
        mirror_dir: Path,
        token: str | None = None,
        branches: Globs | None = None,
    ) -> None:
        self._repo = repo
        self._url = url
        self._branch = branch
        self._branches = branches
        self._is_local = "://" not in url and (Path(url).is_absolute() or Path(url).exists())
        self._mirror_dir = mirror_dir
        self._asking = Git(None, repo=repo, origin=url, token=token)
        self._mirror = Git(mirror_dir, repo=repo, origin=url, token=token)
        self._git: Git | None = None
        self._ahead: _Reading | None = None
        self._firsts: tuple[Head, frozenset[str]] | None = None

    def refresh(self) -> Head:
        """Resolve the tracked branch, after fetching what the mirror lacks; see `Source.refresh`."""
        return self._resolve_local() if self._is_local else self._refresh_mirror()

    def probe(self) -> Head:
        """See `Source.probe`."""
        return self._resolve_local() if self._is_local else self._ask_remote()

    def commits(self, head: Head, window: Window) -> list[Commit]:
        """See `Source.commits`."""
        before = [head.sha]
        others = []
        for name, sha in head.others:
            others.append((name, self._listed(sha, window, without=before)))
            before.append(sha)
        return as_one(self._listed(head.sha, window), others)

    def _listed(self, sha: str, window: Window, *, without: Sequence[str] = ()) -> list[Commit]:
        """The commits of a window that `sha` reaches, and none of `without`."""
        marker = secrets.token_hex(16)
        output = self._reading().run(
            "rev-list",
            "--no-commit-header",
            f"--since-as-filter={int(window.start.timestamp()) - 1}",
            f"--until={int(window.end.timestamp()) + 1}",
            "--date=raw",
            f"--format={marker}{_FIELDS}",
            "--encoding=UTF-8",
            sha,
            *(f"^{one}" for one in without),
            "--",
        )
        chunks = output.decode("utf-8", "replace").split(marker)[1:]
        commits = (_parse_commit(chunk) for chunk in chunks)
        return [commit for commit in commits if commit.committed_at in window]

    def arrived(self, head: Head, base: str) -> Iterator[tuple[str, datetime]]:
        """See `Source.arrived`."""
        git = self._reading()
        if base == head.sha or not git.succeeds("merge-base", "--is-ancestor", base, head.sha):
            return
        listed = git.run("rev-list", "--no-commit-header", "--format=%H %ct", head.sha, f"^{base}")
        for line in listed.decode().splitlines():
            sha, _, seconds = line.partition(" ")
            yield sha, _moment(seconds, "+0000")

    def firsts(self, head: Head) -> Callable[[], Collection[str]]:
        """See `Source.firsts`. It raises as the others do."""
        return partial(self._walked, head)

    def _walked(self, head: Head) -> frozenset[str]:
        if self._firsts is None or self._firsts[0] != head:
            asked = (
                "rev-list",
                "--no-commit-header",
                "--encoding=UTF-8",
                "--format=%H%x00%ct%x00%an%x00%ae",
                "--stdin",
            )
            heads = [head.sha, *(sha for _, sha in head.others)]
            # A line after the other: of a long history all of them are more than a run has room for.
            with self._reading().stream(*asked, lines=heads) as output:
                found = first_of_authors(map(_parse_author, output))
            # Not before git has ended well: of a part of the history others would be first.
            self._firsts = head, found
        return self._firsts[1]

    def read_ahead(self, shas: Sequence[str]) -> None:
        """See `Source.read_ahead`. A mirror without blobs is left alone: a fetch takes as long as a network likes."""
        self.close()
        if shas and (self._is_local or not self._is_partial()):
            self._ahead = _Reading(shas, self._changes(shas))

    def changes(self, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        """See `Source.changes`."""
        if not shas:
            return
        reading = self._ahead
        if reading is not None and reading.has(shas):
            self._ahead = None
        else:
            if reading is not None and reading.is_about(shas):
                self.close()
            # Here and not in its thread: a fetch is ended with who waits for it.
            reading = _Reading(shas, self._patched(shas, *self._looked_up(shas)))
        with closing(reading):
            yield from reading.taken()

    def _changes(self, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        yield from self._patched(shas, *self._looked_up(shas))

    def _looked_up(self, shas: Sequence[str]) -> tuple[_Marred, _Faults]:
        """Which commits lack objects, and which cannot be read; one of either would end the stream."""
        git = self._reading()
        entries, faults = self._raw_entries(git, shas)
        needed = {blob for files in entries.values() for entry in files for blob in entry.blobs}
        gone = next((sha for sha in shas if sha not in entries and sha not in faults), None)
        if gone is not None:
            raise SourceRejected(
                f"{self._repo}: commit {gone[:12]} is not in {self._url} any more; materialize raw_commits first",
                repo=self._repo,
            )
        missing = self._missing_blobs(git, needed)
        marred = {
            sha: [entry for entry in files if missing.intersection(entry.blobs)]
            for sha, files in entries.items()
            if missing and any(missing.intersection(entry.blobs) for entry in files)
        }
        return marred, faults

    def _patched(
        self, shas: Sequence[str], marred: _Marred, faults: _Faults
    ) -> Generator[CommitChanges, None, None]:
        git = self._reading()
        rest = [sha for sha in shas if sha not in marred and sha not in faults]
        with closing(self._whole(git, rest)) as whole:
            for sha in shas:
                if sha in faults:
                    yield _unreadable(sha, faults[sha])
                else:
                    yield self._marred(git, sha, marred[sha]) if sha in marred else next(whole)

    def read(self, head: Head, path: str) -> str | None:
        """See `Source.read`. A link is no file, and what is longer than a megabyte no text."""
        git = self._reading()
        found = _A_FILE.match(git.run("ls-tree", "-z", "--full-tree", head.sha, "--", path))
        if found is None:
            return None
        name = found[1].decode()
        if not git.succeeds("cat-file", "-e", name) and not self._is_local:
            with _exclusive(self._mirror_dir, self._repo):
                self._fetch_blobs({found[1]})
        if int(git.run("cat-file", "-s", name)) > MOST_TEXT_BYTES:
            return None
        return storable(git.run("cat-file", "blob", name).decode("utf-8", "replace"))

    def pull_requests(self, numbers: Collection[int]) -> Mapping[int, PullRequest | None] | None:
        """None: git knows of no pull requests."""
        del numbers
        return None

    def close(self) -> None:
        """See `Source.close`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()

    # --- where the history lies ---------------------------------------------------------------------------

    def _reading(self) -> Git:
        if self._git is None:
            self._git = self._open_local() if self._is_local else self._mirror
        return self._git

    def _open_local(self) -> Git:
        if not Path(self._url).exists():
            raise SourceRejected(f"{self._repo}: {self._url} does not exist; check url", repo=self._repo)
        finder = Git(None, repo=self._repo, origin=self._url)
        found = finder.run("-C", self._url, "-c", "core.bare=false", "rev-parse", "--absolute-git-dir")
        return Git(Path(found.decode().strip()), repo=self._repo, origin=self._url)

    def _resolve_local(self) -> Head:
        self._git = git = self._open_local()
        if git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise SourceRejected(
                f"{self._repo}: {self._url} is a shallow clone, which shows whole trees as changes; "
                "run `git fetch --unshallow` in it",
                repo=self._repo,
            )
        if self._branch is not None:
            for prefix in ("refs/heads/", "refs/remotes/origin/"):
                sha = _try_commit(git, prefix + self._branch)
                if sha is not None:
                    return Head(self._branch, sha, self._local_others(git, self._branch))
            if not git.run("for-each-ref", "--count=1", "refs/heads", "refs/remotes").strip():
                raise self._empty()
            raise self._unknown_branch(
                git.run("for-each-ref", "--format=%(refname:short)", "refs/heads").decode().split()
            )
        sha = _try_commit(git, "HEAD")
        if sha is None:
            branches = git.run("for-each-ref", "--format=%(refname:short)", "refs/heads").decode().split()
            if branches:
                raise SourceRejected(
                    f"{self._repo}: the default branch of {self._url} has no commits; "
                    f"set branch to one of: {_some(branches)}",
                    repo=self._repo,
                )
            raise self._empty()
        name = git.run("rev-parse", "--abbrev-ref", "HEAD").decode().strip()
        return Head(name, sha, self._local_others(git, name))

    def _local_others(self, git: Git, tracked: str) -> tuple[tuple[str, str], ...]:
        """The branches beside `tracked`; of a clone those too that only its origin had when it was fetched."""
        if self._branches is None:
            return ()
        found: dict[str, str] = {}
        for prefix in ("refs/remotes/origin/", "refs/heads/"):
            listed = git.run("for-each-ref", "--format=%(objectname) %(refname) %(symref)", prefix)
            for line in listed.decode("utf-8", "replace").splitlines():
                sha, name, symbolic = line.split(" ")
                if not symbolic:  # such as origin's HEAD, another's name
                    found[name.removeprefix(prefix)] = sha
        return self._chosen(found, tracked)

    def _chosen(self, branches: Mapping[str, str], tracked: str) -> tuple[tuple[str, str], ...]:
        if self._branches is None:
            return ()
        admits = self._branches.admits
        return tuple((name, branches[name]) for name in sorted(branches) if name != tracked and admits(name))

    def _refresh_mirror(self) -> Head:
        head = self._ask_remote()
        wanted = {_TRACKED: head.branch} | {_ref_of(name): name for name, _ in head.others}
        with _exclusive(self._mirror_dir, self._repo):
            self._prepare_mirror(head.sha)
            asked = dict([(_TRACKED, head.sha), *((_ref_of(name), sha) for name, sha in head.others)])
            before = stand = self._tracked_refs()
            behind = [ref for ref, sha in asked.items() if stand.get(ref) != sha]
            if behind or _try_commit(self._mirror, head.sha) is None:
                lines = "".join(f"+refs/heads/{wanted[ref]}:{ref}\n" for ref in behind or [_TRACKED])
                self._fetch("--filter=blob:none", "--stdin", "origin", stdin=lines.encode())
                stand = self._tracked_refs()
                kept = [ref for ref in behind if stand.get(ref) == before.get(ref)]
                if lacking := [ref for ref in kept if not self._has(stand.get(ref), asked[ref])]:
                    self._must_not_withhold({wanted[ref]: stand.get(ref) for ref in lacking})
        fetched = stand.get(_TRACKED)
        if fetched is None or _try_commit(self._mirror, fetched) is None:
            raise SourceUnavailable(
                f"{self._repo}: {self._url} sent no commits for {head.branch}; try again", repo=self._repo
            )
        self._git = self._mirror
        others = tuple((name, stand[_ref_of(name)]) for name, _ in head.others)
        return Head(head.branch, fetched, others)

    def _has(self, stand: str | None, sha: str) -> bool:
        """Whether a branch that stands there has a commit: what was asked for may be older than what was fetched."""
        if stand is None:
            return False
        try:
            self._mirror.run("merge-base", "--is-ancestor", sha, stand)
        except SourceError:
            return False
        return True

    def _must_not_withhold(self, stand: Mapping[str, str | None]) -> None:
        """Raise SourceUnavailable where branches that were fetched, and did not move, stand elsewhere over there.

        A shallow clone keeps to itself what it has had since it is one, and git ends well all the same.
        """
        head = self._ask_remote()
        there = dict([(head.branch, head.sha), *head.others])
        if withheld := [
            name for name, sha in stand.items() if sha is None or there.get(name) not in {None, sha}
        ]:
            raise SourceUnavailable(
                f"{self._repo}: {self._url} sent nothing of {_some(withheld)}, though it has commits there; "
                "where it is a shallow clone, run `git fetch --unshallow` in it, else try again",
                repo=self._repo,
            )

    def _tracked_refs(self) -> dict[str, str]:
        """Where the mirror's branches stand, by the names that they have in it."""
        listed = self._mirror.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/digest/")
        return dict(line.split(" ") for line in listed.decode().splitlines())

    def _ask_remote(self) -> Head:
        """The branches and where they stand, in one question."""
        answer = self._asking.run(
            "ls-remote",
            "--symref",
            "--",
            self._url,
            "HEAD",
            "refs/heads/*",
            network=True,
            timeout=_ASK_SECONDS,
        )
        branches: dict[str, str] = {}
        default: str | None = None
        head_sha: str | None = None
        for line in answer.decode("utf-8", "replace").splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: ") and name == "HEAD":
                default = value.removeprefix("ref: refs/heads/")
            elif name == "HEAD":
                head_sha = value
            elif name.startswith("refs/heads/"):
                branches[name.removeprefix("refs/heads/")] = value
        if not branches:
            raise self._empty()
        if self._branch is None and default is None:
            # A detached HEAD, or an old server that does not tell: the branch that stands where HEAD stands.
            default = next((name for name, sha in branches.items() if sha == head_sha), None)
        wanted = self._branch or default
        if wanted is None or wanted not in branches:
            raise self._unknown_branch(list(branches), wanted)
        return Head(wanted, branches[wanted], self._chosen(branches, wanted))

    def _prepare_mirror(self, sha: str) -> None:
        try:
            whole = all((self._mirror_dir / part).exists() for part in ("HEAD", "objects", "refs"))
            if self._mirror_dir.exists() and not whole:
                # Half made when a run was killed: nothing in it that the remote does not have.
                shutil.rmtree(self._mirror_dir)
            self._mirror_dir.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self._repo, self._mirror_dir, error) from None
        if not whole:
            names = "sha256" if len(sha) == _SHA256_LENGTH else "sha1"
            self._asking.run(
                "init", "--quiet", "--bare", f"--object-format={names}", "--", str(self._mirror_dir)
            )
        self._mirror.run("config", "remote.origin.url", self._url)

    def _fetch(self, *arguments: str, stdin: bytes | None = None) -> None:
        self._mirror.run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--recurse-submodules=no",
            *arguments,
            stdin=stdin,
            network=True,
            timeout=_FETCH_SECONDS,
        )

    # --- what changed -------------------------------------------------------------------------------------

    def _raw_entries(
        self, git: Git, shas: Sequence[str]
    ) -> tuple[dict[str, list[RawEntry]], dict[str, SourceDamaged]]:
        """The entries of each commit, and what keeps the others from being read: git ends at the first of them."""
        marker = secrets.token_hex(16)
        try:
            with git.stream(
                *_DIFF_TREE, "--raw", "-z", "--no-abbrev", "--no-renames", f"--format={marker}%H", lines=shas
            ) as output:
                return {sha: parse_raw(chunk)[0] for sha, chunk in split_commits(output, marker.encode())}, {}
        except SourceDamaged as error:
            if len(shas) == 1:
                return {}, {shas[0]: error}
        middle = len(shas) // 2
        one, other = self._raw_entries(git, shas[:middle]), self._raw_entries(git, shas[middle:])
        return one[0] | other[0], one[1] | other[1]

    def _missing_blobs(self, git: Git, needed: set[bytes]) -> set[bytes]:
        """Which of these objects are not here, and cannot be had. Raises SourceError."""
        if not needed:
            return set()
        missing = needed - _present(git, needed)
        if missing and not self._is_local and self._is_partial():
            with _exclusive(self._mirror_dir, self._repo):
                self._fetch_blobs(missing)
            missing -= _present(git, missing)
        return missing

    def _fetch_blobs(self, names: set[bytes]) -> None:
        """Bring blobs into the mirror; one that the remote itself lacks is left out, and costs its file the patch."""
        wanted = set(names)
        for _ in range(_MOST_REFUSALS):
            if not wanted:
                return
            try:
                self._fetch(
                    "--filter=blob:none", "--stdin", "origin", stdin=b"\n".join(sorted(wanted)) + b"\n"
                )
            except SourceError as error:
                refused = _REFUSED_OBJECT.search(str(error))
                if refused is None:
                    raise
                wanted.discard(refused[1].encode())
            else:
                return

    def _is_partial(self) -> bool:
        return self._mirror.succeeds("config", "--get", "remote.origin.promisor")

    def _whole(self, git: Git, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        """The changes of these in their order; where git ends over one, that one says so and another git goes on."""
        told = 0
        while told < len(shas):
            last: tuple[str, bytes] | None = None
            try:
                for one in self._patches(git, shas[told:]):
                    changes = None if last is None else parse_commit(*last)
                    last = one
                    del one  # what was parsed is held by nobody while the next is read
                    if changes is not None:
                        told += 1
                        yield changes
            except SourceDamaged:
                # Over the last one that it spoke of, or over the next before a word of it.
                yield self._alone(git, shas[told])
                told += 1
            else:
                if last is not None:
                    yield parse_commit(*last)
                return

    def _alone(self, git: Git, sha: str) -> CommitChanges:
        try:
            ((_, chunk),) = self._patches(git, [sha])
        except SourceDamaged as error:
            return _unreadable(sha, error)
        return parse_commit(sha, chunk)

    def _marred(self, git: Git, sha: str, missing: Sequence[RawEntry]) -> CommitChanges:
        """The commit without the files at fault, and those as records that say so."""
        leave_out = [
            f":(exclude,literal,top){entry.path.decode('utf-8', 'surrogateescape')}" for entry in missing
        ]
        chunks = list(self._patches(git, [sha], "--", ".", *leave_out))
        # With pathspecs a commit of which nothing is left prints nothing, --always or not.
        rest = parse_commit(*chunks[0]).files if chunks else ()
        files = sorted(
            (*rest, *map(missing_file, missing)),
            key=lambda file: file.path.encode("utf-8", "surrogateescape"),
        )
        return CommitChanges(sha, tuple(files))

    def _patches(self, git: Git, shas: Sequence[str], *paths: str) -> Iterator[tuple[str, bytes]]:
        """What git says of each; the last may be half of it where SourceDamaged follows."""
        marker = secrets.token_hex(16)
        with git.stream(*_DIFF_TREE, *_PATCH, f"--format={marker}%H", *paths, lines=shas) as output:
            yield from split_commits(output, marker.encode())

    # --- errors -------------------------------------------------------------------------------------------

    def _empty(self) -> SourceError:
        return SourceRejected(
            f"{self._repo}: {self._url} has no commits yet; push some, or check url", repo=self._repo
        )

    def _unknown_branch(self, known: Sequence[str], wanted: str | None = None) -> SourceError:
        return SourceRejected(
            f'{self._repo}: {self._url} has no branch "{wanted or self._branch or "HEAD"}"; '
            f"set branch to one of: {_some(known)}",
            repo=self._repo,
        )


class _Reading:
    """The changes of `shas` as another thread reads them, some blocks before they are taken; git goes on by itself."""

    def __init__(self, shas: Sequence[str], changes: Generator[CommitChanges, None, None]) -> None:
        self._shas = tuple(shas)
        self._changes = changes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="git")
        self._coming = deque(self._next() for _ in range(_AHEAD))

    def _next(self) -> Future[list[CommitChanges]]:
        return self._thread.submit(list, islice(self._changes, _BLOCK))

    def has(self, shas: Sequence[str]) -> bool:
        """Whether it is these that are read; where not even the first can be, it is tried again in its place."""
        return self._shas == tuple(shas) and self._coming[0].exception() is None

    def is_about(self, shas: Sequence[str]) -> bool:
        """Whether any of these are read, so that nobody will ask for all of it any more."""
        return not {*self._shas}.isdisjoint(shas)

    def taken(self) -> Iterator[CommitChanges]:
        """All of them, once."""
        while block := self._coming.popleft().result():
            self._coming.append(self._next())
            yield from block

    def close(self) -> None:
        """End what reads."""
        for block in self._coming:
            block.cancel()
        self._thread.shutdown(wait=True)
        self._changes.close()


def git_version() -> tuple[int, ...]:
    """The version of the installed git; raises SourceRejected where there is none."""
    text = Git(None, repo="git").run("--version").decode()
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


@dataclass(frozen=True, slots=True)
class Clone:
    """A local repository: its top folder, what it calls origin, the committer dates of HEAD's history."""

    folder: Path
    origin_url: str | None
    commit_times: tuple[datetime, ...]


def clone_of(path: Path) -> Clone:
    """The repository that `path` lies in. Raises SourceRejected, with what to do, where it has no whole history."""
    finder = Git(None, repo=str(path), origin=str(path))
    try:
        folder = _top_of(finder, path)
    except SourceError as error:
        raise SourceRejected(
            f"{path} has no git history ({error}); run this in a clone (git clone …), or name one with --path"
        ) from None
    source = GitSource(repo=str(folder), url=str(folder), branch=None, mirror_dir=folder)
    head = source.refresh()
    stamps = source._reading().run("rev-list", "--no-commit-header", "--format=%ct", head.sha, "--")  # noqa: SLF001 - our own
    try:
        origin = finder.run("-C", str(path), "config", "--get", "remote.origin.url").decode().strip()
    except SourceError:
        origin = None
    return Clone(folder, origin, tuple(_moment(stamp, "+0000") for stamp in stamps.decode().split()))


def _top_of(finder: Git, path: Path) -> Path:
    """The top folder of a work tree; the repository itself where it is bare."""
    asked = ("-C", str(path), "-c", "core.bare=false", "rev-parse")
    try:
        return Path(finder.run(*asked, "--show-toplevel").decode().strip())
    except SourceError:
        return Path(finder.run(*asked, "--absolute-git-dir").decode().strip())


def _unreadable(sha: str, error: SourceDamaged) -> CommitChanges:
    said = str(error).removeprefix(f"{error.repo}: ")
    return CommitChanges(sha, (), complete=False, fault=f"commit {sha[:12]} cannot be read: {said}")


def _ref_of(branch: str) -> str:
    """What another branch than the tracked one is called in the mirror: see `_TRACKED`."""
    return _OTHERS + hashlib.sha256(branch.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _present(git: Git, names: set[bytes]) -> set[bytes]:
    """Which of these objects are in the repository, without asking a promisor for any."""
    if not git.succeeds("config", "--get-regexp", r"^remote\..*\.promisor$"):
        answer = git.run("cat-file", "--batch-check=%(objectname)", stdin=b"\n".join(names) + b"\n")
        return {line for line in answer.split(b"\n") if line in names}
    # `--batch-check` would start a fetch for each object that is not here (before git 2.45), a listing does not.
    with git.stream(
        "cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--unordered", lines=()
    ) as output:
        return {name for line in output if (name := line.strip()) in names}


def _try_commit(git: Git, revision: str) -> str | None:
    try:
        return (
            git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            .decode()
            .strip()
        )
    except SourceError:
        return None


def _parse_commit(chunk: str) -> Commit:
    sha, parents, author, author_email, authored, committer, committer_email, committed, message = (
        chunk.split("\0", 8)
    )
    return Commit(
        sha=sha,
        parents=tuple(parents.split()),
        author_name=storable(author),
        author_email=storable(author_email),
        authored_at=_moment(*_stamp(authored)),
        committer_name=storable(committer),
        committer_email=storable(committer_email),
        committed_at=_moment(*_stamp(committed)),
        message=storable(message.rstrip()),
    )


def _parse_author(line: bytes) -> tuple[str, int, str, str]:
    sha, committed, name, email = line.decode("utf-8", "replace").rstrip("\n").split("\0")
    return sha, int(committed or 0), name, email


def _stamp(text: str) -> tuple[str, str]:
    # "%at %ad" with raw dates: "1771635600 1771635600 -0800"; broken headers leave parts out.
    parts = text.split()
    return (parts[0] if parts else "0", parts[-1] if len(parts) > 1 else "+0000")


def _moment(seconds: str, offset: str) -> datetime:
    """A git timestamp; a zone that no calendar has becomes UTC, a time out of range the epoch's end or start."""
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", offset)
    delta = timedelta(hours=int(match[2]), minutes=int(match[3])) if match else timedelta()
    zone = timezone(-delta if match and match[1] == "-" else delta) if delta < timedelta(hours=24) else UTC
    try:
        return storable_moment(datetime.fromtimestamp(int(seconds), UTC)).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1, tzinfo=UTC)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, …" if len(names) > 8 else shown or "(none)"  # noqa: PLR2004 - one line on a terminal


@contextmanager
def _exclusive(mirror_dir: Path, repo: str) -> Iterator[None]:
    """One fetch at a time: git's own locks make a second one fail instead of wait."""
    try:
        mirror_dir.parent.mkdir(parents=True, exist_ok=True)
        lock = mirror_dir.with_name(mirror_dir.name + ".lock").open("w")
    except OSError as error:
        raise _cannot_write(repo, mirror_dir, error) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cannot_write(repo: str, folder: Path, error: OSError) -> SourceError:
    reason = error.strerror or error
    return SourceUnavailable(
        f"{repo}: {folder} cannot be written: {reason}; check its rights and the disk", repo=repo
    )
