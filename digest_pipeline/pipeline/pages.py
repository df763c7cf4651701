"""Pages as files: where they lie, and how they are written."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from digest_pipeline.errors import StoreError
from digest_pipeline.store.history import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from digest_pipeline.domain.analysis import Language
    from digest_pipeline.store.place import Place

_MOST_LOOKS = 8
PREVIEW_CHARACTERS = 6000
"""What a shell may show of a page without opening it."""


def report_path(repo: str, day: date) -> str:
    """Where a repo's page lies, counted from the data folder."""
    return f"reports/{repo}/{day:%Y}/{day}.md"


def digest_path(day: date) -> str:
    """Where the digest of a day lies, counted from the data folder."""
    return f"reports/daily/{day:%Y}/{day}.md"


def reader_path(reader: str, day: date) -> str:
    """Where a reader's page of a day lies, counted from the data folder."""
    return f"reports/readers/{reader}/{day:%Y}/{day}.md"


def revision(text: str) -> str:
    """A hash that changes exactly when the page does."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def preview(markdown: str) -> str:
    """The head of a page, ending with a whole line; the page itself where it is short."""
    if len(markdown) <= PREVIEW_CHARACTERS:
        return markdown
    return markdown[: markdown.rfind("\n", 0, PREVIEW_CHARACTERS)] + "\n\n…\n"


def settle(
    paths: Mapping[date, Path], revisions: Callable[[], Mapping[date, str]], text: Callable[[date], str]
) -> None:
    """Have each file say what is stored, whoever stored it last: another run may be making the same days.

    To be called once what this run wrote into the files is stored. Of two runs the one that stored last finds the
    file of the other; one that puts a stored text into a file looks again. Raises StoreError.
    """
    left = dict(paths)
    for _ in range(_MOST_LOOKS):
        if not left:
            return
        stored = revisions()
        left = {day: path for day, path in left.items() if day in stored and _hash_of(path) != stored[day]}
        for day, path in left.items():
            write_page(path, text(day))


def _hash_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return None


def write_page(path: Path, text: str) -> bool:
    """Write `text` to `path` as a whole or not at all; True where the file said something else before.

    Raises StoreError where it cannot be written.
    """
    data = text.encode("utf-8", "replace")
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        # Named before it is there: Ctrl-C may come as soon as it is.
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
        try:
            with temporary.open("xb") as file:
                file.write(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"{path} cannot be written: {reason}; free some space or check its rights") from None
    return True


def write_stored_pages(place: Place, data_dir: Path, language: Language) -> Iterator[Path]:
    """Write every page that the history in `place` holds to where it lies; the path of each. Raises StoreError.

    One that was made in several languages comes in `language`, else in the newest.
    """
    after = ""
    with reading(place) as read:
        while pages := read("pipeline/stored_pages", {"after": after, "language": language}):
            for page in pages:
                after = page["path"]
                # A history may come from somebody else.
                parts = PurePosixPath(after).parts
                if parts[:1] != ("reports",) or ".." in parts:
                    raise StoreError(
                        f'the history in {place} names a page "{after}", which lies outside of reports/'
                    )
                write_page(data_dir / after, page["markdown"])
                yield data_dir / after
