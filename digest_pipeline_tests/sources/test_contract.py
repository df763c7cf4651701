"""What every source gives for the same history: one suite, one nasty repository, each source in turn.

The expected records are written out here, so that two sources that agree on a mistake fail as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.domain.commit import Commit, FileChange, FileStatus, PatchState
from digest_pipeline.domain.day import Window
from digest_pipeline.domain.globs import Globs
from digest_pipeline.errors import SourceRejected
from digest_pipeline.sources import Head, Source
from digest_pipeline.sources.git import GitSource
from digest_pipeline.sources.github import GitHubSource
from digest_pipeline_tests.fakes.github import FakeGitHub
from digest_pipeline_tests.fakes.repositories import (
    SKEWED_AT,
    SUBMODULE_FIRST,
    SUBMODULE_NEXT,
    UNICODE_MESSAGE,
    NastyRepository,
    RepositoryBuilder,
    git,
)

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., Source]

NAME = "ada/engine"
ALL_OF_IT = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
SECOND = timedelta(seconds=1)


def text(
    path: str,
    patch: str,
    *,
    status: FileStatus = "modified",
    previous_path: str | None = None,
    state: PatchState = "text",
) -> FileChange:
    """A file with lines, counted by their signs."""
    lines = patch.split("\n")
    additions, deletions = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return FileChange(path, previous_path, status, additions, deletions, patch, state)


def without_lines(
    path: str, state: PatchState, status: FileStatus = "modified", previous_path: str | None = None
) -> FileChange:
    """A file that has none to count; an empty text is a text."""
    return FileChange(path, previous_path, status, 0, 0, "" if state == "text" else None, state)


def added(path: str, *lines: str) -> FileChange:
    """A new file with these lines."""
    span = "+1" if len(lines) == 1 else f"+1,{len(lines)}"
    return text(path, "\n".join((f"@@ -0,0 {span} @@", *(f"+{line}" for line in lines))), status="added")


NO_NEWLINE = "\n\\ No newline at end of file"
TOPIC = added("topic.txt", "a topic")

EXPECTED: dict[str, tuple[FileChange, ...]] = {
    "root commit": (
        added("README.md", "# Project"),
        added("book/one.txt", *(f"line {number} of a chapter" for number in range(1, 21))),
        added("old name.txt", *(f"row {number} of a chapter" for number in range(1, 21))),
        added("run.sh", "#!/bin/sh", "echo run"),
        added("settings.ini", "[a]", "b = 1"),
    ),
    "rename": (without_lines("moved/new name.txt", "text", "renamed", "old name.txt"),),
    "rename with edit": (
        text(
            "book/first.txt",
            "@@ -4,7 +4,7 @@ line 3 of a chapter\n"
            " line 4 of a chapter\n line 5 of a chapter\n line 6 of a chapter\n"
            "-line 7 of a chapter\n+line seven of a chapter\n"
            " line 8 of a chapter\n line 9 of a chapter\n line 10 of a chapter",
            status="renamed",
            previous_path="book/one.txt",
        ),
    ),
    "mode change": (without_lines("run.sh", "mode"),),
    "mode change with edit": (text("run.sh", "@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo run\n+echo run faster"),),
    "deletion": (text("settings.ini", "@@ -1,2 +0,0 @@\n-[a]\n-b = 1", status="removed"),),
    "symlink added": (text("latest", f"@@ -0,0 +1 @@\n+book/first.txt{NO_NEWLINE}", status="added"),),
    "file becomes a symlink": (
        text(
            "README.md",
            f"@@ -1 +0,0 @@\n-# Project\n@@ -0,0 +1 @@\n+book/first.txt{NO_NEWLINE}",
            status="changed",
        ),
    ),
    "binary added": (without_lines("logo.png", "binary", "added"),),
    "binary modified": (without_lines("logo.png", "binary"),),
    "binary renamed": (without_lines("art/logo.png", "text", "renamed", "logo.png"),),
    "binary renamed with edit": (without_lines("art/mark.png", "binary", "renamed", "art/logo.png"),),
    "binary removed": (without_lines("art/mark.png", "binary", "removed"),),
    "submodule added": (
        text(
            "vendor/lib",
            f"@@ -0,0 +1 @@\n+Subproject commit {SUBMODULE_FIRST}",
            status="added",
            state="submodule",
        ),
    ),
    "submodule bumped": (
        text(
            "vendor/lib",
            f"@@ -1 +1 @@\n-Subproject commit {SUBMODULE_FIRST}\n+Subproject commit {SUBMODULE_NEXT}",
            state="submodule",
        ),
    ),
    "empty file added": (without_lines("empty/.keep", "text", "added"),),
    "mode change of an empty file": (without_lines("empty/.keep", "mode"),),
    "empty file removed": (without_lines("empty/.keep", "text", "removed"),),
    "on the other branch": (TOPIC,),
    "on the main branch": (
        text(
            "book/first.txt",
            "@@ -18,3 +18,4 @@ line 17 of a chapter\n"
            " line 18 of a chapter\n line 19 of a chapter\n line 20 of a chapter\n+the end",
        ),
    ),
    "merge": (TOPIC,),
    "empty commit": (),
    "odd names": (
        added("names.txt", "sorts before the folder"),
        added("names/ leading blank and ümlaut 中文.txt", "odd too"),
        added("names/-dash :(top)*.txt", "odd three"),
        added('names/tab\tquote" and back\\slash.txt', "odd"),
    ),
    "no newline at the end": (
        text("end.txt", f"@@ -0,0 +1,2 @@\n+first\n+last without an end{NO_NEWLINE}", status="added"),
    ),
    "newline at the end again": (
        text(
            "end.txt",
            f"@@ -1,2 +1,2 @@\n first\n-last without an end{NO_NEWLINE}\n+last with an end",
        ),
    ),
    "carriage returns": (added("windows.txt", "one\r", "two\r"),),
    "strange line ends": (
        text(
            "windows.txt",
            "@@ -1,2 +1,4 @@\n one\r\n-two\r\n+2\rstill the same line\r\n+\x0cfeed\x0b\u2028\n+",
        ),
    ),
    "text that looks like a diff": (
        added("markers.txt", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "-- "),
    ),
    "lines that begin with signs": (
        text(
            "markers.txt",
            "@@ -1,5 +1,2 @@\n---- a/x\n-+++ b/x\n-@@ -1 +1 @@\n-diff --git a/x b/x\n--- \n+++ b/y\n+- a/y",
        ),
    ),
    "invalid UTF-8": (added("latin.txt", "caf\ufffd au lait", "na\ufffdve"),),
    "unicode message": (added("hello.txt", "hello"),),
    "older than its parent": (added("skewed.txt", "late"),),
    "after the skewed one": (text("skewed.txt", "@@ -1 +1 @@\n-late\n+later"),),
}


@pytest.fixture(params=["git", "git mirror", "github"])
def open_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens a source of the kind in turn over a folder; closed again when the test ends."""
    numbers = count()
    with ExitStack() as stack:

        def open_git(path: Path, *, branch: str | None = None, branches: Globs | None = None) -> Source:
            mirror = tmp_path / f"mirror{next(numbers)}"
            url = str(path) if request.param == "git" else path.as_uri()
            source = GitSource(repo=NAME, url=url, branch=branch, mirror_dir=mirror, branches=branches)
            return stack.enter_context(closing(source))

        def open_github(path: Path, *, branch: str | None = None, branches: Globs | None = None) -> Source:
            fake = stack.enter_context(FakeGitHub({NAME: path}))
            source = GitHubSource(
                repo=NAME,
                owner_and_name=NAME,
                api_url=fake.api_url,
                branch=branch,
                token=None,
                branches=branches,
            )
            return stack.enter_context(closing(source))

        yield open_github if request.param == "github" else open_git


