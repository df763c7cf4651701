"""What must hold at every step of a replay: nothing lost, nothing paid twice, calls bounded, pages as the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks.weather import INVENTED, most_within
from digest_pipeline.domain.dividing import MOST_PARTS
from digest_pipeline.pipeline.pages import revision
from digest_pipeline.store.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import duckdb

    from benchmarks.weather import Weather
    from digest_pipeline.store.history import Replacement
    from digest_pipeline.store.place import Place

PROBE_EVERY = timedelta(minutes=30)
PLACES = 8
ATTEMPTS = 3
MOST_CALLS = MOST_PARTS + 1
"""For one commit in one run, without those that came too soon."""

MOST_HEADLINES = 2
"""Answers for one headline: one, and one more where the gate sent it back."""

MOST_SILENCE = 2 * PLACES + 2
"""Questions of one run that nobody answers: so many show that nobody will, with those that are under way then."""

_ANALYSES = "SELECT day, sha, status FROM analyses"
_CALLS = "SELECT sha, count(*) FROM attempts WHERE purpose <> 'headline' GROUP BY sha"
_HEADLINES = "SELECT day, status, sentences FROM headlines"
_REPORTS = "SELECT day, path, revision, commits, analysed, failed, deferred FROM reports"
_DIGESTS = "SELECT day, path, revision FROM digests"
_STALE = """
    SELECT day FROM reads LEFT JOIN reports USING (repo, day) LEFT JOIN digests USING (day)
    GROUP BY day HAVING any_value(inputs) IS DISTINCT FROM md5(string_agg(
        concat_ws(chr(9), repo, coalesce(reports.revision, '-'), coalesce(error, '-')), chr(10) ORDER BY repo))"""


class BrokenInvariant(AssertionError):  # noqa: N818 - what happened
    """Something was lost, paid for twice, or asked too often."""


class WatchedHistory(History):
    """A history that also tells in which tables rows were replaced: `written`, for who looks to clear."""

    def __init__(self, place: Place, timezone: ZoneInfo) -> None:
        super().__init__(place, timezone)
        self.written: set[str] = set()

    def replace(self, *replacements: Replacement) -> None:
        """See `History.replace`."""
        self.written |= {one.table for one in replacements}
        super().replace(*replacements)

    def revise(
        self,
        name: str,
        parameters: Mapping[str, object],
        decide: Callable[[list[dict[str, Any]]], Sequence[Replacement]],
    ) -> None:
        """See `History.revise`."""

        def decided(rows: list[dict[str, Any]]) -> Sequence[Replacement]:
            replacements = decide(rows)
            self.written |= {one.table for one in replacements}
            return replacements

        super().revise(name, parameters, decided)


@dataclass
class Invariants:
    """Checked after each run, over all days that were made, by a reader that sees what is stored.

    `commits` are those of each day, as they were read; `made` are the days that were run, `waited` those whose
    page ever told of a commit without an analysis, `healed` those of them whose page is whole.
    """

    reader: duckdb.DuckDBPyConnection
    data_dir: Path
    weather: Weather
    commits: Mapping[date, frozenset[str]]
    made: set[date] = field(default_factory=set)
    waited: set[date] = field(default_factory=set)
    healed: set[date] = field(default_factory=set)
    _revisions: dict[str, str] = field(default_factory=dict)
    _tries: Counter[str] = field(default_factory=Counter)
    _silence: int = 0

    def check_calls(self) -> None:
        """Probes keep their distance, and nobody asks much where nobody answers."""
        weather = self.weather
        if most_within(weather.probes[-2:], PROBE_EVERY) > 1:
            self.broken(f"a probe half an hour after the last one, or sooner, at {weather.probes[-1]}")
        # What was under way when the first one was refused; no other before the key is back.
        if weather.in_vain["401"] > PLACES:
            self.broken(f"{weather.in_vain['401']} questions about commits went to a dead key")
        if weather.in_vain["silence"] - self._silence > MOST_SILENCE:
            self.broken(
                f"a run asked {weather.in_vain['silence'] - self._silence} times where nobody answers"
            )
        self._silence = weather.in_vain["silence"]
        tries = weather.asked - weather.hurried
        for sha, asked in (tries - self._tries).items():
            if asked > MOST_CALLS:
                self.broken(f"a run asked about {sha} {asked} times")
        self._tries = tries

    def check(self) -> None:
        """What the store says is what happened, and the pages say what the store does."""
        self.check_calls()
        said: dict[date, dict[str, str]] = {day: {} for day in self.made}
        for day, sha, status in self.reader.execute(_ANALYSES).fetchall():
            if sha in said[day]:
                self.broken(f"{sha} has two analyses")
            said[day][sha] = status
        for day, statuses in said.items():
            self._check_day(day, statuses)
        self._check_pages({day: Counter(statuses.values()) for day, statuses in said.items()})
        self._check_headlines()
        told = dict(self.reader.execute(_CALLS).fetchall())
        if told != self.weather.asked:
            wrong = [sha for sha in self.weather.asked | told if self.weather.asked[sha] != told.get(sha)]
            self.broken(
                f"the table attempts has not all calls about {len(wrong)} commits, such as {wrong[0]}"
            )

    def check_end(self) -> None:
        """All is well in the end: every day made, every commit analysed, every page and digest whole."""
        self.check()
        if self.made != set(self.commits):
            self.broken("a day was not made")
        if len(self.weather.answered) != sum(map(len, self.commits.values())):
            self.broken("not every commit was analysed")
        if unhealed := self.waited - self.healed:
            self.broken(f"{len(unhealed)} pages are not whole, such as that of {min(unhealed)}")
        if stale := self.reader.execute(_STALE).fetchall():
            self.broken(
                f"{len(stale)} digests are made from other pages than those that stand, such as {stale[0]}"
            )
        for _, path, expected in self.reader.execute(_DIGESTS).fetchall():
            self._check_file(path, expected)

    def broken(self, what: str) -> NoReturn:
        """Stop the replay; the seed is in the message."""
        raise BrokenInvariant(
            f"seed {self.weather.seed}, {self.weather.time.now():%Y-%m-%d %H:%M:%S}: {what}"
        )

    # --- inside -------------------------------------------------------------------------------------------

    def _check_day(self, day: date, said: Mapping[str, str]) -> None:
        answered = self.weather.answered
        if lost := self.commits[day] - said.keys():
            self.broken(f"{len(lost)} commits of {day} are lost, such as {min(lost)}")
        for sha, status in said.items():
            if answered[sha] > 1:
                self.broken(f"{sha} was paid for {answered[sha]} times")
            if status == "ok" and not answered[sha]:
                self.broken(f"{sha} has an analysis that nobody gave")
            if status != "ok" and answered[sha]:
                self.broken(f"{sha} was answered, and the store says {status}")

    def _check_headlines(self) -> None:
        """None is asked for again once it was answered twice, and what was invented stands nowhere."""
        most = max(self.weather.composed.values(), default=0)
        if most > MOST_HEADLINES:
            self.broken(f"a headline was answered {most} times")
        for day, status, sentences in self.reader.execute(_HEADLINES).fetchall():
            if str(INVENTED) in sentences or (status == "ok") != ("text" in sentences):
                self.broken(f"the headline of {day} is {status}, and says {sentences[:80]}")

    def _check_pages(self, said: Mapping[date, Counter[str]]) -> None:
        without = set(said)
        for day, path, expected, commits, *counts in self.reader.execute(_REPORTS).fetchall():
            without.remove(day)
            if counts != [said[day][status] for status in ("ok", "failed", "deferred")]:
                self.broken(f"the page of {day} does not count what the store holds")
            if self._revisions.get(path) != expected:
                self._check_file(path, expected)
                self._revisions[path] = expected
            if said[day]["ok"] < commits:
                self.waited.add(day)
                self.healed.discard(day)
            elif day in self.waited:
                self.healed.add(day)
        if without:
            self.broken(f"{min(without)} has no page")

    def _check_file(self, path: str, expected: str) -> None:
        if revision((self.data_dir / path).read_text("utf-8")) != expected:
            self.broken(f"{path} is not what the store holds")
