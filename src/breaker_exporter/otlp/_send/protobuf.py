"""Protocol buffers, read field by field: as much as the answers of a collector need."""

from __future__ import annotations

from collections.abc import Iterator

from .._protobuf import SIZED, VARINT, Malformed, fields, varint_at

__all__ = ["Malformed", "inner", "number", "partial_success", "parts", "text"]

_PARTIAL_SUCCESS, _REJECTED, _MESSAGE = 1, 1, 2


def number(message: bytes, field: int) -> int:
    """The number in this field of `message`, the last one if there are several; 0 where there is none.

    Raises:
        Malformed: It is no message.
    """
    found = [value for name, value in _fields(message) if name == field and isinstance(value, int)]
    last = found[-1] if found else 0
    return last - (1 << 64) if last >> 63 else last


def parts(message: bytes, field: int) -> list[bytes]:
    """Return the values of this field of `message`, in order: strings, bytes or messages.

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
    """Return the number of items that a response of an OTLP service says were rejected, and its message.

    The numbers of these fields are the same in all signals.

    Raises:
        Malformed: It is no message.
    """
    partial = inner(response, _PARTIAL_SUCCESS)
    return number(partial, _REJECTED), text(partial, _MESSAGE)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    for tag, _, begin, end in fields(message):
        if tag & 7 == VARINT:
            yield tag >> 3, varint_at(message, begin)[0] & (1 << 64) - 1
        elif tag & 7 == SIZED:
            yield tag >> 3, message[begin:end]
