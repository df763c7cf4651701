"""Endpoints by the names under which the history knows them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from digest_pipeline.compose import endpoint_configs
from digest_pipeline.pipeline.endpoints import endpoints_in_use, named_endpoints
from digest_pipeline.settings import EndpointSettings, LlmSettings, RepoSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 20, tzinfo=UTC)


def with_model(llm: LlmSettings | None, folder: Path) -> Settings:
    repos = (RepoSettings(name="ada/engine", url="https://git.example/ada/engine.git"),)
    return Settings(first_day=date(2026, 1, 5), data_dir=folder, repos=repos, llm=llm)


def test_the_names_are_those_under_which_endpoints_are_asked(tmp_path: Path) -> None:
    two_keys = EndpointSettings(base_url="https://llm.example/other/v1", model="m")
    llm = LlmSettings(
        base_url="https://llm.example/v1",
        model="m",
        fallback=(EndpointSettings(base_url="http://127.0.0.1:8000/v1", model="m"), two_keys, two_keys),
    )
    names = named_endpoints(with_model(llm, tmp_path))
    assert names == [
        ("llm.example", "m"),
        ("127.0.0.1:8000", "m"),
        ("llm.example#2", "m"),
        ("llm.example#3", "m"),
    ]
    assert names == [(config.host, config.model) for config in endpoint_configs(llm, {})]


def test_what_is_known_of_others_is_left_out(tmp_path: Path) -> None:
    llm = LlmSettings(base_url="https://llm.example/v1", model="new")
    rows = [
        {"endpoint": "llm.example", "model": model, "since": NOW, "is_up": is_up}
        for model, is_up in (("old", False), ("new", True))
    ]
    settings = with_model(llm, tmp_path)
    assert [state.model for state in endpoints_in_use(settings, rows, now=NOW).values()] == ["new"]
    [never_asked] = endpoints_in_use(settings, rows[:1], now=NOW).values()
    assert (never_asked.model, never_asked.is_up) == ("new", True)
    assert endpoints_in_use(with_model(None, tmp_path), rows, now=NOW) == {}
