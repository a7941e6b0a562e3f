"""A batch of spans as the bytes of one ExportTraceServiceRequest, encoded slice by slice.

`span_bytes` writes what it knows; what it does not know goes to the official encoder; what that does not
know either is left out, alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._base.log import say
from .official import official_span_bytes, resource_head, scope_head, warm
from .span import span_bytes
from .wire import varint

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

__all__ = ["BatchEncoder", "warm"]

_said: list[str] = []
"""The error that kept the first span out, in this process."""


class BatchEncoder:
    """Encodes one batch, slice by slice, into one ExportTraceServiceRequest.

    As the official encoder does it: one ResourceSpans for each resource, in it one ScopeSpans for each
    scope, all in the order in which they were first seen. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._resources: dict[Resource, _ResourceSpans] = {}
        # The hash of a resource is one of its JSON, so equals are looked for once for each object. The
        # objects are held on to: otherwise another could come by the same id.
        self._places: dict[tuple[int, int], list[bytes]] = {}
        self._by_id: dict[int, _ResourceSpans] = {}
        self._held: list[object] = []
        self._count = 0
        self._left_out = 0

    @property
    def count(self) -> int:
        """Spans encoded so far."""
        return self._count

    @property
    def left_out(self) -> int:
        """Spans so far that nobody could encode."""
        return self._left_out

    def add(self, spans: Iterable[ReadableSpan]) -> None:
        """Encode more spans of the batch; one that nobody can encode is left out and counted."""
        places = self._places
        for span in spans:
            try:
                try:
                    data = span_bytes(span)
                except Exception:
                    data = official_span_bytes(span)
                resource, scope = span.resource, span.instrumentation_scope
                place = places.get((id(resource), id(scope)))
                if place is None:
                    place = self._place(span)
                    places[id(resource), id(scope)] = place
                    self._held += (resource, scope)
            except Exception as error:
                self._left_out += 1
                _say_once(error)
            else:
                place.append(b"\x12" + varint(len(data)))
                place.append(data)
                self._count += 1

    def body(self) -> bytes:
        """Return the serialized request of all that was added so far."""
        body: list[bytes] = []
        for resource in self._resources.values():
            parts = [resource.head]
            for head, spans in resource.scopes.values():
                size = len(head) + sum(map(len, spans))
                parts += (b"\x12", varint(size), head, *spans)
            body += (b"\x0a", varint(sum(map(len, parts))), *parts)
        return b"".join(body)

    def _place(self, span: ReadableSpan) -> list[bytes]:
        """Return where the spans of a resource and scope go that were not seen together yet."""
        resource, scope = span.resource, span.instrumentation_scope or None
        of_resource = self._by_id.get(id(resource)) or self._resources.get(resource)
        if of_resource is None:
            of_resource = _ResourceSpans(resource_head(span))
        found = of_resource.scopes.get(scope)
        if found is None:
            found = scope_head(span), []
        # Nothing is kept before all of it could be made: an empty group is no group.
        of_resource.scopes.setdefault(scope, found)
        self._by_id[id(resource)] = self._resources.setdefault(resource, of_resource)
        return found[1]


class _ResourceSpans:
    """One resource, and what it has of each scope: the head, and the spans behind their tags and lengths."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.scopes: dict[InstrumentationScope | None, tuple[bytes, list[bytes]]] = {}


def _say_once(error: Exception) -> None:
    if not _said:
        _said.append(type(error).__name__)
        # The type alone: the text of such an error quotes the span.
        say(
            logging.WARNING,
            "a span that nobody can encode is left out of its batch (%s); later ones are only counted",
            *_said,
        )
