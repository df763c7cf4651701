"""An OpenAI-compatible endpoint on a loopback port, with real sockets, that answers by script.

Without a script it answers every completion well: a form filled in from the JSON schema that the request
holds, in `response_format` or else in the system message. It knows the wire format, nothing of the project.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

COMPLETIONS = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came in; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def system(self) -> str:
        return self._message("system")

    @property
    def user(self) -> str:
        return self._message("user")

    @property
    def format(self) -> str:
        """`json_schema`, `json_object`, or `plain` where no form was asked for."""
        return str(self.body.get("response_format", {}).get("type", "plain"))

    @property
    def schema_name(self) -> str:
        """What the form that was asked for is called; empty where it has no name."""
        return str(self.body.get("response_format", {}).get("json_schema", {}).get("name", ""))

    def _message(self, role: str) -> str:
        return "\n".join(item["content"] for item in self.body.get("messages", []) if item["role"] == role)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request.

    `delay_seconds` pass before the first byte, `drip_seconds` before each byte of the body. `hangs` never
    answers, until the server stops; `drops` closes the connection without a word.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    drip_seconds: float = 0
    hangs: bool = False
    drops: bool = False

    def after(self, seconds: float) -> Reply:
        return replace(self, delay_seconds=seconds)


def completion(
    content: str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    tokens: tuple[int, int, int] = (100, 20, 0),
    **message: object,
) -> Reply:
    """A 200 with one choice; `tokens` are those of the prompt, of the answer, and those from a cache.

    Further keywords stand in the message, such as `reasoning_content`.
    """
    tokens_in, tokens_out, tokens_cached = tokens
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal, **message},
                "finish_reason": finish_reason,
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
            "prompt_tokens_details": {"cached_tokens": tokens_cached},
        },
    }
    return Reply(200, json.dumps(body).encode(), {"content-type": "application/json"})


def error(
    status: int,
    message: str,
    *,
    code: str | int | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
    http_status: int | None = None,
) -> Reply:
    """An error in the form of OpenAI's; `http_status` is what the status line says where it is another."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
    return Reply(
        http_status or status,
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-request-id": "req_1", **(headers or {})},
    )


def page(status: int, title: str) -> Reply:
    """A web page where JSON was asked for, as proxies send it."""
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, html.encode(), {"content-type": "text/html"})


def well_formed(request: Recorded) -> Reply:
    """The answer of a model that does as it is told: every field of the schema filled in."""
    schema = schema_in(request)
    sentence = SENTENCES["zh" if "简体中文" in request.user else "en"]
    return completion("ok" if schema is None else json.dumps(fill(schema, sentence=sentence)))


def schema_in(request: Recorded) -> dict[str, Any] | None:
    """The JSON schema that a request asks to follow, from its parameters or else from the system message."""
    form = request.body.get("response_format", {})
    if form.get("type") == "json_schema":
        return cast("dict[str, Any]", form["json_schema"]["schema"])
    decoder, text = json.JSONDecoder(), request.system
    start = text.find('{"')
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except ValueError:
            found = None
        if isinstance(found, dict) and "properties" in found:
            return found
        start = text.find('{"', start + 1)
    return None


SENTENCES = {
    "en": "Calls `new()` where it called `old()` before, for the {name}.",
    "zh": "在 {name} 方面，原来调用 `old()` 的地方改为调用 `new()`。",
}


def fill(schema: dict[str, Any], name: str = "value", *, sentence: str = SENTENCES["en"]) -> object:
    """A value that satisfies a schema of objects, lists, strings and enums."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {key: fill(value, key, sentence=sentence) for key, value in schema["properties"].items()}
        case "array":
            return [fill(schema["items"], name, sentence=sentence)]
        case "string":
            return sentence.format(name=name)
        case other:
            raise NotImplementedError(f"a schema of type {other}")


class OpenAIServer:
    """The server, running between `with` and its end; `url` is a client's base URL.

    `script` holds replies, or functions that make one from the request, each used once and in order;
    afterwards `default` answers. `requests` is what came in, `most_at_once` how many were open together.
    """

    def __init__(self, default: Callable[[Recorded], Reply] = well_formed) -> None:
        self.default = default
        self.script: deque[Reply | Callable[[Recorded], Reply]] = deque()
        self.requests: list[Recorded] = []
        self.most_at_once = 0
        self.closing = threading.Event()
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def then(self, *replies: Reply | Callable[[Recorded], Reply]) -> None:
        """Add to the script."""
        self.script.extend(replies)

    def reply_to(self, request: Recorded) -> Reply:
        with self._lock:
            self.requests.append(request)
            step = self.script.popleft() if self.script else self.default
        return step if isinstance(step, Reply) else step(request)

    @property
    def analyses(self) -> list[Recorded]:
        """The requests that were not about a headline."""
        return [request for request in self.requests if request.schema_name != "headline"]

    def entered(self) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)

    def left(self) -> None:
        with self._lock:
            self._at_once -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: OpenAIServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are recorded, not printed."""

    def _answer(self) -> None:
        owner = self.server.owner
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Recorded(self.command, self.path, headers, json.loads(raw or b"{}"))
        owner.entered()
        try:
            is_known = request.method == "POST" and request.path.partition("?")[0] == COMPLETIONS
            self._send(owner.reply_to(request) if is_known else error(404, f"no such path: {request.path}"))
        finally:
            owner.left()

    def _send(self, reply: Reply) -> None:
        closing = self.server.owner.closing
        if reply.hangs:
            closing.wait(30)
        if reply.hangs or reply.drops:
            self.close_connection = True
            return
        time.sleep(reply.delay_seconds)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if not reply.drip_seconds:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            if closing.wait(reply.drip_seconds):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
