"""Which language a text is written in: prose counts, not code, names, paths and quotes, the same in every one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from digest_pipeline.domain.prose import ARROW, CJK, CODE, WORD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from digest_pipeline.domain.analysis import Language

_QUOTE = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」")
_NAME_LIKE = re.compile(
    r"(?<![A-Za-z0-9_.\-])[A-Za-z0-9_.\-]+/[\w./\-]+"  # a path, whose folders may have names of any script
    r"|(?<![A-Za-z0-9])(?:[A-Za-z]+[_.:][A-Za-z0-9_./:\-]+|[a-z]+[A-Z][A-Za-z0-9]*"
    r"|[A-Z]{2,}[A-Za-z0-9]*|[A-Za-z]*\d[A-Za-z0-9]*)"
)
_PREFIX = re.compile(r"^[a-z]+(?:\([^)]*\))?!?[:：]")
_OTHER_SCRIPT = re.compile(
    r"[\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af]"
)
_LIST_OF_NAMES = 5


def is_foreign(text: str, language: Language, *, is_name: bool = False) -> bool:
    """Whether `text` is prose in another language; code, names, quotes stay as they are in every one."""
    prose = _prose(text)
    signs, words = len(CJK.findall(prose)), WORD.findall(prose)
    others = len(_OTHER_SCRIPT.findall(prose))
    if others > 3 and others * 2 > signs + len(words):  # noqa: PLR2004 - a word of it may be quoted
        return True
    if language == "en":
        return signs > 1 and (not words or signs > 3 * len(words) + 3)
    if signs:
        return bool(sum(word.islower() for word in words) > 4 * signs)
    # The names of modules and packages are words of no language.
    return len(words) > (_LIST_OF_NAMES if is_name else 1) and not ARROW.search(text)


def has_words(texts: Iterable[str]) -> bool:
    """Whether there is a word of English in `texts`, outside code, names and lists of versions."""
    return any(WORD.search(_prose(text)) for text in texts if not ARROW.search(text))


def _prose(text: str) -> str:
    return _NAME_LIKE.sub(" ", _QUOTE.sub(" ", CODE.sub(" ", _PREFIX.sub("", text))))
