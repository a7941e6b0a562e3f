"""A signal as its circuit breaker sees it: its items, its results, and the exporters that are not of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ._service import UNKNOWN_SERVICE, service_of

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_SIGNALS = {
    "spans": ("opentelemetry.sdk.trace.export", "SpanExporter", "CircuitBreakerSpanExporter"),
    "log records": (
        "opentelemetry.sdk._logs.export",
        "LogRecordExporter",
        "CircuitBreakerLogRecordExporter",
    ),
    "data points": ("opentelemetry.sdk.metrics.export", "MetricExporter", "CircuitBreakerMetricExporter"),
}
"""By unit: OpenTelemetry's module and base class of the exporters, and the circuit breaker for them."""


@dataclass(frozen=True, slots=True)
class Contract:
    """All that the engine has to be told of a signal.

    Attributes:
        kind: The noun for one of its exporters, such as ``span exporter``.
        unit: The name of its items, in the plural.
        results: Types of an exporter's result, the one of today first.
        size_of: The number of items in a batch; raises where that is none.
        resource_of: The resource of a batch that is not empty.
        item_size: Bytes of memory that an item takes as it is, measured.
        tells_time: True where an exporter is told how much time its export has.
        in_order: True where backends refuse what is older than what they have: what is kept is sent in order.
    """

    kind: str
    unit: str
    results: Sequence[type[Enum]]
    size_of: Callable[[Any], int]
    resource_of: Callable[[Any], Resource]
    item_size: int
    tells_time: bool = False
    in_order: bool = False

    def service_of(self, batch: object) -> str:
        """The name of the service that a batch is of. Never raises an ``Exception``."""
        try:
            return service_of(self.resource_of(batch))
        except Exception:  # anything with a length may come as a batch; the wrapped exporter's call will tell
            return UNKNOWN_SERVICE

    def check_signal(self, exporter: object) -> None:
        """Check that `exporter` is of no other signal; one of no known base class may be of any.

        No module of OpenTelemetry is imported for this.

        Raises:
            TypeError: It is; the text names the class to use.
        """
        if _is_of(self.unit, exporter):
            return
        for unit, (_, _, breaker) in _SIGNALS.items():
            if _is_of(unit, exporter):
                raise TypeError(
                    f"exporter must be a {self.kind}; {type(exporter).__name__} exports {unit}: use {breaker}"
                )


def _is_of(unit: str, exporter: object) -> bool:
    module, name, _ = _SIGNALS[unit]
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and isinstance(exporter, base)
