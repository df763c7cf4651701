"""A group's robot as DingTalk publishes it: signed requests, 20,000 bytes and twenty a minute at most, always a 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

MOST_BYTES = 20_000
MOST_PER_MINUTE = 20
SECRET = "SECabc123"  # noqa: S105 - made up


class Robot:
    """Takes messages; `taken` are the texts that it showed to its group."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refused: list[int] = []
        self.full = False
        robot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                query = parse_qs(urlsplit(self.path).query)
                code = robot.judge(query, body)
                content = json.dumps({"errcode": code, "errmsg": "ok" if not code else "no"}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where apprise's plugin is to send, in the place of DingTalk's own address."""
        return f"http://127.0.0.1:{self._server.server_port}/robot/send?access_token={{token}}"

    def judge(self, query: dict[str, list[str]], body: bytes) -> int:
        """The code that DingTalk answers; 0 for a message that is shown."""
        stamp = query.get("timestamp", ["0"])[0]
        text = f"{stamp}\n{SECRET}".encode()
        wanted = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
        # The plugin quotes the signature, and requests quotes it once more: both are taken.
        given = query.get("sign", [""])[0].replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
        message: dict[str, Any] = json.loads(body)
        code = 0
        if abs(time.time() - int(stamp) / 1000) > 3600 or given != wanted:
            code = 310000
        elif len(body) > MOST_BYTES:
            code = 460101
        elif self.full or len(self.taken) >= MOST_PER_MINUTE:
            code = 130101
        if code:
            self.refused.append(code)
        else:
            self.taken.append(message["text"]["content"])
        return code
