"""What a site was made from, and what it would be made from now: a stamp that is compared, nothing that is rendered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from digest_pipeline.domain.site import Built
from digest_pipeline.pipeline.code_version import code_version

if TYPE_CHECKING:
    from pathlib import Path

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.settings import Settings

OURS = ".digest-site"
"""The folder in a site's folder that only builds read; no server shows it."""

STAMP = f"{OURS}/stamp"

SITE_CODE = (
    *("domain", "render", "site", "analysts/offline.py", "analysts/texts"),
    *(f"pipeline/{name}.py" for name in ("contents", "story", "headlines", "readers", "site", "site_folder")),
)
"""All that decides what stands on the site: its looks, and what fills its pages and feeds in."""


def site_folder(settings: Settings) -> Path:
    """Where the site lies unless somebody says otherwise."""
    return settings.data_dir / "site"


def site_stamp(settings: Settings, state: str) -> str:
    """What a site that is up to date was made from: settings, code, and `state`, the hash of all digests."""
    return hashed(settings_hash(settings, settings.language), state)


def built(folder: Path) -> Built | None:
    """What the site in a folder was made from, and when; None where there is none."""
    try:
        file = folder / STAMP
        stamp = file.read_text(encoding="utf-8", errors="replace").strip()
        return Built(stamp, datetime.fromtimestamp(file.stat().st_mtime, UTC))
    except OSError:
        return None


def settings_hash(settings: Settings, language: Language) -> str:
    """Another one where the settings, or the code, make other pages."""
    return hashed(
        _version(),
        language,
        settings.timezone.key,
        f"{settings.report.show_reasons}",
        settings.site.url or "",
        *feed_languages(settings),
    )


def feed_languages(settings: Settings) -> list[Language]:
    """The languages that the settings ask a feed for: their own, and those of readers."""
    return sorted({settings.language, *(reader.language for reader in settings.readers())})


def hashed(*parts: str) -> str:
    """A short hash over all of `parts`."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


@cache
def _version() -> str:
    return code_version(*SITE_CODE)
