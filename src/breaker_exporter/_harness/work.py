"""The work that every measured application does for a request: ten spans, a greeting, and what is asked for.

A variable asks for log records and for metrics besides, so that what is measured can have all three signals.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

if TYPE_CHECKING:
    from .meter import Meter

SPANS_PER_REQUEST = 10
LOG_RECORDS_VARIABLE = "HARNESS_LOG_RECORDS"
"""Variable with the number of log records a request, which need not be whole; none by default."""
SERIES_VARIABLE = "HARNESS_SERIES"
"""Variable with the number of series, an even one: half are a counter's, half a histogram's. Default none."""
COUNTER, HISTOGRAM = "shop.requests", "shop.request.duration"
PROCESS = "process.pid"
"""The attribute of each series that tells the workers of a service from each other."""
_LOGGER = "shop.orders"
_tracer = trace.get_tracer("shop")
_BODY = b"hello\n"


def body_of(pid: int, number: int) -> str:
    """Return the text of a worker's log record, which no other has; `number` counts from 0."""
    return f"order {pid}-{number}"


class Work:
    """The work of one worker.

    Args:
        meter: Counts what was started and written.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._requests = 0
        self._log_records = float(os.environ.get(LOG_RECORDS_VARIABLE, "0"))
        self._shelves = int(os.environ.get(SERIES_VARIABLE, "0")) // 2
        if self._log_records:
            self._logger = logging.getLogger(_LOGGER)
            self._logger.setLevel(logging.INFO)
        if self._shelves:
            meter_of_otel = metrics.get_meter("shop")
            self._counter = meter_of_otel.create_counter(COUNTER)
            self._histogram = meter_of_otel.create_histogram(HISTOGRAM, "s")

    def answer(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Answer any request, by WSGI."""
        with _tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER) as request:
            request.set_attribute("http.request.method", environ["REQUEST_METHOD"])
            request.set_attribute("url.path", environ["PATH_INFO"])
            for step in range(SPANS_PER_REQUEST - 1):
                with _tracer.start_as_current_span("SELECT", kind=trace.SpanKind.CLIENT) as query:
                    query.set_attribute("db.system.name", "postgresql")
                    query.set_attribute(
                        "db.query.text", f"SELECT name, price FROM goods WHERE shelf = {step}"
                    )
            request.set_attribute("http.response.status_code", 200)
            self._write()
        self._meter.spans_started += SPANS_PER_REQUEST
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(_BODY)))])
        return [_BODY]

    def _write(self) -> None:
        """Write the log records of one request, and count it."""
        number, self._requests = self._requests, self._requests + 1
        pid, meter = os.getpid(), self._meter
        for _ in range(int((number + 1) * self._log_records) - int(number * self._log_records)):
            written, meter.log_records_written = meter.log_records_written, meter.log_records_written + 1
            self._logger.info(body_of(pid, written), extra={"shop.shelf": number % 7, "shop.order": number})
        if self._shelves:
            of = {"shop.shelf": number % self._shelves, PROCESS: pid}
            self._counter.add(1, of)
            self._histogram.record(number % 100 / 1000, of)
            meter.requests_counted += 1
