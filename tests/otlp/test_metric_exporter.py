"""What exporters of metrics alone have: preferences, a reader's time, requests of so many data points."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import DropAggregation, ExponentialBucketHistogramAggregation

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._base.environment import TelemetryError
from breaker_exporter.otlp import CooperativeOTLPMetricExporter, OTLPGrpcMetricExporter
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from ..testing._items import metrics_data

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
HISTOGRAM = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
DELTA = AggregationTemporality.DELTA
ENDPOINT = "http://127.0.0.1:9"
DELIVERED = ExportReport(Verdict.DELIVERED)

Exporter = CooperativeOTLPMetricExporter | OTLPGrpcMetricExporter
Make = Callable[..., Exporter]


@pytest.fixture(params=[CooperativeOTLPMetricExporter, OTLPGrpcMetricExporter])
def make(collector: FaultyCollector, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes exporters to the collector that are shut down at the end."""
    made: list[Exporter] = []
    is_http = request.param is CooperativeOTLPMetricExporter
    endpoint = collector.http_endpoint_of(Signal.METRICS) if is_http else collector.grpc_endpoint

    def make(**settings: Any) -> Exporter:
        made.append(request.param(endpoint, **settings))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown(timeout=-1)  # as readers have called it


def official(make: Make) -> Any:
    """An exporter of OpenTelemetry's by the same protocol, made by the same variables."""
    protocol = "grpc" if isinstance(make(), OTLPGrpcMetricExporter) else "http"
    module = import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.metric_exporter")
    return module.OTLPMetricExporter(ENDPOINT)


@pytest.mark.parametrize("preference", ["", "cumulative", "Delta", "LOWMEMORY"])
@pytest.mark.parametrize("histogram", ["", "explicit_bucket_histogram", "base2_exponential_bucket_histogram"])
def test_it_prefers_what_the_official_exporter_prefers(
    make: Make, monkeypatch: pytest.MonkeyPatch, preference: str, histogram: str
) -> None:
    """O4, but that an empty variable is unset without a warning."""
    for name, value in ((TEMPORALITY, preference), (HISTOGRAM, histogram)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    ours, theirs = make(), official(make)

    assert ours._preferred_temporality == theirs._preferred_temporality
    kinds = {kind: type(value) for kind, value in theirs._preferred_aggregation.items()}
    assert {kind: type(value) for kind, value in (ours._preferred_aggregation or {}).items()} == kinds
    theirs.shutdown()


def test_what_is_given_in_code_goes_over_the_variables(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEMPORALITY, "delta")
    dropping = DropAggregation()
    exporter = make(
        preferred_temporality={Histogram: AggregationTemporality.CUMULATIVE},
        preferred_aggregation={Counter: dropping},
    )

    assert exporter._preferred_temporality is not None
    assert exporter._preferred_temporality[Histogram] is AggregationTemporality.CUMULATIVE
    assert exporter._preferred_temporality[ObservableCounter] is DELTA
    assert exporter._preferred_aggregation is not None
    assert exporter._preferred_aggregation[Counter] is dropping
    assert Histogram in exporter._preferred_aggregation


@pytest.mark.parametrize(("name", "default"), [(TEMPORALITY, "cumulative"), (HISTOGRAM, "explicit_bucket")])
def test_a_bad_preference_is_one_warning_and_the_default_or_fatal_where_strict(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, default: str
) -> None:
    good = make()
    monkeypatch.setenv(name, "sometimes")
    exporter = make()

    assert exporter._preferred_temporality == good._preferred_temporality
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"{name} must be one of ")
    assert f"default: {default}" in line
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match=name):
        make()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"preferred_temporality": {Counter: "delta"}}, TypeError),
        ({"preferred_temporality": "delta"}, TypeError),
        ({"preferred_aggregation": {"Counter": DropAggregation()}}, TypeError),
        ({"max_export_batch_size": 0}, ValueError),
        ({"max_export_batch_size": "7"}, TypeError),
    ],
)
def test_a_bad_argument_is_an_error_that_names_it(
    make: Make, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        make(**arguments)


def test_a_reader_exports_by_it_what_it_prefers(collector: FaultyCollector, make: Make) -> None:
    exporter = make(
        preferred_temporality={Counter: DELTA},
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("shop")
    sold, price = meter.create_counter("sold"), meter.create_histogram("price")
    for amount in (3, 4):
        sold.add(amount)
        price.record(amount)
        provider.force_flush()
    provider.shutdown()

    points = collector.latest_data_points
    assert [point.value for point in points if point.metric == "sold"] == [3, 4]
    assert {point.kind for point in points if point.metric == "price"} == {"exponential_histogram"}


def test_a_request_has_so_many_data_points_also_where_it_was_kept(
    collector: FaultyCollector, make: Make
) -> None:
    exporter = make(max_export_batch_size=3)

    assert exporter.export(metrics_data(7)) is MetricExportResult.SUCCESS
    assert (collector.counts().requests, collector.counts().data_points) == (3, 7)
    assert [point.attributes["number"] for point in collector.latest_data_points] == list(range(7))

    collector.clear()
    joined = exporter.join_payloads([exporter.encode_batch(metrics_data(2)) for _ in range(2)], lambda: None)
    assert exporter.send_payload(joined).report == DELIVERED
    assert (collector.counts().requests, collector.counts().data_points) == (2, 4)


def test_it_counts_itself_by_a_provider_that_is_made_after_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    make().set_meter_provider(provider)
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    exporter = make(meter_provider=NoOpMeterProvider())

    exporter.set_meter_provider(provider)
    exporter.export(metrics_data(3))

    data: Any = reader.get_metrics_data()
    provider.shutdown()
    (scope,) = data.resource_metrics[0].scope_metrics
    counted = {metric.name: metric.data.data_points[0] for metric in scope.metrics}
    assert counted["otel.sdk.exporter.metric_data_point.exported"].value == 3


@pytest.mark.parametrize(
    ("own", "of_the_reader", "shorter"), [(30, 200, "0.2 s"), (0.2, 30_000, "0.2 s"), (0.2, None, "0.2 s")]
)
def test_the_shorter_time_holds(
    collector: FaultyCollector, make: Make, own: float, of_the_reader: float | None, shorter: str
) -> None:
    """L2."""
    collector.fault = Fault.BLACKHOLE

    report = make(timeout=own).export_and_report(metrics_data(1), of_the_reader)

    assert report.verdict is Verdict.FAILED
    assert shorter in report.reason


def test_a_time_that_is_over_is_a_failure(collector: FaultyCollector, make: Make) -> None:
    assert make().export(metrics_data(1), timeout_millis=-5.0, more="is taken") is MetricExportResult.FAILURE
