"""The prompts: Markdown files beside this one, for people to read and change, and what fills them in.

`system.<language>.md` is the same for all commits of a tier, the tier's own lines last, so that providers
can keep its beginning; `commit.md` holds a commit, `retry.md` what a second try adds. A commit that is too
large for one prompt is read in parts: `notes.<language>.md` asks for notes, `part.md` holds a part, and
`commit.md` the notes of all parts in place of the patches.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from digest_pipeline.domain.analysis import FORMS, json_schema
from digest_pipeline.domain.commit import storable
from digest_pipeline.domain.composed import schema
from digest_pipeline.domain.content import content_of
from digest_pipeline.domain.dividing import MOST_PARTS, divide
from digest_pipeline.domain.packing import (
    FACTOR,
    changed_lines,
    clip,
    estimate_tokens,
    list_files,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest_pipeline.analysts import Subject
    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.composed import Given
    from digest_pipeline.domain.dividing import Division
    from digest_pipeline.domain.importance import Tier
    from digest_pipeline.domain.ledger import Shown

_FILES = (
    "system.zh.md",
    "system.en.md",
    "commit.md",
    "retry.md",
    "notes.zh.md",
    "notes.en.md",
    "part.md",
)
# Beside these, and no part of what decides the analysis of a commit.
_HEADLINE_FILES = ("headline.zh.md", "headline.en.md", "day.md")
_TEXTS = {name: resources.files(__name__).joinpath(name).read_text("utf-8") for name in _FILES}
_HEADLINE_TEXTS = {
    name: resources.files(__name__).joinpath(name).read_text("utf-8") for name in _HEADLINE_FILES
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.DictLoader(_TEXTS | _HEADLINE_TEXTS),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - Markdown for a model, not HTML
)
_SCHEMAS = {tier: json.dumps(json_schema(tier), ensure_ascii=False) for tier in FORMS}

NOTES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "notes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "what changes in this part, one statement an item",
        }
    },
    "required": ["notes"],
    "additionalProperties": False,
}
"""The form of the answer to a part: `{"notes": ["…"]}`."""

_NOTES_SCHEMA = json.dumps(NOTES_SCHEMA, ensure_ascii=False)

PROMPT_VERSION = hashlib.sha256(
    json.dumps([_TEXTS, _SCHEMAS, _NOTES_SCHEMA], sort_keys=True).encode()
).hexdigest()[:12]
"""Changes with every prompt file and with the forms."""

_RESERVE_TOKENS = 192
"""What a retry adds, and the tokens with which endpoints mark roles."""

_MESSAGE_SHARE = 4
"""One part in so many of the room is the most that a commit's message may take."""

ENOUGH_SHOWN = 0.7
"""The share of changed lines with which one prompt does for a high commit."""

_LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked about a commit; `shown_lines` of `changed_lines` are in it.

    `ledger` says for each file how much of it is.
    """

    system: str
    user: str
    shown_lines: int
    changed_lines: int
    ledger: tuple[Shown, ...] = ()

    def again(self, reason: str, *, cut_off: bool) -> Prompt:
        """The same prompt with a last paragraph that says why an earlier answer was of no use."""
        paragraph = _render("retry.md", reason=reason, cut_off=cut_off)
        return replace(self, user=f"{self.user}\n\n{paragraph}")


def build_prompt(
    subject: Subject, language: Language, input_tokens: int, *, factor: float = FACTOR
) -> Prompt:
    """The prompt for `subject`, packed so that an endpoint with room for `input_tokens` can read all of it.

    `factor` is the tokens that a piece of text makes for the model. Where not even the frame fits, the frame is
    all that there is.
    """
    system = _system(subject.tier, language)
    frame = _commit(subject, language, changed=changed_lines(subject.files))
    room = _room(input_tokens, system, frame, factor)
    message = clip(storable(subject.message), room // _MESSAGE_SHARE, factor)
    packed = pack(subject.files, max(room - estimate_tokens(message, factor), 0), factor=factor)
    user = _commit(
        subject,
        language,
        message=message,
        manifest=packed.manifest,
        patches=packed.patches,
        shown=packed.shown_lines,
        changed=packed.changed_lines,
    )
    return Prompt(system, user, packed.shown_lines, packed.changed_lines, packed.ledger)


def build_headline_prompt(
    given: Given, language: Language, input_tokens: int, *, factor: float = FACTOR
) -> Prompt:
    """The prompt that asks for the headline of a day; each commit's points are cut to its share of the room."""
    system = _render(f"headline.{language}.md", schema=json.dumps(schema(given), ensure_ascii=False))
    frame = _day(given, language, [()] * len(given.commits))
    room = _room(input_tokens, system, frame, factor)
    shown: list[tuple[str, ...]] = []
    for place, commit in enumerate(given.commits):
        share = room // (len(given.commits) - place)
        kept = clip("\n".join(map(_one_note, commit.points)), share, factor)
        shown.append(tuple(line for line in kept.split("\n") if line))
        room -= estimate_tokens(kept, factor) + 2 * len(shown[-1])  # the marks of a list
    return Prompt(system, _day(given, language, shown), 0, 0)


