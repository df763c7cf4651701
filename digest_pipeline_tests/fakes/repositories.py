"""Builders of git repositories for tests: real ones, by the `git` command, each time the same to the SHA."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST_COMMIT_AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
"""When a builder's first commit is made, unless told otherwise; each later one comes an hour after."""

_ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitFailed(Exception):  # noqa: N818 - what happened
    """git said no."""


def git(
    folder: Path, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
) -> bytes:
    """Standard output of one git command in `folder`, blind to the settings of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=b"" if stdin is None else stdin,
        capture_output=True,
        check=False,
        env={**inherited, **_ISOLATED, **(environment or {})},
    )
    if done.returncode != 0:
        raise GitFailed(f"git {' '.join(arguments)}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout


@dataclass
class RepositoryBuilder:
    """A work tree in which a step is a line of a test; `commit` takes all that changed since the last."""

    path: Path
    branch: str = "main"
    clock: datetime = FIRST_COMMIT_AT

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", f"--initial-branch={self.branch}")
        # File systems differ in these; the repository shall not.
        for setting in ("core.fileMode=true", "core.symlinks=true", "core.autocrlf=false"):
            self.git("config", *setting.split("="))

    def git(
        self, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
    ) -> bytes:
        """Standard output of a git command in this repository."""
        return git(self.path, *arguments, stdin=stdin, environment=environment)

    def write(self, path: str, content: str | bytes, *, executable: bool = False) -> None:
        """A file, its folders too."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(0o755 if executable else 0o644)

    def link(self, path: str, target: str) -> None:
        """A symbolic link; it need not lead anywhere."""
        file = self.path / path
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    def move(self, path: str, to: str) -> None:
        """A rename, as far as git can tell later."""
        (self.path / to).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).rename(self.path / to)

    def remove(self, path: str) -> None:
        """Take a file away."""
        (self.path / path).unlink()

    def submodule(self, path: str, sha: str) -> None:
        """Point a submodule at a commit, which is nowhere; its folder stays empty, as without a checkout."""
        (self.path / path).mkdir(parents=True, exist_ok=True)
        self.git("update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")

    def commit(
        self,
        message: str,
        *,
        committed_at: datetime | None = None,
        authored_at: datetime | None = None,
        author: str = "Ada Lovelace",
    ) -> str:
        """The SHA of a commit of everything that changed, of nothing where nothing did.

        `committed_at` is an exception for this one commit: the clock goes on from where it stood.
        """
        self.git("add", "--all", "--", ".")
        arguments = ("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-")
        self.git(
            *arguments, stdin=message.encode(), environment=self._people(committed_at, authored_at, author)
        )
        return self.head()

    def merge(self, branch: str, message: str) -> str:
        """The SHA of a merge of `branch`, a real one even where git could fast-forward."""
        arguments = ("merge", "--quiet", "--no-ff", "--no-edit", "-m", message, branch)
        self.git(*arguments, environment=self._people())
        return self.head()

    def switch(self, branch: str, *, create: bool = False) -> None:
        """Go to another branch."""
        self.git("switch", "--quiet", *(("--create",) if create else ()), branch)

    def head(self) -> str:
        """The SHA of what is checked out."""
        return self.git("rev-parse", "HEAD").decode().strip()

    def _people(
        self,
        committed_at: datetime | None = None,
        authored_at: datetime | None = None,
        author: str = "Ada Lovelace",
    ) -> dict[str, str]:
        moment, self.clock = self.clock, self.clock + timedelta(hours=1)
        committed_at = committed_at or moment
        return {
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_AUTHOR_DATE": (authored_at or committed_at).isoformat(),
            "GIT_COMMITTER_NAME": "Grace Hopper",
            "GIT_COMMITTER_EMAIL": "grace@example.org",
            "GIT_COMMITTER_DATE": committed_at.isoformat(),
        }


SUBMODULE_FIRST = "1" * 40
SUBMODULE_NEXT = "2" * 40
PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00" + bytes(range(256)) * 8
CHAPTER = "".join(f"line {number} of a chapter\n" for number in range(1, 21))
UNICODE_MESSAGE = (
    "Grüße: 修复 the 🐛 (#42)\n\nTrailing blanks  \n\n\tand a tab.\n\nCo-authored-by: Zoë <z@example.org>\n\n"
)
SKEWED_AT = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class NastyRepository:
    """A small history with everything in it that a source may get wrong; `shas` by the case's name."""

    path: Path
    shas: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """Where `main` stands."""
        return git(self.path, "rev-parse", "refs/heads/main").decode().strip()


def nasty_repository(path: Path) -> NastyRepository:
    """Build it: commits on the 5th and 6th of January 2026, and one that is dated back to the 2nd."""
    builder = RepositoryBuilder(path)
    shas: dict[str, str] = {}
    for part in (
        _moves_and_modes,
        _binaries,
        _submodules_and_empty_files,
        _branches,
        _odd_texts,
        _odd_commits,
    ):
        part(builder, shas)
    return NastyRepository(path, shas)


