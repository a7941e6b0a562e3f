"""The SDK's own metrics about spans and log records, which exist since 1.42.

They need ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true``.
"""

from __future__ import annotations

from collections import Counter

from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

SPANS, LOG_RECORDS = "span", "log"
"""The signals, as the names of the metrics have them."""

Counts = tuple[int | None, int | None]
"""Number of items dropped from a full queue, and of items whose export failed; ``None``: not counted."""


class SDKMetrics:
    """Reads them, from a provider that has its reader.

    Attributes:
        reader: The reader.
        is_joined: True once a provider has it.
    """

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.is_joined = False

    def join(self) -> None:
        """Read them from the provider that is set, if it takes a reader later on, as from 1.43 on."""
        if (add := getattr(get_meter_provider(), "add_metric_reader", None)) is not None:
            add(self.reader)
            self.is_joined = True

    def read(self) -> dict[str, Counts]:
        """Return the counts of each signal."""
        counted: Counter[str] = Counter()
        data = self.reader.get_metrics_data() if self.is_joined else None
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if (error := _ERRORS.get(metric.name)) is None:
                        continue
                    for point in metric.data.data_points:
                        assert isinstance(point, NumberDataPoint)
                        found = (point.attributes or {}).get("error.type")
                        counted[metric.name] += int(point.value) if found and error in ("", found) else 0
        return {
            signal: (counted.get(_PROCESSED.format(signal)), counted.get(_EXPORTED.format(signal)))
            for signal in (SPANS, LOG_RECORDS)
        }


_PROCESSED, _EXPORTED = "otel.sdk.processor.{}.processed", "otel.sdk.exporter.{}.exported"
_ERRORS = {
    name.format(signal): error
    for name, error in ((_PROCESSED, "queue_full"), (_EXPORTED, ""))
    for signal in (SPANS, LOG_RECORDS)
}
"""The metrics, each with the error that counts; any of them where empty."""
