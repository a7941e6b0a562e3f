"""The SDK's own metrics about its spans, which exist since 1.42.

They need ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true``, and a ``MeterProvider`` set before the processor
is made.
"""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

_PROCESSED = "otel.sdk.processor.span.processed"
_EXPORTED = "otel.sdk.exporter.span.exported"


class SDKMetrics:
    """Sets this process's ``MeterProvider``, and reads it."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        # Not shut down at exit: the last reading happens there.
        metrics.set_meter_provider(MeterProvider([self._reader], shutdown_on_exit=False))

    def read(self) -> tuple[int | None, int | None]:
        """Return the number of spans dropped from a full queue, and of spans whose export failed.

        Each is ``None`` if this SDK does not count it.
        """
        dropped: int | None = None
        failed: int | None = None
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name not in (_PROCESSED, _EXPORTED):
                        continue
                    for point in metric.data.data_points:
                        assert isinstance(point, NumberDataPoint)
                        error = (point.attributes or {}).get("error.type")
                        if metric.name == _PROCESSED:
                            dropped = (dropped or 0) + (int(point.value) if error == "queue_full" else 0)
                        else:
                            failed = (failed or 0) + (int(point.value) if error else 0)
        return dropped, failed
