"""A circuit breaker around any OpenTelemetry exporter, so that telemetry never becomes the outage.

Wrap the exporter that you have, and give the result to your processor::

    from breaker_exporter import CircuitBreakerSpanExporter

    exporter = CircuitBreakerSpanExporter(OTLPSpanExporter())
    provider.add_span_processor(BatchSpanProcessor(exporter))

Whatever the backend does, an export then raises nothing into the application, never holds the gevent hub and
ends in time; while the backend is away it costs microseconds, and every lost span is counted and logged.

For Gunicorn see :mod:`breaker_exporter.gunicorn`, for other servers and scripts
:mod:`breaker_exporter.telemetry`, for Sentry :mod:`breaker_exporter.sentry`, for an OTLP exporter that spares
the gevent hub :mod:`breaker_exporter.otlp`, for metrics about exporters
:mod:`breaker_exporter.instrumentation`, for tests of your own :mod:`breaker_exporter.testing`.
"""

# Names are imported at first use (PEP 562): before gevent's monkey patch nothing may load ssl, and pybreaker
# does so where redis is installed.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._base.values import CircuitState, CircuitTransition, ExporterHealth
    from ._core.report import Cause, ExportReport, Verdict
    from ._core.retention import Retention
    from ._core.shared_circuit import SharedCircuit
    from ._logs import CircuitBreakerLogRecordExporter
    from ._metrics import CircuitBreakerMetricExporter
    from ._results import ReportingSpanExporter
    from ._spans import CircuitBreakerSpanExporter

    __version__: str

__all__ = [
    "Cause",
    "CircuitBreakerLogRecordExporter",
    "CircuitBreakerMetricExporter",
    "CircuitBreakerSpanExporter",
    "CircuitState",
    "CircuitTransition",
    "ExportReport",
    "ExporterHealth",
    "ReportingSpanExporter",
    "Retention",
    "SharedCircuit",
    "Verdict",
]

_MODULES = {
    "_base.values": ("CircuitState", "CircuitTransition", "ExporterHealth"),
    "_core.report": ("Cause", "ExportReport", "Verdict"),
    "_core.retention": ("Retention",),
    "_core.shared_circuit": ("SharedCircuit",),
    "_logs": ("CircuitBreakerLogRecordExporter",),
    "_metrics": ("CircuitBreakerMetricExporter",),
    "_results": ("ReportingSpanExporter",),
    "_spans": ("CircuitBreakerSpanExporter",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("breaker-exporter")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
