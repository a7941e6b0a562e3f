"""Pipelines by settings: an OpenTelemetry exporter behind a circuit, fed by a processor or a reader.

Safe to import before gevent's monkey patch: what brings ``ssl`` along is imported where it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._base.environment import TelemetryError
from .._base.log import say
from .._base.meter_provider import metered
from .._base.redaction import origin, shown
from ..otlp._signals import METRICS, TRACES, Signal
from . import exporter_makers as make
from .drain import shut_down
from .exporter_names import SETTINGS, chosen, listed

if TYPE_CHECKING:
    from .._base.environment import Environment
    from .._core.shared_circuit import SharedCircuit
    from .._logs import CircuitBreakerLogRecordExporter
    from .._metrics import CircuitBreakerMetricExporter
    from .._spans import CircuitBreakerSpanExporter
    from .settings import Settings
    from .shared_circuits import Circuits

    Exporter = CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter
    """A guarded exporter of any signal."""

COLLECTOR = "collector"
"""The name of the circuit around an OTLP exporter."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What takes the items of a signal, and the guarded exporter that it feeds, if there is one.

    Attributes:
        processor: A processor of spans or log records, or a reader of metrics.
        exporter: The exporter.
        is_reader: True for a reader, whose shutdown takes milliseconds.
    """

    processor: Any
    exporter: Exporter | None
    is_reader: bool = False

    def shut_down(self, seconds: float) -> None:
        """Export what is queued, and shut down; takes no longer than `seconds` where there is an exporter."""
        if self.exporter:
            self.exporter.begin_shutdown(seconds)
        if self.is_reader:
            self.processor.shutdown(timeout_millis=seconds * 1000)
        else:
            self.processor.shutdown()


def build(settings: Settings, environment: Environment, circuits: Circuits) -> tuple[Pipeline, ...]:
    """Make a pipeline for each exporter that is named for the signal of `settings` and that can be made.

    Raises:
        TelemetryError: An exporter cannot be made, or a variable is bad, where strict.
    """
    made: list[Any] = []
    pipelines: list[Pipeline] = []
    try:
        for name, exporter, circuit in _exporters(settings, environment, circuits):
            made.append(exporter)
            with metered(environment):
                if make.is_reader(exporter, settings.signal):
                    pipelines.append(Pipeline(exporter, None, is_reader=True))
                else:
                    pipelines.append(guarded(name, exporter, settings, circuit))
    except BaseException:
        shut_down(pipelines, settings.shutdown_timeout)
        for exporter in made[len(pipelines) :]:
            exporter.shutdown()
        raise
    return tuple(pipelines)


def names(environment: Environment, signal: Signal) -> tuple[str, ...]:
    """The names given for a signal that are installed; its default where none is left.

    Raises:
        TelemetryError: Another name is given, where strict.
    """
    found, unknown = chosen(listed(environment, signal), signal)
    if unknown:
        setting = SETTINGS[signal]
        environment.complain(
            f"{setting.variable} must be {setting.kind.allowed}, not {', '.join(map(shown, unknown))}",
            f"left out (default: {setting.default_text})",
        )
    return found


def circuit_name(name: str, signal: Signal) -> str:
    """The name of a circuit: that of its exporter, and behind it the signal, unless that is traces."""
    return name if signal is TRACES else f"{name} {signal.word.lower()}"


def guarded(
    name: str, exporter: object, settings: Settings, circuit: SharedCircuit | None = None
) -> Pipeline:
    """Put the exporter behind a circuit of its own, and a processor or a reader before it."""
    breaker = with_circuit(name, exporter, settings, circuit)
    return Pipeline(make.feed(breaker, settings), breaker, is_reader=settings.signal is METRICS)


def with_circuit(
    name: str, exporter: object, settings: Settings, circuit: SharedCircuit | None = None
) -> Exporter:
    """Put the exporter behind a circuit of its own, or behind one that it shares.

    Raises:
        TypeError: It is no exporter of the signal.
    """
    from .._results import storing_encoder_of

    retention = settings.retention
    if retention.directory is not None and storing_encoder_of(exporter) is None:
        say(logging.INFO, "%s: what cannot be delivered is kept in memory alone, not on disk", name)
        retention = retention.in_memory()
    own: dict[str, Any] = {
        "failure_threshold": settings.failure_threshold,
        "cooldown": settings.cooldown,
        "max_cooldown": settings.max_cooldown,
    }
    breaker: Exporter = make.breaker_of(settings.signal)(
        exporter,
        name=name,
        export_timeout=settings.export_timeout,
        listeners=settings.listeners,
        switch_interval=settings.switch_interval,
        retention=retention,
        **(own if circuit is None else {"circuit": circuit}),
    )
    return breaker


def _exporters(
    settings: Settings, environment: Environment, circuits: Circuits
) -> Iterator[tuple[str, Any, SharedCircuit | None]]:
    """Make the exporters, each with the name of its circuit and the one that it shares."""
    signal = settings.signal
    for name in names(environment, signal):
        circuit = None
        try:
            if make.is_otlp(name):
                protocol = make.protocol_of(name, settings)
                make.check_otlp(protocol, environment, signal)
                exporter = make.otlp_exporter(protocol, settings, environment)
                circuit = circuits.of(protocol, settings, environment)
            else:
                exporter = make.foreign(name, signal)
        except TelemetryError:
            raise
        except Exception as error:
            environment.complain(f"no {signal.unit} go to {shown(name)}: {origin(error)}")
        else:
            yield circuit_name(COLLECTOR if make.is_otlp(name) else name, signal), exporter, circuit
