"""Every fault, met by the official OTLP exporters of both protocols."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from breaker_exporter.testing import Connections, Fault, FaultyCollector

MakeSpans = Callable[[int], Sequence[ReadableSpan]]
Export = Callable[..., bool]
Connect = Callable[[float], Callable[[Sequence[ReadableSpan]], bool]]

ALL, NONE = 3, 0
CASES = [
    (Fault.NONE, {}, True, ALL),
    (Fault.REFUSE, {}, False, NONE),
    (Fault.BLACKHOLE, {}, False, NONE),
    (Fault.DRIP, {"interval": 0.001}, True, ALL),
    (Fault.RESET, {}, False, NONE),
    (Fault.GARBAGE, {}, False, NONE),
    (Fault.SLOW, {"seconds": 0.05}, True, ALL),
    (Fault.SLOW, {"seconds": 60.0}, False, ALL),
    (Fault.STATUS, {}, False, NONE),
    *((Fault.STATUS, {"status": status}, False, NONE) for status in (400, 401, 404, 413, 429, 500, 502, 503)),
    (Fault.STATUS, {"status": 202}, True, ALL),
    (Fault.STATUS, {"code": "OK"}, True, ALL),
    (Fault.STATUS, {"code": "OUT_OF_RANGE"}, False, NONE),
    (Fault.TRUNCATED, {}, False, ALL),
    (Fault.GOAWAY, {}, False, NONE),
    (Fault.PARTIAL_SUCCESS, {}, True, ALL - 1),
    (Fault.PARTIAL_SUCCESS, {"rejected": 10}, True, NONE),
    (Fault.UNAVAILABLE, {}, False, NONE),
    (Fault.DEADLINE, {}, False, NONE),
    (Fault.RESOURCE_EXHAUSTED, {}, False, NONE),
    (Fault.TOO_LARGE, {}, True, ALL),
    (Fault.TOO_LARGE, {"limit": 10}, False, NONE),
]


ONE_ATTEMPT = 0.7
"""Seconds; below the first backoff of a retry, which is 0.8 s."""


def in_background(work: Callable[[], object]) -> Callable[[float], object]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def join(timeout: float) -> object:
        thread.join(timeout)
        return results[0]

    return join


@pytest.mark.parametrize(("fault", "settings", "answered", "taken"), CASES)
def test_a_fault_decides_what_the_exporter_sees_and_what_is_taken(
    collector: FaultyCollector,
    export: Export,
    make_spans: MakeSpans,
    fault: Fault,
    settings: dict[str, Any],
    answered: bool,
    taken: int,
) -> None:
    collector.set_fault(fault, **settings)
    spans = make_spans(ALL)
    assert export(spans, timeout=5.0 if answered else ONE_ATTEMPT) is answered

    assert collector.fault is fault
    assert collector.wait_for_spans(taken)
    counts = collector.counts()
    assert (counts.spans, counts.duplicates, len(collector.span_ids)) == (taken, 0, taken)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
def test_after_any_fault_the_same_ports_work_again(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans, fault: Fault
) -> None:
    endpoints = collector.http_endpoint, collector.grpc_endpoint
    collector.fault = fault
    collector.fault = Fault.NONE

    assert export(make_spans(2))

    assert (collector.http_endpoint, collector.grpc_endpoint) == endpoints
    assert collector.spans_received == 2


@pytest.mark.parametrize("fault", [Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED])
@pytest.mark.parametrize("kept_alive", [False, True])
def test_a_request_that_was_taken_is_not_answered(
    collector: FaultyCollector, connect: Connect, make_spans: MakeSpans, kept_alive: bool, fault: Fault
) -> None:
    send = connect(ONE_ATTEMPT)
    if kept_alive:
        assert send(make_spans(1))
    collector.set_fault(fault, connections=Connections.KEEP)

    assert not send(make_spans(ALL))

    assert collector.wait_for_spans(ALL + kept_alive)
    assert len(collector.span_ids) == ALL + kept_alive
    collector.fault = Fault.NONE
    assert connect(5.0)(make_spans(1))


def test_a_taken_request_that_is_sent_again_is_delivered_twice(
    collector: FaultyCollector, connect: Connect, make_spans: MakeSpans
) -> None:
    send = connect(5.0)
    collector.fault = Fault.TAKEN_THEN_RESET

    assert not send(make_spans(ALL))

    assert (len(collector.span_ids), collector.duplicates > 0) == (ALL, True)


def test_a_port_can_be_refused_and_opened_again_many_times(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans
) -> None:
    for _ in range(5):
        collector.fault = Fault.REFUSE
        collector.fault = Fault.REFUSE
        assert not export(make_spans(1), timeout=0.4)
        collector.fault = Fault.NONE
        assert export(make_spans(1))

    assert collector.spans_received == 5


def test_duplicates_are_counted_and_ids_kept(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans
) -> None:
    spans = make_spans(3)

    assert export(spans)
    assert export(spans[:2])

    contexts = [span.get_span_context() for span in spans]
    assert collector.duplicates == 2
    assert collector.span_ids == {f"{context.span_id:016x}" for context in contexts if context}
    assert collector.spans_received == 5
    collector.clear()
    assert collector.span_ids == frozenset()
    assert collector.counts().spans == collector.counts().duplicates == 0


def test_spans_are_decoded_with_resource_and_attributes(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans
) -> None:
    (span,) = make_spans(1)
    assert export([span])

    (received,) = collector.latest_spans

    context = span.get_span_context()
    assert context is not None
    assert received.trace_id == f"{context.trace_id:032x}"
    assert received.span_id == f"{context.span_id:016x}"
    assert received.parent_span_id is None
    assert (received.name, received.kind, received.status) == ("sell", "internal", "unset")
    assert (received.start_time_unix_nano, received.end_time_unix_nano) == (span.start_time, span.end_time)
    assert received.scope == "tests.testing"
    assert received.resource == {"service.name": "shop"}
    assert received.attributes == {"number": 0, "tags": ["a", "b"]}


def test_an_open_connection_falls_into_a_blackhole_too(
    collector: FaultyCollector, connect: Connect, make_spans: MakeSpans
) -> None:
    send = connect(1.0)
    assert send(make_spans(1))
    before = collector.counts()

    collector.fault = Fault.BLACKHOLE
    began = time.monotonic()
    assert not send(make_spans(1))

    assert time.monotonic() - began >= 0.9, "it waited for an answer, nobody closed the connection"
    assert collector.wait_for_requests(before.requests + 1)
    after = collector.counts()
    assert (after.connections, after.requests) == (before.connections, before.requests + 1)
    assert after.spans == 1
    collector.fault = Fault.NONE
    assert connect(5.0)(make_spans(1))


def test_a_slow_answer_is_late_but_the_spans_are_there_before(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans
) -> None:
    collector.set_fault(Fault.SLOW, seconds=0.2)
    began = time.monotonic()

    assert export(make_spans(1))

    assert time.monotonic() - began >= 0.2


def test_a_dropped_connection_ends_the_request_on_it(
    collector: FaultyCollector, connect: Connect, make_spans: MakeSpans
) -> None:
    collector.set_fault(Fault.SLOW, seconds=60.0)
    send = connect(30.0)
    done = in_background(lambda: send(make_spans(1)))
    assert collector.wait_for_spans(1)

    collector.fault = Fault.NONE

    assert done(10.0) is True, "the exporter's own retry was served"
    assert collector.counts().open_connections <= 1
    assert collector.duplicates == 1


def test_waiting_ends_at_its_deadline_or_when_reached(
    collector: FaultyCollector, export: Export, make_spans: MakeSpans
) -> None:
    assert not collector.wait_for_spans(1, timeout=0.05)
    assert not collector.wait_for_requests(1, timeout=0)
    assert not collector.wait_for_connections(1, timeout=0)
    spans = make_spans(2)
    reached = in_background(lambda: collector.wait_for_spans(2, timeout=30.0))

    assert export(spans[:1])
    assert export(spans[:1])
    assert not collector.wait_for_spans(2, timeout=0.05), "a duplicate is no other span"
    assert export(spans[1:])

    assert reached(10.0) is True
    assert collector.wait_for_requests(3, timeout=0)
    assert collector.wait_for_connections(1, timeout=0), "gRPC channels share one, HTTP sessions do not"


def test_a_renewed_collector_has_other_ports_and_received_nothing(
    collector: FaultyCollector, connect: Connect, export: Export, make_spans: MakeSpans
) -> None:
    send = connect(1.0)
    assert send(make_spans(1))
    endpoints = {collector.http_endpoint, collector.grpc_endpoint}
    collector.fault = Fault.REFUSE

    collector.renew()

    assert not endpoints & {collector.http_endpoint, collector.grpc_endpoint}
    assert not send(make_spans(1))
    assert collector.fault is Fault.NONE
    counts = collector.counts()
    assert (counts.spans, counts.requests, counts.connections, counts.open_connections) == (
        0,
        0,
        0,
        0,
    )
    assert export(make_spans(1))
    assert collector.spans_received == 1
