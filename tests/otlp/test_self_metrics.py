"""The exporter counts itself by the same names as OpenTelemetry's own exporter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from breaker_exporter import Verdict
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._spans import spans
from .test_kept_batches import Between

ENABLED = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
Counts = dict[str, list[tuple[dict[str, Any], Any]]]


def counts(reader: InMemoryMetricReader) -> Counts:
    """The attributes and value of each point, by metric."""
    data = reader.get_metrics_data()
    found: Counts = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = getattr(point, "value", None)
                    found.setdefault(metric.name, []).append((dict(point.attributes or {}), value))
    return found


def exported_by(kind: Any, endpoint: str, **more: Any) -> Counts:
    reader = InMemoryMetricReader()
    exporter = kind(endpoint, meter_provider=MeterProvider([reader], shutdown_on_exit=False), **more)
    exporter.export(spans(3))
    exporter.shutdown()
    return counts(reader)


def test_it_counts_what_the_official_exporter_counts(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporters = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    monkeypatch.setenv(ENABLED, "true")
    endpoint = f"{collector.http_base}/v1/traces"
    ours = exported_by(CooperativeOTLPSpanExporter, endpoint)

    assert {name: [value for _, value in points] for name, points in ours.items()} == {
        "otel.sdk.exporter.span.inflight": [0],
        "otel.sdk.exporter.span.exported": [3],
        "otel.sdk.exporter.operation.duration": [None],
    }
    try:
        official = exported_by(exporters.OTLPSpanExporter, endpoint)
    except TypeError:  # before 1.40 or so it counts nothing
        return
    assert official.keys() == ours.keys()
    for name, points in official.items():
        (theirs, value), (attributes, own) = points[0], ours[name][0]
        assert value == own
        assert theirs.keys() == attributes.keys()
        assert theirs["server.port"] == attributes["server.port"]


@pytest.mark.parametrize("endpoint", ["{}", "http://{}"])
def test_by_grpc_it_counts_the_same(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    exporters = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    monkeypatch.setenv(ENABLED, "true")
    url = endpoint.format(collector.grpc_endpoint.removeprefix("http://"))
    ours = exported_by(OTLPGrpcSpanExporter, url, insecure=True)

    ((attributes, value),) = ours["otel.sdk.exporter.span.exported"]
    assert (attributes["otel.component.type"], value) == ("otlp_grpc_span_exporter", 3)
    try:
        official = exported_by(exporters.OTLPSpanExporter, url, insecure=True)
    except TypeError:  # before 1.40 or so it counts nothing
        return
    assert official.keys() == ours.keys()
    theirs, _ = official["otel.sdk.exporter.span.exported"][0]
    assert theirs.keys() == attributes.keys()
    assert [theirs[f"server.{part}"] for part in ("address", "port")] == [
        attributes[f"server.{part}"] for part in ("address", "port")
    ]


@pytest.mark.parametrize(
    ("endpoint", "port"), [("http://collector", 443), ("collector:otlp", 443), ("unix:/run/otlp", 443)]
)
def test_a_target_without_a_port_of_its_own_has_that_of_grpc(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, port: int
) -> None:
    """As OpenTelemetry's gRPC exporter has it."""
    monkeypatch.setenv(ENABLED, "true")
    found = exported_by(OTLPGrpcSpanExporter, endpoint, insecure=True, timeout=0.1)
    ((attributes, _),) = found["otel.sdk.exporter.span.exported"]
    assert attributes["server.port"] == port


def test_a_failure_has_its_kind(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENABLED, "true")
    collector.fault = Fault.UNAVAILABLE

    found = exported_by(CooperativeOTLPSpanExporter, f"{collector.http_base}/v1/traces")

    ((attributes, value),) = found["otel.sdk.exporter.span.exported"]
    assert (attributes["error.type"], value) == ("failed", 3)
    assert found["otel.sdk.exporter.span.inflight"][0][1] == 0


def test_rejected_spans_count_as_failed_beside_those_that_were_taken(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENABLED, "true")
    collector.fault = Fault.PARTIAL_SUCCESS

    found = exported_by(CooperativeOTLPSpanExporter, f"{collector.http_base}/v1/traces")

    by_error = {
        attributes.get("error.type"): value for attributes, value in found["otel.sdk.exporter.span.exported"]
    }
    assert by_error == {None: 2, "rejected": 1}


