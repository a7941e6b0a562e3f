"""One log record as OTLP protobuf bytes, written straight from its public attributes.

Every field is taken where the official encoder takes it, and means what it means there. Field numbers are
those of ``opentelemetry/proto/logs/v1/logs.proto``. The order of fields on the wire is free.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber

from .attributes import Attributes
from .log_body import body_as_text
from .numeric import enum
from .values import any_value
from .wire import Texts, count, sized, text_field, varint

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

_TIME = Struct("<cQ").pack
_TIMES = Struct("<cQcQ").pack
_FLAGS = Struct("<cI").pack

_SEVERITIES = {id(number): b"\x10" + varint(number.value) for number in SeverityNumber}
"""By identity, since the hash of an enum's member is Python code."""

_severity_texts = Texts(b"\x1a")
_event_names = Texts(b"\x62")
_attributes = Attributes(b"\x32", 5)


def log_record_bytes(item: ReadableLogRecord) -> bytes:
    """Return a ``LogRecord`` message. A body that OTLP has no place for is replaced by its text.

    Raises:
        Exception: There is something else in it that OTLP has no place for.
    """
    record: Any = item.log_record  # its types promise what a careless hand does not keep
    time, observed = record.timestamp, record.observed_timestamp
    severity, text = record.severity_number, record.severity_text
    trace_id, span_id, flags = record.trace_id, record.span_id, int(record.trace_flags)
    event_name = record.event_name
    parts = [
        _times(time, observed)
        if time is None or observed is None
        else _TIMES(b"\x09", time, b"\x59", observed),
        _SEVERITIES.get(id(severity)) or _severity(severity),
        _severity_texts[text] if type(text) is str else text_field(b"\x1a", text),
        b"" if trace_id == 0 else b"\x4a\x10" + trace_id.to_bytes(16, "big"),
        b"" if span_id == 0 else b"\x52\x08" + span_id.to_bytes(8, "big"),
    ]
    append = parts.append
    body = record.body
    try:
        if type(body) is str:
            data = body.encode()
            head = b"\x0a" + varint(len(data))
            parts += (b"\x2a", varint(len(head) + len(data)), head, data)
        else:
            append(b"\x2a" + sized(any_value(body, 4)))
    except Exception as error:
        append(body_as_text(body, error))
    _attributes.write(record.attributes, append)
    if dropped := item.dropped_attributes:
        append(count(b"\x38", dropped))
    if flags:
        append(_FLAGS(b"\x45", flags))
    if event_name is not None:
        append(_event_names[event_name] if type(event_name) is str else text_field(b"\x62", event_name))
    return b"".join(parts)


def _times(time: int | None, observed: int | None) -> bytes:
    return (b"" if time is None else _TIME(b"\x09", time)) + (
        b"" if observed is None else _TIME(b"\x59", observed)
    )


def _severity(number: object) -> bytes:
    """Return the field for what is no member of `SeverityNumber`: no field without a value."""
    value = getattr(number, "value", None)
    return b"" if value is None else enum(b"\x10", value)
