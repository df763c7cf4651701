"""Commits as a source hands them over."""

from __future__ import annotations

from digest_pipeline.domain.commit import first_of_authors

ACCOUNT = "1+Ada@users.noreply.github.com"


def test_the_first_commit_of_an_author_is_told_by_name_and_by_account() -> None:
    commits = [
        ("a", "Ada", "ada@example.org"),
        ("b", "Bo", "shared@example.org"),
        ("c", "Cy", "shared@example.org"),  # an address that several share
        ("d", "Ada", ACCOUNT),
        ("e", "Ada Lovelace", ACCOUNT.lower()),  # the same account by another name
        ("f", "Bo", "bo@example.org"),
    ]
    assert first_of_authors(commits) == {"a", "b", "c"}
    assert first_of_authors([]) == frozenset()
