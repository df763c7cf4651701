from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest_pipeline.domain.dividing import divide
from digest_pipeline.domain.packing import changed_lines, estimate_tokens, list_files, pack, ranked
from digest_pipeline_tests.domain.test_packing import change, files

if TYPE_CHECKING:
    from digest_pipeline.domain.commit import FileChange


def numbered(path: str, hunks: int, lines: int) -> FileChange:
    """A file in which no changed line occurs twice."""
    return change(
        path,
        "\n".join(
            f"@@ -{hunk} +{hunk},{lines} @@ def f{hunk}():\n"
            + "\n".join(f"+    {path} {hunk}:{line}" for line in range(lines))
            for hunk in range(hunks)
        ),
    )


commits = st.lists(
    st.builds(
        numbered,
        st.sampled_from(["a.py", "b.rs", "tests/test_a.py", "docs/a.md", "dist/a.js"]),
        st.integers(1, 12),
        st.integers(1, 60),
    ),
    max_size=5,
    unique_by=lambda file: file.path,
)


@given(
    st.lists(files(), max_size=8), st.integers(-10, 900), st.integers(0, 7), st.sampled_from([0.8, 1.25, 1.6])
)
@example([change("a.py", lines=400)], 100, 7, 1.25)
def test_every_part_fits_and_shows_all_that_it_holds(
    changes: list[FileChange], budget: int, most: int, factor: float
) -> None:
    division = divide(changes, budget, most=most, factor=factor)
    packed = [pack(part, budget, factor=factor) for part in division.parts]

    assert len(division.parts) <= most
    assert all(division.parts)
    for one in packed:
        assert estimate_tokens(one.text, factor) <= budget
        assert {shown.how for shown in one.ledger} <= {"whole", "versions"}
    assert sum(one.shown_lines for one in packed) >= sum(one.shown_lines for one in division.ledger())


@given(st.lists(files(), max_size=8), st.integers(0, 900))
def test_the_ledger_has_every_file_once_and_what_was_not_read_is_not_in_it(
    changes: list[FileChange], budget: int
) -> None:
    division = divide(changes, budget)
    ledger, without = division.ledger(), division.ledger(range(1, 7))

    assert [shown.path for shown in ledger] == [entry.file.path for entry in ranked(changes)]
    assert sum(shown.changed_lines for shown in ledger) == changed_lines(changes)
    assert all(0 <= shown.shown_lines <= shown.changed_lines for shown in ledger)
    assert all(less.shown_lines <= more.shown_lines for less, more in zip(without, ledger, strict=True))
    assert {shown.how for shown in division.ledger(())} <= {"listed"}


@given(commits, st.integers(60, 2000))
def test_no_line_is_in_two_parts_and_those_that_are_lost_are_counted(
    changes: list[FileChange], budget: int
) -> None:
    division = divide(changes, budget)
    lines = Counter(
        line
        for part in division.parts
        for file in part
        for line in re.findall("^[+].*$", file.patch or "", re.MULTILINE)
    )

    assert set(lines.values()) <= {1}
    assert len(lines) == sum(shown.shown_lines for shown in division.ledger())
    assert lines.keys() <= {line for file in changes for line in (file.patch or "").split("\n")}
    for shown in division.ledger():
        assert (shown.how == "whole") == (shown.shown_lines == shown.changed_lines)


def test_a_commit_that_fits_is_one_part_of_its_own_files() -> None:
    changes = [change("tests/test_a.py"), change("src/a.py")]

    assert divide(changes, 1000).parts == ((changes[1], changes[0]),)


def test_a_large_patch_goes_hunk_by_hunk_into_the_parts() -> None:
    division = divide([numbered("src/a.py", hunks=9, lines=20)], 700)

    assert len(division.parts) > 1
    assert [shown.how for shown in division.ledger()] == ["whole"]
    for (file,) in division.parts:
        assert file.patch is not None
        assert file.patch.endswith("[of 9 hunks, not all are in this part]")
        assert len(re.findall("^@@ ", file.patch, re.MULTILINE)) == (file.additions or 0) / 20


def test_a_hunk_that_fits_into_no_part_is_cut_into_pieces_that_say_where_they_begin() -> None:
    division = divide([numbered("src/a.py", hunks=1, lines=300)], 900)
    patches = [file.patch or "" for part in division.parts for file in part]

    assert division.ledger()[0].how == "whole"
    assert patches[0].startswith("@@ -0 +0,300 @@ def f0():\n+    src/a.py 0:0\n")
    for patch in patches[1:]:
        start = re.match(
            r"@@ -0 \+0,300 @@ def f0\(\): \[from line (\d+) of this hunk\]\n\+ .* 0:(\d+)\n", patch
        )
        assert start is not None
        assert int(start[1]) == int(start[2]) + 1


def test_what_finds_no_room_is_the_worst_and_is_said_to_be_missing() -> None:
    changes = [numbered("dist/a.js", 9, 20), numbered("src/a.py", 5, 20), change("docs/a.md")]
    division = divide(changes, 1500, most=2)

    assert [(one.path, one.how) for one in division.ledger()] == [
        ("src/a.py", "whole"),
        ("docs/a.md", "whole"),
        ("dist/a.js", "hunks"),
    ]


def test_a_part_that_was_not_read_takes_its_hunks_with_it() -> None:
    division = divide([numbered("src/a.py", hunks=9, lines=20)], 700)
    ledger = division.ledger({0})

    assert [shown.how for shown in ledger] == ["hunks"]
    assert ledger[0].shown_lines == division.held[0][0].lines


def test_of_a_lock_the_changes_of_versions_go_into_one_part() -> None:
    patch = (
        '@@ -1 +1 @@\n [[package]]\n name = "serde"\n-version = "1.0.1"\n+version = "1.0.2"\n'
        + "+hash\n" * 5000
    )
    division = divide([change("Cargo.lock", patch)], 200)

    assert [(one.how, one.shown_lines) for one in division.ledger()] == [("versions", 5002)]
    assert "serde 1.0.1 -> 1.0.2" in pack(division.parts[0], 200).patches


@pytest.mark.parametrize("budget", [0, 10])
def test_without_room_there_are_no_parts(budget: int) -> None:
    assert divide([change("src/a.py")], budget).parts == ()


def test_a_manifest_can_tell_how_files_were_read_in_parts() -> None:
    changes = [change("docs/a.md"), numbered("src/a.py", 9, 20)]
    packed = list_files(changes, divide(changes, 700).ledger({1}), 1000)

    assert packed.manifest == "M +180 -0 src/a.py [shown in part]\nM +1 -0 docs/a.md [not shown]\n"
    assert [one.how for one in packed.ledger] == ["hunks", "listed"]
