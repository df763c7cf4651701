"""Form is not content: what a small model fills in, and what a good one writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.vacuity import vacuity, without_nothing

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language

PROMPT = "Say only what the message and the patches show. Names and figures have to occur there. 没有可说的，列表留空。"
GOOD = "`Router.route()` retries twice before it gives up."


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        (Analysis(summary=["s"]), "placeholder"),
        (Analysis(summary=["string"]), "placeholder"),
        (Analysis(summary=["The summary."]), "placeholder"),
        (Analysis(summary=["ok"]), "too short"),
        (Analysis(summary=["…"]), "too short"),
        (Analysis(summary=[GOOD], advice=["a", "b", "c", "d"]), "single letters"),
        (Analysis(summary=[GOOD], scope=["the router", "the router", "The router."]), "the same"),
        (Analysis(summary=[GOOD], scope=[GOOD], advice=[GOOD], risks=[GOOD]), "all fields say the same"),
        (Analysis(summary=["Names and figures have to occur there."]), "repeats the instructions"),
        (Analysis(summary=["fix the fix the fix the fix the fix the fix"]), "over and over"),
        (Analysis(summary=["将路由器的默认超时从五秒改为十秒，并在失败时重试。"]), "English"),
    ],
)
def test_what_says_nothing_is_told_why(analysis: Analysis, words: str) -> None:
    assert words in (vacuity(analysis, "en", prompt=PROMPT) or "")


def test_english_where_chinese_was_asked_for_says_nothing_to_its_readers() -> None:
    assert "Chinese" in (vacuity(Analysis(summary=["The router retries twice now."]), "zh") or "")


@pytest.mark.parametrize(
    ("language", "summary"),
    [
        ("en", "Bump version to 1.2."),
        ("en", "Fix typo in README."),
        ("en", "Adds `--retries` to `serve`."),
        ("en", GOOD),
        ("en", "Handles 中文 paths in the manifest."),
        ("zh", "修复拼写错误。"),
        ("zh", "将 `Router.route()` 的默认超时从 5 s 改为 10 s。"),
        ("zh", "新增 DeepSeek V3 的 FP8 kernel，支持 SM90 与 SM100。"),
        ("zh", "更新 vllm_omni 的 docker/Dockerfile.cuda 依赖版本。"),
    ],
)
def test_what_is_short_and_says_something_passes(language: Language, summary: str) -> None:
    assert vacuity(Analysis(change_type="fix", summary=[summary]), language, prompt=PROMPT) is None


def test_points_that_stand_for_nothing_are_left_out() -> None:
    analysis = Analysis(summary=[GOOD], risks=["None."], advice=["无", "Check `retries`."], scope=["N/A"])

    cleaned = without_nothing(analysis)

    assert (cleaned.risks, cleaned.advice, cleaned.scope) == ([], ["Check `retries`."], [])
