"""An encoded batch as the bytes of a file.

A byte for the version, and then for each request: a byte for how its body is packed, one for where items
stand in it, the number of its items, and its body behind its length; numbers as varints. Headers, endpoints
and credentials are no part of a payload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ._encode.request import BY_METRIC, BY_SCOPE, Levels, Request, count_items
from ._encode.wire import sized, varint
from ._payload import EncodedPayload, PackedRequest, unpacked_pieces
from ._protobuf import Malformed, varint_at

_VERSION = b"\x01"
_LEVELS: dict[int, Levels] = {1: BY_SCOPE, 2: BY_METRIC}
"""By the number that a file has for them: never another one for a number that was used."""
_NUMBERS = {levels: number for number, levels in _LEVELS.items()}
_PLAIN, _PACKED = 0, 1

_MOST_BYTES = 64 << 20
"""Bytes of all requests of a file, unpacked."""
_MOST_SPLIT = 4 * _MOST_BYTES
"""Bytes of the same, split: each of them has all that stands beside its items."""
_MOST_ITEMS = 1 << 17
_MOST_FIELDS = 16 * _MOST_ITEMS
"""Fields that are looked at: each item, and the groups around it with what stands beside it in them."""
_HIGHEST_RATIO = 1032
"""Bytes that a packed one holds at most (https://zlib.net/zlib_tech.html)."""
_FIELDS_AT_ONCE = 64
"""Fields that take well below a tenth of a millisecond to look at."""


def dumped(payload: EncodedPayload) -> bytes:
    """Return `payload` as bytes.

    Raises:
        ValueError: It is too large to be loaded again.
    """
    parts = [_VERSION]
    for request in payload.requests:
        form = _PACKED if isinstance(request, PackedRequest) else _PLAIN
        parts += (bytes((form, _NUMBERS[request.levels])), varint(request.items), sized(request.body))
    data = b"".join(parts)
    if payload.items > _MOST_ITEMS:
        raise ValueError(f"more than {_MOST_ITEMS} items")
    if len(data) * _HIGHEST_RATIO > _MOST_BYTES and _unpacked_size(payload) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    return data


def loaded(data: bytes, limit: int, rest: Callable[[], None]) -> EncodedPayload:
    """Return the payload that `data` was made of, unpacked and not in flight.

    Args:
        data: Bytes of a file, which anybody may have made.
        limit: Bytes of a request at most, 0: any number; those above it are split.
        rest: Called between two pieces of work: lets others run.

    Raises:
        ValueError: They are no payload, or one of more than 64 MiB, 131,072 items or 2,097,152 fields.
    """
    if data[:1] != _VERSION:
        raise Malformed("another version, or none")
    at, reader, requests = 1, _Reader(rest), list[Request]()
    while at < len(data):
        begin = at
        items, at = varint_at(data, begin + 2)
        size, at = varint_at(data, at)
        if at + size > len(data):
            raise Malformed("cut off")
        form, levels = data[begin], _LEVELS.get(data[begin + 1])
        if levels is None:
            raise Malformed("requests of an unknown kind")
        request = Request(reader.unpacked(data[at : at + size], form), items, levels)
        reader.check(request)
        at += size
        requests += reader.split(request, limit)
    return EncodedPayload(tuple(requests), is_in_flight=False)


class _Reader:
    """Reads the requests of one file, and counts what that takes."""

    def __init__(self, rest: Callable[[], None]) -> None:
        self._rest = rest
        self._bytes = 0
        self._items = 0
        self._fields = 0
        self._split = 0

    def unpacked(self, body: bytes, form: int) -> bytes:
        if form == _PLAIN:
            self._take(len(body))
            return body
        if form != _PACKED:
            raise Malformed("packed in an unknown form")
        pieces = []
        for piece in unpacked_pieces(body):
            self._take(len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    def check(self, request: Request) -> None:
        """Check that there are as many items in it as it says."""
        self._items += request.items
        if request.items < 1 or self._items > _MOST_ITEMS:
            raise Malformed(f"no items, or more than {_MOST_ITEMS}")
        if count_items(request.body, request.levels, self._seen) != request.items:
            raise Malformed("another number of items")

    def split(self, request: Request, limit: int) -> Iterator[Request]:
        for part in request.split_one_by_one(limit or len(request.body), self._rest):
            self._rest()
            self._split += len(part.body)
            if self._split > _MOST_SPLIT:
                raise Malformed(f"more than {_MOST_SPLIT} bytes when it is split")
            yield part

    def _take(self, count: int) -> None:
        self._rest()
        self._bytes += count
        if self._bytes > _MOST_BYTES:
            raise Malformed(f"more than {_MOST_BYTES} bytes")

    def _seen(self) -> None:
        self._fields += 1
        if self._fields % _FIELDS_AT_ONCE == 0:
            self._rest()
            if self._fields > _MOST_FIELDS:
                raise Malformed(f"more than {_MOST_FIELDS} fields")


def _unpacked_size(payload: EncodedPayload) -> int:
    return sum(
        sum(map(len, unpacked_pieces(request.body)))
        if isinstance(request, PackedRequest)
        else len(request.body)
        for request in payload.requests
    )
