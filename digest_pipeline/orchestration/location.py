"""Which settings a code location has: those of digest.toml, else the history of the clone that it stands in."""

import os
from pathlib import Path

import dagster as dg

from digest_pipeline.compose import settings_for_clone
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.build import build_defs
from digest_pipeline.settings import CONFIG_VARIABLE, Settings, find_file

_CLONE = Path(__file__).resolve().parents[2]


def load_location() -> dg.Definitions:
    """The definitions of this process.

    Without a digest.toml they are over the clone's own history, so that the UI can be tried at once; a
    settings file that is named, or is wrong, is never passed over.
    """
    file = find_file()
    if file.exists() or os.environ.get(CONFIG_VARIABLE):
        return build_defs(Settings.load())
    if _CLONE.name in {"site-packages", "dist-packages"}:  # of a wheel, what lies around it is a stranger's
        raise DigestError(
            f"there is no {file}; `digest init` writes one, or name yours with {CONFIG_VARIABLE}"
        )
    try:
        settings = settings_for_clone(_CLONE, data_dir=Path.cwd() / "data")
    except DigestError as error:
        raise DigestError(f"there is no {file} ({error}); `digest init` writes one") from None
    return build_defs(settings, today=True)
