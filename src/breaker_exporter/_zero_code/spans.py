"""Spans without a line of code: ``OTEL_TRACES_EXPORTER=breaker_otlp_proto_http``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..otlp._signals import TRACES
from .late import LateExporter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .._spans import CircuitBreakerSpanExporter


class ZeroCodeSpanExporter(LateExporter, SpanExporter):
    """A guarded exporter of spans. One instance serves one processor."""

    signal = TRACES

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans` through the circuit breaker, which the first export makes."""
        breaker: CircuitBreakerSpanExporter | None
        with self.exporting() as breaker:
            return SpanExportResult.FAILURE if breaker is None else breaker.export(spans)


class HTTPSpanExporter(ZeroCodeSpanExporter):
    """``breaker_otlp_proto_http``: :class:`~breaker_exporter.otlp.CooperativeOTLPSpanExporter`, guarded."""

    protocol = "http/protobuf"


class GRPCSpanExporter(ZeroCodeSpanExporter):
    """``breaker_otlp_proto_grpc``: :class:`~breaker_exporter.otlp.OTLPGrpcSpanExporter`, guarded."""

    protocol = "grpc"
