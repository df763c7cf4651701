"""A GitHub to write to: the contents and issues of one repository, by the rules that its documentation gives.

- a file that is there is replaced by naming its blob: without `sha` 422, with another one 409; of more than a megabyte
  only the object form is shown;
- a body has at most 65,536 characters; an issue needs a title;
- lists have at most 100 entries a page, pull requests among them, newest first;
- a request that writes within a second of another one, or beyond a script's limit, is the test's to count.

What an issue would do to others (`acts`) is looked for as GitHub does: in what Markdown has become, not in code.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, unquote, urlsplit

from markdown_it import MarkdownIt

MOST_CHARACTERS = 65_536
MEGABYTE = 1 << 20
TOKEN = "ghp_q7TokenThatNobodyMaySee42"  # noqa: S105 - made up

_MENTION = re.compile(r"(?<![\w/`])@[A-Za-z\d][\w-]*(?:/[\w-]+)?")
_REFERENCE = re.compile(
    r"(?:(?<=^)|(?<=[\s(\[{>:.,;!?'\"/*_~-])|(?<=[\w.-]))(?:[\w.-]+/[\w.-]+)?#\d+\b|\bGH-\d+\b", re.IGNORECASE
)
_THREAD = re.compile(
    r"(?i)(?<![\w.-])(?:www\.)?github\.com/[^/\s]+/[^/\s]+/(?:issues|pulls?|discussions)/\d+"
)


def acts(markdown: str) -> list[str]:
    """What GitHub would link to people and threads: each is a mention, or leaves a trace somewhere else."""
    found: list[str] = []
    for token in MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(markdown):
        for part in token.children or [token]:
            href = part.attrGet("href") if part.type == "link_open" else None
            if href is not None:
                found += _THREAD.findall(str(href))
            if part.type in {"text", "html_inline", "html_block"}:
                text = re.sub(r"<!--.*?-->|<[^>]*>", "", part.content, flags=re.DOTALL)
                for pattern in (_MENTION, _REFERENCE, _THREAD):
                    found += pattern.findall(text)
    return found


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Answer:
    """What goes back; a `drops` one is done, and never answered."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False


