"""Metrics of every shape that the SDK, an exporter's caller or a careless hand can make."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from . import _strategies as some

_T = TypeVar("_T")

# No truth where a number belongs: to some versions of protobuf it is one, to others it is not.
_uint64s = st.sampled_from([0, 1, 127, 128, 4096, (1 << 63) - 1, (1 << 64) - 1]) | st.integers(0, 1 << 20)
_numbers: st.SearchStrategy[Any] = some.floats | st.integers(-(1 << 63), (1 << 63) - 1)
_values: st.SearchStrategy[Any] = st.one_of(
    _numbers,
    some.integers,
    st.sampled_from([some.Number(7), some.Port.HTTPS, Decimal("1.5"), None, "1", 10**400]),
)
_some_counts: st.SearchStrategy[Any] = st.lists(_uint64s, max_size=20) | st.lists(
    st.integers(0, 127), max_size=5
)
_bounds: st.SearchStrategy[Any] = st.lists(some.floats | st.integers(-5, 1 << 70), max_size=20)


class _Draw:
    """Draws fields, all of them as the SDK could have made them, or some of them not."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._careless = draw(st.sampled_from([False, False, True]))

    def one_of(self, usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
        return self._draw(st.one_of(usual, usual, usual, odd) if self._careless else usual)

    def time(self) -> Any:
        return self.one_of(_uint64s, st.none() | some.odd_times)

    def count(self) -> Any:
        return self.one_of(_uint64s, st.sampled_from([None, -1, 1 << 64, 1.5, "1"]))

    def double(self) -> Any:
        return self.one_of(_numbers | st.none(), st.sampled_from(["1", 10**400, Decimal("1.5"), [], 1 << 63]))

    def counts(self) -> Any:
        return self.one_of(
            _some_counts | _some_counts.map(tuple),
            st.sampled_from([None, [-1], [1 << 64], [1.5], ["1"], (1, None), 7]),
        )

    def bounds(self) -> Any:
        return self.one_of(
            _bounds | _bounds.map(tuple), st.sampled_from([None, ["1"], [1, None], [10**400], 7])
        )

    def attributes(self) -> Any:
        return self._draw(some.attributes)

    def exemplars(self) -> Any:
        return self.one_of(st.lists(exemplars(), max_size=2), st.none() | st.just([None]))

    def buckets(self) -> Any:
        offset = self.one_of(_int32s, _odd_int32s)
        return self.one_of(st.just(Buckets(offset, self.counts())), st.none())


_int32s = st.integers(-(1 << 31), (1 << 31) - 1) | st.sampled_from([-(1 << 31), -1, 0, 1, (1 << 31) - 1])
_odd_int32s: st.SearchStrategy[Any] = st.sampled_from([None, 1 << 31, -(1 << 31) - 1, 0.5, "1"])


@st.composite
def exemplars(draw: st.DrawFn) -> Exemplar:
    one = _Draw(draw)
    span_ids = st.none() | st.integers(0, (1 << 64) - 1)
    trace_ids = st.none() | st.integers(0, (1 << 128) - 1)
    return Exemplar(
        one.attributes(),
        one.one_of(_numbers, _values),
        one.time(),
        one.one_of(span_ids, st.sampled_from([-1, 1 << 64, "1"])),
        one.one_of(trace_ids, st.sampled_from([-1, 1 << 128, "1"])),
    )


@st.composite
def number_points(draw: st.DrawFn) -> NumberDataPoint:
    one = _Draw(draw)
    return NumberDataPoint(
        one.attributes(), one.time(), one.time(), one.one_of(_numbers, _values), one.exemplars()
    )


@st.composite
def histogram_points(draw: st.DrawFn) -> HistogramDataPoint:
    one = _Draw(draw)
    return HistogramDataPoint(
        attributes=one.attributes(),
        start_time_unix_nano=one.time(),
        time_unix_nano=one.time(),
        count=one.count(),
        sum=one.double(),
        bucket_counts=one.counts(),
        explicit_bounds=one.bounds(),
        min=one.double(),
        max=one.double(),
        exemplars=one.exemplars(),
    )


@st.composite
def exponential_points(draw: st.DrawFn) -> ExponentialHistogramDataPoint:
    one = _Draw(draw)
    return ExponentialHistogramDataPoint(
        attributes=one.attributes(),
        start_time_unix_nano=one.time(),
        time_unix_nano=one.time(),
        count=one.count(),
        sum=one.double(),
        scale=one.one_of(_int32s, _odd_int32s),
        zero_count=one.count(),
        positive=one.buckets(),
        negative=one.buckets(),
        flags=one.one_of(st.integers(0, (1 << 32) - 1), st.sampled_from([None, -1, 1 << 32, 0.5])),
        min=one.double(),
        max=one.double(),
        exemplars=one.exemplars(),
    )


def _few(points: st.SearchStrategy[_T]) -> st.SearchStrategy[list[Any]]:
    return st.lists(points, min_size=1, max_size=3)


class OtherSum(Sum):
    """A sum of another type."""


_usual_temporalities = st.sampled_from(AggregationTemporality)
_odd_temporalities: st.SearchStrategy[Any] = st.sampled_from([0, 7, -1, -(1 << 31), 1 << 31, None, 1.5])
temporalities = st.one_of(*[_usual_temporalities] * 5, _odd_temporalities)

gauges = st.builds(Gauge, _few(number_points()))
sums = st.builds(Sum, _few(number_points()), _usual_temporalities, st.booleans())
histograms = st.builds(Histogram, _few(histogram_points()), _usual_temporalities)
exponentials = st.builds(ExponentialHistogram, _few(exponential_points()), _usual_temporalities)
_points: st.SearchStrategy[Any] = st.one_of(
    number_points(), histogram_points(), exponential_points(), st.none()
)
_mixed = st.lists(_points, max_size=4) | st.lists(_points, max_size=4).map(tuple)
odd_data: st.SearchStrategy[Any] = st.one_of(
    st.builds(Gauge, _mixed),
    st.builds(OtherSum, _mixed, temporalities, st.sampled_from([True, False, 0, 1, None, 1.5])),
    st.builds(Histogram, _mixed, temporalities),
    st.builds(ExponentialHistogram, _mixed, temporalities),
    st.sampled_from([None, "data", Gauge(None)]),  # type: ignore[arg-type]
)
_names: st.SearchStrategy[Any] = st.one_of(*[some.plain_texts] * 9, some.odd_names)
metrics: st.SearchStrategy[Metric] = st.builds(
    Metric, _names, _names, _names, st.one_of(gauges, sums, histograms, exponentials, odd_data)
)


def _distinct(items: list[_T]) -> list[_T]:
    return [item for at, item in enumerate(items) if item not in items[:at]]


@st.composite
def batches(draw: st.DrawFn) -> MetricsData:
    """Draw metrics under resources and scopes that do not come twice."""
    resources = _distinct(draw(st.lists(some.resources, max_size=2)))
    return MetricsData([ResourceMetrics(resource, draw(_scope_metrics), "") for resource in resources])


_some_metrics = st.lists(metrics, max_size=3)
_scopes: st.SearchStrategy[Any] = st.lists(some.scopes, max_size=2).map(_distinct)
_scope_metrics = _scopes.flatmap(
    lambda scopes: st.tuples(
        *[st.builds(ScopeMetrics, st.just(scope), _some_metrics, st.just("")) for scope in scopes]
    )
)
