"""A question that comes with the project, as its file says it: what it asks, and what it has to be told.

A file of `sql/queries/` opens with comments. The first line is the question. A parameter has a line of its own,

    -- $since day = 30d: commits from this day on

with its name, its kind (or several, as in `day|sha`), what counts where it is not given, and what it means; without
` = …` it has to be given. What other lines say is worth knowing beside that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["text", "pattern", "words", "number", "day", "sha", "tier"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_WORDS = 6
"""As many as `search.sql` has patterns for."""

_LARGEST = 2**31 - 1
_TIERS = ("high", "medium", "low")
_EXPECTED: dict[Kind, str] = {
    "text": "some text",
    "pattern": "some text, where % stands for anything",
    "words": f"one to {MOST_WORDS} words",
    "number": f"a whole number, 1 to {_LARGEST:,}",
    "day": "a day as 2026-02-21, or oldest, newest, 30d for the newest 30 days of the history, or 5k for the days "
    "of its newest 5,000 commits",
    "sha": "at least 4 digits of a commit's hash",
    "tier": "high, medium or low",
}
_PARAMETER = re.compile(
    r"-- \$(?P<name>[a-z]\w*) (?P<kinds>[a-z|]+)(?: = (?P<default>\S+))?: (?P<meaning>\S.*)"
)
_LAST_DAYS = re.compile(r"([1-9]\d{0,5})d")
_LAST_COMMITS = re.compile(r"([1-9]\d{0,5})k")
_SHA = re.compile(r"[0-9a-f]{4,40}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a question has to be told; `default` is None where there is none."""

    name: str
    kinds: tuple[Kind, ...]
    meaning: str
    default: str | None = None

    @property
    def expected(self) -> str:
        """What its value may be, in words."""
        return ", or ".join(_EXPECTED[kind] for kind in self.kinds)

    def read(self, text: str) -> str:
        """The value in its plain form. Raises ValueError where it is of none of its kinds."""
        for kind in self.kinds:
            value = _read(kind, text.strip())
            if value is not None:
                return value
        raise ValueError(self.expected)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its parameters in the file's order; `notes` is what else its comments say."""

    name: str
    asks: str
    parameters: tuple[Parameter, ...]
    notes: str
    sql: str


def read_question(name: str, text: str) -> Question:
    """The question that a file holds. Raises ValueError where its comments are not in form."""
    asks = ""
    parameters: list[Parameter] = []
    notes: list[str] = []
    for line in text.split("\n"):
        if not line.startswith("--"):
            break
        if not asks:
            asks = line.removeprefix("--").strip()
        elif line.startswith("-- $"):
            parameters.append(_parameter(name, line))
        else:
            notes.append(line.removeprefix("--").strip())
    if not asks.endswith("?"):
        raise ValueError(f"{name}: its first line must be the question, as -- Who changed a path?")
    return Question(name, asks, tuple(parameters), " ".join(notes), text)


def _parameter(name: str, line: str) -> Parameter:
    found = _PARAMETER.fullmatch(line.rstrip())
    kinds = found["kinds"].split("|") if found else []
    if found is None or not set(kinds) <= set(KINDS):
        raise ValueError(
            f"{name}: {line!r} must be -- $name kind = default: meaning, with a kind of {', '.join(KINDS)}"
        )
    parameter = Parameter(
        found["name"], tuple(kind for kind in KINDS if kind in kinds), found["meaning"], found["default"]
    )
    if parameter.default is not None:
        parameter.read(parameter.default)
    return parameter


def day_of_history(value: str, newest: date) -> str:
    """A value of the kind `day` as a day, counted back from the newest of a history; others as they are."""
    if value == "newest":
        return newest.isoformat()
    if (last := _LAST_DAYS.fullmatch(value)) is not None:
        back = min(int(last[1]) - 1, (newest - date.min).days)
        return (newest - timedelta(days=back)).isoformat()
    return value


def is_relative(value: str) -> bool:
    """Whether `day_of_history` makes another value of it."""
    return value == "newest" or _LAST_DAYS.fullmatch(value) is not None


def last_commits(value: str) -> int | None:
    """How many of the newest commits a value of the kind `day` asks for; None where it names a day otherwise."""
    found = _LAST_COMMITS.fullmatch(value)
    return 1000 * int(found[1]) if found is not None else None


def is_sha(value: str) -> bool:
    """Whether it may be the beginning of a commit's hash, in its plain form."""
    return _SHA.fullmatch(value) is not None


def signature(question: Question) -> str:
    """The parameters in a line: `path, since=30d`."""
    return ", ".join(
        one.name if one.default is None else f"{one.name}={one.default}" for one in question.parameters
    )


def values(question: Question, given: Mapping[str, str]) -> dict[str, str]:
    """A value for each parameter, in its plain form. Raises ValueError, which says what is wrong in a line."""
    known = {one.name: one for one in question.parameters}
    takes = f"its parameters: {signature(question) or 'none'}"
    for name in given:
        if name not in known:
            raise ValueError(f'{question.name} has no parameter "{name}"; {takes}')
    found = {}
    for one in question.parameters:
        text = given.get(one.name, one.default)
        if text is None:
            raise ValueError(f"{question.name} lacks --param {one.name}=…: {one.meaning}; {takes}")
        try:
            found[one.name] = one.read(text)
        except ValueError as error:
            raise ValueError(f'{question.name}: --param {one.name}="{text}" must be {error}') from None
    return found


def _read(kind: Kind, text: str) -> str | None:
    if kind == "number":
        return str(int(text)) if re.fullmatch(r"[0-9]{1,10}", text) and 1 <= int(text) <= _LARGEST else None
    if kind == "day":
        # Before the oldest day there is nothing: no need to know which that is.
        value = date.min.isoformat() if text.lower() == "oldest" else text.lower()
        return value if is_relative(value) or last_commits(value) else _day(value)
    if kind == "sha":
        return text.lower() if is_sha(text.lower()) else None
    if kind == "tier":
        return text.lower() if text.lower() in _TIERS else None
    if kind == "words":
        # Python takes the wide blank of Chinese texts for white space too. Which letters are small is left to the
        # store: Python has another small sigma at the end of a word.
        words = list({word.lower(): word for word in reversed(text.split())}.values())[::-1]
        return " ".join(words) if 1 <= len(words) <= MOST_WORDS else None
    return text or None


def _day(text: str) -> str | None:
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        return None
    # fromisoformat also reads 20260221, which may as well be a hash.
    return day if day == text else None
