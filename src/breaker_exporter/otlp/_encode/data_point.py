"""One data point as OTLP protobuf bytes, written straight from its public attributes.

Every field is taken where the official encoder takes it, and means what it means there. Field numbers are
those of ``opentelemetry/proto/metrics/v1/metrics.proto``. The order of fields on the wire is free.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import TYPE_CHECKING

from .attributes import Attributes
from .exemplar import write_exemplars
from .numeric import FixedArrays, double, fixed64, optional_double, sfixed64, sint32, uint64s
from .wire import count, sized

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import (
        Buckets,
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        NumberDataPoint,
    )

_TIMES = Struct("<cQcQ").pack
_SUMMARY = Struct("<cQcQcQcdcdcd").pack
"""Start, time, count, sum, minimum and maximum of a histogram."""

_number_attributes = Attributes(b"\x3a", 7)
_histogram_attributes = Attributes(b"\x4a", 7)
_exponential_attributes = Attributes(b"\x0a", 7)
_bucket_counts = FixedArrays(b"\x32", "Q").field
_bounds = FixedArrays(b"\x3a", "d").field


def gauge_point(point: NumberDataPoint) -> bytes:
    """Return a ``NumberDataPoint`` message of a gauge, which has no start.

    Raises:
        Exception: There is something in it that OTLP has no place for; so do the functions below.
    """
    return _number_point(point, fixed64(b"\x19", point.time_unix_nano))


def sum_point(point: NumberDataPoint) -> bytes:
    """Return a ``NumberDataPoint`` message of a sum."""
    start, time = point.start_time_unix_nano, point.time_unix_nano
    try:
        times = _TIMES(b"\x11", start, b"\x19", time)
    except struct.error:  # something is None
        times = fixed64(b"\x11", start) + fixed64(b"\x19", time)
    return _number_point(point, times)


def histogram_point(point: HistogramDataPoint) -> bytes:
    """Return a ``HistogramDataPoint`` message."""
    parts = [
        _summary(point, b"\x59", b"\x61"),
        _bucket_counts(point.bucket_counts),
        _bounds(point.explicit_bounds),
    ]
    _histogram_attributes.write(point.attributes, parts.append)
    write_exemplars(b"\x42", point.exemplars, parts.append)
    return b"".join(parts)


def exponential_point(point: ExponentialHistogramDataPoint) -> bytes:
    """Return an ``ExponentialHistogramDataPoint`` message."""
    parts = [
        _summary(point, b"\x61", b"\x69"),
        sint32(b"\x30", point.scale),
        fixed64(b"\x39", point.zero_count),
        _buckets(b"\x42", point.positive),
        _buckets(b"\x4a", point.negative),
        b"" if point.flags is None else count(b"\x50", point.flags),
    ]
    _exponential_attributes.write(point.attributes, parts.append)
    write_exemplars(b"\x5a", point.exemplars, parts.append)
    return b"".join(parts)


def _number_point(point: NumberDataPoint, times: bytes) -> bytes:
    value = point.value
    parts = [times, sfixed64(b"\x31", value) if isinstance(value, int) else double(b"\x21", value)]
    _number_attributes.write(point.attributes, parts.append)
    write_exemplars(b"\x2a", point.exemplars, parts.append)
    return b"".join(parts)


def _summary(
    point: HistogramDataPoint | ExponentialHistogramDataPoint, minimum: bytes, maximum: bytes
) -> bytes:
    """Return the fields that both histograms have; the tags of minimum and maximum differ."""
    start, time, items = point.start_time_unix_nano, point.time_unix_nano, point.count
    total, least, most = point.sum, point.min, point.max
    try:
        return _SUMMARY(
            b"\x11", start, b"\x19", time, b"\x21", items, b"\x29", total, minimum, least, maximum, most
        )
    except struct.error:  # something is None
        times = fixed64(b"\x11", start) + fixed64(b"\x19", time) + fixed64(b"\x21", items)
        return (
            times
            + optional_double(b"\x29", total)
            + optional_double(minimum, least)
            + optional_double(maximum, most)
        )


def _buckets(tag: bytes, buckets: Buckets) -> bytes:
    counts = buckets.bucket_counts
    return tag + sized(sint32(b"\x08", buckets.offset) + uint64s(b"\x12", counts)) if counts else b""