def needs_parts(prompt: Prompt, tier: Tier) -> bool:
    """Whether a commit is worth reading in parts: a high one of which less than 70 % fits into one prompt."""
    return tier == "high" and prompt.shown_lines < ENOUGH_SHOWN * prompt.changed_lines


def divide_subject(
    subject: Subject,
    language: Language,
    input_tokens: int,
    *,
    most: int = MOST_PARTS,
    factor: float = FACTOR,
) -> Division:
    """The parts of `subject`, each of which `build_part_prompt` shows whole to an endpoint of that size."""
    return divide(
        subject.files, _part_room(subject, language, input_tokens, factor)[1], most=most, factor=factor
    )


def build_part_prompt(
    subject: Subject,
    language: Language,
    part: Sequence[FileChange],
    number: int,
    count: int,
    input_tokens: int,
    *,
    factor: float = FACTOR,
) -> Prompt:
    """The prompt that asks for notes on `part`, the `number`th (from 1) of `count`; see `NOTES_SCHEMA`.

    Its lines and ledger are those of the part, its changed lines too.
    """
    message, room = _part_room(subject, language, input_tokens, factor)
    packed = pack(part, room, factor=factor)
    user = _part(
        subject,
        language,
        number,
        count,
        message=message,
        manifest=packed.manifest,
        patches=packed.patches,
        shown=packed.shown_lines,
        file_count=len(part),
    )
    return Prompt(_notes(language), user, packed.shown_lines, packed.changed_lines, packed.ledger)


