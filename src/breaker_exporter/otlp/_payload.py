"""An encoded batch as it is kept: its requests, each in as few bytes as they take while they wait."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ._encode.request import Levels, Request
from ._protobuf import Malformed

_LEVEL = 1
"""Of zlib: spans repeat themselves so much that more effort saves little."""
_PIECE = 1 << 16
"""Bytes: a fraction of a millisecond of work."""
_PACKED_PIECE = 1 << 14
"""Bytes, packed."""
_OBJECTS = 100
"""Bytes that a payload takes without its requests, and each of these without its body (80, 97 measured)."""


@dataclass(frozen=True, slots=True)
class PackedRequest:
    """A request for keeping.

    Attributes:
        body: Its bytes, compressed.
        items: Number of items in it.
        levels: Where items stand in it.
    """

    body: bytes
    items: int
    levels: Levels


Kept = Request | PackedRequest


@dataclass(frozen=True, slots=True)
class EncodedPayload:
    """An encoded batch, or what is left of one. It is never changed.

    Attributes:
        requests: Its requests; none where nothing of it could be encoded.
        is_in_flight: True where its items are counted as in flight: where it was not read from a disk.
    """

    requests: tuple[Kept, ...]
    is_in_flight: bool = True

    @property
    def items(self) -> int:
        """Number of items in it; those that cannot be encoded are not among them."""
        return sum(request.items for request in self.requests)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return _OBJECTS + sum(len(request.body) + _OBJECTS for request in self.requests)

    def packed(self, rest: Callable[[], None]) -> EncodedPayload:
        """The same in fewer bytes, for keeping; sending unpacks it.

        Args:
            rest: Called between two pieces of work: lets others run.
        """
        return replace(self, requests=tuple(_packed(request, rest) for request in self.requests))


def unpacked(request: Kept, rest: Callable[[], None]) -> Request:
    """Return `request` as it is sent; `rest` is called between two pieces of work."""
    if isinstance(request, Request):
        return request
    pieces: list[bytes] = []
    for piece in unpacked_pieces(request.body):
        if pieces:
            rest()
        pieces.append(piece)
    return Request(b"".join(pieces), request.items, request.levels)


def unpacked_pieces(body: bytes) -> Iterator[bytes]:
    """Yield what was packed in `body`, 64 KiB at most at a time.

    Raises:
        Malformed: It was not, or it was cut off.
    """
    stream = zlib.decompressobj()
    try:
        for start in range(0, len(body), _PACKED_PIECE):
            data = body[start : start + _PACKED_PIECE]
            while data:
                yield stream.decompress(data, _PIECE)
                data = stream.unconsumed_tail
            if stream.unused_data:
                raise Malformed("something behind its end")
    except zlib.error as error:
        raise Malformed(str(error)) from None
    if not stream.eof:
        raise Malformed("cut off")


def _packed(request: Kept, rest: Callable[[], None]) -> Kept:
    if isinstance(request, PackedRequest):
        return request
    stream, pieces = zlib.compressobj(_LEVEL), list[bytes]()
    for start in range(0, len(request.body), _PIECE):
        if start:
            rest()
        pieces.append(stream.compress(request.body[start : start + _PIECE]))
    pieces.append(stream.flush())
    body = b"".join(pieces)
    if len(body) >= len(request.body):
        return request
    return PackedRequest(body, request.items, request.levels)
