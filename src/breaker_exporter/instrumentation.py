"""An exporter's health as OpenTelemetry metrics, which are read when they are collected, not with each span.

Import this after gevent's monkey patch, as the exporter itself.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from ._base.log import say
from ._base.values import CircuitState, ExporterHealth
from ._breaker_exporter import BreakerExporter
from .otlp._signals import LOGS, METRICS, SIGNALS, TRACES, Signal

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.util.types import AttributeValue

    from ._logs import CircuitBreakerLogRecordExporter
    from ._metrics import CircuitBreakerMetricExporter
    from ._spans import CircuitBreakerSpanExporter

__all__ = ["observe"]

_STATE = "breaker_exporter.circuit.state"
_DROP_REASON = "breaker_exporter.drop.reason"
_TYPES = {
    TRACES: "breaker_exporter.CircuitBreakerSpanExporter",
    LOGS: "breaker_exporter.CircuitBreakerLogRecordExporter",
    METRICS: "breaker_exporter.CircuitBreakerMetricExporter",
}

Exporter = BreakerExporter[Any, Any]
Read = Callable[[ExporterHealth], Iterable[tuple[float, Mapping[str, str]]]]
"""Takes a snapshot to values, each with the attributes that tell it from the others."""
Observe = Callable[[CallbackOptions], Iterator[Observation]]


def observe(
    exporter: CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Report the health of `exporter` as metrics of a meter provider.

    It is reported until the exporter is garbage. A second call for the same exporter changes nothing.

    ======================================== ====================================================
    ``otel.sdk.exporter.span.exported``      spans by outcome: without ``error.type``, or with
                                             ``circuit_open`` (refused), ``dropped`` (kept, and then
                                             given up; why: ``breaker_exporter.drop.reason``) or
                                             ``_OTHER`` (failed)
    ``otel.sdk.exporter.span.inflight``      spans waiting, being exported or kept for later
    ``breaker_exporter.backlog.items``       items kept for later: delayed, not lost
    ``breaker_exporter.backlog.bytes``       memory that they take
    ``breaker_exporter.backlog.age``         s since the oldest of them came; 0 where none is kept
    ``breaker_exporter.spool.files``         files on disk, by the one process of a host that counts them
    ``breaker_exporter.spool.bytes``         bytes that the service takes there, by the same process
    ``breaker_exporter.circuit.state``       1 for the state it is in, 0 for the others
    ``breaker_exporter.circuit.transitions`` times the circuit opened, a failed probe included
    ``breaker_exporter.circuit.cooldown``    s
    ``breaker_exporter.calls.hung``          calls given up and still stuck
    ======================================== ====================================================

    An exporter of log records has ``otel.sdk.exporter.log.*`` in place of ``otel.sdk.exporter.span.*``, and
    one of metrics ``otel.sdk.exporter.metric_data_point.*``.

    Each has ``otel.component.name``, ``otel.component.type`` and ``process.pid``, so that workers of one host
    do not collide. The first two are named by OpenTelemetry's semantic conventions for SDK metrics; the
    official OTLP exporters report themselves by these names too, with another ``otel.component.type``.

    Args:
        exporter: The exporter to report.
        meter_provider: The meter provider; by default the global one, which may be set before or after this.

    Raises:
        TypeError: `exporter` is no circuit breaker of this package.
    """
    if not isinstance(exporter, BreakerExporter):
        raise TypeError(
            "exporter must be a CircuitBreakerSpanExporter, CircuitBreakerLogRecordExporter or "
            f"CircuitBreakerMetricExporter, not {exporter!r}"
        )
    provider = metrics.get_meter_provider() if meter_provider is None else meter_provider
    observed = _observed.get(provider)
    meter = provider.get_meter("breaker_exporter", version("breaker-exporter"))
    if observed is None:
        observed = _globally if provider is metrics.get_meter_provider() else _Observed()
        _observed[provider] = observed
        _make_instruments(meter, observed)
    signal = _signal_of(exporter)
    made = _made.setdefault(provider, set())
    if signal not in made:
        made.add(signal)
        _make_instruments_of(signal, meter, observed)
    observed.add(exporter)


class _Observed:
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
            yield _signal_of(exporter), health

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


_observed: WeakKeyDictionary[MeterProvider, _Observed] = WeakKeyDictionary()
"""By provider, which ignores callbacks of a second instrument of the same name: all exporters share one."""

