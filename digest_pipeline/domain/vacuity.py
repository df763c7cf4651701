"""Whether an analysis says anything: form is not content, and small models fill in forms with nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from digest_pipeline.domain.analysis import FORMS, Insight
from digest_pipeline.domain.filler import is_denial, is_no_kind, is_nothing, is_placeholder
from digest_pipeline.domain.language import has_words, is_foreign
from digest_pipeline.domain.prose import (
    CJK,
    clauses,
    is_mash,
    squeezed,
    statements,
    stutters,
    weight,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline.domain.analysis import Analysis, Language

Holds = Literal["prose", "names", "kind"]

HOLDS: dict[str, Holds] = {
    "summary": "prose",
    "scope": "names",
    "architecture": "prose",
    "performance": "prose",
    "security": "prose",
    "risks": "prose",
    "advice": "prose",
    "change_type": "kind",
}
"""What the fields of an analysis hold: statements; modules, paths and users; a word or two."""

_INSIGHT = tuple(Insight.model_fields)
_TOGETHER = (("summary",), _INSIGHT, ("risks",), ("advice",))
"""Fields of prose, by what has to say something together."""

_OWN_NAMES = {
    "summary": {"summary", "thesummary", "changesummary", "摘要", "变更摘要"},
    "scope": {"scope", "thescope", "affectedscope", "范围", "影响范围"},
    "architecture": {"architecture", "架构", "架构影响"},
    "performance": {"performance", "性能", "性能影响"},
    "security": {"security", "安全", "安全考虑", "安全影响"},
    "risks": {"risk", "risks", "therisks", "风险", "潜在风险"},
    "advice": {"advice", "theadvice", "suggestion", "recommendation", "建议", "关注建议"},
    "change_type": {"changetype", "type", "kind", "变更类型", "类型"},
}
_LEAST_ECHO = (23, 8)  # letters of English, signs of Chinese that nobody writes by coincidence
_LEAST_ECHO_OF_NAMES = (40, 13)  # the instructions name kinds of changes, some side by side
_LEAST_STATEMENT = (10, 5)
_SEVERAL = 3
_SAME_SHARE = 0.5

_KINDS = re.compile(r"(?m)^.*`change_type`.*$")


def vacuity(analysis: Analysis, language: Language, *, prompt: str = "") -> str | None:
    """Why `analysis` says nothing, in words for the model that wrote it; None where it says something.

    Every text of every field is looked at: one that is no answer makes the whole analysis none. `prompt` is what
    the model was told, without the commit: to repeat it is no analysis.
    """
    told = _told(prompt)
    for name in HOLDS:
        texts = _texts(analysis, name)
        for text in texts:
            if (fault := _fault(name, text, told)) is not None:
                return fault
        if told.states("".join(map(squeezed, texts))):
            return f"{name}: it repeats the instructions; say what is true of this commit"
    return _too_little(analysis) or _repetition(analysis) or _wrong_language(analysis, language)


def without_nothing(analysis: Analysis) -> Analysis:
    """`analysis` without points that stand for "nothing to say": an empty list says it better."""
    lists = {
        name: [item for item in getattr(analysis, name) if not is_nothing(item)]
        for name in ("summary", "scope", "risks", "advice")
    }
    kind = "" if is_no_kind(analysis.change_type) else analysis.change_type
    # A summary of nothing is left for `vacuity` to tell of.
    return analysis.model_copy(
        update={**lists, "summary": lists["summary"] or analysis.summary, "change_type": kind}
    )


def _texts(analysis: Analysis, name: str) -> list[str]:
    value = getattr(analysis, name)
    return ([value] if value else []) if isinstance(value, str) else value


# --- one text ------------------------------------------------------------------------------------------------------


def _fault(name: str, text: str, told: _Told) -> str | None:
    """What is wrong with one text, whatever stands beside it."""
    is_name, shown = HOLDS[name] != "prose", text[:40]
    instead = "say what this commit changed" if name == "summary" else "say what is true of this commit"
    if is_nothing(text):
        return None
    if squeezed(text) in _OWN_NAMES[name] or is_placeholder(text, is_name=is_name):
        said = f'"{shown}" is a placeholder; {instead}'
    elif told.is_echoed_by(text, is_name=is_name):
        said = f'it repeats the instructions ("{text[:60]}"); {instead}'
    elif not is_name and stutters(text):
        said = f'it repeats the same words over and over ("{shown}…")'
    elif is_mash(text, is_name=is_name):
        said = f'"{shown}" is no text; {instead}'
    elif _is_name(text) if is_name else weight(text) != "none":
        return None
    elif len(squeezed(text)) == 1:
        said = f'single letters ("{shown}") say nothing; {instead}'
    else:
        said = f'"{shown}" is too short to say anything; {instead}'
    return f"{name}: {said}"


def _is_name(text: str) -> bool:
    said = squeezed(text)
    return (len(said) > 1 and any(map(str.isalpha, said))) or re.fullmatch(
        r"[A-Za-z](\+\+|#)", text
    ) is not None


@dataclass(frozen=True, slots=True)
class _Told:
    """What a model was told, squeezed: all of it, all but the names of kinds, and its statements."""

    text: str
    rules: str
    statements: frozenset[str]

    def is_echoed_by(self, text: str, *, is_name: bool) -> bool:
        """Whether half of `text` or more was taken from here."""
        whole = squeezed(text)
        echoed = (
            sum(len(part) for part in parts if self._has(part, is_name=is_name))
            for parts in ([whole], statements(text), clauses(text))
        )
        return bool(whole) and max(echoed) * 2 >= len(whole)

    def states(self, statement: str) -> bool:
        """Whether `statement` is one of those here."""
        return _is_as_long_as(_LEAST_STATEMENT, statement) and statement in self.statements

    def _has(self, part: str, *, is_name: bool) -> bool:
        return (
            self.states(part)
            or (_is_as_long_as(_LEAST_ECHO_OF_NAMES, part) and part in self.text)
            or (not is_name and _is_as_long_as(_LEAST_ECHO, part) and part in self.rules)
        )


def _is_as_long_as(least: tuple[int, int], text: str) -> bool:
    return len(text) >= least[CJK.search(text) is not None]


@lru_cache(maxsize=16)
def _told(prompt: str) -> _Told:
    rules = squeezed(_KINDS.sub("", prompt))
    return _Told(squeezed(prompt), rules, frozenset(statements(prompt)) | _DESCRIPTIONS)


def _descriptions() -> Iterator[str]:
    """What the forms say of their fields, whole and clause by clause."""
    for model in (*FORMS.values(), Insight):
        for field in model.model_fields.values():
            description = field.description or ""
            yield squeezed(description)
            yield from statements(description)
            yield from map(squeezed, re.split(r"[,:]", description))


_DESCRIPTIONS = frozenset(_descriptions())


# --- all texts together --------------------------------------------------------------------------------------------


def _too_little(analysis: Analysis) -> str | None:
    """A word may stand among statements, as a heading does; alone it is none."""
    for names in _TOGETHER:
        texts = [text for name in names for text in _texts(analysis, name)]
        said = [weight(text) for text in texts if not is_nothing(text)]
        denied = len(texts) - len(said) if names == _INSIGHT else 0
        full, light = said.count("full"), said.count("light")
        if names == ("summary",) and not full:
            return "summary: it is too short to say anything; say what this commit changed, and why"
        if light > full + denied:
            return f"{names[0]}: it is too short to say anything; write statements about this commit"
    return None


def _repetition(analysis: Analysis) -> str | None:
    for name in HOLDS:
        items = [said for text in _texts(analysis, name) if (said := squeezed(text))]
        if len(items) >= _SEVERAL and len(set(items)) <= len(items) * _SAME_SHARE:
            return f"{name}: its points are the same; each makes a statement of its own"
    lists = [
        tuple(map(squeezed, getattr(analysis, name))) for name in ("summary", "scope", "advice", "risks")
    ]
    filled = [items for items in lists if items]
    if len(filled) >= _SEVERAL and len(set(filled)) == 1:
        return "all fields say the same; each answers a question of its own"
    told = [
        squeezed(text)
        for name, holds in HOLDS.items()
        if holds == "prose"
        for text in _texts(analysis, name)
        if not is_nothing(text) and not is_denial(text)
    ]
    if any(told.count(one) >= _SEVERAL for one in told):
        return "several fields say the same; each answers a question of its own"
    return None


# --- language ------------------------------------------------------------------------------------------------------


def _wrong_language(analysis: Analysis, language: Language) -> str | None:
    told = {
        "zh": "it is not written in Chinese; write every text in 简体中文",
        "en": "it is not written in English; write every text in English",
    }[language]
    for name, holds in HOLDS.items():
        texts = [text for text in _texts(analysis, name) if not is_nothing(text)]
        if holds != "kind" and sum(
            is_foreign(text, language, is_name=holds == "names") for text in texts
        ) * 2 > len(texts):
            return f"{name}: {told}"
    if language == "zh" and not any(map(CJK.search, analysis.summary)) and has_words(analysis.summary):
        return f"summary: {told}"
    return None
