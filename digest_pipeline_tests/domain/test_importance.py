"""Points by rule, at every boundary, and the tiers that they make."""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from digest_pipeline.domain.importance import (
    Profile,
    Reason,
    Thresholds,
    merge_overrides,
    score,
    tier_of,
)
from digest_pipeline.settings import _profile_data, profile_names
from digest_pipeline_tests.fakes.seed_day import seed_day

if TYPE_CHECKING:
    from digest_pipeline.domain.commit import Commit


def profile(name: str, **overrides: object) -> Profile:
    raw = _profile_data(name, Path(), Path("digest.toml"))
    return Profile.model_validate(merge_overrides(raw, overrides))


ARGUS = profile("argus")
TAGGED = profile("tagged")
SEED = seed_day()


def reason(rule: str, *, message: str = "x", paths: tuple[str, ...] = (), lines: int = 0) -> Reason | None:
    """What one rule of `argus` gives."""
    found = [reason for reason in score(message, paths, lines, ARGUS).reasons if reason.rule == rule]
    assert len(found) <= 1
    return found[0] if found else None


# --- the recorded day ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("commit", SEED.commits, ids=lambda commit: commit.sha[:7])
def test_every_commit_of_the_recorded_day_gets_the_tier_of_the_archive(commit: Commit) -> None:
    files = SEED.changes[commit.sha].files
    lines = sum((file.additions or 0) + (file.deletions or 0) for file in files)

    scored = score(commit.message, [file.path for file in files], lines, ARGUS)

    assert scored.tier == SEED.tiers[commit.sha]
    assert scored.points == sum(reason.points for reason in scored.reasons)


# --- argus, rule by rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "points", "evidence"),
    [
        *[
            (f"{word}: x", points, word)
            for word, points in [
                *(("feat", 8), ("fix", 7), ("perf", 6), ("refactor", 5), ("test", 3)),
                *(("docs", 2), ("ci", 2), ("chore", 1), ("style", 1), ("build", 1)),
            ]
        ],
        ("feat(core): x", 8, "feat"),
        ("feat(a)(b): x", 8, "feat"),
        ("feat(a: b): x", 8, "feat"),
        ("  feat: x", 8, "feat"),
        ("\n\nfix: x\nfeat: y", 7, "fix"),
        ("fix:x", 7, "fix"),
        ("revert: x", 3, "revert"),
        ("Feat: x", 3, "other"),
        ("feat!: x", 3, "other"),
        ("feat x: y", 3, "other"),
        ("feat(): x", 3, "other"),
        ("x\nfeat: y", 3, "other"),
        ("[Bugfix] x", 3, "other"),
        ("", 3, "other"),
    ],
)
def test_the_type_is_read_from_the_trimmed_first_line(title: str, points: int, evidence: str) -> None:
    assert reason("title", message=title) == Reason("title", points, evidence)


@pytest.mark.parametrize(
    ("lines", "points"),
    [(0, None), (50, None), (51, 1), (100, 1), (101, 2), (500, 2), (501, 3), (1_000_000, 3)],
)
def test_size_counts_from_the_line_after_its_bound(lines: int, points: int | None) -> None:
    expected = None if points is None else Reason("size", points, str(lines))

    assert reason("size", lines=lines) == expected


@pytest.mark.parametrize(("files", "points"), [(0, None), (2, None), (3, 1), (5, 1), (6, 2), (500, 2)])
def test_the_number_of_files_counts_from_the_file_after_its_bound(files: int, points: int | None) -> None:
    expected = None if points is None else Reason("files", points, str(files))

    assert reason("files", paths=tuple(f"{number}.md" for number in range(files))) == expected


