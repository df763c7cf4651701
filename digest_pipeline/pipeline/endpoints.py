"""The endpoints that the settings name, as the history knows them: by host and model."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest_pipeline.domain.endpoint import EndpointState, in_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from digest_pipeline.settings import EndpointSettings, LlmSettings, Settings


def named_endpoints(settings: Settings) -> list[tuple[str, str]]:
    """Host and model of `[llm]` and its fallbacks, in the order in which they are asked; none without `[llm]`."""
    if settings.llm is None:
        return []
    from digest_pipeline.analysts.gateway import EndpointConfig  # noqa: PLC0415 - not needed without a model

    configs = [
        EndpointConfig(one.base_url, one.model, number=number) for one, number in numbered(settings.llm)
    ]
    return [(config.host, config.model) for config in configs]


def numbered(llm: LlmSettings) -> list[tuple[EndpointSettings, int]]:
    """The endpoints in the order in which they are asked, those of one host and model counted from 1.

    They differ in their keys or paths: each has a breaker of its own.
    """
    found: list[tuple[EndpointSettings, int]] = []
    for one in (llm, *llm.fallback):
        same = sum(_place(one) == _place(before) for before, _ in found)
        found.append((one, same + 1))
    return found


def _place(one: EndpointSettings) -> tuple[str, str]:
    return urlsplit(one.base_url).netloc, one.model


def endpoints_in_use(
    settings: Settings, rows: Iterable[Mapping[str, object]], *, now: datetime
) -> dict[tuple[str, str], EndpointState]:
    """Their states, from the rows of `sql/pipeline/endpoints.sql`."""
    return in_use(named_endpoints(settings), [EndpointState(**row) for row in rows], now=now)  # type: ignore[arg-type] # as the table holds them
