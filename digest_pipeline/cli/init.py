"""`digest init`: a commented digest.toml to begin with."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say
from digest_pipeline.errors import ConfigurationError, UsageError


def template() -> str:
    """The text of a fresh digest.toml, with first_day a week ago."""
    from datetime import timedelta

    from digest_pipeline.pipeline import utc_now

    text = (resources.files("digest_pipeline") / "digest.toml").read_text(encoding="utf-8")
    return text.replace("2026-01-06", f"{utc_now().date() - timedelta(days=7)}", 1)


def init(config: Config = None, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Write a commented digest.toml to begin with. An existing file is never overwritten."""
    del quiet, verbose
    from digest_pipeline.settings import Settings, find_file

    file = find_file(config)
    text = template()
    Settings.parse(text, file=file)  # what is written here is read by everything else
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with Path(file).open("x", encoding="utf-8") as handle:
            handle.write(text)
    except OSError as error:
        if isinstance(error, FileExistsError) and os.path.lexists(file):
            raise UsageError(
                f"{file} exists already and is left as it is; edit it, or name another with --config"
            ) from None
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
    result_line(file.absolute())
    say(f"wrote {file}: name your repositories in it, then `digest doctor`, then `digest run`")
