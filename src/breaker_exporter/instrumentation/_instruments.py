"""The instruments: their names, units and descriptions, and what of a snapshot each of them reports."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .._base.values import CircuitState, ExporterHealth
from ..otlp._signals import Signal
from ._observed import Observed, Read

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_STATE = "breaker_exporter.circuit.state"
_DROP_REASON = "breaker_exporter.drop.reason"


class _Instrument(NamedTuple):
    name: str
    unit: str
    description: str
    read: Read


def make_instruments(meter: Meter, observed: Observed) -> None:
    """Make the instruments that all signals have."""
    for each in _COUNTERS:
        meter.create_observable_counter(
            each.name, [observed.callback(each.read)], each.unit, each.description
        )
    for each in _UP_DOWN_COUNTERS:
        meter.create_observable_up_down_counter(
            each.name, [observed.callback(each.read)], each.unit, each.description
        )
    for each in _GAUGES:
        meter.create_observable_gauge(each.name, [observed.callback(each.read)], each.unit, each.description)


def make_instruments_of(signal: Signal, meter: Meter, observed: Observed) -> None:
    """Make the instruments that conventions name by the signal."""
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


_COUNTERS = (
    _Instrument(
        "breaker_exporter.circuit.transitions",
        "{transition}",
        "Times the circuit opened, a failed probe included",
        lambda health: [(health.opened, {_STATE: CircuitState.OPEN.value})],
    ),
)
_UP_DOWN_COUNTERS = (  # as the conventions want for states, too: sums over workers mean something
    _Instrument(_STATE, "{circuit}", "1 for the state that the circuit is in", _state),
    _Instrument(
        "breaker_exporter.calls.hung",
        "{call}",
        "Calls given up and still stuck",
        lambda health: [(health.hung_calls, {})],
    ),
    _Instrument(
        "breaker_exporter.backlog.items",
        "{item}",
        "Spans, log records or data points kept for later",
        lambda health: [(health.retained, {})],
    ),
    _Instrument(
        "breaker_exporter.backlog.bytes",
        "By",
        "Memory that what is kept for later takes",
        lambda health: [(health.retained_bytes, {})],
    ),
)
_GAUGES = (
    _Instrument(
        "breaker_exporter.circuit.cooldown",
        "s",
        "The cooldown in force",
        lambda health: [(health.cooldown, {})],
    ),
    _Instrument(
        "breaker_exporter.backlog.age",
        "s",
        "Time since the oldest item kept for later came",
        lambda health: [(_age(health), {})],
    ),
    _Instrument(
        "breaker_exporter.spool.files",
        "{file}",
        "Files of what is kept on disk",
        lambda health: _known(health.disk_files),
    ),
    _Instrument(
        "breaker_exporter.spool.bytes",
        "By",
        "Disk that a service takes for what is kept",
        lambda health: _known(health.disk_bytes),
    ),
)
