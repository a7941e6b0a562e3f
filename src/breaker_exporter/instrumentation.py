"""An exporter's health as OpenTelemetry metrics, which are read when they are collected, not with each span.

Import this after gevent's monkey patch, as the exporter itself.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet, ref

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from ._base.log import say
from ._base.values import CircuitState, ExporterHealth
from ._spans import CircuitBreakerSpanExporter

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.util.types import AttributeValue

__all__ = ["observe"]

_STATE = "breaker_exporter.circuit.state"
_DROP_REASON = "breaker_exporter.drop.reason"
_TYPE = "breaker_exporter.CircuitBreakerSpanExporter"

Read = Callable[[ExporterHealth], Iterable[tuple[float, Mapping[str, str]]]]
"""Takes a snapshot to values, each with the attributes that tell it from the others."""


def observe(exporter: CircuitBreakerSpanExporter, meter_provider: MeterProvider | None = None) -> None:
    """Report the health of `exporter` as metrics of a meter provider.

    It is reported until the exporter is garbage. A second call for the same exporter changes nothing.

    ======================================== ====================================================
    ``otel.sdk.exporter.span.exported``      spans by outcome: without ``error.type``, or with
                                             ``circuit_open`` (refused), ``dropped`` (kept, and then
                                             given up; why: ``breaker_exporter.drop.reason``) or
                                             ``_OTHER`` (failed)
    ``otel.sdk.exporter.span.inflight``      spans waiting, being exported or kept for later
    ``breaker_exporter.backlog.items``       spans kept for later: delayed, not lost
    ``breaker_exporter.backlog.bytes``       memory that they take
    ``breaker_exporter.backlog.age``         s since the oldest of them came; 0 where none is kept
    ``breaker_exporter.spool.files``         files on disk, by the one process of a host that counts them
    ``breaker_exporter.spool.bytes``         bytes that the service takes there, by the same process
    ``breaker_exporter.circuit.state``       1 for the state it is in, 0 for the others
    ``breaker_exporter.circuit.transitions`` times the circuit opened, a failed probe included
    ``breaker_exporter.circuit.cooldown``    s
    ``breaker_exporter.calls.hung``          calls given up and still stuck
    ======================================== ====================================================

    Each has ``otel.component.name``, ``otel.component.type`` and ``process.pid``, so that workers of one host
    do not collide. The first two are named by OpenTelemetry's semantic conventions for SDK metrics; the
    official OTLP exporters report themselves by these names too, with another ``otel.component.type``.

    Args:
        exporter: The exporter to report.
        meter_provider: The meter provider; by default the global one, which may be set before or after this.

    Raises:
        TypeError: `exporter` is no :class:`~breaker_exporter.CircuitBreakerSpanExporter`.
    """
    if not isinstance(exporter, CircuitBreakerSpanExporter):
        raise TypeError(f"exporter must be a CircuitBreakerSpanExporter, not {exporter!r}")
    provider = metrics.get_meter_provider() if meter_provider is None else meter_provider
    observed = _observed.get(provider)
    if observed is None:
        observed = _globally if provider is metrics.get_meter_provider() else _Observed()
        _observed[provider] = observed
        _make_instruments(provider.get_meter("breaker_exporter", version("breaker-exporter")), observed)
    observed.add(exporter)


class _Observed:
    """The exporters that one meter provider reports, by weak references."""

    def __init__(self) -> None:
        self._exporters: tuple[ref[CircuitBreakerSpanExporter], ...] = ()
        self._logged: WeakSet[CircuitBreakerSpanExporter] = WeakSet()

    def add(self, exporter: CircuitBreakerSpanExporter) -> None:
        # Replaced, never changed: another thread may be iterating over it, also at a fork.
        others = [known for known in self._exporters if known() not in (None, exporter)]
        self._exporters = (*others, ref(exporter))

    def healths(self) -> Iterator[ExporterHealth]:
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
            yield health


_observed: WeakKeyDictionary[MeterProvider, _Observed] = WeakKeyDictionary()
"""By provider, which ignores callbacks of a second instrument of the same name: all exporters share one."""

_globally = _Observed()
"""The exporters of the global provider: until one is set, a proxy, which passes its instruments on."""


Observe = Callable[[CallbackOptions], Iterator[Observation]]


def _make_instruments(meter: Meter, observed: _Observed) -> None:
    def callback(read: Read) -> Observe:
        def observations(_: CallbackOptions) -> Iterator[Observation]:
            for health in observed.healths():
                identity: dict[str, AttributeValue] = {
                    "otel.component.name": health.name,
                    "otel.component.type": _TYPE,
                    "process.pid": os.getpid(),
                }
                for value, more in read(health):
                    yield Observation(value, {**identity, **more})

        return observations

    # Other descriptions than the SDK's own: the Prometheus exporter (0.66b1) mixes the labels of metrics that
    # agree in name and description but not in attributes.
    meter.create_observable_counter(
        "otel.sdk.exporter.span.exported", [callback(_exported)], "{span}", "Spans by outcome"
    )
    meter.create_observable_up_down_counter(
        "otel.sdk.exporter.span.inflight",
        [callback(lambda health: [(health.in_flight + health.retained, {})])],
        "{span}",
        "Spans waiting, being exported or kept for later",
    )
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
        "{span}",
        "Spans kept for later",
    )
    meter.create_observable_up_down_counter(
        "breaker_exporter.backlog.bytes",
        [callback(lambda health: [(health.retained_bytes, {})])],
        "By",
        "Memory that the spans kept for later take",
    )
    meter.create_observable_gauge(
        "breaker_exporter.backlog.age",
        [callback(lambda health: [(_age(health), {})])],
        "s",
        "Time since the oldest span kept for later came",
    )
    meter.create_observable_gauge(
        "breaker_exporter.spool.files",
        [callback(lambda health: _known(health.disk_files))],
        "{file}",
        "Files of spans kept on disk",
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
