"""From settings to pipelines: an OpenTelemetry exporter, behind a circuit, fed by a batch processor.

Safe to import before gevent's monkey patch: what brings ``ssl`` along is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from ._batches import BatchProcessor
from ._env import TelemetryError
from ._exporter_names import OTLP, chosen, entry_point
from ._outlet import shut_down
from ._shown import origin, shown

if TYPE_CHECKING:
    from . import _otlp_settings as otlp
    from ._env import Environment
    from ._exporter import CircuitBreakerSpanExporter
    from ._settings import Settings

COLLECTOR = "collector"
"""The name of the circuit around it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A processor, and the guarded exporter that it feeds, if there is one."""

    processor: SpanProcessor
    exporter: CircuitBreakerSpanExporter | None


def build(settings: Settings, environment: Environment) -> tuple[Pipeline, ...]:
    """A pipeline for each exporter that ``OTEL_TRACES_EXPORTER`` names and that can be made.

    Raises:
        TelemetryError: One cannot, or another variable is bad, where strict.
    """
    exporters: list[SpanExporter] = []
    pipelines: list[Pipeline] = []
    try:
        for name, exporter in _exporters(settings, environment):
            exporters.append(exporter)
            with environment.without_unusable():
                pipelines.append(guarded(name, exporter, settings))
    except BaseException:
        shut_down(pipelines, settings.shutdown_timeout)
        for exporter in exporters[len(pipelines) :]:
            exporter.shutdown()
        raise
    return tuple(pipelines)


def guarded(name: str, exporter: SpanExporter, settings: Settings) -> Pipeline:
    """The exporter behind a circuit of its own, and a batch processor before it."""
    breaker = breaking(name, exporter, settings)
    return Pipeline(BatchProcessor(breaker, settings.schedule_delay), breaker)


def breaking(name: str, exporter: SpanExporter, settings: Settings) -> CircuitBreakerSpanExporter:
    """The exporter behind a circuit of its own."""
    from ._exporter import CircuitBreakerSpanExporter

    return CircuitBreakerSpanExporter(
        exporter,
        name=name,
        failure_threshold=settings.failure_threshold,
        cooldown=settings.cooldown,
        max_cooldown=settings.max_cooldown,
        export_timeout=settings.export_timeout,
        listeners=settings.listeners,
        switch_interval=settings.switch_interval,
    )


def _exporters(settings: Settings, environment: Environment) -> Iterator[tuple[str, SpanExporter]]:
    """Each with the name of its circuit."""
    for name in _names(environment):
        try:
            if name in OTLP:
                protocol = OTLP[name] or settings.protocol
                environment.check_otlp(protocol)
                circuit, exporter = COLLECTOR, otlp_exporter(protocol, settings, environment)
            else:
                with environment.without_unusable():
                    made = cast(Any, entry_point(name)).load()()
                circuit, exporter = name, cast(SpanExporter, made)
        except TelemetryError:
            raise
        except Exception as error:
            environment.complain(f"no spans go to {shown(name)}: {origin(error)}")
        else:
            yield circuit, exporter


def _names(environment: Environment) -> tuple[str, ...]:
    """What ``OTEL_TRACES_EXPORTER`` names, without what is not installed; ``otlp`` where nothing is left."""
    names, unknown = chosen(environment.traces_exporters())
    if unknown:
        environment.complain(
            "OTEL_TRACES_EXPORTER must be none, or a list of otlp, console and other installed exporters, "
            f"not {', '.join(map(shown, unknown))}; left out (default: otlp)"
        )
    return names


def check_installed(protocol: otlp.Protocol) -> None:
    """Without importing it.

    Raises:
        ImportError: What speaks this protocol is missing; the text says how to get it.
    """
    try:
        distribution(_package(protocol))
    except PackageNotFoundError:
        raise _missing(protocol) from None


def otlp_exporter(protocol: otlp.Protocol, settings: Settings, environment: Environment) -> SpanExporter:
    """The exporter for this protocol, of variables that were checked.

    Raises:
        ImportError: It is missing; the text says how to get it.
    """
    with environment.without_unusable():
        try:
            if protocol == "grpc":
                from ._grpc import SlicingOTLPSpanExporter

                return SlicingOTLPSpanExporter(
                    settings.endpoint,
                    headers=settings.headers,
                    timeout=settings.timeout,
                    spare=settings.export_timeout - settings.timeout,
                )
            from .otlp import CooperativeOTLPSpanExporter

            return CooperativeOTLPSpanExporter(
                settings.endpoint, headers=settings.headers, timeout=settings.timeout
            )
        except ImportError as error:
            raise _missing(protocol) from error


def _package(protocol: otlp.Protocol) -> str:
    return f"opentelemetry-exporter-otlp-proto-{'grpc' if protocol == 'grpc' else 'http'}"


def _missing(protocol: otlp.Protocol) -> ImportError:
    extra = "grpc" if protocol == "grpc" else "otlp"
    return ImportError(f'{_package(protocol)} is missing: pip install "breaker-exporter[{extra}]"')
