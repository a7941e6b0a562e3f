"""A third party's collector gets what was exported of all three signals, whole, by both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import format_span_id, format_trace_id

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
)
from breaker_exporter.otlp import (
    CooperativeOTLPLogRecordExporter,
    CooperativeOTLPMetricExporter,
    CooperativeOTLPSpanExporter,
    OTLPGrpcLogRecordExporter,
    OTLPGrpcMetricExporter,
    OTLPGrpcSpanExporter,
)

if TYPE_CHECKING:
    from benchmarks.rotel import Collector
    from breaker_exporter.testing import FaultyCollector

    Exporters = tuple[
        CircuitBreakerSpanExporter, CircuitBreakerLogRecordExporter, CircuitBreakerMetricExporter
    ]

_REQUESTS = 600


def _exporters(protocol: str, collector: Collector) -> Exporters:
    if protocol == "grpc":
        return (
            CircuitBreakerSpanExporter(OTLPGrpcSpanExporter(collector.grpc)),
            CircuitBreakerLogRecordExporter(OTLPGrpcLogRecordExporter(collector.grpc)),
            CircuitBreakerMetricExporter(OTLPGrpcMetricExporter(collector.grpc)),
        )
    base: str = collector.http
    return (
        CircuitBreakerSpanExporter(CooperativeOTLPSpanExporter(f"{base}/v1/traces", compression="gzip")),
        CircuitBreakerLogRecordExporter(
            CooperativeOTLPLogRecordExporter(f"{base}/v1/logs", compression="gzip")
        ),
        CircuitBreakerMetricExporter(CooperativeOTLPMetricExporter(f"{base}/v1/metrics", compression="gzip")),
    )


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_everything_arrives(protocol: str, third_party: Collector, collector: FaultyCollector) -> None:
    """Span by span, record by record by its number, and the sum of a counter."""
    resource = Resource({"service.name": "shop"})
    for_spans, for_logs, for_metrics = _exporters(protocol, third_party)
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(for_spans))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(for_logs))
    metrics = MeterProvider([PeriodicExportingMetricReader(for_metrics)], resource=resource)
    tracer, logger = traces.get_tracer("third party"), logs.get_logger("third party")
    counter = metrics.get_meter("third party").create_counter("requests", unit="1")
    ids, of_records = set[str](), set[tuple[object, object]]()
    for number in range(_REQUESTS):
        with tracer.start_as_current_span(f"request {number}", attributes={"number": number}) as span:
            span.add_event("began", {"at": 0.5})
            logger.emit(
                severity_number=SeverityNumber.INFO, body=f"served {number}", attributes={"number": number}
            )
        counter.add(number, {"even": number % 2 == 0})
        context = span.get_span_context()
        ids.add(format_span_id(context.span_id))
        of_records.add((f"served {number}", format_trace_id(context.trace_id)))
    traces.shutdown()
    logs.shutdown()
    metrics.shutdown()

    assert collector.wait_for_spans(_REQUESTS, 30.0)
    assert collector.wait_for_log_records(_REQUESTS, 30.0)
    assert collector.wait_for_data_points(2, 30.0)
    assert collector.span_ids == ids
    assert {(record.body, record.trace_id) for record in collector.latest_log_records} == of_records
    points = {point.attributes["even"]: point.value for point in collector.latest_data_points}
    assert points == {True: sum(range(0, _REQUESTS, 2)), False: sum(range(1, _REQUESTS, 2))}
    counts = collector.counts()
    assert (counts.duplicates, counts.duplicate_log_records, counts.duplicate_data_points) == (0, 0, 0)
