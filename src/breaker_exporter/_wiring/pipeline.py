"""Pipelines by settings: an OpenTelemetry exporter behind a circuit, fed by a batch processor.

Safe to import before gevent's monkey patch: what brings ``ssl`` along is imported where it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from .._base.environment import TelemetryError
from .._base.log import say
from .._base.meter_provider import metered
from .._base.redaction import origin, shown
from ..otlp import _credentials
from ..otlp import _environment as variables
from ..otlp._packages import cause_of
from .batch_processor import BatchProcessor
from .exporter_names import OTLP, chosen, entry_point, listed
from .switchable_processor import shut_down
from .switches import TRACES_EXPORTER

if TYPE_CHECKING:
    from .._base.environment import Environment
    from .._spans import CircuitBreakerSpanExporter
    from ..otlp import _settings as otlp
    from .settings import Settings

COLLECTOR = "collector"
"""The name of the circuit around an OTLP exporter."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A processor, and the guarded exporter that it feeds, if there is one."""

    processor: SpanProcessor
    exporter: CircuitBreakerSpanExporter | None


def build(settings: Settings, environment: Environment) -> tuple[Pipeline, ...]:
    """Make a pipeline for each exporter that ``OTEL_TRACES_EXPORTER`` names and that can be made.

    Raises:
        TelemetryError: An exporter cannot be made, or a variable is bad, where strict.
    """
    exporters: list[SpanExporter] = []
    pipelines: list[Pipeline] = []
    try:
        for name, exporter in _exporters(settings, environment):
            exporters.append(exporter)
            with metered(environment):
                pipelines.append(guarded(name, exporter, settings))
    except BaseException:
        shut_down(pipelines, settings.shutdown_timeout)
        for exporter in exporters[len(pipelines) :]:
            exporter.shutdown()
        raise
    return tuple(pipelines)


def guarded(name: str, exporter: SpanExporter, settings: Settings) -> Pipeline:
    """Put the exporter behind a circuit of its own, and a batch processor before it."""
    breaker = with_circuit(name, exporter, settings)
    return Pipeline(BatchProcessor(breaker, batching=settings.batching), breaker)


def with_circuit(name: str, exporter: SpanExporter, settings: Settings) -> CircuitBreakerSpanExporter:
    """Put the exporter behind a circuit of its own."""
    from .._span_results import storing_encoder_of
    from .._spans import CircuitBreakerSpanExporter

    retention = settings.retention
    if retention.directory is not None and storing_encoder_of(exporter) is None:
        say(logging.INFO, "%s: what cannot be delivered is kept in memory alone, not on disk", name)
        retention = retention.in_memory()
    return CircuitBreakerSpanExporter(
        exporter,
        name=name,
        failure_threshold=settings.failure_threshold,
        cooldown=settings.cooldown,
        max_cooldown=settings.max_cooldown,
        export_timeout=settings.export_timeout,
        listeners=settings.listeners,
        switch_interval=settings.switch_interval,
        retention=retention,
    )


def _exporters(settings: Settings, environment: Environment) -> Iterator[tuple[str, SpanExporter]]:
    """Make the exporters, each with the name of its circuit."""
    for name in _names(environment):
        try:
            if name in OTLP:
                protocol = OTLP[name] or settings.protocol
                check_otlp(protocol, environment)
                circuit, exporter = COLLECTOR, otlp_exporter(protocol, settings, environment)
            else:
                circuit, exporter = name, _foreign(cast(EntryPoint, entry_point(name)))
        except TelemetryError:
            raise
        except Exception as error:
            environment.complain(f"no spans go to {shown(name)}: {origin(error)}")
        else:
            yield circuit, exporter


def _names(environment: Environment) -> tuple[str, ...]:
    """The names in ``OTEL_TRACES_EXPORTER`` that are installed; ``otlp`` where none is left."""
    names, unknown = chosen(listed(environment))
    if unknown:
        setting = TRACES_EXPORTER
        environment.complain(
            f"{setting.variable} must be {setting.kind.allowed}, not {', '.join(map(shown, unknown))}",
            f"left out (default: {setting.default_text})",
        )
    return names


def check_otlp(protocol: otlp.Protocol, environment: Environment) -> None:
    """Check the variables of an OTLP exporter, without making it.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    variables.check(environment, protocol)
    _credentials.check(environment, protocol)


def otlp_exporter(protocol: otlp.Protocol, settings: Settings, environment: Environment) -> SpanExporter:
    """Make the exporter for this protocol.

    Raises:
        ImportError: It is missing, or cannot be imported; the text says why, and what to do.
        TelemetryError: A variable is bad, where strict.
    """
    if protocol == "grpc":
        from ..otlp import OTLPGrpcSpanExporter

        return OTLPGrpcSpanExporter(
            settings.endpoint, headers=settings.headers, timeout=settings.timeout, _environment=environment
        )
    from ..otlp import CooperativeOTLPSpanExporter

    return CooperativeOTLPSpanExporter(
        settings.endpoint, headers=settings.headers, timeout=settings.timeout, _environment=environment
    )


def _foreign(entry_point: EntryPoint) -> SpanExporter:
    """Make an exporter of another package, which reads the environment itself."""
    try:
        make = entry_point.load()
    except Exception as error:
        raise ImportError(f"it cannot be imported: {cause_of(error)}") from error
    return cast(SpanExporter, make())
