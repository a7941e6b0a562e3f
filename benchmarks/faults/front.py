"""A port before the collector's that fails below HTTP: full, silent, or with an expired certificate."""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

NAME = "collector.test"
"""The host name under which the services find the port, where `Names` answers for it."""
_CHUNK = 1 << 16
_BACKLOG = 128
_FILLERS = 8
"""Connections that fill the queue of a port which accepts none."""


class Fronting(enum.Enum):
    """The treatment of connections."""

    RELAY = "relay"
    """Passes the bytes on, by TLS where it has that."""
    FULL = "full"
    """Accepts no connection and has a full queue: the kernel drops the requests for one."""
    NO_HANDSHAKE = "no handshake"
    """Accepts connections, and sends nothing."""
    EXPIRED = "expired"
    """Shows a certificate that has expired."""
    NAME_HANGS = "name hangs"
    """Relays; the name server of its name is silent."""
    NAME_FAILS = "name fails"
    """Relays; the name server of its name knows none."""


class Front:
    """A port that relays to another port of this host, or fails as its mode says; threads of this process.

    Args:
        target: The other port.
        directory: Directory for the certificate of its authority; ``None``: no TLS.

    Attributes:
        port: Its own port.
        mode: The treatment of connections now.
    """

    def __init__(self, target: int, directory: Path | None) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self._contexts: dict[Fronting, ssl.SSLContext] = {}
        if directory is not None:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(directory / "authority.pem"))
            yesterday = datetime.now(UTC) - timedelta(days=1)
            self._contexts = {
                Fronting.RELAY: _context(authority.issue_cert("127.0.0.1")),
                Fronting.EXPIRED: _context(authority.issue_cert("127.0.0.1", not_after=yesterday)),
            }
        self.mode = Fronting.RELAY
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._accepting = threading.Event()
        self._accepting.set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._accepting.set()
        self._drop()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def switch(self, mode: Fronting) -> None:
        """From now on; open connections are dropped."""
        self.mode = mode
        if mode is Fronting.FULL:
            self._accepting.clear()
            self._listener.listen(0)
            self._fill()
        else:
            self._listener.listen(_BACKLOG)
            self._accepting.set()
        self._drop(but=frozenset(self._fillers) if mode is Fronting.FULL else frozenset())

    def _fill(self) -> None:
        for _ in range(_FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)
            self._open.add(filler)

    def _drop(self, but: frozenset[socket.socket] = frozenset()) -> None:
        for connection in list(self._open):
            if connection not in but:
                self._drop_one(connection)

    def _drop_one(self, connection: socket.socket) -> None:
        self._open.discard(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._closed:
                self._accepting.wait()
                if selector.select(0.05) and self._accepting.is_set():
                    connection, _ = self._listener.accept()
                    self._open.add(connection)
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self.mode is Fronting.NO_HANDSHAKE:
            return
        with contextlib.suppress(OSError):
            if context := self._contexts.get(self.mode):
                self._open.discard(connection)
                connection = context.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            other = socket.create_connection(("127.0.0.1", self._target))
            self._open.add(other)
            for each in (connection, other):  # else each request of an official exporter waits 40 ms
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(other, connection), daemon=True).start()
            _pump(connection, other)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Relay bytes until one of both ends, then end the other."""
    with contextlib.suppress(OSError, ValueError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate.configure_cert(context)
    return context
