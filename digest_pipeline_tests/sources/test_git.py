"""What is the git source's alone: objects that are there, and cannot be unpacked."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.sources.git import GitSource
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder

if TYPE_CHECKING:
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


def test_who_stops_listening_leaves_no_thread(
    built: tuple[RepositoryBuilder, list[str]], tmp_path: Path
) -> None:
    builder, shas = built
    source = opened(builder.path, tmp_path)
    changes = source.changes(shas)
    assert next(changes).sha == shas[0]
    changes.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("git")] == []


def test_an_error_that_is_kept_keeps_no_thread(
    built: tuple[RepositoryBuilder, list[str]], tmp_path: Path
) -> None:
    builder, shas = built
    source = opened(builder.path, tmp_path)
    with pytest.raises(KeyError) as kept, closing(source.changes(shas)) as changes:
        next(changes)
        raise KeyError
    assert kept.tb is not None
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("git")] == []


def opened(repository: Path, scratch: Path) -> GitSource:
    source = GitSource(repo="ada/engine", url=str(repository), branch=None, mirror_dir=scratch / "mirror")
    source.refresh()
    return source
