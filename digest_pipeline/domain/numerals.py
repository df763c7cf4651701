"""Numbers in prose, in figures and in words, English and Chinese: what a text counts, as comparable values.

Whoever looks for invented figures needs all of them. What only might be one (`one`, `一`, ordinals) is left out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIGURE = re.compile(r"(?<![\w.,])\d+(?:[,.]\d+)*|(?<=[vV])\d+(?:\.\d+)+")

_SMALL = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
            *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
            "nineteen",
        )
    )
} | {
    word: 10 * number
    for number, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_LARGE = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_ONE_WORD = "|".join([*_SMALL, *(f"{word}s?" for word in _LARGE)])
_ENGLISH = re.compile(rf"(?i)\b(?:{_ONE_WORD})(?:(?:[\s-]+|\s+and\s+)(?:{_ONE_WORD}))*\b")
_TIMES = re.compile(
    r"(?i)\b(hal(?:f|v)|doubl|twice|tripl|thrice|quadrupl|quarter|\w+(?=-?fold\b)|orders? of magnitude)[\w-]*"
)

_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8}
_MEASURE = r"[个項项次处條条倍种種位名份家类類成天周月年行台款组組字轮级层步段万亿]|提交|PR|分钟|小时|毫秒|秒"
_SIGN = "[零〇一二三四五六七八九十百千万亿两]"
_CHINESE = re.compile(rf"(?<!第)(?:{_SIGN}{{2,}}|(?!零|〇|一){_SIGN}(?=\s*(?:{_MEASURE})))")
_CHINESE_TIMES = re.compile(r"翻[一两三四]?[倍番]|减半|一半|过半|半数|成倍|倍增|(?:数|上|近|几)[十百千万亿]")
# Words in which the signs count nothing.
_NO_NUMERAL = re.compile(
    r"万一|千万(?=不|别|要)|一一|十分|[二八]进制|十六?进制|三方|四舍五入|千篇一律|百分之百|一二"
)


def numbers(text: str) -> Iterator[tuple[str, str]]:
    """Each number in `text` as it is written, and as a value that others can be compared with.

    What multiplies in a word (twice, half, 翻倍) has its root as its value.
    """
    for match in _FIGURE.finditer(text):
        yield match[0], re.sub(r",(?=\d{3}(?:\D|$))", "", match[0]).rstrip(".,")
    for sign in text:
        # ½, ², Ⅳ, ① and the digits of other scripts.
        if not sign.isascii() and unicodedata.category(sign) in {"Nd", "Nl", "No"} and sign != "〇":
            yield sign, sign
    for match in _ENGLISH.finditer(text):
        if match[0].lower() != "one":
            yield match[0], str(_english(match[0]))
    for match in _TIMES.finditer(text):
        yield match[0], match[1].lower()
    rest = _NO_NUMERAL.sub(" ", text)
    for match in _CHINESE_TIMES.finditer(rest):
        yield match[0], match[0]
    for match in _CHINESE.finditer(_CHINESE_TIMES.sub(" ", rest)):
        yield match[0], str(_chinese(match[0]))


def _english(words: str) -> int:
    total = current = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _SMALL:
            current += _SMALL[word]
        elif (size := _LARGE.get(word.removesuffix("s"))) is not None:
            current = max(current, 1) * size
            if size >= _LARGE["thousand"]:
                total, current = total + current, 0
    return total + current


def _chinese(signs: str) -> int:
    """三十 is 30, 十二 is 12, 一百二十三 is 123, 两万 is 20000, 二〇二六 is 2026."""
    if not any(sign in _UNITS or sign in _GROUPS for sign in signs):
        return int("".join(str(_DIGITS[sign]) for sign in signs))
    total = group = digit = 0
    for sign in signs:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _UNITS:
            group += (digit or 1) * _UNITS[sign]
            digit = 0
        else:
            total = (total + group + digit or 1) * _GROUPS[sign]
            group = digit = 0
    return total + group + digit
