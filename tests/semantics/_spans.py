"""Spans as the SDK makes them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


@functools.cache
def _tracer() -> tuple[Tracer, InMemorySpanExporter]:
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    return provider.get_tracer("breaker-exporter-tests"), finished


def spans(count: int) -> tuple[ReadableSpan, ...]:
    """Return ``count`` new, ended spans."""
    tracer, finished = _tracer()
    finished.clear()
    for number in range(count):
        tracer.start_span(f"span-{number}").end()
    return finished.get_finished_spans()
