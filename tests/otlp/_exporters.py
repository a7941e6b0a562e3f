"""The six exporters of this package: what each signal exports, by which class, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
    otlp,
)
from breaker_exporter.otlp._signals import LOGS, METRICS, TRACES, Signal
from breaker_exporter.testing import FaultyCollector
from breaker_exporter.testing import Signal as ReceivedSignal

from ..semantics._spans import spans
from ..testing._items import log_records, metrics_data


@dataclass(frozen=True)
class Kind:
    """One of them.

    Attributes:
        signal: The signal.
        protocol: ``http`` or ``grpc``.
        make: The class.
        batch: Makes a batch of so many items.
        results: What ``export`` returns.
        breaker: The circuit breaker of its signal.
    """

    signal: Signal
    protocol: str
    make: Callable[..., Any]
    batch: Callable[[int], Any]
    results: Any
    breaker: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.signal.name}-{self.protocol}"

    def endpoint(self, collector: FaultyCollector) -> str:
        """Where it exports to."""
        if self.protocol == "grpc":
            return collector.grpc_endpoint
        return collector.http_endpoint_of(ReceivedSignal(self.signal.word.lower()))

    def taken(self, collector: FaultyCollector) -> int:
        """Number of its items that the collector has, each counted once."""
        counts = collector.counts()
        return {
            TRACES: counts.spans - counts.duplicates,
            LOGS: counts.log_records - counts.duplicate_log_records,
            METRICS: counts.data_points - counts.duplicate_data_points,
        }[self.signal]


_BY_HTTP = {
    TRACES: otlp.CooperativeOTLPSpanExporter,
    LOGS: otlp.CooperativeOTLPLogRecordExporter,
    METRICS: otlp.CooperativeOTLPMetricExporter,
}
_BY_GRPC = {
    TRACES: otlp.OTLPGrpcSpanExporter,
    LOGS: otlp.OTLPGrpcLogRecordExporter,
    METRICS: otlp.OTLPGrpcMetricExporter,
}
_BATCHES: dict[Signal, Callable[[int], Any]] = {
    TRACES: spans,
    LOGS: log_records,
    METRICS: lambda count: metrics_data(count) if count else MetricsData([]),
}
_RESULTS = {TRACES: SpanExportResult, LOGS: LogRecordExportResult, METRICS: MetricExportResult}
_BREAKERS = {
    TRACES: CircuitBreakerSpanExporter,
    LOGS: CircuitBreakerLogRecordExporter,
    METRICS: CircuitBreakerMetricExporter,
}

KINDS = tuple(
    Kind(signal, protocol, classes[signal], _BATCHES[signal], _RESULTS[signal], _BREAKERS[signal])
    for protocol, classes in (("http", _BY_HTTP), ("grpc", _BY_GRPC))
    for signal in _BATCHES
)
