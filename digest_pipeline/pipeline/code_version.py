"""A version of the code that makes something: what was made by another one is made anew, or shown as stale."""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_SUFFIXES = {".py", ".toml", ".md", ".j2", ".sql", ".css", ".js", ".svg"}


def code_version(*places: str) -> str:
    """A hash over the files in these places of the package."""
    digest = hashlib.sha256()
    for place in places:
        root = _PACKAGE / place
        files = (
            [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.suffix in _SUFFIXES)
        )
        for file in files:
            digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