@pytest.fixture
def source(open_source: Open, nasty: NastyRepository) -> Source:
    return open_source(nasty.path)


# --- the head ---------------------------------------------------------------------------------------------


def test_the_head_is_where_the_default_branch_stands(source: Source, nasty: NastyRepository) -> None:
    assert source.refresh() == Head("main", nasty.head)


def test_the_head_of_a_named_branch_is_that_branch(open_source: Open, nasty: NastyRepository) -> None:
    source = open_source(nasty.path, branch="topic")

    assert source.refresh() == Head("topic", nasty.shas["on the other branch"])


def test_a_branch_name_may_hold_slashes_and_signs(open_source: Open, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r", branch="release/1.0_#%2F")
    sha = builder.commit("first")

    assert open_source(builder.path, branch=builder.branch).refresh() == Head(builder.branch, sha)
    assert open_source(builder.path).refresh() == Head(builder.branch, sha)


def test_an_unknown_branch_is_rejected_by_its_name(open_source: Open, nasty: NastyRepository) -> None:
    with pytest.raises(SourceRejected, match='"no-such-branch"') as caught:
        open_source(nasty.path, branch="no-such-branch").refresh()

    assert caught.value.repo == NAME


@pytest.mark.parametrize("branch", [None, "main"])
def test_an_empty_repository_is_rejected(open_source: Open, tmp_path: Path, branch: str | None) -> None:
    builder = RepositoryBuilder(tmp_path / "empty")

    with pytest.raises(SourceRejected, match=r"empty|no commits"):
        open_source(builder.path, branch=branch).refresh()


def test_a_source_that_is_refreshed_again_sees_what_was_pushed(open_source: Open, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    builder.commit("first")
    source = open_source(builder.path)
    before = source.refresh()
    sha = builder.commit("second")

    assert source.refresh().sha == sha != before.sha
    assert [commit.message for commit in source.commits(before, ALL_OF_IT)] == ["first"]


# --- commits ----------------------------------------------------------------------------------------------


def test_commits_come_in_the_order_of_git_log(source: Source, nasty: NastyRepository) -> None:
    commits = source.commits(source.refresh(), ALL_OF_IT)

    assert [commit.sha for commit in commits] == git(nasty.path, "log", "--format=%H").decode().split()


def test_a_commit_holds_what_git_knows_of_it(source: Source, nasty: NastyRepository) -> None:
    commits = {commit.sha: commit for commit in source.commits(source.refresh(), ALL_OF_IT)}

    sha = nasty.shas["unicode message"]
    assert commits[sha] == Commit(
        sha=sha,
        parents=(nasty.shas["invalid UTF-8"],),
        author_name="Ada Lovelace",
        author_email="ada@example.org",
        authored_at=datetime(2026, 1, 7, 7, 59, 59, tzinfo=UTC),
        committer_name="Grace Hopper",
        committer_email="grace@example.org",
        committed_at=datetime(2026, 1, 6, 16, tzinfo=UTC),
        message=UNICODE_MESSAGE.rstrip(),
    )
    assert commits[nasty.shas["on the other branch"]].author_name == "Zoë Ω"


def test_a_merge_names_its_parents_the_branch_that_it_went_into_first(
    source: Source, nasty: NastyRepository
) -> None:
    commits = {commit.sha: commit for commit in source.commits(source.refresh(), ALL_OF_IT)}

    parents = commits[nasty.shas["merge"]].parents
    assert parents == (nasty.shas["on the main branch"], nasty.shas["on the other branch"])


def test_only_the_commits_of_the_window_come(source: Source, nasty: NastyRepository) -> None:
    sixth = Window(datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC))
    commits = source.commits(source.refresh(), sixth)

    names = list(nasty.shas)
    first = names.index("submodule bumped")
    expected = {nasty.shas[name] for name in names[first:] if name != "older than its parent"}
    assert {commit.sha for commit in commits} == expected


def test_the_window_holds_its_start_and_not_its_end(source: Source, nasty: NastyRepository) -> None:
    head = source.refresh()
    moment = datetime(2026, 1, 5, 11, tzinfo=UTC)  # of the second commit

    def shas(start: datetime, end: datetime) -> list[str]:
        return [commit.sha for commit in source.commits(head, Window(start, end))]

    assert shas(moment, moment + SECOND) == [nasty.shas["rename"]]
    assert shas(moment - SECOND, moment) == []
    assert shas(moment + SECOND, moment + 2 * SECOND) == []


def test_a_commit_dated_before_its_parent_is_found_on_its_own_day(
    source: Source, nasty: NastyRepository
) -> None:
    second = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))

    found = [(commit.sha, commit.committed_at) for commit in source.commits(source.refresh(), second)]
    assert found == [(nasty.shas["older than its parent"], SKEWED_AT)]


