"""All three signals: real exporters of both protocols, one collector, faults of all and of one alone."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GRPCLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GRPCMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HTTPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HTTPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from breaker_exporter.testing import Connections, Fault, FaultyCollector, Signal

from ._items import log_records, metrics_data
from .conftest import MakeSpans

EXPORTERS: dict[tuple[str, Signal], Any] = {
    ("http", Signal.TRACES): HTTPSpanExporter,
    ("http", Signal.LOGS): HTTPLogExporter,
    ("http", Signal.METRICS): HTTPMetricExporter,
    ("grpc", Signal.TRACES): GRPCSpanExporter,
    ("grpc", Signal.LOGS): GRPCLogExporter,
    ("grpc", Signal.METRICS): GRPCMetricExporter,
}
TRACES, LOGS, METRICS = Signal
ALL = 3
ONE_ATTEMPT = 0.7
"""Seconds; below the first backoff of a retry, which is 0.8 s."""

SendSignal = Callable[..., bool]


@pytest.fixture
def send(collector: FaultyCollector, protocol: str, make_spans: MakeSpans) -> Iterator[SendSignal]:
    """Exports three items of a signal through its official exporter; returns whether that succeeded."""
    batches: dict[Signal, Callable[[int], Any]] = {
        TRACES: make_spans,
        LOGS: log_records,
        METRICS: metrics_data,
    }
    made: list[Any] = []

    def export(signal: Signal, timeout: float = 5.0) -> bool:
        endpoint = collector.http_endpoint_of(signal) if protocol == "http" else collector.grpc_endpoint
        exporter = EXPORTERS[protocol, signal](endpoint=endpoint, timeout=timeout)
        made.append(exporter)
        try:
            return bool(exporter.export(batches[signal](ALL)).name == "SUCCESS")
        except Exception:  # older HTTP exporters let some of what requests raises pass
            return False

    yield export
    for exporter in made:
        exporter.shutdown()


@contextlib.contextmanager
def refused(status: str) -> Iterator[None]:
    """Expect an error of HTTP, and close it: it is an answer with a body."""
    with pytest.raises(urllib.error.HTTPError, match=status) as raised:
        yield
    raised.value.close()


def post(url: str, message: Any, timeout: float = 5.0) -> bytes:
    """Post a message of OTLP; returns the body of the answer."""
    body = message if isinstance(message, bytes) else message.SerializeToString()
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return bytes(answer.read())


def taken(collector: FaultyCollector) -> dict[Signal, int]:
    counts = collector.counts()
    return {TRACES: counts.spans, LOGS: counts.log_records, METRICS: counts.data_points}


def test_each_signal_is_taken_and_counted_by_itself(collector: FaultyCollector, send: SendSignal) -> None:
    for signal in Signal:
        assert send(signal)

    assert taken(collector) == dict.fromkeys(Signal, ALL)
    assert collector.wait_for_log_records(ALL)
    assert collector.wait_for_data_points(ALL)
    assert not collector.wait_for_log_records(ALL + 1, timeout=0)
    assert not collector.wait_for_data_points(ALL + 1, timeout=0)
    assert collector.wait_for_requests(3, timeout=0)
    collector.clear()
    assert taken(collector) == dict.fromkeys(Signal, 0)


def test_log_records_are_decoded(collector: FaultyCollector, send: SendSignal) -> None:
    assert send(LOGS)

    first, *_, last = collector.latest_log_records

    assert (first.body, last.body) == ("sold 0", "sold 2")
    assert collector.log_bodies == {"sold 0", "sold 1", "sold 2"}
    assert (first.severity_number, first.severity_text, first.event_name) == (13, "WARN", "sale")
    assert (first.trace_id, first.span_id) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert first.time_unix_nano == first.observed_time_unix_nano - 1 == 1_700_000_000_000_000_000
    assert (first.scope, first.attributes) == ("shop.sales", {"number": 0})
    assert first.resource == {"service.name": "shop", "service.instance.id": "one"}


def test_data_points_are_decoded(collector: FaultyCollector, send: SendSignal) -> None:
    assert send(METRICS)

    points = collector.latest_data_points

    assert sorted((point.attributes["number"], point.value) for point in points) == [(0, 1), (1, 2), (2, 3)]
    point = points[0]
    assert (point.metric, point.kind, point.unit, point.scope) == ("sold", "sum", "{item}", "shop.sales")
    assert (point.temporality, point.is_monotonic) == ("cumulative", True)
    assert (point.count, point.sum, point.bucket_counts) == (None, None, [])
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    assert point.resource == {"service.name": "shop", "service.instance.id": "one"}


@pytest.mark.parametrize(
    ("fault", "settings", "answered", "count"),
    [
        (Fault.REFUSE, {}, False, 0),
        (Fault.BLACKHOLE, {}, False, 0),
        (Fault.DRIP, {"interval": 0.001}, True, ALL),
        (Fault.RESET, {}, False, 0),
        (Fault.GARBAGE, {}, False, 0),
        (Fault.GOAWAY, {}, False, 0),
        (Fault.STATUS, {"status": 404}, False, 0),
        (Fault.TRUNCATED, {}, False, ALL),
        (Fault.TAKEN_THEN_RESET, {}, False, ALL),
        (Fault.TAKEN_THEN_CLOSED, {}, False, ALL),
        (Fault.PARTIAL_SUCCESS, {"rejected": 2}, True, ALL - 2),
        (Fault.TOO_LARGE, {"limit": 10}, False, 0),
    ],
)
def test_a_fault_of_all_signals_meets_metrics_too(
    collector: FaultyCollector,
    send: SendSignal,
    fault: Fault,
    settings: dict[str, Any],
    answered: bool,
    count: int,
) -> None:
    collector.set_fault(fault, **settings)

    assert send(METRICS, timeout=5.0 if answered else ONE_ATTEMPT) is answered

    assert collector.wait_for_data_points(count)
    counts = collector.counts()
    assert counts.data_points - counts.duplicate_data_points == count


@pytest.mark.parametrize("alone", Signal)
def test_one_signal_is_refused_while_the_others_are_fine(
    collector: FaultyCollector, send: SendSignal, alone: Signal
) -> None:
    assert send(alone)
    collector.set_fault(Fault.STATUS, status=404, signal=alone)

    answers = {signal: send(signal, ONE_ATTEMPT) for signal in Signal}

    assert answers == {signal: signal is not alone for signal in Signal}
    assert taken(collector) == dict.fromkeys(Signal, ALL)
    collector.set_fault(Fault.NONE, signal=alone)
    assert send(alone)


@pytest.mark.parametrize(
    ("fault", "settings", "answered", "count"),
    [
        (Fault.BLACKHOLE, {}, False, 0),
        (Fault.DRIP, {"interval": 0.001}, True, ALL),
        (Fault.RESET, {}, False, 0),
        (Fault.GARBAGE, {}, False, 0),
        (Fault.GOAWAY, {}, False, 0),
        (Fault.SLOW, {"seconds": 60.0}, False, ALL),
        (Fault.TRUNCATED, {}, False, ALL),
        (Fault.TAKEN_THEN_RESET, {}, False, ALL),
        (Fault.UNAVAILABLE, {}, False, 0),
        (Fault.PARTIAL_SUCCESS, {"rejected": 1}, True, ALL - 1),
        (Fault.TOO_LARGE, {"limit": 10}, False, 0),
    ],
)
def test_each_fault_of_one_signal_leaves_the_others_alone(
    collector: FaultyCollector,
    send: SendSignal,
    fault: Fault,
    settings: dict[str, Any],
    answered: bool,
    count: int,
) -> None:
    collector.set_fault(fault, signal=LOGS, **settings)

    assert send(LOGS, 5.0 if answered else ONE_ATTEMPT) is answered

    assert collector.fault is Fault.NONE
    assert collector.wait_for_log_records(count)
    assert len(collector.log_bodies) == count
    # Clients of gRPC share the connection; the others begin on one that nothing has broken.
    collector.set_fault(fault, signal=LOGS, connections=Connections.DROP, **settings)
    assert send(TRACES)
    assert send(METRICS)


def test_a_request_of_one_signal_in_a_blackhole_hears_nothing_not_even_an_end(
    collector: FaultyCollector,
) -> None:
    collector.set_fault(Fault.BLACKHOLE, signal=LOGS)

    with pytest.raises(TimeoutError):
        post(collector.http_endpoint_of(LOGS), ExportLogsServiceRequest(), timeout=0.2)


def test_a_fault_of_all_but_one_signal(collector: FaultyCollector, send: SendSignal) -> None:
    collector.fault = Fault.BLACKHOLE
    collector.set_fault(Fault.NONE, signal=METRICS)

    assert send(METRICS)
    assert not send(TRACES, ONE_ATTEMPT)

    assert taken(collector) == {TRACES: 0, LOGS: 0, METRICS: ALL}
    collector.fault = Fault.NONE
    assert send(TRACES)


def test_a_fault_of_all_signals_ends_what_one_had_alone(collector: FaultyCollector, send: SendSignal) -> None:
    collector.set_fault(Fault.STATUS, status=404, signal=LOGS)
    collector.set_fault(Fault.SLOW, seconds=0.0)

    assert send(LOGS)


def test_a_fault_of_one_signal_is_met_by_each_request_anew(collector: FaultyCollector) -> None:
    request = ExportLogsServiceRequest()
    url = collector.http_endpoint_of(LOGS)
    collector.set_fault(Fault.STATUS, status=404, signal=LOGS)
    with refused("404"):
        post(url, request)

    collector.set_fault(Fault.STATUS, status=503, signal=LOGS)

    with refused("503"):
        post(url, request)


def test_the_state_says_which_signal_has_which_fault(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.SLOW, seconds=0.0)
    collector.set_fault(Fault.STATUS, status=404, signal=LOGS)

    with urllib.request.urlopen(f"{collector.control_url}/state", timeout=5.0) as answer:
        state = json.load(answer)

    assert state["fault"] == "slow"
    assert state["alone"] == {"logs": {"fault": "status", "status": 404, "code": None, "retry_after": None}}


@pytest.mark.parametrize(
    ("fault", "signal", "words"),
    [
        (Fault.REFUSE, LOGS, "cannot have fault 'refuse' alone: all signals share the ports"),
        (Fault.SLOW, "profiles", "signal must be one of 'traces', 'logs', 'metrics', not 'profiles'"),
    ],
)
def test_a_signal_that_cannot_have_the_fault_is_a_value_error(
    collector: FaultyCollector, fault: Fault, signal: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        collector.set_fault(fault, signal=signal)
    by_hand = json.dumps({"fault": fault.value, "signal": getattr(signal, "value", signal)}).encode()
    with refused("400"):
        post(f"{collector.control_url}/fault", by_hand)


def test_partial_success_counts_the_items_of_the_signal(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=1)
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    of_scope = logs.resource_logs.add().scope_logs.add()
    of_scope.log_records.add(time_unix_nano=1)
    of_scope.log_records.add(time_unix_nano=2)
    metrics.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add()

    to_logs = ExportLogsServiceResponse.FromString(post(collector.http_endpoint_of(LOGS), logs))
    to_metrics = ExportMetricsServiceResponse.FromString(post(collector.http_endpoint_of(METRICS), metrics))

    assert to_logs.partial_success.rejected_log_records == 1
    assert to_logs.partial_success.error_message == "1 log records rejected by the fault of this collector"
    assert to_metrics.partial_success.rejected_data_points == 1
    assert taken(collector) == {TRACES: 0, LOGS: 1, METRICS: 0}


@pytest.mark.parametrize("signal", [LOGS, METRICS])
def test_bytes_that_are_no_request_are_refused(collector: FaultyCollector, signal: Signal) -> None:
    with refused("400"):
        post(collector.http_endpoint_of(signal), b"\xff\xff no protobuf")

    assert taken(collector)[signal] == 0


def test_what_is_sent_again_is_a_duplicate(collector: FaultyCollector) -> None:
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    point = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="a").gauge.data_points.add()
    for value in (1, 1, 2):
        point.as_int = value
        logs.resource_logs[0].scope_logs[0].log_records[0].body.int_value = value
        post(collector.http_endpoint_of(LOGS), logs)
        post(collector.http_endpoint_of(METRICS), metrics)

    counts = collector.counts()

    assert (counts.log_records, counts.duplicate_log_records) == (3, 1)
    assert (counts.data_points, counts.duplicate_data_points) == (3, 1)
    assert collector.log_bodies == {"1", "2"}


def test_every_kind_of_data_point_is_decoded(collector: FaultyCollector) -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="gauge").gauge.data_points.add(as_double=0.5)
    falling = metrics.add(name="falling", unit="s").sum
    falling.aggregation_temporality = 1  # type: ignore[assignment]
    falling.data_points.add(as_int=-2)
    histogram = metrics.add(name="histogram").histogram
    histogram.aggregation_temporality = 2  # type: ignore[assignment]
    histogram.data_points.add(count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[1.0])
    exponential = metrics.add(name="exponential").exponential_histogram
    exponential.aggregation_temporality = 77  # type: ignore[assignment]  # of a newer protocol
    exponential.data_points.add(count=1)
    metrics.add(name="summary").summary.data_points.add(count=2, sum=3.0)
    metrics.add(name="nothing")
    post(collector.http_endpoint_of(METRICS), request)

    gauge, total, buckets, scaled, summary = collector.latest_data_points

    assert (gauge.kind, gauge.value, gauge.temporality, gauge.is_monotonic) == ("gauge", 0.5, None, None)
    assert (total.kind, total.value, total.temporality, total.is_monotonic) == ("sum", -2, "delta", False)
    assert (buckets.kind, buckets.count, buckets.sum, buckets.value) == ("histogram", 3, 1.5, None)
    assert (buckets.temporality, buckets.bucket_counts) == ("cumulative", [1, 2])
    assert (scaled.kind, scaled.temporality, scaled.count) == ("exponential_histogram", "77", 1)
    assert (summary.kind, summary.temporality, summary.count, summary.sum) == ("summary", None, 2, 3.0)
    assert (total.metric, total.unit) == ("falling", "s")


def test_a_counter_is_added_up_over_processes_restarts_and_duplicates(collector: FaultyCollector) -> None:
    def counted(worker: str, value: int, *, start: int, at: int, temporality: int) -> None:
        request = ExportMetricsServiceRequest()
        of_worker = request.resource_metrics.add()
        of_worker.resource.attributes.add(key="service.instance.id").value.string_value = worker
        sold = of_worker.scope_metrics.add().metrics.add(name="sold").sum
        sold.aggregation_temporality = temporality  # type: ignore[assignment]
        sold.data_points.add(as_int=value, start_time_unix_nano=start, time_unix_nano=at)
        of_worker.scope_metrics[0].metrics.add(name="price").gauge.data_points.add(as_int=99)
        of_worker.scope_metrics[0].metrics.add(name="took").summary.data_points.add(count=1)
        post(collector.http_endpoint_of(METRICS), request)

    delta, cumulative = 1, 2
    counted("one", 5, start=10, at=30, temporality=cumulative)
    counted("one", 3, start=10, at=20, temporality=cumulative)  # kept in an outage, and delivered late
    counted("one", 2, start=40, at=50, temporality=cumulative)  # after a restart
    counted("two", 7, start=10, at=30, temporality=cumulative)
    counted("three", 11, start=10, at=20, temporality=delta)
    counted("three", 11, start=10, at=20, temporality=delta)
    counted("three", 13, start=10, at=30, temporality=delta)

    assert collector.counter_total("sold") == 5 + 2 + 7 + 11 + 13
    assert collector.counter_total("took") == collector.counter_total("nothing") == 0
