"""A service that traces what it does. It knows neither the collector nor the circuit breaker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

tracer = trace.get_tracer("shop")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    with tracer.start_as_current_span("sell", attributes={"http.route": environ["PATH_INFO"]}):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"sold\n"]
