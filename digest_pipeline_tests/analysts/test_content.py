"""Form is not content: answers as models give them, read as they are read, each with the prompt that asked for it.

`cases/answers/true.toml` holds what is short and true, `vacuous.toml` what is in form and says nothing.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.analysts.answers import Answer, read_analysis
from digest_pipeline.analysts.failures import Failure
from digest_pipeline.analysts.prompts import _system
from digest_pipeline.domain.analysis import FORMS, Language
from digest_pipeline.domain.vacuity import HOLDS, vacuity, without_nothing

if TYPE_CHECKING:
    from digest_pipeline.domain.importance import Tier

CASES = Path(__file__).parents[1] / "cases" / "answers"
TRUE: dict[str, Any] = tomllib.loads((CASES / "true.toml").read_text(encoding="utf-8"))
VACUOUS: dict[str, Any] = tomllib.loads((CASES / "vacuous.toml").read_text(encoding="utf-8"))
LANGUAGES: tuple[Language, ...] = get_args(Language)
TIERS: tuple[Tier, ...] = ("low", "medium", "high")

GOOD: dict[Language, dict[str, Any]] = {
    "en": {
        "change_type": "fix",
        "importance": "low",
        "summary": ["`Router.route()` retries twice before it gives up."],
        "scope": ["router", "lib/llm"],
        "insight": {
            "architecture": "The retry lives in `Router.route()` instead of each caller.",
            "performance": "A failing worker costs two more round trips.",
            "security": "no effect",
        },
        "risks": ["Callers that retry by themselves now retry four times."],
        "advice": ["Take your own retry loop out."],
    },
    "zh": {
        "change_type": "缺陷修复",
        "importance": "low",
        "summary": ["`Router.route()` 在放弃之前重试两次。"],
        "scope": ["router", "lib/llm"],
        "insight": {
            "architecture": "重试逻辑从各调用方移入 `Router.route()`。",
            "performance": "失败的 worker 多花两次往返。",
            "security": "无影响",
        },
        "risks": ["自行重试的调用方现在会重试四次。"],
        "advice": ["去掉自己的重试循环。"],
    },
}


def problem(answer: str, tier: Tier, language: Language) -> str | None:
    """Why a model's answer is none; None where it is an analysis."""
    read = read_analysis(Answer((answer,)), tier)
    if isinstance(read, Failure):
        assert read.error_class == "bad_output"
        return read.reason
    return vacuity(without_nothing(read), language, prompt=_system(tier, language))


def filled(tier: Tier, language: Language, **fields: object) -> str:
    """A good answer with some fields in place of its own."""
    form = {**GOOD[language], **fields}
    if tier == "low" and isinstance(form["summary"], list):
        form["summary"] = form["summary"][0]
    return json.dumps({name: form[name] for name in FORMS[tier].model_fields}, ensure_ascii=False)


def texts(cases: dict[str, Any], table: str) -> list[tuple[Language, str]]:
    return [(language, text) for language in LANGUAGES for text in cases[table][language]]


def forms(cases: dict[str, Any]) -> list[tuple[Language, Tier, str]]:
    return [(case["language"], case["tier"], case["answer"]) for case in cases["forms"]]


def test_there_are_enough_of_both() -> None:
    for cases in (TRUE, VACUOUS):
        assert all(len(cases["summaries"][language]) >= 50 for language in LANGUAGES)
    assert {tier for _, tier, _ in forms(TRUE)} == {tier for _, tier, _ in forms(VACUOUS)} == set(TIERS)


def test_each_field_of_each_form_is_looked_at() -> None:
    names = {name for form in FORMS.values() for name in form.model_fields} - {"importance", "insight"}
    insight = set(FORMS["high"].model_fields["insight"].annotation.model_fields)  # type: ignore[union-attr]

    assert set(HOLDS) == names | insight


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_good_answer_passes(language: Language, tier: Tier) -> None:
    assert problem(filled(tier, language), tier, language) is None


@pytest.mark.parametrize(("language", "text"), texts(TRUE, "summaries"))
def test_what_is_short_and_true_is_never_refused(language: Language, text: str) -> None:
    assert [problem(filled(tier, language, summary=[text]), tier, language) for tier in TIERS] == [None] * 3


@pytest.mark.parametrize(("language", "tier", "answer"), forms(TRUE))
def test_what_is_honestly_empty_is_never_refused(language: Language, tier: Tier, answer: str) -> None:
    assert problem(answer, tier, language) is None


@given(st.data())
def test_true_points_side_by_side_are_never_refused(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(LANGUAGES))
    points = data.draw(
        st.lists(st.sampled_from(TRUE["summaries"][language]), min_size=1, max_size=20, unique=True)
    )

    for field in ("summary", "risks", "advice"):
        assert problem(filled("high", language, **{field: points}), "high", language) is None


@pytest.mark.parametrize(("language", "text"), texts(VACUOUS, "summaries"))
def test_a_summary_that_says_nothing_is_always_refused(language: Language, text: str) -> None:
    for tier in TIERS:
        assert problem(filled(tier, language, summary=[text]), tier, language), tier


@pytest.mark.parametrize(("language", "text"), [*texts(VACUOUS, "prose"), *texts(VACUOUS, "foreign")])
def test_a_risk_or_an_advice_that_says_nothing_is_always_refused(language: Language, text: str) -> None:
    for field in ("risks", "advice"):
        assert problem(filled("high", language, **{field: [text]}), "high", language), field


@pytest.mark.parametrize(("language", "text"), texts(VACUOUS, "names"))
def test_a_scope_that_says_nothing_is_always_refused(language: Language, text: str) -> None:
    for scope in ([text], [*GOOD[language]["scope"], text]):
        assert problem(filled("medium", language, scope=scope), "medium", language)


@pytest.mark.parametrize(("language", "text"), texts(VACUOUS, "insight"))
def test_an_insight_that_says_nothing_is_always_refused(language: Language, text: str) -> None:
    insight = GOOD[language]["insight"]
    for filler in ({"architecture": text}, {"performance": text}, dict.fromkeys(insight, text)):
        assert problem(filled("high", language, insight=insight | filler), "high", language), filler


@pytest.mark.parametrize(("language", "text"), texts(VACUOUS, "kinds"))
def test_a_kind_that_says_nothing_is_always_refused(language: Language, text: str) -> None:
    for tier in TIERS:
        assert problem(filled(tier, language, change_type=text), tier, language), tier


@pytest.mark.parametrize(("language", "tier", "answer"), forms(VACUOUS))
def test_a_form_without_content_is_always_refused(language: Language, tier: Tier, answer: str) -> None:
    assert problem(answer, tier, language)


@given(st.data())
def test_one_point_that_says_nothing_is_refused_wherever_it_stands(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(LANGUAGES))
    points = data.draw(st.lists(st.sampled_from(TRUE["summaries"][language]), max_size=5, unique=True))
    hollow = data.draw(st.sampled_from(VACUOUS["prose"][language]))
    points.insert(data.draw(st.integers(0, len(points))), hollow)

    for field in ("summary", "risks", "advice"):
        assert problem(filled("high", language, **{field: points}), "high", language), field
