"""What a text is made of: words, signs of Chinese, statements; whether it is a text at all, or keys and stutter."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

Weight = Literal["none", "light", "full"]

CODE = re.compile(r"`[^`]*`")
CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
WORD = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'\u2019\-]+")
ARROW = re.compile(r"→|->|=>|⇒")
_TOKEN = re.compile(r"[A-Za-z0-9\u00c0-\u024f_#@./+'\u2019\-]+")
_LETTER = re.compile(r"[A-Za-z\u00c0-\u024f]")
_ATOM = re.compile(rf"{_TOKEN.pattern}|{CJK.pattern}")
_NOISE = re.compile(r"[\W_]+")
CLAUSE = re.compile(r"[，、,]+\s*")
_STATEMENT = re.compile(r"[。！？；：\n]+|[.!?;:]+(?=\s|$)")


def words_of(text: str) -> frozenset[str]:
    """What stands between blanks."""
    return frozenset(text.split())


def squeezed(text: str) -> str:
    """`text` in small letters, without spaces and signs: what is compared."""
    return _NOISE.sub("", text).casefold()


def statements(text: str) -> list[str]:
    """The sentences of `text` and the parts that colons and semicolons make of them, squeezed."""
    return [part for part in map(squeezed, _STATEMENT.split(text)) if part]


def clauses(text: str) -> list[str]:
    """The statements of `text` and what commas make of them, squeezed."""
    return [part for clause in CLAUSE.split(text) for part in statements(clause)]


# --- weight --------------------------------------------------------------------------------------------------------

EMPTY_WORDS = words_of(
    "a an the this that these those it its is are was were be been to of in on for with and or but by from as at we "
    "i you they here there ok okay yes no true false done good fine commit commits change changes changed code "
    "something some made make makes making has have codebase stuff things thing"
)
_LEAST_CJK = 3


def weight(text: str) -> Weight:
    """`full` for what can be a statement (two words, a verb and its object in Chinese), `light` for one word.

    A code span, a number and a name are words as well.
    """
    spans = [word for span in CODE.findall(text) for word in span.split() if squeezed(word)]
    rest = CODE.sub(" ", text)
    signs = len(CJK.findall(rest))
    tokens = _TOKEN.findall(rest)
    letters = [len(_LETTER.findall(token)) for token in tokens]
    words = [token for token, count in zip(tokens, letters, strict=True) if count > 1]
    content = [word for word in words if squeezed(word) not in EMPTY_WORDS]
    # Of one letter a token is a number with it, as v2, or nothing.
    numbers = sum(
        count <= 1 and any(map(str.isdigit, token)) for token, count in zip(tokens, letters, strict=True)
    )
    said = len(words) + numbers + len(spans)
    if signs >= _LEAST_CJK or (signs and said) or (said > 1 and (content or spans)):
        return "full"
    return "light" if signs > 1 or content or spans else "none"


# --- the same over and over, and a hand on the keyboard ------------------------------------------------------------

_UNIT = re.compile(r"(.{1,300}?)\1+")
_LEAST_ATOMS = 8
_DISTINCT_PAIRS = 0.4
_DISTINCT_STATEMENTS = 0.5
_SEVERAL = 3


def stutters(text: str) -> bool:
    """Whether `text` says the same over and over.

    Pairs of neighbours are counted, not words: a list of updates repeats its words, but not what stands beside a name.
    """
    atoms = [atom.casefold() for atom in _ATOM.findall(text)]
    if len(atoms) > 1 and not ARROW.search(text) and _UNIT.fullmatch(squeezed(text)):
        return True
    pairs = [*pairwise(atoms)]
    if len(atoms) >= _LEAST_ATOMS and len(set(pairs)) < len(pairs) * _DISTINCT_PAIRS:
        return True
    said = clauses(text)
    return len(said) >= _SEVERAL and len(set(said)) <= len(said) * _DISTINCT_STATEMENTS


_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = frozenset(pair for row in _ROWS for key in pairwise(row) for pair in (key, key[::-1]))
_AGAIN = re.compile(r"(.{1,4}?)\1{2,}.{0,3}|(.{4,6})\2")
_NO_VOWEL = re.compile(r"[^aeiouy]{6,}")
_NO_ENGLISH = re.compile(
    r"j[bcdfghjklmnpqrtvwxyz]|[bcfgjkmpqvwxz]j|q[^u]|[fgkqvxz]q|fk|kf|x[dfgjkrvz]|[jqvwz]x|sdf|dfg|lkj"
)
_LEAST_MASH = 4
_BESIDE = 0.7


def is_mash(text: str, *, is_name: bool = False) -> bool:
    """Whether all words of `text` are keys in a row, or letters that stand together in no word.

    Names are made of letters as their authors like: of them only keys in a row count.
    """
    words = [word.casefold() for word in re.findall(r"[A-Za-z]+", CODE.sub(" ", text))]
    if not words or CJK.search(text) or CODE.search(text):
        return False
    if is_name:
        return all(len(word) >= _LEAST_MASH and _is_keys(word) for word in words)
    return all(_is_keys(word) or _is_no_word(word) for word in words)


def _is_keys(word: str) -> bool:
    pairs = [*pairwise(word)]
    beside = sum(pair in _NEIGHBOURS for pair in pairs)
    several = _SEVERAL if len(word) in {_SEVERAL, 2 * _SEVERAL} else _LEAST_MASH
    in_a_row = len(set(word)) >= several and beside >= len(pairs) * _BESIDE
    return in_a_row or _AGAIN.fullmatch(word) is not None


def _is_no_word(word: str) -> bool:
    return len(word) > _LEAST_MASH and (
        _NO_VOWEL.fullmatch(word) is not None or _NO_ENGLISH.search(word) is not None
    )
