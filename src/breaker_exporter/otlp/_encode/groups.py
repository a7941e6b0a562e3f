"""Encoded items of any signal under their resources and scopes, as one request."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

from .attributes import Attributes
from .request import BY_SCOPE, Levels, Request
from .wire import Heads, sized, text_field, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

ResourceOf = Callable[["Resource"], "Resource"]

_PIECES_AT_ONCE = 256
"""Pieces of the usual size that take well below a tenth of a millisecond to join."""

_resource_attributes = Attributes(b"\x0a", 4)
_scope_attributes = Attributes(b"\x1a", 5)
item_head = Heads(b"\x12").__getitem__
"""Returns the tag and length to write before an item of this many bytes."""


class Groups:
    """One group for each resource, in it one for each scope, in the order in which they were first seen.

    The numbers of these fields are the same in all signals.

    Args:
        resource_of: Returns the resource that is written in place of one; ``None``: that itself.
    """

    def __init__(self, resource_of: ResourceOf | None = None) -> None:
        self._resource_of = resource_of
        self._groups: list[_Group] = []
        # The hash of a resource is one of its JSON, so equals are looked for once for each object, and only
        # where there are several. Objects are held on to: otherwise another could come by the same id.
        self._equals: dict[object, _Group] = {}
        self._places: dict[tuple[int, int], list[bytes]] = {}
        self._by_id: dict[int, _Group] = {}
        self._held: list[object] = []

    def place(self, resource: Resource, scope: InstrumentationScope | None) -> list[bytes]:
        """Return the list for items of this resource and scope: for each its head and its bytes.

        Raises:
            Exception: The resource or the scope cannot be encoded.
        """
        place = self._places.get((id(resource), id(scope)))
        if place is None:
            place = self._place(resource, scope)
            self._places[id(resource), id(scope)] = place
            self._held += (resource, scope)
        return place

    def request(self, items: int, rest: Callable[[], None], levels: Levels = BY_SCOPE) -> Request:
        """Return the request of all items.

        Args:
            items: Number of them.
            rest: Called between any few of them: lets others run.
            levels: Where they stand in it.
        """
        body: list[bytes] = []
        for resource in self._groups:
            parts = [resource.head]
            for head, pieces in resource.scopes.values():
                size = len(head) + sum(map(len, pieces))
                parts += (b"\x12", varint(size), head, *pieces)
            body += (b"\x0a", varint(sum(map(len, parts))), *parts)
        return Request(_joined(body, rest), items, levels)

    def _place(self, resource: Resource, scope: InstrumentationScope | None) -> list[bytes]:
        """Return where the items of a resource and scope go that were not seen together yet."""
        scope = scope or None
        known = self._by_id.get(id(resource)) or self._equal_of(resource)
        group = known or _Group(resource, self._head_of(resource))
        found = group.scopes.get(scope)
        if found is None:
            found = _scope_head(scope), []
        # Nothing is kept before all of it could be made: an empty group is no group.
        group.scopes.setdefault(scope, found)
        if known is None:
            self._groups.append(group)
        self._by_id[id(resource)] = group
        return found[1]

    def _head_of(self, resource: Resource) -> bytes:
        return _resource_head(resource if self._resource_of is None else self._resource_of(resource))

    def _equal_of(self, resource: Resource) -> _Group | None:
        if not self._groups:
            return None
        for group in self._groups[len(self._equals) :]:
            self._equals[_key_of(group.resource)] = group
        return self._equals.get(_key_of(resource))


class _Group:
    """One resource: all of its message but the scopes, and for each scope its head and its items."""

    def __init__(self, resource: Resource, head: bytes) -> None:
        self.resource = resource
        self.head = head
        self.scopes: dict[InstrumentationScope | None, tuple[bytes, list[bytes]]] = {}


def _joined(pieces: list[bytes], rest: Callable[[], None]) -> bytes:
    # Megabytes are copied for milliseconds. What this returns is not copied again.
    joined = BytesIO()
    for start in range(0, len(pieces), _PIECES_AT_ONCE):
        rest()
        joined.write(b"".join(pieces[start : start + _PIECES_AT_ONCE]))
    return joined.getvalue()


def _key_of(resource: Resource) -> object:
    try:
        hash(resource)
    except Exception:  # it has an attribute that JSON has no place for, such as bytes
        return id(resource)
    return resource


def _resource_head(resource: Resource) -> bytes:
    parts: list[bytes] = []
    _resource_attributes.write(resource.attributes, parts.append)
    return b"\x0a" + sized(b"".join(parts)) + text_field(b"\x1a", resource.schema_url)


def _scope_head(scope: InstrumentationScope | None) -> bytes:
    if scope is None:
        return b"\x0a\x00"
    parts = [text_field(b"\x0a", scope.name), text_field(b"\x12", scope.version)]
    _scope_attributes.write(scope.attributes, parts.append)
    return b"\x0a" + sized(b"".join(parts)) + text_field(b"\x1a", scope.schema_url)
