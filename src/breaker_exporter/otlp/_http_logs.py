"""The log record exporter of this package by HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord

from ._http_exporter import HTTPExporter
from ._log_exporter import OTLPLogRecordExporter


class CooperativeOTLPLogRecordExporter(HTTPExporter[Sequence[ReadableLogRecord]], OTLPLogRecordExporter):
    """Log records by OTLP over HTTP, without holding the gevent hub or the GIL for long; alone or wrapped.

    It encodes a batch in slices, with a pause between two of them, and posts it once, or in several requests
    where one would be too large. It never sleeps to try again: that is for the circuit breaker around it,
    which it tells what the collector answered (:meth:`export_and_report`). Arguments and variables are those
    of OpenTelemetry's HTTP ``OTLPLogExporter``.
    """
