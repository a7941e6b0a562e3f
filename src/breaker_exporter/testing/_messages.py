"""The OTLP messages of each signal: a request, its items, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

from ._faults import Signal
from ._shown import shown_log_record, shown_point, shown_span

Record = tuple[Any, ...]
"""An item with what is around it: resource, scope, (of a data point: metric and kind,) item."""


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of one signal.

    Attributes:
        items: Its items in the plural, as their number is called in the state.
        service: The full name of its gRPC service.
        request: The class of a request.
        response: The class of the answer.
        rejected: The field of a partial success that says how many items were rejected.
        records: Yields the items of a request.
        identity: Returns what tells an item from all others.
        shown: Returns an item ready for JSON.
    """

    items: str
    service: str
    request: Callable[[], Any]
    response: Callable[[], Any]
    rejected: str
    records: Callable[[Any], Iterator[Record]]
    identity: Callable[[Record], Hashable]
    shown: Callable[..., dict[str, object]]


def _spans(request: Any) -> Iterator[Record]:
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield of_resource.resource, of_scope.scope, span


def _log_records(request: Any) -> Iterator[Record]:
    for of_resource in request.resource_logs:
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                yield of_resource.resource, of_scope.scope, record


def _points(request: Any) -> Iterator[Record]:
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                for point in () if kind is None else getattr(metric, kind).data_points:
                    yield of_resource.resource, of_scope.scope, metric, kind, point


def _span_identity(record: Record) -> Hashable:
    return record[-1].trace_id, record[-1].span_id


def _log_record_identity(record: Record) -> Hashable:
    # A log record has no id: one that is sent again has the same bytes, times in nanoseconds included.
    return hash(record[-1].SerializeToString())


def _point_identity(record: Record) -> Hashable:
    return hash((record[2].name, record[-1].SerializeToString()))


MESSAGES = {
    Signal.TRACES: Messages(
        items="spans",
        service=trace.DESCRIPTOR.services_by_name["TraceService"].full_name,
        request=trace.ExportTraceServiceRequest,
        response=trace.ExportTraceServiceResponse,
        rejected="rejected_spans",
        records=_spans,
        identity=_span_identity,
        shown=shown_span,
    ),
    Signal.LOGS: Messages(
        items="log_records",
        service=logs.DESCRIPTOR.services_by_name["LogsService"].full_name,
        request=logs.ExportLogsServiceRequest,
        response=logs.ExportLogsServiceResponse,
        rejected="rejected_log_records",
        records=_log_records,
        identity=_log_record_identity,
        shown=shown_log_record,
    ),
    Signal.METRICS: Messages(
        items="data_points",
        service=metrics.DESCRIPTOR.services_by_name["MetricsService"].full_name,
        request=metrics.ExportMetricsServiceRequest,
        response=metrics.ExportMetricsServiceResponse,
        rejected="rejected_data_points",
        records=_points,
        identity=_point_identity,
        shown=shown_point,
    ),
}
