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
from .._core.payload import Delivery
from .._core.report import ExportReport, Verdict
from ._settings import INTERNAL_METRICS, Protocol
from ._signals import Signal

_REJECTED = Verdict.REJECTED.value

_numbers = itertools.count()


def self_metrics(
    protocol: Protocol,
    signal: Signal,
    endpoint: str,
    meter_provider: MeterProvider | None,
    environment: Environment,
) -> SelfMetrics | None:
    """Return what counts for an exporter, or ``None`` where the environment does not ask for it."""
    if (environment.value(INTERNAL_METRICS.variable) or "").lower() != "true":
        return None
    with metered(environment) if meter_provider is None else contextlib.nullcontext():
        return SelfMetrics(protocol, signal, endpoint, meter_provider)


class SelfMetrics:
    """Items in flight, items exported, and how long an export took.

    Args:
        protocol: The exporter's.
        signal: Its items are counted.
        endpoint: Where they are posted to.
        meter_provider: Whose instruments count; OpenTelemetry's global one where it is ``None``.
    """

    def __init__(
        self, protocol: Protocol, signal: Signal, endpoint: str, meter_provider: MeterProvider | None
    ) -> None:
        url = urlsplit(endpoint)
        kind = f"otlp_{protocol.partition('/')[0]}_{signal.component}_exporter"
        self._attributes: dict[str, str | int] = {
            "otel.component.type": kind,
            "otel.component.name": f"breaker_{kind}/{next(_numbers)}",
            "server.address": url.hostname or "",
            "server.port": _port(url),
        }
        self._name = f"otel.sdk.exporter.{signal.counted}"
        self._unit = f"{{{signal.item.replace(' ', '_')}}}"
        self.count_by(meter_provider)

    def count_by(self, meter_provider: MeterProvider | None) -> None:
        """From now on count by instruments of this provider; ``None``: of OpenTelemetry's global one."""
        meter = (meter_provider or get_meter_provider()).get_meter("breaker_exporter")
        self._inflight = meter.create_up_down_counter(f"{self._name}.inflight", self._unit)
        self._exported = meter.create_counter(f"{self._name}.exported", self._unit)
        self._duration = meter.create_histogram("otel.sdk.exporter.operation.duration", "s")

    def counting(self, count: int) -> Callable[[ExportReport], None]:
        """An export of `count` items begins; what is returned is to be told how it ended."""
        began = time.monotonic()
        self._take_in(count)
        return partial(self._ended, count, began)

    def encoded(self, count: int, left_out: int) -> None:
        """So many items will be sent, and so many not, since they cannot be encoded."""
        self._take_in(count)
        self._count_failed(left_out, Verdict.UNSENT.value)

    def sending(self) -> Callable[[Delivery, int], None]:
        """A call with items that were encoded before begins.

        What is returned is to be told its result, and how many of them have been answered for good.
        """
        return partial(self._sent, time.monotonic())

    def dropped(self, count: int) -> None:
        """So many items are given up."""
        self._count_failed(count, "dropped")

    def take_out(self, count: int) -> None:
        """So many items are not in flight any more."""
        with contextlib.suppress(Exception):
            self._inflight.add(-count, self._attributes)

    def _ended(self, count: int, began: float, report: ExportReport) -> None:
        self.take_out(count)
        self._count(count, report, _error_of(report))
        self._measure(began, report)

    def _sent(self, began: float, delivery: Delivery, settled: int) -> None:
        report = delivery.report
        # Where some are left to be sent again, the others that were not accepted were rejected before.
        self._count(settled, report, _error_of(report) if delivery.left is None else _REJECTED)
        self._measure(began, report)

    def _take_in(self, count: int) -> None:
        with contextlib.suppress(Exception):  # instruments are the application's
            self._inflight.add(count, self._attributes)

    def _count(self, count: int, report: ExportReport, error: str) -> None:
        accepted = report.accepted_of(count)
        if accepted:
            with contextlib.suppress(Exception):
                self._exported.add(accepted, self._attributes)
        self._count_failed(count - accepted, error)

    def _count_failed(self, count: int, error: str) -> None:
        if count:
            with contextlib.suppress(Exception):
                self._exported.add(count, {**self._attributes, "error.type": error})

    def _measure(self, began: float, report: ExportReport) -> None:
        is_delivered = report.verdict is Verdict.DELIVERED
        failed = {**self._attributes, "error.type": report.verdict.value}
        with contextlib.suppress(Exception):
            self._duration.record(time.monotonic() - began, self._attributes if is_delivered else failed)


def _error_of(report: ExportReport) -> str:
    return _REJECTED if report.verdict is Verdict.DELIVERED else report.verdict.value


def _port(url: SplitResult) -> int:
    try:
        port = url.port
    except ValueError:  # the name of a service, which a target of gRPC may have
        port = None
    return port or (80 if url.scheme == "http" else 443)
