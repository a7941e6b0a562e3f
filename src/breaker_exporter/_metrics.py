"""The contract of a metric exporter, kept by a guard around any other one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

from ._base import checks as check
from ._breaker_exporter import BreakerExporter
from ._contract import Contract
from ._data_points import count_data_points

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

_POINT_SIZE = 512
"""Bytes of memory that a data point takes, measured: 180 of a counter, 390 of a histogram."""


class _PreferenceOfWrapped:
    """A private attribute by which a metric exporter tells its reader what it prefers.

    It is looked up in the wrapped exporter each time, which may set it late, or not have it.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: BreakerExporter[MetricExporter, MetricsData], owner: type) -> Any:
        return getattr(instance._exporter, self._name, None)

    def __set__(self, instance: object, value: object) -> None:
        """Nothing: OpenTelemetry's base class sets what is the wrapped exporter's to say."""


class CircuitBreakerMetricExporter(BreakerExporter[MetricExporter, "MetricsData"], MetricExporter):
    """Wraps any metric exporter so that the application never notices what its backend does.

    Consecutive failures open a circuit; while it is open, exports are refused in microseconds; after a
    cooldown one probe asks whether the backend is back. The wrapped exporter runs off the gevent hub and
    under a hard deadline. Temporality and aggregation are those that it prefers. One instance serves one
    reader; it may be made before or after a fork, and before or after gevent's monkey patch.
    """

    _contract = Contract(
        kind="metric exporter",
        unit="data points",
        results=(MetricExportResult,),
        size_of=count_data_points,
        resource_of=lambda data: data.resource_metrics[0].resource,
        item_size=_POINT_SIZE,
        tells_time=True,
        in_order=True,
    )
    _preferred_temporality = _PreferenceOfWrapped()
    _preferred_aggregation = _PreferenceOfWrapped()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Export `metrics_data` through the wrapped exporter, or refuse at once while the circuit is open.

        Never raises an ``Exception``, never takes longer than `export_timeout`, never holds the hub.

        Args:
            metrics_data: Handed on as it is.
            timeout_millis: Milliseconds after which this comes back, if that is sooner than
                `export_timeout`. The wrapped exporter is told what is left of them, if it takes it. A call
                that takes longer goes on: it counts as hung after `export_timeout`.
            kwargs: Handed on to the wrapped exporter, but not with data that is kept for later.

        Returns:
            ``SUCCESS`` where the wrapped exporter said so, or where there was nothing to export.
        """
        is_delivered = self._guarded.export(metrics_data, check.budget(timeout_millis), kwargs)
        return MetricExportResult.SUCCESS if is_delivered else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the wrapped exporter.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does.

        Returns:
            ``False`` where it was late, raised or said so itself, or after :meth:`shutdown`.
        """
        return super().force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """End exporting and shut the wrapped exporter down, off the hub. Later exports are refused.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does. A
                call that is still out gets half of them to end by itself.
            kwargs: ``timeout``, by which OpenTelemetry's reader says `timeout_millis`; below 0 it is 0.
        """
        super().shutdown(kwargs.get("timeout", timeout_millis))
