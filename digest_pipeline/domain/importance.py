"""How important a commit is: points by rule, each with its evidence, and the tier that they add up to.

A profile is data (see `digest_pipeline/profiles/`); this module knows the kinds of rule, not the numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from digest_pipeline.domain.commit import title_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Tier = Literal["high", "medium", "low"]
TIERS: tuple[Tier, ...] = ("high", "medium", "low")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Table):
    """Points from which a tier begins; what lies below `medium` is low."""

    high: int = 10
    medium: int = 6

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.high < self.medium:
            raise ValueError(
                f"high = {self.high} lies below medium = {self.medium}; no commit would be medium"
            )
        return self


class TitleRule(_Table):
    """Points by what `pattern`'s first group finds in the title, looked up in lower case."""

    pattern: Pattern
    default: int = 0
    points: dict[str, int] = Field(default_factory=dict)


class MessageRule(_Table):
    """Points where `pattern` is found anywhere in the message."""

    name: str
    pattern: Pattern
    points: int


class Step(_Table):
    """`points` for a number greater than `over`."""

    over: int
    points: int


class Kind(_Table):
    """A kind of file, by how its whole path ends or what it contains (case counts)."""

    name: str
    points: int
    ends_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()

    def fits(self, path: str) -> bool:
        """Whether `path` is of this kind."""
        return path.endswith(self.ends_with) or any(part in path for part in self.contains)


class KindRule(_Table):
    """Points for the kind of most files; `fallback` where no file is of any kind."""

    fallback: str | None = None
    kinds: tuple[Kind, ...]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [kind.name for kind in self.kinds]
        if self.fallback is not None and self.fallback not in names:
            raise ValueError(f'fallback "{self.fallback}" is none of the kinds: {", ".join(names)}')
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'kind "{name}" stands twice')
        return self


class Profile(_Table):
    """A set of rules; a rule that is left out gives no points and no reason."""

    description: str = ""
    thresholds: Thresholds = Thresholds()
    title: TitleRule | None = None
    message: tuple[MessageRule, ...] = ()
    size: tuple[Step, ...] = ()
    kind: KindRule | None = None
    files: tuple[Step, ...] = ()

    @cached_property
    def _kind_names(self) -> dict[str, Kind]:
        return {kind.name: kind for kind in self.kind.kinds} if self.kind else {}


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's share in a score: which rule, how many points, and what it saw.

    The evidence is the same in every language: a word of the title, a number of lines or files, a kind of file
    with how many are of it.
    """

    rule: str
    points: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Score:
    """Points, the tier that they make, and every reason, in the order of the rules."""

    points: int
    tier: Tier
    reasons: tuple[Reason, ...]


def score(message: str, paths: Sequence[str], changed_lines: int, profile: Profile) -> Score:
    """Score a commit by its message, the (new) paths of its files and additions + deletions."""
    reasons = tuple(_reasons(message, paths, changed_lines, profile))
    points = sum(reason.points for reason in reasons)
    return Score(points, tier_of(points, profile.thresholds), reasons)


def tier_of(points: int, thresholds: Thresholds) -> Tier:
    """The tier that `points` reach."""
    if points >= thresholds.high:
        return "high"
    return "medium" if points >= thresholds.medium else "low"


def merge_overrides(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` laid over it, table by table; a list or value is replaced whole."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = merge_overrides(below, value)
        else:
            merged[key] = value
    return merged


def _reasons(message: str, paths: Sequence[str], changed_lines: int, profile: Profile) -> Iterator[Reason]:
    if profile.title is not None:
        yield _title_reason(title_of(message), profile.title)
    for rule in profile.message:
        if found := re.search(rule.pattern, message):
            yield Reason(f"message:{rule.name}", rule.points, found[0][:80])
    if points := _step_points(changed_lines, profile.size):
        yield Reason("size", points, str(changed_lines))
    if profile.kind is not None and (reason := _kind_reason(paths, profile.kind, profile._kind_names)):  # noqa: SLF001 - the profile's own cache
        yield reason
    if points := _step_points(len(paths), profile.files):
        yield Reason("files", points, str(len(paths)))


def _title_reason(title: str, rule: TitleRule) -> Reason:
    match = re.search(rule.pattern, title)
    found = match and (match[1] if match.re.groups else match[0])
    word = (found or "").lower()  # a group may have taken no part
    if word in rule.points:
        return Reason("title", rule.points[word], word)
    return Reason("title", rule.default, word or "other")


def _kind_reason(paths: Sequence[str], rule: KindRule, kinds: Mapping[str, Kind]) -> Reason | None:
    counts: Counter[str] = Counter()
    for path in paths:
        kind = next((kind for kind in rule.kinds if kind.fits(path)), None)
        if kind is not None:
            counts[kind.name] += 1
    if counts:
        # max() keeps the first of equals, and rule.kinds is in the order of precedence.
        name = max((kind.name for kind in rule.kinds), key=lambda name: counts[name])
        evidence = f"{name} {counts[name]}/{len(paths)}"
    elif rule.fallback is not None:
        name, evidence = rule.fallback, rule.fallback
    else:
        return None
    return Reason("kind", kinds[name].points, evidence)


def _step_points(number: int, steps: Sequence[Step]) -> int:
    return max(((step.over, step.points) for step in steps if number > step.over), default=(0, 0))[1]
