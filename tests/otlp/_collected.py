"""Metrics that a real provider has collected: all instruments, views, exemplars; made without protobuf."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

_INSTRUMENTS: tuple[type, ...] = (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)


def _observed(_: CallbackOptions) -> Iterator[Observation]:
    yield Observation(7, {"core": 0})
    yield Observation(0.5, {"core": 1, "is_idle": True})


def collected(temporality: AggregationTemporality, *, is_exponential: bool) -> Iterator[MetricsData]:
    """Collect three times: with exemplars in and out of a span, with more values, and with none.

    Args:
        temporality: The reader's, for all instruments.
        is_exponential: Histograms have exponential buckets instead of fixed bounds.
    """
    reader = InMemoryMetricReader(preferred_temporality=dict.fromkeys(_INSTRUMENTS, temporality))
    views = [View(instrument_name="requests", attribute_keys={"method"}, description="by a view")]
    if is_exponential:
        views.append(View(instrument_name="duration", aggregation=ExponentialBucketHistogramAggregation()))
    provider = MeterProvider(
        [reader],
        resource=Resource({"service.name": "shop"}, "https://schema/resource"),
        views=views,
        exemplar_filter=AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
    )
    web = provider.get_meter("web", "1.0", "https://schema/scope", {"k": True})
    requests, size = web.create_counter("requests", "1"), web.create_up_down_counter("size", "By", "é")
    duration = web.create_histogram("duration", "s", "How long it took")
    system = provider.get_meter("system")
    system.create_observable_counter("cpu", [_observed])
    system.create_observable_gauge("load", [_observed])
    system.create_observable_up_down_counter("queue", [_observed])
    temperature = system.create_gauge("temperature")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("web")
    for values in ([0, 0.001, 3, 1e9, 2.5], range(500)):
        with tracer.start_as_current_span("GET /"):
            for value in values:
                duration.record(value, {"route": "/", "status": 200})
            requests.add(1, {"method": "GET", "user": "7"})
        requests.add(2.5, {"method": "PUT", "ids": ["a", "b"]})
        size.add(-3)
        temperature.set(-1.5, {"n": 1})
        yield _data(reader)
    yield _data(reader)


def _data(reader: InMemoryMetricReader) -> MetricsData:
    found = reader.get_metrics_data()
    assert found is not None
    return found
