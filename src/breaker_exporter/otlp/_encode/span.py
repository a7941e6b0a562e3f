"""One span as OTLP protobuf bytes, written straight from its public attributes.

Every field is taken where the official encoder takes it, and means what it means there. Field numbers are
those of ``opentelemetry/proto/trace/v1/trace.proto``. The order of fields on the wire is free.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import DEFAULT_TRACE_STATE, SpanKind, StatusCode

from .attributes import Attributes
from .wire import Texts, count, sized, text_field, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext, Status, TraceState

_TIME = Struct("<cQ").pack
_TIMES = Struct("<cQcQ").pack

_LOCAL = b"\x85\x01\x00\x01\x00\x00"
_REMOTE = b"\x85\x01\x00\x03\x00\x00"
_LINK_LOCAL = b"\x35\x00\x01\x00\x00"
_LINK_REMOTE = b"\x35\x00\x03\x00\x00"
"""Flags, fixed32: it is known whether the parent, or what is linked to, is remote (0x100); it is (0x200)."""

_KINDS = {
    id(SpanKind.INTERNAL): b"\x30\x01",
    id(SpanKind.SERVER): b"\x30\x02",
    id(SpanKind.CLIENT): b"\x30\x03",
    id(SpanKind.PRODUCER): b"\x30\x04",
    id(SpanKind.CONSUMER): b"\x30\x05",
}
"""By identity, since the hash of an enum's member is Python code."""

_CODES = {
    id(StatusCode.UNSET): b"",
    id(StatusCode.OK): b"\x18\x01",
    id(StatusCode.ERROR): b"\x18\x02",
}
_STATUSES = {code: b"\x7a" + sized(data) for code, data in _CODES.items()}

_names = Texts(b"\x2a")
_event_names = Texts(b"\x12")
_attributes = Attributes(b"\x4a", 5)
_event_attributes = Attributes(b"\x1a", 6)
_link_attributes = Attributes(b"\x22", 6)


def span_bytes(span: ReadableSpan) -> bytes:
    """Return a ``Span`` message.

    Raises:
        Exception: There is something in it that OTLP has no place for.
    """
    context: Any = span.get_span_context()  # there may be none: an AttributeError, then
    name: object = span.name
    parent = span.parent
    start, end = span.start_time, span.end_time
    parts = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        context.span_id.to_bytes(8, "big"),
        _names[name] if type(name) is str else text_field(b"\x2a", name),
        _KINDS[id(span.kind)],
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") + (_REMOTE if parent.is_remote else _LOCAL)
        if parent
        else _LOCAL,
        _times(start, end) if start is None or end is None else _TIMES(b"\x39", start, b"\x41", end),
    ]
    append = parts.append
    trace_state = context.trace_state
    if trace_state is not DEFAULT_TRACE_STATE and trace_state is not None:
        append(_trace_state(trace_state))
    _attributes.write(span.attributes, append)
    for event in span.events:
        data = _event(event)
        parts += (b"\x5a", varint(len(data)), data)
    for link in span.links:
        data = _link(link)
        parts += (b"\x6a", varint(len(data)), data)
    if dropped := span.dropped_attributes:
        append(count(b"\x50", dropped))
    if dropped := span.dropped_events:
        append(count(b"\x60", dropped))
    if dropped := span.dropped_links:
        append(count(b"\x70", dropped))
    status = span.status
    if status is not None:
        append(_status(status) if status.description else _STATUSES[id(status.status_code)])
    return b"".join(parts)


def _trace_state(trace_state: TraceState) -> bytes:
    return b"\x1a" + sized(",".join([f"{key}={value}" for key, value in trace_state.items()]).encode())


def _times(start: int | None, end: int | None) -> bytes:
    return (b"" if start is None else _TIME(b"\x39", start)) + (b"" if end is None else _TIME(b"\x41", end))


def _status(status: Status) -> bytes:
    return b"\x7a" + sized(_CODES[id(status.status_code)] + text_field(b"\x12", status.description))


def _event(event: Event) -> bytes:
    name: object = event.name
    parts = [
        _TIME(b"\x09", event.timestamp),
        _event_names[name] if type(name) is str else text_field(b"\x12", name),
    ]
    _event_attributes.write(event.attributes, parts.append)
    if event.dropped_attributes:
        parts.append(count(b"\x20", event.dropped_attributes))
    return b"".join(parts)


def _link(link: Link) -> bytes:
    context: SpanContext = link.context
    parts = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        context.span_id.to_bytes(8, "big"),
        _LINK_REMOTE if context.is_remote else _LINK_LOCAL,
    ]
    _link_attributes.write(link.attributes, parts.append)
    if link.dropped_attributes:
        parts.append(count(b"\x28", link.dropped_attributes))
    return b"".join(parts)
