"""Costs of single steps: encoding, and exports around an exporter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import pybreaker
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.otlp._encoder import BatchEncoder

SPANS = 512
ONE: Any = (object(),)


class _Nothing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _Failing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


@pytest.fixture(scope="module")
def batch() -> Sequence[ReadableSpan]:
    """What web services make: a server span and its queries, an exception and a link now and then."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    web, database = provider.get_tracer("flask", "1.0"), provider.get_tracer("sqlalchemy", "1.0")
    for number in range(SPANS // 8):
        with web.start_as_current_span("GET /goods/{id}", kind=trace.SpanKind.SERVER) as request:
            request.set_attributes(
                {
                    "http.request.method": "GET",
                    "url.path": f"/goods/{number}",
                    "http.route": "/goods/{id}",
                    "http.response.status_code": 200,
                    "client.address": f"10.0.0.{number}",
                    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
                }
            )
            for step in range(7):
                links = [trace.Link(request.get_span_context())] if step == 3 else None
                with database.start_as_current_span("SELECT", links=links) as query:
                    query.set_attributes(
                        {
                            "db.system.name": "postgresql",
                            "db.query.text": f"SELECT name FROM goods WHERE shelf = {number * 7 + step}",
                            "db.namespace": "shop",
                            "server.address": "database",
                            "server.port": 5432,
                        }
                    )
                    if step == 5:
                        query.record_exception(ValueError("no such shelf"))
    return memory.get_finished_spans()


def test_encode_direct(benchmark: Any, batch: Sequence[ReadableSpan]) -> None:
    def encode() -> bytes:
        encoder = BatchEncoder()
        for start in range(0, len(batch), 16):
            encoder.add(batch[start : start + 16])
        return encoder.body()

    assert benchmark(encode)


def test_encode_official(benchmark: Any, batch: Sequence[ReadableSpan]) -> None:
    assert benchmark(lambda: encode_spans(batch).SerializeToString())


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
