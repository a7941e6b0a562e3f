"""The application of every contender: the usual work, counted by the benchmark's meter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from breaker_exporter._harness.work import SPANS_PER_REQUEST, answer

from .meter import meter


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    body = answer(environ, start_response)
    meter.spans_started += SPANS_PER_REQUEST
    return body
