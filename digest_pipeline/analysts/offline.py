"""An analyst without a model: facts from the commit itself, the same every time, in the same form."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from contextlib import nullcontext
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from digest_pipeline.analysts import Composition
from digest_pipeline.domain.analysis import Analysis, Outcome
from digest_pipeline.domain.commit import UNREAD_STATES, title_of
from digest_pipeline.domain.cues import is_trailer, lines_about
from digest_pipeline.domain.files import FileRole, role_of
from digest_pipeline.domain.markdown import code_span as code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from digest_pipeline.analysts import Subject
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.composed import Given

OFFLINE_VERSION = "offline-5"

_TITLE = re.compile(r"^(?P<type>[a-zA-Z]+)(\((?P<area>[^)]*)\))?!?:\s*(?P<rest>.+)$")
_NUMBER = re.compile(r"\s*\(#\d+\)\s*$")
_HEADING = re.compile(r"\*{0,2}\w+(?: \w+){0,2}[?:]\*{0,2}")  # "Why?", "Test plan:" say nothing by themselves
_REFERENCE = re.compile(r"(?<![\w(])#\d{2,}\b")

_MAX_POINTS = 6
_MAX_NAMES = 8
_MODULE_DEPTH = 3
_DEEPEST_MODULE = 6


class OfflineAnalyst:
    """Never fails, never asks anybody: type, summary from the message, modules by share, cues with their lines."""

    name = "offline"
    model = "offline"
    reads_patches = False
    composes = False

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = _texts(language)

    async def knock(self) -> bool:
        """Nobody has to be there."""
        return True

    def opened(self) -> AbstractAsyncContextManager[None]:
        """See `Analyst.opened`: there is nothing to open."""
        return nullcontext()

    async def compose(self, given: Given, *, most: int = 2) -> Composition:
        """See `Analyst.compose`: nothing, for the facts are put together where the page is made."""
        del given, most
        return Composition(self.model, "", is_final=False)

    async def analyse(self, subjects: Iterable[Subject]) -> AsyncIterator[list[tuple[Subject, Outcome]]]:
        """See `Analyst.analyse`."""
        for subject in subjects:
            yield [(subject, self.outcome(subject))]

    def outcome(self, subject: Subject) -> Outcome:
        """The facts of one commit, always `ok`."""
        lines = sum((file.additions or 0) + (file.deletions or 0) for file in subject.files)
        return Outcome(
            status="ok",
            analyst=self.name,
            model=self.model,
            analysis=self._analysis(subject),
            prompt_version=OFFLINE_VERSION,
            shown_lines=lines,
            changed_lines=lines,
        )

    def _analysis(self, subject: Subject) -> Analysis:
        change_type, summary = self._summary(subject.message)
        if subject.tier == "low":
            return Analysis(change_type=change_type, summary=summary[:1])
        scope = list(self._scope(subject.files))
        advice = list(self._advice(subject))
        if subject.tier == "medium":
            risks = list(self._risks(subject))
            return Analysis(
                change_type=change_type, summary=summary, scope=scope, advice=[*risks[:2], *advice]
            )
        return Analysis(
            change_type=change_type,
            summary=summary,
            scope=scope,
            architecture=list(self._architecture(subject.files)),
            performance=lines_about(_body(subject.message), "performance")[:2],
            security=list(self._security(subject)),
            risks=list(self._risks(subject)),
            advice=advice,
        )

    def _summary(self, message: str) -> tuple[str, list[str]]:
        types = self._texts["types"]
        title = title_of(message)
        match = _TITLE.match(title)
        known = match is not None and match["type"].lower() in types
        if match is not None and known:
            word = match["type"].lower()
            change_type = types[word] + (
                f"（{match['area']}）"
                if match["area"] and self.language == "zh"
                else f" ({match['area']})"
                if match["area"]
                else ""
            )
            title = match["rest"]
        elif title.startswith("Revert "):
            change_type = types["revert"]
        else:
            change_type = types["other"]
        points = [_NUMBER.sub("", title), *_body_points(message)]
        return change_type, [point for point in points if point][:_MAX_POINTS]

    def _scope(self, files: Sequence[FileChange]) -> Iterator[str]:
        texts = self._texts["scope"]
        if not files:
            yield texts["unchanged"]
            return
        modules = _modules(files)
        weights = {module: sum(map(_lines, members)) for module, members in modules.items()}
        total = sum(weights.values())
        by_files = total == 0
        if by_files:
            weights = {module: len(members) for module, members in modules.items()}
            total = len(files)
        ranked = sorted(modules, key=lambda module: (-weights[module], module))
        shown = ranked if len(ranked) <= _MAX_POINTS else ranked[: _MAX_POINTS - 1]
        for module in shown:
            members = modules[module]
            yield texts["module"].format(
                module=code(module),
                share=round(100 * weights[module] / total),
                files=_counted(texts, "files", len(members)),
                additions=sum(file.additions or 0 for file in members),
                deletions=sum(file.deletions or 0 for file in members),
            )
        rest = ranked[len(shown) :]
        if rest:
            share = round(100 * sum(weights[module] for module in rest) / total)
            yield texts["rest"].format(count=len(rest), share=share)

    def _architecture(self, files: Sequence[FileChange]) -> Iterator[str]:
        texts = self._texts["architecture"]
        counts = [
            (status, sum(file.status == status for file in files))
            for status in ("added", "removed", "renamed", "modified")
        ]
        parts = [texts[status].format(count=count) for status, count in counts if count]
        # That files were modified is what every change does.
        if len(parts) > 1 or any(count for status, count in counts if status != "modified"):
            yield texts["shape"].format(parts=", ".join(parts) if self.language == "en" else "，".join(parts))
        renames: dict[tuple[str, str], int] = defaultdict(int)
        for file in files:
            if file.status == "renamed" and file.previous_path:
                old, new = _folder(file.previous_path), _folder(file.path)
                if old != new:
                    renames[old, new] += 1
        for (old, new), _count in sorted(renames.items(), key=lambda item: -item[1])[:2]:
            yield texts["moved"].format(old=code(old or "/"), new=code(new or "/"))
        binary = sum(file.patch_state == "binary" for file in files)
        if binary:
            yield _counted(texts, "binary", binary)
        for state in ("submodule", "mode"):
            for file in [file for file in files if file.patch_state == state][:2]:
                yield texts[state].format(path=code(file.path))

    def _risks(self, subject: Subject) -> Iterator[str]:
        texts = self._texts["risks"]
        for line in lines_about(subject.message, "breaking")[:2]:
            yield texts["message"].format(line=line)
        for path, names in list(_by_path(subject, "removed").items())[:3]:
            shown = ", ".join(code(name) for name in names[:_MAX_NAMES])
            yield texts["removed_names"].format(
                path=code(path), names=shown + (" …" if len(names) > _MAX_NAMES else "")
            )
        for cue in [cue for cue in subject.cues if cue.category == "breaking"][:3]:
            yield texts["breaking"].format(path=code(cue.path), line=code(cue.line))
        unread = [file.path for file in subject.files if file.patch_state in UNREAD_STATES]
        if unread:
            yield _counted(texts, "unread", len(unread), paths=_listed(unread))

    def _security(self, subject: Subject) -> Iterator[str]:
        yield from lines_about(subject.message, "security")[:2]
        for cue in [cue for cue in subject.cues if cue.category == "security"][:3]:
            yield self._texts["security"]["line"].format(path=code(cue.path), line=code(cue.line))

    def _advice(self, subject: Subject) -> Iterator[str]:
        texts = self._texts["advice"]
        roles: dict[FileRole, list[FileChange]] = defaultdict(list)
        for file in subject.files:
            roles[role_of(file.path)].append(file)
        code_lines = sum(map(_lines, roles["code"]))
        if roles["test"]:
            yield texts["tests"].format(count=len(roles["test"]), total=len(subject.files))
        elif code_lines and not any(cue.category == "test" for cue in subject.cues):
            yield _counted(texts, "no_tests", code_lines)
        if roles["dependency"]:
            yield texts["dependencies"].format(paths=_listed([file.path for file in roles["dependency"]]))
        if roles["config"]:
            yield texts["configuration"].format(paths=_listed([file.path for file in roles["config"]]))
        own = _NUMBER.search(title_of(subject.message))
        references = dict.fromkeys(_REFERENCE.findall(subject.message))
        if own:
            references.pop(own[0].strip()[1:-1], None)
        if references:
            yield texts["pull_request"].format(references=", ".join(list(references)[:_MAX_NAMES]))


def _counted(texts: Mapping[str, str], name: str, count: int, **more: object) -> str:
    """A text that counts something, as it is said of one or of many."""
    text = texts.get(f"{name}_one", texts[name]) if count == 1 else texts[name]
    return text.format(count=count, **more)


def _body_points(message: str) -> list[str]:
    """The message's body as points: its list items, else its paragraphs; trailers and headings dropped."""
    points: list[str] = []
    open_point = False
    for raw in message.strip().split("\n")[1:]:
        line = raw.strip()
        if not line or line.startswith("#") or set(line) <= set("-=*_~` ") or is_trailer(line):
            open_point = False
        elif match := re.match(r"(?:[-*+•]|\d+[.)])\s+(.*)", line):
            points.append(match[1])
            open_point = True
        elif open_point:
            points[-1] += f" {line}"
        else:
            points.append(line)
            open_point = True
    said = (point for point in points if point and not _HEADING.fullmatch(point))
    return [point if len(point) <= 400 else point[:397] + "…" for point in said]  # noqa: PLR2004 - a point, not a page


def _body(message: str) -> str:
    """The message without its title, which the summary repeats already."""
    return message.strip().partition("\n")[2]


def _by_path(subject: Subject, category: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for cue in subject.cues:
        if cue.category == category:
            found[cue.path].append(cue.line)
    return found


def _modules(files: Sequence[FileChange]) -> dict[str, list[FileChange]]:
    """The files by folder, as deep as it takes to tell parts of the change apart, and no deeper."""
    modules: dict[str, list[FileChange]] = {}
    for depth in range(_MODULE_DEPTH, _DEEPEST_MODULE + 1):
        modules = defaultdict(list)
        for file in files:
            modules[_module(file.path, depth)].append(file)
        if len(modules) > 1:
            break
    return modules


def _module(path: str, depth: int) -> str:
    folders = path.split("/")[:-1]
    return "/".join(folders[:depth]) if folders else path


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _lines(file: FileChange) -> int:
    return (file.additions or 0) + (file.deletions or 0)


def _listed(paths: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(code(path) for path in paths[:most])
    return f"{shown} …" if len(paths) > most else shown


@cache
def _texts(language: Language) -> Mapping[str, Any]:
    file = resources.files("digest_pipeline") / "analysts" / "texts" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
