"""What an answer to an OTLP/HTTP request means (the protocol's specification, "OTLP/HTTP Response")."""

from __future__ import annotations

import contextlib
import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .._report import ExportReport, Verdict, report_of_success
from ._post import MOST_READ, Answer

TOO_LARGE = 413
_REJECTED = (400, TOO_LARGE, 422)
_HINTS = {
    401: "check the credentials in the headers",
    403: "check the credentials in the headers and what they may do",
    404: "check the path of the endpoint",
}
_BUSY = (429, 502, 503, 504)
_LONGEST = 86_400.0
"""Seconds; whatever a Retry-After says beyond a day is clipped by the circuit anyway."""


def report_of(answer: Answer, spans: int) -> ExportReport:
    """What became of so many spans."""
    status = answer.status
    if 200 <= status < 300:
        return report_of_success(_rejected(answer.body, spans), spans)
    if status in _REJECTED:
        return ExportReport(Verdict.REJECTED, reason=f"HTTP {status}")
    if status in _HINTS:
        return ExportReport(Verdict.MISCONFIGURED, reason=f"HTTP {status}: {_HINTS[status]}")
    retry_after = seconds_of(answer.retry_after) if status in _BUSY else None
    return ExportReport(Verdict.FAILED, reason=f"HTTP {status}", retry_after=retry_after)


def _rejected(body: bytes, spans: int) -> int:
    with contextlib.suppress(Exception):  # some answer with a word of their own: taken is taken
        return ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
    # Only what has much to say of rejected spans is cut off: how many they were stands before that or not.
    return spans if len(body) >= MOST_READ else 0


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3).

    ``None`` where there is none, where it cannot be read, and where its date is past.
    """
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(seconds, _LONGEST) if math.isfinite(seconds) and seconds > 0 else None
