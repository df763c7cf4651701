"""What `make install` does after the packages: `.env`, which `dagster dev` reads, and the Dagster home."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from dagster._core.secrets.env_file import get_env_var_dict

from digest_pipeline.errors import ConfigurationError, DigestError
from digest_pipeline.orchestration.instance import open_instance
from digest_pipeline.orchestration.instance_storage import HOME_VARIABLE
from digest_pipeline.settings import Settings, find_file

ENV_NOTE = "# written by make install"
"""The line above the one that is ours in `.env`; the Makefile looks for it too."""

_OUR_LINES = re.compile(rf"(?m)^{ENV_NOTE}\n{HOME_VARIABLE}=.*\n?")


def main() -> None:
    """Name this clone's home in `.env`, for `dagster dev`, and make it with empty databases; for `make install`.

    Webserver and daemon starting together on an empty home would both try to create them.
    """
    data_dir = Path("data")
    file = find_file()
    if file.is_file():
        try:
            data_dir = Settings.load(file).data_dir
        except ConfigurationError as error:
            sys.stderr.write(f"{error}\nUntil that is mended, dagster dev uses {data_dir.absolute()}\n")
    if HOME_VARIABLE not in os.environ and write_env(Path(".env"), data_dir.absolute() / "dagster"):
        sys.stdout.write(f"Wrote {HOME_VARIABLE} into .env\n")
    # The .env of the working folder wins over the environment, as it does for `dagster dev`.
    os.environ.update(get_env_var_dict(str(Path.cwd())))
    try:
        with open_instance(data_dir):
            pass
    except DigestError as error:
        sys.exit(str(error))


def write_env(file: Path, home: Path) -> bool:
    """Set `DAGSTER_HOME` to `home` in `file`, below a note of ours; True where that changed the file.

    A value that a person wrote, one without the note above it, stays.
    """
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    escaped = str(home).replace("\\", "\\\\").replace("'", "\\'")
    ours = f"{ENV_NOTE}\n{HOME_VARIABLE}='{escaped}'\n"
    after = _OUR_LINES.sub(lambda _: ours, before, count=1)
    if after == before:
        if re.search(rf"(?m)^\s*(?:export\s+)?{HOME_VARIABLE}\s*=", before):
            return False
        after = before + ("" if before.endswith("\n") or not before else "\n") + ours
    file.touch(mode=0o600)
    file.write_text(after, encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
