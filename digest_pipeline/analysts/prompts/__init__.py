"""The prompts: Markdown files beside this one, for people to read and change, and what fills them in.

`system.<language>.md` is the same for all commits of a tier, the tier's own lines last, so that providers
can keep its beginning; `commit.md` holds a commit, `retry.md` what a second try adds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from digest_pipeline.domain.analysis import FORMS, json_schema
from digest_pipeline.domain.commit import storable
from digest_pipeline.domain.packing import clip, estimate_tokens, pack

if TYPE_CHECKING:
    from digest_pipeline.analysts import Subject
    from digest_pipeline.domain.analysis import Language

_FILES = ("system.zh.md", "system.en.md", "commit.md", "retry.md")
_TEXTS = {name: resources.files(__name__).joinpath(name).read_text("utf-8") for name in _FILES}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.DictLoader(_TEXTS),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - Markdown for a model, not HTML
)
_SCHEMAS = {tier: json.dumps(json_schema(tier), ensure_ascii=False) for tier in FORMS}

PROMPT_VERSION = hashlib.sha256(json.dumps([_TEXTS, _SCHEMAS], sort_keys=True).encode()).hexdigest()[:12]
"""Changes with every prompt file and with the forms."""

_RESERVE_TOKENS = 192
"""What a retry adds, and the tokens with which endpoints mark roles."""

_MESSAGE_SHARE = 4
"""One part in so many of the room is the most that a commit's message may take."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked about a commit; `shown_lines` of `changed_lines` are in it."""

    system: str
    user: str
    shown_lines: int
    changed_lines: int

    def again(self, reason: str, *, cut_off: bool) -> Prompt:
        """The same prompt with a last paragraph that says why an earlier answer was of no use."""
        paragraph = _render("retry.md", reason=reason, cut_off=cut_off)
        return replace(self, user=f"{self.user}\n\n{paragraph}")


def build_prompt(subject: Subject, language: Language, input_tokens: int) -> Prompt:
    """The prompt for `subject`, packed so that an endpoint with room for `input_tokens` can read all of it.

    Where not even the frame fits, the frame is all that there is.
    """
    system = _render(f"system.{language}.md", tier=subject.tier, schema=_SCHEMAS[subject.tier])
    message = storable(subject.message)
    frame = _user_message(subject, language)
    room = input_tokens - estimate_tokens(system) - estimate_tokens(frame) - _RESERVE_TOKENS
    message = clip(message, max(room, 0) // _MESSAGE_SHARE)
    packed = pack(subject.files, max(room - estimate_tokens(message), 0))
    user = _user_message(
        subject,
        language,
        message=message,
        manifest=storable(packed.manifest).rstrip("\n"),
        patches=storable(packed.patches).rstrip("\n"),
        shown_lines=packed.shown_lines,
        changed_lines=packed.changed_lines,
    )
    return Prompt(system, user, packed.shown_lines, packed.changed_lines)


def _user_message(
    subject: Subject,
    language: Language,
    *,
    message: str = "",
    manifest: str = "",
    patches: str = "",
    shown_lines: int = 0,
    changed_lines: int = 0,
) -> str:
    author = " ".join(storable(subject.author_name).split())[:100]
    # Nobody can write a text that holds its own hash, and the same commit gives the same prompt again.
    marker = hashlib.sha256(json.dumps([author, message, manifest, patches]).encode()).hexdigest()[:16]
    return _render(
        "commit.md",
        repo=subject.repo,
        sha=subject.sha,
        committed_at=subject.committed_at.isoformat(timespec="minutes"),
        tier=subject.tier,
        author=author,
        message=message,
        file_count=len(subject.files),
        manifest=manifest or "(none)",
        patches=patches or "(none)",
        shown_lines=shown_lines,
        changed_lines=changed_lines,
        language=language,
        marker=marker,
    )


def _render(name: str, **values: object) -> str:
    return _TEMPLATES.get_template(name).render(**values).strip()
