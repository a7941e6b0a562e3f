"""A foreign exporter, of the standard library alone, wrapped: all that can be had without an extra.

With `gevent` as the argument the process is patched, and the export has to leave the hub alone.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Sequence

if "gevent" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState


def field(number: int, payload: bytes) -> bytes:
    """A message's field in protobuf's wire format, up to 127 bytes."""
    return bytes([number << 3 | 2, len(payload)]) + payload


class ForeignExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            context = span.get_span_context()
            assert context is not None
            trace_id, span_id = context.trace_id.to_bytes(16), context.span_id.to_bytes(8)
            in_scope = field(2, field(1, trace_id) + field(2, span_id))
            request = urllib.request.Request(
                os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces",
                field(1, field(2, in_scope)),
                {"Content-Type": "application/x-protobuf"},
            )
            urllib.request.urlopen(request, timeout=10).close()
        return SpanExportResult.SUCCESS


exporter = CircuitBreakerSpanExporter(ForeignExporter())
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
with provider.get_tracer("extras").start_as_current_span("request"):
    pass
provider.shutdown()
health = exporter.health()
assert (health.state, health.exported) == (CircuitState.CLOSED, 1), health
