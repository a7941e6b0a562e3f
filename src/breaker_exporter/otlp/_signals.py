"""The signals of OpenTelemetry: what each is called in variables, on the wire, on a disk and in log lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from .._base.setting import Setting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal.

    Attributes:
        word: In variables: ``TRACES`` as in ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``.
        unit: Its items, in the plural.
        name: In a spool: 1 to 16 small letters.
        path: Where its requests are posted to, below an endpoint for all signals.
        method: What its requests call by gRPC.
        component: In ``otel.component.type``: ``span`` as in ``otlp_http_span_exporter``.
        counted: In names of metrics: ``span`` as in ``otel.sdk.exporter.span.exported``.
    """

    word: str
    unit: str
    name: str
    path: str
    method: str
    component: str
    counted: str

    @property
    def item(self) -> str:
        """One of its items."""
        return self.unit.removesuffix("s")


TRACES = Signal(
    word="TRACES",
    unit="spans",
    name="spans",
    path="/v1/traces",
    method="/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    component="span",
    counted="span",
)
LOGS = Signal(
    word="LOGS",
    unit="log records",
    name="logs",
    path="/v1/logs",
    method="/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    component="log",
    counted="log",
)
METRICS = Signal(
    word="METRICS",
    unit="data points",
    name="metrics",
    path="/v1/metrics",
    method="/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    component="metric",
    counted="metric_data_point",
)
SIGNALS = (TRACES, LOGS, METRICS)


def for_signal(setting: Setting[T], signal: Signal) -> Setting[T]:
    """Return `setting`, which is declared with the variables of traces, with those of `signal`."""
    own, other = f"_{TRACES.word}_", f"_{signal.word}_"
    return replace(setting, variables=tuple(name.replace(own, other) for name in setting.variables))
