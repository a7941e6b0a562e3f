"""Compressing a request piece by piece, so that nobody is held for long, and unpacking a bounded answer."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable

from .._settings import Compression

_PIECE = 1 << 15
"""Bytes: well below a millisecond of work."""
_WBITS = {"gzip": (31,), "deflate": (15, -15)}
"""What zlib calls the two formats of RFC 9110, 8.4.1. Some send what is inside of "deflate" bare."""
_MOST_ENCODINGS = 4
"""Of one answer: some unpack to themselves."""


def compressed(body: bytes, compression: Compression, rest: Callable[[], None]) -> bytes:
    """`body` in this encoding; `rest` is called between two pieces of work."""
    if compression == "none":
        return body
    stream = zlib.compressobj(wbits=_WBITS[compression][0])
    pieces = []
    for start in range(0, len(body), _PIECE):
        if start:
            rest()
        pieces.append(stream.compress(body[start : start + _PIECE]))
    pieces.append(stream.flush())
    return b"".join(pieces)


def unpacked(body: bytes, encoding: str, most: int) -> bytes | None:
    """`body` without this encoding, cut at so many bytes; ``None`` where that cannot be done.

    Args:
        body: It may be cut off.
        encoding: The value of a ``Content-Encoding`` header.
        most: Bytes: to unpack all is to trust what it says of its size.
    """
    names = [one.strip().lower().removeprefix("x-") for one in encoding.split(",", _MOST_ENCODINGS)]
    for name in reversed(names):
        if name in ("", "identity"):
            continue
        for wbits in _WBITS.get(name, ()):
            with contextlib.suppress(zlib.error):
                body = zlib.decompressobj(wbits=wbits).decompress(body, most)
                break
        else:
            return None
    return body
