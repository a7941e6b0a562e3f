"""What the official encoder is asked for: odd spans, and the heads of resources and scopes.

It is loaded when first needed, protobuf with it: `warm` does so at a moment of the caller's choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .values import none_is, none_is_known

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_MOST_HEADS = 64


class _Head(NamedTuple):
    """All of a ``ResourceSpans`` but its scopes, or all of a ``ScopeSpans`` but its spans."""

    owner: object
    data: bytes


_heads: dict[int, _Head] = {}
"""By identity: each holds its owner, so that no other can come by that ``id``."""


def warm() -> None:
    """Import what may be needed later.

    A first import in the middle of an export may come on a native thread, and wait for import locks there.

    Raises:
        ImportError: The extra ``otlp`` is not installed.
    """
    import opentelemetry.exporter.otlp.proto.common.trace_encoder  # noqa: F401


def official_span_bytes(span: ReadableSpan) -> bytes:
    """Return a ``Span`` message from the official encoder.

    Raises:
        Exception: It cannot encode this span.
    """
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    request = encode_spans([span])
    # Whole, as it will travel: a span nested too deep shows only here, and would cost the batch.
    request.SerializeToString()
    encoded = request.resource_spans[0].scope_spans[0].spans[0]
    if not none_is_known() and any(
        pair.HasField("value") and pair.value.WhichOneof("value") is None for pair in encoded.attributes
    ):
        none_is(b"")
    return encoded.SerializeToString()


def resource_head(span: ReadableSpan) -> bytes:
    """Return the ``ResourceSpans`` of a span's resource, without its scopes.

    Raises:
        Exception: The official encoder cannot encode it.
    """
    return (_known(span.resource) or _learn(span)[0]).data


def scope_head(span: ReadableSpan) -> bytes:
    """Return the ``ScopeSpans`` of a span's scope, without its spans.

    Raises:
        Exception: The official encoder cannot encode it.
    """
    return (_known(span.instrumentation_scope) or _learn(span)[1]).data


def _known(owner: object) -> _Head | None:
    return _heads.get(id(owner))


def _learn(span: ReadableSpan) -> tuple[_Head, _Head]:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    request = encode_spans([span])
    request.SerializeToString()
    resource_spans = request.resource_spans[0]
    scope_spans = resource_spans.scope_spans[0]
    scope_spans.ClearField("spans")
    scope = _Head(span.instrumentation_scope, scope_spans.SerializeToString())
    resource_spans.ClearField("scope_spans")
    resource = _Head(span.resource, resource_spans.SerializeToString())
    for head in (resource, scope):
        # Only these are known never to change.
        if type(head.owner) in {Resource, InstrumentationScope}:
            if len(_heads) >= _MOST_HEADS:
                _heads.clear()
            _heads[id(head.owner)] = head
    return resource, scope
