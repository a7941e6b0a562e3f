"""Metrics of the exporter about itself, by the names of OpenTelemetry's semantic conventions."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import SplitResult, urlsplit

from opentelemetry.metrics import MeterProvider, get_meter_provider

from .._base.environment import Environment
from .._base.meter_provider import metered
from .._core.report import ExportReport, Verdict
from ._settings import INTERNAL_METRICS

_numbers = itertools.count()


def self_metrics(
    kind: str, endpoint: str, meter_provider: MeterProvider | None, environment: Environment
) -> SelfMetrics | None:
    """Return what counts for an exporter, or ``None`` where the environment does not ask for it."""
    if (environment.value(INTERNAL_METRICS.variable) or "").lower() != "true":
        return None
    with metered(environment) if meter_provider is None else contextlib.nullcontext():
        return SelfMetrics(kind, endpoint, meter_provider)


class SelfMetrics:
    """Spans in flight, spans exported, and how long an export took.

    Args:
        kind: The type of component in the semantic conventions, such as ``otlp_http_span_exporter``.
        endpoint: Where spans are posted to.
        meter_provider: Whose instruments count; OpenTelemetry's global one where it is ``None``.
    """

    def __init__(self, kind: str, endpoint: str, meter_provider: MeterProvider | None) -> None:
        url = urlsplit(endpoint)
        self._attributes: dict[str, str | int] = {
            "otel.component.type": kind,
            "otel.component.name": f"breaker_{kind}/{next(_numbers)}",
            "server.address": url.hostname or "",
            "server.port": _port(url),
        }
        meter = (meter_provider or get_meter_provider()).get_meter("breaker_exporter")
        self._inflight = meter.create_up_down_counter("otel.sdk.exporter.span.inflight", "{span}")
        self._exported = meter.create_counter("otel.sdk.exporter.span.exported", "{span}")
        self._duration = meter.create_histogram("otel.sdk.exporter.operation.duration", "s")

    def counting(self, count: int) -> Callable[[ExportReport], None]:
        """An export of `count` spans begins; what is returned is to be told how it ended."""
        began = time.monotonic()
        with contextlib.suppress(Exception):  # instruments are the application's
            self._inflight.add(count, self._attributes)
        return partial(self._ended, count, began)

    def _ended(self, count: int, began: float, report: ExportReport) -> None:
        held = report.accepted_of(count)
        is_delivered = report.verdict is Verdict.DELIVERED
        failed = {**self._attributes, "error.type": "rejected" if is_delivered else report.verdict.value}
        with contextlib.suppress(Exception):
            self._inflight.add(-count, self._attributes)
            if held:
                self._exported.add(held, self._attributes)
            if held < count:
                self._exported.add(count - held, failed)
            self._duration.record(time.monotonic() - began, self._attributes if is_delivered else failed)


def _port(url: SplitResult) -> int:
    try:
        port = url.port
    except ValueError:  # the name of a service, which a target of gRPC may have
        port = None
    return port or (80 if url.scheme == "http" else 443)
