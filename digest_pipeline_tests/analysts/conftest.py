"""A scriptable endpoint for each test of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest_pipeline_tests.fakes.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Answers every request well until a test scripts something else."""
    with OpenAIServer() as running:
        yield running
