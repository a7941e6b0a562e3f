"""The log record exporter of this package by gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord

from ._grpc_exporter import GRPCExporter
from ._log_exporter import OTLPLogRecordExporter


class OTLPGrpcLogRecordExporter(GRPCExporter[Sequence[ReadableLogRecord]], OTLPLogRecordExporter):
    """Log records by OTLP over gRPC, without holding the GIL for long; alone or wrapped.

    It encodes a batch in slices, with a pause between two of them, and sends it in one call, or in several
    where one would be too large. Under gevent the circuit breaker around it runs it on a native thread;
    alone, a call holds the hub until it is answered. It never sleeps to try again: that is for the circuit
    breaker, which it tells what the collector answered (:meth:`export_and_report`). A forked child has a
    channel of its own. Arguments and variables are those of OpenTelemetry's gRPC ``OTLPLogExporter``,
    without ``retryable_error_codes``.
    """
