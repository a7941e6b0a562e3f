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

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._base.values import CircuitState, CircuitTransition, ExporterHealth
    from ._core.report import Cause, ExportReport, Verdict
    from ._core.retention import Retention
    from ._span_results import ReportingSpanExporter
    from ._spans import CircuitBreakerSpanExporter

    __version__: str

__all__ = [
    "Cause",
    "CircuitBreakerSpanExporter",
    "CircuitState",
    "CircuitTransition",
    "ExportReport",
    "ExporterHealth",
    "ReportingSpanExporter",
    "Retention",
    "Verdict",
]


def __getattr__(name: str) -> object:
    if name == "CircuitBreakerSpanExporter":
        from ._spans import CircuitBreakerSpanExporter

        return CircuitBreakerSpanExporter
    if name == "ReportingSpanExporter":
        from ._span_results import ReportingSpanExporter

        return ReportingSpanExporter
    if name in ("Cause", "ExportReport", "Verdict"):
        from ._core import report

        return getattr(report, name)
    if name == "Retention":
        from ._core.retention import Retention

        return Retention
    if name in __all__:
        from ._base import values

        return getattr(values, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("breaker-exporter")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
