"""The scripted exporter of metrics."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.metrics.view import Aggregation

from ._outcomes import Playable, succeed
from ._player import Player


class ScriptedMetricExporter(Player, MetricExporter):
    """A metric exporter that plays a list of outcomes: ``ScriptedExporter`` for metrics.

    All that it has is as in ``ScriptedExporter``; a function in the script gets the ``MetricsData``.

    Args:
        outcomes: The outcomes of the first calls, in order.
        default: The outcome of each later call.
        on_shutdown: The outcome of each ``shutdown``.
        on_flush: The outcome of each ``force_flush``.
        preferred_temporality: The temporality that a reader uses for a class of instruments.
        preferred_aggregation: The aggregation, likewise.

    Raises:
        TypeError: An outcome cannot be played.
    """

    _name = "ScriptedMetricExporter"
    _results = MetricExportResult
    __repr__ = reprlib.recursive_repr(f"<{_name} ...>")(Player._shown)

    def __init__(
        self,
        outcomes: Iterable[Playable] = (),
        *,
        default: Playable = succeed,
        on_shutdown: Playable = succeed,
        on_flush: Playable = succeed,
        preferred_temporality: Mapping[type, AggregationTemporality] | None = None,
        preferred_aggregation: Mapping[type, Aggregation] | None = None,
    ) -> None:
        Player.__init__(self, outcomes, default=default, on_shutdown=on_shutdown, on_flush=on_flush)
        MetricExporter.__init__(
            self,
            None if preferred_temporality is None else dict(preferred_temporality),
            None if preferred_aggregation is None else dict(preferred_aggregation),
        )

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **ignored: object
    ) -> MetricExportResult:
        """Play the next outcome of the script."""
        number = self._record.begin(metrics_data=metrics_data, timeout_millis=timeout_millis)
        return cast("MetricExportResult", self._played(number, metrics_data))

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Play ``on_flush``."""
        return super().force_flush()

    def shutdown(self, timeout_millis: float = 30_000, **ignored: object) -> None:
        """Play ``on_shutdown``."""
        self._shut_down()

    @property
    def metrics_data(self) -> list[MetricsData]:
        """The data of all calls that returned ``SUCCESS``, in the order in which they returned."""
        return [call.metrics_data for call in self._record.successful if call.metrics_data is not None]
