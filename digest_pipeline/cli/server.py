"""The web server of `digest serve`: files of one folder, and nothing that lies outside of it."""

from __future__ import annotations

import errno
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from digest_pipeline.cli.output import Verbosity, say, set_verbosity
from digest_pipeline.errors import UsageError

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


def listen(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server of a folder that listens already. Raises UsageError where it cannot."""
    try:
        return _Server((host, port), partial(SiteHandler, directory=str(folder)))
    except OSError as error:
        reason = (
            "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
        )
        raise UsageError(f"{host}:{port} {reason}; choose another with --port or --host") from None
    except OverflowError:
        raise UsageError(f"{port} is no port; choose another with --port") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: partial[SiteHandler]) -> None:
        if ":" in address[0]:
            import socket

            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that went away is no error; what else there may be is told on one line."""
        del request
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            say(f"{client_address}: {type(error).__name__}: {error}")


class SiteHandler(SimpleHTTPRequestHandler):
    """Gives the files of a folder, and nothing that lies outside of it, whatever leads there."""

    server_version = "digest_pipeline"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 - the base class's
        "": "application/octet-stream",
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".xml": "application/atom+xml; charset=utf-8",
    }

    def translate_path(self, path: str) -> str:
        """The file for an address; one that nobody has where it would lie outside, or is not for readers."""
        found = Path(super().translate_path(path))
        top = Path(self.directory).resolve()
        if "\0" in f"{found}":
            return f"{top}/\0"
        hidden = any(part.startswith(".") for part in found.relative_to(self.directory).parts[:1])
        is_inside = found.resolve().is_relative_to(top)
        # With the slash at its end, by which the base class tells a folder from a file.
        slash = "/" if path.partition("?")[0].endswith("/") and found != Path(self.directory) else ""
        return f"{found}{slash}" if is_inside and not hidden else f"{top}/\0"

    def send_head(self) -> Any:  # noqa: ANN401 - the base class's own affair
        """As the base class does; an address that no file can have is not found."""
        if "\0" in self.translate_path(self.path):
            self.send_error(404, "Not found")
            return None
        return super().send_head()

    def list_directory(self, path: object) -> None:
        """No folder is listed."""
        del path
        self.send_error(404, "Not found")

    def end_headers(self) -> None:
        """What has its content in its name is kept by browsers for ever, all else is asked for again."""
        is_named_by_content = self.path.partition("?")[0].endswith((".pf_fragment", ".pf_index", ".pf_meta"))
        self.send_header("Cache-Control", _FOR_EVER if is_named_by_content else _ASK_AGAIN)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """A line for each request, with --verbose."""
        if set_verbosity() is Verbosity.VERBOSE:
            say(f"{self.address_string()} {format % args}")
