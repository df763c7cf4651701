"""A GitHub on loopback: real sockets, a real repository behind it, and a script of what goes wrong.

It answers the questions that a reader of histories asks, in GitHub's shapes, by asking git one file at a
time: slow and simple, and nothing of it is shared with the sources that are tested against it. What it
knows of GitHub's habits:

- lists have at most 100 entries a page, the files of a commit 300 and 3,000 in all; `Link` leads on, by the
  repository's number instead of its name;
- a page of files carries only so many lines of patches, and the files behind them lose theirs;
- without lines there is neither `patch` nor any word on whether a file is binary, moved or empty;
- an empty repository answers 409 for commits and 404 for its branch, a private one 404 for all;
- GraphQL answers nobody without a token, and with 200 where it has only complaints.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from digest_pipeline_tests.fakes import graphql
from digest_pipeline_tests.fakes.repositories import GitFailed, git

if TYPE_CHECKING:
    from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_STATUS = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}

Json = Any
_T = TypeVar("_T")
Alteration = Callable[[Json], Json]


@dataclass(frozen=True)
class Request:
    """A request as it came; header names in small letters."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What goes back: `body` is JSON, or bytes as they are. `hang_up` closes the connection instead."""

    status: int = 200
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


HANG_UP = Reply(hang_up=True)
SERVER_ERROR = Reply(502, b"<html>Unicorn!</html>", {"Content-Type": "text/html"})


def primary_limit(*, reset_at: float, status: int = 403) -> Reply:
    """The hourly allowance is used up."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{reset_at:.0f}"}
    return Reply(status, {"message": "API rate limit exceeded for user ID 1."}, headers)


def secondary_limit(*, retry_after: str | None = None, status: int = 403) -> Reply:
    """Too much at once; GitHub does not always say for how long to wait."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(status, {"message": "You have exceeded a secondary rate limit. Please wait."}, headers)


def error(status: int, message: str) -> Reply:
    """An error in GitHub's form."""
    return Reply(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})


@dataclass(frozen=True)
class Pull:
    """A pull request, as its page shows it."""

    title: str
    labels: tuple[str, ...] = ()
    body: str = ""


@dataclass
class _Rule:
    pattern: re.Pattern[str]
    reply: Reply | None
    alter: Alteration | None
    times: int | None


