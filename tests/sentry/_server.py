"""A server that takes whatever it is sent and keeps who asked for what: a Sentry to look into, or a proxy."""

from __future__ import annotations

import http.server
import ssl
import threading
from dataclasses import dataclass
from typing import Any

import trustme


@dataclass(frozen=True)
class Request:
    """One request; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    pairs: list[tuple[str, str]]
    """The same, with each header as often as it was sent."""


class Server:
    """Answers every POST with 200 and every CONNECT with 502.

    Args:
        ca: Who signs its certificate; without one it speaks no TLS.
    """

    def __init__(self, ca: trustme.CA | None = None) -> None:
        requests: list[Request] = []
        self.requests = requests

        class Taking(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(200)

            def do_CONNECT(self) -> None:
                self._answer(502)

            def _answer(self, status: int) -> None:
                pairs = [(name.lower(), value) for name, value in self.headers.items()]
                requests.append(Request(self.command, self.path, dict(pairs), pairs))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                """Not to stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self._scheme = "http"
        if ca is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ca.issue_cert("127.0.0.1").configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def dsn(self) -> str:
        return self.url.replace("://", "://key@") + "/1"

    def of(self, end: str) -> list[Request]:
        """The requests for a path that ends so, in the order that they came in."""
        return [request for request in self.requests if request.target.rstrip("/").endswith(end)]
