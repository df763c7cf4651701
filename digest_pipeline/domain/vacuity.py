"""Whether an analysis says anything: form is not content, and small models fill in forms with nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest_pipeline.domain.analysis import Analysis, Language

_CODE = re.compile(r"`[^`]*`")
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-z][A-Za-z'\-]+")
_NAME_LIKE = re.compile(r"[A-Za-z]+[_./:][\w./:]+|[a-z]+[A-Z]\w*|\b[A-Z]{2,}\w*\b")
_NOISE = re.compile(r"[\W_]+")

# What stands in a form's place where a model repeats the form: names of fields, of types, and of nothing.
_PLACEHOLDERS = frozenset(
    re.findall(
        r"\S+",
        "s text string str value array list object item summary scope advice risks risk insight architecture "
        "performance security changetype importance thesummary thescope theadvice therisks todo tbd placeholder "
        "example loremipsum yoursummaryhere shortsummary onesentence point "
        "摘要 总结 内容 文本 字符串 示例 占位符 待补充 影响范围 建议",
    )
)
_NOTHING = frozenset(
    re.findall(
        r"\S+",
        "none na nil null notapplicable nothing noeffect norisk norisks noadvice "
        "无 暂无 没有 不适用 无影响 无建议 无风险",
    )
)
_LEAST_CJK = 5
_LEAST_WORDS = 3
_LEAST_CHARACTERS = 12
_LEAST_ECHO = 24
_LEAST_ECHO_CJK = 10
_SAME_SHARE = 0.5
_LONG_ENOUGH_TO_REPEAT = 8
_DISTINCT_SHARE = 0.3


def vacuity(analysis: Analysis, language: Language, *, prompt: str = "") -> str | None:
    """Why `analysis` says nothing, in words for the model that wrote it; None where it says something.

    `prompt` is what the model was told, without the commit: to repeat it is no analysis.
    """
    summary = analysis.summary
    everything = list(_texts(analysis))
    told = _squeezed(prompt)
    for item in summary:
        if _squeezed(item) in _PLACEHOLDERS:
            return f'summary: "{item[:40]}" is a placeholder; say what this commit changed'
    weight = sum(map(_weight, summary))
    if weight < 1:
        return "summary: it is too short to say anything; say what this commit changed, and why"
    for item in everything:
        if told and _echoes(item, told):
            return f'it repeats the instructions ("{item[:60]}"); say what this commit changed'
        if _stutters(item):
            return f'it repeats the same words over and over ("{item[:40]}…")'
    if problem := _repetition(analysis):
        return problem
    return _wrong_language(everything, language)


def _texts(analysis: Analysis) -> Iterator[str]:
    for name in ("summary", "scope", "architecture", "performance", "security", "risks", "advice"):
        yield from getattr(analysis, name)


def _weight(text: str) -> float:
    """1 or more for a text that can say something: some words, or as many signs of Chinese."""
    return max(
        len(_CJK.findall(text)) / _LEAST_CJK,
        len(_WORD.findall(text)) / _LEAST_WORDS,
        len(text.strip()) / _LEAST_CHARACTERS if _CODE.search(text) or _WORD.search(text) else 0,
    )


def _squeezed(text: str) -> str:
    return _NOISE.sub("", text).casefold()


def _echoes(text: str, told: str) -> bool:
    squeezed = _squeezed(text)
    least = _LEAST_ECHO_CJK if _CJK.search(text) else _LEAST_ECHO
    return len(squeezed) >= least and squeezed in told


def _stutters(text: str) -> bool:
    words = _WORD.findall(text.casefold())
    if len(words) >= _LONG_ENOUGH_TO_REPEAT and len(set(words)) / len(words) < _DISTINCT_SHARE:
        return True
    signs = _CJK.findall(text)
    return len(signs) >= 3 * _LONG_ENOUGH_TO_REPEAT and len(set(signs)) / len(signs) < _DISTINCT_SHARE / 2


def _repetition(analysis: Analysis) -> str | None:
    for name in ("summary", "scope", "risks", "advice"):
        items = [squeezed for item in getattr(analysis, name) if (squeezed := _squeezed(item))]
        if len(items) > 2 and len(set(items)) <= len(items) * _SAME_SHARE:  # noqa: PLR2004 - twice may happen
            return f"{name}: its points are the same; each makes a statement of its own"
        if len(items) > 2 and sum(len(item) <= 2 for item in items) > len(items) * _SAME_SHARE:  # noqa: PLR2004
            return f"{name}: its points are single letters; each makes a statement"
    lists = [
        tuple(map(_squeezed, getattr(analysis, name))) for name in ("summary", "scope", "advice", "risks")
    ]
    said = [items for items in lists if items]
    if len(said) > 2 and len(set(said)) == 1:  # noqa: PLR2004 - as above
        return "all fields say the same; each answers a question of its own"
    return None


def _wrong_language(texts: Sequence[str], language: Language) -> str | None:
    """Prose counts, not code, names or paths: those stay as they are in every language."""
    prose = " ".join(_NAME_LIKE.sub(" ", _CODE.sub(" ", text)) for text in texts)
    signs, words = len(_CJK.findall(prose)), len(_WORD.findall(prose))
    if language == "zh" and words > 3 and signs * 2 < words:  # noqa: PLR2004 - a few names are no prose
        return "it is not written in Chinese; write every text in 简体中文"
    if language == "en" and signs > max(words, 3):
        return "it is not written in English; write every text in English"
    return None


def without_nothing(analysis: Analysis) -> Analysis:
    """`analysis` without points that stand for "nothing to say": an empty list says it better."""
    lists = {
        name: [item for item in getattr(analysis, name) if _squeezed(item) not in _NOTHING]
        for name in ("scope", "risks", "advice")
    }
    return analysis.model_copy(update=lists)