class FakeGitHub:
    """Serves `repositories` (by owner/name, a folder each) while it is entered as a context.

    `tokens` are those that may read; without any, everybody may. `pulls` are the pull requests of all its
    repositories, by number. `patch_lines_per_page`, `max_files` and
    `max_tree_entries` are GitHub's own limits, made small enough for a test to reach.
    """

    def __init__(
        self,
        repositories: Mapping[str, Path],
        *,
        tokens: Iterable[str] = (),
        patch_lines_per_page: int = 20_000,
        max_files: int = 3000,
        max_tree_entries: int = 100_000,
        prefix: str = "",
    ) -> None:
        self.requests: list[Request] = []
        self.tokens = set(tokens)
        self.pulls: dict[int, Pull] = {}
        self.patch_lines_per_page = patch_lines_per_page
        self.max_files = max_files
        self.max_tree_entries = max_tree_entries
        self._names = list(repositories)
        self._folders = list(repositories.values())
        self._moved: dict[str, str] = {}
        self._script: deque[Reply] = deque()
        self._rules: list[_Rule] = []
        self._prefix = prefix
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
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
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api_url(self) -> str:
        """What a source is configured with; GitHub Enterprise Server has a `prefix` of /api/v3."""
        return self.origin + self._prefix

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.requests]

    # --- the script -----------------------------------------------------------------------------------------

    def next_responses(self, replies: Iterable[Reply]) -> None:
        """Answer the next requests with these, whatever they ask for."""
        self._script.extend(replies)

    def on(
        self,
        pattern: str,
        reply: Reply | None = None,
        *,
        alter: Alteration | None = None,
        times: int | None = None,
    ) -> None:
        """Answer requests whose path and query contain `pattern` with `reply`, or with the altered truth.

        For the next `times` of them, else for all. The rule that was made first goes first.
        """
        self._rules.append(_Rule(re.compile(pattern), reply, alter, times))

    def rename(self, old: str, new: str) -> None:
        """Give a repository another name: the old one redirects, as after a rename or transfer."""
        self._names[self._names.index(old)] = new
        self._moved[old] = new

    # --- answering ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """The reply to one request, which is written down."""
        with self._lock:
            self.requests.append(request)
            if self._script:
                return self._script.popleft()
            rule = self._rule_for(request)
        if rule is not None and rule.reply is not None:
            return rule.reply
        is_graph = request.path == f"{self._prefix.removesuffix('/v3')}/graphql"
        reply = self._graph(request) if is_graph else self._route(request)
        if rule is not None and rule.alter is not None:
            return Reply(reply.status, rule.alter(reply.body), reply.headers)
        return reply

    def _rule_for(self, request: Request) -> _Rule | None:
        for rule in self._rules:
            if rule.times != 0 and rule.pattern.search(f"{request.path}?{urlencode(request.query)}"):
                rule.times = None if rule.times is None else rule.times - 1
                return rule
        return None

    def _route(self, request: Request) -> Reply:
        path = request.path.removeprefix(self._prefix)
        match = re.fullmatch(r"/(?:repos/(?P<name>[^/]+/[^/]+)|repositories/(?P<id>\d+))(?P<rest>/.*)?", path)
        if match is None or request.method != "GET":
            return error(404, "Not Found")
        if self.tokens:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if token and (scheme != "Bearer" or token not in self.tokens):
                return error(401, "Bad credentials")
            if not token:
                return error(404, "Not Found")
        rest = match["rest"] or ""
        name = unquote(match["name"] or "")
        if name in self._moved:
            number = self._names.index(self._moved[name])
            query = f"?{urlencode(request.query)}" if request.query else ""
            location = f"{self.api_url}/repositories/{number}{rest}{query}"
            return Reply(301, {"message": "Moved Permanently", "url": location}, {"Location": location})
        number = self._names.index(name) if name in self._names else int(match["id"] or len(self._names))
        if number >= len(self._names):
            return error(404, "Not Found")
        return self._answer_about(number, rest, request.query)

    def _answer_about(self, number: int, rest: str, query: Mapping[str, str]) -> Reply:
        folder = self._folders[number]
        url = f"{self.api_url}/repositories/{number}{rest}"
        match rest.removeprefix("/").split("/", 1):
            case [""]:
                reply = self._about(number)
            case ["branches"]:
                reply = _branches(folder, query, url)
            case ["contents", path]:
                reply = _contents(folder, unquote(path), query.get("ref", "HEAD"))
            case ["branches", name]:
                reply = _branch(folder, unquote(name))
            case ["commits", *_] if not git(folder, "for-each-ref", "--count=1"):
                reply = error(409, "Git Repository is empty.")
            case ["commits"]:
                reply = _commits(folder, query, url)
            case ["commits", sha]:
                reply = self._commit(folder, unquote(sha), query, url)
            case ["git", tree] if tree.startswith("trees/"):
                reply = self._tree(folder, tree.removeprefix("trees/"))
            case _:
                reply = error(404, "Not Found")
        return reply

    def _about(self, number: int) -> Reply:
        owner, _, name = self._names[number].partition("/")
        return Reply(
            200,
            {
                "id": number,
                "name": name,
                "full_name": f"{owner}/{name}",
                "owner": {"login": owner},
                "private": bool(self.tokens),
                "default_branch": git(self._folders[number], "symbolic-ref", "--short", "HEAD")
                .decode()
                .strip(),
            },
        )

    def _graph(self, request: Request) -> Reply:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if request.method != "POST" or not token:
            return error(403, "API rate limit exceeded for 127.0.0.1. (But here's the good news: …)")
        if scheme != "Bearer" or (self.tokens and token not in self.tokens):
            return error(401, "Bad credentials")
        asked = json.loads(request.body)
        variables = asked.get("variables", {})
        try:
            document = graphql.parse(asked["query"], variables)
        except graphql.Refused as refused:
            return Reply(200, {"errors": [{"message": str(refused)}]})
        errors: list[Json] = []

        def value(text: str) -> Json:
            return variables[text[1:]] if text.startswith("$") else json.loads(text)

        def repository(arguments: Mapping[str, str]) -> Json:
            name = f"{value(arguments['owner'])}/{value(arguments['name'])}"
            if self._moved.get(name, name) not in self._names:
                errors.append(
                    {
                        "type": "NOT_FOUND",
                        "message": f"Could not resolve to a Repository with the name '{name}'.",
                    }
                )
                return None
            return {"nameWithOwner": name, "pullRequest": pull_request}

        def pull_request(arguments: Mapping[str, str]) -> Json:
            number = value(arguments["number"])
            if number not in self.pulls:
                words = f"Could not resolve to a PullRequest with the number of {number}."
                errors.append({"type": "NOT_FOUND", "message": words})
                return None
            pull = self.pulls[number]
            nodes = [{"name": label, "color": "ededed"} for label in pull.labels]

            def labels(limits: Mapping[str, str]) -> Json:
                return {"nodes": nodes[: value(limits["first"])], "totalCount": len(nodes)}

            return {"number": number, "title": pull.title, "body": pull.body, "labels": labels}

        data = graphql.chosen({"repository": repository}, document.selection)
        return Reply(200, {"data": data} | ({"errors": errors} if errors else {}))

    def _commit(self, folder: Path, sha: str, query: Mapping[str, str], url: str) -> Reply:
        if not _exists(folder, sha):
            return error(422, f"No commit found for SHA: {sha}")
        shown = _shown(folder, sha)
        parent = shown["parents"][0]["sha"] if shown["parents"] else EMPTY_TREE
        files = _files(folder, parent, sha)
        additions = sum(change.entry["additions"] for change in files)
        deletions = sum(change.entry["deletions"] for change in files)
        page, links = _page(files[: self.max_files], query, url, default=300, most=300)
        room = self.patch_lines_per_page
        entries = []
        for change in page:
            patch = _patch(folder, parent, sha, change)
            room -= 0 if patch is None else patch.count("\n") + 1
            seen = patch is not None and room >= 0
            entries.append({**change.entry, "patch": patch} if seen else change.entry)
        stats = {"total": additions + deletions, "additions": additions, "deletions": deletions}
        return Reply(200, {**shown, "stats": stats, "files": entries}, links)

    def _tree(self, folder: Path, sha: str) -> Reply:
        if not _exists(folder, sha):
            return error(404, "Not Found")
        entries = []
        for line in git(folder, "ls-tree", "-r", "-t", "-z", "--full-tree", sha).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, kind, name = about.decode().split()
            entries.append({"path": path.decode("utf-8", "replace"), "mode": mode, "type": kind, "sha": name})
        truncated = len(entries) > self.max_tree_entries
        return Reply(200, {"sha": sha, "tree": entries[: self.max_tree_entries], "truncated": truncated})


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeGitHub]

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        # Through a proxy the whole address stands here: it is kept, so that a test can see it.
        where = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path
        body = self.rfile.read(int(headers.get("content-length", "0")))
        reply = self.fake.answer(Request(where, query, headers, self.command, body))
        if reply.hang_up:
            return
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


