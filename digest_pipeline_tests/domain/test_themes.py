"""What belongs together: reverts, series, places; by messages and paths alone."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.domain.relations import Index
from digest_pipeline.domain.themes import themes_of
from digest_pipeline_tests.domain.pages import DAY, commit, known, page

if TYPE_CHECKING:
    from digest_pipeline.domain.page import CommitEntry
    from digest_pipeline.domain.relations import Known

Found = list[tuple[str, str, str, str]]


def themes(commits: list[CommitEntry], *earlier: Known, broad: tuple[str, ...] = ()) -> Found:
    """Kind, name, first letters of the shas, and of those of earlier days."""
    today = [known(DAY, one.sha, one.title, one.author_name) for one in commits]
    made = themes_of(
        page(*commits), Index([*today, *earlier]), url_of=lambda _: None, is_broad=lambda path: path in broad
    )
    return [
        (one.kind, one.name, "".join(sha[0] for sha in one.shas), "".join(old.sha[0] for old in one.earlier))
        for one in made
    ]


YESTERDAY = DAY - timedelta(days=1)
OLD = known(YESTERDAY, "0123456789abcdef", "feat: a wheel (#5)")


@pytest.mark.parametrize(
    "message",
    [
        'Revert "feat: a wheel (#5)" (#6)',
        'revert: "feat: a wheel"',
        "fix: undo\n\nThis reverts commit 0123456789abcdef000000000000000000000000.",
        "fix: undo\n\nThis reverts commit 0123456.",
        "docs: revert #5 (#6)",
        "revert(x): take the wheel off (#5) (#6)",
        "undo (#6)\n\nReverts ada/engine#5",
    ],
)
def test_a_revert_is_paired_with_what_it_takes_back_on_an_earlier_day_or_the_same(message: str) -> None:
    revert = commit("a", message)

    assert themes([revert], OLD) == [("revert", "feat: a wheel", "a", "0")]
    same = commit("0123456789abcdef", "feat: a wheel (#5)")
    assert themes([revert, commit("c"), same]) == [("revert", "feat: a wheel", "a0", "")]


@pytest.mark.parametrize(
    "message",
    [
        'Revert "feat: another wheel" (#6)',
        "undo (#6)\n\nReverts bob/engine#5",
        "fix: revert an accident (#6)",
        "fix: a thing\n\nThis reverts commit fedcba98.",
    ],
)
def test_a_revert_of_what_is_not_known_is_no_theme(message: str) -> None:
    assert themes([commit("a", message)], OLD) == []


def test_nothing_is_taken_back_before_it_was_there_or_after_a_month() -> None:
    revert = commit("a", 'Revert "feat: a wheel"')

    assert themes([commit("b", "feat: a wheel"), revert]) == []
    assert themes([revert], known(DAY - timedelta(days=31), "b", "feat: a wheel")) == []
    assert themes([revert], known(DAY + timedelta(days=1), "b", "feat: a wheel")) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("refactor(1/3): move a", "refactor(2/3): rename b"),
        ("test: unit test client handle_writer [1/n]", "test: unit test client handle_reader [2/n]"),
        ("chore: remove NIM example (part 1, docs only)", "chore: remove NIM code (part 2)"),
        ("feat(vllm): multimodal UUIDs Part 1", "feat(frontend): pass multimodal UUIDs through Part 2"),
        ("feat(sglang): serve several model names", "feat(vllm): serve several model names"),
        ("feat: a wheel (#5)", "fix: mend it (#6)\n\nFollow-up to #5"),
        ("feat: a wheel (#5)", "feat: an axle (stacked on top of #5) (#6)"),
    ],
)
def test_a_series_goes_on_from_an_earlier_day_or_the_same(before: str, after: str) -> None:
    [(kind, _, shas, earlier)] = themes([commit("a", after)], known(YESTERDAY, "b", before))
    assert (kind, shas, earlier) == ("series", "a", "b")
    [(kind, _, shas, earlier)] = themes([commit("a", after), commit("b", before)])
    assert (kind, shas, earlier) == ("series", "ab", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("refactor(1/3): move a", "refactor(2/4): rename b"),
        ("fix(parsers): part 2 - recover nine scenarios", "test: add reasoning parity matrix (part 3)"),
        ("docs: refresh community events", "docs: refresh community events"),
        ("fix: typo", "docs: typo"),
        ("feat: a wheel (#5)", "release 1.0 (#6)\n\n#1 #2 #3 #4 #5"),
        ("feat: a wheel (#5)", "fix: a thing (#6)\n\nlike bob/engine#5"),
    ],
)
def test_what_only_looks_alike_is_no_series(before: str, after: str) -> None:
    assert themes([commit("a", after)], known(YESTERDAY, "b", before)) == []


def test_a_series_bears_the_name_of_its_beginning() -> None:
    earlier = known(YESTERDAY, "b", "feat(x): a new wheel (part 1) (#5)")

    assert (
        themes([commit("a", "feat(x): a new wheel, greased (part 2) (#6)")], earlier)[0][1] == "a new wheel"
    )


def of(sha: str, number: int, *paths: str) -> CommitEntry:
    return commit(sha, f"feat: {sha} thing {number} (#{number})", paths=paths)


def test_pull_requests_that_lie_mostly_in_one_directory_are_a_theme() -> None:
    commits = [
        of("a", 1, "lib/llm/src/a.rs", "lib/llm/src/b.rs", "docs/a.md"),
        of("b", 2, "deploy/x.yaml"),
        of("c", 3, "lib/llm/src/c.rs"),
        of("d", 4, "README.md"),
        of("e", 5, "lib/llm/tests/c.rs"),
    ]

    assert themes(commits) == []  # more than half of the day is the project, not a theme
    # What is called `src`, or lies at the top, says nothing; nor does what is broad.
    assert themes([*commits, of("f", 6, "x.py")]) == [("area", "lib/llm", "ace", "")]
    assert themes([*commits, of("f", 6, "x.py")], broad=("lib/llm",)) == []


def test_a_commit_stands_in_one_theme_at_most_and_folded_ones_in_none() -> None:
    paths = ("lib/llm/a.rs",)
    commits = [
        commit("a", 'Revert "feat: a wheel"', paths=paths),
        commit("b", "feat: a wheel", paths=paths),
        commit("c", "fix: one thing", paths=paths),
        commit("d", "fix: two things", paths=paths, folded="bot"),
        commit("e", "fix: three things", paths=paths),
    ]

    assert themes(commits, OLD) == [("revert", "feat: a wheel", "ab", ""), ("area", "lib/llm", "ce", "")]


@pytest.mark.parametrize(
    "message", ["a." * 50_000, "x" + " " * 99_999 + "y", "(1/3" * 20_000, '"revert' * 9_999]
)
def test_an_endless_message_takes_no_time(message: str) -> None:
    began = time.process_time()
    themes([commit("a", f"{message}\n\n{message}"), commit("b", f"revert {message}")])

    assert time.process_time() - began < 2


def test_the_days_of_a_theme_are_told() -> None:
    [theme] = themes_of(
        page(commit("a", "docs: revert #5 (#6)")),
        Index([OLD]),
        url_of=lambda sha: f"https://a.example/{sha[:4]}",
    )

    [earlier] = theme.earlier
    assert (earlier.day, earlier.pull_request, earlier.url) == (
        date(2026, 2, 20),
        5,
        "https://a.example/0123",
    )
