"""The work that every measured application does for a request: ten spans, and a greeting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import trace

SPANS_PER_REQUEST = 10
_tracer = trace.get_tracer("shop")
_BODY = b"hello\n"


def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Answer any request, by WSGI."""
    with _tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER) as request:
        request.set_attribute("http.request.method", environ["REQUEST_METHOD"])
        request.set_attribute("url.path", environ["PATH_INFO"])
        for step in range(SPANS_PER_REQUEST - 1):
            with _tracer.start_as_current_span("SELECT", kind=trace.SpanKind.CLIENT) as query:
                query.set_attribute("db.system.name", "postgresql")
                query.set_attribute("db.query.text", f"SELECT name, price FROM goods WHERE shelf = {step}")
        request.set_attribute("http.response.status_code", 200)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(_BODY)))])
    return [_BODY]
