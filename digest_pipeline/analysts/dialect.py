"""Which optional parts of a request an endpoint takes, learned from its refusals.

A dialect only ever gets weaker: each refusal takes one step down, so that learning ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from digest_pipeline.analysts.failures import Failure

Format = Literal["json_schema", "json_object", "plain"]

_FORMATS: tuple[Format, ...] = ("json_schema", "json_object", "plain")
_LIMITS: tuple[str | None, ...] = ("max_tokens", "max_completion_tokens", None)

_ABOUT_FORMAT = re.compile(
    r"response[_ ]?format|json[_ ]?(?:schema|object|mode)|structured[_ ]output|guided|grammar"
    r"|support the requested parameters",
    re.IGNORECASE,
)
_ABOUT_LIMIT = re.compile(r"max_(?:completion_)?tokens|completion tokens", re.IGNORECASE)
_ABOUT_TEMPERATURE = re.compile(r"\btemperature\b", re.IGNORECASE)
_ABOUT_SYSTEM = re.compile(
    r"\bsystem[ _](?:role|message|prompt|instruction)|roles? must alternate|(?:role|message).{0,40}['\"`]?system\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"unsupported|not supported|unknown|unrecognized|unexpected|not permitted|forbidden|use 'max_",
    re.IGNORECASE,
)
_REFUSING_STATUSES = frozenset({400, 404, 415, 422, 500, 501})
_SILENT_STATUSES = frozenset({400, 422})
_SMALLEST_OUTPUT = 64
_MOST_SILENT = 3


@dataclass(frozen=True, slots=True)
class Dialect:
    """How far down each ladder an endpoint has pushed us; the default asks for everything."""

    format_step: int = 0
    limit_step: int = 0
    temperature: bool = True
    system: bool = True
    most_output_tokens: int | None = None

    @property
    def format(self) -> Format:
        """How the form of the answer is asked for."""
        return _FORMATS[self.format_step]

    def messages(self, system: str, user: str) -> list[dict[str, str]]:
        """The messages of a request; where there is no role for the system's, it goes before the user's."""
        if self.system:
            return [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return [{"role": "user", "content": f"{system}\n\n{user}"}]

    def parameters(
        self,
        *,
        schema_name: str,
        schema: dict[str, Any] | None,
        temperature: float | None,
        output_tokens: int,
    ) -> dict[str, Any]:
        """The optional part of a request's body; without a schema no form is asked for."""
        chosen: dict[str, Any] = {}
        if schema is not None and self.format == "json_schema":
            form = {"name": schema_name, "schema": schema, "strict": True}
            chosen["response_format"] = {"type": "json_schema", "json_schema": form}
        elif schema is not None and self.format == "json_object":
            chosen["response_format"] = {"type": "json_object"}
        if name := _LIMITS[self.limit_step]:
            chosen[name] = min(output_tokens, self.most_output_tokens or output_tokens)
        if self.temperature and temperature is not None:
            chosen["temperature"] = temperature
        return chosen

    def after(self, failure: Failure, *, output_tokens: int) -> Dialect | None:
        """The dialect to go on with where `failure` refuses a part of the request; None where it does not."""
        if failure.error_class not in {"permanent", "transient"} or failure.status not in _REFUSING_STATUSES:
            return None
        for about in filter(None, (failure.parameter, failure.reason)):
            if self.format != "plain" and _ABOUT_FORMAT.search(about):
                return replace(self, format_step=self.format_step + 1)
            if self.system and _ABOUT_SYSTEM.search(about):
                return replace(self, system=False)
            if self.temperature and _ABOUT_TEMPERATURE.search(about):
                return replace(self, temperature=False)
            if _LIMITS[self.limit_step] and _ABOUT_LIMIT.search(about):
                return self._with_another_limit(failure.reason, output_tokens)
        return None

    def guess_after(self, failure: Failure) -> Dialect | None:
        """The next simpler form of answer where `failure` refuses the request and does not say why."""
        silent = failure.error_class == "permanent" and failure.status in _SILENT_STATUSES
        if not silent or self.format == "plain":
            return None
        return replace(self, format_step=self.format_step + 1)

    def joined(self, other: Dialect) -> Dialect:
        """What both have learned."""
        caps = [cap for cap in (self.most_output_tokens, other.most_output_tokens) if cap is not None]
        return Dialect(
            max(self.format_step, other.format_step),
            max(self.limit_step, other.limit_step),
            self.temperature and other.temperature,
            self.system and other.system,
            min(caps, default=None),
        )

    def _with_another_limit(self, reason: str, output_tokens: int) -> Dialect:
        """A smaller limit where the text names one, else another name for it."""
        asked = min(output_tokens, self.most_output_tokens or output_tokens)
        named = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]{0,8}", reason)]
        allowed = [number for number in named if _SMALLEST_OUTPUT <= number < asked]
        if allowed and not _UNKNOWN.search(reason):
            return replace(self, most_output_tokens=max(allowed))
        return replace(self, limit_step=self.limit_step + 1)


@dataclass(slots=True)
class Learned:
    """What is known of an endpoint so far, for as long as an analyst lives.

    Several calls are in flight while it is learned: what one of them finds out joins what the others did.
    """

    dialect: Dialect = Dialect()
    is_confirmed: bool = False
    silent: int = 0

    def learn(self, weaker: Dialect) -> Dialect:
        """Remember what was refused; gives the dialect to go on with."""
        self.dialect = weaker.joined(self.dialect)
        return self.dialect

    def confirm(self, spoken: Dialect) -> None:
        """Remember that an answer came in this dialect."""
        self.learn(spoken)
        self.is_confirmed = True
        self.silent = 0

    def doubt(self) -> None:
        """A request was refused without a word; after several in a row what was confirmed may hold no longer."""
        self.silent += 1
        if self.silent >= _MOST_SILENT:
            self.is_confirmed = False
