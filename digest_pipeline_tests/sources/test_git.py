"""What is the git source's alone: objects that are there, and cannot be unpacked."""

from __future__ import annotations

import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.errors import SourceError, SourceUnavailable
from digest_pipeline.sources.git import GitSource
from digest_pipeline.sources.git_command import Git
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMITS = 70


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[RepositoryBuilder, list[str]]:
    """A repository of many commits, each of which adds a file, and their shas."""
    builder = RepositoryBuilder(tmp_path_factory.mktemp("marred"))
    shas = []
    for number in range(COMMITS):
        builder.write(f"file {number}", f"{number}\n")
        shas.append(builder.commit(f"feat: {number}"))
    return builder, shas


@pytest.fixture
def shas(built: tuple[RepositoryBuilder, list[str]]) -> list[str]:
    """Its commits."""
    return built[1]


@pytest.fixture
def source(built: tuple[RepositoryBuilder, list[str]], tmp_path: Path) -> Iterator[GitSource]:
    """The source that reads it where it lies."""
    with closing(opened(built[0].path, tmp_path)) as source:
        yield source


@pytest.mark.parametrize(
    "bad", [{0}, {COMMITS - 1}, {15, 16, 17, 48}, {30, 31, 32, 33}, {*range(20, 60)}, {*range(COMMITS)}]
)
def test_commits_that_git_ends_over_are_told_and_cost_their_neighbours_nothing(
    built: tuple[RepositoryBuilder, list[str]], tmp_path: Path, bad: set[int]
) -> None:
    builder, shas = built
    copy = tmp_path / "copy"
    builder.git("clone", "--quiet", "--no-hardlinks", str(builder.path), str(copy))
    for number in bad:
        blob = builder.git("rev-parse", f"{shas[number]}:file {number}").decode().strip()
        file = copy / ".git/objects" / blob[:2] / blob[2:]
        file.chmod(0o644)
        file.write_bytes(b"no object")
    source = opened(copy, tmp_path)
    found = list(source.changes(shas))
    assert [change.sha for change in found] == shas
    for number, change in enumerate(found):
        if number in bad:
            assert change.files == ()
            assert change.fault is not None
            assert f"commit {shas[number][:12]} cannot be read" in change.fault
        else:
            assert change.fault is None
            assert [(file.path, file.patch) for file in change.files] == [
                (f"file {number}", f"@@ -0,0 +1 @@\n+{number}")
            ]


def test_who_stops_listening_leaves_nothing_running(
    source: GitSource, shas: list[str], processes: list[subprocess.Popen[bytes]]
) -> None:
    changes = source.changes(shas)
    assert next(changes).sha == shas[0]
    changes.close()
    assert is_quiet(processes)


def test_an_error_that_is_kept_keeps_nothing_running(
    source: GitSource, shas: list[str], processes: list[subprocess.Popen[bytes]]
) -> None:
    source.read_ahead(shas)
    with pytest.raises(KeyError) as kept, closing(source.changes(shas)) as changes:
        next(changes)
        raise KeyError
    assert kept.tb is not None
    assert is_quiet(processes)


@pytest.mark.parametrize("asked", [0, 1, COMMITS])
def test_what_was_read_ahead_and_not_taken_ends_with_the_source(
    source: GitSource, shas: list[str], processes: list[subprocess.Popen[bytes]], asked: int
) -> None:
    source.read_ahead(shas)
    with closing(source.changes(shas)) as changes:
        assert [next(changes).sha for _ in range(asked)] == shas[:asked]
    source.close()
    assert is_quiet(processes)


def test_what_was_read_ahead_for_others_ends_where_more_is(
    source: GitSource, shas: list[str], processes: list[subprocess.Popen[bytes]]
) -> None:
    source.read_ahead(shas[:5])
    source.read_ahead(shas[5:])
    assert [change.sha for change in source.changes(shas[5:])] == shas[5:]
    assert is_quiet(processes)


def test_what_went_wrong_ahead_is_tried_again_in_its_place(
    built: tuple[RepositoryBuilder, list[str]], tmp_path: Path
) -> None:
    builder, shas = built
    moved, there = tmp_path / "away", tmp_path / "copy"
    builder.git("clone", "--quiet", str(builder.path), str(there))
    with closing(opened(there, tmp_path)) as source:
        there.rename(moved)
        source.read_ahead(shas)
        wait_until_read(source)
        moved.rename(there)
        assert [change.sha for change in source.changes(shas)] == shas