@pytest.mark.parametrize(
    ("paths", "points", "evidence"),
    [
        *[
            ((f"x{end}",), 2, "core 1/1")
            for end in (".py", ".rs", ".cpp", ".cc", ".c", ".h", ".hpp", ".go", ".js", ".ts")
        ],
        *[
            ((f"x{end}",), 1, "config 1/1")
            for end in (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf")
        ],
        *[((f"x{end}",), 0, "doc 1/1") for end in (".md", ".rst", ".txt", ".adoc", "adoc")],
        # Code is found first, so that a test in Python counts as code.
        (("a_test.py",), 2, "core 1/1"),
        (("a_test.py.snap",), 1, "test 1/1"),
        (("test_.pyc",), 1, "test 1/1"),
        (("a_test.goo/x",), 1, "test 1/1"),
        (("a.PY",), 2, "core"),  # no kind: case counts
        (("Makefile", "x.sh"), 2, "core"),
        ((), 2, "core"),
        # The most frequent kind; a tie goes to the earlier one; a file of no kind counts for none.
        (("a.py", "b.md", "c.md"), 0, "doc 2/3"),
        (("b.md", "a.py"), 2, "core 1/2"),
        (("b.md", "a.yml"), 1, "config 1/2"),
        (("a.yml", "a_test.rs.orig"), 1, "config 1/2"),
        (("b.md", "a_test.rs.orig"), 1, "test 1/2"),
        (("a", "b", "c", "d.md"), 0, "doc 1/4"),
        # Names are looked at whole, with their folders.
        (("x_test.py/notes",), 1, "test 1/1"),
        (("a.py/README",), 2, "core"),
    ],
)
def test_the_kind_is_that_of_most_files(paths: tuple[str, ...], points: int, evidence: str) -> None:
    assert reason("kind", paths=paths) == Reason("kind", points, evidence)


@pytest.mark.parametrize(
    ("points", "tier"), [(-5, "low"), (5, "low"), (6, "medium"), (9, "medium"), (10, "high"), (99, "high")]
)
def test_tiers_begin_at_their_threshold(points: int, tier: str) -> None:
    assert tier_of(points, Thresholds()) == tier


def test_the_reasons_stand_in_the_order_of_the_rules_with_their_evidence() -> None:
    scored = score("feat(x): y\n\nbody", ["a.py", "b.py", "c.md"], 120, ARGUS)

    assert scored.reasons == (
        Reason("title", 8, "feat"),
        Reason("size", 2, "120"),
        Reason("kind", 2, "core 2/3"),
        Reason("files", 1, "3"),
    )
    assert (scored.points, scored.tier) == (13, "high")


# --- the second profile --------------------------------------------------------------------------------------


def test_both_profiles_come_with_the_package() -> None:
    assert profile_names() == ["argus", "tagged"]


@pytest.mark.parametrize(
    ("message", "points", "evidence"),
    [
        ("[Bugfix] x", 7, "bugfix"),
        ("[BugFix][Core] x", 7, "bugfix"),
        ("[Docs] x", 1, "docs"),
        ("[V1][Bug Fix] x", 7, "bug fix"),
        ("[ROCm] [Perf] x", 6, "perf"),
        ("[CI/Build] x", 2, "ci/build"),
        ("[Feature]: x", 8, "feature"),
        ("[Unknown] x", 4, "other"),
        ("feat: x", 4, "other"),
        ("x [Bugfix]", 4, "other"),
        ("", 4, "other"),
    ],
)
def test_a_tag_in_brackets_makes_the_type_of_the_second_profile(
    message: str, points: int, evidence: str
) -> None:
    assert score(message, [], 0, TAGGED).reasons[0] == Reason("title", points, evidence)


def test_words_of_trouble_add_points_wherever_they_stand() -> None:
    scored = score("[Misc] bump\n\nFixes CVE-2026-12345.\nBREAKING CHANGE: none", [], 0, TAGGED)

    assert scored.reasons[1:3] == (
        Reason("message:security", 6, "CVE-2026-12345"),
        Reason("message:breaking", 4, "BREAKING CHANGE"),
    )
    assert scored.tier == "high"


# --- overrides, and profiles of one's own --------------------------------------------------------------------


def test_single_values_are_overridden_and_all_others_stay() -> None:
    changed = profile("argus", thresholds={"high": 12}, title={"points": {"docs": 9}})

    assert changed.thresholds == Thresholds(high=12, medium=6)
    assert score("docs: x", [], 0, changed).reasons[0] == Reason("title", 9, "docs")
    assert score("feat: x", [], 0, changed).reasons[0] == Reason("title", 8, "feat")


def test_a_list_is_replaced_whole() -> None:
    changed = profile("argus", size=[{"over": 10, "points": 1}])

    assert [reason.points for reason in score("x", [], 600, changed).reasons if reason.rule == "size"] == [1]


def test_overriding_leaves_the_profile_as_it_was() -> None:
    base = {"a": {"b": 1, "c": [1]}}

    assert merge_overrides(base, {"a": {"b": 2}, "d": 3}) == {"a": {"b": 2, "c": [1]}, "d": 3}
    assert base == {"a": {"b": 1, "c": [1]}}


def test_an_empty_profile_gives_no_points_and_no_reasons() -> None:
    assert score("feat: x", ["a.py"], 1000, Profile()) == score("", [], 0, Profile())
    assert score("feat: x", ["a.py"], 1000, Profile()).reasons == ()


@pytest.mark.parametrize(
    ("pattern", "title", "evidence"),
    [
        ("^(?:(feat)|fix)", "fix it", "other"),  # the group took no part
        ("^fix", "fix it", "fix"),  # no group: the whole match
        ("^(FEAT)", "FEAT it", "feat"),
    ],
)
def test_a_title_pattern_of_ones_own_may_have_any_shape(pattern: str, title: str, evidence: str) -> None:
    own = Profile.model_validate({"title": {"pattern": pattern, "points": {"feat": 2, "fix": 1}}})

    assert score(title, [], 0, own).reasons[0].evidence == evidence


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"title": {"pattern": "("}}, "not a regular expression"),
        ({"thresholds": {"hihg": 1}}, "hihg"),
        ({"size": [{"over": 1}]}, "points"),
        ({"kind": {"fallback": "nope", "kinds": []}}, "nope"),
        ({"kind": {"kinds": [{"name": "a", "points": 1}, {"name": "a", "points": 2}]}}, "twice"),
    ],
)
def test_a_profile_that_could_not_score_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Profile.model_validate(wrong)


