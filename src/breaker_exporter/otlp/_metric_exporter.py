"""The contract of metric exporters, for those of this package: by whichever protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from .._core.report import ExportReport
from .._data_points import count_data_points
from ._encode.batch import Encoded
from ._encode.metrics import encode_metrics
from ._encoding_exporter import EncodingExporter, exporting_what_it_encodes
from ._metric_settings import MAX_BATCH_SIZE
from ._preferences import aggregation, temporality
from ._signals import METRICS

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import AggregationTemporality
    from opentelemetry.sdk.metrics.view import Aggregation

    from .._base.environment import Environment


@exporting_what_it_encodes
class OTLPMetricExporter(EncodingExporter[MetricsData], MetricExporter):
    """Exports metrics by any sender; usable alone or wrapped. The arguments are those of its base."""

    _signal = METRICS
    signal = METRICS.name

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: object
    ) -> MetricExportResult:
        """Export `metrics_data`; for use alone. The first loss after a success is one WARNING.

        Args:
            metrics_data: The batch; its items are data points.
            timeout_millis: Milliseconds, where that is less than the exporter's own timeout.
            **kwargs: Nothing is done with them.

        Returns:
            ``SUCCESS`` where the collector took them, if only in part.
        """
        is_taken = self._export_alone(metrics_data, _seconds(timeout_millis))
        return MetricExportResult.SUCCESS if is_taken else MetricExportResult.FAILURE

    def export_and_report(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: object
    ) -> ExportReport:
        """Export `metrics_data`, and say what the collector answered.

        Never raises an ``Exception``. Takes no longer than the shorter one of `timeout_millis` and the
        exporter's own timeout, as the span exporters of this package.
        """
        return self._export(metrics_data, _seconds(timeout_millis))

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """End what is under way, which then failed, and close the connections that are kept alive.

        Args:
            timeout_millis: Nothing is waited for.
            **kwargs: Nothing is done with them.
        """
        super().shutdown()

    def set_meter_provider(self, meter_provider: MeterProvider) -> None:
        """Count by instruments of this provider, which is made after its readers and their exporters.

        Nothing is counted where ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`` was not ``true`` when this
        exporter was made.
        """
        if self._metrics is not None:
            self._metrics.count_by(meter_provider)

    def _prefer(
        self,
        preferred_temporality: Mapping[type, AggregationTemporality] | None,
        preferred_aggregation: Mapping[type, Aggregation] | None,
        max_export_batch_size: int | None,
        environment: Environment,
    ) -> None:
        """Take the arguments that exporters of metrics alone have.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of range.
            TelemetryError: A variable is bad, where strict.
        """
        self._max_request_items = MAX_BATCH_SIZE.accept(max_export_batch_size) or 0
        MetricExporter.__init__(
            self,
            preferred_temporality=temporality(environment, preferred_temporality),
            preferred_aggregation=aggregation(environment, preferred_aggregation),
        )

    def _encode(self, batch: MetricsData, limit: int, rest: Callable[[], None]) -> Encoded:
        return encode_metrics(batch, limit, rest)

    def _count(self, batch: MetricsData) -> int:
        return count_data_points(batch)


def _seconds(timeout_millis: float | None) -> float:
    return math.inf if timeout_millis is None else max(timeout_millis / 1000, 0.0)
