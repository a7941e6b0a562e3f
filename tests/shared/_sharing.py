"""Exporters that share a circuit, and answers of their backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict
from breaker_exporter._core.report import Cause
from breaker_exporter.testing import ScriptedExporter

from ..semantics._exporters import FAILURE, SUCCESS
from ..semantics._spans import spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import SharedCircuit

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NOT_FOUND = ExportReport(Verdict.MISCONFIGURED, reason="HTTP 404", cause=Cause.ANSWERED)
UNANSWERED = ExportReport(Verdict.FAILED, reason="connection reset", cause=Cause.UNANSWERED)


def answers(*reports: ExportReport) -> ScriptedExporter:
    """An exporter that gives these reports, and is then successful."""
    return ScriptedExporter([_giving(report) for report in reports])


def _giving(report: ExportReport) -> Callable[..., Any]:
    return lambda _: report


def sharing(
    circuit: SharedCircuit, *wrapped: ScriptedExporter, **settings: Any
) -> tuple[CircuitBreakerSpanExporter, ...]:
    """Exporters ``a``, ``b``, ... around ``wrapped`` that share ``circuit``."""
    return tuple(
        CircuitBreakerSpanExporter(inner, name=name, circuit=circuit, **settings)
        for name, inner in zip("abcdef", wrapped, strict=False)
    )


def succeeds(exporter: CircuitBreakerSpanExporter, count: int = 1) -> bool:
    """Export so many spans."""
    result = exporter.export(spans(count))
    assert result in (SUCCESS, FAILURE)
    return result is SUCCESS
