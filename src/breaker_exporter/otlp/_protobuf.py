"""Reading the protobuf wire format without a schema: https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, _FIXED64, SIZED, _FIXED32 = 0, 1, 2, 5
"""Wire types, the low three bits of a tag."""
_LONGEST_VARINT = 10
"""Bytes: 64 bits, seven in each."""


class Malformed(ValueError):
    """These bytes are no protobuf message."""


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of a message: its tag, where it begins, where its content begins, and where it ends.

    Args:
        data: Bytes that hold the message.
        start: Where it begins in them.
        end: Where it ends; ``None``: with them.

    Raises:
        Malformed: It is no message, or one that is cut off.
    """
    stop = len(data) if end is None else end
    at = start
    while at < stop:
        begin = at
        tag, at = varint_at(data, at)
        kind = tag & 7
        if kind == SIZED:
            size, at = varint_at(data, at)
            after = at + size
        elif kind == VARINT:
            after = varint_at(data, at)[1]
        elif kind in {_FIXED64, _FIXED32}:
            after = at + (8 if kind == _FIXED64 else 4)
        else:
            raise Malformed(f"wire type {kind}")
        if after > stop or tag < 1 << 3:
            raise Malformed("cut off, or no field")
        yield tag, begin, at, after
        at = after


def varint_at(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins there, and where it ends.

    Raises:
        Malformed: There is none.
    """
    number = shift = 0
    for byte in data[at : at + _LONGEST_VARINT]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at + shift // 7
    raise Malformed("a number without an end")
