"""Folders for what is measured."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """A new folder, gone afterwards with all that is in it, also where something still writes there."""
    folder = Path(tempfile.mkdtemp(prefix=f"digest-{what}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
