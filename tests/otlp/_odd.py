"""Spans and log records with odd fields that can be encoded all the same; made without any protobuf."""

from __future__ import annotations

import enum

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode


class Route(str, enum.Enum):  # noqa: UP042 (its str() is another than that of a StrEnum)
    HOME = "/"


RESOURCE = Resource({"service.name": "shop", "odd": Route.HOME}, "https://schema")
SCOPE = InstrumentationScope("tests", None, "https://schema", {"odd": Route.HOME})


def odd_spans() -> list[ReadableSpan]:
    """Return some."""
    fields = [
        {"name": Route.HOME},
        {"name": "a", "attributes": {"odd": object(), "kept": Route.HOME, "none": None}},
        {"name": "b", "status": Status(StatusCode.ERROR, Route.HOME)},
        {"name": "c", "events": [Event(Route.HOME, {"deep": [[[[[[[[[["x"]]]]]]]]]]}, 1)]},
    ]
    context = SpanContext(1, 1, is_remote=False)
    return [
        ReadableSpan(context=context, resource=RESOURCE, instrumentation_scope=SCOPE, **one)  # type: ignore[arg-type]
        for one in fields
    ]


def odd_log_records() -> list[ReadableLogRecord]:
    """Return some."""
    records = [
        LogRecord(body=Route.HOME, event_name=Route.HOME),
        LogRecord(severity_text=Route.HOME, attributes={"odd": object(), "kept": Route.HOME, "none": None}),  # type: ignore[dict-item]
        LogRecord(body={"deep": [[[[[[[[[["x"]]]]]]]]]]}),
    ]
    return [ReadableLogRecord(record, RESOURCE, SCOPE) for record in records]
