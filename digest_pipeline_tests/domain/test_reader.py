"""What of a day is a reader's: which commits, and that nothing that is said of others comes along."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.day import Window
from digest_pipeline.domain.page import (
    CommitEntry,
    Context,
    FilteredOut,
    Headline,
    Mention,
    Part,
    RepoPage,
    Theme,
)
from digest_pipeline.domain.reader import Reader, mentions, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from digest_pipeline.domain.importance import Tier

MOMENT = datetime(2026, 2, 21, tzinfo=UTC)


def commit(sha: str, tier: Tier = "low", paths: Iterable[str] = ("src/a.py",), **more: Any) -> CommitEntry:  # noqa: ANN401 - of any field
    values: dict[str, Any] = {
        "sha": sha,
        "author_name": "Ada",
        "authored_at": MOMENT,
        "message": f"{sha}: a title",
        "title": f"{sha}: a title",
        "url": None,
        "tier": tier,
        "score": 1,
        "reasons": (),
        "status": "ok",
        "analysis": None,
        "model": "m",
        "is_offline": False,
        "attempts": 0,
        "error": None,
        "unread": (),
        "complete": True,
        "paths": tuple(paths),
    }
    return CommitEntry(**(values | more))


def page(*commits: CommitEntry, **more: Any) -> RepoPage:  # noqa: ANN401 - of any field
    return RepoPage("ada/engine", date(2026, 2, 21), Window(MOMENT, MOMENT), commits, **more)


def theirs(found: RepoPage | None) -> list[str]:
    return [] if found is None else [one.sha for one in found.commits]


def reader(**asked: Any) -> Reader:  # noqa: ANN401 - of any field
    return Reader(name="infra", language="en", **asked)


A = commit("a", "high", ["deploy/x.yaml"])
B = commit("b", "medium", ["docs/y.md"], message="b\n\nabout the KV router")
C = commit("c", "low", ["src/z.py"], analysis=Analysis(risks=["路由缓存失效"]))
WHOLE = page(A, B, C)


@pytest.mark.parametrize(
    ("asked", "shas"),
    [
        ({}, ["a", "b", "c"]),
        ({"repos": ("ada/*",)}, ["a", "b", "c"]),
        ({"repos": ("ada/engine",), "min_tier": "medium"}, ["a", "b"]),
        ({"repos": ("bob/*",)}, []),
        ({"repos": ("!ada/engine",)}, []),
        ({"paths": ("deploy/**",)}, ["a"]),
        ({"paths": ("**", "!docs/**")}, ["a", "c"]),
        ({"keywords": ("kv  ROUTER",)}, ["b"]),
        ({"keywords": ("路由",)}, ["c"]),
        ({"paths": ("deploy/**",), "keywords": ("router",)}, ["a", "b"]),
        ({"paths": ("deploy/**",), "keywords": ("路由",), "min_tier": "high"}, ["a"]),
        ({"keywords": ("rout",)}, []),
    ],
)
def test_what_is_theirs(asked: dict[str, Any], shas: list[str]) -> None:
    assert theirs(select(WHOLE, reader(**asked))) == shas


def test_a_commit_whose_files_are_not_all_known_may_be_theirs() -> None:
    assert theirs(select(page(commit("a", complete=False)), reader(paths=("deploy/**",)))) == ["a"]


@pytest.mark.parametrize(
    ("text", "word", "is_there"),
    [
        ("the Router is new", "router", True),
        ("kv_router and kv-router", "router", True),
        ("routers", "router", False),
        ("NIXL传输", "nixl", True),
        ("支持路由功能", "路由", True),
        ("a KV\ncache", "kv cache", True),
        ("C++ (and c#)", "c++", True),
        ("x", " ", False),
    ],
)
def test_a_word_is_one_of_its_own(text: str, word: str, is_there: bool) -> None:
    assert mentions(text, word) is is_there


SHAS = ["a", "b", "c"]


@given(st.sets(st.sampled_from(SHAS)), st.lists(st.sampled_from(SHAS), unique=True), st.sampled_from(SHAS))
def test_nothing_on_the_page_names_a_commit_that_is_not_on_it(
    chosen: set[str], named: list[str], mentioned: str
) -> None:
    commits = [commit(sha, paths=["in/x" if sha in chosen else "out/x"]) for sha in SHAS]
    whole = page(
        *commits,
        headline=Headline("words", tuple(named)),
        parts=(Part("breaking", (Mention(mentioned, "line"), Mention("a", "line"))),),
        themes=(Theme("area", "lib", tuple(named)),),
        context=Context(days=7),
        filtered=(FilteredOut("paths", 3),),
        cost=1.0,
        came=2,
    )
    found = select(whole, reader(paths=("in/**",)))
    assert theirs(found) == [sha for sha in SHAS if sha in chosen]
    if found is None:
        return
    assert found.headline is None or chosen.issuperset(found.headline.shas)
    assert all(one.sha in chosen for part in found.parts for one in part.mentions)
    assert all(part.mentions for part in found.parts)
    assert all(chosen.issuperset(theme.shas) and len(theme.shas) > 1 for theme in found.themes)
    is_partial = chosen != set(SHAS)
    assert (found.came, found.context is None, not found.filtered) == (0, is_partial, is_partial)
