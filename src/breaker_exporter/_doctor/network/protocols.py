"""The protocol that is spoken on a port, by its first bytes; and the beginning of HTTP/2."""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
import time

from .connection import Connected, Place, connect_to

PROBE = 1.0
"""Seconds for a look at what else may be spoken on a port."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""The beginning of an HTTP/2 client (RFC 9113, 3.4), with a SETTINGS frame that sets nothing."""
_HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: doctor\r\nConnection: close\r\n\r\n"
_FRAME_HEAD = 9
_SETTINGS, _GOAWAY, _ACKNOWLEDGED = 4, 7, 1
_LONGEST_FRAME = 1 << 14
"""Bytes, unless the peer was told otherwise (RFC 9113, 4.2)."""
_MOST_READ = 1 << 16


class Speech(enum.Enum):
    """The protocol that a port speaks."""

    HTTP1 = "HTTP/1"
    HTTP2 = "HTTP/2"
    TLS = "TLS"
    UNKNOWN = "something unknown"


class Ending(enum.Enum):
    """The reason why reading ended."""

    GREETED = "the peer has taken our settings"
    NO_FRAME = "no frame of HTTP/2 came"
    CLOSED = "the peer closed the connection"
    RESET = "the connection broke"
    TIME_OVER = "the time was over"
    ENDLESS = "more came than is read"


def speech_of(first: bytes) -> Speech:
    """Return the protocol that an answer with these first bytes is in."""
    if first.startswith(b"HTTP/"):
        return Speech.HTTP1
    if len(first) > 3 and first[:2] == b"\0\0" and first[3] in (_SETTINGS, _GOAWAY):
        return Speech.HTTP2
    return Speech.TLS if first[:2] in (b"\x15\x03", b"\x16\x03") else Speech.UNKNOWN


def spoken(place: Place, connected: Connected, first: bytes) -> Speech:
    """Return the protocol of an answer, by new connections where its first bytes do not tell."""
    speech = speech_of(first)
    return speech_on(place, connected) if speech is Speech.UNKNOWN and not place.tls else speech


def speech_on(place: Place, connected: Connected, seconds: float | None = None) -> Speech:
    """Return the protocol that new connections to the same address speak."""
    seconds = seconds or PROBE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        connect_to(connected.family, connected.address, seconds) as plain,
        context.wrap_socket(plain, server_hostname=place.host),
    ):
        return Speech.TLS
    for request in (_PREFACE, _HTTP_REQUEST):
        with (
            contextlib.suppress(OSError),
            connect_to(connected.family, connected.address, seconds) as plain,
        ):
            plain.sendall(request)
            first = b""
            while len(first) < _FRAME_HEAD and (more := plain.recv(_MOST_READ)):
                first += more
            if (speech := speech_of(first)) is not Speech.UNKNOWN:
                return speech
    return Speech.UNKNOWN


def greet(connected: socket.socket, seconds: float) -> tuple[bytes, Ending]:
    """Begin HTTP/2; return what came until the peer had taken our settings, and why reading ended."""
    heard, deadline = b"", time.monotonic() + seconds
    try:
        connected.sendall(_PREFACE)
        while len(heard) < _MOST_READ:
            if (remaining := deadline - time.monotonic()) <= 0:  # a peer that keeps sending has no end
                return heard, Ending.TIME_OVER
            connected.settimeout(remaining)
            if not (more := connected.recv(_MOST_READ - len(heard))):
                return heard, Ending.CLOSED
            heard += more
            if ending := _ending_of(heard):
                return heard, ending
    except TimeoutError:
        return heard, Ending.TIME_OVER
    except OSError:
        return heard, Ending.RESET
    return heard, Ending.ENDLESS


def _ending_of(heard: bytes) -> Ending | None:
    """Look for the frame that takes our settings (RFC 9113, 4.1)."""
    while len(heard) >= _FRAME_HEAD:
        length = int.from_bytes(heard[:3], "big")
        if length > _LONGEST_FRAME:
            return Ending.NO_FRAME
        if heard[3] == _SETTINGS and heard[4] & _ACKNOWLEDGED:
            return Ending.GREETED
        if len(heard) < _FRAME_HEAD + length:
            break
        heard = heard[_FRAME_HEAD + length :]
    return None
