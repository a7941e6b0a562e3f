"""Items of OTLP requests, decoded and ready for JSON: spans, log records, data points."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality


def shown_span(resource: Any, scope: Any, span: Any) -> dict[str, object]:
    """Return a span as ``ReceivedSpan`` has it."""
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": _name(span.SpanKind, span.kind, "SPAN_KIND_"),
        "status": _name(span.status.StatusCode, span.status.code, "STATUS_CODE_"),
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        **_around(resource, scope, span),
    }


def shown_log_record(resource: Any, scope: Any, record: Any) -> dict[str, object]:
    """Return a log record as ``ReceivedLogRecord`` has it."""
    return {
        "body": plain(record.body),
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "event_name": record.event_name or None,
        "trace_id": record.trace_id.hex() or None,
        "span_id": record.span_id.hex() or None,
        "time_unix_nano": record.time_unix_nano,
        "observed_time_unix_nano": record.observed_time_unix_nano,
        **_around(resource, scope, record),
    }


def shown_point(resource: Any, scope: Any, metric: Any, kind: str, point: Any) -> dict[str, object]:
    """Return a data point as ``ReceivedDataPoint`` has it."""
    data = getattr(metric, kind)
    number = point.WhichOneof("value") if kind in ("gauge", "sum") else None
    return {
        "metric": metric.name,
        "kind": kind,
        "unit": metric.unit,
        "temporality": None if kind in ("gauge", "summary") else _temporality(data),
        "is_monotonic": data.is_monotonic if kind == "sum" else None,
        "value": None if number is None else getattr(point, number),
        "count": getattr(point, "count", None),
        "sum": getattr(point, "sum", None),
        "bucket_counts": list(getattr(point, "bucket_counts", ())),
        "start_time_unix_nano": point.start_time_unix_nano,
        "time_unix_nano": point.time_unix_nano,
        **_around(resource, scope, point),
    }


def plain(value: Any) -> object:
    """Return the value of an ``AnyValue``; bytes as hex digits."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    only: object = getattr(value, kind)
    return only


def _around(resource: Any, scope: Any, item: Any) -> dict[str, object]:
    return {
        "scope": scope.name,
        "resource": _pairs(resource.attributes),
        "attributes": _pairs(item.attributes),
    }


def _pairs(attributes: Any) -> dict[str, object]:
    return {pair.key: plain(pair.value) for pair in attributes}


def _temporality(data: Any) -> str:
    return _name(AggregationTemporality, data.aggregation_temporality, "AGGREGATION_TEMPORALITY_")


def _name(kind: Any, number: int, prefix: str) -> str:
    # Enums are open in proto3: a newer client may send a number that has no name here.
    known: dict[int, str] = {value: name for name, value in kind.items()}
    return known[number].removeprefix(prefix).lower() if number in known else str(number)
