"""A day beside the days before it."""

from __future__ import annotations

from datetime import timedelta

from digest_pipeline.domain.context import DayCounts, Trends, broad_in, busy_directories, context_of
from digest_pipeline.domain.page import Delta
from digest_pipeline_tests.domain.pages import DAY, commit, page


def before(days: int) -> list[DayCounts]:
    """So many days, of which the nth before this one has n commits."""
    return [DayCounts(DAY - timedelta(days=n), n, n % 2, 10 * n) for n in range(1, days + 1)]


NOTHING = Trends([])


def test_medians_are_over_the_last_seven_stored_days_and_not_over_this_one_or_later_ones() -> None:
    around = [DayCounts(DAY, 99, 99, 99), DayCounts(DAY + timedelta(days=1), 99, 99, 99)]
    context = context_of(page(commit("a", additions=3, deletions=4)), [*around, *before(9)], NOTHING, {})

    assert context.days == 7
    assert context.commits == Delta(1, 4.0)
    assert context.high == Delta(1, 1.0)
    assert context.lines == Delta(7, 40.0)
    assert context_of(page(commit("a")), before(2), NOTHING, {}).commits == Delta(1, 1.5)
    assert context_of(page(commit("a")), [], NOTHING, {}).commits is None


def test_nobody_is_new_before_two_weeks_are_known_and_a_bot_never_is() -> None:
    story = page(
        commit("a", author_name="Ada"),
        commit("b", author_name="renovate[bot]"),
        commit("c", author_name="Robot", folded="bot"),
    )
    first_seen = dict.fromkeys(("Ada", "renovate[bot]", "Robot", "Filtered Out"), False)

    assert context_of(story, before(13), NOTHING, first_seen).newcomers == ()
    assert context_of(story, before(14), NOTHING, first_seen).newcomers == ("Ada",)


def test_whom_the_source_calls_new_is_so_from_the_second_stored_day_on() -> None:
    story = page(commit("a", author_name="Ada"), commit("b", author_name="Bo"))
    first_seen = {"Ada": True, "Bo": False}

    assert context_of(story, [], NOTHING, first_seen).newcomers == ()
    assert context_of(story, before(1), NOTHING, first_seen).newcomers == ("Ada",)
    assert context_of(story, before(14), NOTHING, first_seen).newcomers == ("Ada", "Bo")


def rows(*paths: str, days: int = 3) -> Trends:
    """Two commits a day in each of these directories, and as many in those around them as lie below."""
    counts: dict[str, int] = {}
    for path in paths:
        folders = path.split("/")
        for depth in range(1, len(folders) + 1):
            name = "/".join(folders[:depth])
            counts[name] = counts.get(name, 0) + 2
    span = [DAY - timedelta(days=n) for n in range(days)]
    return Trends((path, dict.fromkeys(span, number)) for path, number in counts.items())


def test_the_busiest_directories_are_as_deep_as_tells_them_apart() -> None:
    trends = rows("lib/llm", "lib/runtime", "a/b/c", *(f"top{n}" for n in range(8)))
    found = busy_directories(trends, DAY, DAY - timedelta(days=2))

    assert [one.path for one in found] == ["a/b/c", "lib/llm", "lib/runtime", "top0", "top1"]
    assert {one.trend for one in found} == {(2, 2, 2)}
    assert {one.commits for one in found} == {2}


def test_a_trend_has_thirty_days_or_as_many_as_are_stored() -> None:
    trends = rows("lib", days=40)

    assert [len(one.trend) for one in busy_directories(trends, DAY, DAY - timedelta(days=39))] == [30]
    assert [len(one.trend) for one in busy_directories(trends, DAY, DAY - timedelta(days=4))] == [5]
    assert busy_directories(trends, DAY + timedelta(days=1), DAY) == ()


def test_a_directory_is_broad_where_much_of_the_work_goes_into_it() -> None:
    trends = rows("lib/llm", "docs", days=10)

    assert broad_in(trends, before(10), DAY)("lib/llm")
    assert not broad_in(trends, [DayCounts(DAY, 1000, 0, 0)], DAY)("lib/llm")
    assert not broad_in(trends, [DayCounts(DAY, 20, 0, 0)], DAY)("lib/llm"), "little was done at all"
    assert not broad_in(NOTHING, before(30), DAY)("lib/llm")
