"""Pieces of the protobuf wire format: varints, counts, texts and other things behind their length.

A field is a tag, ``number << 3 | wire type`` as a varint, and what follows it
(https://protobuf.dev/programming-guides/encoding/). Tags stand as bytes where they are used.
"""

from __future__ import annotations

_SHORT = 4096
"""Varints below this are looked up: nearly all lengths, and most numbers."""

_MOST_TEXTS = 1024
_LONGEST_TEXT = 128


class NotEncodable(Exception):
    """OTLP has no place for this value. The text names its type and quotes nothing of it."""


def reason_of(error: Exception) -> str:
    """Return why something cannot be encoded, for the log: the text of other errors quotes it."""
    return str(error) if isinstance(error, NotEncodable) else type(error).__name__


def _spelled(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_VARINTS = tuple(_spelled(number) for number in range(_SHORT))


def varint(number: int) -> bytes:
    """Return a number, not below zero, as a varint."""
    return _VARINTS[number] if number < _SHORT else _spelled(number)


def sized(data: bytes) -> bytes:
    """Return ``data`` behind its length."""
    size = len(data)
    return (_VARINTS[size] if size < _SHORT else _spelled(size)) + data


def count(tag: bytes, number: int) -> bytes:
    """Return a uint32 field.

    Raises:
        NotEncodable: The number has no place in 32 bits.
    """
    if not 0 <= number < 1 << 32:
        raise NotEncodable("a count that has no place in 32 bits")
    return tag + varint(number)


def utf8(text: object) -> bytes:
    """Return what a string field holds of a text: a ``str``, one of a subclass, or UTF-8 already.

    Raises:
        NotEncodable: It is none.
        UnicodeError: It has no form in UTF-8.
    """
    if isinstance(text, str):
        return str.encode(text)
    if isinstance(text, bytes):
        text.decode()
        return bytes(text)
    raise NotEncodable(type(text).__name__)


def text_field(tag: bytes, text: object) -> bytes:
    """Return a string field; nothing where there is no text.

    Raises:
        Exception: It is no text.
    """
    return b"" if text is None else tag + sized(utf8(text))


class Heads(dict[int, bytes]):
    """A tag and a length, by the length. It fills itself, and forgets everything when full.

    Args:
        tag: The tag.
    """

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, size: int) -> bytes:
        made = self._tag + varint(size)
        if len(self) >= _MOST_TEXTS:
            self.clear()
        self[size] = made
        return made


class Texts(dict[str, bytes]):
    """Texts that come again and again, such as names and keys, as UTF-8 behind their length.

    It fills itself when asked, and forgets everything when full: whoever sends ever new names costs time,
    not memory. Each step is one operation of a dict, so that threads need no lock. Ask with a plain ``str``
    only: a subclass may say that it equals what it does not.

    Args:
        before: What stands before the length, mostly a tag.
        after: What stands behind the text.
    """

    def __init__(self, before: bytes = b"", after: bytes = b"") -> None:
        super().__init__()
        self._before = before
        self._after = after

    def __missing__(self, text: str) -> bytes:
        made = self._before + sized(text.encode()) + self._after
        if len(text) <= _LONGEST_TEXT:
            if len(self) >= _MOST_TEXTS:
                self.clear()
            self[text] = made
        return made
