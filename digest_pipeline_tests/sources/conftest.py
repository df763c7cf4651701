"""What the tests of all sources share: the repository that they read, and quick connections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest

from digest_pipeline_tests.fakes.repositories import NastyRepository, nasty_repository

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> NastyRepository:
    """The repository with everything in it; whoever changes it makes one of their own."""
    return nasty_repository(tmp_path_factory.mktemp("nasty") / "engine")


@pytest.fixture(scope="session")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a single certificate authority."""
    end = "-----END CERTIFICATE-----\n"
    everybody = Path(certifi.where()).read_text(encoding="utf-8")
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(everybody.partition(end)[0] + end, encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def trust_one_authority(one_authority: Path) -> Iterator[None]:
    """Reading all of them takes a twentieth of a second for each client that a test opens."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_FILE", str(one_authority))
        yield