def test_a_day_without_commits_is_an_empty_list(source: Source) -> None:
    quiet = Window(datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 1, 21, tzinfo=UTC))

    assert source.commits(source.refresh(), quiet) == []


# --- several branches -------------------------------------------------------------------------------------


@pytest.fixture
def branched(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A history of three branches that grew in turns, one of them merged, one not asked for."""
    builder = RepositoryBuilder(tmp_path / "branched")
    shas: dict[str, str] = {}

    def commit(name: str) -> None:
        builder.write(f"{name}.txt", f"{name}\n")
        shas[name] = builder.commit(name)

    commit("first")
    for branch in ("release/1.0", "release/old-1", "release"):
        builder.git("branch", branch if branch != "release" else "topic")
    commit("on main")
    builder.switch("release/1.0")
    commit("on release")
    builder.switch("topic")
    commit("on topic")
    builder.switch("release/old-1")
    commit("on old")
    builder.switch("main")
    shas["merge"] = builder.merge("topic", "merge topic")
    builder.switch("release/1.0")
    builder.git("merge", "--quiet", "--ff-only", "release/1.0")
    commit("on release later")
    builder.switch("main")
    commit("on main later")
    return builder.path, shas


RELEASES = Globs(["main", "release/*", "!release/old-*"], of="branches")


def test_the_head_names_the_branches_that_are_read_beside_the_tracked_one(
    open_source: Open, branched: tuple[Path, dict[str, str]]
) -> None:
    path, shas = branched
    head = open_source(path, branches=RELEASES).refresh()

    assert head == Head("main", shas["on main later"], (("release/1.0", shas["on release later"]),))
    assert open_source(path).refresh() == Head("main", shas["on main later"])
    everything = open_source(path, branches=Globs(["!main"], of="branches")).refresh()
    assert [name for name, _ in everything.others] == ["release/1.0", "release/old-1", "topic"]


def test_a_commit_of_several_branches_comes_once_and_the_tracked_one_has_it_first(
    open_source: Open, branched: tuple[Path, dict[str, str]]
) -> None:
    path, shas = branched
    source = open_source(path, branches=Globs(["release/*", "topic"], of="branches"))
    commits = source.commits(source.refresh(), ALL_OF_IT)

    names = {sha: name for name, sha in shas.items()}
    assert [(names[commit.sha], commit.branch) for commit in commits] == [
        ("on main later", None),
        ("on release later", "release/1.0"),
        ("merge", None),
        ("on old", "release/old-1"),
        ("on topic", None),
        ("on release", "release/1.0"),
        ("on main", None),
        ("first", None),
    ]
    [changes] = source.changes([shas["on release"]])
    assert changes.files == (added("on release.txt", "on release"),)


def test_a_branch_that_grows_comes_and_goes_is_seen_as_it_stands(
    open_source: Open, branched: tuple[Path, dict[str, str]]
) -> None:
    path, shas = branched
    source = open_source(path, branches=RELEASES)
    source.refresh()
    git(path, "branch", "release/2.0", shas["on topic"])
    git(path, "branch", "--force", "release/1.0", shas["on release"])

    assert source.refresh().others == (("release/1.0", shas["on release"]), ("release/2.0", shas["on topic"]))
    git(path, "branch", "-D", "release/1.0")
    assert source.refresh().others == (("release/2.0", shas["on topic"]),)


# --- files at the top -------------------------------------------------------------------------------------


def test_a_file_is_read_from_the_top_of_the_tracked_branch(open_source: Open, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    builder.write("a list.txt", b"one\ncaf\xe9 \0\n")
    builder.write("folder/two", "2\n")
    builder.write("large", "x" * 1_100_000)
    builder.link("link", "a list.txt")
    builder.commit("first")
    source = open_source(builder.path)
    head = source.refresh()

    assert source.read(head, "a list.txt") == "one\ncaf\ufffd \ufffd\n"
    assert source.read(head, "folder/two") == "2\n"
    assert [source.read(head, path) for path in ("none", "folder", "link", "large", "*")] == [None] * 5
    builder.write("a list.txt", "another\n")
    builder.commit("second")
    assert source.read(source.refresh(), "a list.txt") == "another\n"
    assert source.read(head, "folder/two") == "2\n"


def test_without_saying_who_asks_nobody_knows_of_pull_requests(source: Source) -> None:
    source.refresh()

    assert source.pull_requests([7]) is None


# --- changes ----------------------------------------------------------------------------------------------


def test_every_case_of_the_repository_is_expected_here(nasty: NastyRepository) -> None:
    assert set(EXPECTED) == set(nasty.shas)


@pytest.mark.parametrize("case", EXPECTED)
def test_the_files_of_a_commit_are_recorded(source: Source, nasty: NastyRepository, case: str) -> None:
    source.refresh()

    [changes] = source.changes([nasty.shas[case]])
    assert changes.files == EXPECTED[case]
    assert (changes.sha, changes.complete) == (nasty.shas[case], True)


def test_changes_come_in_the_order_that_was_asked_for(source: Source, nasty: NastyRepository) -> None:
    source.refresh()
    names = sorted(nasty.shas, reverse=True)

    answered = list(source.changes([nasty.shas[name] for name in names]))
    assert [changes.sha for changes in answered] == [nasty.shas[name] for name in names]
    assert [changes.files for changes in answered] == [EXPECTED[name] for name in names]


def test_changes_of_nothing_are_nothing(source: Source) -> None:
    source.refresh()

    assert list(source.changes([])) == []


def test_changes_may_be_left_half_read(source: Source, nasty: NastyRepository) -> None:
    source.refresh()
    changes = source.changes(list(nasty.shas.values()))

    assert next(changes).sha == nasty.shas["root commit"]
    del changes
    [again] = source.changes([nasty.shas["merge"]])
    assert again.files == EXPECTED["merge"]


def test_what_was_read_ahead_is_the_same(source: Source, nasty: NastyRepository) -> None:
    source.refresh()
    names = sorted(nasty.shas)
    shas = [nasty.shas[name] for name in names]

    source.read_ahead(shas)
    assert [changes.files for changes in source.changes(shas)] == [EXPECTED[name] for name in names]
    assert [changes.files for changes in source.changes(shas)] == [EXPECTED[name] for name in names]


def test_others_than_those_that_were_read_ahead_may_be_asked_for(
    source: Source, nasty: NastyRepository
) -> None:
    source.refresh()
    shas = list(nasty.shas.values())

    source.read_ahead(shas)
    [merge] = source.changes([nasty.shas["merge"]])
    assert merge.files == EXPECTED["merge"]
    assert [changes.sha for changes in source.changes(shas)] == shas


def test_reading_ahead_raises_nothing(source: Source, nasty: NastyRepository) -> None:
    source.refresh()
    shas = [nasty.shas["merge"], "0" * 40]

    source.read_ahead(shas)
    source.read_ahead([])
    source.read_ahead(shas)
    with pytest.raises(SourceRejected):
        list(source.changes(shas))
