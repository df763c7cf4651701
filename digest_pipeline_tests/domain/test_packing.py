from __future__ import annotations

import string
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest_pipeline.domain.commit import FileChange, FileStatus, PatchState
from digest_pipeline.domain.packing import (
    Packed,
    changed_lines,
    clip,
    estimate_tokens,
    pack,
    rank_of,
)

texts = st.text(
    st.one_of(
        st.sampled_from(string.ascii_letters + string.digits + string.punctuation + " \t"),
        st.characters(codec="utf-8"),
    ),
    max_size=60,
)
lines = texts.map(lambda text: text.replace("\n", " ") + "\n")
hunks = st.builds(
    lambda head, body: "@@ -1 +1 @@ " + head + "\n" + "\n".join(sign + text for sign, text in body),
    texts.map(lambda text: text.replace("\n", " ")),
    st.lists(st.tuples(st.sampled_from("+- "), texts.map(lambda text: text.replace("\n", " "))), min_size=1),
)
patches = st.lists(hunks, max_size=4).map("\n".join)


@st.composite
def files(draw: st.DrawFn) -> FileChange:
    patch = draw(st.one_of(patches, patches, st.none()))
    counted = draw(st.booleans())
    return FileChange(
        path=draw(
            st.one_of(texts.filter(bool), st.sampled_from(["src/a.py", "tests/test_a.py", "Cargo.lock"]))
        ),
        previous_path=draw(st.one_of(st.none(), texts)),
        status=draw(st.sampled_from(get_args(FileStatus))),
        additions=(patch or "").count("\n+") if counted else None,
        deletions=(patch or "").count("\n-") if counted else None,
        patch=patch,
        patch_state=draw(st.sampled_from(get_args(PatchState))),
    )


def change(path: str, patch: str | None = None, *, lines: int = 1) -> FileChange:
    if patch is None:
        patch = f"@@ -0,0 +1,{lines} @@\n" + "\n".join(f"+line {number}" for number in range(lines))
    return FileChange(path, None, "modified", patch.count("\n+"), patch.count("\n-"), patch, "text")


# --- properties --------------------------------------------------------------------------------------------


@given(st.lists(files(), max_size=8), st.integers(-10, 600), st.sampled_from([1.0, 1.25, 1.6]))
@example([change("a.py", lines=400)], 100, 1.25)
def test_a_budget_is_never_exceeded(changes: list[FileChange], budget: int, factor: float) -> None:
    packed = pack(changes, budget, factor=factor)

    assert estimate_tokens(packed.text, factor) <= max(budget, 0)


@given(st.lists(files(), max_size=8), st.integers(0, 600))
def test_counts_are_honest(changes: list[FileChange], budget: int) -> None:
    packed = pack(changes, budget)

    assert 0 <= packed.shown_lines <= packed.changed_lines == changed_lines(changes)
    assert set(packed.left_out) <= {one.path for one in changes if one.patch}
    assert packed.left_out or all(f"{one.patch}\n" in packed.patches for one in changes if one.patch)


@given(st.lists(files(), max_size=6))
def test_with_room_enough_everything_is_shown(changes: list[FileChange]) -> None:
    packed = pack(changes, 1_000_000)

    assert packed.left_out == ()
    assert packed.unlisted == 0
    assert packed.shown_lines == packed.changed_lines
    assert all(f"{one.patch}\n" in packed.patches for one in changes if one.patch)


@given(st.lists(lines, max_size=10), st.integers(0, 10))
def test_estimates_of_whole_lines_add_up(parts: list[str], cut: int) -> None:
    first, second = "".join(parts[:cut]), "".join(parts[cut:])

    assert estimate_tokens(first + second) <= estimate_tokens(first) + estimate_tokens(second)


@given(texts, texts)
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert estimate_tokens(f"{text}\n{more}") >= estimate_tokens(text)


@given(st.lists(lines, max_size=10).map("".join), st.integers(-5, 100))
def test_a_clipped_text_fits_and_is_a_beginning(text: str, budget: int) -> None:
    clipped = clip(text, budget)

    assert estimate_tokens(clipped) <= max(budget, 0)
    assert text.startswith(clipped.removesuffix("[cut here]"))


