"""Log records without a line of code: ``OTEL_LOGS_EXPORTER=breaker_otlp_proto_http``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from ..otlp._signals import LOGS
from .late import LateExporter

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

    from .._logs import CircuitBreakerLogRecordExporter


class ZeroCodeLogRecordExporter(LateExporter, LogRecordExporter):
    """A guarded exporter of log records. One instance serves one processor."""

    signal = LOGS

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export `batch` through the circuit breaker, which the first export makes."""
        breaker: CircuitBreakerLogRecordExporter | None
        with self.exporting() as breaker:
            return LogRecordExportResult.FAILURE if breaker is None else breaker.export(batch)


class HTTPLogRecordExporter(ZeroCodeLogRecordExporter):
    """``breaker_otlp_proto_http``: a guarded ``CooperativeOTLPLogRecordExporter``."""

    protocol = "http/protobuf"


class GRPCLogRecordExporter(ZeroCodeLogRecordExporter):
    """``breaker_otlp_proto_grpc``: a guarded ``OTLPGrpcLogRecordExporter``."""

    protocol = "grpc"
