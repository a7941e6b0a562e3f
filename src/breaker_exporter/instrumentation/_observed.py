"""The exporters that a meter provider reports, and what is observed of them at each collection."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from opentelemetry.metrics import CallbackOptions, Observation

from .._base.log import say
from .._base.values import ExporterHealth
from .._breaker_exporter import BreakerExporter
from ..otlp._signals import LOGS, METRICS, SIGNALS, TRACES, Signal

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

_TYPES = {
    TRACES: "breaker_exporter.CircuitBreakerSpanExporter",
    LOGS: "breaker_exporter.CircuitBreakerLogRecordExporter",
    METRICS: "breaker_exporter.CircuitBreakerMetricExporter",
}

Exporter = BreakerExporter[Any, Any]
Values = Iterable[tuple[float, Mapping[str, str]]]
"""Values, each with the attributes that tell it from the others."""
Read = Callable[[ExporterHealth], Values]
"""Takes a snapshot to values."""
Observe = Callable[[CallbackOptions], Iterator[Observation]]


class Observed:
    """The exporters that one meter provider reports, by weak references."""

    def __init__(self) -> None:
        self._exporters: tuple[ref[Exporter], ...] = ()
        self._logged: WeakSet[Exporter] = WeakSet()

    def add(self, exporter: Exporter) -> None:
        # Replaced, never changed: another thread may be iterating over it, also at a fork.
        others = [known for known in self._exporters if known() not in (None, exporter)]
        self._exporters = (*others, ref(exporter))

    def healths(self) -> Iterator[tuple[Signal, ExporterHealth]]:
        for known in self._exporters:
            exporter = known()
            if exporter is None:
                continue
            try:
                health = exporter.health()
            except Exception as error:  # of the application's breaker, or of its storage
                if exporter not in self._logged:
                    self._logged.add(exporter)
                    say(logging.WARNING, "%r: no metrics while health() raises", exporter, cause=error)
                continue
            yield signal_of(exporter), health

    def callback(self, read: Read, signal: Signal | None = None) -> Observe:
        """A callback that observes the exporters of one signal, or all."""

        def observations(_: CallbackOptions) -> Iterator[Observation]:
            for of, health in self.healths():
                if signal not in (None, of):
                    continue
                identity: dict[str, AttributeValue] = {
                    "otel.component.name": health.name,
                    "otel.component.type": _TYPES[of],
                    "process.pid": os.getpid(),
                }
                for value, more in read(health):
                    yield Observation(value, {**identity, **more})

        return observations


def signal_of(exporter: Exporter) -> Signal:
    """The signal that an exporter is of."""
    return next(signal for signal in SIGNALS if signal.unit == exporter._contract.unit)