def _moves_and_modes(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.write("README.md", "# Project\n")
    builder.write("book/one.txt", CHAPTER)
    builder.write("run.sh", "#!/bin/sh\necho run\n")
    builder.write("old name.txt", CHAPTER.replace("line", "row"))
    builder.write("settings.ini", "[a]\nb = 1\n")
    shas["root commit"] = builder.commit("root commit")

    builder.move("old name.txt", "moved/new name.txt")
    shas["rename"] = builder.commit("rename")

    builder.move("book/one.txt", "book/first.txt")
    builder.write("book/first.txt", CHAPTER.replace("line 7 ", "line seven "))
    shas["rename with edit"] = builder.commit("rename with edit")

    builder.write("run.sh", "#!/bin/sh\necho run\n", executable=True)
    shas["mode change"] = builder.commit("mode change")

    builder.write("run.sh", "#!/bin/sh\necho run faster\n")
    shas["mode change with edit"] = builder.commit("mode change with edit")

    builder.remove("settings.ini")
    shas["deletion"] = builder.commit("deletion")

    builder.link("latest", "book/first.txt")
    shas["symlink added"] = builder.commit("symlink added")

    builder.link("README.md", "book/first.txt")
    shas["file becomes a symlink"] = builder.commit("file becomes a symlink")


def _binaries(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.write("logo.png", PICTURE)
    shas["binary added"] = builder.commit("binary added")

    builder.write("logo.png", PICTURE[:-1] + b"\x00")
    shas["binary modified"] = builder.commit("binary modified")

    builder.move("logo.png", "art/logo.png")
    shas["binary renamed"] = builder.commit("binary renamed")

    builder.move("art/logo.png", "art/mark.png")
    builder.write("art/mark.png", PICTURE + b"\x00tail")
    shas["binary renamed with edit"] = builder.commit("binary renamed with edit")

    builder.remove("art/mark.png")
    shas["binary removed"] = builder.commit("binary removed")


def _submodules_and_empty_files(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.submodule("vendor/lib", SUBMODULE_FIRST)
    shas["submodule added"] = builder.commit("submodule added")

    builder.submodule("vendor/lib", SUBMODULE_NEXT)
    shas["submodule bumped"] = builder.commit("submodule bumped")

    builder.write("empty/.keep", b"")
    shas["empty file added"] = builder.commit("empty file added")

    builder.write("empty/.keep", b"", executable=True)
    shas["mode change of an empty file"] = builder.commit("mode change of an empty file")

    builder.remove("empty/.keep")
    shas["empty file removed"] = builder.commit("empty file removed")


def _branches(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.switch("topic", create=True)
    builder.write("topic.txt", "a topic\n")
    elsewhere = timezone(timedelta(hours=8))
    shas["on the other branch"] = builder.commit(
        "on the other branch", authored_at=datetime(2026, 1, 1, 8, 30, tzinfo=elsewhere), author="Zoë Ω"
    )

    builder.switch("main")
    builder.write("book/first.txt", CHAPTER.replace("line 7 ", "line seven ") + "the end\n")
    shas["on the main branch"] = builder.commit("on the main branch")

    shas["merge"] = builder.merge("topic", "Merge pull request #7 from ada/topic")

    shas["empty commit"] = builder.commit("empty commit")


def _odd_texts(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.write('names/tab\tquote" and back\\slash.txt', "odd\n")
    builder.write("names/ leading blank and ümlaut 中文.txt", "odd too\n")
    builder.write("names/-dash :(top)*.txt", "odd three\n")
    builder.write("names.txt", "sorts before the folder\n")
    shas["odd names"] = builder.commit("odd names")

    builder.write("end.txt", "first\nlast without an end")
    shas["no newline at the end"] = builder.commit("no newline at the end")

    builder.write("end.txt", "first\nlast with an end\n")
    shas["newline at the end again"] = builder.commit("newline at the end again")

    builder.write("windows.txt", "one\r\ntwo\r\n")
    shas["carriage returns"] = builder.commit("carriage returns")

    builder.write("windows.txt", "one\r\n2\rstill the same line\r\n\x0cfeed\x0b\u2028\n\n")
    shas["strange line ends"] = builder.commit("strange line ends")

    builder.write("markers.txt", "--- a/x\n+++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n-- \n")
    shas["text that looks like a diff"] = builder.commit("text that looks like a diff")

    builder.write("markers.txt", "++ b/y\n- a/y\n")
    shas["lines that begin with signs"] = builder.commit("lines that begin with signs")

    builder.write("latin.txt", b"caf\xe9 au lait\nna\xefve\n")
    shas["invalid UTF-8"] = builder.commit("invalid UTF-8")


def _odd_commits(builder: RepositoryBuilder, shas: dict[str, str]) -> None:
    builder.write("hello.txt", "hello\n")
    west = timezone(timedelta(hours=-8))
    shas["unicode message"] = builder.commit(
        UNICODE_MESSAGE, authored_at=datetime(2026, 1, 6, 23, 59, 59, tzinfo=west)
    )

    builder.write("skewed.txt", "late\n")
    shas["older than its parent"] = builder.commit("older than its parent", committed_at=SKEWED_AT)

    builder.write("skewed.txt", "later\n")
    shas["after the skewed one"] = builder.commit("after the skewed one")