# --- asking git ------------------------------------------------------------------------------------------


def _exists(folder: Path, sha: str) -> bool:
    try:
        git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}^{{commit}}")
    except GitFailed:
        return False
    return True


def _branch(folder: Path, name: str) -> Reply:
    if not _exists(folder, f"refs/heads/{name}"):
        return error(404, "Branch not found")
    sha = git(folder, "rev-parse", f"refs/heads/{name}").decode().strip()
    return Reply(200, {"name": name, "commit": {"sha": sha}, "protected": False})


def _branches(folder: Path, query: Mapping[str, str], url: str) -> Reply:
    names = git(folder, "for-each-ref", "--format=%(refname)", "refs/heads").decode().split()
    page, links = _page(names, query, url, default=30, most=100)
    return Reply(200, [_branch(folder, name.removeprefix("refs/heads/")).body for name in page], links)


def _contents(folder: Path, path: str, ref: str) -> Reply:
    try:
        listed = git(folder, "ls-tree", "-z", "--full-tree", ref, "--", path)
    except GitFailed:
        return error(404, f"No commit found for the ref {ref}")
    about, _, name = listed.partition(b"\t")
    if not name:
        return error(404, "Not Found")
    mode, kind, sha = about.decode().split()
    if kind == "tree":
        return Reply(200, [])
    if mode == "120000":
        return Reply(200, {"type": "symlink", "path": path, "sha": sha, "size": 1, "target": "elsewhere"})
    content = git(folder, "cat-file", "blob", sha)
    shown = {"encoding": "none", "content": ""} if len(content) > 1 << 20 else _encoded(content)
    return Reply(200, {"type": "file", "path": path, "sha": sha, "size": len(content), **shown})


def _encoded(content: bytes) -> dict[str, str]:
    return {"encoding": "base64", "content": base64.encodebytes(content).decode()}


