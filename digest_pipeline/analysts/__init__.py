"""Who explains a commit. An analyst knows the domain and nothing else: no store, no source, no Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from digest_pipeline.domain.analysis import Analysis, Call, ErrorClass, Language, Outcome, Usage
    from digest_pipeline.domain.commit import FileChange
    from digest_pipeline.domain.composed import Given, Sentence
    from digest_pipeline.domain.endpoint import EndpointState
    from digest_pipeline.domain.healing import Tried
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
    other way round. `previous_attempts` were made in earlier runs; `tried` says at which endpoints, where there
    are several; `waited` is how long it has been left alone for haste.
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
    tried: tuple[Tried, ...] = ()
    waited: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer that was paid for before, for the same change."""

    analysis: Analysis
    endpoint: str
    ledger: str | None
    shown_lines: int
    changed_lines: int


@dataclass(frozen=True, slots=True)
class Booking:
    """Calls about one commit that were paid for and are not in the books yet, in their order."""

    repo: str
    sha: str
    committed_at: datetime
    language: Language
    calls: tuple[Call, ...]


class Memory(Protocol):
    """What outlives a run: answers, and what is known of endpoints. All calls may wait for a store."""

    def recall(self, input_hash: str) -> Recalled | None:
        """The answer to this question, where there is one."""
        ...

    def notes(self, input_hash: str) -> list[str] | None:
        """The notes on a part of a commit, where it was asked about before."""
        ...

    def keep_notes(self, input_hash: str, notes: Sequence[str], about: AskedOf, booking: Booking) -> None:
        """Keep notes, so that nobody asks about this part again, and with them what they cost."""
        ...

    def book(self, booking: Booking) -> None:
        """Keep what was paid for a commit so far, before more is asked about it."""
        ...

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """What is known of a model at an endpoint."""
        ...

    def revise(
        self, endpoint: str, model: str, change: Callable[[EndpointState | None], EndpointState]
    ) -> EndpointState:
        """What is known from now on: what `change` makes of what is known now, with no other run in between.

        `change` may be called again; where it gives back what it was given, nothing is written.
        """
        ...


class Spending(Protocol):
    """What may still be spent today, over all runs; `daily` is the budget and `until` the end of the day, if any."""

    daily: float | None
    until: datetime | None

    def affords(self, model: str) -> bool:
        """Whether a question may still be asked today; one that costs nothing always may. May wait for a store."""
        ...

    def expect(self, model: str, usage: Usage, sign: Literal[1, -1]) -> None:
        """Count what a question that is under way will probably cost (1), and no longer once it came back (-1)."""
        ...

    def add(self, model: str, usage: Usage) -> None:
        """Count what was just spent."""
        ...


class NoBudget:
    """There is always something left."""

    daily: float | None = None
    until: datetime | None = None

    def affords(self, model: str) -> bool:
        """See `Spending`."""
        del model
        return True

    def expect(self, model: str, usage: Usage, sign: Literal[1, -1]) -> None:
        """See `Spending`."""

    def add(self, model: str, usage: Usage) -> None:
        """See `Spending`."""


@dataclass(frozen=True, slots=True)
class AskedOf:
    """Who was shown a part of a commit, and in which words."""

    endpoint: str
    model: str
    language: Language
    tier: Tier
    prompt_version: str


class NoMemory:
    """For a single run: endpoints are remembered while it lasts, answers are not recalled."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], EndpointState] = {}

    def recall(self, input_hash: str) -> Recalled | None:
        """See `Memory`."""
        del input_hash
        return None

    def notes(self, input_hash: str) -> list[str] | None:
        """See `Memory`."""
        del input_hash
        return None

    def keep_notes(self, input_hash: str, notes: Sequence[str], about: AskedOf, booking: Booking) -> None:
        """See `Memory`."""

    def book(self, booking: Booking) -> None:
        """See `Memory`."""

    def state(self, endpoint: str, model: str) -> EndpointState | None:
        """See `Memory`."""
        return self._states.get((endpoint, model))

    def revise(
        self, endpoint: str, model: str, change: Callable[[EndpointState | None], EndpointState]
    ) -> EndpointState:
        """See `Memory`."""
        state = change(self._states.get((endpoint, model)))
        self._states[endpoint, model] = state
        return state


@dataclass(frozen=True, slots=True)
class Composition:
    """What became of asking for a headline: sentences that passed the gate, or none and why.

    Where `is_final`, the same question would have the same end: it is not asked again. `error` is redacted.
    """

    model: str
    endpoint: str
    sentences: tuple[Sentence, ...] = ()
    error_class: ErrorClass | None = None
    error: str | None = None
    is_final: bool = True
    calls: tuple[Call, ...] = ()


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

    async def knock(self) -> bool:
        """False where nobody is there to ask: every endpoint is down, and one that was due for a probe failed it.

        Commits that wait for an endpoint need no further look then: nothing changed for them.
        """
        ...

    def opened(self) -> AbstractAsyncContextManager[None]:
        """What is asked, is asked inside: connections stay open until the outermost block ends."""
        ...

    @property
    def composes(self) -> bool:
        """Whether it writes headlines; else they are composed from facts, where the page is made."""
        ...

    async def compose(self, given: Given, *, most: int = 2) -> Composition:
        """The headline of a day, by at most `most` questions; only of an analyst that `composes`."""
        ...

    def analyse(self, subjects: Iterable[Subject]) -> AsyncIterator[list[tuple[Subject, Outcome]]]:
        """Yield the subjects' outcomes as soon as they are known, in any order, one for each subject.

        Those that are known together come together. Whoever takes them stores them before asking for more:
        only then are further subjects taken from the iterable, which may be read lazily.
        """
        ...
