"""Metrics without a line of code: ``OTEL_METRICS_EXPORTER=breaker_otlp_proto_http``."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

from .._base.log import say
from .._wiring.instance_id import of_one_process
from ..otlp._preferences import aggregation, temporality
from ..otlp._signals import METRICS
from .late import LateExporter
from .metrics_in_child import ADVICE, begin_at_zero

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource

    from .._metrics import CircuitBreakerMetricExporter


class ZeroCodeMetricExporter(LateExporter, MetricExporter):
    """A guarded exporter of metrics. One instance serves one reader.

    The reader asks what it prefers at once, so that it takes this from the environment itself. In a forked
    child the sums of its reader begin at zero, and each process has a ``service.instance.id`` of its own.
    """

    signal = METRICS

    def __init__(self) -> None:
        super().__init__()
        MetricExporter.__init__(
            self,
            preferred_temporality=temporality(self._environment, None),
            preferred_aggregation=aggregation(self._environment, None),
        )
        self._resource: tuple[int, Resource, Resource] | None = None
        self.could_begin_at_zero = True
        begin_at_zero(self)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Export `metrics_data`, in so many milliseconds, through the circuit breaker.

        The first export makes it.
        """
        breaker: CircuitBreakerMetricExporter | None
        with self.exporting() as breaker:
            if breaker is None:
                return MetricExportResult.FAILURE
            if not self.could_begin_at_zero:
                self.could_begin_at_zero = True
                say(logging.WARNING, ADVICE)
            return breaker.export(self._of_process(metrics_data), timeout_millis, **kwargs)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """End exporting, in so many milliseconds but never later than at an exit. Later exports are refused.

        Args:
            timeout_millis: Milliseconds.
            kwargs: ``timeout``, by which OpenTelemetry's reader says `timeout_millis`, at times below 0.
        """
        longest = self.settings.shutdown_timeout * 1000
        super().shutdown(min(max(0.0, kwargs.get("timeout", timeout_millis)), longest))

    def _of_process(self, data: MetricsData) -> MetricsData:
        """`data` with a resource of this process alone (L6); as it is where it is no such data."""
        try:
            return replace(
                data,
                resource_metrics=[
                    replace(each, resource=self._own(each.resource)) for each in data.resource_metrics
                ],
            )
        except (AttributeError, TypeError):
            return data

    def _own(self, resource: Resource) -> Resource:
        known, pid = self._resource, os.getpid()
        if known is None or known[0] != pid or known[1] is not resource:
            known = self._resource = pid, resource, of_one_process(resource)
        return known[2]


class HTTPMetricExporter(ZeroCodeMetricExporter):
    """``breaker_otlp_proto_http``: a guarded ``CooperativeOTLPMetricExporter``."""

    protocol = "http/protobuf"


class GRPCMetricExporter(ZeroCodeMetricExporter):
    """``breaker_otlp_proto_grpc``: a guarded ``OTLPGrpcMetricExporter``."""

    protocol = "grpc"
