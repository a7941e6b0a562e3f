"""Metrics as they arrived, by OTLP or as Prometheus' text, in one form."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

if TYPE_CHECKING:
    from ..otlp._server import Request

OURS = "breaker_exporter.CircuitBreakerSpanExporter"


@dataclass(frozen=True)
class Sample:
    """One value. Names and labels are Prometheus': underscores, and ``_total`` for what only grows."""

    name: str
    labels: dict[str, str]
    value: float


class Reading:
    """Values of one moment, for each process its latest."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)

    @property
    def names(self) -> set[str]:
        return {sample.name for sample in self.samples}

    @property
    def pids(self) -> set[int]:
        return {int(sample.labels["process_pid"]) for sample in self._ours()}

    def outcomes(self, pid: int | None = None) -> dict[str, float]:
        """Spans by ``error_type``, which is empty for those that were exported."""
        return self.by("error_type", "otel_sdk_exporter_span_exported_total", pid)

    def state(self, pid: int | None = None) -> set[str]:
        """The states that circuits are in."""
        found = self.by("breaker_exporter_circuit_state", "breaker_exporter_circuit_state", pid)
        return {state for state, value in found.items() if value}

    def by(self, label: str, name: str, pid: int | None = None) -> dict[str, float]:
        """Sums of a metric of ours, by the values of a label."""
        sums: dict[str, float] = {}
        for sample in self._ours():
            if sample.name == name and pid in (None, int(sample.labels["process_pid"])):
                key = sample.labels.get(label, "")
                sums[key] = sums.get(key, 0) + sample.value
        return sums

    def _ours(self) -> Iterator[Sample]:
        return (sample for sample in self.samples if sample.labels.get("otel_component_type") == OURS)


def pushed(requests: Iterable[Request]) -> Reading:
    """Return the value of each series in the latest push."""
    latest: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for request in list(requests):
        for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    total = "_total" if metric.sum.is_monotonic else ""
                    name = f"{metric.name.replace('.', '_')}{total}"
                    for point in (*metric.sum.data_points, *metric.gauge.data_points):
                        labels = frozenset(
                            (pair.key.replace(".", "_"), pair.value.string_value or str(pair.value.int_value))
                            for pair in point.attributes
                        )
                        latest[name, labels] = point.as_double or point.as_int
    return Reading(Sample(name, dict(labels), value) for (name, labels), value in latest.items())


def scraped(*urls: str) -> Reading:
    """Return the series that Prometheus would read from these texts."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = []
    for url in urls:
        with urllib.request.urlopen(url, timeout=15) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            samples += [Sample(one.name, one.labels, one.value) for one in family.samples]
    return Reading(samples)
