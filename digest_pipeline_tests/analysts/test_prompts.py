from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.analysts import Subject
from digest_pipeline.analysts.prompts import PROMPT_VERSION, build_prompt
from digest_pipeline.domain.analysis import Language, json_schema
from digest_pipeline.domain.commit import FileChange
from digest_pipeline.domain.importance import TIERS, Tier
from digest_pipeline.domain.packing import estimate_tokens

LANGUAGES: tuple[Language, ...] = ("zh", "en")


def subject(message: str = "fix: it", lines: int = 3, tier: Tier = "low") -> Subject:
    patch = f"@@ -0,0 +1,{lines} @@\n" + "\n".join(f"+line {number}" for number in range(lines))
    return Subject(
        repo="octo/tool",
        sha="a" * 40,
        message=message,
        author_name="Ada",
        committed_at=datetime(2026, 2, 21, tzinfo=UTC),
        tier=tier,
        files=(FileChange("src/a.py", None, "modified", lines, 0, patch, "text"),),
    )


@given(
    st.text(st.characters(codec="utf-8"), max_size=2000),
    st.integers(0, 3000),
    st.integers(2500, 9000),
    st.sampled_from(LANGUAGES),
    st.sampled_from(TIERS),
)
def test_a_prompt_fits_with_what_a_retry_adds(
    message: str, lines: int, input_tokens: int, language: Language, tier: Tier
) -> None:
    prompt = build_prompt(subject(message, lines, tier), language, input_tokens)
    again = prompt.again("summary: is empty; scope: is empty", cut_off=False)

    assert estimate_tokens(again.system) + estimate_tokens(again.user) <= input_tokens


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tier", TIERS)
def test_the_system_message_holds_the_schema_and_the_word_json(language: Language, tier: Tier) -> None:
    system = build_prompt(subject(tier=tier), language, 8000).system

    assert "JSON" in system
    assert json.loads(system.splitlines()[-1]) == json_schema(tier)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_all_tiers_share_comes_first(language: Language) -> None:
    systems = [build_prompt(subject(tier=tier), language, 8000).system for tier in TIERS]
    shared = next(index for index, letters in enumerate(zip(*systems, strict=False)) if len(set(letters)) > 1)

    assert shared > len(min(systems, key=len)) / 2
    assert len({build_prompt(subject(f"fix {n}"), language, 8000).system for n in range(3)}) == 1


def test_the_same_commit_gives_the_same_prompt_and_another_text_another_marker() -> None:
    first, again, other = (build_prompt(subject(text), "en", 8000).user for text in ("a", "a", "b"))
    markers = {user.partition("<<<DATA ")[2][:16] for user in (first, other)}

    assert first == again
    assert len(markers) == 2


def test_text_that_looks_like_a_template_stays_text() -> None:
    assert "{{ 7 * 7 }}{% endif %}" in build_prompt(subject("{{ 7 * 7 }}{% endif %}"), "en", 8000).user


def test_the_prompt_says_what_is_not_shown() -> None:
    user = build_prompt(subject(lines=5000), "en", 3000).user

    assert "src/a.py [only headers]" in user
    assert "(0 of 5000 changed lines are shown)" in user


def test_without_room_the_frame_is_all_that_there_is() -> None:
    prompt = build_prompt(subject("fix: it"), "en", 100)

    assert prompt.shown_lines == 0
    assert "fix: it" not in prompt.user


def test_the_version_is_short_and_stable() -> None:
    assert len(PROMPT_VERSION) == 12
    assert int(PROMPT_VERSION, 16) >= 0
