"""The other side of a connection, byte by byte: for answers that no HTTP server would give, and for TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from ssl import SSLContext

Play = Callable[[socket.socket], None]


@contextlib.contextmanager
def peer(play: Play, *, tls: SSLContext | None = None) -> Iterator[int]:
    """The port of a server that hands each connection to `play`, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                if tls is None:
                    play(connection)
                else:
                    with tls.wrap_socket(connection, server_side=True) as secured:
                        play(secured)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """The head of the request that comes next, its body read too; nothing where none comes any more."""
    with connection.makefile("rb") as incoming:
        head, length = b"", 0
        while (line := incoming.readline()) not in (b"\r\n", b""):
            head += line
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        incoming.read(length)
        return head


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """A byte every now and then, which resets any timeout of a single read."""
    while not stop.wait(0.02):
        connection.sendall(b"x")


def tunnel(connection: socket.socket) -> None:
    """Act as a proxy does on CONNECT: pass bytes on, both ways."""
    target = read_request(connection).split()[1].decode()
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port))) as onward:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        hand_on(connection, onward)


def hand_on(one: socket.socket, another: socket.socket) -> None:
    """Pass bytes of either to the other, until one ends."""
    other = {one: another, another: one}
    while True:
        for readable in select.select(list(other), [], [])[0]:
            while True:
                if not (data := readable.recv(1 << 16)):
                    return
                other[readable].sendall(data)
                if not getattr(readable, "pending", lambda: 0)():
                    break
