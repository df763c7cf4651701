"""Who explains a commit. An analyst knows the domain and nothing else: no store, no source, no Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from digest_pipeline.domain.analysis import Analysis, Outcome
    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.endpoint import EndpointState
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


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer that was paid for before, for the same change."""

    analysis: Analysis
    endpoint: str
    ledger: str | None
    shown_lines: int
    changed_lines: int


class Memory(Protocol):
    """What outlives a run: answers, and what is known of endpoints. Both calls may wait for a store."""

    def recall(self, input_hash: str) -> Recalled | None:
        """The answer to this question, where there is one."""
        ...

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """What is known of a model at an endpoint."""
        ...

    def remember(self, state: EndpointState) -> None:
        """Keep what is known from now on."""
        ...


class NoMemory:
    """For a single run: endpoints are remembered while it lasts, answers are not recalled."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], EndpointState] = {}

    def recall(self, input_hash: str) -> Recalled | None:
        """See `Memory`."""
        del input_hash
        return None

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """See `Memory`."""
        return self._states.get((endpoint, model))

    def remember(self, state: EndpointState) -> None:
        """See `Memory`."""
        self._states[state.endpoint, state.model] = state


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

    def analyse(self, subjects: Iterable[Subject]) -> AsyncIterator[list[tuple[Subject, Outcome]]]:
        """Yield the subjects' outcomes as soon as they are known, in any order, one for each subject.

        Those that are known together come together. Whoever takes them stores them before asking for more:
        only then are further subjects taken from the iterable, which may be read lazily.
        """
        ...