class FakeHub:
    """Serves `repo` while it is entered as a context; `script` answers before the truth does, None lets it through."""

    def __init__(self, repo: str = "acme/news", *, token: str = TOKEN) -> None:
        self.repo = repo
        self.token = token
        self.files: dict[str, bytes] = {}
        self.commits: list[str] = []
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.asked: list[Asked] = []
        self.script: deque[Answer | None] = deque()
        self.clock = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def api_url(self) -> str:
        """What a channel is configured with."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> list[str]:
        """The requests that write, in order."""
        return [f"{one.method} {one.path}" for one in self.asked if one.method != "GET"]

    def text(self, number: int) -> str:
        """An issue with its comments, as a reader sees it."""
        its = [one for one in self.comments.values() if one["issue"] == number]
        return "\n".join([self.issues[number]["body"], *(one["body"] for one in its)])

    def answer(self, asked: Asked) -> Answer:
        """The reply to one request, which is written down."""
        with self._lock:
            self.asked.append(asked)
            scripted = self.script.popleft() if self.script else None
            if scripted is not None and not scripted.drops:
                return scripted
            if asked.headers.get("authorization") != f"Bearer {self.token}":
                return Answer(401, {"message": "Bad credentials"})
            prefix = f"/repos/{self.repo}"
            if not asked.path.startswith(prefix):
                return Answer(404, {"message": "Not Found"})
            truth = self._route(asked, asked.path.removeprefix(prefix))
            return Answer(drops=True) if scripted is not None else truth

    def _route(self, asked: Asked, rest: str) -> Answer:
        if rest == "":
            return Answer(200, {"full_name": self.repo, "permissions": {"push": True}})
        if rest.startswith("/contents/"):
            return self._contents(asked, unquote(rest.removeprefix("/contents/")))
        if match := re.fullmatch(r"/issues(?:/(\d+))?", rest):
            return self._issue(asked, int(match[1])) if match[1] else self._issues(asked)
        if match := re.fullmatch(r"/issues/(\d+)/comments", rest):
            return self._comments(asked, int(match[1]))
        if match := re.fullmatch(r"/issues/comments/(\d+)", rest):
            return self._comment(asked, int(match[1]))
        return Answer(404, {"message": "Not Found"})

    # --- contents ---------------------------------------------------------------------------------------------

    def _contents(self, asked: Asked, path: str) -> Answer:
        known = self.files.get(path)
        if asked.method == "GET":
            return _shown(asked, path, known)
        body = asked.body
        if not isinstance(body, dict) or not isinstance(body.get("message"), str) or "content" not in body:
            return Answer(422, {"message": "Invalid request."})
        if known is not None and body.get("sha") != blob(known):
            wrong = Answer(409, {"message": f"{path} does not match {body.get('sha')}"})
            return wrong if "sha" in body else Answer(422, {"message": '"sha" wasn\'t supplied.'})
        self.files[path] = base64.b64decode(body["content"], validate=True)
        self.commits.append(body["message"])
        return Answer(201 if known is None else 200, {"content": {"sha": blob(self.files[path])}})

    # --- issues -----------------------------------------------------------------------------------------------

    def _issues(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return self._page(asked, sorted(self.issues.values(), key=lambda one: -one["number"]))
        if refused := _invalid(asked.body, needs_title=True):
            return refused
        number = len(self.issues) + 1
        self.issues[number] = {
            "number": number,
            "state": "open",
            "user": {"login": "digest", "type": "User"},
            "author_association": "OWNER",
            "comments": 0,
            "title": asked.body["title"],
            "body": asked.body.get("body"),
        }
        return Answer(201, dict(self.issues[number]))

    def _issue(self, asked: Asked, number: int) -> Answer:
        issue = self.issues.get(number)
        if issue is None:
            return Answer(410, {"message": "This issue was deleted"})
        if asked.method == "PATCH":
            if refused := _invalid(asked.body):
                return refused
            issue |= {key: asked.body[key] for key in ("title", "body", "state") if key in asked.body}
        return Answer(200, dict(issue))

    def _comments(self, asked: Asked, number: int) -> Answer:
        if asked.method == "GET":
            return self._page(asked, [one for one in self.comments.values() if one["issue"] == number])
        if refused := _invalid(asked.body):
            return refused
        key = max(self.comments, default=1000) + 1
        its = {"id": key, "issue": number, "body": asked.body["body"], "author_association": "OWNER"}
        self.comments[key] = its
        self.issues[number]["comments"] += 1
        return Answer(201, its)

    def _comment(self, asked: Asked, key: int) -> Answer:
        if key not in self.comments:
            return Answer(404, {"message": "Not Found"})
        if asked.method == "DELETE":
            self.issues[self.comments.pop(key)["issue"]]["comments"] -= 1
            return Answer(204)
        if refused := _invalid(asked.body):
            return refused
        self.comments[key]["body"] = asked.body["body"]
        return Answer(200, self.comments[key])

    def _page(self, asked: Asked, items: list[Any]) -> Answer:
        size = min(int(asked.query.get("per_page", 30)), 100)
        start = (int(asked.query.get("page", 1)) - 1) * size
        state = asked.query.get("state", "open")
        shown = [one for one in items if state == "all" or one.get("state", state) == state]
        return Answer(200, shown[start : start + size])


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[FakeHub]

    def _take(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(raw) if raw else None
        reply = self.hub.answer(Asked(self.command, parts.path, query, body, headers))
        if reply.drops:
            self.close_connection = True
            return
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815 - the base class asks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def _shown(asked: Asked, path: str, content: bytes | None) -> Answer:
    if content is None:
        return Answer(404, {"message": "Not Found"})
    if len(content) > MEGABYTE and "object" not in asked.headers.get("accept", ""):
        return Answer(403, {"message": "This API returns blobs up to 1 MB in size."})
    return Answer(200, {"type": "file", "path": path, "sha": blob(content), "size": len(content)})


def blob(content: bytes) -> str:
    """The name that git gives to a file with this content."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _invalid(body: Any, *, needs_title: bool = False) -> Answer | None:  # noqa: ANN401 - JSON
    if needs_title and not body.get("title"):
        return Answer(
            422, {"message": "Validation Failed", "errors": [{"field": "title", "code": "missing_field"}]}
        )
    if len(body.get("body") or "") > MOST_CHARACTERS:
        error = {"field": "body", "message": f"body is too long (maximum is {MOST_CHARACTERS} characters)"}
        return Answer(422, {"message": "Validation Failed", "errors": [error]})
    return None
