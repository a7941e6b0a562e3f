"""Servers where a collector should be: by TLS, and not quite what was expected."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from ..otlp._peer import Play, hand_on, read_request


def read_and_close(connection: socket.socket) -> None:
    """Reads a request, and closes the connection in good order."""
    read_request(connection)


def saying(answer: bytes) -> Play:
    """Reads something, answers so, and closes the connection."""

    def play(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(answer)

    return play


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP response as bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def relay(port: int) -> Play:
    """Hands on what comes, both ways, to a port of this host."""

    def play(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as onward:
            hand_on(connection, onward)

    return play


class Authority:
    """Signs certificates, and writes them where OpenTelemetry's variables can name them."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.file = str(directory / "authority.pem")
        self._authority.cert_pem.write_to_path(self.file)
        client = self._authority.issue_cert("client@example.org")
        self.client_certificate, self.client_key = (
            str(directory / "client.pem"),
            str(directory / "client.key"),
        )
        client.cert_chain_pems[0].write_to_path(self.client_certificate)
        client.private_key_pem.write_to_path(self.client_key)

    def context(
        self, host: str = "127.0.0.1", *, days: int = 1, wants_client: bool = False
    ) -> ssl.SSLContext:
        """A server's, with a certificate for `host` that ends in so many days."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2", "http/1.1"])
        end = datetime.now(UTC) + timedelta(days=days)
        begin = min(datetime.now(UTC), end) - timedelta(days=2)
        self._authority.issue_cert(host, not_before=begin, not_after=end).configure_cert(context)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self._authority.configure_trust(context)
        return context


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: what asks for a connection gets no answer."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
