"""Attributes on the wire: a repeated field of keys with values."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from opentelemetry.attributes import BoundedAttributes

from ..._base.log import say
from .values import DOUBLE, any_value
from .wire import reason_of, sized, utf8, varint

_MOST_KEYS = 256
_LONGEST_KEY = 128
_MOST_SIZES = 128
_MOST_KNOWN = 64
_LONGEST_KNOWN = 128
_GREATEST_NUMBER = 9999
"""Larger integers are rarely seen twice: sizes, the ports of clients. Ids of threads are, which are few."""

_said: list[str] = []
"""Why the first attribute of this process was left out."""


class Attributes:
    """The attributes of spans, or of events, or of resources: a repeated field of KeyValue.

    For each key are remembered its first few texts, and what stands before a text of each size: so texts that
    never come again are nearly as cheap as those that do.

    Args:
        tag: The tag of the field.
        depth: Number of messages, below the request, that a value stands in, its own included.
    """

    def __init__(self, tag: bytes, depth: int) -> None:
        self._depth = depth
        self._keys = _Keys(tag)

    def write(self, attributes: Any, append: Callable[[bytes], object]) -> None:
        """Append all pairs of `attributes`, in their order.

        One that OTLP has no place for is left out, as the official encoder leaves it out.

        Raises:
            Exception: They are no mapping.
        """
        keys, depth, pack = self._keys, self._depth, DOUBLE.pack
        if type(attributes) is MappingProxyType or type(attributes) is BoundedAttributes:
            # The copy is a plain dict: one step under its lock, where `items()` is Python code for each pair.
            attributes = attributes.copy()
        for name, value in attributes.items() if attributes else ():
            try:
                kind = type(value)
                key = keys[name] if type(name) is str else keys.odd(name)
                if kind is str and key.comes_again:
                    append(key.known.get(value) or key.learned(value))
                elif kind is str:
                    data = value.encode()
                    append(key.texts[len(data)])
                    append(data)
                elif kind is int:
                    append(key.integers[value])
                elif kind is bool:
                    append(key.truths[value])
                elif kind is float:
                    append((key.double or key.make_double()) + pack(value))
                else:
                    append(_pair(key.tag, key.name, any_value(value, depth)))
            except Exception as error:
                _say_once(name, error)


def _pair(tag: bytes, name: bytes, value: bytes) -> bytes:
    return tag + sized(name + sized(value))


class _Keys(dict[str, "_Key"]):
    """The keys of one field. It fills itself, and forgets everything when full."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, name: str) -> _Key:
        made = self.odd(name)
        if len(name) <= _LONGEST_KEY:
            if len(self) >= _MOST_KEYS:
                self.clear()
            self[name] = made
        return made

    def odd(self, name: object) -> _Key:
        """Return a key that is not remembered: a subclass may say that it equals what it does not.

        ``None`` is an empty one, as protobuf takes it.
        """
        return _Key(self._tag, b"\x0a" + sized(utf8("" if name is None else name)) + b"\x12")


class _Key:
    """The bytes before a value of one key, for each type of value."""

    __slots__ = ("_seen", "comes_again", "double", "integers", "known", "name", "tag", "texts", "truths")

    def __init__(self, tag: bytes, name: bytes) -> None:
        self.tag = tag
        self.name = name
        self.known: dict[str, bytes] = {}
        self.comes_again = True
        self._seen = 0
        self.texts = _Texts(tag, name)
        self.integers = _Numbers(tag, name)
        self.truths = _Numbers(tag, name)
        self.double = b""

    def learned(self, text: str) -> bytes:
        """Return the whole field, and remember it. A key with many texts is not worth looking them up."""
        data = text.encode()
        field = self.texts[len(data)] + data
        self._seen += 1
        if self._seen > _MOST_KNOWN:
            self.comes_again = False
            self.known = {}
        elif len(data) <= _LONGEST_KNOWN:
            self.known[text] = field
        return field

    def make_double(self) -> bytes:
        """Return what stands before a double, and remember it."""
        self.double = _pair(self.tag, self.name, any_value(0.0, 0))[: -DOUBLE.size]
        return self.double


class _Texts(dict[int, bytes]):
    """The bytes before a text, by the size of the text."""

    def __init__(self, tag: bytes, name: bytes) -> None:
        super().__init__()
        self._tag = tag
        self._name = name

    def __missing__(self, size: int) -> bytes:
        text = b"\x0a" + varint(size)
        value = self._name + varint(len(text) + size) + text
        made = self._tag + varint(len(value) + size) + value
        if len(self) >= _MOST_SIZES:
            self.clear()
        self[size] = made
        return made


class _Numbers(dict[int, bytes]):
    """Whole fields, by the number; of integers, or of truths, since ``True == 1``.

    All small numbers are remembered, and the first few large ones.
    """

    def __init__(self, tag: bytes, name: bytes) -> None:
        super().__init__()
        self._tag = tag
        self._name = name
        self._large = 0

    def __missing__(self, number: int) -> bytes:
        made = _pair(self._tag, self._name, any_value(number, 0))
        is_small = 0 <= number <= _GREATEST_NUMBER
        if is_small or self._large < _MOST_KNOWN:
            self._large += not is_small
            if len(self) >= _MOST_SIZES:
                self.clear()
            self[number] = made
        return made


def _say_once(name: object, error: Exception) -> None:
    if not _said:
        why = reason_of(error)
        _said.append(why)
        say(
            logging.WARNING,
            "the attribute %.80r cannot be encoded (%s): it is left out and what it belongs to is sent; "
            "later ones are left out without a word",
            name if type(name) is str else type(name),
            why,
        )
