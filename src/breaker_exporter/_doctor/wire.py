"""Bytes on a socket, within one deadline, and what they give away of who sent them."""

from __future__ import annotations

import contextlib
import enum
import io
import socket
import ssl
import time
from typing import Any

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""What an HTTP/2 client begins with (RFC 9113, 3.4), with a SETTINGS frame that sets nothing."""
_HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: doctor\r\nConnection: close\r\n\r\n"
_FRAME_HEAD = 9
_SETTINGS, _GOAWAY, _ACKNOWLEDGED = 4, 7, 1
_LONGEST_FRAME = 1 << 14
"""Bytes, unless the other side was told otherwise (RFC 9113, 4.2)."""
_MOST_KEPT = 1 << 16


class Speech(enum.Enum):
    """What a port speaks."""

    HTTP1 = "HTTP/1"
    HTTP2 = "HTTP/2"
    TLS = "TLS"
    UNKNOWN = "something unknown"


class Ending(enum.Enum):
    """How reading came to its end."""

    GREETED = "greeted"
    NO_FRAME = "no frame"
    CLOSED = "closed"
    RESET = "reset"
    TIME_OVER = "time over"
    ENDLESS = "endless"


class TooMuch(OSError):
    """More came than an answer may have."""


def speech_of(first: bytes) -> Speech:
    """Whose words these first bytes of an answer are."""
    if first.startswith(b"HTTP/"):
        return Speech.HTTP1
    if len(first) > 3 and first[:2] == b"\0\0" and first[3] in (_SETTINGS, _GOAWAY):
        return Speech.HTTP2
    return Speech.TLS if first[:2] in (b"\x15\x03", b"\x16\x03") else Speech.UNKNOWN


class Wire:
    """A connected socket as :mod:`http.client` wants one, with one deadline for all that happens on it.

    Args:
        connected: The socket.
        seconds: From now on.
        most: Bytes that are read.

    Attributes:
        first: The first bytes that came, at most 64 KiB.
        count: How many bytes came.
    """

    def __init__(self, connected: socket.socket, seconds: float, most: int = _MOST_KEPT) -> None:
        self._socket = connected
        self._most = most
        self._deadline = time.monotonic() + seconds
        self.first = b""
        self.count = 0

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._remaining())
        self._socket.sendall(data)

    def receive(self, most: int) -> bytes:
        """What comes next; nothing at the end.

        Raises:
            TimeoutError: Nothing came in time.
            TooMuch: All that is read was read before.
            OSError: The connection broke.
        """
        if self.count >= self._most:
            raise TooMuch
        self._socket.settimeout(self._remaining())
        data = self._socket.recv(min(most, self._most - self.count))
        self.first += data[: _MOST_KEPT - len(self.first)]
        self.count += len(data)
        return data

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """Whoever connected the socket closes it."""

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:  # whoever keeps sending would be read for ever
            raise TimeoutError
        return remaining


class _Incoming(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._wire.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def greet(connected: socket.socket, seconds: float) -> tuple[Wire, Ending]:
    """Begin HTTP/2, and read until the other side has taken our settings, or is seen to speak otherwise."""
    wire = Wire(connected, seconds)
    rest = b""
    ending = None
    try:
        wire.sendall(_PREFACE)
        while ending is None:
            if not (more := wire.receive(_MOST_KEPT)):
                return wire, Ending.CLOSED
            ending, rest = _greeted(rest + more)
    except TimeoutError:
        return wire, Ending.TIME_OVER
    except TooMuch:
        return wire, Ending.ENDLESS
    except OSError:
        return wire, Ending.RESET
    return wire, ending


def _greeted(heard: bytes) -> tuple[Ending | None, bytes]:
    """How the greeting ended, if it has, frame by frame (RFC 9113, 4.1), and what is no whole frame yet."""
    while len(heard) >= _FRAME_HEAD:
        length = int.from_bytes(heard[:3], "big")
        if length > _LONGEST_FRAME:
            return Ending.NO_FRAME, heard
        if heard[3] == _SETTINGS and heard[4] & _ACKNOWLEDGED:
            return Ending.GREETED, heard
        if len(heard) < _FRAME_HEAD + length:
            break
        heard = heard[_FRAME_HEAD + length :]
    return None, heard


def speech_on(address: tuple[Any, ...], family: int, host: str, seconds: float) -> Speech:
    """What is spoken on a port, asked by new connections, each with its own deadline."""
    if _speaks_tls(address, family, host, seconds):
        return Speech.TLS
    for request in (_PREFACE, _HTTP_REQUEST):
        with contextlib.suppress(OSError), connect_to(address, family, seconds) as connected:
            wire = Wire(connected, seconds)
            wire.sendall(request)
            while len(wire.first) < _FRAME_HEAD and wire.receive(_MOST_KEPT):
                pass
            if (speech := speech_of(wire.first)) is not Speech.UNKNOWN:
                return speech
    return Speech.UNKNOWN


def _speaks_tls(address: tuple[Any, ...], family: int, host: str, seconds: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), connect_to(address, family, seconds) as connected:
        context.wrap_socket(connected, server_hostname=host).close()
        return True
    return False


def connect_to(address: tuple[Any, ...], family: int, seconds: float) -> socket.socket:
    """A new connection, with that timeout.

    Raises:
        OSError: There is none.
    """
    connected = socket.socket(family, socket.SOCK_STREAM)
    connected.settimeout(seconds)
    with contextlib.ExitStack() as stack:
        stack.enter_context(connected)
        connected.connect(address)
        stack.pop_all()
    return connected
