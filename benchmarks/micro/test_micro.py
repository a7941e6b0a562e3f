"""Costs of single steps: encoding, and exports around an exporter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import pybreaker
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
    CircuitState,
)
from breaker_exporter.otlp._encode.log_records import encode_log_records as direct_logs
from breaker_exporter.otlp._encode.metrics import encode_metrics as direct_metrics
from breaker_exporter.otlp._encode.spans import encode_spans as direct_spans

from ..batches import log_records, repeating, series, varied
from ..series import usual

ONE: Any = (object(),)


class _Nothing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _Failing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


_Batch = tuple[Callable[..., Any], Callable[..., Any], object]
"""The direct encoder, the official one, and the items."""

_KINDS: dict[str, Callable[[], _Batch]] = {
    "repeating": lambda: (direct_spans, encode_spans, repeating()),
    "varied": lambda: (direct_spans, encode_spans, varied()),
    "logs": lambda: (direct_logs, encode_logs, log_records()),
    "metrics": lambda: (direct_metrics, encode_metrics, usual(200)),
    "metrics-2000": lambda: (direct_metrics, encode_metrics, usual(2000)),
}


@pytest.fixture(scope="module", params=_KINDS)
def batch(request: pytest.FixtureRequest) -> _Batch:
    return _KINDS[request.param]()


def test_encode_direct(benchmark: Any, batch: _Batch) -> None:
    encode, _, items = batch
    assert benchmark(lambda: encode(items, 0, lambda: None))


def test_encode_official(benchmark: Any, batch: _Batch) -> None:
    _, encode, items = batch
    assert benchmark(lambda: encode(items).SerializeToString())


def test_bare_call(benchmark: Any) -> None:
    benchmark(_Nothing().export, ONE)


def test_pybreaker_call(benchmark: Any) -> None:
    breaker = pybreaker.CircuitBreaker()
    exporter = _Nothing()
    benchmark(lambda: breaker.call(exporter.export, ONE))


def test_refused_export(benchmark: Any) -> None:
    exporter = CircuitBreakerSpanExporter(_Failing(), failure_threshold=1, cooldown=3600, max_cooldown=3600)
    exporter.export(ONE)
    benchmark(exporter.export, ONE)
    assert exporter.state is CircuitState.OPEN


class _FailingLogs(LogRecordExporter):
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


class _FailingMetrics(MetricExporter):
    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass


_OTHERS: dict[str, tuple[Callable[..., Any], Callable[[], Any], Callable[[], Any]]] = {
    "log records": (CircuitBreakerLogRecordExporter, _FailingLogs, lambda: log_records(8)),
    "data points": (CircuitBreakerMetricExporter, _FailingMetrics, lambda: series(200)),
}


@pytest.mark.parametrize("kind", _OTHERS)
def test_refused_export_of(benchmark: Any, kind: str) -> None:
    """Eight log records; metrics of 200 series, whose data points are counted."""
    guarded, failing, make = _OTHERS[kind]
    exporter, batch = guarded(failing(), failure_threshold=1, cooldown=3600, max_cooldown=3600), make()
    exporter.export(batch)
    benchmark(exporter.export, batch)
    assert exporter.state is CircuitState.OPEN


def test_closed_export_threads(benchmark: Any) -> None:
    benchmark(CircuitBreakerSpanExporter(_Nothing()).export, ONE)


def test_thread_hop(benchmark: Any) -> None:
    jobs: SimpleQueue[int | None] = SimpleQueue()
    done = threading.Lock()
    done.acquire()

    def work() -> None:
        while jobs.get() is not None:
            done.release()

    def hop() -> None:
        jobs.put(1)
        done.acquire()

    threading.Thread(target=work, daemon=True).start()
    benchmark(hop)
    jobs.put(None)


def test_health(benchmark: Any) -> None:
    benchmark(CircuitBreakerSpanExporter(_Nothing()).health)


_GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent, statistics, sys, time
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from breaker_exporter import CircuitBreakerSpanExporter

class Nothing(SpanExporter):
    cooperative = sys.argv[1] == "cooperative"
    def export(self, spans):
        return SpanExportResult.SUCCESS

exporter, pool = CircuitBreakerSpanExporter(Nothing()), gevent.get_hub().threadpool
call = (lambda: pool.apply(int)) if sys.argv[1] == "hop" else (lambda: exporter.export((1,)))
times = []
for _ in range(9):
    began = time.perf_counter()
    for _ in range(500):
        call()
    times.append((time.perf_counter() - began) / 500)
print(statistics.median(times))
"""
_IMPORT = """
import time
import opentelemetry.sdk.trace
began = time.perf_counter()
from breaker_exporter import CircuitBreakerSpanExporter
print(time.perf_counter() - began)
"""


@pytest.mark.parametrize("what", ["hop", "native", "cooperative"])
def test_gevent(benchmark: Any, what: str) -> None:
    """In a patched process of its own; `seconds` in the extra info is what counts."""
    _time_process(benchmark, _GEVENT, what)


def test_import(benchmark: Any) -> None:
    """`seconds` in the extra info, over ``opentelemetry.sdk.trace``."""
    _time_process(benchmark, _IMPORT)


def _time_process(benchmark: Any, script: str, *arguments: str) -> None:
    found: list[float] = []

    def run() -> None:
        command = [sys.executable, "-c", script, *arguments]
        found.append(float(subprocess.run(command, capture_output=True, check=True, text=True).stdout))

    benchmark.pedantic(run, rounds=7)
    benchmark.extra_info["seconds"] = sorted(found)[len(found) // 2]
