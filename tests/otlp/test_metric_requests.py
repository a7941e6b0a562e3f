"""Requests of metrics: cut, counted, joined and stored by their data points (L1, O1, O3, K7)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
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

from breaker_exporter.otlp import _stored
from breaker_exporter.otlp._encode.request import BY_METRIC, BY_SCOPE, Request, count_items
from breaker_exporter.otlp._encode.wire import sized, varint
from breaker_exporter.otlp._joining import joined
from breaker_exporter.otlp._payload import EncodedPayload, unpacked
from breaker_exporter.otlp._stored import dumped, loaded

from ._compare_metrics import encoded, of, official, points_of
from .test_request import RESOURCES, SCOPES

Placed = tuple[str, str, str, str]

examples = settings(max_examples=40, deadline=None, derandomize=True)


def no_rest() -> None:
    pass


def placed(body: bytes) -> list[Placed]:
    """Each data point, with all that is said of its metric, its scope and its resource."""
    found: list[Placed] = []
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scoped in resource.scope_metrics:
            for metric in scoped.metrics:
                data = getattr(metric, metric.WhichOneof("data") or "", None)
                points = [] if data is None else list(data.data_points)
                if data is not None:
                    del data.data_points[:]
                beside = f"{scoped.scope}{scoped.schema_url}", f"{resource.resource}{resource.schema_url}"
                found += [(str(point), str(metric), *beside) for point in points]
    return found


def _number(attributes: Any) -> NumberDataPoint:
    return NumberDataPoint(attributes, 1, 2, 3)


def _histogram(attributes: Any) -> HistogramDataPoint:
    return HistogramDataPoint(attributes, 1, 2, 3, 4.5, [1, 2], [0.5], 0.25, 7)


def _exponential(attributes: Any) -> ExponentialHistogramDataPoint:
    return ExponentialHistogramDataPoint(
        attributes, 1, 2, 3, 4.5, 2, 1, Buckets(1, [1]), Buckets(0, []), 0, 0.25, 7
    )


_attributes: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("abc"), st.text("xyz", max_size=9)
) | st.just({"long": "x" * 1000})
_temporalities = st.sampled_from([AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE])


def _points(make: Any) -> st.SearchStrategy[Any]:
    return st.lists(_attributes.map(make), max_size=5)


_data: st.SearchStrategy[Any] = st.one_of(
    st.builds(Gauge, _points(_number)),
    st.builds(Sum, _points(_number), _temporalities, st.booleans()),
    st.builds(Histogram, _points(_histogram), _temporalities),
    st.builds(ExponentialHistogram, _points(_exponential), _temporalities),
)
_metrics = st.builds(
    Metric, st.text("abc", max_size=5), st.sampled_from(["", "What it is"]), st.just("s"), _data
)


@st.composite
def some_metrics(draw: st.DrawFn) -> MetricsData:
    """Draw metrics that have data points."""
    metrics_data = MetricsData(
        [
            ResourceMetrics(
                resource,
                [
                    ScopeMetrics(scope, draw(st.lists(_metrics, max_size=3)), "")
                    for scope in draw(st.lists(st.sampled_from(SCOPES), unique=True, max_size=2))
                ],
                "",
            )
            for resource in draw(st.lists(st.sampled_from(RESOURCES), unique=True, min_size=1, max_size=2))
        ]
    )
    assume(encoded(metrics_data).items)
    return metrics_data


bodies = some_metrics().flatmap(
    lambda metrics_data: st.sampled_from([encoded(metrics_data).requests[0].body, official(metrics_data)])
)
"""As our encoder has written them, or the official one."""


def request_of(body: bytes) -> Request:
    return Request(body, len(placed(body)), BY_METRIC)


@examples
@given(bodies, st.integers(1, 3000))
def test_parts_hold_the_same_data_points_with_all_that_is_beside_them_and_keep_the_limit(
    body: bytes, limit: int
) -> None:
    parts = request_of(body).split(limit)

    assert [one for part in parts for one in placed(part.body)] == placed(body)
    assert [part.items for part in parts] == [len(placed(part.body)) for part in parts]
    assert all(len(part.body) <= limit or part.items == 1 for part in parts)
    again = [smaller for part in parts for smaller in part.split(1)]
    assert [one for part in again for one in placed(part.body)] == placed(body)


@examples
@given(some_metrics(), st.integers(1, 3000))
def test_the_encoder_cuts_what_it_encodes(metrics_data: MetricsData, limit: int) -> None:
    """O3."""
    (whole,) = encoded(metrics_data).requests

    assert encoded(metrics_data, limit).requests == whole.split(limit)
    assert whole.levels == BY_METRIC
    assert whole.items == sum(
        points_of(scoped.metrics) for one in metrics_data.resource_metrics for scoped in one.scope_metrics
    )


@examples
@given(bodies)
def test_halves_hold_the_same_data_points_in_the_same_order(body: bytes) -> None:
    assume(len(placed(body)) > 1)

    first, second = request_of(body).halved()

    assert placed(first.body) + placed(second.body) == placed(body)
    assert (first.items, second.items) == (len(placed(first.body)), len(placed(second.body)))
    assert min(first.items, second.items) > 0


@examples
@given(bodies, st.booleans(), st.sampled_from([0, 1, 500, 5000]))
def test_what_was_written_is_read_and_split_for_a_peer_that_takes_less(
    body: bytes, pack: bool, limit: int
) -> None:
    """K7."""
    payload = EncodedPayload((request_of(body),))

    read = loaded(dumped(payload.packed(no_rest) if pack else payload), limit, no_rest)

    requests = [unpacked(request, no_rest) for request in read.requests]
    assert [one for request in requests for one in placed(request.body)] == placed(body)
    assert (read.items, read.is_in_flight) == (payload.items, False)
    assert all(request.items == 1 or len(request.body) <= (limit or 1 << 30) for request in requests)


@examples
@given(st.lists(bodies, min_size=1, max_size=4), st.sampled_from([0, 1000, 5000]))
def test_joined_requests_hold_all_data_points_and_can_be_cut(some: list[bytes], limit: int) -> None:
    """K7."""
    payloads = [EncodedPayload((request_of(body),)) for body in some]

    whole = joined(payloads, limit, no_rest)

    requests = [unpacked(request, no_rest) for request in whole.requests]
    all_of_them = [one for body in some for one in placed(body)]
    assert [one for request in requests for one in placed(request.body)] == all_of_them
    assert [request.items for request in requests] == [len(placed(request.body)) for request in requests]
    parts = [part for request in requests for part in request.split(200)]
    assert [one for part in parts for one in placed(part.body)] == all_of_them


def test_spans_and_metrics_stay_apart() -> None:
    spans, metrics = Request(b"\x0a\x00", 1, BY_SCOPE), Request(b"\x0a\x00", 1, BY_METRIC)

    whole = joined([EncodedPayload((spans, metrics)), EncodedPayload((metrics,))], 0, no_rest)

    assert whole.requests == (spans, Request(b"\x0a\x00" * 2, 2, BY_METRIC))


BODY = encoded(of(Metric("requests", "Served", "1", Gauge([_number({"a": "b"})] * 3)))).requests[0].body


def file_of(body: bytes = BODY, *, items: int = 3, form: int = 0, levels: int = 2) -> bytes:
    """Return a file as others may write it."""
    return bytes((1, form, levels)) + varint(items) + sized(body)


def test_a_file_says_by_a_two_that_its_items_are_data_points() -> None:
    """Never another number: files outlive versions."""
    assert dumped(EncodedPayload((Request(BODY, 3, BY_METRIC),))) == file_of()
    assert loaded(file_of(), 0, no_rest).requests == (Request(BODY, 3, BY_METRIC),)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (file_of(items=2), "another number"),
        (file_of(levels=1), "another number"),
        (file_of(BODY[:-1]), "cut off"),
        (file_of(BODY + b"\x0b"), "wire type"),
        (file_of(b"\x0a\x02\x12\x00", items=1), "another number"),
        (file_of(zlib.compress(bytes(_stored._MOST_BYTES + 1), 1), form=1), "more than 67108864 bytes"),
    ],
)
def test_a_hostile_file_is_refused(file: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loaded(file, 0, no_rest)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(bodies, st.data())
def test_a_changed_file_is_a_payload_or_a_value_error(body: bytes, data: st.DataObject) -> None:
    """One that is read has as many items as it says, whatever was changed; so have its parts."""
    file = dumped(EncodedPayload((request_of(body),)))
    begin = data.draw(st.integers(0, len(file)))
    end = data.draw(st.integers(begin, min(begin + 8, len(file))))
    changed = file[:begin] + data.draw(st.binary(max_size=8)) + file[end:]

    try:
        read = loaded(changed, 100, no_rest)
    except ValueError:
        return
    for kept in read.requests:
        request = unpacked(kept, no_rest)
        assert count_items(request.body, request.levels, no_rest) == request.items


def test_the_most_fields_are_enough_for_data_points_that_share_nothing() -> None:
    one = Metric("requests", "Served", "1", Sum([_number({})], AggregationTemporality.DELTA, True))
    (alone,) = encoded(of(one)).requests
    fields: list[None] = []

    count_items(alone.body, BY_METRIC, lambda: fields.append(None))

    assert len(fields) * _stored._MOST_ITEMS <= _stored._MOST_FIELDS
