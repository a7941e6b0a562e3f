"""Compressing a request piece by piece, so that nobody is held for long."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from .._otlp_settings import Compression

_PIECE = 1 << 15
"""Bytes: well below a millisecond of work."""
_WBITS: dict[str, int] = {"gzip": 31, "deflate": 15}
"""What zlib calls the two formats of RFC 9110, 8.4.1."""


def compressed(body: bytes, compression: Compression, rest: Callable[[], None]) -> bytes:
    """`body` in this encoding; `rest` is called between two pieces of work."""
    if compression == "none":
        return body
    stream = zlib.compressobj(wbits=_WBITS[compression])
    pieces = []
    for start in range(0, len(body), _PIECE):
        if start:
            rest()
        pieces.append(stream.compress(body[start : start + _PIECE]))
    pieces.append(stream.flush())
    return b"".join(pieces)
