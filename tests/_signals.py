"""The three signals, for tests of what holds for each: batches, exporters that play a script, results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
)

from .semantics._spans import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from breaker_exporter.testing import ScriptedExporter

SHOP = Resource({"service.name": "shop"})
_SCOPE = InstrumentationScope("breaker-exporter-tests")


def log_records(count: int) -> list[ReadableLogRecord]:
    """Return ``count`` new log records."""
    return [
        ReadableLogRecord(
            LogRecord(timestamp=1, observed_timestamp=2, body=f"record-{number}"),
            resource=SHOP,
            instrumentation_scope=_SCOPE,
        )
        for number in range(count)
    ]


def data_points(count: int) -> MetricsData:
    """Return metrics of ``count`` data points in all, two a metric."""
    points = [NumberDataPoint({"number": number}, 0, 1, number) for number in range(count)]
    metrics = [
        Metric(f"metric-{first}", None, None, Gauge(points[first : first + 2]))
        for first in range(0, count, 2)
    ]
    return MetricsData([ResourceMetrics(SHOP, [ScopeMetrics(_SCOPE, metrics, "")], "")])


class PlayingLogs(LogRecordExporter):
    """A log record exporter that plays the script of another exporter."""

    def __init__(self, script: ScriptedExporter) -> None:
        self.script = script

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        answer = self.script.export(cast("Any", batch))
        return LogRecordExportResult[answer.name] if isinstance(answer, SpanExportResult) else answer

    def shutdown(self) -> None:
        self.script.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.script.force_flush(timeout_millis)


class PlayingMetrics(MetricExporter):
    """A metric exporter that plays the script of another exporter, and notes what else it was given."""

    def __init__(self, script: ScriptedExporter, **preferences: Any) -> None:
        super().__init__(**preferences)
        self.script = script
        self.given: list[dict[str, Any]] = []

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        self.given.append({"timeout_millis": timeout_millis, **kwargs})
        answer = self.script.export(cast("Any", [metrics_data]))
        return MetricExportResult[answer.name] if isinstance(answer, SpanExportResult) else answer

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.script.shutdown()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self.script.force_flush(int(timeout_millis))


@dataclass(frozen=True)
class Signal:
    """A signal.

    Attributes:
        unit: Its items, in the plural.
        breaker: The circuit breaker for its exporters.
        batch: Makes a batch of so many items.
        result: The type of an exporter's result.
        playing: An exporter of the signal that plays the script of this one.
    """

    unit: str
    breaker: Callable[..., Any]
    batch: Callable[[int], Any]
    result: Any
    playing: Callable[[ScriptedExporter], Any]


SPANS = Signal("spans", CircuitBreakerSpanExporter, spans, SpanExportResult, lambda script: script)
LOGS = Signal("log records", CircuitBreakerLogRecordExporter, log_records, LogRecordExportResult, PlayingLogs)
METRICS = Signal("data points", CircuitBreakerMetricExporter, data_points, MetricExportResult, PlayingMetrics)
SIGNALS = (SPANS, LOGS, METRICS)
EACH_SIGNAL = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.unit.replace(" ", "-"))