def test_a_mirror_without_blobs_is_fetched_when_it_is_asked_and_by_who_asks(
    built: tuple[RepositoryBuilder, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, shas = built
    builder.git("config", "uploadpack.allowFilter", "true")
    builder.git("config", "uploadpack.allowAnySHA1InWant", "true")
    fetching: list[threading.Thread] = []
    fetch = GitSource._fetch_blobs

    def noted(source: GitSource, names: set[bytes]) -> None:
        fetching.append(threading.current_thread())
        fetch(source, names)

    monkeypatch.setattr(GitSource, "_fetch_blobs", noted)
    source = GitSource(
        repo="ada/engine", url=f"file://{builder.path}", branch=None, mirror_dir=tmp_path / "mirror"
    )
    source.refresh()
    source.read_ahead(shas)
    assert source._ahead is None
    assert [file.patch for change in source.changes(shas) for file in change.files] == [
        f"@@ -0,0 +1 @@\n+{number}" for number in range(COMMITS)
    ]
    # Whoever interrupts a run ends the fetch with it, and waits for no thread.
    assert fetching == [threading.current_thread()]


@pytest.mark.parametrize("knows_it", [True, False])
def test_a_remote_that_is_shallow_withholds_what_it_has_and_is_no_quiet_day(
    tmp_path: Path, knows_it: bool
) -> None:
    builder = RepositoryBuilder(tmp_path / "origin")
    builder.write("a", "1\n")
    builder.commit("feat: one")
    builder.git("clone", "--quiet", "--bare", str(builder.path), str(tmp_path / "copy"))
    builder.git("-C", str(tmp_path / "copy"), "config", "uploadpack.allowFilter", "true")
    source = GitSource(
        repo="ada/engine",
        url=f"file://{tmp_path / 'copy'}",
        branch=None,
        mirror_dir=tmp_path / "mirror",
    )
    if knows_it:
        source.refresh()
    builder.write("a", "2\n")
    builder.commit("feat: two")
    fetch = ("-C", str(tmp_path / "copy"), "fetch", "--quiet", "--update-shallow")
    shallow = f"file://{builder.path}"
    builder.git(*fetch, "--depth", "1", shallow, f"+{builder.branch}:{builder.branch}")
    with pytest.raises(SourceUnavailable, match=f"sent nothing of {builder.branch}.*git fetch --unshallow"):
        source.refresh()
    builder.git(*fetch, "--unshallow", shallow)
    assert source.refresh().sha == builder.git("rev-parse", "HEAD").decode().strip()


def test_what_a_remote_says_steers_no_terminal() -> None:
    said = Git(None, repo="ada/engine")._failure("fetch", "remote: \x1b[2Jno\x9b such \x07thing\n".encode())
    assert "such" in str(said)
    assert str(said).isprintable()


def test_a_walk_that_breaks_off_tells_of_nobody_however_often_it_is_asked(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin")
    shas = []
    for number in range(4):
        builder.write("a", f"{number}\n")
        shas.append(builder.commit(f"feat: {number}"))
    with closing(opened(builder.path, tmp_path)) as source:
        head = source.refresh()
        assert source.firsts(head)() == {shas[0]}
    (builder.path / ".git/objects" / shas[0][:2] / shas[0][2:]).unlink()
    with closing(opened(builder.path, tmp_path)) as source:
        for _ in range(2):
            with pytest.raises(SourceError):
                source.firsts(head)()


def test_an_answer_that_is_older_than_what_somebody_fetched_meanwhile_is_no_withholding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = RepositoryBuilder(tmp_path / "origin")
    builder.write("a", "1\n")
    builder.commit("feat: one")
    source = GitSource(
        repo="ada/engine", url=f"file://{builder.path}", branch=None, mirror_dir=tmp_path / "mirror"
    )
    stale = source.refresh()
    builder.write("a", "2\n")
    newest = builder.commit("feat: two")
    assert source.refresh().sha == newest
    monkeypatch.setattr(GitSource, "_ask_remote", lambda _: stale)
    assert source.refresh().sha == newest


def test_what_was_read_ahead_ends_where_some_of_it_is_asked_for(
    source: GitSource, shas: list[str], processes: list[subprocess.Popen[bytes]]
) -> None:
    source.read_ahead(shas[10:])
    assert [change.sha for change in source.changes(shas[:10])] == shas[:10]
    assert source._ahead is not None  # somebody else asked
    assert [change.sha for change in source.changes(shas[20:])] == shas[20:]
    assert is_quiet(processes)


def test_no_room_for_temporary_files_says_what_to_do(
    source: GitSource, shas: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(SourceUnavailable, match=r"gone, cannot be written \(No such file.*TMPDIR"):
        list(source.changes(shas))


def wait_until_read(source: GitSource) -> None:
    """Until the first commit was read ahead, or could not be."""
    assert source._ahead is not None
    source._ahead._coming[0].exception()


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every git that was started."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - as they come
            super().__init__(*arguments, **more)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return started


def is_quiet(processes: list[subprocess.Popen[bytes]]) -> bool:
    """Whether no git writes any more, and no thread listens to one."""
    assert processes
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("git")]
    return not threads and all(process.returncode is not None for process in processes)


def opened(repository: Path, scratch: Path) -> GitSource:
    source = GitSource(repo="ada/engine", url=str(repository), branch=None, mirror_dir=scratch / "mirror")
    source.refresh()
    return source
