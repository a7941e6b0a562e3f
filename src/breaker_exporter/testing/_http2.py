"""The frames in a stream of HTTP/2 bytes (RFC 9113, 4.1), so that a fault can break one in the middle."""

from __future__ import annotations

from dataclasses import dataclass

DATA = 0x0
HEADERS = 0x1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
"""Bytes of a frame's header: 3 of length, type, flags, 4 of stream id."""


_SETTINGS, _GOAWAY = 0x4, 0x7
_NO_ERROR, _ENHANCE_YOUR_CALM = 0x0, 0xB


def _frame(kind: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


def _goaway(last_stream: int, error: int) -> bytes:
    return _frame(_GOAWAY, last_stream.to_bytes(4, "big") + error.to_bytes(4, "big"))


SENT_AWAY = _frame(_SETTINGS) + _goaway(0, _ENHANCE_YOUR_CALM)
"""The frames of a server that sends a new client away, with ENHANCE_YOUR_CALM (RFC 9113, 6.8)."""
LEAVING = _goaway((1 << 31) - 1, _NO_ERROR)
"""The frame of a server that stops and finishes its running requests."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose header is complete; its payload begins at ``payload_at`` of the chunk that was fed."""

    type: int
    payload_at: int


class Frames:
    """Follows one direction of an HTTP/2 connection.

    Args:
        skip: Bytes before the first frame: the length of the preface for what a client sends.
    """

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip
        self._head = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames whose header is completed by `chunk`, in order."""
        frames = []
        at = 0
        while at < len(chunk):
            if self._skip:
                step = min(self._skip, len(chunk) - at)
                self._skip -= step
            else:
                step = min(_HEAD - len(self._head), len(chunk) - at)
                self._head += chunk[at : at + step]
                if len(self._head) == _HEAD:
                    frames.append(Frame(self._head[3], at + step))
                    self._skip = int.from_bytes(self._head[:3], "big")
                    self._head = b""
            at += step
        return frames