def build_reduce_prompt(
    subject: Subject,
    language: Language,
    notes: Sequence[Sequence[str]],
    input_tokens: int,
    *,
    ledger: Sequence[Shown],
    factor: float = FACTOR,
) -> Prompt:
    """The prompt that makes one analysis of the notes on all parts, in the form of the subject's tier.

    `ledger` is that of the parts that were read (`Division.ledger`). Notes are what a model made of text that
    anybody may have written: they stand between the markers like that text, one a line, and each part's are cut
    where they take more than their share of the room.
    """
    system = _system(subject.tier, language)
    count = len(notes)
    frame = _commit(subject, language, changed=changed_lines(subject.files), count=count)
    room = _room(input_tokens, system, frame, factor)
    message = clip(storable(subject.message), room // _MESSAGE_SHARE, factor)
    room -= estimate_tokens(message, factor)
    listed = list_files(subject.files, ledger, room, factor=factor)
    room -= estimate_tokens(listed.manifest, factor)
    texts: list[str] = []
    for number, of_part in enumerate(notes, 1):
        text = "".join([f"[part {number}]\n", *(f"- {_one_note(note)}\n" for note in of_part)])
        # The line break that joins them is paid for with each.
        kept = clip(text, room // (count - number + 1) - estimate_tokens("\n", factor), factor)
        if kept:
            texts.append(f"{kept.rstrip()}\n")
            room -= estimate_tokens(texts[-1], factor)
    user = _commit(
        subject,
        language,
        message=message,
        manifest=listed.manifest,
        notes="".join(texts),
        shown=listed.shown_lines,
        changed=listed.changed_lines,
        count=count,
    )
    return Prompt(system, user, listed.shown_lines, listed.changed_lines, listed.ledger)


def content_key(subject: Subject, *, model: str, language: Language) -> str:
    """SHA-256 over what decides an answer, the same for a commit and its cherry-picks in any repository.

    Repository, sha, author and dates are in the prompt, and no answer rests on them.
    """
    parts = {
        "content": content_of(subject.message, subject.files),
        "prompt_version": PROMPT_VERSION,
        "model": model,
        "tier": subject.tier,
        "language": language,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _room(input_tokens: int, system: str, frame: str, factor: float) -> int:
    """What a prompt leaves for text of the commit's own."""
    reserve = math.ceil(_RESERVE_TOKENS * max(factor / FACTOR, 1))
    return max(input_tokens - estimate_tokens(system, factor) - estimate_tokens(frame, factor) - reserve, 0)


def _part_room(subject: Subject, language: Language, input_tokens: int, factor: float) -> tuple[str, int]:
    """The message as every part of a commit shows it, and the room that is left for the part's files."""
    # The numbers of no part are longer than these.
    frame = _part(
        subject,
        language,
        MOST_PARTS,
        MOST_PARTS,
        shown=changed_lines(subject.files),
        file_count=len(subject.files),
    )
    room = _room(input_tokens, _notes(language), frame, factor)
    message = clip(storable(subject.message), room // _MESSAGE_SHARE, factor)
    return message, max(room - estimate_tokens(message, factor), 0)


def _one_note(note: str) -> str:
    return " ".join(storable(note).split())[:_LONGEST_NOTE]


def _system(tier: Tier, language: Language) -> str:
    return _render(f"system.{language}.md", tier=tier, schema=_SCHEMAS[tier])


def _notes(language: Language) -> str:
    return _render(f"notes.{language}.md", schema=_NOTES_SCHEMA)


def _commit(
    subject: Subject,
    language: Language,
    *,
    message: str = "",
    manifest: str = "",
    patches: str = "",
    notes: str = "",
    shown: int | None = None,
    changed: int = 0,
    count: int = 0,
) -> str:
    """The user's message about a commit; of empty texts the frame, in which no number is shorter than later."""
    texts = {"message": message, "manifest": manifest, "patches": patches, "notes": notes}
    return _render(
        "commit.md",
        **_about(subject, language, texts),
        tier=subject.tier,
        file_count=len(subject.files),
        shown_lines=changed if shown is None else shown,
        changed_lines=changed,
        count=count,
    )


def _part(
    subject: Subject,
    language: Language,
    number: int,
    count: int,
    *,
    message: str = "",
    manifest: str = "",
    patches: str = "",
    shown: int = 0,
    file_count: int = 0,
) -> str:
    texts = {"message": message, "manifest": manifest, "patches": patches}
    return _render(
        "part.md",
        **_about(subject, language, texts),
        number=number,
        count=count,
        file_count=file_count,
        shown_lines=shown,
        changed_lines=changed_lines(subject.files),
    )


def _day(given: Given, language: Language, points: Sequence[Sequence[str]]) -> str:
    commits = [
        {
            "name": one.short_sha,
            "pull_request": one.pull_request,
            "title": _one_note(one.title),
            "points": of_it,
        }
        for one, of_it in zip(given.commits, points, strict=True)
    ]
    return _render(
        "day.md",
        repo=given.repo,
        day=given.day.isoformat(),
        commits=commits,
        language=language,
        marker=hashlib.sha256(json.dumps([given.key, points]).encode()).hexdigest()[:16],
    )


def _about(subject: Subject, language: Language, texts: dict[str, str]) -> dict[str, object]:
    """What every prompt says of a commit, and `texts` between its markers."""
    author = " ".join(storable(subject.author_name).split())[:100]
    texts = {name: text if name == "message" else storable(text).rstrip("\n") for name, text in texts.items()}
    # Nobody can write a text that holds its own hash, and the same commit gives the same prompt again.
    marker = hashlib.sha256(json.dumps([author, *texts.values()]).encode()).hexdigest()[:16]
    return {
        **{name: text or ("" if name == "message" else "(none)") for name, text in texts.items()},
        "repo": subject.repo,
        "sha": subject.sha,
        "committed_at": subject.committed_at.isoformat(timespec="minutes"),
        "author": author,
        "language": language,
        "marker": marker,
    }


def _render(name: str, **values: object) -> str:
    return _TEMPLATES.get_template(name).render(**values).strip()
