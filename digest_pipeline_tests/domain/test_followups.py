"""What became of a commit: found where a later one says so, and nowhere else."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.commit import pull_request_number, title_of
from digest_pipeline.domain.followups import WITHIN_DAYS, DayCommit, Fate, Trace, fixes, reverts

MONDAY = date(2026, 2, 16)
TARGET = "abcdef1" + "0" * 33
FILES = ("src/a.py", "src/b.py", "src/c.py")


def trace(number: int, message: str, *paths: str, after: int = 0, sha: str | None = None) -> Trace:
    name = sha or f"{number:040x}"
    commit = DayCommit(
        MONDAY + timedelta(days=after), name, title_of(message), pull_request_number(message), None, "high"
    )
    return Trace(commit, "ada/engine", message, frozenset(paths))


def target(title: str = "feat: a new engine (#120)", *paths: str) -> Trace:
    return trace(0, title, *(paths or FILES), sha=TARGET)


def said(fates: list[Fate]) -> list[tuple[str, str]]:
    return [(fate.proof, fate.detail) for fate in fates]


REVERTS = {
    "by its hash": ("Revert things\n\nThis reverts commit abcdef1000.", [("sha", "abcdef1")]),
    "by a number in the quoted title": (
        'Revert "feat: a new engine (#120)" (#130)',
        [("pull_request", "#120")],
    ),
    "by GitHub's line": ("Take it out (#130)\n\nReverts ada/engine#120", [("pull_request", "#120")]),
    "by a bare number": ("docs: revert #120 (#130)", [("pull_request", "#120")]),
    "by the quoted title": ('Revert "feat: a new engine"', [("title", "feat: a new engine (#120)")]),
    "by the title after the kind": (
        "revert: feat: a new engine (#130)",
        [("title", "feat: a new engine (#120)")],
    ),
    "of another repository": ("Take it out (#130)\n\nReverts bob/engine#120", []),
    "of another title": ('Revert "feat: an engine"', []),
    "of something unnamed": ("fix: revert accidental change of the engine (#130)", []),
    "of a longer number": ("docs: revert #1201 (#130)", []),
}


@pytest.mark.parametrize("case", REVERTS)
def test_a_revert_is_known_by_what_it_names(case: str) -> None:
    message, expected = REVERTS[case]
    assert said(reverts([target(), trace(1, message, after=2)])) == expected


FIXES = {
    "a trailer, whatever the title": (
        'net: mend\n\nFixes: abcdef1000 ("feat: a new engine")',
        [("sha", "abcdef1")],
    ),
    "a hash in a fix": ("fix: the flag\n\nCommit `abcdef1000` broke it.", [("sha", "abcdef1")]),
    "a number in a fix": ("fix: mend what #120 broke (#121)", [("pull_request", "#120")]),
    "a number in the body": ("fix: the flag (#121)\n\nFollow-up to #120", [("pull_request", "#120")]),
    "the word in another title": (
        "chore: tidy up, fixes the crash of #120 (#121)",
        [("pull_request", "#120")],
    ),
    "a title with a tag": ("[Bugfix] the engine of #120 stalls (#121)", [("pull_request", "#120")]),
    "the same change elsewhere": ("fix: a pick\n\nCherry-pick of #120", []),
    "what it needs": ("fix: the flag (#121)\n\nDepends on #120", []),
    "a list of many": ("fix: release (#121)\n\n#117 #118 #119 #120", []),
    "no fix": ("feat: more of it (#121)\n\nFollow-up to #120", []),
    "another repository": ("fix: the flag (#121)\n\nSee bob/engine#120", []),
    "a word that begins like it": ("fixture: more of #120 (#121)", []),
}


@pytest.mark.parametrize("case", FIXES)
def test_a_fix_is_known_by_what_it_names(case: str) -> None:
    message, expected = FIXES[case]
    assert said(fixes([target(), trace(1, message, after=2)])) == expected


FILE_FIXES = {
    "mostly the same files": (("fix: engine stalls", *FILES), [("files", "3/3")]),
    "a file more": (("fix: engine stalls", *FILES, "x.md"), [("files", "3/4")]),
    "few of its files": (("fix: engine stalls", *FILES[:2]), []),
    "many others": (("fix: engine stalls", *FILES, "d", "e", "f"), []),
    "no word in common": (("fix: mend the door", *FILES), []),
    "no fix": (("feat: engine grows", *FILES), []),
}


@pytest.mark.parametrize("case", FILE_FIXES)
def test_a_fix_of_mostly_the_same_files_counts_where_the_titles_share_a_word(case: str) -> None:
    (message, *paths), expected = FILE_FIXES[case]
    assert said(fixes([target(), trace(1, message, *paths, after=2)])) == expected


def test_files_that_somebody_else_changed_in_between_prove_nothing() -> None:
    between = trace(1, "feat: other work", *FILES, after=1)
    fix = trace(2, "fix: engine stalls", *FILES, after=2)
    assert said(fixes([target(), between, fix])) == []


def test_what_was_brought_in_again_says_so() -> None:
    revert = trace(1, 'Revert "feat: a new engine (#120)" (#130)', after=1)
    for message in (
        'Revert "Revert "feat: a new engine (#120)" (#130)" (#131)',
        'Reapply "feat: a new engine (#120)"',
    ):
        again = trace(2, message, after=2)
        found = {fate.commit.sha: fate for fate in reverts([target(), revert, again])}
        assert found[TARGET].back == again.commit


def test_a_backport_under_the_same_title_is_no_fix() -> None:
    first, second = (
        trace(1, "fix: a leak (#120)", *FILES),
        trace(2, "fix: a leak (#120) (#140)", *FILES, after=1),
    )
    assert fixes([first, second]) == []


def test_of_two_commits_with_one_title_the_later_is_taken_back() -> None:
    first, second = trace(1, "bump it"), trace(2, "bump it", after=1)
    [fate] = reverts([first, second, trace(3, 'Revert "bump it"', after=2)])
    assert fate.commit == second.commit


words = st.sampled_from(
    [
        *(
            "fix: ",
            'Revert "feat: a (#2)"',
            "feat: a",
            "Fixes: ",
            "0" * 39 + "1",
            "#1",
            "#2",
            " (#3)",
            "\n",
            " ",
            "engine",
        )
    ]
)
messages = st.lists(words, max_size=6).map("".join)


@given(st.lists(st.tuples(messages, st.integers(0, 12), st.sets(st.sampled_from(FILES))), max_size=8))
def test_what_follows_comes_later_within_a_week_and_is_another_commit(
    drawn: list[tuple[str, int, set[str]]],
) -> None:
    ordered = sorted(drawn, key=lambda one: one[1])
    traces = [trace(number, text, *paths, after=day) for number, (text, day, paths) in enumerate(ordered)]
    place = {one.commit.sha: index for index, one in enumerate(traces)}
    for fate in [*reverts(traces), *fixes(traces)]:
        assert place[fate.commit.sha] < place[fate.by.sha]
        assert (fate.by.day - fate.commit.day).days <= WITHIN_DAYS
        assert fate.detail
