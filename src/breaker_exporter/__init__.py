"""A circuit breaker around any OpenTelemetry span exporter.

Names are resolved on first use (PEP 562): importing the package before gevent's monkey patch must load
nothing that brings ``ssl`` along, and ``pybreaker`` does where redis is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._base.values import CircuitState, CircuitTransition, ExporterHealth
    from ._core.report import ExportReport, Verdict
    from ._span_results import ReportingSpanExporter
    from ._spans import CircuitBreakerSpanExporter

__all__ = [
    "CircuitBreakerSpanExporter",
    "CircuitState",
    "CircuitTransition",
    "ExportReport",
    "ExporterHealth",
    "ReportingSpanExporter",
    "Verdict",
]
_REPORT = ("ExportReport", "Verdict")


def __getattr__(name: str) -> object:
    if name == "CircuitBreakerSpanExporter":
        from ._spans import CircuitBreakerSpanExporter

        return CircuitBreakerSpanExporter
    if name == "ReportingSpanExporter":
        from ._span_results import ReportingSpanExporter

        return ReportingSpanExporter
    if name in _REPORT:
        from ._core import report

        return getattr(report, name)
    if name in __all__:
        from ._base import values

        return getattr(values, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
