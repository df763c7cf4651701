"""What an analyst says of a commit, and what becomes of asking: forms by tier, outcomes, classes of error."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from digest_pipeline.domain.importance import Tier  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from datetime import datetime

Language = Literal["zh", "en"]
Status = Literal["ok", "failed", "deferred"]
ErrorClass = Literal[
    "transient",  # network, timeout, 5xx: a later try may do
    "rate_limited",  # 429
    "outage",  # the endpoint takes nothing from us: key, quota, model
    "too_large",  # the prompt does not fit the context
    "bad_output",  # an answer, but not in the form that was asked for
    "cut_off",  # the answer ended before it was done
    "refused",  # the model or its filter would not answer
    "permanent",  # the request is wrong in a way that no retry changes
    "budget",  # today's money is spent
]
Purpose = Literal["analysis", "part", "reduce", "headline"]


# Small models often give one string for a list, a list for one string, and null for nothing: it is the same answer.
def _as_points(value: object) -> object:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _as_text(value: object) -> object:
    return _joined(value, " ")


def _as_kind(value: object) -> object:
    return _joined(value, " / ")


def _joined(value: object, by: str) -> object:
    if value is None:
        return ""
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return by.join(value) if is_list else value  # type: ignore[arg-type] # of strings, as was just seen


Text = Annotated[str, BeforeValidator(_as_text)]
KindOfChange = Annotated[str, BeforeValidator(_as_kind)]
Points = Annotated[list[str], BeforeValidator(_as_points)]


class _Form(BaseModel):
    """Fields of a tier. Limits live here, in validators, not in the schema: few endpoints take those."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)

    @field_validator("*", mode="after")
    @classmethod
    def _without_empty_items(cls, value: object) -> object:
        return [item for item in value if item] if isinstance(value, list) else value

    @field_validator("summary", mode="after", check_fields=False)
    @classmethod
    def _has_a_summary(cls, value: object) -> object:
        # No risk and no advice are honest answers, and so is a kind that has no name; no summary is none.
        if not value:
            raise ValueError("is empty")
        return value


class Insight(_Form):
    """What the change means for those who know the code."""

    architecture: Text = Field(default="", description="effect on structure and interfaces")
    performance: Text = Field(default="", description="effect on speed and memory")
    security: Text = Field(default="", description="effect on safety and security")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.architecture or self.performance or self.security):
            raise ValueError("is empty")
        return self


class LowForm(_Form):
    """Three fields."""

    tier: ClassVar[Tier] = "low"
    change_type: KindOfChange = Field(default="", description="kind of change, a few words")
    importance: Text = Field(description="repeat the tier that you were given")
    summary: Text = Field(description="one or two sentences: what changed and why")


class MediumForm(_Form):
    """Five fields."""

    tier: ClassVar[Tier] = "medium"
    change_type: KindOfChange = Field(default="", description="kind of change, a few words")
    importance: Text = Field(description="repeat the tier that you were given")
    summary: Points = Field(description="what changed and why, one point an item")
    scope: Points = Field(description="what is affected: modules, files, users")
    advice: Points = Field(description="what a reader who depends on this code should do or watch")


class HighForm(_Form):
    """Seven fields."""

    tier: ClassVar[Tier] = "high"
    change_type: KindOfChange = Field(default="", description="kind of change, a few words")
    importance: Text = Field(description="repeat the tier that you were given")
    summary: Points = Field(description="what changed and why, one point an item")
    scope: Points = Field(description="what is affected: modules, files, users")
    insight: Insight = Field(description="what the change means for those who know the code")
    risks: Points = Field(description="what may break or surprise, one risk an item")
    advice: Points = Field(description="what a reader who depends on this code should do or watch")


Form = LowForm | MediumForm | HighForm
FORMS: dict[Tier, type[LowForm | MediumForm | HighForm]] = {
    "low": LowForm,
    "medium": MediumForm,
    "high": HighForm,
}


@cache
def json_schema(tier: Tier) -> dict[str, Any]:
    """The tier's form as a JSON schema that every endpoint can take.

    No `$ref`, all properties required, `additionalProperties: false`, no length keywords, two levels.
    `importance` is fixed to the tier: the scorer decides it, a model only repeats it.
    """
    schema = _inline(FORMS[tier].model_json_schema())
    schema["properties"]["importance"]["enum"] = [tier]
    return schema


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.pop("$defs", {})

    def walk(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            return walk({**target, **{key: value for key, value in node.items() if key != "$ref"}})
        kept: dict[str, Any] = {key: node[key] for key in ("type", "description", "enum") if key in node}
        if "items" in node:
            kept["items"] = walk(node["items"])
        if "properties" in node:
            kept["properties"] = {name: walk(value) for name, value in node["properties"].items()}
            kept["required"] = list(node["properties"])
            kept["additionalProperties"] = False
            kept.pop("description", None) if node.get("title", "").endswith("Form") else None
        return kept

    return walk(schema)


class Analysis(BaseModel):
    """An analysis as it is stored and rendered: the union of the forms; what a tier lacks is empty.

    `summary` holds one item for the low tier. A `change_type` that is empty is one that has no name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    change_type: str = ""
    summary: list[str] = Field(default_factory=list)
    scope: list[str] = Field(default_factory=list)
    architecture: list[str] = Field(default_factory=list)
    performance: list[str] = Field(default_factory=list)
    security: list[str] = Field(default_factory=list)
    risks: list[str] = Field(default_factory=list)
    advice: list[str] = Field(default_factory=list)

    @classmethod
    def from_form(cls, form: Form) -> Analysis:
        """The stored form of what a model filled in."""
        values = form.model_dump(exclude={"importance", "insight"})
        if isinstance(form, LowForm):
            values["summary"] = [form.summary]
        if isinstance(form, HighForm):
            values |= {name: [text] if text else [] for name, text in form.insight.model_dump().items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an answer cost, as the endpoint counts them."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tokens_cached + other.tokens_cached,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One call to an endpoint about a commit, and what it cost; `error` is redacted."""

    started_at: datetime
    seconds: float
    endpoint: str
    model: str
    purpose: Purpose
    usage: Usage
    error_class: ErrorClass | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of asking for one commit. A failure is one of these, never an exception.

    `attempts` counts answers and failures that were this commit's own; `retry_at` is when a later run may
    try again, None where `status` is `ok` or where only a person can help. `error` is redacted.
    `shown_lines` of `changed_lines` changed lines were in the prompt, and `ledger` says for each file how much.
    `calls` are those of this run, of which the first `booked` are in the books already; an answer that was recalled
    instead has none.
    """

    status: Status
    analyst: str
    model: str
    analysis: Analysis | None = None
    error_class: ErrorClass | None = None
    error: str | None = None
    attempts: int = 1
    retry_at: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    prompt_version: str = ""
    input_hash: str = ""
    shown_lines: int = 0
    changed_lines: int = 0
    endpoint: str = ""
    ledger: str | None = None
    calls: tuple[Call, ...] = ()
    booked: int = 0
