"""One metric as OTLP protobuf bytes, without its data points: its head, and what its type has beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import ExponentialHistogram, Gauge, Histogram, Sum

from .data_point import exponential_point, gauge_point, histogram_point, sum_point
from .numeric import enum
from .wire import Texts, text_field

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric

_names = Texts(b"\x0a")
_descriptions = Texts(b"\x12")
_units = Texts(b"\x1a")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of a metric's data.

    Attributes:
        tag: The tag of its field in a ``Metric``.
        point: Returns the bytes of one of its data points.
        beside: Returns its fields beside its data points.
    """

    tag: bytes
    point: Callable[[Any], bytes]
    beside: Callable[[Any], bytes]


def metric_head(metric: Metric) -> bytes:
    """Return all of a ``Metric`` message but its data.

    Raises:
        Exception: There is something in it that OTLP has no place for.
    """
    return (
        _text(_names, b"\x0a", metric.name)
        + _text(_descriptions, b"\x12", metric.description)
        + _text(_units, b"\x1a", metric.unit)
    )


def kind_of(data: object) -> Kind | None:
    """Return the type of a metric's data; ``None``: one that OTLP does not know."""
    return _KINDS.get(type(data)) or next(
        (kind for known, kind in _KINDS.items() if isinstance(data, known)), None
    )


def _text(known: Texts, tag: bytes, text: object) -> bytes:
    return known[text] if type(text) is str else text_field(tag, text)


def _nothing(_: Gauge) -> bytes:
    return b""


def _temporality(data: Sum | Histogram | ExponentialHistogram) -> bytes:
    return enum(b"\x10", data.aggregation_temporality)


def _of_sum(data: Sum) -> bytes:
    return _temporality(data) + (b"\x18\x01" if index(data.is_monotonic) else b"\x18\x00")


_KINDS: dict[type, Kind] = {
    Gauge: Kind(b"\x2a", gauge_point, _nothing),
    Histogram: Kind(b"\x4a", histogram_point, _temporality),
    Sum: Kind(b"\x3a", sum_point, _of_sum),
    ExponentialHistogram: Kind(b"\x52", exponential_point, _temporality),
}
"""In the order in which the official encoder asks."""
