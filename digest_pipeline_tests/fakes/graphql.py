"""GitHub's GraphQL API as far as one question needs it: a schema, a parser for selections, and what is wrong with one.

What is asked is held to the schema: a field that it has not, an argument of another type, an object without a
selection, a variable that is not declared are errors here, as they are at GitHub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Mapping[str, Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "Query": {
        "repository": ("Repository", {"owner": "String!", "name": "String!", "followRenames": "Boolean"})
    },
    "Repository": {
        "nameWithOwner": ("String!", {}),
        "pullRequest": ("PullRequest", {"number": "Int!"}),
    },
    "PullRequest": {
        "number": ("Int!", {}),
        "title": ("String!", {}),
        "body": ("String!", {}),
        "labels": ("LabelConnection", {"first": "Int", "last": "Int", "after": "String", "before": "String"}),
    },
    "LabelConnection": {"nodes": ("[Label]", {}), "totalCount": ("Int!", {})},
    "Label": {"name": ("String!", {}), "color": ("String!", {})},
}
"""Each type's fields: the type of the field, and those of its arguments."""

_TOKEN = re.compile(r'\s*(?:(\$?[A-Za-z_]\w*)|(-?\d+)|("(?:[^"\\]|\\.)*")|([{}():,!\[\]]))\s*')
_SCALARS = {"String", "Int", "Boolean"}


class Refused(Exception):  # noqa: N818 - what happened
    """The question is not one of this schema."""


@dataclass
class Field:
    """A field of a selection, under the name that the answer gives it."""

    alias: str
    name: str
    arguments: dict[str, str]
    selection: list[Field] = field(default_factory=list)


@dataclass
class Document:
    """A query with the variables that it declares."""

    variables: dict[str, str]
    selection: list[Field]


def parse(text: str, variables: Mapping[str, object]) -> Document:
    """The query in `text`, held to the schema; raises Refused."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Refused(f"Parse error on {text[position : position + 10]!r}")
        tokens += [token for token in match.groups() if token is not None]
        position = match.end()
    document = _Parser(tokens).document()
    for name, kind in document.variables.items():
        fits = isinstance(variables.get(name), str if kind.startswith("String") else int)
        if not fits:
            raise Refused(f"Variable ${name} of type {kind} was provided invalid value")
    _check("Query", document.selection, document.variables)
    return document


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    def document(self) -> Document:
        self._take("query")
        variables: dict[str, str] = {}
        if self._peek() == "(":
            self._take("(")
            while self._peek() != ")":
                name = self._next().removeprefix("$")
                self._take(":")
                kind = self._next()
                if self._peek() == "!":
                    kind += self._next()
                variables[name] = kind
                if self._peek() == ",":
                    self._next()
            self._take(")")
        selection = self._selection()
        if self._tokens:
            raise Refused(f"Parse error on {self._peek()!r}")
        return Document(variables, selection)

    def _selection(self) -> list[Field]:
        self._take("{")
        found: list[Field] = []
        while self._peek() != "}":
            alias = name = self._next()
            if self._peek() == ":":
                self._next()
                name = self._next()
            arguments: dict[str, str] = {}
            if self._peek() == "(":
                self._next()
                while self._peek() != ")":
                    argument = self._next()
                    self._take(":")
                    arguments[argument] = self._next()
                    if self._peek() == ",":
                        self._next()
                self._take(")")
            found.append(Field(alias, name, arguments, self._selection() if self._peek() == "{" else []))
        self._take("}")
        if not found:
            raise Refused("a selection is empty")
        return found

    def _peek(self) -> str:
        if not self._tokens:
            raise Refused("Parse error on end of file")
        return self._tokens[0]

    def _next(self) -> str:
        self._peek()
        return self._tokens.pop(0)

    def _take(self, wanted: str) -> None:
        if (found := self._next()) != wanted:
            raise Refused(f"Parse error on {found!r}, expected {wanted!r}")


def _check(kind: str, selection: list[Field], variables: Mapping[str, str]) -> None:
    aliases = [one.alias for one in selection]
    if len(set(aliases)) != len(aliases):
        raise Refused("two fields have one name")
    for one in selection:
        if one.name not in SCHEMA[kind]:
            raise Refused(f"Field '{one.name}' doesn't exist on type '{kind}'")
        result, allowed = SCHEMA[kind][one.name]
        _check_arguments(one, allowed, variables)
        bare = result.strip("[]!")
        if (bare in _SCALARS) == bool(one.selection):
            raise Refused(f"Field '{one.name}' of type '{result}' has the wrong selection")
        if one.selection:
            _check(bare, one.selection, variables)


def _check_arguments(one: Field, allowed: Mapping[str, str], variables: Mapping[str, str]) -> None:
    for name, value in one.arguments.items():
        if name not in allowed:
            raise Refused(f"Field '{one.name}' doesn't accept argument '{name}'")
        given = variables.get(value[1:], "") if value.startswith("$") else _literal(value)
        if given.rstrip("!") != allowed[name].rstrip("!"):
            raise Refused(f"Argument '{name}' on Field '{one.name}' has an invalid value ({value})")
    for name, needed in allowed.items():
        if needed.endswith("!") and name not in one.arguments:
            raise Refused(f"Field '{one.name}' is missing required arguments: {name}")
    if one.name == "labels" and not {"first", "last"} & set(one.arguments):
        raise Refused(
            "You must provide a `first` or `last` value to properly paginate the `labels` connection."
        )


def _literal(value: str) -> str:
    if value.startswith('"'):
        return "String"
    return "Boolean" if value in {"true", "false"} else "Int"


def chosen(value: Any, selection: list[Field]) -> Any:  # noqa: ANN401 - JSON
    """What a selection takes of a value; of a field with arguments, what the value's function gives for them."""
    if value is None or not selection:
        return value
    if isinstance(value, list):
        return [chosen(one, selection) for one in value]
    answer = {}
    for one in selection:
        found = value[one.name]
        answer[one.alias] = chosen(found(one.arguments) if callable(found) else found, one.selection)
    return answer
