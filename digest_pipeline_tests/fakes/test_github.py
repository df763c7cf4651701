"""Whether the fake GitHub has the habits of the real one, as GitHub's documentation tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from digest_pipeline_tests.fakes.github import HANG_UP, FakeGitHub, Pull, Reply
from digest_pipeline_tests.fakes.repositories import NastyRepository, nasty_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "ada/engine"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> NastyRepository:
    return nasty_repository(tmp_path_factory.mktemp("nasty") / "engine")


@pytest.fixture
def fake(nasty: NastyRepository) -> Iterator[FakeGitHub]:
    with FakeGitHub({NAME: nasty.path}) as running:
        yield running


@pytest.fixture
def client(fake: FakeGitHub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{fake.api_url}/repos/{NAME}/", trust_env=False, verify=False) as client:  # noqa: S501 - plain HTTP
        yield client


def test_the_nasty_repository_is_the_same_each_time(nasty: NastyRepository, tmp_path: Path) -> None:
    assert nasty_repository(tmp_path / "again").shas == nasty.shas


def test_a_list_has_thirty_entries_unless_asked_and_leads_on_by_number(
    client: httpx.Client, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    first = client.get("commits", params={"sha": "main"})
    base = f"{fake.api_url}/repositories/0/commits?sha=main"
    assert len(first.json()) == 30
    assert first.headers["link"] == f'<{base}&page=2>; rel="next", <{base}&page=2>; rel="last"'

    second = client.get(first.links["next"]["url"])
    assert len(second.json()) == len(nasty.shas) - 30
    assert "link" not in second.headers


def test_a_page_has_at_most_a_hundred_commits(client: httpx.Client, nasty: NastyRepository) -> None:
    listed = client.get("commits", params={"per_page": "5000"}).json()

    assert len(listed) == len(nasty.shas) <= 100


def test_since_and_until_are_both_inclusive(client: httpx.Client, nasty: NastyRepository) -> None:
    params = {"since": "2026-01-05T10:00:00Z", "until": "2026-01-05T11:00:00Z"}

    shas = [listed["sha"] for listed in client.get("commits", params=params).json()]
    assert shas == [nasty.shas["rename"], nasty.shas["root commit"]]


def test_the_first_patches_of_a_large_page_are_there_and_the_others_left_out(
    client: httpx.Client, fake: FakeGitHub, nasty: NastyRepository
) -> None:
    fake.patch_lines_per_page = 24
    files = client.get(f"commits/{nasty.shas['root commit']}").json()["files"]

    assert ["patch" in file for file in files] == [True, True, False, False, False]
    assert all(file["changes"] for file in files)


def test_a_binary_looks_like_a_rename_and_like_an_empty_file(
    client: httpx.Client, nasty: NastyRepository
) -> None:
    names = ("binary modified", "mode change", "empty file added")
    entries = [client.get(f"commits/{nasty.shas[name]}").json()["files"][0] for name in names]

    assert all((entry["changes"], entry.get("patch")) == (0, None) for entry in entries)


def test_a_renamed_repository_redirects_with_the_query(client: httpx.Client, fake: FakeGitHub) -> None:
    fake.rename(NAME, "ada/difference-engine")
    answer = client.get("commits", params={"per_page": "1"})

    assert answer.status_code == 301
    assert answer.headers["location"] == f"{fake.api_url}/repositories/0/commits?per_page=1"


def test_a_tree_lists_folders_links_and_submodules(client: httpx.Client, nasty: NastyRepository) -> None:
    answer = client.get(f"git/trees/{nasty.head}", params={"recursive": "1"}).json()
    kinds = {entry["path"]: (entry["type"], entry["mode"]) for entry in answer["tree"]}

    assert not answer["truncated"]
    assert kinds["book"] == ("tree", "040000")
    assert kinds["run.sh"] == ("blob", "100644")
    assert kinds["latest"] == ("blob", "120000")
    assert kinds["vendor/lib"] == ("commit", "160000")


def test_the_script_goes_before_the_rules_and_both_before_the_truth(
    client: httpx.Client, fake: FakeGitHub
) -> None:
    fake.on("branches", Reply(418, {}), times=1)
    fake.next_responses([Reply(599, {})])

    assert [client.get("branches/main").status_code for _ in range(3)] == [599, 418, 200]
    assert fake.paths == [f"/repos/{NAME}/branches/main"] * 3


def test_to_hang_up_is_to_give_no_answer(client: httpx.Client, fake: FakeGitHub) -> None:
    fake.next_responses([HANG_UP])

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("commits")


def test_graphql_answers_what_its_schema_has_and_refuses_the_rest(fake: FakeGitHub) -> None:
    fake.pulls[1] = Pull("One", ("a", "b"))

    def ask(selection: str, **variables: object) -> Any:  # noqa: ANN401 - JSON
        query = f"query($owner: String!, $name: String!) {{ {selection} }}"
        body = {"query": query, "variables": {"owner": "ada", "name": "engine", **variables}}
        headers = {"Authorization": "Bearer x"}
        return httpx.post(f"{fake.origin}/graphql", json=body, headers=headers, trust_env=False).json()

    where = "repository(owner: $owner, name: $name)"
    labels = "labels(first: 1) { nodes { name } }"
    answer = ask(
        f"{where} {{ p1: pullRequest(number: 1) {{ title {labels} }} p2: pullRequest(number: 2) {{ title }} }}"
    )
    assert answer["data"]["repository"] == {
        "p1": {"title": "One", "labels": {"nodes": [{"name": "a"}]}},
        "p2": None,
    }
    assert [one["type"] for one in answer["errors"]] == ["NOT_FOUND"]
    for wrong in (
        f"{where} {{ pullRequest {{ title }} }}",
        f"{where} {{ pullRequest(number: 1) {{ heading }} }}",
        f"{where} {{ pullRequest(number: 1) {{ labels {{ nodes {{ name }} }} }} }}",
        f"{where} {{ pullRequest(number: 1) }}",
        f'{where} {{ pullRequest(number: "1") {{ title }} }}',
        "repository(owner: $who, name: $name) { nameWithOwner }",
        f"{where} {{ nameWithOwner",
    ):
        assert list(ask(wrong)) == ["errors"], wrong
    assert list(ask(f"{where} {{ nameWithOwner }}", owner=3)) == ["errors"]
    assert httpx.post(f"{fake.origin}/graphql", json={}, trust_env=False).status_code == 403
