"""Values of every type that OTLP has a place for.

Types are told apart as the official encoder does it: a subclass of ``str``, say, is written as the text that
it holds, whatever it makes of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct

from .wire import NotEncodable, sized, varint

DOUBLE = Struct("<d")
_DEEPEST = 100
"""Messages inside of each other, below the request: what lies deeper, most readers of protobuf refuse."""


def any_value(value: object, depth: int) -> bytes:
    """Return an AnyValue.

    Args:
        value: A text, truth, number, bytes, ``None``, or a sequence or mapping of such.
        depth: Number of messages, below the request, that it stands in, its own included.

    Raises:
        Exception: OTLP has no place for it.
    """
    made = b""
    if isinstance(value, bool):
        made = b"\x10\x01" if value else b"\x10\x00"
    elif isinstance(value, str):
        made = b"\x0a" + sized(str.encode(value))
    elif isinstance(value, int):
        made = _integer(int.__index__(value))
    elif isinstance(value, float):
        made = b"\x21" + DOUBLE.pack(value)
    elif isinstance(value, bytes):
        made = b"\x3a" + sized(bytes(value))
    elif isinstance(value, Sequence):
        made = b"\x2a" + sized(_array(value, depth + 1))
    elif isinstance(value, Mapping):
        made = b"\x32" + sized(_pairs(value, depth + 1))
    elif value is not None:
        raise NotEncodable(type(value).__name__)
    if depth > _DEEPEST:
        raise NotEncodable("values nested too deep")
    return made


def _integer(number: int) -> bytes:
    if not -(1 << 63) <= number < 1 << 63:
        raise NotEncodable("an integer of more than 64 bits")
    # A negative number is written as its two's complement of 64 bits.
    return b"\x18" + varint(number & 0xFFFFFFFFFFFFFFFF)


def _array(values: Sequence[object], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise NotEncodable("values nested too deep")
    return b"".join([b"\x0a" + sized(any_value(value, depth + 1)) for value in values])


def _pairs(values: Mapping[object, object], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise NotEncodable("values nested too deep")
    pairs = [
        b"\x0a" + sized(str.encode(str(key))) + b"\x12" + sized(any_value(value, depth + 2))
        for key, value in values.items()
    ]
    return b"".join([b"\x0a" + sized(pair) for pair in pairs])
