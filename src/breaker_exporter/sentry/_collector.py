"""The collector that passes spans on to Sentry (``OTLPIntegration(collector_url=...)``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._spans import CircuitBreakerSpanExporter
from .._wiring.provider import processors_of
from .._wiring.switchable_processor import SwitchableProcessor
from ..otlp._endpoints import GRPC_PORT, HTTP_PORT

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_BOTH = {GRPC_PORT, HTTP_PORT}
"""The usual ports of one collector, for gRPC and for HTTP."""


def sends_already(provider: TracerProvider, url: str) -> bool:
    """True where an exporter on `provider` sends to the collector at `url`, be it by another protocol."""
    there = _host_and_port(url)
    return any(_is_same(there, _host_and_port(each)) for each in _destinations(provider))


def _destinations(provider: TracerProvider) -> Iterator[str]:
    """The addresses that the exporters on a provider send to, as far as they are known.

    By private attributes: neither the processors of a provider are public, nor the address of OpenTelemetry's
    exporters, their `_endpoint` (1.39 to 1.45). Where these are missing, nothing is known.
    """
    for processor in processors_of(provider) or ():
        if isinstance(processor, SwitchableProcessor):
            exporters: list[Any] = [pipeline.exporter for pipeline in processor._pipelines]
        else:
            exporters = [getattr(processor, "span_exporter", None)]
        for exporter in exporters:
            inner = exporter._exporter if isinstance(exporter, CircuitBreakerSpanExporter) else exporter
            found = getattr(inner, "destination", None) or getattr(inner, "_endpoint", None)
            if isinstance(found, str):
                yield found


def _host_and_port(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None, None


def _is_same(one: tuple[str | None, int | None], other: tuple[str | None, int | None]) -> bool:
    return one[0] is not None and one[0] == other[0] and (one[1] == other[1] or {one[1], other[1]} == _BOTH)
