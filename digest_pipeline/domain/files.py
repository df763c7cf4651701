"""What a file is for, by its path alone: code, test, docs, and what nobody reads line by line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

FileRole = Literal["code", "test", "docs", "config", "dependency", "lock", "generated", "vendored"]

_LOCK = re.compile(
    r"(^|/)(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|go\.sum|[\w.-]*\.lock|[\w.-]*\.lockb|requirements.*\.lock)$"
)
_VENDORED = re.compile(r"(^|/)(vendor|vendored|third_party|third-party|node_modules)/")
_GENERATED = re.compile(
    r"(\.min\.(js|css)|\.map|\.snap|\.svg|\.ipynb|_pb2(_grpc)?\.pyi?|\.pb\.(go|rs|cc|h)|\.generated\.\w+|zz_generated\.\w+\.go)$|"
    r"(^|/)(__snapshots__|generated|dist)/"
)
_DEPENDENCY = re.compile(
    r"(^|/)(pyproject\.toml|setup\.(py|cfg)|requirements[\w.-]*\.(txt|in)|Cargo\.toml|package\.json|go\.mod|Pipfile|"
    r"pom\.xml|build\.gradle(\.kts)?|Gemfile|environment\.ya?ml|Dockerfile[\w.-]*|[\w.-]*\.Dockerfile)$"
)
_TEST = re.compile(
    r"(^|/)(tests?|testing|__tests__|spec|e2e)/|(^|/)(test_[\w.-]+|conftest)\.py$|_test\.\w+$|\.(test|spec)\.\w+$"
)
_DOCS = re.compile(
    r"\.(md|mdx|rst|txt|adoc)$|(^|/)docs?/|(^|/)(LICENSE|NOTICE|CHANGELOG)[\w.-]*$", re.IGNORECASE
)
_CONFIG = re.compile(r"\.(ya?ml|toml|json|ini|cfg|conf|env|properties|tf|tpl|j2)$")


@lru_cache(maxsize=65536)
def role_of(path: str) -> FileRole:
    """The role of a file; the first that fits, from what nobody reads to what everybody does."""
    rules: tuple[tuple[re.Pattern[str], FileRole], ...] = (
        (_LOCK, "lock"),
        (_VENDORED, "vendored"),
        (_GENERATED, "generated"),
        (_DEPENDENCY, "dependency"),
        (_TEST, "test"),
        (_DOCS, "docs"),
        (_CONFIG, "config"),
    )
    return next((role for pattern, role in rules if pattern.search(path)), "code")