_made: WeakKeyDictionary[MeterProvider, set[Signal]] = WeakKeyDictionary()
"""The signals that a provider has instruments for."""

_globally = _Observed()
"""The exporters of the global provider: until one is set, a proxy, which passes its instruments on."""


def _signal_of(exporter: Exporter) -> Signal:
    return next(signal for signal in SIGNALS if signal.unit == exporter._contract.unit)


def _make_instruments_of(signal: Signal, meter: Meter, observed: _Observed) -> None:
    """The instruments that conventions name by the signal."""
    item = f"{{{signal.item.replace(' ', '_')}}}"
    items = signal.unit.capitalize()
    # Other descriptions than the SDK's own: the Prometheus exporter (0.66b1) mixes the labels of metrics that
    # agree in name and description but not in attributes.
    meter.create_observable_counter(
        f"otel.sdk.exporter.{signal.counted}.exported",
        [observed.callback(_exported, signal)],
        item,
        f"{items} by outcome",
    )
    meter.create_observable_up_down_counter(
        f"otel.sdk.exporter.{signal.counted}.inflight",
        [observed.callback(lambda health: [(health.in_flight + health.retained, {})], signal)],
        item,
        f"{items} waiting, being exported or kept for later",
    )


def _make_instruments(meter: Meter, observed: _Observed) -> None:
    """The instruments that all signals have."""
    callback = observed.callback
    _make_instruments_of_backlog(meter, callback)
    # Up-down counters, as the conventions want for states: sums over workers mean something.
    meter.create_observable_up_down_counter(
        _STATE, [callback(_state)], "{circuit}", "1 for the state that the circuit is in"
    )
    meter.create_observable_counter(
        "breaker_exporter.circuit.transitions",
        [callback(lambda health: [(health.opened, {_STATE: CircuitState.OPEN.value})])],
        "{transition}",
        "Times the circuit opened, a failed probe included",
    )
    meter.create_observable_gauge(
        "breaker_exporter.circuit.cooldown",
        [callback(lambda health: [(health.cooldown, {})])],
        "s",
        "The cooldown in force",
    )
    meter.create_observable_up_down_counter(
        "breaker_exporter.calls.hung",
        [callback(lambda health: [(health.hung_calls, {})])],
        "{call}",
        "Calls given up and still stuck",
    )


def _make_instruments_of_backlog(meter: Meter, callback: Callable[[Read], Observe]) -> None:
    meter.create_observable_up_down_counter(
        "breaker_exporter.backlog.items",
        [callback(lambda health: [(health.retained, {})])],
        "{item}",
        "Spans, log records or data points kept for later",
    )
    meter.create_observable_up_down_counter(
        "breaker_exporter.backlog.bytes",
        [callback(lambda health: [(health.retained_bytes, {})])],
        "By",
        "Memory that what is kept for later takes",
    )
    meter.create_observable_gauge(
        "breaker_exporter.backlog.age",
        [callback(lambda health: [(_age(health), {})])],
        "s",
        "Time since the oldest item kept for later came",
    )
    meter.create_observable_gauge(
        "breaker_exporter.spool.files",
        [callback(lambda health: _known(health.disk_files))],
        "{file}",
        "Files of what is kept on disk",
    )
    meter.create_observable_gauge(
        "breaker_exporter.spool.bytes",
        [callback(lambda health: _known(health.disk_bytes))],
        "By",
        "Disk that a service takes for what is kept",
    )


def _known(value: int | None) -> Iterator[tuple[float, Mapping[str, str]]]:
    if value is not None:
        yield value, {}


def _age(health: ExporterHealth) -> float:
    """Seconds; a wall clock that was set back makes nothing younger than now."""
    return 0.0 if health.oldest_at is None else max(0.0, time.time() - health.oldest_at)


def _exported(health: ExporterHealth) -> Iterator[tuple[float, Mapping[str, str]]]:
    yield health.exported, {}
    yield health.failed, {"error.type": "_OTHER"}
    yield health.refused, {"error.type": "circuit_open"}
    for reason, items in health.dropped_by_reason.items():
        yield items, {"error.type": "dropped", _DROP_REASON: reason}


def _state(health: ExporterHealth) -> Iterator[tuple[float, Mapping[str, str]]]:
    for state in CircuitState:
        yield int(state is health.state), {_STATE: state.value}
