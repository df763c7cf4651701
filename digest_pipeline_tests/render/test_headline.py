"""The paragraph that a day opens with, from its facts alone."""

from __future__ import annotations

from typing import get_args

import pytest

from digest_pipeline.domain.analysis import Language
from digest_pipeline.domain.filtering import RULES
from digest_pipeline.domain.headline import facts_of
from digest_pipeline.domain.page import Context, Delta, Mention, Part, Theme
from digest_pipeline.render.headline import headline, sentences, short_title
from digest_pipeline.render.words import counted, labels, listed
from digest_pipeline_tests.domain.pages import commit, page

COMMITS = (
    commit("a", "feat(x): a wheel (#1)", score=12, additions=1000, deletions=234),
    commit("b", "fix!: an axle (#2)", score=20),
    commit("c", 'Revert "a horse" (#3)', tier="medium"),
    commit("dddddddd", "push it", tier="low"),
)
STORY = page(
    *COMMITS,
    parts=(
        Part("breaking", (Mention(COMMITS[1].sha, "x"),)),
        Part("security", (Mention(COMMITS[3].sha, "y"),)),
    ),
    themes=(Theme("revert", "a horse (#9)", (COMMITS[2].sha,)),),
    context=Context(7, Delta(4, 2.5), newcomers=("Ada", "Bo", "Cy", "Di", "Ed")),
)


def test_the_headline_says_how_much_what_leads_what_matters_and_who_is_new() -> None:
    english, chinese = headline(STORY, "en"), headline(STORY, "zh")

    assert english is not None
    assert chinese is not None
    assert sentences(english.text) == [
        (
            "4 commits, 2 of high importance, 1,234 changed lines: "
            "more commits than usual, the median of the last 7 days is 2.5."
        ),
        'In front: “an axle” (#2), “x: a wheel” (#1) and “Revert "a horse"” (#3).',
        "Breaking, deprecated or removed: #2; security: ddddddd; reverted: “a horse” (by #3).",
        "New here: Ada, Bo, Cy and 2 more.",
    ]
    assert sentences(chinese.text) == [
        "4 个提交，高重要度 2 个，改动 1,234 行；提交数比平时多，近 7 日的中位数是 2.5 个。",
        '最值得看的是“an axle”（#2）、“x: a wheel”（#1）、“Revert "a horse"”（#3）。',
        "不兼容、弃用或移除：#2；安全相关：ddddddd；回退：“a horse”（#3）。",
        "首次露面：Ada、Bo、Cy、另外 2 个。",
    ]
    assert english.shas == chinese.shas == facts_of(STORY).shas
    assert {sha[0] for sha in english.shas} == set("abcd")
    assert english.model is None


def test_a_day_of_little_says_little_and_one_of_nothing_nothing() -> None:
    one = headline(page(commit("a", "push it", tier="low")), "en")

    assert one is not None
    assert one.text == "1 commit. Nothing of high importance; in front: “push it” (a000000)."
    assert headline(page(), "en") is None


@pytest.mark.parametrize(
    ("value", "median", "measure"),
    [(10, 10.0, "usual"), (15, 10.0, "more"), (6, 10.0, "fewer"), (2, 1.0, "usual"), (3, 0.0, "more")],
)
def test_what_is_usual_is_what_lies_near_the_median(value: int, median: float, measure: str) -> None:
    context = Context(7, Delta(value, median))

    assert facts_of(page(commit("a"), context=context)).measure == measure
    assert facts_of(page(commit("a"), context=Context(2, Delta(value, median)))).measure is None


def test_a_title_is_cut_at_a_word_and_keeps_its_scope() -> None:
    assert short_title(commit("a", "feat(x)!: " + "word " * 30)).startswith("x: word word")
    assert short_title(commit("a", "feat(x)!: " + "word " * 30)).endswith("word…")
    assert short_title(commit("a", "fix: ")) == "fix:"
    assert short_title(commit("a", "")) == "a000000"
    assert len(short_title(commit("a", "长" * 200))) <= 72


def test_one_is_not_many() -> None:
    for noun, forms in labels("en")["counts"].items():
        assert len(forms) == 2, noun
        assert "1 commits" not in counted(labels("en"), noun, 1)
    assert counted(labels("en"), "commits", 1) == "1 commit"
    assert counted(labels("en"), "commits", 0) == "0 commits"
    assert counted(labels("zh"), "commits", 12345) == "12,345 个提交"
    assert listed(labels("en"), ["a", "b", "c"]) == "a, b and c"
    assert listed(labels("zh"), ["a"]) == "a"


def test_every_rule_of_a_filter_has_a_name() -> None:
    for language in get_args(Language):
        assert set(labels(language)["rules_of_filter"]) == set(RULES)


def test_both_languages_have_the_same_labels() -> None:
    def names(table: object, prefix: str = "") -> set[str]:
        if not isinstance(table, dict):
            return {prefix}
        return {name for key, value in table.items() for name in names(value, f"{prefix}.{key}")}

    assert names(dict(labels("en"))) == names(dict(labels("zh")))
