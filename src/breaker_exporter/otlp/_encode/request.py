"""An encoded request of any signal, which can be cut without the items that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from .._protobuf import fields
from .wire import varint

_LONGEST_LENGTH = 6
"""Bytes that a tag and a length take at most: a request is far below 2**35 bytes."""

_ITEMS_AT_ONCE = 16
"""Items that take well below a tenth of a millisecond to find."""

Levels = tuple[frozenset[int], ...]
"""Tags of the repeated fields that lead from a request to its items, from the outermost inwards."""

BY_SCOPE: Levels = (frozenset({0x0A}), frozenset({0x12}), frozenset({0x12}))
"""Resources, in them scopes, in them items: spans and log records."""

BY_METRIC: Levels = (*BY_SCOPE, frozenset({0x2A, 0x3A, 0x4A, 0x52}), frozenset({0x0A}))
"""In scopes metrics, in them data of one type each, in these data points."""


def _never() -> None:
    """Let nobody run."""


@dataclass(frozen=True, slots=True)
class Request:
    """The serialized bytes of a request, and what they hold.

    Attributes:
        body: The bytes, uncompressed.
        items: Number of items in it, such as spans.
        levels: Where items stand in it.
    """

    body: bytes
    items: int
    levels: Levels = BY_SCOPE

    def split(self, limit: int, rest: Callable[[], object] = _never) -> tuple[Request, ...]:
        """Return requests of `limit` bytes at most that together hold the same items, in the same order.

        An item that is too large alone is a request of its own, above the limit.

        Args:
            limit: Bytes.
            rest: Called between any few items, and between two requests: lets others run.
        """
        return tuple(self.split_one_by_one(limit, rest))

    def split_one_by_one(self, limit: int, rest: Callable[[], object] = _never) -> Iterator[Request]:
        """Yield what :meth:`split` returns, each when it is asked for: it may take memory many times."""
        if len(self.body) <= limit or self.items <= 1:
            yield self
            return
        parts: list[list[_Item]] = []
        size, groups = 0, tuple[_Group, ...]()
        for item in self._found(rest):
            # Of groups that the part has already, the heads are there.
            added = item.size + sum(group.cost for group in item.groups if group not in groups)
            if not parts or size + added > limit:
                parts.append([])
                size, added = 0, item.size + sum(group.cost for group in item.groups)
            parts[-1].append(item)
            size, groups = size + added, item.groups
        for part in parts:
            rest()
            yield self._part(part)

    def split_by_items(self, most: int, rest: Callable[[], object] = _never) -> Iterator[Request]:
        """Yield requests of `most` items at most that together hold the same items, in the same order.

        Args:
            most: 1 or more.
            rest: Called between any few pieces of work: lets others run.
        """
        items: list[_Item] = []
        for item in self._found(rest):
            if len(items) == most:
                yield self._part(items)
                rest()
                items = []
            items.append(item)
        yield self._part(items)

    def halved(self, rest: Callable[[], object] = _never) -> tuple[Request, Request]:
        """Return two requests of about the same size that hold the same items, two at least.

        Args:
            rest: Called between any few items: lets others run.
        """
        items = list(self._found(rest))
        half, size, count = sum(item.size for item in items) / 2, 0, 0
        while size < half and count < len(items) - 1:
            size += items[count].size
            count += 1
        return self._part(items[:count]), self._part(items[count:])

    def _found(self, rest: Callable[[], object]) -> Iterator[_Item]:
        for number, item in enumerate(_items(self.body, 0, len(self.body), self.levels), 1):
            if number % _ITEMS_AT_ONCE == 0:
                rest()
            yield item

    def _part(self, items: list[_Item]) -> Request:
        return Request(_joined(self.body, items, 0), len(items), self.levels)


def count_items(
    body: bytes, levels: Levels, seen: Callable[[], object], start: int = 0, end: int | None = None
) -> int:
    """The number of items that stand in a request, found by walking through it.

    Args:
        body: Its bytes.
        levels: Where items stand in it.
        seen: Called for each field on the way to items, and for each item.
        start: Where the outermost level begins.
        end: Where it ends; ``None``: with `body`.

    Raises:
        Malformed: It is no request.
    """
    tags, *inner = levels
    found = 0
    for tag, _, content, after in fields(body, start, end):
        seen()
        if tag in tags:
            found += count_items(body, tuple(inner), seen, content, after) if inner else 1
    return found


class _Group:
    """A message that holds items or further groups: all of it but these."""

    __slots__ = ("cost", "head", "tag")

    def __init__(self, tag: bytes, head: bytes) -> None:
        self.tag = tag
        self.head = head
        self.cost = len(head) + _LONGEST_LENGTH


@dataclass(frozen=True, slots=True)
class _Item:
    """One item, as a whole field: where it stands, and the groups around it."""

    begin: int
    end: int
    groups: tuple[_Group, ...]

    @property
    def size(self) -> int:
        return self.end - self.begin


def _items(
    body: bytes, start: int, end: int, levels: Levels, groups: tuple[_Group, ...] = ()
) -> Iterator[_Item]:
    tags, *inner = levels
    for tag, begin, content, after in fields(body, start, end):
        if tag not in tags:
            continue
        if not inner:
            yield _Item(begin, after, groups)
            continue
        head = b"".join(
            [body[first:last] for tag, first, _, last in fields(body, content, after) if tag not in inner[0]]
        )
        group = _Group(varint(tag), head)
        yield from _items(body, content, after, tuple(inner), (*groups, group))


def _joined(body: bytes, items: list[_Item], depth: int) -> bytes:
    if depth == len(items[0].groups):
        return b"".join([body[item.begin : item.end] for item in items])
    parts: list[bytes] = []
    for group, members in groupby(items, lambda item: item.groups[depth]):
        inside = _joined(body, list(members), depth + 1)
        parts += (group.tag, varint(len(group.head) + len(inside)), group.head, inside)
    return b"".join(parts)
