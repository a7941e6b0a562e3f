"""Attributes on the wire: keys, values of every type, and those pairs that come again and again.

Only plain types are known here. A subclass may behave as nothing here expects, so whatever is not exactly
a ``str``, ``bool``, ``int``, ``float``, ``bytes``, ``tuple``, ``list`` or ``dict`` is ``Unknown``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from struct import Struct
from types import MappingProxyType
from typing import Any, cast

from opentelemetry.attributes import BoundedAttributes

from .wire import Texts, Unknown, sized, varint

_MOST_PAIRS = 2048
_LONGEST_VALUE = 128
_GREATEST_NUMBER = 9999
"""Larger integers are rarely seen twice: sizes, the ports of clients."""

_DEEPEST = 8
"""Levels of sequences and mappings. A request nested deeper than about 100 messages can be read by nobody,
and the official encoder knows exactly where that is."""

_DOUBLE = Struct("<cd").pack
_KEYS = Texts(b"\x0a", b"\x12")
"""Field 1 of a KeyValue, and the tag of its field 2: the value follows."""


class _Nothing:
    """How the installed official encoder writes ``None``: up to 1.42 not at all, later as an empty value."""

    known: bytes | None = None


def none_is(data: bytes) -> None:
    """Note what the official encoder makes of ``None``, so that the next need not go there."""
    _Nothing.known = data


def none_is_known() -> bool:
    """Whether the direct encoder can write ``None``."""
    return _Nothing.known is not None


class Attributes:
    """The attributes of spans, or of events, or of links: a repeated field of KeyValue.

    Pairs with a short value are remembered whole, each type apart, since ``True == 1 == 1.0``.

    Args:
        tag: The tag of the field.
    """

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._pairs: dict[type, _Pairs] = {str: _Pairs(tag), int: _Pairs(tag), bool: _Pairs(tag)}

    def write(self, attributes: object, append: Callable[[bytes], object]) -> None:
        """Append all pairs of ``attributes``, in their order.

        Raises:
            Exception: There is something that only the official encoder may know.
        """
        remembered = self._pairs
        for key, value in _items(attributes):
            if type(key) is not str:
                raise Unknown
            kind = type(value)
            if kind in remembered:
                append(remembered[kind][key, value])
            else:
                append(self._tag + sized(_pair(key, value)))


class _Pairs(dict[tuple[str, object], bytes]):
    """Keys with values of one type, as a whole field. It fills itself, and forgets everything when full."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, pair: tuple[str, object]) -> bytes:
        key, value = pair
        made = self._tag + sized(_pair(key, value))
        if isinstance(value, str):
            again = len(value) <= _LONGEST_VALUE and len(key) <= _LONGEST_VALUE
        else:
            again = 0 <= cast("int", value) <= _GREATEST_NUMBER and len(key) <= _LONGEST_VALUE
        if again:
            if len(self) >= _MOST_PAIRS:
                self.clear()
            self[pair] = made
        return made


def _items(attributes: object) -> Iterable[tuple[object, object]]:
    kind = type(attributes)
    if kind is MappingProxyType or kind is BoundedAttributes:
        # The copy is a plain dict: one step under its lock, where `items()` is Python code for each pair.
        attributes = cast("BoundedAttributes", attributes).copy()
        kind = type(attributes)
    if kind is dict or kind is OrderedDict:
        return cast("dict[object, object]", attributes).items()
    if attributes:
        raise Unknown
    return ()


def _pair(key: str, value: object, depth: int = 0) -> bytes:
    return _KEYS[key] + sized(_any_value(value, depth))


def _any_value(value: object, depth: int) -> bytes:
    kind = type(value)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if value is None and _Nothing.known is not None:
        return _Nothing.known
    if depth < _DEEPEST:
        if kind is tuple or kind is list:
            values = [b"\x0a" + sized(_any_value(one, depth + 1)) for one in cast("list[object]", value)]
            return b"\x2a" + sized(b"".join(values))
        if kind is dict:
            pairs = cast("dict[object, object]", value).items()
            return b"\x32" + sized(b"".join([_nested(key, one, depth + 1) for key, one in pairs]))
    raise Unknown


def _nested(key: object, value: object, depth: int) -> bytes:
    if type(key) is not str:
        raise Unknown
    return b"\x0a" + sized(_pair(key, value, depth))


def _integer(number: int) -> bytes:
    if not -(1 << 63) <= number < 1 << 63:
        raise Unknown
    # A negative number is written as its two's complement of 64 bits.
    return b"\x18" + varint(number & 0xFFFFFFFFFFFFFFFF)


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    str: lambda text: b"\x0a" + sized(text.encode()),
    bool: lambda truth: b"\x10\x01" if truth else b"\x10\x00",
    int: _integer,
    float: lambda number: _DOUBLE(b"\x21", number),
    bytes: lambda data: b"\x3a" + sized(data),
}
