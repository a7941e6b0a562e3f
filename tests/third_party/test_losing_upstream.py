"""The benchmarks' contender with a collector on its host: the fault is that collector's upstream's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.backends import backend_for
from benchmarks.contenders import LOSING_UPSTREAM
from benchmarks.rotel import agent

if TYPE_CHECKING:
    from pathlib import Path

    from breaker_exporter.testing import FaultyCollector


def test_an_exporter_does_not_see_the_fault_behind_its_collector(
    collector: FaultyCollector, tmp_path: Path
) -> None:
    """Delivered is what the upstream has."""
    if agent() is None:
        pytest.skip("rotel is not installed")
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for number in range(3):
        provider.get_tracer("t").start_span(f"request {number}").end()
    spans = memory.get_finished_spans()
    (contender,) = LOSING_UPSTREAM

    with backend_for(contender, collector, tmp_path) as backend:
        exporter = OTLPSpanExporter(f"{backend.environment['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces")
        assert exporter.export(spans[:2]) is SpanExportResult.SUCCESS
        assert collector.wait_for_spans(2, 30.0)
        backend.switch("refuse")

        assert exporter.export(spans[2:]) is SpanExportResult.SUCCESS
        assert backend.delivered() == 2
        exporter.shutdown()  # type: ignore[no-untyped-call]
