"""The site's folder: what in it is ours, written as a whole or not at all, and nothing else touched.

What was written stands in a manifest, before it is written: a build that is killed leaves nothing of which the next
one could not tell whose it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest_pipeline.errors import UsageError
from digest_pipeline.pipeline.pages import revision, write_page
from digest_pipeline.pipeline.site_state import OURS, STAMP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MANIFEST = f"{OURS}/manifest.json"
_DOCUMENTS = f"{OURS}/documents"
_NOT_COUNTED = {".git"}


@dataclass
class SiteFolder:
    """A folder with a site of ours in it, or with nothing.

    `files` are the files of the site by their path with the hash of each, `days` what was kept of each repo's day,
    `pages` what each of the other pages was made from.
    """

    path: Path
    files: dict[str, str] = field(default_factory=dict)
    days: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    written: int = 0
    removed: int = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[SiteFolder]:
        """The folder, made where there is none, for one build at a time.

        Raises UsageError where it holds something that no build wrote.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror or error}; name another --out"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield cls._read(path)
        finally:
            os.close(handle)

    @classmethod
    def _read(cls, path: Path) -> SiteFolder:
        file = path / _MANIFEST
        if not file.is_file():
            strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _NOT_COUNTED)
            if strangers and strangers != [OURS]:
                raise UsageError(
                    f"{path} is not empty and holds no site of ours ({strangers[0]} lies in it); "
                    "name an empty folder with --out, or empty this one"
                )
            return cls(path)
        try:
            kept = json.loads(file.read_bytes())
            return cls(path, dict(kept["files"]), dict(kept["days"]), dict(kept.get("pages", {})))
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{file} cannot be read, so that nobody can tell which files are the site's; "
                f"remove {path}, or name another --out"
            ) from None

    @property
    def documents(self) -> Path:
        """The folder of what the search is made from."""
        return self.path / _DOCUMENTS

    def plan(self, paths: Collection[str]) -> None:
        """Claim `paths` before any of them is written. Raises UsageError where one is somebody else's."""
        new = [path for path in paths if path not in self.files]
        for path in new:
            if (self.path / path).exists():
                raise UsageError(
                    f"{self.path / path} is not of a site of ours, and would be overwritten; "
                    "move it away, or name another --out"
                )
        if new:
            self.files |= dict.fromkeys(new, "")
            self._save()

    def stands(self, path: str) -> bool:
        """Whether a file is there that was written once; what it says is taken on trust."""
        return bool(self.files.get(path)) and (self.path / path).is_file()

    def write(self, path: str, content: str) -> None:
        """Write a file that was planned. Raises StoreError."""
        if write_page(self.path / path, content):
            self.written += 1
        self.files[path] = revision(content)

    def write_document(self, path: str, content: str) -> bool:
        """Write what the search is made from; True where it said something else before. Raises StoreError."""
        return write_page(self.documents / path, content)

    def keep_only(self, paths: Collection[str], documents: Collection[str], search: str) -> bool:
        """Remove what was ours and is no more; True where the search, in its folder, is out of date for that."""
        kept = set(paths)
        for path in [path for path in self.files if path not in kept and not path.startswith(f"{search}/")]:
            if (self.path / path).is_file():
                (self.path / path).unlink()
                self.removed += 1
            self._remove_empty((self.path / path).parent, self.path)
            del self.files[path]
        wanted = set(documents)
        stale = [
            file
            for file in self.documents.rglob("*.html")
            if file.relative_to(self.documents).as_posix() not in wanted
        ]
        for file in stale:
            file.unlink()
            self._remove_empty(file.parent, self.documents)
        return bool(stale)

    def take_over(self, source: Path, name: str) -> None:
        """Bring the files of `source` into the folder `name`, its entry last; what they replace goes then.

        All but the entry have their content in their names, so that a reader at any moment finds what belongs together.
        """
        target = self.path / name
        new = sorted(file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file())
        new.sort(key=lambda path: path.endswith("entry.json"))
        before = {path for path in self.files if path.startswith(f"{name}/")}
        self.plan([f"{name}/{path}" for path in new if f"{name}/{path}" not in self.files])
        for path in new:
            data = (source / path).read_bytes()
            old = target / path
            if not old.is_file() or old.read_bytes() != data:
                old.parent.mkdir(parents=True, exist_ok=True)
                (source / path).replace(old)
                self.written += 1
            self.files[f"{name}/{path}"] = revision(data.hex())
        for path in before - {f"{name}/{path}" for path in new}:
            (self.path / path).unlink(missing_ok=True)
            self.removed += 1
            del self.files[path]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the same disk, for what is taken over; it is gone afterwards."""
        (self.path / OURS).mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self.path / OURS, prefix="index."))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def done(self, stamp: str) -> None:
        """Note what the site was made from, and when: `built` reads it."""
        self._save()
        write_page(self.path / STAMP, stamp + "\n")
        with suppress(OSError):
            os.utime(self.path / STAMP)

    def _save(self) -> None:
        parts: dict[str, dict[str, Any]] = {"files": self.files, "days": self.days, "pages": self.pages}
        kept = {name: dict(sorted(part.items())) for name, part in parts.items()}
        write_page(self.path / _MANIFEST, json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")

    @staticmethod
    def _remove_empty(folder: Path, top: Path) -> None:
        while folder != top and folder.is_relative_to(top):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent
