"""A period folded from its days: what is merged, what is joined, what is counted, what is looked back at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import pull_request_number, title_of
from digest_pipeline.domain.day import day_window
from digest_pipeline.domain.importance import TIERS, Tier
from digest_pipeline.domain.page import (
    CommitEntry,
    Context,
    Earlier,
    FilteredOut,
    Mention,
    Part,
    RepoPage,
    Theme,
)
from digest_pipeline.domain.rollup import RepoFold, RepoRollup

MONDAY = date(2026, 2, 16)
DAYS = [MONDAY + timedelta(days=offset) for offset in range(7)]
REPO = "ada/engine"


def entry(
    number: int,
    message: str = "feat: a part",
    tier: Tier = "high",
    **more: Any,  # noqa: ANN401 - fields of the entry
) -> CommitEntry:
    values: dict[str, Any] = {
        "sha": f"{number:040x}",
        "author_name": "Ada",
        "authored_at": datetime(2026, 2, 16, tzinfo=UTC),
        "message": message,
        "title": title_of(message),
        "url": None,
        "tier": tier,
        "score": 10,
        "reasons": (),
        "status": "ok",
        "analysis": Analysis(summary=["what it does"]),
        "model": "offline",
        "is_offline": True,
        "attempts": 1,
        "error": None,
        "unread": (),
        "complete": True,
        "pull_request": pull_request_number(message),
    }
    return CommitEntry(**(values | more))


def page(
    day: date,
    *commits: CommitEntry,
    **more: Any,  # noqa: ANN401 - fields of the page
) -> RepoPage:
    """A page; `commits` newest first, as on a page."""
    return RepoPage(REPO, day, day_window(day, ZoneInfo("UTC")), commits, **more)


def folded(*pages: RepoPage, days: list[date] = DAYS) -> RepoRollup:
    fold = RepoFold(REPO, days)
    for one in pages:
        fold.add(one)
    return fold.result({})


def sha(number: int) -> str:
    return f"{number:040x}"


def test_parts_are_merged_oldest_first_and_name_each_commit_once() -> None:
    breaking = Part("breaking", (Mention(sha(2), "newer"), Mention(sha(1), "older")))
    again = Part("breaking", (Mention(sha(3), "later"), Mention(sha(3), "the same")))
    found = folded(
        page(DAYS[0], entry(2), entry(1), parts=(breaking,)),
        page(DAYS[1], entry(3), parts=(again, Part("security", (Mention(sha(3), "safe"),)))),
    )
    assert [(part.topic, [mention.line for mention in part.mentions]) for part in found.parts] == [
        ("breaking", ["older", "newer", "later"]),
        ("security", ["safe"]),
    ]
    assert [mention.commit.day for mention in found.parts[0].mentions] == [DAYS[0], DAYS[0], DAYS[1]]


def test_a_series_over_several_days_is_one_theme() -> None:
    found = folded(
        page(DAYS[0], entry(1), themes=(Theme("series", "the router", (sha(1),)),)),
        page(
            DAYS[2],
            entry(2),
            themes=(Theme("series", "router, part 2", (sha(2),), (Earlier(DAYS[0], sha(1), "x", None),)),),
        ),
        page(DAYS[3], entry(3), themes=(Theme("series", "the router", (sha(3),)),)),
        page(DAYS[4], entry(4), themes=(Theme("series", "another", (sha(4),)),)),
    )
    assert [(theme.name, [int(one.sha, 16) for one in theme.commits]) for theme in found.themes] == [
        ("the router", [1, 2, 3]),
        ("another", [4]),
    ]


def test_two_series_that_a_later_day_joins_become_one() -> None:
    earlier = (Earlier(DAYS[0], sha(1), "a", None), Earlier(DAYS[1], sha(2), "b", None))
    [theme] = folded(
        page(DAYS[0], entry(1), themes=(Theme("series", "a", (sha(1),)),)),
        page(DAYS[1], entry(2), themes=(Theme("series", "b", (sha(2),)),)),
        page(DAYS[2], entry(3), themes=(Theme("series", "c", (sha(3),), earlier),)),
    ).themes
    assert (theme.name, [int(one.sha, 16) for one in theme.commits]) == ("a", [1, 2, 3])


def test_what_a_theme_goes_on_from_before_the_period_is_named_apart() -> None:
    before = Earlier(MONDAY - timedelta(days=20), sha(9), "the first part", 7, "https://example.org/9")
    [theme] = folded(page(DAYS[0], entry(1), themes=(Theme("series", "s", (sha(1),), (before,)),))).themes
    [one] = theme.earlier
    assert (one.title, one.has_page, one.url) == ("the first part", False, "https://example.org/9")
    assert [int(commit.sha, 16) for commit in theme.commits] == [1]


def test_an_area_of_one_commit_is_no_theme_and_areas_of_one_place_are_joined() -> None:
    found = folded(
        page(
            DAYS[0], entry(1), themes=(Theme("area", "lib/a", (sha(1),)), Theme("area", "lib/b", (sha(1),)))
        ),
        page(DAYS[1], entry(2), themes=(Theme("area", "lib/a", (sha(2),)),)),
    )
    assert [(theme.name, theme.days) for theme in found.themes] == [("lib/a", 2)]


def test_a_revert_is_paired_with_what_it_takes_back_on_another_day() -> None:
    found = folded(
        page(DAYS[0], entry(1, "feat: a gate (#5)")),
        page(DAYS[2], entry(2, 'Revert "feat: a gate (#5)" (#6)', "low")),
    )
    [theme] = found.themes
    assert (theme.kind, theme.name, len(theme.commits)) == ("revert", "feat: a gate", 2)
    [regret] = found.regrets
    assert (regret.commit.sha, regret.fates[0].by.sha, regret.fates[0].proof) == (
        sha(1),
        sha(2),
        "pull_request",
    )


def test_a_revert_that_the_days_page_names_is_not_told_twice() -> None:
    theme = Theme("revert", "a gate", (sha(2), sha(1)))
    day = page(DAYS[0], entry(2, 'Revert "feat: a gate"'), entry(1, "feat: a gate"), themes=(theme,))
    assert [(one.name, len(one.commits)) for one in folded(day).themes] == [("a gate", 2)]


def test_only_what_was_decided_to_be_high_is_regretted() -> None:
    found = folded(
        page(DAYS[0], entry(1, "feat: a gate (#5)", "medium")),
        page(DAYS[2], entry(2, 'Revert "feat: a gate (#5)" (#6)', "low")),
    )
    assert found.regrets == ()
    assert len(found.themes) == 1


def test_a_high_commit_of_the_friday_before_that_is_taken_back_on_monday_is_told_and_not_counted() -> None:
    friday = MONDAY - timedelta(days=3)
    found = folded(
        page(friday, entry(1, "feat: a gate (#5)")),
        page(DAYS[0], entry(2, 'Revert "feat: a gate (#5)" (#6)', "low")),
    )
    [regret] = found.regrets
    assert (regret.commit.day, regret.fates[0].by.day) == (friday, MONDAY)
    assert found.coverage.commits == 1
    assert found.high == ()
    assert [one.day for one in found.themes[0].earlier] == [friday]


def test_what_became_of_something_before_the_period_is_another_periods_news() -> None:
    found = folded(
        page(MONDAY - timedelta(days=3), entry(1, "feat: a gate (#5)")),
        page(MONDAY - timedelta(days=2), entry(2, 'Revert "feat: a gate (#5)" (#6)', "low")),
        page(DAYS[0], entry(3, "docs: words", "low")),
    )
    assert (found.regrets, found.themes) == ((), ())


def test_the_high_commits_stand_by_score_and_of_equals_the_largest_first_without_what_is_folded() -> None:
    found = folded(
        page(
            DAYS[0],
            entry(4, score=20, folded="bot"),
            entry(3, score=12, additions=1),
            entry(2, score=12, additions=90),
            entry(1, score=15),
            entry(5, tier="medium", score=9),
        )
    )
    assert [int(one.sha, 16) for one in found.high] == [1, 2, 3]
    assert (found.tier("high"), found.folded, found.days[0].commits) == (3, 1, 5)


def test_a_day_without_a_page_is_missing_or_could_not_be_read() -> None:
    fold = RepoFold(REPO, DAYS[:3])
    fold.add(page(DAYS[0]))
    found = fold.result({DAYS[0]: "gone since", DAYS[1]: "no such host"})
    assert [(day.state, day.error) for day in found.days] == [
        ("made", "gone since"),
        ("unreadable", "no such host"),
        ("missing", None),
    ]


def test_coverage_adds_up_over_days() -> None:
    asked: dict[str, Any] = {"is_offline": False, "model": "m", "changed_lines": 10}
    found = folded(
        page(DAYS[0], entry(1, shown_lines=10, **asked), cost=0.5, filtered=(FilteredOut("paths", 2),)),
        page(
            DAYS[1],
            entry(2, shown_lines=5, **asked),
            entry(3, status="failed", analysis=None),
            entry(4, status="deferred", analysis=None),
            cost=0.25,
            filtered=(FilteredOut("bots", 1), FilteredOut("paths", 1)),
        ),
    ).coverage
    assert (found.commits, found.analysed, found.failed, found.deferred) == (4, 2, 1, 1)
    assert (found.filtered, found.cost, found.models) == (4, 0.75, ("m",))
    assert (found.shown_lines, found.changed_lines, found.is_offline) == (15, 20, False)


def test_newcomers_have_their_first_day_and_all_their_commits() -> None:
    found = folded(
        page(DAYS[1], entry(1, author_name="Bob"), context=Context(newcomers=("Bob",))),
        page(DAYS[3], entry(2, author_name="Bob"), entry(3, author_name="Ada"), context=Context()),
    )
    assert [(one.name, one.day, one.commits) for one in found.newcomers] == [("Bob", DAYS[1], 2)]


def test_directories_count_a_commit_once_each_day_by_their_first_two_folders() -> None:
    paths = ("lib/llm/a.rs", "lib/llm/b/c.rs", "docs/x.md", "README.md")
    found = folded(
        page(DAYS[0], entry(1, paths=paths), entry(2, paths=("lib/llm/z.rs",))),
        page(DAYS[2], entry(3, paths=paths)),
    )
    assert [(one.path, one.commits, one.trend) for one in found.directories] == [
        ("lib/llm", 3, (2, 0, 1, 0, 0, 0, 0)),
        ("docs", 2, (1, 0, 1, 0, 0, 0, 0)),
    ]


messages = st.sampled_from(
    ["feat: a (#1)", 'Revert "feat: a (#1)"', "fix: of #1", "docs: b", 'Reapply "feat: a (#1)"']
)


@st.composite
def weeks(draw: st.DrawFn) -> list[RepoPage]:
    number, pages = 0, []
    for offset in range(-7, 7):
        commits = []
        for _ in range(draw(st.integers(0, 2))):
            number += 1
            commits.append(entry(number, draw(messages), draw(st.sampled_from(TIERS))))
        shas = [one.sha for one in commits]
        themes = (
            [Theme(draw(st.sampled_from(["series", "area", "revert"])), "t", tuple(shas))] if shas else []
        )
        parts = [Part("breaking", tuple(Mention(one, "x") for one in shas))]
        pages.append(
            page(MONDAY + timedelta(days=offset), *commits, themes=tuple(themes), parts=tuple(parts))
        )
    return pages


@given(weeks())
def test_a_rollup_names_its_own_commits_once_in_each_place(pages: list[RepoPage]) -> None:
    found = folded(*pages)
    own = {one.sha: one for day in pages if day.day >= MONDAY for one in day.commits}
    known = {one.sha for day in pages for one in day.commits}
    assert sum(day.commits for day in found.days) == found.coverage.commits == len(own)
    assert {one.sha for one in found.high} == {name for name, one in own.items() if one.tier == "high"}
    assert sorted(mention.commit.sha for part in found.parts for mention in part.mentions) == sorted(own)
    for kind in ("series", "area", "revert"):
        told = [one.sha for theme in found.themes if theme.kind == kind for one in theme.commits]
        assert len(told) == len(set(told))
        assert set(told) <= set(own)
    for regret in found.regrets:
        assert regret.commit.sha in known
        assert regret.commit.tier == "high"
        assert all(fate.by.sha in own for fate in regret.fates)
