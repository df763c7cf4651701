"""Issues: one a day and reader, found again after a crash, edited when the day heals, closed by the next one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.errors import DeliveryUnavailable
from digest_pipeline_tests.deliver.conftest import DAY, parcel
from digest_pipeline_tests.fakes.hub import MOST_CHARACTERS, Answer, acts

if TYPE_CHECKING:
    from digest_pipeline.deliver.github_issue import GitHubIssue
    from digest_pipeline_tests.fakes.hub import FakeHub

NEXT = DAY + timedelta(days=1)


def states(fake: FakeHub) -> list[str]:
    return [issue["state"] for issue in fake.issues.values()]


def test_a_day_is_an_issue_and_once_more_changes_nothing(fake: FakeHub, issues: GitHubIssue) -> None:
    first = issues.deliver(parcel(), None)
    again = issues.deliver(parcel(), first.remote)
    assert (first.where, again) == ("acme/news#1", first)
    assert fake.writes == ["POST /repos/acme/news/issues"]
    assert fake.issues[1]["body"].endswith("# A day\n\ntext\n")


def test_one_whose_receipt_was_lost_is_found_again(fake: FakeHub, issues: GitHubIssue) -> None:
    fake.script.extend([None, Answer(drops=True)])
    with pytest.raises(DeliveryUnavailable):
        issues.deliver(parcel(), None)
    assert issues.deliver(parcel("changed\n"), None).where == "acme/news#1"
    assert len(fake.issues) == 1
    assert fake.issues[1]["body"].endswith("changed\n")


def test_a_healed_day_edits_its_issue(fake: FakeHub, issues: GitHubIssue) -> None:
    first = issues.deliver(parcel("one\n"), None)
    issues.deliver(parcel("two\n"), first.remote)
    assert fake.writes == ["POST /repos/acme/news/issues", "PATCH /repos/acme/news/issues/1"]
    assert fake.issues[1]["body"].endswith("two\n")


def test_the_next_day_closes_the_one_before_of_the_same_reader_alone(
    fake: FakeHub, issues: GitHubIssue
) -> None:
    for reader in ("", "infra"):
        issues.deliver(parcel(reader=reader), None)
    issues.deliver(parcel(day=NEXT), None)
    assert states(fake) == ["closed", "open", "open"]


def test_a_day_that_comes_late_is_closed_at_once(fake: FakeHub, issues: GitHubIssue) -> None:
    issues.deliver(parcel(day=NEXT), None)
    issues.deliver(parcel(), None)
    assert states(fake) == ["open", "closed"]


def test_the_one_before_is_closed_however_long_ago_it_was(fake: FakeHub, issues: GitHubIssue) -> None:
    old = issues.deliver(parcel(day=date(2026, 1, 6)), None)
    fake.issues[1]["body"] = "somebody took the mark out"
    issues.deliver(parcel(), None, old.remote)
    assert states(fake) == ["closed", "open"]


def test_what_is_too_long_goes_on_in_comments_and_follows_the_page(
    fake: FakeHub, issues: GitHubIssue
) -> None:
    section = '<a id="{0}"></a>\n\n#### {0} 🔥\n\n' + "字 " * 2000 + "\n\n"
    long = "".join(section.format(number) for number in range(60))
    first = issues.deliver(parcel(long), None)
    bodies = [fake.issues[1]["body"], *(one["body"] for one in fake.comments.values())]
    assert len(bodies) > 2
    assert all(len(body) <= MOST_CHARACTERS for body in bodies)
    assert [f"#### {number} 🔥" in fake.text(1) for number in range(60)] == [True] * 60

    before = len(fake.writes)
    issues.deliver(parcel(long), first.remote)
    assert len(fake.writes) == before
    issues.deliver(parcel("short\n"), first.remote)
    assert fake.comments == {}
    assert fake.text(1).endswith("short\n")


def test_a_strangers_issue_with_a_copied_mark_is_none_of_ours(fake: FakeHub, issues: GitHubIssue) -> None:
    mark = f"<!-- digest: channel=news reader= day={DAY} -->"
    stranger = {"user": {"login": "eve", "type": "User"}, "author_association": "NONE", "comments": 0}
    fake.issues[1] = {"number": 1, "state": "open", "title": "x", "body": mark, **stranger}
    fake.issues[2] = {**fake.issues[1], "number": 2, "pull_request": {}, "author_association": "OWNER"}
    assert issues.deliver(parcel(), None).where == "acme/news#3"
    assert fake.issues[1]["body"] == mark


def test_an_issue_that_somebody_deleted_is_made_anew(fake: FakeHub, issues: GitHubIssue) -> None:
    first = issues.deliver(parcel(), None)
    fake.issues[1] |= {"body": "gone"}
    deleted = fake.issues.pop(1)
    fake.issues[7] = {**deleted, "number": 7}
    assert issues.deliver(parcel(), first.remote).where == "acme/news#2"


def test_the_body_touches_nothing_else(fake: FakeHub, issues: GitHubIssue) -> None:
    issues.deliver(parcel("fixes #1, @octocat, [x](https://github.com/o/r/issues/2)\n"), None)
    assert acts(fake.issues[1]["body"]) == []
    assert "fixes" in fake.issues[1]["body"]


def test_being_too_quick_is_no_refusal(fake: FakeHub, issues: GitHubIssue) -> None:
    fake.script.extend([None, Answer(422, {"message": "Validation Failed: was submitted too quickly"})])
    with pytest.raises(DeliveryUnavailable) as raised:
        issues.deliver(parcel(), None)
    assert raised.value.retry_after == 60
