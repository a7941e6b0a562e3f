"""The demo's application, which counts its spans for this matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from breaker_exporter._demo.plan import SPANS_PER_REQUEST
from breaker_exporter._demo.work import answer

from .facts import facts


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    body = answer(environ, start_response)
    facts.spans_started += SPANS_PER_REQUEST
    return body
