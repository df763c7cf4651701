from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.ledger import MOST_ENTRIES, How, Shown, ledger_json, read_ledger

entries = st.builds(
    Shown,
    path=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    how=st.sampled_from(get_args(How)),
    shown_lines=st.integers(0, 10**9),
    changed_lines=st.integers(0, 10**9),
)


@given(st.lists(entries, max_size=20).map(tuple))
def test_what_is_written_is_read_back(ledger: tuple[Shown, ...]) -> None:
    assert read_ledger(ledger_json(ledger)) == ledger


def test_the_text_is_compact_and_names_its_fields() -> None:
    assert ledger_json([Shown("源/a.py", "whole", 3, 4)]) == (
        '[{"path":"源/a.py","how":"whole","shown":3,"changed":4}]'
    )


def test_a_long_ledger_counts_its_rest_in_one_last_entry() -> None:
    ledger = [Shown(f"{number}.py", "listed", 0, 2) for number in range(MOST_ENTRIES + 500)]
    written = ledger_json(ledger)
    read = read_ledger(written)

    assert read == (*ledger[:MOST_ENTRIES], Shown("", "unlisted", 0, 1000, files=500))
    assert ledger_json(read) == written


def test_a_ledger_stays_small_and_storable_whatever_paths_are_called() -> None:
    written = ledger_json([Shown("\ud800\0" * 5000, "whole", 1, 1)] * (MOST_ENTRIES + 1))

    assert len(written.encode()) < MOST_ENTRIES * 3200
    assert "\0" not in written


@pytest.mark.parametrize(
    "text", ["{}x", '{"a":1}', "[1]", '[{"path":"a"}]', '[{"path":"a","how":"eaten"}]', "3"]
)
def test_another_text_is_no_ledger(text: str) -> None:
    with pytest.raises(ValueError):
        read_ledger(text)


def test_no_text_is_a_ledger_of_nothing() -> None:
    assert read_ledger("") == ()
    assert json.loads(ledger_json(())) == []
