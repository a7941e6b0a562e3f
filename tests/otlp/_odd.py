"""Spans with odd fields that can be encoded all the same; made without any protobuf."""

from __future__ import annotations

import enum

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode


class Route(str, enum.Enum):  # noqa: UP042 (its str() is another than that of a StrEnum)
    HOME = "/"


def odd_spans() -> list[ReadableSpan]:
    """Return some."""
    fields = [
        {"name": Route.HOME},
        {"name": "a", "attributes": {"odd": object(), "kept": Route.HOME, "none": None}},
        {"name": "b", "status": Status(StatusCode.ERROR, Route.HOME)},
        {"name": "c", "events": [Event(Route.HOME, {"deep": [[[[[[[[[["x"]]]]]]]]]]}, 1)]},
    ]
    resource = Resource({"service.name": "shop", "odd": Route.HOME}, "https://schema")
    scope = InstrumentationScope("tests", None, "https://schema", {"odd": Route.HOME})
    context = SpanContext(1, 1, is_remote=False)
    return [
        ReadableSpan(context=context, resource=resource, instrumentation_scope=scope, **one)  # type: ignore[arg-type]
        for one in fields
    ]