def _commits(folder: Path, query: Mapping[str, str], url: str) -> Reply:
    start = query.get("sha", "HEAD")
    if not _exists(folder, start):
        return error(404, "Not Found")
    listed = []
    for line in git(folder, "log", "--format=%H %ct", start, "--").decode().splitlines():
        sha, _, stamp = line.partition(" ")
        committed_at = datetime.fromtimestamp(int(stamp), UTC)
        since, until = query.get("since"), query.get("until")
        too_old = since is not None and committed_at < datetime.fromisoformat(since)
        too_new = until is not None and committed_at > datetime.fromisoformat(until)
        if not too_old and not too_new:
            listed.append(sha)
    page, links = _page(listed, query, url, default=30, most=100)
    return Reply(200, [_shown(folder, sha) for sha in page], links)


def _page(
    items: list[_T], query: Mapping[str, str], url: str, *, default: int, most: int
) -> tuple[list[_T], dict[str, str]]:
    """One page, and the headers that lead to the next and the last."""
    size = min(max(int(query.get("per_page", default)), 1), most)
    number = max(int(query.get("page", 1)), 1)
    last = max(-(-len(items) // size), 1)
    links = [
        f'<{url}?{urlencode({**query, "page": page})}>; rel="{rel}"'
        for rel, page in (("next", number + 1), ("last", last))
        if number < last
    ]
    return items[(number - 1) * size : number * size], {"Link": ", ".join(links)} if links else {}


def _shown(folder: Path, sha: str) -> dict[str, Json]:
    """A commit as it stands in lists."""
    form = "%P%x00%T%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
    raw = git(folder, "show", "--no-patch", "--encoding=UTF-8", f"--format={form}", sha)
    parents, tree, *people, message = raw.decode("utf-8", "replace").split("\0")
    return {
        "sha": sha,
        "node_id": "C_" + sha[:12],
        "commit": {
            "author": _person(*people[:3]),
            "committer": _person(*people[3:]),
            "message": message.rstrip("\n"),
            "tree": {"sha": tree},
            "comment_count": 0,
        },
        "html_url": f"https://github.com/o/n/commit/{sha}",
        "author": None,
        "committer": {"login": "web-flow", "id": 19864447, "type": "User"},
        "parents": [{"sha": parent} for parent in parents.split()],
    }


def _person(name: str, email: str, stamp: str) -> dict[str, str]:
    date = datetime.fromtimestamp(int(stamp), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"name": name, "email": email, "date": date}


@dataclass(frozen=True)
class _Change:
    """A file of a commit: GitHub's entry without its patch, and its paths as git has them."""

    entry: dict[str, Json]
    paths: tuple[bytes, ...]


def _files(folder: Path, parent: str, sha: str) -> list[_Change]:
    """What changed, by `--raw` for the kinds and `--numstat` for the lines."""
    raw = iter(
        git(folder, "diff-tree", "-r", "-M", "-z", "--raw", "--no-abbrev", parent, sha).split(b"\0")[:-1]
    )
    counts = iter(git(folder, "diff-tree", "-r", "-M", "-z", "--numstat", parent, sha).split(b"\0")[:-1])
    changes = []
    for about in raw:
        _, _, old, new, letter = about.decode().split()
        paths = (next(raw), next(raw)) if letter[0] in "RC" else (next(raw),)
        added, deleted, *_ = next(counts).split(b"\t")
        if len(paths) > 1:
            assert (next(counts), next(counts)) == paths
        additions, deletions = (0 if count == b"-" else int(count) for count in (added, deleted))
        entry = {
            "sha": old if letter == "D" else new,
            "filename": paths[-1].decode("utf-8", "replace"),
            "status": _STATUS[letter[0]],
            "additions": additions,
            "deletions": deletions,
            "changes": additions + deletions,
        }
        if len(paths) > 1:
            entry["previous_filename"] = paths[0].decode("utf-8", "replace")
        changes.append(_Change(entry, paths))
    return changes


def _patch(folder: Path, parent: str, sha: str, change: _Change) -> str | None:
    """A file's hunks without any header; None where git shows no lines."""
    paths = [path.decode("utf-8", "surrogateescape") for path in change.paths]
    shown = git(folder, "--literal-pathspecs", "diff-tree", "-r", "-M", "-p", parent, sha, "--", *paths)
    hunks = [part.partition(b"\n@@ ") for part in shown.split(b"\ndiff --git ")]
    kept = [(b"@@ " + body).removesuffix(b"\n") for _, found, body in hunks if found]
    return b"\n".join(kept).decode("utf-8", "replace") if kept else None
