"""Pages as GitHub issues: one for each reader's day, edited when the day heals, closed when the next one comes.

What says which issue is whose stands in its body, as a comment that nobody sees: an issue that was opened a moment
before a crash is found again by it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from digest_pipeline.deliver.issue_markdown import MOST, pieces, quiet
from digest_pipeline.domain.delivery import RECENT_DAYS, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest_pipeline.deliver.hub import Hub
    from digest_pipeline.domain.delivery import Parcel

_PER_PAGE = 100
_MOST_PAGES = 10
_CLOSED = {"state": "closed", "state_reason": "completed"}
_GONE = frozenset({404, 410})
_MARKER = re.compile(r"<!-- digest: channel=(\S+) reader=(\S*) day=(\d{4}-\d\d-\d\d)(?: part=(\d+))? -->")
# Who may not write in a repository may open an issue, with a copied marker in it.
_STRANGERS = frozenset({"NONE", "CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN"})


@dataclass(frozen=True, slots=True)
class _Mark:
    """Whose issue it is, and which part of the page; the first part is its body."""

    channel: str
    reader: str
    day: date
    part: int = 1

    def __str__(self) -> str:
        part = f" part={self.part}" if self.part > 1 else ""
        return f"<!-- digest: channel={self.channel} reader={self.reader} day={self.day}{part} -->"

    @classmethod
    def of(cls, body: object) -> _Mark | None:
        found = _MARKER.match(body) if isinstance(body, str) else None
        if found is None:
            return None
        try:
            return cls(found[1], found[2], date.fromisoformat(found[3]), int(found[4] or 1))
        except ValueError:
            return None


class GitHubIssue:
    """`Channel`: an issue for each reader's day; what is too long for it goes on in its comments."""

    def __init__(self, hub: Hub, *, channel: str, host: str) -> None:
        self._hub = hub
        self._channel = channel
        self._host = host

    def deliver(self, parcel: Parcel, remote: str | None, previous: str | None = None) -> Receipt:
        """See `Channel.deliver`. Whatever was there before of the same reader is closed."""
        mark = _Mark(self._channel, parcel.reader, parcel.day)
        texts = [
            f"{_Mark(mark.channel, mark.reader, mark.day, part)}\n\n{piece}"
            for part, piece in enumerate(pieces(quiet(parcel.markdown, host=self._host), MOST), start=1)
        ]
        number = _number(remote)
        issue = self._hub.ask("GET", f"/issues/{number}", within=_GONE) if number is not None else None
        others: list[Any] = []
        if not isinstance(issue, dict):  # none yet, or somebody deleted it
            mine = list(self._marked(mark))
            issue = next((one for one in mine if _Mark.of(one["body"]) == mark), None)
            others = [one for one in mine if _Mark.of(one["body"]) != mark]
        if issue is None:
            issue = self._hub.ask("POST", "/issues", {"title": parcel.title, "body": texts[0]})
        elif issue.get("body") != texts[0] or issue.get("title") != parcel.title:
            self._hub.ask("PATCH", f"/issues/{issue['number']}", {"title": parcel.title, "body": texts[0]})
        number = int(issue["number"])
        self._go_on(number, texts[1:], has_comments=bool(issue.get("comments", 1)))
        self._close_older(mark, others, issue)
        if remote is None and (older := _number(previous)) not in {None, *(one["number"] for one in others)}:
            self._hub.ask("PATCH", f"/issues/{older}", _CLOSED, within=_GONE)
        return Receipt(json.dumps({"issue": number}), f"{self._hub.repo}#{number}")

    def check(self) -> str:
        """See `Channel.check`."""
        self._hub.check("give it the right to write issues")
        return f"issues in {self._hub.repo}"

    def close(self) -> None:
        """See `Channel.close`."""
        self._hub.close()

    def _marked(self, mark: _Mark) -> Iterator[dict[str, Any]]:
        """The issues of the same channel and reader from the days about `mark`, newest first."""
        since = mark.day - timedelta(days=RECENT_DAYS)
        for page in range(1, _MOST_PAGES + 1):
            query = f"state=all&since={since}T00:00:00Z&per_page={_PER_PAGE}&page={page}"
            found = self._hub.ask("GET", f"/issues?{query}")
            for issue in found if isinstance(found, list) else ():
                its = _Mark.of(issue.get("body"))
                is_ours = its is not None and (its.channel, its.reader) == (mark.channel, mark.reader)
                if is_ours and "pull_request" not in issue and not _is_strangers(issue):
                    yield issue
            if not isinstance(found, list) or len(found) < _PER_PAGE:
                return

    def _go_on(self, number: int, texts: list[str], *, has_comments: bool) -> None:
        """What did not fit, as comments in their order; comments of a longer page before are deleted."""
        if not texts and not has_comments:
            return
        there: dict[int, dict[str, Any]] = {}
        for page in range(1, _MOST_PAGES + 1):
            found = self._hub.ask("GET", f"/issues/{number}/comments?per_page={_PER_PAGE}&page={page}")
            for comment in found if isinstance(found, list) else ():
                its = _Mark.of(comment.get("body"))
                if its is not None and its.part > 1 and not _is_strangers(comment):
                    there.setdefault(its.part, comment)
            if not isinstance(found, list) or len(found) < _PER_PAGE:
                break
        for part, text in enumerate(texts, start=2):
            comment = there.pop(part, None)
            if comment is None:
                self._hub.ask("POST", f"/issues/{number}/comments", {"body": text})
            elif comment["body"] != text:
                self._hub.ask("PATCH", f"/issues/comments/{comment['id']}", {"body": text})
        for comment in there.values():
            self._hub.ask("DELETE", f"/issues/comments/{comment['id']}", within=_GONE)

    def _close_older(self, mark: _Mark, others: list[Any], own: dict[str, Any]) -> None:
        """One issue of a reader is open: that of the newest day, whichever comes last."""
        days = {one["number"]: its.day for one in others if (its := _Mark.of(one["body"])) is not None}
        newest = max([mark.day, *days.values()])
        for issue in [*others, own]:
            day = days.get(issue["number"], mark.day)
            if day < newest and issue.get("state", "open") == "open":
                self._hub.ask("PATCH", f"/issues/{issue['number']}", _CLOSED)


def _number(remote: str | None) -> int | None:
    try:
        return int(json.loads(remote)["issue"]) if remote else None
    except (ValueError, TypeError, KeyError):
        return None


def _is_strangers(thing: dict[str, Any]) -> bool:
    """Whether somebody wrote it who may not write in the repository; an app's association says nothing."""
    user = thing.get("user")
    is_bot = isinstance(user, dict) and user.get("type") == "Bot"
    return thing.get("author_association") in _STRANGERS and not is_bot
