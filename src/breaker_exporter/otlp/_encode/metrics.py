"""Metrics as requests (ExportMetricsServiceRequest). A data point that nobody can encode is left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..._base.log import say
from .batch import AT_ONCE, Encoded
from .groups import Groups, item_head
from .metric import Kind, kind_of, metric_head
from .request import BY_METRIC
from .wire import Heads, NotEncodable, reason_of, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData

_point_head = Heads(b"\x0a").__getitem__

_said: list[str] = []
"""The error that kept the first data point out, in this process."""


def encode_metrics(metrics_data: MetricsData, limit: int, rest: Callable[[], None]) -> Encoded:
    """Encode what a reader has collected; items are data points.

    As the official encoder does it, but that nothing is lost where a resource or a scope comes twice, or
    there is no scope. A metric without data points travels along, and is lost where a request is cut.

    Args:
        metrics_data: The metrics.
        limit: Bytes of a request at most; 0: any number.
        rest: Called between any few data points, and before they are joined: lets others run.
    """
    groups, writer = Groups(), _Writer(rest)
    for of_resource in metrics_data.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            try:
                place = groups.place(of_resource.resource, of_scope.scope)
            except Exception as error:
                writer.leave_out(of_scope.metrics, error)
                continue
            for metric in of_scope.metrics:
                place += writer.metric(metric)
    rest()
    return Encoded.of(groups.request(writer.items, rest, BY_METRIC), limit, writer.left_out, rest)


class _Writer:
    """Writes metrics, and counts their data points.

    Args:
        rest: Called between any few data points.

    Attributes:
        items: Number of data points that were written.
        left_out: Number of those that cannot be encoded.
    """

    def __init__(self, rest: Callable[[], None]) -> None:
        self._rest = rest
        self.items = 0
        self.left_out = 0

    def metric(self, metric: Metric) -> Iterable[bytes]:
        """Return a ``Metric`` message behind its head, in pieces; none where nothing of it can be encoded.

        It has no data where it has no data points, or data of a type that OTLP does not know.
        """
        self._rest()
        try:
            head, data = metric_head(metric), metric.data
            kind = kind_of(data)
            if kind is None:
                self.leave_out([metric], NotEncodable(type(data).__name__))
                return item_head(len(head)), head
            points = tuple(data.data_points)
            if not points:
                return item_head(len(head)), head
            beside = kind.beside(data)
        except Exception as error:
            self.leave_out([metric], error)
            return ()
        parts = self._points(kind, points)
        if not parts:
            return ()
        size = sum(map(len, parts)) + len(beside)
        field = kind.tag + varint(size)
        return item_head(len(head) + len(field) + size), head, field, *parts, beside

    def leave_out(self, metrics: Iterable[Metric], error: Exception) -> None:
        """Count the data points of metrics that cannot be encoded."""
        self.left_out += sum(map(_points_in, metrics))
        _say_once(error)

    def _points(self, kind: Kind, points: tuple[object, ...]) -> list[bytes]:
        """Return for each data point its head and its bytes."""
        parts: list[bytes] = []
        for number, point in enumerate(points, 1):
            try:
                data = kind.point(point)
                parts.append(_point_head(len(data)))
                parts.append(data)
            except Exception as error:
                self.left_out += 1
                _say_once(error)
            if number % AT_ONCE == 0:
                self._rest()
        self.items += len(parts) // 2
        return parts


def _points_in(metric: Metric) -> int:
    try:
        return len(metric.data.data_points)
    except Exception:  # it has none
        return 0


def _say_once(error: Exception) -> None:
    if not _said:
        _said.append(reason_of(error))
        say(
            logging.WARNING,
            "a metric or a data point cannot be encoded (%s): it is left out and the others are sent; "
            "later ones are only counted",
            *_said,
        )
