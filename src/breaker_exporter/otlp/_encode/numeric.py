"""Numbers on the wire, alone and packed: of a fixed size, signed ones, and doubles.

A number that has no place in its field is an error of some kind, and so is what is no number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

from .wire import NotEncodable, sized, varint

_FIXED64 = Struct("<cQ").pack
_SFIXED64 = Struct("<cq").pack
_DOUBLE = Struct("<cd").pack

_MOST_SIZES = 128


def fixed64(tag: bytes, number: int | None) -> bytes:
    """Return a fixed64 field; nothing where there is no number."""
    return b"" if number is None else _FIXED64(tag, number)


def sfixed64(tag: bytes, number: int) -> bytes:
    """Return an sfixed64 field."""
    return _SFIXED64(tag, number)


def double(tag: bytes, number: float) -> bytes:
    """Return a double field; anything that can be made a float is taken, such as a ``Decimal``."""
    return _DOUBLE(tag, number)


def optional_double(tag: bytes, number: float | None) -> bytes:
    """Return a double field; nothing where there is no number."""
    return b"" if number is None else _DOUBLE(tag, number)


def sint32(tag: bytes, number: int | None) -> bytes:
    """Return a sint32 field: short for small numbers below zero too; nothing where there is no number."""
    if number is None:
        return b""
    twice = _int32(number) << 1
    return tag + varint(twice if number >= 0 else ~twice)


def enum(tag: bytes, number: int) -> bytes:
    """Return a field of an enum, which may have a value that nobody has a name for."""
    return tag + varint(_int32(number) & 0xFFFFFFFFFFFFFFFF)


def uint64s(tag: bytes, numbers: Sequence[int]) -> bytes:
    """Return a packed field of varints."""
    greatest = max(numbers, default=0)
    if min(numbers, default=0) < 0 or greatest >= 1 << 64:
        raise NotEncodable("a count that has no place in 64 bits")
    return tag + sized(bytes(numbers) if greatest < 0x80 else b"".join(map(varint, numbers)))


class FixedArrays(dict[int, tuple[bytes, Callable[..., bytes]]]):
    """Packed fields of numbers of eight bytes each, by how many there are.

    It fills itself, and forgets everything when full.

    Args:
        tag: The tag of the field.
        kind: What :mod:`struct` calls one of its numbers.
    """

    def __init__(self, tag: bytes, kind: str) -> None:
        super().__init__()
        self._tag = tag
        self._kind = kind

    def __missing__(self, size: int) -> tuple[bytes, Callable[..., bytes]]:
        made = self._tag + varint(8 * size), Struct(f"<{size}{self._kind}").pack
        if len(self) >= _MOST_SIZES:
            self.clear()
        self[size] = made
        return made

    def field(self, numbers: Sequence[float] | None) -> bytes:
        """Return the field; nothing where there are no numbers."""
        if numbers is None:
            return b""
        head, pack = self[len(numbers)]
        return head + pack(*numbers)


def _int32(number: int) -> int:
    if not -(1 << 31) <= number < 1 << 31:
        raise NotEncodable("a number that has no place in 32 bits")
    return number
