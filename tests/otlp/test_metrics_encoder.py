"""The direct encoder of metrics against the official one, by decoding what both have written."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
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
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from breaker_exporter.otlp._encode import attributes, metrics
from breaker_exporter.otlp._encode.batch import AT_ONCE, Encoded
from breaker_exporter.otlp._encode.metrics import encode_metrics

from ..semantics._processes import run_code
from . import _metric_strategies as some
from ._collected import collected
from ._compare_metrics import (
    RESOURCE,
    SCOPE,
    assert_like_the_official,
    body_of,
    encoded,
    of,
    official,
    read,
)
from ._strategies import nested

CUMULATIVE = AggregationTemporality.CUMULATIVE
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "gauge": some.gauges,
    "sum": some.sums,
    "histogram": some.histograms,
    "exponential": some.exponentials,
}

# The same examples each time: coverage is asked to be whole, and a rare shape must not decide that.
many = settings(max_examples=75, deadline=None, derandomize=True)


def number(value: Any = 1, **fields: Any) -> NumberDataPoint:
    usual: dict[str, Any] = {"attributes": {"k": "v"}, "start_time_unix_nano": 1, "time_unix_nano": 2}
    return NumberDataPoint(value=value, **(usual | fields))


def histogram(**fields: Any) -> HistogramDataPoint:
    usual: dict[str, Any] = {
        "attributes": {"k": "v"},
        "start_time_unix_nano": 1,
        "time_unix_nano": 2,
        "count": 3,
        "sum": 4.5,
        "bucket_counts": (1, 0, 2),
        "explicit_bounds": (0.5, 5),
        "min": 0.25,
        "max": 7,
    }
    return HistogramDataPoint(**(usual | fields))


def exponential(**fields: Any) -> ExponentialHistogramDataPoint:
    usual: dict[str, Any] = {
        "attributes": {"k": "v"},
        "start_time_unix_nano": 1,
        "time_unix_nano": 2,
        "count": 3,
        "sum": 4.5,
        "scale": -3,
        "zero_count": 1,
        "positive": Buckets(-7, [1, 200, 1 << 40]),
        "negative": Buckets(1 << 20, [127]),
        "flags": 1,
        "min": -0.25,
        "max": 7,
    }
    return ExponentialHistogramDataPoint(**(usual | fields))


def exemplar(**fields: Any) -> Exemplar:
    usual: dict[str, Any] = {
        "filtered_attributes": {"user": "7"},
        "value": 0.5,
        "time_unix_nano": 3,
        "span_id": 0x1234,
        "trace_id": 0x5678,
    }
    return Exemplar(**(usual | fields))


def counter(*points: Any, name: Any = "requests") -> Metric:
    return Metric(name, "Served", "1", Sum(list(points), CUMULATIVE, True))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data())
def test_data_points_of_any_shape_are_read_as_the_official_ones(kind: str, drawn: st.DataObject) -> None:
    assert_like_the_official(of(Metric("requests", "Served", "1", drawn.draw(KINDS[kind]))))


@pytest.mark.long
@many
@given(some.metrics)
def test_a_metric_of_any_shape_is_read_as_the_official_one(drawn: Metric) -> None:
    assert_like_the_official(of(drawn))


@pytest.mark.long
@many
@given(some.batches())
def test_metrics_of_any_shape_are_read_as_the_official_ones(drawn: MetricsData) -> None:
    assert_like_the_official(drawn)


@pytest.mark.parametrize("temporality", [CUMULATIVE, AggregationTemporality.DELTA])
@pytest.mark.parametrize("is_exponential", [False, True])
def test_what_a_provider_has_collected_is_read_as_the_official_one(
    temporality: AggregationTemporality, is_exponential: bool
) -> None:
    for metrics_data in collected(temporality, is_exponential=is_exponential):
        assert_like_the_official(metrics_data)
        assert encoded(metrics_data).left_out == 0


SIZES = range(300)
BUCKETS = ([127] * 160, [128], (4095, 4096), [(1 << 64) - 1], [0])
INT32 = (1 << 31) - 1


@pytest.mark.parametrize(
    "data",
    [
        Gauge([number(value) for value in (0, -1, -(1 << 63), (1 << 63) - 1)]),
        Gauge([number(value) for value in (0.0, -0.0, math.nan, math.inf, -math.inf, 1e300)]),
        Gauge([number(start_time_unix_nano=None, time_unix_nano=None)]),
        Sum([number(start_time_unix_nano=None), number(time_unix_nano=None)], CUMULATIVE, False),
        Sum([number(exemplars=[exemplar(), exemplar(value=3, span_id=None)])], CUMULATIVE, True),
        Sum([number(exemplars=[exemplar(trace_id=None, time_unix_nano=None)])], CUMULATIVE, True),
        some.OtherSum((number(),), 7, False),  # type: ignore[arg-type]
        Sum([number()], -1, False),  # type: ignore[arg-type]
        Histogram([histogram(), histogram(exemplars=[exemplar()])], AggregationTemporality.DELTA),
        Histogram([histogram(**dict.fromkeys(("sum", "min", "max", "count")))], CUMULATIVE),
        Histogram([histogram(min=None), histogram(max=None), histogram(attributes=None)], CUMULATIVE),
        Histogram([histogram(bucket_counts=None, explicit_bounds=None)], CUMULATIVE),
        Histogram([histogram(bucket_counts=[1] * size, explicit_bounds=()) for size in SIZES], CUMULATIVE),
        ExponentialHistogram([exponential(), exponential(exemplars=[exemplar()])], CUMULATIVE),
        ExponentialHistogram([exponential(scale=None, zero_count=None, flags=None, sum=None)], CUMULATIVE),
        ExponentialHistogram([exponential(positive=Buckets(1, [])), exponential(scale=INT32)], CUMULATIVE),
        ExponentialHistogram([exponential(positive=Buckets(0, one)) for one in BUCKETS], CUMULATIVE),
        ExponentialHistogram([exponential(negative=Buckets(-INT32 - 1, one)) for one in BUCKETS], CUMULATIVE),
    ],
)
def test_data_of_every_kind_is_read_as_the_official_one(data: Any) -> None:
    assert_like_the_official(of(Metric("m", None, "", data)))
    assert encoded(of(Metric("m", None, "", data))).left_out == 0


def test_a_metric_without_data_points_travels_without_data_as_it_does_officially() -> None:
    empty = [
        Metric("a", "", "", Gauge([])),
        Metric("b", "", "", Sum([], None, None)),  # type: ignore[arg-type]
        Metric("c", "", "", Histogram([], CUMULATIVE)),
    ]

    assert_like_the_official(of(*empty, counter(number())))
    assert_like_the_official(MetricsData([]))
    assert encoded(of(*empty)) == encoded(of()) == encoded(MetricsData([])) == Encoded((), 0)


def test_data_of_an_unknown_type_is_left_out_and_counted_and_its_metric_is_empty() -> None:
    class Summary:
        data_points = (1, 2)

    unknown: Any = [Metric("a", "", "", Summary()), Metric("b", "", "", None)]  # type: ignore[arg-type]
    both = of(*unknown, counter(number()))

    assert (encoded(both).items, encoded(both).left_out) == (1, 2)
    assert read(body_of(both)) == read(official(both))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(metrics, "_said", [])
    monkeypatch.setattr(attributes, "_said", [])
    caplog.set_level(logging.DEBUG, logger="breaker_exporter")
    return caplog


@pytest.mark.parametrize(
    "odd",
    [
        Gauge([number(None)]),
        Gauge([number("1")]),
        Gauge([number(1 << 63)]),
        Gauge([number(time_unix_nano=-1)]),
        Gauge([number(exemplars=None)]),
        Gauge([number(exemplars=[exemplar(value=None)])]),
        Gauge([number(exemplars=[exemplar(span_id=1 << 64)])]),
        Gauge([None]),  # type: ignore[list-item]
        Sum([number()], None, True),  # type: ignore[arg-type]
        Sum([number()], 1 << 31, True),  # type: ignore[arg-type]
        Sum([number()], CUMULATIVE, None),  # type: ignore[arg-type]
        Histogram([histogram(bucket_counts=[-1])], CUMULATIVE),
        Histogram([histogram(explicit_bounds=["1"])], CUMULATIVE),
        Histogram([histogram(sum=10**400)], CUMULATIVE),
        Histogram([number()], CUMULATIVE),  # type: ignore[list-item]
        ExponentialHistogram([exponential(positive=Buckets(0, [-1]))], CUMULATIVE),
        ExponentialHistogram([exponential(positive=Buckets(0, [-1, 200]))], CUMULATIVE),
        ExponentialHistogram([exponential(negative=Buckets(0, [1 << 64]))], CUMULATIVE),
        ExponentialHistogram([exponential(positive=Buckets(0, [200, 1.5]))], CUMULATIVE),  # type: ignore[list-item]
        ExponentialHistogram([exponential(positive=Buckets(1 << 31, [1]))], CUMULATIVE),
        ExponentialHistogram([exponential(scale=-(1 << 31) - 1)], CUMULATIVE),
        ExponentialHistogram([exponential(flags=1 << 32)], CUMULATIVE),
    ],
)
def test_a_data_point_that_nobody_can_encode_costs_only_itself(odd: Any) -> None:
    good = [counter(number()), Metric("m", "", "", Gauge([number(2.5)]))]
    both = of(good[0], Metric("odd", "", "", odd), good[1])

    assert (encoded(both).items, encoded(both).left_out) == (2, 1)
    assert read(body_of(both)) == read(official(of(*good)))
    assert_like_the_official(both)


@pytest.mark.parametrize("name", ["\ud800", 7])
def test_so_does_a_metric(name: Any) -> None:
    both = of(counter(number()), counter(number(), number(), name=name))

    assert (encoded(both).items, encoded(both).left_out) == (1, 2)
    assert read(body_of(both)) == read(official(of(counter(number()))))


@pytest.mark.parametrize(
    "fields",
    [{"resource": Resource({}, "\ud800")}, {"scope": InstrumentationScope("\ud800")}, {"resource": None}],
)
def test_so_do_all_of_a_resource_or_a_scope(fields: dict[str, Any], said: pytest.LogCaptureFixture) -> None:
    odd = of(counter(number(), number()), Metric("m", "", "", None), **fields)  # type: ignore[arg-type]
    good = of(counter(number()))

    found = encoded(MetricsData([*odd.resource_metrics, *good.resource_metrics]))

    assert (found.items, found.left_out) == (1, 2)
    assert read(found.requests[0].body) == read(official(good))
    assert encoded(odd) == Encoded((), 2)


def test_what_is_left_out_is_said_once_and_nothing_of_it_quoted(said: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        encoded(of(counter(number("secret"), number("secret"), name="secret")))

    (record,) = [record for record in said.records if record.name == "breaker_exporter"]
    assert record.levelno == logging.WARNING
    assert "a metric or a data point cannot be encoded (error)" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info is None


def test_an_attribute_that_nobody_can_encode_costs_only_itself(said: pytest.LogCaptureFixture) -> None:
    """O3."""
    for odd in (object(), "\ud800", nested(60)):
        pairs: Any = {"before": 1, "odd": odd, "after": "x"}
        good = {"before": 1, "after": "x"}
        points = [
            [number(attributes=one, exemplars=[exemplar(filtered_attributes=one)])] for one in (pairs, good)
        ]

        assert read(body_of(of(counter(*points[0])))) == read(official(of(counter(*points[1]))))
        assert encoded(of(counter(*points[0]))).left_out == 0


@pytest.mark.parametrize("levels", [38, 39, 40, 44, 49])
def test_what_is_nested_too_deep_costs_the_attribute_where_officially_it_costs_all(
    levels: int,
) -> None:
    deep = {"a": 1, "deep": nested(levels), "b": 2}
    for data in (
        Gauge([number(attributes=deep, exemplars=[exemplar(filtered_attributes=deep)])]),
        Histogram([histogram(attributes=deep)], CUMULATIVE),
        ExponentialHistogram([exponential(attributes=deep)], CUMULATIVE),
    ):
        found = encoded(of(Metric("m", "", "", data)))

        assert (found.items, found.left_out) == (1, 0)
        read(found.requests[0].body)


def test_a_truth_is_a_number() -> None:
    """A gauge may be set to one; some versions of protobuf refuse it, and so all metrics beside it."""
    points = [number(True), number(False, exemplars=[exemplar(value=True)])]
    plain = [number(1), number(0, exemplars=[exemplar(value=1)])]

    assert body_of(of(counter(*points))) == body_of(of(counter(*plain)))


def test_resources_and_scopes_that_come_twice_or_are_none_lose_nothing() -> None:
    """The official encoder takes the last of equals, without a word, and raises where there is no scope."""
    scopes: list[Any] = [SCOPE, InstrumentationScope("other"), SCOPE, None]
    metrics_data = MetricsData(
        [
            ResourceMetrics(
                Resource({"n": 1}),
                [ScopeMetrics(scope, [counter(number(value))], "") for value, scope in enumerate(scopes, 1)],
                "",
            )
            for _ in range(2)
        ]
    )

    found = encoded(metrics_data)

    (resource,) = ExportMetricsServiceRequest.FromString(found.requests[0].body).resource_metrics
    values = [
        (
            scoped.scope.name,
            [point.as_int for metric in scoped.metrics for point in metric.sum.data_points],
        )
        for scoped in resource.scope_metrics
    ]
    assert values == [("tests", [1, 3, 1, 3]), ("other", [2, 2]), ("", [4, 4])]
    assert (found.items, found.left_out) == (8, 0)


@pytest.mark.parametrize(
    "metrics_data",
    [
        of(counter(*[number(value) for value in range(200)])),
        of(*[counter(number(value)) for value in range(50)]),
        of(*[Metric("odd", "", "", Gauge([number(None) for _ in range(200)]))]),
    ],
)
def test_others_are_let_run_between_any_few_data_points(metrics_data: MetricsData) -> None:
    """L4."""
    rests: list[None] = []

    paused = encode_metrics(metrics_data, 0, lambda: rests.append(None))

    assert paused == encoded(metrics_data)
    assert len(rests) >= 50


def test_and_while_they_are_joined() -> None:
    """L4: the bytes of thousands of histograms are copied for milliseconds."""
    points = [number(value) for value in range(1000)]
    rests: list[None] = []

    encode_metrics(of(counter(*points)), 0, lambda: rests.append(None))

    while_encoded = 1 + len(points) // AT_ONCE + 1
    assert len(rests) - while_encoded > 5


def test_and_while_they_are_cut_into_requests() -> None:
    """L4."""
    metrics_data = of(counter(*[number(value) for value in range(200)]))
    rests: list[list[None]] = [[], []]

    for limit, seen in zip((0, 1000), rests, strict=True):
        encode_metrics(metrics_data, limit, lambda seen=seen: seen.append(None))  # type: ignore[misc]

    assert len(rests[1]) - len(rests[0]) > 20


def test_what_is_thrown_into_a_pause_is_no_error_of_a_metric() -> None:
    def interrupted() -> None:
        raise TimeoutError("not now")

    with pytest.raises(TimeoutError):
        encode_metrics(of(counter(number())), 0, interrupted)


def _new_to_everyone(start: int, count: int) -> Iterator[MetricsData]:
    for many in range(start, start + count):
        text = f"{many:090}"
        pairs: dict[str, Any] = {text: "x", "k": text, f"i{many}": many % 9999, f"t{many}": True}
        exemplars = [exemplar(filtered_attributes=pairs)]
        yield of(
            Metric(
                text,
                text,
                text,
                Histogram(
                    [histogram(attributes=pairs, bucket_counts=[1] * many, exemplars=exemplars)], CUMULATIVE
                ),
            ),
            counter(number(attributes=pairs, exemplars=exemplars)),
            Metric("e", "", "", ExponentialHistogram([exponential(attributes=pairs)], CUMULATIVE)),
            resource=RESOURCE if many % 50 else Resource({"n": text}),
            scope=SCOPE if many % 50 else InstrumentationScope(text),
        )


@pytest.mark.long
def test_memory_does_not_grow_with_ever_new_names_keys_values_and_sizes() -> None:
    """Peaks of the traced memory, the second of twice as much input."""
    run_code(
        "import tracemalloc\n"
        "from tests.otlp.test_metrics_encoder import _new_to_everyone, encode_metrics\n"
        "def peak(start, count):\n"
        "    for one in _new_to_everyone(start, count):\n"
        "        assert encode_metrics(one, 0, lambda: None).items == 3\n"
        "    return tracemalloc.get_traced_memory()[1]\n"
        "tracemalloc.start()\n"
        "first = peak(0, 600)\n"
        "second = peak(600, 1200)\n"
        "assert second - first < 450_000, (first, second)\n"
        "assert first < 20_000_000, first\n",
        patience=100,
    )


def test_a_lone_thread_and_many_make_the_same_bodies() -> None:
    batches = list(_new_to_everyone(0, 300))
    alone = [body_of(batch) for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(body_of, batches * 2))

    assert together == alone * 2


def test_neither_protobuf_nor_the_official_encoder_is_loaded() -> None:
    """O4: the official encoder is optional."""
    run_code(
        "import sys\n"
        "sys.modules['opentelemetry.exporter.otlp.proto'] = sys.modules['google.protobuf'] = None\n"
        "from opentelemetry.sdk.metrics.export import AggregationTemporality\n"
        "from breaker_exporter.otlp._encode.metrics import encode_metrics\n"
        "from tests.otlp._collected import collected\n"
        "for metrics_data in collected(AggregationTemporality.DELTA, is_exponential=True):\n"
        "    batch = encode_metrics(metrics_data, 0, lambda: None)\n"
        "    assert batch.items and not batch.left_out\n"
        "    assert b'shop' in batch.requests[0].body\n"
    )
