"""The replay of an outage, in small: the same as `make bench-outage`, over a few seeds and days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.outage import make_template, replay
from digest_pipeline_tests.fakes.project import small_repository

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_outage_loses_nothing_and_pays_for_nothing_twice(tmp_path: Path, seed: int) -> None:
    small_repository(tmp_path / "engine", days=3, commits_per_day=2)
    template = make_template(tmp_path / "engine", tmp_path / "template", days=3)

    result = replay(template, seed, tmp_path, dies=1, back=1.3, after=2)

    assert result.commits == 6
    assert 1 <= result.probes <= 2 * 8 + 8
    assert result.refused >= 1
