"""Protocol buffers, read field by field: as much as the answers of a collector need."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
"""Bytes."""

_PARTIAL_SUCCESS, _REJECTED, _MESSAGE = 1, 1, 2


class Malformed(ValueError):
    """These bytes are no message."""


def number(message: bytes, field: int) -> int:
    """The number in this field of `message`, the last one if there are several; 0 where there is none.

    Raises:
        Malformed: It is no message.
    """
    found = [value for name, value in _fields(message) if name == field and isinstance(value, int)]
    last = found[-1] if found else 0
    return last - (1 << 64) if last >> 63 else last


def parts(message: bytes, field: int) -> list[bytes]:
    """What is in this field of `message`, in order: strings, bytes or messages.

    Raises:
        Malformed: It is no message.
    """
    return [value for name, value in _fields(message) if name == field and isinstance(value, bytes)]


def inner(message: bytes, field: int) -> bytes:
    """The message in this field of `message`, an empty one where there is none; several are merged.

    Raises:
        Malformed: It is no message.
    """
    return b"".join(parts(message, field))


def text(message: bytes, field: int) -> str:
    """The string in this field of `message`, the last one if there are several.

    Raises:
        Malformed: It is no message, or the string is not UTF-8.
    """
    found = parts(message, field)
    try:
        return found[-1].decode() if found else ""
    except UnicodeDecodeError as error:
        raise Malformed(str(error)) from None


def partial_success(response: bytes) -> tuple[int, str]:
    """How many items the response of an OTLP service says were rejected, and its message.

    The numbers of these fields are the same in all signals.

    Raises:
        Malformed: It is no message.
    """
    partial = inner(response, _PARTIAL_SUCCESS)
    return number(partial, _REJECTED), text(partial, _MESSAGE)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind, name = tag & 7, tag >> 3
        if not name:
            raise Malformed("field 0")
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield name, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise Malformed(f"wire type {kind}")
        if at + length > len(message):
            raise Malformed("cut off")
        if kind == _BYTES:
            yield name, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at + shift + 1
    raise Malformed("a number without an end")
