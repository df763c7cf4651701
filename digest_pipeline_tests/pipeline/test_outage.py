"""The replay of an outage, in small: the same as `make bench-outage`, over a few seeds and days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import replay as replay_module
from benchmarks.invariants import BrokenInvariant
from benchmarks.replay import Template, make_template, replay
from digest_pipeline.analysts.openai_compatible import OpenAICompatibleAnalyst
from digest_pipeline.pipeline import analyse
from digest_pipeline_tests.fakes.project import small_repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from digest_pipeline.analysts import Subject
    from digest_pipeline.analysts.gateway import Gateway
    from digest_pipeline.domain.analysis import Outcome

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Two commits on each of three days."""
    folder = tmp_path_factory.mktemp("outage")
    small_repository(folder / "engine", days=3, commits_per_day=2)
    return make_template(folder / "engine", folder / "template", days=3)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_outage_loses_nothing_and_pays_for_nothing_twice(
    template: Template, tmp_path: Path, seed: int
) -> None:
    result = replay(template, seed, tmp_path, dies=1, back=2, after=2)

    assert result.commits == 6
    assert (result.repeated, result.lost) == (0, 0)
    assert result.most_probes == 1
    assert result.healed == result.waited >= 1
    assert 24 <= result.probes <= 2 * 48


def test_the_replay_notices_probes_that_are_too_close(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "PROBE_EVERY", timedelta(minutes=28))

    with pytest.raises(
        BrokenInvariant, match=r"^seed 3, 2026-\d\d-\d\d .* a probe half an hour after the last"
    ):
        replay(template, 3, tmp_path, dies=1, back=2)


def test_the_replay_notices_what_is_paid_for_twice(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = OpenAICompatibleAnalyst._explain

    async def twice(analyst: OpenAICompatibleAnalyst, gateways: Sequence[Gateway], one: Subject) -> Outcome:
        await explain(analyst, gateways, one)
        return await explain(analyst, gateways, one)

    monkeypatch.setattr(OpenAICompatibleAnalyst, "_explain", twice)

    with pytest.raises(BrokenInvariant, match="paid for 2 times"):
        replay(template, 4, tmp_path, dies=1, back=2)


def test_the_replay_notices_what_is_lost(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = analyse._Writer._replace

    def forgetful(writer: Any, days: Any, rows: Any, *paid_for: Any) -> None:  # noqa: ANN401 - handed on
        store(writer, days, rows[1:], *paid_for)

    monkeypatch.setattr(analyse._Writer, "_replace", forgetful)

    with pytest.raises(Exception, match=r"were not analysed|are lost"):
        replay(template, 5, tmp_path, dies=1, back=2)