# --- examples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("The quick brown fox jumps.\n", 8),
        ("重构调度器", 5),
        ("🚀", 3),
        ("2026", 3),
        ("def get_value(self) -> int:\n", 10),
    ],
)
def test_tokens_are_estimated_by_pieces_and_by_characters_beyond_ascii(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        ("lib/src/http.rs", "code"),
        (".github/workflows/ci.yml", "code"),
        ("tests/serve/test_run.py", "tests"),
        ("pkg/run_test.go", "tests"),
        ("docs/guide.md", "docs"),
        ("README.md", "docs"),
        ("Cargo.lock", "bulk"),
        ("web/package-lock.json", "bulk"),
        ("vendor/github.com/x/y.go", "bulk"),
        ("static/app.min.js", "bulk"),
    ],
)
def test_files_rank_by_what_they_are_for(path: str, rank: str) -> None:
    assert rank_of(change(path)) == rank


@pytest.mark.parametrize("line", ["// Code generated by protoc. DO NOT EDIT.", "# @generated", "x=1;" * 500])
def test_a_patch_that_a_program_wrote_ranks_last(line: str) -> None:
    assert rank_of(change("src/model.go", f"@@ -0,0 +1 @@\n+{line}")) == "bulk"


def test_the_manifest_names_every_file_with_status_and_counts() -> None:
    packed = pack(
        [
            FileChange("new.py", "old.py", "renamed", 1, 0, "@@ -1 +1,2 @@\n a\n+b", "text"),
            FileChange("logo.png", None, "added", 0, 0, None, "binary"),
            FileChange("gone.py", None, "removed", None, None, None, "missing"),
            FileChange("a\nb.py", None, "modified", 0, 0, "", "text"),
        ],
        1000,
    )

    assert packed.manifest == (
        "R +1 -0 old.py -> new.py\n"
        "A +0 -0 logo.png [binary]\n"
        "D +? -? gone.py [unreadable]\n"
        "M +0 -0 a\\nb.py\n"
    )
    assert packed.patches == "--- old.py\n+++ new.py\n@@ -1 +1,2 @@\n a\n+b\n"


def test_code_comes_before_tests_docs_and_locks() -> None:
    paths = ["Cargo.lock", "docs/a.md", "tests/test_a.py", "src/a.py"]

    packed = pack([change(path) for path in paths], 1000)

    assert [line.split()[-1] for line in packed.manifest.splitlines()] == paths[::-1]


def test_what_does_not_fit_is_left_out_from_the_end_and_said_to_be() -> None:
    packed = pack([change("Cargo.lock", lines=300), change("src/a.py", lines=20)], 300)

    assert "src/a.py\n" in packed.manifest
    assert "Cargo.lock [only headers]\n" in packed.manifest
    assert packed.left_out == ("Cargo.lock",)
    assert packed.shown_lines == 20
    assert packed.changed_lines == 320


def test_of_a_patch_that_is_too_large_whole_hunks_are_shown() -> None:
    hunk = "@@ -{0} +{0},9 @@ def f{0}():\n" + "\n".join("+    call_something(1)" for _ in range(9))
    patch = "\n".join([hunk.format(1), hunk.format(50).replace("call", "a" * 4000), hunk.format(90)])

    packed = pack([change("src/a.py", patch)], 400)

    assert "def f1()" in packed.patches
    assert "def f50()" not in packed.patches
    assert "def f90()" in packed.patches
    assert "[3 hunks, not all shown]" in packed.patches
    assert packed.manifest.endswith("[shown in part]\n")
    assert packed.shown_lines == 18


def test_a_small_file_after_a_large_one_is_still_shown() -> None:
    packed = pack([change("src/a.py", lines=3000), change("src/b.py", lines=3)], 500)

    assert packed.left_out == ("src/a.py",)
    assert packed.shown_lines == 3


def test_a_manifest_that_is_too_long_says_how_many_it_does_not_name() -> None:
    packed = pack([change(f"src/module_{number}.py") for number in range(500)], 1000)

    assert packed.unlisted > 0
    assert packed.manifest.endswith(
        f"[and {packed.unlisted} more files with {packed.unlisted} changed lines]\n"
    )


def test_nothing_fits_into_nothing() -> None:
    assert pack([change("src/a.py")], 0) == Packed("", "", 0, 1, ("src/a.py",), 1)
