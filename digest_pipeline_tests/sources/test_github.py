"""What only GitHub's API can do to a source: limits, redirects, pages, patches left out, and nonsense.

What a source gives when all goes well is in test_contract.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from digest_pipeline.domain.commit import PullRequest
from digest_pipeline.domain.day import Window
from digest_pipeline.errors import ConfigurationError, SourceError, SourceRejected, SourceUnavailable
from digest_pipeline.sources import Head, github, github_api
from digest_pipeline.sources.github import GitHubSource
from digest_pipeline.sources.github_answers import EMPTY_BLOB, Blob, File, Tree, file_change
from digest_pipeline.sources.network import CA_VARIABLES, ca_bundle
from digest_pipeline_tests.fakes.github import (
    HANG_UP,
    SERVER_ERROR,
    Alteration,
    FakeGitHub,
    Pull,
    Reply,
    error,
    primary_limit,
    secondary_limit,
)
from digest_pipeline_tests.fakes.repositories import NastyRepository, RepositoryBuilder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "ada/engine"
TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"  # noqa: S105 - of nobody
ALL_OF_IT = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
START = 1_767_600_000.0


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    time: float = START
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> float:
        return self.time


Open = Callable[..., GitHubSource]


@pytest.fixture
def fake(nasty: NastyRepository) -> Iterator[FakeGitHub]:
    with FakeGitHub({NAME: nasty.path}) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_source(fake: FakeGitHub, clock: Clock) -> Iterator[Open]:
    """Opens a source over the fake; what is said otherwise counts."""
    with ExitStack() as stack:

        def open_it(**given: object) -> GitHubSource:
            usual: dict[str, Any] = {"repo": "engine", "owner_and_name": NAME, "api_url": fake.api_url}
            source = GitHubSource(**usual | {"sleep": clock.sleep, "now": clock.now} | given)
            return stack.enter_context(closing(source))

        yield open_it


@pytest.fixture
def source(open_source: Open) -> GitHubSource:
    return open_source()


@pytest.fixture
def head(nasty: NastyRepository) -> Head:
    return Head("main", nasty.head)


# --- what is sent ---------------------------------------------------------------------------------------


def test_every_request_says_who_asks_and_in_which_version(open_source: Open, fake: FakeGitHub) -> None:
    open_source(token=TOKEN, user_agent="digest-pipeline/9").refresh()

    for request in fake.requests:
        assert request.headers["user-agent"] == "digest-pipeline/9"
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", [None, "", "  \n"])
def test_without_a_token_none_is_sent(open_source: Open, fake: FakeGitHub, token: str | None) -> None:
    open_source(token=token).refresh()

    assert not any("authorization" in request.headers for request in fake.requests)


def test_a_token_may_end_in_a_newline_as_files_do(open_source: Open, fake: FakeGitHub) -> None:
    open_source(token=f"{TOKEN}\n").refresh()

    assert fake.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["two words", "line\nline", "sch\u00f6n", "nul\0"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(open_source: Open, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token_env") as caught:
        open_source(token=token)

    assert token not in str(caught.value)


def test_a_source_shows_its_repository_and_never_its_token(open_source: Open) -> None:
    source = open_source(token=TOKEN)

    assert NAME in repr(source)
    shown = f"{source!r} {vars(source)} {vars(source._api)} {source._api._client.headers!r}"
    assert TOKEN not in shown


def test_an_enterprise_server_has_its_api_below_a_path(
    nasty: NastyRepository, open_source: Open, head: Head
) -> None:
    with FakeGitHub({NAME: nasty.path}, prefix="/api/v3") as enterprise:
        source = open_source(api_url=f"{enterprise.api_url}/")

        assert source.refresh() == head
        assert all(path.startswith("/api/v3/repos/") for path in enterprise.paths)


def test_the_window_is_asked_for_in_utc_and_a_second_wider(
    source: GitHubSource, fake: FakeGitHub, head: Head
) -> None:
    source.commits(head, Window(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)))

    assert fake.requests[0].query == {
        "sha": head.sha,
        "since": "2026-01-04T23:59:59Z",
        "until": "2026-01-06T00:00:01Z",
        "per_page": "100",
    }


def test_a_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, fake: FakeGitHub, open_source: Open
) -> None:
    monkeypatch.setenv("HTTP_PROXY", fake.origin)
    fake.on("invalid", error(404, "Not Found"))

    with pytest.raises(SourceRejected):
        open_source(api_url="http://api.github.invalid").refresh()
    assert fake.paths == [f"http://api.github.invalid/repos/{NAME}"]


# --- certificates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(len(CA_VARIABLES)))
def test_the_first_variable_that_names_authorities_counts(place: int) -> None:
    environ = {name: f"/certs/{name}" for name in CA_VARIABLES[place:]}

    assert ca_bundle({"PATH": "/bin", **environ}) == f"/certs/{CA_VARIABLES[place]}"


def test_without_a_variable_no_authorities_are_named() -> None:
    assert ca_bundle({"SSL_CERT_FILE": ""}) is None


def test_a_folder_of_authorities_is_passed_over(tmp_path: Path) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(tmp_path), "CURL_CA_BUNDLE": "/certs/all.pem"}

    assert ca_bundle(environ) == "/certs/all.pem"


@pytest.mark.parametrize("name", CA_VARIABLES)
def test_the_named_authorities_are_the_ones_that_are_trusted(one_authority: Path, name: str) -> None:
    trusted = github_api._authorities({name: str(one_authority)})

    assert isinstance(trusted, ssl.SSLContext)
    assert trusted.verify_mode is ssl.CERT_REQUIRED
    assert trusted.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_source: Open, content: str | None
) -> None:
    file = tmp_path / "company.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    with pytest.raises(ConfigurationError, match=r"company\.pem .* SSL_CERT_FILE"):
        open_source()


# --- limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "waits"),
    [
        pytest.param([secondary_limit(retry_after="7")], [7], id="a named time"),
        pytest.param([secondary_limit(retry_after="7", status=429)], [7], id="a named time with 429"),
        pytest.param(
            [
                secondary_limit(
                    retry_after=format_datetime(datetime.fromtimestamp(START + 30, UTC), usegmt=True)
                )
            ],
            [30],
            id="a named date",
        ),
        pytest.param([primary_limit(reset_at=START + 120)], [120], id="the allowance is used up"),
        pytest.param([primary_limit(reset_at=START + 120, status=429)], [120], id="the same with 429"),
        pytest.param([primary_limit(reset_at=START - 50)] * 3, [1, 2, 4], id="a clock that is ahead"),
        pytest.param([secondary_limit(retry_after="0")] * 3, [1, 2, 4], id="no time at all"),
        pytest.param([secondary_limit()] * 3, [60, 120, 240], id="no word on how long"),
        pytest.param([secondary_limit(retry_after="soon")], [60], id="no number"),
        pytest.param([Reply(429, b"")], [60], id="429 and nothing else"),
        pytest.param(
            [error(403, "You have triggered an abuse detection mechanism.")], [60], id="in the old words"
        ),
    ],
)
def test_a_limit_is_waited_out(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, replies: list[Reply], waits: list[float]
) -> None:
    fake.next_responses(replies)

    assert source.refresh().branch == "main"
    assert clock.slept == waits


def test_a_limit_longer_than_a_quarter_of_an_hour_is_left_to_the_next_run(
    source: GitHubSource, fake: FakeGitHub, clock: Clock
) -> None:
    fake.next_responses([primary_limit(reset_at=START + 3000)])

    with pytest.raises(SourceUnavailable, match="limit") as caught:
        source.refresh()
    assert caught.value.retry_after == 3000
    assert clock.slept == []


def test_while_a_limit_holds_nothing_more_is_asked(source: GitHubSource, fake: FakeGitHub) -> None:
    fake.next_responses([primary_limit(reset_at=START + 3000)])
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            source.refresh()

    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "reply", [secondary_limit(), secondary_limit(retry_after="0"), secondary_limit(retry_after="100")]
)
def test_a_limit_without_an_end_is_given_up_in_time(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, reply: Reply
) -> None:
    fake.on("", reply)

    with pytest.raises(SourceUnavailable) as caught:
        source.refresh()
    assert sum(clock.slept) <= 900
    assert caught.value.retry_after is not None
    assert len(fake.requests) < 15


@pytest.mark.parametrize("value", ["9" * 400, "-5", "nan", "1e9", "Thu, 99 Foo 2026 00:00:00 GMT", "²"])
def test_a_nonsensical_time_is_bounded(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, value: str
) -> None:
    fake.on("", Reply(429, {}, {"Retry-After": value}))

    with pytest.raises(SourceUnavailable) as caught:
        source.refresh()
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 86400
    assert sum(clock.slept) <= 900


def test_without_a_token_the_limit_names_the_remedy(open_source: Open, fake: FakeGitHub) -> None:
    fake.on("", primary_limit(reset_at=START + 3000))

    with pytest.raises(SourceUnavailable, match="token_env"):
        open_source().refresh()
    with pytest.raises(SourceUnavailable) as caught:
        open_source(token=TOKEN).refresh()
    assert "token_env" not in str(caught.value)


def test_a_limit_in_the_middle_of_many_commits_loses_none(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository, clock: Clock
) -> None:
    fake.on("/commits/", secondary_limit(retry_after="5"), times=12)
    shas = list(nasty.shas.values())

    assert [changes.sha for changes in source.changes(shas)] == shas
    assert clock.slept


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply", [SERVER_ERROR, HANG_UP, Reply(200, b"no gzip", {"Content-Encoding": "gzip"})]
)
def test_a_fault_that_passes_is_not_seen(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, head: Head, reply: Reply
) -> None:
    fake.next_responses([reply, reply])

    assert source.refresh() == head
    assert clock.slept == [1, 2]


@pytest.mark.parametrize("reply", [SERVER_ERROR, HANG_UP])
def test_a_fault_that_stays_is_given_up_after_growing_waits(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, reply: Reply
) -> None:
    fake.on("", reply)

    with pytest.raises(SourceUnavailable):
        source.refresh()
    assert len(fake.requests) == len(clock.slept) + 1 == 5
    assert all(shorter < longer for shorter, longer in pairwise(clock.slept))


def test_a_server_that_names_a_time_is_given_it(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, head: Head
) -> None:
    fake.next_responses([Reply(503, b"", {"Retry-After": "20"})])

    assert source.refresh() == head
    assert clock.slept == [20]


def test_a_server_that_is_down_for_long_is_left_to_the_next_run(
    source: GitHubSource, fake: FakeGitHub, clock: Clock
) -> None:
    fake.next_responses([Reply(503, b"", {"Retry-After": "7200"})])

    with pytest.raises(SourceUnavailable) as caught:
        source.refresh()
    assert caught.value.retry_after == 7200
    assert clock.slept == []


def test_a_host_where_nothing_listens_is_unavailable(open_source: Open) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            open_source(api_url=f"http://127.0.0.1:{port}").refresh()


def test_a_host_that_never_answers_is_unavailable(monkeypatch: pytest.MonkeyPatch, open_source: Open) -> None:
    monkeypatch.setattr(github_api, "_TIMEOUT", httpx.Timeout(0.01))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = open_source(api_url=f"http://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(SourceUnavailable, match="timed out"):
            source.refresh()


def test_a_host_name_that_no_resolver_takes_is_unavailable(open_source: Open) -> None:
    with pytest.raises(SourceUnavailable):
        open_source(api_url=f"http://{'a' * 64}.example").refresh()


def _below(base: type[httpx.RequestError]) -> list[type[httpx.RequestError]]:
    return [base, *(deeper for child in base.__subclasses__() for deeper in _below(child))]


@pytest.mark.parametrize("kind", _below(httpx.RequestError))
def test_every_error_of_the_client_becomes_one_of_ours_and_takes_no_secret_along(
    monkeypatch: pytest.MonkeyPatch, open_source: Open, kind: type[httpx.RequestError]
) -> None:
    def fail(method: str, url: httpx.URL, content: bytes, headers: dict[str, str]) -> httpx.Response:
        raise kind(f"failed with\n{headers}", request=httpx.Request(method, url, headers=headers))

    source = open_source(token=TOKEN)
    monkeypatch.setattr(source._api._client, "request", fail)

    with pytest.raises(SourceUnavailable) as caught:
        source.refresh()
    assert_speaks_plainly(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def assert_speaks_plainly(caught: SourceError) -> None:
    """One line, which names the repository and no secret."""
    message = str(caught)
    assert message.startswith("engine: ")
    assert caught.repo == "engine"
    assert message.isprintable()
    assert TOKEN not in message


# --- redirects --------------------------------------------------------------------------------------------


def test_a_renamed_repository_is_followed_with_the_token(
    open_source: Open, fake: FakeGitHub, nasty: NastyRepository, head: Head
) -> None:
    fake.rename(NAME, "lovelace/analytical-engine")
    fake.tokens.add(TOKEN)
    source = open_source(token=TOKEN)

    assert source.refresh() == head
    assert len(source.commits(head, ALL_OF_IT)) == len(nasty.shas)
    assert all(request.headers["authorization"] == f"Bearer {TOKEN}" for request in fake.requests)


def test_the_new_name_is_remembered(open_source: Open, fake: FakeGitHub, head: Head) -> None:
    fake.rename(NAME, "lovelace/analytical-engine")
    source = open_source()
    source.refresh()
    source.commits(head, ALL_OF_IT)
    source.refresh()

    assert fake.paths[0] == f"/repos/{NAME}"
    assert all(path.startswith("/repositories/0") for path in fake.paths[1:])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_port_is_followed_without_the_token(
    open_source: Open, fake: FakeGitHub, nasty: NastyRepository, head: Head, status: int
) -> None:
    with FakeGitHub({NAME: nasty.path}) as other:
        for path in ("", "/branches/main"):
            location = f"{other.origin}/repos/{NAME}{path}"
            fake.on(f"^/repos/{NAME}{path}\\?$", Reply(status, b"", {"Location": location}))

        assert open_source(token=TOKEN).refresh() == head
        assert len(other.requests) == 2
        assert not any("authorization" in request.headers for request in other.requests)
        assert all("authorization" in request.headers for request in fake.requests)


def test_the_same_machine_under_another_name_gets_no_token(open_source: Open, fake: FakeGitHub) -> None:
    location = f"{fake.origin.replace('127.0.0.1', 'localhost')}/elsewhere"
    fake.on(f"^/repos/{NAME}", Reply(302, b"", {"Location": location}))

    with pytest.raises(SourceRejected):
        open_source(token=TOKEN).refresh()
    asked, followed = fake.requests
    assert "authorization" in asked.headers
    assert "authorization" not in followed.headers


def test_redirects_in_a_circle_end(source: GitHubSource, fake: FakeGitHub) -> None:
    fake.on("", Reply(302, b"", {"Location": "/again"}))

    with pytest.raises(SourceUnavailable, match="redirects more than 5 times"):
        source.refresh()
    assert len(fake.requests) == 6


HOSTILE_ADDRESSES = [
    "",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "http://user:secret@127.0.0.1/",
    "http://[/",
    "http://127.0.0.1:99999/",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("location", HOSTILE_ADDRESSES)
def test_a_redirect_to_no_web_address_is_unavailable(
    source: GitHubSource, fake: FakeGitHub, location: str
) -> None:
    fake.on("", Reply(302, b"", {"Location": location}))

    with pytest.raises(SourceUnavailable) as caught:
        source.refresh()
    assert_speaks_plainly(caught.value)
    assert set(fake.paths) == {f"/repos/{NAME}"}


# --- pages ------------------------------------------------------------------------------------------------


def test_commits_are_read_to_the_last_page(
    monkeypatch: pytest.MonkeyPatch,
    source: GitHubSource,
    fake: FakeGitHub,
    head: Head,
    nasty: NastyRepository,
) -> None:
    whole = source.commits(head, ALL_OF_IT)
    fake.requests.clear()
    monkeypatch.setattr(github, "COMMITS_PER_PAGE", 10)

    assert source.commits(head, ALL_OF_IT) == whole
    assert [request.query.get("page") for request in fake.requests] == [None, "2", "3", "4"]
    assert {request.query["sha"] for request in fake.requests} == {head.sha}


def test_files_are_read_to_the_last_page(
    monkeypatch: pytest.MonkeyPatch, source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    sha = nasty.shas["root commit"]
    [whole] = source.changes([sha])
    monkeypatch.setattr(github, "FILES_PER_PAGE", 2)

    assert list(source.changes([sha])) == [whole]
    assert [request.query.get("page") for request in fake.requests] == [None, None, "2", "3"]


def test_files_are_asked_for_in_pages_small_enough_to_keep_their_patches(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    list(source.changes([nasty.head]))

    assert fake.requests[0].query == {"per_page": "50"}


def test_files_come_in_the_order_of_git_whatever_the_order_of_the_answer(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    sha = nasty.shas["odd names"]
    [told] = source.changes([sha])
    fake.on("/commits/", alter=lambda body: {**body, "files": body["files"][::-1]})

    assert list(source.changes([sha])) == [told]


def test_as_many_files_as_github_ever_lists_are_incomplete(
    monkeypatch: pytest.MonkeyPatch, source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    monkeypatch.setattr(github, "MAX_FILES", 3)
    monkeypatch.setattr(github, "FILES_PER_PAGE", 2)
    fake.max_files = 3

    [changes] = source.changes([nasty.shas["root commit"]])
    assert not changes.complete
    assert [file.path for file in changes.files] == ["README.md", "book/one.txt", "old name.txt"]


def test_files_that_do_not_add_up_to_the_commit_are_incomplete(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    fake.on("/commits/", alter=lambda body: {**body, "files": body["files"][:-1]})

    [changes] = source.changes([nasty.shas["root commit"]])
    assert not changes.complete
    assert len(changes.files) == 4


def test_a_file_whose_numbers_are_missing_is_not_taken_for_a_binary(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    def withhold(body: dict[str, Any]) -> dict[str, Any]:
        files = [{**file, "additions": 0, "deletions": 0, "changes": 0} for file in body["files"]]
        return {**body, "files": [{key: file[key] for key in file if key != "patch"} for file in files]}

    fake.on("/commits/", alter=withhold)

    [changes] = source.changes([nasty.shas["on the main branch"]])
    assert not changes.complete
    [file] = changes.files
    assert (file.patch_state, file.patch, file.additions, file.deletions) == ("incomplete", None, None, None)


@pytest.mark.parametrize("status", [422, 500, 503])
def test_a_commit_too_large_for_github_is_incomplete_and_stops_nothing(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository, clock: Clock, status: int
) -> None:
    large, small = nasty.shas["root commit"], nasty.shas["rename"]
    fake.on(
        f"/commits/{large}", error(status, "Server Error: Sorry, this diff is taking too long to generate.")
    )

    first, second = source.changes([large, small])
    assert (first.sha, first.files, first.complete) == (large, (), False)
    assert (second.sha, second.complete) == (small, True)
    assert clock.slept == []


def test_the_next_page_is_never_asked_for_at_another_host(
    open_source: Open, fake: FakeGitHub, nasty: NastyRepository, head: Head
) -> None:
    with FakeGitHub({NAME: nasty.path}) as other:
        link = f'<{other.origin}/repos/{NAME}/commits?page=2>; rel="next"'
        fake.on("/commits", Reply(200, [], {"Link": link}))

        with pytest.raises(SourceUnavailable, match="next page"):
            open_source(token=TOKEN).commits(head, ALL_OF_IT)
        assert other.requests == []


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES[1:])
def test_a_next_page_at_no_web_address_is_unavailable(
    source: GitHubSource, fake: FakeGitHub, head: Head, address: str
) -> None:
    fake.on("/commits", Reply(200, [], {"Link": f'<{address}>; rel="next"'}))

    with pytest.raises(SourceUnavailable) as caught:
        source.commits(head, ALL_OF_IT)
    assert_speaks_plainly(caught.value)


def test_pages_without_an_end_end(
    monkeypatch: pytest.MonkeyPatch, source: GitHubSource, fake: FakeGitHub, head: Head
) -> None:
    monkeypatch.setattr(github, "MAX_PAGES", 3)
    fake.on("/commits", Reply(200, [], {"Link": f'<{fake.origin}/repos/{NAME}/commits>; rel="next"'}))

    with pytest.raises(SourceUnavailable, match="does not end"):
        source.commits(head, ALL_OF_IT)


def test_only_a_few_commits_are_read_ahead(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    changes = source.changes(list(nasty.shas.values()))
    next(changes)
    del changes

    asked = {path for path in fake.paths if "/commits/" in path}
    assert 1 <= len(asked) <= github.IN_FLIGHT + 1


def test_what_came_before_an_error_is_handed_out(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    fake.on(f"/commits/{nasty.shas['rename']}", error(404, "Not Found"))
    changes = source.changes([nasty.shas["root commit"], nasty.shas["rename"], nasty.shas["mode change"]])

    assert next(changes).sha == nasty.shas["root commit"]
    with pytest.raises(SourceRejected, match=nasty.shas["rename"]):
        next(changes)


# --- what a file's entry means ----------------------------------------------------------------------------


def entry(**given: object) -> File:
    """A text file with one line more, unless told otherwise."""
    usual = {"filename": "a.txt", "status": "modified", "additions": 1, "deletions": 0}
    return File.model_validate({**usual, "patch": "@@ -1 +1,2 @@\n one\n+two", **given})


def bare(status: str = "modified", **given: object) -> File:
    """An entry that tells nothing."""
    return entry(status=status, additions=0, deletions=0, patch=None, **given)


def test_a_patch_left_out_of_a_large_page_is_incomplete(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    fake.patch_lines_per_page = 24

    [changes] = source.changes([nasty.shas["root commit"]])
    readme, book, old_name, *_ = changes.files
    assert (readme.patch_state, book.patch_state, old_name.patch_state) == ("text", "text", "incomplete")
    assert (old_name.patch, old_name.additions, old_name.deletions) == (None, 20, 0)
    assert changes.complete


def test_a_patch_that_was_cut_is_kept_and_called_incomplete() -> None:
    change = file_change(entry(additions=2))

    assert (change.patch_state, change.additions, change.deletions) == ("incomplete", 2, 0)
    assert change.patch == "@@ -1 +1,2 @@\n one\n+two"


def test_a_patch_begins_with_its_hunks_and_ends_without_a_newline() -> None:
    change = file_change(entry(patch="--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+two\n"))

    assert (change.patch, change.patch_state) == ("@@ -1 +1,2 @@\n one\n+two", "text")


def test_what_no_store_can_hold_is_replaced() -> None:
    change = file_change(entry(filename="a\0", previous_filename="b\0", patch="@@ -0,0 +1 @@\n+\0"))

    assert (change.path, change.previous_path, change.patch) == (
        "a\ufffd",
        "b\ufffd",
        "@@ -0,0 +1 @@\n+\ufffd",
    )


@pytest.mark.parametrize("status", ["added", "removed", "modified", "renamed", "copied", "changed"])
def test_a_status_is_kept_as_github_says_it(status: str) -> None:
    assert file_change(entry(status=status)).status == status


def test_a_status_that_nobody_knows_yet_is_a_modification() -> None:
    assert file_change(entry(status="transmogrified")).status == "modified"


def test_a_text_that_speaks_of_submodules_is_a_text() -> None:
    sha = "1" * 40
    patch = f"@@ -0,0 +1,2 @@\n+Subproject commit {sha}\n+and more"

    assert file_change(entry(additions=2, patch=patch)).patch_state == "text"


def test_a_file_that_became_a_submodule_is_a_submodule() -> None:
    patch = f"@@ -1 +0,0 @@\n-text\n@@ -0,0 +1 @@\n+Subproject commit {'1' * 40}"

    change = file_change(entry(status="changed", additions=1, deletions=1, patch=patch))
    assert (change.patch_state, change.status) == ("submodule", "changed")


OLD, NEW = Blob("100644", "a" * 40), Blob("100644", "b" * 40)
NOTHING = Blob("100644", EMPTY_BLOB)


@pytest.mark.parametrize(
    ("file", "before", "after", "state"),
    [
        pytest.param(bare(), {"a.txt": OLD}, {"a.txt": NEW}, "binary", id="another content"),
        pytest.param(bare("added"), {}, {"a.txt": NEW}, "binary", id="a new content"),
        pytest.param(bare("removed"), {"a.txt": OLD}, {}, "binary", id="a content that is gone"),
        pytest.param(
            bare(), {"a.txt": OLD}, {"a.txt": Blob("100755", OLD.sha)}, "mode", id="only another mode"
        ),
        pytest.param(
            bare("renamed", previous_filename="b.txt"),
            {"b.txt": OLD},
            {"a.txt": OLD},
            "text",
            id="only a name",
        ),
        pytest.param(
            bare("copied", previous_filename="b.txt"),
            {"b.txt": OLD},
            {"a.txt": OLD, "b.txt": OLD},
            "text",
            id="a copy",
        ),
        pytest.param(bare("added"), {}, {"a.txt": NOTHING}, "text", id="an empty file"),
        pytest.param(bare("removed"), {"a.txt": NOTHING}, {}, "text", id="an empty file that is gone"),
        pytest.param(
            bare(),
            {"a.txt": Blob("160000", "a" * 40)},
            {"a.txt": Blob("160000", "b" * 40)},
            "submodule",
            id="a submodule without lines",
        ),
        pytest.param(bare(), {}, {"a.txt": NEW}, "incomplete", id="a parent that lacks it"),
        pytest.param(bare("added"), {}, {}, "incomplete", id="a commit that lacks it"),
        pytest.param(bare("removed"), {}, {"a.txt": NEW}, "incomplete", id="removed and still there"),
    ],
)
def test_a_file_without_lines_is_what_the_trees_say(
    file: File, before: Tree, after: Tree, state: str
) -> None:
    change = file_change(file, before, after)

    assert change.patch_state == state
    assert change.patch == ("" if state in {"text", "submodule"} else None)
    assert (change.additions, change.deletions) == (0, 0)


def test_a_tree_that_github_cut_leaves_the_file_open(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    fake.max_tree_entries = 1

    [changes] = source.changes([nasty.shas["binary modified"]])
    assert [(file.path, file.patch_state) for file in changes.files] == [("logo.png", "incomplete")]


def test_trees_are_asked_for_only_where_an_entry_tells_nothing(
    source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    list(source.changes([nasty.shas["root commit"], nasty.shas["submodule bumped"], nasty.shas["odd names"]]))

    assert not any("/git/trees/" in path for path in fake.paths)


def test_neighbours_share_a_tree(source: GitHubSource, fake: FakeGitHub, nasty: NastyRepository) -> None:
    names = ["binary added", "binary modified", "binary renamed"]
    list(source.changes([nasty.shas[name] for name in names]))

    asked = [path.rpartition("/")[2] for path in fake.paths if "/git/trees/" in path]
    expected = ["file becomes a symlink", *names]
    assert sorted(asked) == sorted(nasty.shas[name] for name in expected)


def test_few_trees_are_kept(source: GitHubSource, nasty: NastyRepository) -> None:
    list(source.changes([sha for name, sha in nasty.shas.items() if "binary" in name or "mode" in name]))

    assert 0 < len(source._trees) <= github.TREES_KEPT


# --- refusals ---------------------------------------------------------------------------------------------


def test_a_repository_that_is_not_there_or_not_shown_names_the_remedy(
    open_source: Open, fake: FakeGitHub
) -> None:
    with pytest.raises(SourceRejected, match=r"does not exist .* or is private.*token_env") as caught:
        open_source(owner_and_name="ada/lost").refresh()
    assert_speaks_plainly(caught.value)

    with pytest.raises(SourceRejected, match=r"does not exist .*that the token in token_env may read it"):
        open_source(owner_and_name="ada/lost", token=TOKEN).refresh()


def test_a_private_repository_is_read_with_its_token_alone(
    open_source: Open, fake: FakeGitHub, head: Head
) -> None:
    fake.tokens.add(TOKEN)

    assert open_source(token=TOKEN).refresh() == head
    with pytest.raises(SourceRejected, match="is private"):
        open_source().refresh()
    with pytest.raises(SourceRejected, match="does not accept the token"):
        open_source(token=f"{TOKEN}x").refresh()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (error(401, "Requires authentication"), "wants a token"),
        (error(403, "Resource not accessible by personal access token"), "may read its contents"),
        (error(403, "Resource protected by organization SAML enforcement."), "SAML"),
        (error(410, "Gone"), "410"),
        (error(451, "Repository access blocked"), "Repository access blocked"),
        (Reply(400, b"<html>"), "400"),
    ],
)
def test_a_refusal_is_final_and_asked_for_once(
    source: GitHubSource, fake: FakeGitHub, clock: Clock, reply: Reply, said: str
) -> None:
    fake.on("", reply)

    with pytest.raises(SourceRejected, match=said) as caught:
        source.refresh()
    assert_speaks_plainly(caught.value)
    assert (len(fake.requests), clock.slept) == (1, [])


def test_an_empty_repository_is_told_from_an_unknown_branch(tmp_path: Path, open_source: Open) -> None:
    empty = RepositoryBuilder(tmp_path / "empty")
    with FakeGitHub({NAME: empty.path}) as fake:
        for branch in (None, "main", "other"):
            with pytest.raises(SourceRejected, match="is empty"):
                open_source(api_url=fake.api_url, branch=branch).refresh()
        with pytest.raises(SourceRejected, match="is empty"):
            open_source(api_url=fake.api_url).commits(Head("main", "1" * 40), ALL_OF_IT)


def test_a_default_branch_without_commits_is_named(source: GitHubSource, fake: FakeGitHub) -> None:
    fake.on(f"/{NAME}\\?", Reply(200, {"default_branch": "trunk"}))

    with pytest.raises(SourceRejected, match='no branch "trunk"'):
        source.refresh()


def test_a_head_that_github_lost_is_named(source: GitHubSource) -> None:
    gone = "1" * 40

    with pytest.raises(SourceRejected, match=f"does not know commit {gone}"):
        source.commits(Head("main", gone), ALL_OF_IT)
    with pytest.raises(SourceRejected, match=f"does not know commit {gone}"):
        list(source.changes([gone]))


def test_what_github_says_reaches_the_message_in_one_short_line_without_the_token(
    open_source: Open, fake: FakeGitHub
) -> None:
    fake.on("", error(403, f"No,\n\x1b[31m{TOKEN}\u2028 may not. " + "x" * 1000))

    with pytest.raises(SourceRejected, match=r"\*\*\*") as caught:
        open_source(token=TOKEN).refresh()
    assert_speaks_plainly(caught.value)
    assert len(str(caught.value)) < 400


# --- answers that are none --------------------------------------------------------------------------------


NONSENSE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"<html>Please log in</html>", id="a page"),
    pytest.param(b"null", id="null"),
    pytest.param(b"{}", id="an empty object"),
    pytest.param(b'[{"sha": 1}]', id="a list of something else"),
    pytest.param(b'{"default_branch": "ma', id="cut off"),
    pytest.param(b"[" * 100_000, id="a deep hole"),
    pytest.param(b'{"default_branch": "\xff"}', id="no UTF-8"),
    pytest.param(b'{"default_branch": "\\ud800"}', id="half a surrogate pair"),
]


@pytest.mark.parametrize("body", NONSENSE)
def test_an_answer_in_another_form_is_unavailable_never_empty(
    source: GitHubSource, fake: FakeGitHub, head: Head, body: bytes
) -> None:
    fake.on("", Reply(200, body))

    for ask in (
        source.refresh,
        lambda: source.commits(head, ALL_OF_IT),
        lambda: list(source.changes([head.sha])),
        lambda: source._tree(head.sha),
    ):
        with pytest.raises(SourceUnavailable, match="is not in GitHub's form") as caught:
            ask()
        assert_speaks_plainly(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("status", [204, 300, 304, 399])
def test_a_status_that_is_no_answer_is_unavailable(
    source: GitHubSource, fake: FakeGitHub, status: int
) -> None:
    fake.on("", Reply(status, b""))

    with pytest.raises(SourceUnavailable):
        source.refresh()


def _in_commit(**given: object) -> Alteration:
    return lambda body: [{**listed, "commit": {**listed["commit"], **given}} for listed in body]


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(lambda body: [{**body[0], "sha": "../../../user"}], id="a SHA that is a path"),
        pytest.param(lambda body: [{**body[0], "parents": None}], id="no parents"),
        pytest.param(_in_commit(committer=None), id="no committer"),
        pytest.param(_in_commit(committer={"name": "x", "date": "yesterday"}), id="no date"),
        pytest.param(_in_commit(committer={"date": "2026-01-05T10:00:00"}), id="a date without an offset"),
        pytest.param(_in_commit(message=None), id="no message"),
    ],
)
def test_a_commit_that_cannot_be_placed_is_not_passed_over(
    source: GitHubSource, fake: FakeGitHub, head: Head, alter: Alteration
) -> None:
    fake.on("/commits", alter=alter)

    with pytest.raises(SourceUnavailable, match="is not in GitHub's form"):
        source.commits(head, ALL_OF_IT)


def test_a_commit_whose_author_is_unreadable_is_its_committers(
    source: GitHubSource, fake: FakeGitHub, head: Head
) -> None:
    fake.on("/commits", alter=_in_commit(author=None))

    commit = source.commits(head, ALL_OF_IT)[0]
    assert (commit.author_name, commit.authored_at) == ("Grace Hopper", commit.committed_at)


@pytest.mark.parametrize(
    "given",
    [
        {"additions": -1},
        {"additions": 2**63},
        {"filename": ""},
        {"filename": None},
        {"status": 7},
        {"patch": []},
    ],
)
def test_a_file_that_cannot_be_is_not_passed_over(
    source: GitHubSource, fake: FakeGitHub, head: Head, given: dict[str, object]
) -> None:
    fake.on("/commits/", alter=lambda body: {**body, "files": [{**body["files"][0], **given}]})

    with pytest.raises(SourceUnavailable, match="is not in GitHub's form"):
        list(source.changes([head.sha]))


def test_the_answer_about_another_commit_is_unavailable(
    source: GitHubSource, fake: FakeGitHub, head: Head
) -> None:
    fake.on("/commits/", alter=lambda body: {**body, "sha": "1" * 40})

    with pytest.raises(SourceUnavailable, match="answers with 1111"):
        list(source.changes([head.sha]))


def test_fields_that_nobody_asked_for_are_passed_over(
    source: GitHubSource, fake: FakeGitHub, head: Head
) -> None:
    fake.on("", alter=lambda body: {**body, "new": {"in": "2031"}}, times=2)

    assert source.refresh() == head
    assert json.loads(Reply(200, {"new": 1}).content) == {"new": 1}


# --- pull requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "path"), [("", "/graphql"), ("/api/v3", "/api/graphql"), ("/api/v3/", "/api/graphql")]
)
def test_pull_requests_are_asked_about_fifty_at_once_beside_the_rest(
    nasty: NastyRepository, clock: Clock, prefix: str, path: str
) -> None:
    with FakeGitHub({NAME: nasty.path}, tokens=[TOKEN], prefix=prefix.rstrip("/")) as fake:
        fake.pulls |= {number: Pull(f"Number {number}", (f"label {number}",)) for number in range(1, 61)}
        fake.rename(NAME, "ada/difference-engine")
        with closing(
            GitHubSource(repo="r", owner_and_name=NAME, api_url=fake.origin + prefix, token=TOKEN)
        ) as source:
            found = source.pull_requests([*range(1, 61), 404, 7])
            assert source.pull_requests([]) == {}

    assert [(request.method, request.path) for request in fake.requests] == [("POST", path)] * 2
    assert fake.requests[0].headers["content-type"] == "application/json"
    assert found is not None
    assert sorted(found) == [*range(1, 61), 404]
    assert found[404] is None
    assert found[60] == PullRequest(60, "Number 60", ("label 60",), "")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, {"errors": [{"message": f"{TOKEN} is tired"}]}), r"\*\*\* is tired"),
        (
            Reply(200, {"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": "gone"}]}),
            "gone",
        ),
        (
            Reply(200, {"data": {"repository": {"p1": None}}, "errors": [{"type": "FORBIDDEN"}]}),
            "no reason given",
        ),
        (Reply(200, {"data": {"repository": {"p1": {"number": "x"}}}}), "not in GitHub's form"),
        (Reply(200, b"<html>"), "not in GitHub's form"),
        (error(403, "Resource not accessible by personal access token"), "may read its contents"),
    ],
)
def test_what_is_no_answer_about_pull_requests_is_an_error_and_not_an_empty_answer(
    open_source: Open, fake: FakeGitHub, reply: Reply, said: str
) -> None:
    fake.on("graphql", reply)

    with pytest.raises(SourceError, match=said) as caught:
        open_source(token=TOKEN).pull_requests([1])
    assert_speaks_plainly(caught.value)


def test_a_limit_holds_a_question_as_it_holds_the_rest(
    open_source: Open, fake: FakeGitHub, clock: Clock
) -> None:
    fake.pulls[1] = Pull("One")
    fake.on("graphql", secondary_limit(retry_after="7"), times=1)

    assert open_source(token=TOKEN).pull_requests([1]) == {1: PullRequest(1, "One", (), "")}
    assert clock.slept == [7.0]


def test_without_a_token_nobody_is_asked(source: GitHubSource, fake: FakeGitHub) -> None:
    assert source.pull_requests([1]) is None
    assert fake.requests == []
