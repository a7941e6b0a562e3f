"""An HTTP server that answers as a script says, for what our collector does not: redirects, odd answers."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from breaker_exporter.otlp import CooperativeOTLPSpanExporter

Make = Callable[..., CooperativeOTLPSpanExporter]


@dataclass(frozen=True)
class Request:
    """A request as it came; `connection` numbers the connections."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Act = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer so, and keep the connection alive."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def leave_unread(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection, in good order, with the request's body unread."""
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection, as a host does that knows nothing of it any more."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


class Server:
    """Plays `script`, one entry a request, then answers 200."""

    def __init__(self, *script: Act) -> None:
        self.requests: list[Request] = []
        self._script = list(script)
        self._connections = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                owner._connections += 1
                self.number = owner._connections

            def do_POST(self) -> None:
                act = owner._script.pop(0) if owner._script else answer(200)
                body = b"" if act is leave_unread else self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.requests.append(Request(self.path, headers, body, self.number))
                act(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.base}/v1/traces"

    def play(self, *script: Act) -> None:
        """Return the next one."""
        self._script.extend(script)

    def serve(self) -> None:
        self._server.serve_forever(0.01)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serving(*script: Act) -> Iterator[Server]:
    """A server that is up inside."""
    server = Server(*script)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.stop()
