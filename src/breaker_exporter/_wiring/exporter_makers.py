"""The parts of a pipeline by signal: exporter, circuit breaker, and what feeds them.

Each is imported where it is made: a service without metrics loads nothing of theirs.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, cast

from ..otlp import _credentials
from ..otlp import _environment as variables
from ..otlp._packages import cause_of
from ..otlp._signals import LOGS, METRICS, TRACES, Signal
from .exporter_names import OTLP, entry_point
from .instance_id import with_given

if TYPE_CHECKING:
    from .._base.environment import Environment
    from ..otlp import _settings as otlp
    from .pipeline import Exporter
    from .settings import Settings

_OTLP = {
    TRACES: ("CooperativeOTLPSpanExporter", "OTLPGrpcSpanExporter"),
    LOGS: ("CooperativeOTLPLogRecordExporter", "OTLPGrpcLogRecordExporter"),
    METRICS: ("CooperativeOTLPMetricExporter", "OTLPGrpcMetricExporter"),
}
"""The names of our OTLP exporters by signal: by HTTP, and by gRPC."""


def is_otlp(name: str) -> bool:
    """True for the name of an OTLP exporter."""
    return name in OTLP


def protocol_of(name: str, settings: Settings) -> otlp.Protocol:
    """The protocol of an OTLP exporter: by its name, else by the settings."""
    return OTLP[name] or settings.protocol


def check_otlp(protocol: otlp.Protocol, environment: Environment, signal: Signal = TRACES) -> None:
    """Check the variables of an OTLP exporter, without making it.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    variables.check(environment, protocol, signal)
    _credentials.check(environment, protocol, signal)


def otlp_exporter(protocol: otlp.Protocol, settings: Settings, environment: Environment) -> Any:
    """Make the OTLP exporter of the settings' signal for this protocol.

    Raises:
        ImportError: It is missing, or cannot be imported; the text says why, and what to do.
        TelemetryError: A variable is bad, where strict.
    """
    exporters = import_module("..otlp", __package__)
    by_http, by_grpc = _OTLP[settings.signal]
    make = getattr(exporters, by_grpc if protocol == "grpc" else by_http)
    resource_of = {} if settings.signal is METRICS else {"_resource_of": with_given()}
    return make(
        settings.endpoint,
        headers=settings.headers,
        timeout=settings.timeout,
        _environment=environment,
        **resource_of,
    )


def foreign(name: str, signal: Signal) -> Any:
    """Make an exporter of another package, which reads the environment itself.

    Raises:
        ImportError: It cannot be imported.
        Exception: It cannot be made.
    """
    try:
        make = cast(EntryPoint, entry_point(name, signal)).load()
    except Exception as error:
        raise ImportError(f"it cannot be imported: {cause_of(error)}") from error
    return make()


def is_reader(exporter: object, signal: Signal) -> bool:
    """True for a reader of metrics, which some entry points give in place of an exporter."""
    if signal is not METRICS:
        return False
    from opentelemetry.sdk.metrics.export import MetricReader

    return isinstance(exporter, MetricReader)


def breaker_of(signal: Signal) -> Any:
    """The class of circuit breakers around the exporters of a signal."""
    if signal is LOGS:
        from .._logs import CircuitBreakerLogRecordExporter

        return CircuitBreakerLogRecordExporter
    if signal is METRICS:
        from .._metrics import CircuitBreakerMetricExporter

        return CircuitBreakerMetricExporter
    from .._spans import CircuitBreakerSpanExporter

    return CircuitBreakerSpanExporter


def feed(breaker: Exporter, settings: Settings) -> Any:
    """Make what feeds the exporter: a batch processor, or a reader of metrics."""
    if settings.signal is LOGS:
        from .log_batch_processor import LogBatchProcessor

        return LogBatchProcessor(cast(Any, breaker), settings.batching)
    if settings.signal is METRICS:
        from .metric_reader import IntervalReader

        return IntervalReader(cast(Any, breaker), settings.reading)
    from .batch_processor import BatchProcessor

    return BatchProcessor(cast(Any, breaker), batching=settings.batching)
