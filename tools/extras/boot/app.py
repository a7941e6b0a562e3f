"""A WSGI application that traces what it does, and fails where it is asked to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    with trace.get_tracer("extras").start_as_current_span("request"):
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("asked to fail")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
