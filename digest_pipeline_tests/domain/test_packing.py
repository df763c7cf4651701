from __future__ import annotations

import string
import time
from collections import Counter
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest_pipeline.domain.commit import FileChange, FileStatus, PatchState
from digest_pipeline.domain.dividing import divide
from digest_pipeline.domain.ledger import Shown
from digest_pipeline.domain.packing import (
    Packed,
    changed_lines,
    clip,
    estimate_tokens,
    has_long_lines,
    pack,
    rank_of,
    ranked,
)

texts = st.text(
    st.one_of(
        st.sampled_from(string.ascii_letters + string.digits + string.punctuation + " \t"),
        st.characters(codec="utf-8"),
    ),
    max_size=60,
)
lines = texts.map(lambda text: text.replace("\n", " ") + "\n")
locks = st.lists(
    st.tuples(st.sampled_from("+- "), st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=30
).map(
    lambda pins: (
        "@@ -1 +1 @@" + "".join(f'\n{sign}name = "{name}"\n{sign}version = "{n}"' for sign, name, n in pins)
    )
)
hunks = st.builds(
    lambda head, body: "@@ -1 +1 @@ " + head + "\n" + "\n".join(sign + text for sign, text in body),
    texts.map(lambda text: text.replace("\n", " ")),
    st.lists(st.tuples(st.sampled_from("+- "), texts.map(lambda text: text.replace("\n", " "))), min_size=1),
)
long_lines = st.integers(900, 3000).map(lambda length: "@@ -1 +1 @@\n+" + "x=1;" * (length // 4))
patches = st.one_of(
    st.lists(st.one_of(hunks, hunks, hunks, long_lines), max_size=4).map("\n".join),
    st.integers(1, 200).map(lambda n: f"@@ -0,0 +1,{n} @@" + "\n+    return call(one, two)" * n),
)


@st.composite
def files(draw: st.DrawFn) -> FileChange:
    patch = draw(st.one_of(patches, patches, locks, st.none()))
    counted = draw(st.booleans())
    return FileChange(
        path=draw(
            st.one_of(
                texts.filter(bool),
                st.sampled_from(["src/a.py", "tests/test_a.py", "Cargo.lock", "go.sum", "dist/a.min.js"]),
            )
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
    patched = [one for one in changes if one.patch]
    cut = {one.path for one in packed.ledger if one.how != "whole"} & {one.path for one in patched}
    assert cut or all(f"{one.patch}\n" in packed.patches for one in patched)


@given(st.lists(files(), max_size=8), st.integers(-10, 600))
def test_the_ledger_has_every_file_once_and_adds_up(changes: list[FileChange], budget: int) -> None:
    packed = pack(changes, budget)

    assert Counter(shown.path for shown in packed.ledger) == Counter(one.path for one in changes)
    assert sum(shown.shown_lines for shown in packed.ledger) == packed.shown_lines
    assert sum(shown.changed_lines for shown in packed.ledger) == packed.changed_lines
    assert all(0 <= shown.shown_lines <= shown.changed_lines for shown in packed.ledger)
    assert sum(shown.how == "unlisted" for shown in packed.ledger) <= packed.unlisted
    assert {one.path for one in packed.ledger if one.how == "versions"} <= {"Cargo.lock", "go.sum"}


@given(st.lists(files(), max_size=6))
def test_with_room_enough_everything_is_shown(changes: list[FileChange]) -> None:
    packed = pack(changes, 1_000_000)

    assert packed.unlisted == 0
    for shown, one in zip(packed.ledger, ranked(changes), strict=True):
        if has_long_lines(one.patch):
            assert shown.how in {"hunks", "versions"}
        elif one.patch and shown.how != "versions":
            assert shown.how == "whole"
            assert f"{one.patch}\n" in packed.patches
        assert shown.how == "hunks" or shown.shown_lines == shown.changed_lines or not one.patch


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
    assert "Cargo.lock [cut short]\n" in packed.manifest
    assert packed.patches.endswith("[cut here]\n")
    assert [one.path for one in packed.ledger if one.how != "whole"] == ["Cargo.lock"]
    assert 20 < packed.shown_lines < 320
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

    assert [one.path for one in packed.ledger if one.how != "whole"] == ["src/a.py"]
    assert "--- src/b.py\n+++ src/b.py\n@@ -0,0 +1,3 @@\n+line 0\n+line 1\n+line 2\n" in packed.patches


def test_a_manifest_that_is_too_long_says_how_many_it_does_not_name() -> None:
    packed = pack([change(f"src/module_{number}.py") for number in range(500)], 1000)

    assert packed.unlisted > 0
    assert packed.manifest.endswith(
        f"[and {packed.unlisted} more files with {packed.unlisted} changed lines]\n"
    )


def test_nothing_fits_into_nothing() -> None:
    unlisted = Shown("src/a.py", "unlisted", 0, 1)

    assert pack([change("src/a.py")], 0) == Packed("", "", 0, 1, 1, (unlisted,))


LOCK = '@@ -1 +1 @@\n [[package]]\n name = "serde"\n-version = "1.0.1"\n+version = "1.0.2"'


def test_of_a_lock_the_changes_of_versions_are_shown_and_count_as_its_lines() -> None:
    packed = pack([change("Cargo.lock", LOCK + "\n+checksum" * 500)], 1000)

    assert packed.patches == "--- Cargo.lock\n+++ Cargo.lock\n[1 changes of versions]\nserde 1.0.1 -> 1.0.2\n"
    assert packed.manifest == "M +501 -1 Cargo.lock [only versions]\n"
    assert packed.ledger == (Shown("Cargo.lock", "versions", 502, 502),)


def test_a_list_of_versions_that_is_too_long_is_cut_and_counts_for_its_share() -> None:
    pins = "".join(f'\n+name = "package-{number}"\n+version = "1.{number}.0"' for number in range(100))
    packed = pack([change("Cargo.lock", "@@ -0,0 +1,200 @@" + pins)], 400)

    shown = packed.patches.count("\n+ package-")
    assert packed.patches.endswith("[cut here]\n")
    assert 0 < shown < 100
    assert packed.shown_lines == shown * 2


def test_a_lock_without_a_change_of_versions_is_shown_as_a_patch() -> None:
    patch = '@@ -1 +1 @@\n name = "a"\n version = "1"\n-checksum = "0"\n+checksum = "1"'

    assert pack([change("Cargo.lock", patch)], 1000).ledger[0].how == "whole"


def test_a_line_that_is_too_long_is_cut_and_not_counted_as_shown() -> None:
    patch = "@@ -1 +1,3 @@\n+before\n+" + "x" * 5000 + "\n+after"
    packed = pack([change("src/a.py", patch)], 1000)

    assert (
        "+" + "x" * 899 + " [4101 more characters of this line]\n+after\n[long lines are cut]\n"
        in packed.patches
    )
    assert packed.ledger == (Shown("src/a.py", "hunks", 2, 3),)


def test_after_the_hunks_that_fit_comes_the_beginning_of_one_that_does_not() -> None:
    small, large = (f"@@ -{n} +{n} @@\n" + "\n".join(["+    call(one)"] * n) for n in (3, 500))
    packed = pack([change("src/a.py", f"{large}\n{small}")], 400)

    assert packed.manifest.endswith(" [cut short]\n")
    assert (
        "@@ -3 +3 @@" in packed.patches.partition("[2 hunks, not all shown]\n@@ -500 +500 @@\n+    call")[0]
    )
    assert packed.patches.endswith("[cut here]\n")
    assert packed.shown_lines == packed.patches.count("\n+    call")


def test_of_many_files_that_are_too_large_some_are_begun() -> None:
    packed = pack([change(f"src/{number}.py", lines=2000) for number in range(300)], 6000)

    assert sum(shown.how == "trimmed" for shown in packed.ledger) >= 3
    assert packed.shown_lines > 100


HOSTILE = {
    "one line": "@@ -1 +1 @@\n+" + "x" * 4_000_000,
    "short lines": "@@ -1 +1 @@" + "\n+ab" * 1_000_000,
    "tiny hunks": "\n".join(["@@ -1 +1 @@\n+a"] * 300_000),
    "empty hunks": "\n@@ " * 1_000_000,
    "long headers": "\n".join(["@@ -1 +1 @@ " + "y" * 1_000_000 + "\n+a"] * 4),
}


@pytest.mark.parametrize("patch", HOSTILE.values(), ids=HOSTILE)
def test_no_patch_takes_long(patch: str) -> None:
    started = time.process_time()
    packed = pack([change("src/a.py", patch)], 20_000)
    division = divide([change("src/a.py", patch)], 20_000)

    assert time.process_time() - started < 20
    assert estimate_tokens(packed.text) <= 20_000
    assert len(division.parts) <= 7
