"""What a lock file's patch says: which packages came, went or changed their version.

The rest of such a patch is hashes and addresses, which nobody reads and which would fill a prompt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST_LINE = 2000
"""Longer lines name no package; a pattern would only lose time in them."""

_MOST_JOINED = 4
"""Versions of one package that still make one line."""

# Names and versions in printable ASCII without spaces: what registries allow, and nothing that ends a line or
# hides in one. Every pattern is anchored and has one way to match, so that time grows with the text alone.
_WORD = r"[!#-&(-~]{1,200}"
_TOML_NAME = re.compile(rf'name = "({_WORD})"\s*$')
_TOML_VERSION = re.compile(rf'version = "({_WORD})"\s*$')
_JSON_KEY = re.compile(rf'\s*"({_WORD}|)": \{{\s*$')
_JSON_VERSION = re.compile(rf'\s*"version": "({_WORD})",?\s*$')
_JSON_SECTIONS = {
    *("packages", "dependencies", "devDependencies", "peerDependencies", "optionalDependencies"),
    *("peerDependenciesMeta", "requires", "engines", "bin", "scripts", "funding"),
}
_PNPM_KEY = re.compile(r"  ['\"]?/?((?:@[\w.~-]{1,200}/)?[\w.~-]{1,200})[@/](\d[\w.+-]{0,100})")
_YARN_KEY = re.compile(r'"?(@?[\w./~-]{1,200})@')
_YARN_VERSION = re.compile(rf'  version:? "?({_WORD})"?\s*$')
_GO_SUM = re.compile(r"([\w.~/!-]{1,300}) (v[\w.+-]{1,100})(/go\.mod)? h1:")
_PIN = re.compile(r"([A-Za-z0-9][\w.-]{0,100})(?:\[[\w., -]{0,200}\])? ?== ?([\w.!+*-]{1,100})")
_HEADING = re.compile(r"@@ -[\d,]{1,30} \+[\d,]{1,30} @@ ?(.*)")
_REQUIREMENTS = re.compile(r"requirements[\w.-]*\.(lock|txt)$")


class _Sides:
    """The packages that both sides of a patch name, as far as its hunks show them."""

    def __init__(self) -> None:
        self._versions: dict[str, tuple[dict[str, None], dict[str, None]]] = {}

    def add(self, sign: str, name: str | None, version: str) -> None:
        if name:
            old, new = self._versions.setdefault(name, ({}, {}))
            if sign != "+":
                old[version] = None
            if sign != "-":
                new[version] = None

    def changes(self) -> Iterator[str]:
        for name, (old, new) in self._versions.items():
            gone = [version for version in old if version not in new]
            come = [version for version in new if version not in old]
            if gone and come and max(len(gone), len(come)) <= _MOST_JOINED:
                yield f"{name} {', '.join(gone)} -> {', '.join(come)}"
            else:
                yield from (f"- {name} {version}" for version in gone)
                yield from (f"+ {name} {version}" for version in come)


def version_changes(path: str, patch: str) -> list[str] | None:
    """The packages that a lock file's patch adds, removes or moves to another version, in the file's order.

    Lines such as `serde 1.0.1 -> 1.0.2`, `+ tokio 1.40.0`, `- rand 0.8.5`. None where the file is of no known
    kind, and where no change of a version is found in it: what the patch changes then is something else, such
    as a hash. Never raises, whatever the text.
    """
    read = _reader_of(path.rpartition("/")[2])
    if read is None:
        return None
    changes = list(read(patch).changes())
    return changes or None


def _reader_of(name: str) -> Callable[[str], _Sides] | None:
    readers = {
        **dict.fromkeys(("Cargo.lock", "poetry.lock", "uv.lock", "pdm.lock"), _read_toml),
        **dict.fromkeys(("package-lock.json", "npm-shrinkwrap.json"), _read_npm),
        "pnpm-lock.yaml": _read_pnpm,
        "yarn.lock": _read_yarn,
        "go.sum": _read_go_sum,
    }
    return readers.get(name) or (_read_pins if _REQUIREMENTS.match(name) else None)


def _lines(patch: str) -> Iterator[tuple[str, str]]:
    """Each line of a patch as its sign and its text; a hunk's header as `@` and the line that git quotes in it."""
    for line in patch.split("\n"):
        if len(line) > _LONGEST_LINE:
            continue
        if line.startswith("@@"):
            heading = _HEADING.match(line)
            yield "@", heading[1] if heading else ""
        elif line[:1] in {"+", "-", " "}:
            yield line[0], line[1:]


class _Names:
    """The package that each side of a patch is in the middle of."""

    def __init__(self) -> None:
        self._old: str | None = None
        self._new: str | None = None

    def enter(self, sign: str, name: str | None) -> None:
        if sign != "+":
            self._old = name
        if sign != "-":
            self._new = name

    def add(self, sides: _Sides, sign: str, version: str) -> None:
        # A line that did not change may still belong to another package on each side.
        if sign != "+":
            sides.add("-", self._old, version)
        if sign != "-":
            sides.add("+", self._new, version)


def _read_toml(patch: str) -> _Sides:
    sides, names = _Sides(), _Names()
    for sign, text in _lines(patch):
        if sign == "@" or text.startswith("["):
            names.enter(sign, None)
        if found := _TOML_NAME.match(text):
            names.enter(sign, found[1])
        elif sign != "@" and (found := _TOML_VERSION.match(text)):
            names.add(sides, sign, found[1])
    return sides


def _read_npm(patch: str) -> _Sides:
    sides, names = _Sides(), _Names()
    for sign, text in _lines(patch):
        if sign == "@":
            names.enter(sign, None)
        elif found := _JSON_KEY.match(text):
            name = found[1].rpartition("node_modules/")[2]
            names.enter(sign, None if name in _JSON_SECTIONS else name)
        elif found := _JSON_VERSION.match(text):
            names.add(sides, sign, found[1])
    return sides


def _read_pnpm(patch: str) -> _Sides:
    sides = _Sides()
    for sign, text in _lines(patch):
        if sign != "@" and (found := _PNPM_KEY.match(text)):
            # Before pnpm 6 what a package was resolved with stood behind an underscore.
            sides.add(sign, found[1], found[2].partition("_")[0])
    return sides


def _read_yarn(patch: str) -> _Sides:
    sides, names = _Sides(), _Names()
    for sign, text in _lines(patch):
        if found := _YARN_VERSION.match(text):
            names.add(sides, sign, found[1])
        elif sign == "@" or (text and not text.startswith((" ", "#"))):
            key = _YARN_KEY.match(text)
            names.enter(sign, key[1] if key else None)
    return sides


def _read_go_sum(patch: str) -> _Sides:
    modules, only_named = _Sides(), _Sides()
    for sign, text in _lines(patch):
        if sign != "@" and (found := _GO_SUM.match(text)):
            (only_named if found[3] else modules).add(sign, found[1], found[2])
    # Lines of /go.mod alone belong to versions that were looked at and not chosen.
    return modules if any(modules.changes()) else only_named


def _read_pins(patch: str) -> _Sides:
    sides = _Sides()
    for sign, text in _lines(patch):
        if sign != "@" and (found := _PIN.match(text)):
            sides.add(sign, found[1].lower(), found[2])
    return sides
