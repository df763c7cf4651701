"""Who explains a commit. An analyst knows the domain and nothing else: no store, no source, no Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from digest_pipeline.domain.analysis import Language, Outcome
    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.importance import Tier


CueCategory = Literal["breaking", "security", "test", "removed"]


@dataclass(frozen=True, slots=True)
class Cue:
    """A line of a patch that hints at something: `line` with its + or -; for `removed`, a name that is gone."""

    category: CueCategory
    path: str
    line: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One commit to analyse, with all that an analyst may look at.

    `files` carry patches, and `cues` is empty, for an analyst that reads patches; for one that does not, the
    other way round. `previous_attempts` were made in earlier runs.
    """

    repo: str
    sha: str
    message: str
    author_name: str
    committed_at: datetime
    tier: Tier
    files: tuple[FileChange, ...]
    cues: tuple[Cue, ...] = ()
    previous_attempts: int = 0


class Analyst(Protocol):
    """Explains commits in one language."""

    @property
    def name(self) -> str:
        """`offline` or `openai`: what kind of analyst this is."""
        ...

    @property
    def reads_patches(self) -> bool:
        """Whether it wants the patches of a subject's files, or cues."""
        ...

    @property
    def model(self) -> str:
        """What the report names as the model."""
        ...

    @property
    def language(self) -> Language:
        """The language of every text that comes back."""
        ...

    def analyse(self, subjects: Iterable[Subject]) -> AsyncIterator[tuple[Subject, Outcome]]:
        """Yield each subject's outcome as soon as it is known, in any order, one for each subject.

        Subjects are taken from the iterable only as places come free, so that it may be read lazily.
        """
        ...
