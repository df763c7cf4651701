"""Two runs at the same day: whichever of them stores last, and whenever the other writes, file and store agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline.store.history import History, Replacement
from digest_pipeline_tests.fakes.project import FIRST_DAY, local, small_repository
from digest_pipeline_tests.fakes.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

REPO = "ada/engine"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository(tmp_path_factory.mktemp("repositories") / "engine", days=1).path


@pytest.mark.parametrize("table", ["reports", "digests"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_page_that_another_run_makes_meanwhile_says_what_is_stored(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch, table: str, when: str
) -> None:
    shop = Workshop(tmp_path / "project")
    shop.configure(local(REPO, engine))
    pages = {
        "reports": f"reports/{REPO}/2026/{FIRST_DAY}.md",
        "digests": f"reports/daily/2026/{FIRST_DAY}.md",
    }
    original = History.replace
    met: list[str] = []

    def replace(self: History, *replacements: Replacement) -> None:
        is_it = replacements[0].table == table and not met
        if is_it:
            met.append(table)
            if when == "before":
                shop.make([FIRST_DAY])  # all of it, file and row, between our file and our row
        original(self, *replacements)
        if is_it and when == "after":
            (shop.data / pages[table]).write_text("of a run whose row was stored before", encoding="utf-8")

    monkeypatch.setattr(History, "replace", replace)
    shop.make([FIRST_DAY])
    assert met
    for name, path in pages.items():
        [(markdown,)] = shop.rows(f"SELECT markdown FROM {name}")
        assert (shop.data / path).read_text(encoding="utf-8") == markdown
