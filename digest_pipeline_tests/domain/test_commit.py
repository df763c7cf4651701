"""Commits as a source hands them over."""

from __future__ import annotations

from itertools import permutations

from digest_pipeline.domain.commit import first_of_authors

ACCOUNT = "1+Ada@users.noreply.github.com"


def test_the_first_commit_of_an_author_is_told_by_name_and_by_account() -> None:
    commits = [
        ("a", 1, "Ada", "ada@example.org"),
        ("b", 2, "Bo", "shared@example.org"),
        ("c", 3, "Cy", "shared@example.org"),  # an address that several share
        ("d", 4, "Ada", ACCOUNT),
        ("e", 5, "Ada Lovelace", ACCOUNT.lower()),  # the same account by another name
        ("f", 6, "Bo", "bo@example.org"),
    ]
    for order in permutations(commits):
        assert first_of_authors(order) == {"a", "b", "c"}
    assert first_of_authors([]) == frozenset()


def test_of_two_commits_of_one_time_the_one_that_git_lists_later_is_the_first() -> None:
    assert first_of_authors([("b", 1, "Ada", ACCOUNT), ("a", 1, "Ada", ACCOUNT)]) == {"a"}
