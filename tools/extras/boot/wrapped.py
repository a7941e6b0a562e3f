"""The official exporter of the protocol that is the argument, wrapped."""

from __future__ import annotations

import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from breaker_exporter import CircuitBreakerSpanExporter

wrapped: SpanExporter
if sys.argv[1] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter

    wrapped = GRPCExporter()
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter

    wrapped = HTTPExporter()

exporter = CircuitBreakerSpanExporter(wrapped)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
with provider.get_tracer("extras").start_as_current_span("request"):
    pass
provider.shutdown()
assert exporter.health().exported == 1, exporter.health()
