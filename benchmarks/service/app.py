"""The demo's application, ten spans a request, measured by this benchmark's own meter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace

from breaker_exporter._demo.plan import SPANS_PER_REQUEST

from .meter import meter

_tracer = trace.get_tracer("shop")
_BODY = b"hello\n"


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    with _tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER) as request:
        request.set_attribute("http.request.method", environ["REQUEST_METHOD"])
        request.set_attribute("url.path", environ["PATH_INFO"])
        for step in range(SPANS_PER_REQUEST - 1):
            with _tracer.start_as_current_span("SELECT", kind=trace.SpanKind.CLIENT) as query:
                query.set_attribute("db.system.name", "postgresql")
                query.set_attribute("db.query.text", f"SELECT name, price FROM goods WHERE shelf = {step}")
        request.set_attribute("http.response.status_code", 200)
    meter.spans_started += SPANS_PER_REQUEST
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(_BODY)))])
    return [_BODY]