# --- properties ----------------------------------------------------------------------------------------------

messages = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}{}: {}".format,
        st.sampled_from(["feat", "fix", "docs", "x", "[Bugfix] "]),
        st.sampled_from(["", "(a)", "!", "(\n)"]),
        st.text(max_size=20),
    ),
)
paths = st.lists(
    st.builds(
        str.__add__,
        st.text(string.ascii_lowercase + "/_", min_size=1, max_size=8),
        st.sampled_from([".py", ".md", ".yml", "_test.py", "_test.go.x", "", ".adoc", ".lock"]),
    ),
    max_size=9,
)


@given(messages, paths, st.integers(0, 2000), st.sampled_from([ARGUS, TAGGED]))
def test_points_are_the_sum_of_the_reasons_and_make_the_tier(
    message: str, paths: list[str], lines: int, chosen: Profile
) -> None:
    scored = score(message, paths, lines, chosen)

    assert scored.points == sum(reason.points for reason in scored.reasons)
    assert scored.tier == tier_of(scored.points, chosen.thresholds)
    assert all(reason.rule and reason.evidence for reason in scored.reasons)
    assert scored == score(message, paths, lines, chosen)


@given(messages, paths, st.integers(0, 2000), st.integers(0, 2000))
def test_a_larger_change_is_never_less_important(
    message: str, paths: list[str], lines: int, more: int
) -> None:
    assert score(message, paths, lines + more, ARGUS).points >= score(message, paths, lines, ARGUS).points


@given(
    messages, paths.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))), st.integers(0, 600)
)
def test_the_order_of_the_files_does_not_matter(
    message: str, both: tuple[list[str], list[str]], lines: int
) -> None:
    assert score(message, both[0], lines, ARGUS) == score(message, both[1], lines, ARGUS)