@pytest.mark.parametrize("value", ["", "false"])
def test_it_counts_nothing_unless_it_is_asked_to(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(ENABLED, value)

    assert exported_by(CooperativeOTLPSpanExporter, f"{collector.http_base}/v1/traces") == {}


def test_instruments_that_raise_hurt_no_export(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Raising(NoOpMeterProvider):
        def get_meter(self, *args: Any, **kwargs: Any) -> Any:
            return self

        def create_counter(self, *args: Any) -> Any:
            return self

        create_histogram = create_up_down_counter = create_counter

        def add(self, *args: Any) -> None:
            raise RuntimeError

        record = add

    monkeypatch.setenv(ENABLED, "true")
    exporter = CooperativeOTLPSpanExporter(f"{collector.http_base}/v1/traces", meter_provider=Raising())
    exporter.export(spans(2))
    exporter.shutdown()

    assert len(collector.span_ids) == 2


@pytest.mark.parametrize("items", [5, None])
def test_what_cannot_be_counted_fails_and_is_not_raised(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, items: Any
) -> None:
    monkeypatch.setenv(ENABLED, "true")
    exporter = CooperativeOTLPSpanExporter(f"{collector.http_base}/v1/traces")

    report = exporter.export_and_report(items)
    exporter.shutdown()

    assert report.verdict is Verdict.FAILED
    assert "TypeError" in report.reason


class Kept:
    """Exporters whose batches are kept, and what they count."""

    def __init__(self, endpoint: str) -> None:
        self._reader = InMemoryMetricReader()
        provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.exporter = CooperativeOTLPSpanExporter(endpoint, meter_provider=provider, max_request_size=1000)

    def counted(self) -> tuple[int, dict[str | None, int]]:
        """Spans in flight, and those that were exported by the kind of error."""
        found = counts(self._reader)
        exported = found.get("otel.sdk.exporter.span.exported", [])
        by_error = {attributes.get("error.type"): value for attributes, value in exported}
        return found["otel.sdk.exporter.span.inflight"][0][1], by_error


@pytest.fixture
def kept(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setenv(ENABLED, "true")
    made = Kept(f"{collector.http_base}/v1/traces")
    yield made
    made.exporter.shutdown()


def test_a_span_that_is_kept_is_in_flight_through_all_attempts_and_counted_once(
    collector: FaultyCollector, kept: Kept
) -> None:
    payload = kept.exporter.encode_batch(spans(3))
    assert kept.counted() == (3, {})
    collector.fault = Fault.UNAVAILABLE
    for _ in range(3):
        kept.exporter.send_payload(payload)
    assert kept.counted() == (3, {})

    collector.fault = Fault.NONE
    kept.exporter.send_payload(payload)

    assert kept.counted() == (0, {None: 3})


def test_of_a_partial_answer_only_what_has_one_is_counted(collector: FaultyCollector, kept: Kept) -> None:
    payload = kept.exporter.encode_batch(spans(30))
    first = payload.requests[0].items
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)
    Between(kept.exporter, partial(collector.set_fault, Fault.UNAVAILABLE))

    left = kept.exporter.send_payload(payload).left

    assert kept.counted() == (30 - first, {None: first - 2, "rejected": 2})
    collector.fault = Fault.NONE
    assert isinstance(left, EncodedPayload)
    assert kept.exporter.send_payload(left).left is None
    assert kept.counted() == (0, {None: 28, "rejected": 2})


@pytest.mark.parametrize(
    ("fault", "settings", "counted"),
    [
        (Fault.STATUS, {"status": 400}, {"rejected": 3}),
        (Fault.PARTIAL_SUCCESS, {"rejected": 1}, {None: 2, "rejected": 1}),
    ],
)
def test_what_is_rejected_for_good_has_failed(
    collector: FaultyCollector, kept: Kept, fault: Fault, settings: Any, counted: dict[str | None, int]
) -> None:
    collector.set_fault(fault, **settings)
    kept.exporter.send_payload(kept.exporter.encode_batch(spans(3)))
    assert kept.counted() == (0, counted)


def test_what_cannot_be_encoded_or_is_given_up_has_failed(kept: Kept) -> None:
    some: Any = (*spans(2), object())
    payload = kept.exporter.encode_batch(some)
    assert kept.counted() == (2, {"unsent": 1})

    kept.exporter.drop_payload(payload)

    assert kept.counted() == (0, {"unsent": 1, "dropped": 2})


def test_what_goes_to_a_disk_is_not_in_flight_and_has_not_failed(kept: Kept) -> None:
    payloads = [kept.exporter.encode_batch(spans(count)) for count in (2, 3)]

    kept.exporter.release_payload(kept.exporter.join_payloads(payloads, lambda: None))

    assert kept.counted() == (0, {})


def test_what_comes_from_a_disk_is_counted_when_it_is_settled_and_never_in_flight(
    collector: FaultyCollector, kept: Kept
) -> None:
    batch = kept.exporter.encode_batch(spans(30))
    first = batch.requests[0].items
    payload = kept.exporter.load_payload(kept.exporter.dump_payload(batch), lambda: None)
    kept.exporter.release_payload(batch)
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)
    Between(kept.exporter, partial(collector.set_fault, Fault.UNAVAILABLE))

    left = kept.exporter.send_payload(payload).left

    assert isinstance(left, EncodedPayload)
    counted = {None: first - 2, "rejected": 2}
    assert kept.counted() == (0, counted)
    kept.exporter.send_payload(left)
    kept.exporter.release_payload(left)
    assert kept.counted() == (0, counted)
    kept.exporter.drop_payload(left.packed(lambda: None))
    assert kept.counted() == (0, {**counted, "dropped": 30 - first})


def test_each_attempt_has_its_duration(collector: FaultyCollector, kept: Kept) -> None:
    payload = kept.exporter.encode_batch(spans(3))
    collector.fault = Fault.UNAVAILABLE
    for _ in range(2):
        kept.exporter.send_payload(payload)
    collector.fault = Fault.NONE
    kept.exporter.send_payload(payload)

    data = kept._reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    points: Any = metrics["otel.sdk.exporter.operation.duration"].data.data_points
    assert {point.attributes.get("error.type"): point.count for point in points} == {"failed": 2, None: 1}


def test_nothing_is_counted_where_nobody_asked(collector: FaultyCollector) -> None:
    exporter = CooperativeOTLPSpanExporter(f"{collector.http_base}/v1/traces")
    payload = exporter.encode_batch(spans(3))
    exporter.drop_payload(payload)
    assert exporter.send_payload(payload).left is None
    exporter.shutdown()
