"""What the search is made from: a plain document for each page, and the program that makes an index of them.

Pagefind's own build here does not know where a word of Chinese ends. So each of its characters stands alone, and
a row of them is asked for as a phrase: that finds any part of a sentence, whatever counts as a word. `app.js`
takes questions apart by the same pattern.
"""

from __future__ import annotations

import re
import subprocess
from html import escape
from typing import TYPE_CHECKING

from digest_pipeline.errors import DigestError
from digest_pipeline.site.places import anchor
from digest_pipeline.site.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from digest_pipeline.domain.page import CommitEntry, RepoPage
    from digest_pipeline.site.words import Words

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SIGN = re.compile(f"([{_CJK}])")
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_JOINED = re.compile(r"\w[^\w\s]+\w|_")
_LONGEST = 2000
_MOST_PATHS = 200
_LANGUAGE = "en"
"""By whose rules words are brought to their stem: messages are written in English, and Chinese has no stems."""


def document(page: RepoPage, words: Words) -> str:
    """What can be found on a page: each commit's title, summary and paths, below the id of its section."""
    title = one_line(f"{page.repo} · {words.full_date(page.day)}")
    opening = [page.headline.text] if page.headline else []
    opening += [mention.line for part in page.parts for mention in part.mentions]
    opening += [theme.name for theme in page.themes]
    lines = [
        f'<!doctype html>\n<html lang="{_LANGUAGE}">\n<head><title>{escape(title)}</title></head>\n<body>',
        f'<h1 id="content">{escape(title)}</h1>',
        f"<p>{_spaced(opening)}</p>",
    ]
    for commit in page.commits:
        lines += _commit(commit)
    return "\n".join([*lines, "</body>\n</html>\n"])


def make_index(documents: Path, folder: Path) -> None:
    """Make the index of all documents below `documents`, in `folder`. Raises DigestError."""
    from pagefind.service import get_executable  # noqa: PLC0415 - with asyncio, 50 ms that only a build needs

    program = get_executable()
    if program is None:
        raise DigestError("the search cannot be made: pagefind is missing; pip install 'pagefind[bin]'")
    command = [str(program), "--site", str(documents), "--output-path", str(folder)]
    command += ["--force-language", _LANGUAGE, "--keep-index-url", "--silent"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise DigestError(f"the search cannot be made: {program}: {error.strerror or error}") from None
    if ran.returncode:
        said = " ".join((ran.stderr or ran.stdout).split())[-200:]
        raise DigestError(f"the search cannot be made: pagefind ended with {ran.returncode}: {said}")


def is_needed(name: str) -> bool:
    """Whether a file that pagefind wrote is asked for by `app.js`; the rest is its own looks."""
    return "/" in name or name.endswith((".pagefind", ".pf_meta")) or name in _CORE


_CORE = {"pagefind.js", "pagefind-worker.js", "pagefind-entry.json"}


def tokens(text: str) -> list[str]:
    """The words of `text` as they are looked for; each sign of Chinese or Japanese is one."""
    return _TOKEN.findall(text.lower())


def _commit(commit: CommitEntry) -> Iterator[str]:
    # What is shown of it comes first, what only helps to find it after an id of its own.
    name = anchor(commit.sha)
    summary = [] if commit.analysis is None else commit.analysis.summary
    yield f'<h3 id="{name}">{escape(one_line(commit.title) or commit.sha[:7])}</h3>'
    yield f"<p>{_spaced(summary)}</p>"
    more = [commit.title, *(word for line in summary for word in line.split() if _JOINED.search(word))]
    found = [commit.sha[:7], commit.sha[:12], *(token for text in more for token in tokens(text))]
    paths = dict.fromkeys(" ".join(tokens(path)) for path in commit.paths[:_MOST_PATHS])
    yield f'<p id="x{name}">{escape(one_line(" ".join(found), _LONGEST))} {escape(" · ".join(paths))}</p>'


def _spaced(texts: Iterable[str]) -> str:
    return escape(" ".join(_SIGN.sub(r" \1 ", one_line(text, _LONGEST)) for text in texts))
