"""The fixed words of a language, and how they count: "1 commit", "2 commits"."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest_pipeline.domain.analysis import Language


@cache
def labels(language: Language) -> Mapping[str, Any]:
    """The labels of a language, as `labels/CODE.toml` has them."""
    file = resources.files("digest_pipeline") / "render" / "labels" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def counted(label: Mapping[str, Any], noun: str, number: int) -> str:
    """A number with its noun: `[counts]` holds the form for one and the form for any other, or one for both."""
    forms: Sequence[str] = label["counts"][noun]
    return (forms[0] if number == 1 else forms[-1]).format(n=f"{number:,}")


def listed(label: Mapping[str, Any], items: Sequence[str]) -> str:
    """Items as a language joins them: "a, b and c"."""
    if len(items) < 2:  # noqa: PLR2004 - there is nothing to join
        return "".join(items)
    return f"{label['list']['comma'].join(items[:-1])}{label['list']['last']}{items[-1]}"


def median_of(value: float) -> str:
    """A median: a whole number, or one with a half."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
