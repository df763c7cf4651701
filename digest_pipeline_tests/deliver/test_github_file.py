"""Files by the contents API: written once, written again where they are others, whoever writes beside us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline.errors import DeliveryRejected, DeliveryUnavailable
from digest_pipeline_tests.deliver.conftest import DAY, parcel
from digest_pipeline_tests.fakes.hub import MEGABYTE, TOKEN, Answer

if TYPE_CHECKING:
    from digest_pipeline.deliver.github_file import GitHubFile
    from digest_pipeline_tests.deliver.conftest import Clock
    from digest_pipeline_tests.fakes.hub import FakeHub

PATH = f"reports/daily/2026/{DAY}.md"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait."}


def test_a_page_lies_where_it_lies_in_the_data_folder(fake: FakeHub, files: GitHubFile) -> None:
    files.deliver(parcel("one\n"), None)
    files.deliver(parcel("two\n", reader="路由"), None)
    assert fake.files == {PATH: b"one\n", f"reports/readers/路由/2026/{DAY}.md": b"two\n"}
    assert fake.commits == [f"digest: {DAY}", f"digest: {DAY} for 路由"]


def test_the_same_again_writes_nothing_and_another_one_once(fake: FakeHub, files: GitHubFile) -> None:
    for text in ("one\n", "one\n", "two\n", "two\n"):
        files.deliver(parcel(text), None)
    assert fake.commits == [f"digest: {DAY}", f"digest: {DAY}, updated"]
    assert fake.files[PATH] == b"two\n"


def test_a_file_of_more_than_a_megabyte_is_compared_too(fake: FakeHub, files: GitHubFile) -> None:
    large = "x" * (MEGABYTE + 1)
    files.deliver(parcel(large), None)
    files.deliver(parcel(large), None)
    assert len(fake.commits) == 1


@pytest.mark.parametrize(
    "refusal",
    [Answer(409, {"message": "does not match"}), Answer(422, {"message": '"sha" wasn\'t supplied.'})],
    ids=["409", "422"],
)
def test_what_others_wrote_meanwhile_is_read_again(fake: FakeHub, files: GitHubFile, refusal: Answer) -> None:
    fake.script.extend([None, refusal])
    files.deliver(parcel("one\n"), None)
    assert fake.files[PATH] == b"one\n"
    assert [one.method for one in fake.asked] == ["GET", "PUT", "GET", "PUT"]


def test_a_request_that_is_wrong_in_itself_is_told_in_githubs_words(fake: FakeHub, files: GitHubFile) -> None:
    wrong = Answer(422, {"message": "path contains a malformed path component"})
    fake.script.extend([None, wrong] * 4)
    with pytest.raises(DeliveryRejected, match="malformed path component"):
        files.deliver(parcel(), None)


def test_a_limit_is_waited_out_where_that_is_short(fake: FakeHub, files: GitHubFile, clock: Clock) -> None:
    fake.script.extend([None, Answer(403, SECONDARY, {"Retry-After": "30"})])
    files.deliver(parcel("one\n"), None)
    assert fake.files[PATH] == b"one\n"
    assert 30 in clock.slept


def test_a_limit_that_is_long_is_left_to_a_later_try_with_its_time(fake: FakeHub, files: GitHubFile) -> None:
    fake.script.append(Answer(429, SECONDARY, {"Retry-After": "3600"}))
    with pytest.raises(DeliveryUnavailable, match="rate limit") as raised:
        files.deliver(parcel(), None)
    assert raised.value.retry_after == pytest.approx(3600)


def test_two_writes_are_a_second_apart(fake: FakeHub, files: GitHubFile, clock: Clock) -> None:
    for number in range(3):
        files.deliver(parcel(f"{number}\n"), None)
    assert clock.slept == [1.0, 1.0]
    assert len(fake.writes) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, {"message": f"Bad credentials {TOKEN}"}), "does not accept the token"),
        (Answer(403, {"message": "Resource not accessible by integration"}), "the token may not do this"),
        (Answer(404, {"message": "Not Found"}), "check repo, branch, and the token's rights"),
    ],
)
def test_a_refusal_says_what_to_mend_and_no_token(
    fake: FakeHub, files: GitHubFile, answer: Answer, words: str
) -> None:
    fake.script.extend([None, answer])
    with pytest.raises(DeliveryRejected, match=words) as raised:
        files.deliver(parcel(), None)
    assert TOKEN not in str(raised.value)


def test_a_write_whose_answer_was_lost_is_found_done(fake: FakeHub, files: GitHubFile) -> None:
    fake.script.extend([None, Answer(drops=True)])
    files.deliver(parcel("one\n"), None)
    assert fake.commits == [f"digest: {DAY}"]
