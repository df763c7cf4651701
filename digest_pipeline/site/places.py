"""Where each page of the site lies, counted from its folder, and how one leads to another, wherever it is served."""

from __future__ import annotations

import posixpath
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language

START = "index.html"
STYLE = "style.css"
SCRIPT = "app.js"
ICON = "favicon.svg"
SEARCH = "pagefind"
"""The folder of the search."""


def repo_page(repo: str) -> str:
    """A repo's own page."""
    return f"{repo}/index.html"


def repo_day(repo: str, day: date) -> str:
    """The page of a repo and day, which has the section of each commit."""
    return f"{repo}/{day}.html"


def day_page(day: date) -> str:
    """The page of a day over all repos."""
    return f"days/{day}.html"


def week_page(day: date) -> str:
    """The page of the ISO week that holds `day`."""
    return f"weeks/{week_name(day)}.html"


def week_name(day: date) -> str:
    """`2026-W08`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def monday(day: date) -> date:
    """The first day of the ISO week that holds `day`."""
    return day - timedelta(days=day.weekday())


def feed_file(repo: str, language: Language) -> str:
    """A repo's feed in one language."""
    return f"feeds/{repo}.{language}.xml"


def anchor(sha: str) -> str:
    """The id of a commit's section; the page of its repo and day has it exactly once."""
    return f"c-{sha[:12]}"


def relative(here: str, there: str, fragment: str = "") -> str:
    """The address of the page `there` on the page `here`, as it stands in a link."""
    if here == there and fragment:
        return f"#{fragment}"
    path = quote(posixpath.relpath(there, posixpath.dirname(here) or "."), safe="/@+")
    return f"{path}#{fragment}" if fragment else path


def absolute(base: str, there: str, fragment: str = "") -> str:
    """The address of a page at the site's own address; a page called index.html is its folder's."""
    path = quote(there.removesuffix(START), safe="/@+")
    return f"{base.rstrip('/')}/{path}" + (f"#{fragment}" if fragment else "")
